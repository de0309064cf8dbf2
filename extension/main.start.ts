#!/usr/bin/env node
/** The first lines of `zonescope`: what V8 has compiled of the rest in an earlier run is used again, where Node can. */
import * as module from 'node:module';

const { enableCompileCache } = module as { enableCompileCache?: () => unknown };
enableCompileCache?.();
const main: string = './main.cli.js';
await import(main);
