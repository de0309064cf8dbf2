/** What a launch asks for, checked, and what it comes to. */

import { RELEASES, type Release } from '../../sim/index.ts';
import type { Scene } from '../docs/scenes.ts';
import type { ExampleRequest, FileRequest } from '../session/types.ts';
import { type Fields, fieldsOf, numberIn, RequestError, textIn, textsIn } from './protocol.ts';

/** What a launch of ours is called in launch.json. */
export const DEBUG_TYPE = 'zonescope';

export interface LaunchArguments {
  /** The document or C file. */
  readonly program: string;
  /** A line of the block, from 1. */
  readonly line?: number;
  readonly scene?: string;
  readonly variant?: string;
  readonly function?: string;
  /** C expressions for the parameters of the function: by place, or by name. */
  readonly args: Readonly<Record<string, string>>;
  readonly holes: Readonly<Record<string, string>>;
  readonly release?: Release;
  readonly machine?: string;
  readonly stopOnEntry: boolean;
  readonly noDebug: boolean;
}

/** What runs. `text` is as it runs: breakpoints stand at its statements. */
export type Launch =
  | { readonly kind: 'block'; readonly request: ExampleRequest }
  | {
      readonly kind: 'lines';
      readonly scene: Scene;
      readonly uri: string;
      readonly releases: readonly Release[] | undefined;
    }
  | { readonly kind: 'file'; readonly request: FileRequest };

/** Reads the arguments of a launch; what is wrong with them is told in words. */
export function launchArguments(given: unknown): LaunchArguments {
  const fields = fieldsOf(given);
  const program = textIn(fields, 'program');
  if (program === undefined || program === '')
    throw new RequestError('"program" is missing: the document or C file that is to run.');
  const release = textIn(fields, 'release');
  if (release !== undefined && !isRelease(release))
    throw new RequestError(
      `"release" is ${JSON.stringify(release)}, which is no release Zonescope knows: ${RELEASES[0]} to ${RELEASES.at(-1)}.`,
    );
  const line = numberIn(fields, 'line');
  if (fields.line !== undefined && (line === undefined || line < 1))
    throw new RequestError('"line" is a line number, counted from 1.');
  const scene = textIn(fields, 'scene');
  const variant = textIn(fields, 'variant');
  const name = textIn(fields, 'function');
  const machine = textIn(fields, 'machine');
  return {
    program,
    ...(line === undefined ? {} : { line }),
    ...(scene === undefined ? {} : { scene }),
    ...(variant === undefined ? {} : { variant }),
    ...(name === undefined ? {} : { function: name }),
    args: expressions(fields, 'args'),
    holes: expressions(fields, 'holes'),
    ...(release === undefined ? {} : { release }),
    ...(machine === undefined ? {} : { machine }),
    stopOnEntry: fields.stopOnEntry === true,
    noDebug: fields.noDebug === true,
  };
}

/** A list, counted from 1, or an object of C expressions. */
function expressions(fields: Fields, name: string): Record<string, string> {
  const value = fields[name];
  if (Array.isArray(value)) {
    const texts = textsIn(fields, name);
    if (texts.length !== value.length) throw new RequestError(`"${name}" is a list of C expressions, each a text.`);
    return Object.fromEntries(texts.map((text, index) => [String(index + 1), text]));
  }
  const entries = Object.entries(fieldsOf(value));
  for (const [key, text] of entries)
    if (typeof text !== 'string') throw new RequestError(`"${name}.${key}" is a C expression, as a text.`);
  return Object.fromEntries(entries) as Record<string, string>;
}

const isRelease = (text: string): text is Release => (RELEASES as readonly string[]).includes(text);

/** What a launch without a program means: what stands at the cursor, as `cursor` says; without one what ran last. */
export function completed<T extends object>(
  given: T & { program?: unknown; scene?: unknown; function?: unknown; line?: unknown },
  cursor: { program: string; line: number } | undefined,
  last: object | undefined,
): T {
  if (given.program !== undefined) return given;
  if (cursor === undefined) return { ...own(last), ...given };
  const isNamed = given.scene !== undefined || given.function !== undefined || given.line !== undefined;
  return { ...given, program: cursor.program, ...(isNamed ? {} : { line: cursor.line }) };
}

/** What a launch said, without what the editor has put in. */
const own = (config: object = {}): object =>
  Object.fromEntries(Object.entries(config).filter(([key]) => !key.startsWith('__') && key !== 'noDebug'));
