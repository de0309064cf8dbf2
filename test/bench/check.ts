/**
 * How fast documents are checked: a whole process over both, with all claims and examples, and again after an edit.
 * The first process of a version has to compile and to judge what later ones find done.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkDocument } from '../../extension/docs/check/check.ts';
import { parseDocument } from '../../extension/docs/rst.ts';
import type { Report } from './run.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const ROUNDS = 15;

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** Milliseconds of a process from its start to its end. It keeps what it compiled in `cache`. */
function processTime(args: readonly string[], cache: string): number {
  const env = { ...process.env, XDG_CACHE_HOME: cache };
  const began = performance.now();
  try {
    execFileSync(process.execPath, [CLI, ...args], { stdio: ['ignore', 'ignore', 'inherit'], env });
  } catch (error) {
    // The documents have errors, which it exits with.
    if ((error as { status?: number }).status !== 1) throw error;
  }
  return performance.now() - began;
}

export function bench(report: Report): void {
  const files = ['hmm', 'memory-model'].map((name) =>
    join(process.env.ZONESCOPE_DOCS ?? '', '6.12/Documentation/mm', `${name}.rst`),
  );
  if (!files.every((file) => existsSync(file)) || !existsSync(CLI)) {
    console.log('check: skipped, the documents of 6.12 or dist/cli.js are not there');
    return;
  }
  const cache = mkdtempSync(join(tmpdir(), 'zonescope-bench-'));
  report({ name: 'check both documents, the first time', value: processTime(['check', ...files], cache), unit: 'ms' });
  const times = (...args: string[]): number => median(Array.from({ length: ROUNDS }, () => processTime(args, cache)));
  report({ name: 'check both documents', value: times('check', ...files), unit: 'ms', target: '< 300' });
  report({ name: '… judging all anew', value: times('check', '--fresh', ...files), unit: 'ms' });
  report({ name: '… by rules only', value: times('check', '--rules-only', ...files), unit: 'ms' });
  report({ name: 'process that does nothing', value: times('version'), unit: 'ms' });
  rmSync(cache, { recursive: true });
  for (const [index, file] of files.entries()) {
    const kind = index === 0 ? 'hmm' : 'memory-model';
    const text = readFileSync(file, 'utf8');
    const spent: number[] = [];
    for (let round = 0; round < ROUNDS * 4; round++) {
      // An edit inside the first block or, where there is none, of the first sentence.
      const source = text.replace(/= \.\.\.;|Physical memory/, (found) => `${found} ${'x'.repeat(round % 9)}`);
      const began = performance.now();
      const document = parseDocument(file, source);
      checkDocument({ document, source, kind, releases: ['6.12'] });
      spent.push(performance.now() - began);
    }
    report({ name: `check ${kind} again after an edit`, value: median(spent), unit: 'ms', target: '< 20' });
  }
}
