/** `zonescope run`: a scene of the tour from the command line, with the verdict on what it promises. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseArguments } from '../../extension/cli/args.ts';
import { execute } from '../../extension/cli/commands.ts';
import type { Surroundings } from '../../extension/cli/surroundings.ts';
import { DEVICE_MEMORY, scenesJson } from '../support/sessions.ts';

const TOUR = readFileSync(new URL('../../media/tour/tour.rst', import.meta.url), 'utf8');
/** The line of the sentence that has the scene. */
const LINE = TOUR.slice(0, TOUR.indexOf('Whatever is on the device stays charged')).split('\n').length;

/** Documents of our own beside the tour. */
const TEXTS: Readonly<Record<string, string>> = {
  'hmm.rst': `${DEVICE_MEMORY}\nAnd this::\n\n    struct page *pfn_to_page(unsigned long pfn);\n\nThen::\n\n    int n = page_count(pfn_to_page(0x1000), 3);\n    n = page_count(lost);\n`,
  'memory-model.rst':
    'SPARSEMEM\n=========\n\n.. math::\n\n   NR\\_MEM\\_SECTIONS = 2 ^ {(MAX\\_PHYSMEM\\_BITS - SECTION\\_SIZE\\_BITS)}\n',
};
const lineOf = (file: string, words: string): number =>
  (TEXTS[file] ?? '').slice(0, TEXTS[file]?.indexOf(words)).split('\n').length;

/** Runs the command line over the tour or one of these, with scenes as given. */
async function zonescope(scenes: unknown, ...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const around: Surroundings = {
    print: (text) => void out.push(text),
    complain: (text) => void err.push(text),
    async *lines() {},
    readText: (path) => Promise.resolve(TEXTS[path] ?? TOUR),
    readBytes: () => Promise.reject(new Error('no such file')),
    files: { exists: async () => false, list: async () => [], read: async () => new Uint8Array() },
    machines: { readText: async () => undefined, list: async () => [] } as unknown as Surroundings['machines'],
    folder: '/',
    version: '0',
    cache: '/cache',
    glossary: async () => [],
    scenes: async () => scenes,
    claims: async () => [],
    findings: async () => ({}),
    verdicts: { read: async () => undefined, write: async () => {} },
    now: () => 0,
    breathe: () => Promise.resolve(),
  };
  const request = parseArguments(argv);
  if (request.command === 'help' || request.command === 'version') throw new Error('no request');
  return { status: await execute(request, around), out: out.join('\n'), err: err.join('\n') };
}

describe('zonescope run', () => {
  it('runs a scene to its end, with what its lines print and what was expected', async () => {
    const { status, out, err } = await zonescope(scenesJson(), 'run', `tour.rst:${LINE}`, '--release', '6.12');
    expect([status, err]).toEqual([0, '']);
    expect(out).toMatch(/^> p = proc new app\n {4}100$/m);
    expect(out).toMatch(/^ {4}> cat \/sys\/fs\/cgroup\/app\/memory\.current\n {4}45056$/m);
    expect(out).toMatch(/^-- paused: .*Continue brings all home\.\nexpected of cat .*: 45056$/m);
    expect(out.match(/^expected of /gm)).toHaveLength(4);
    // Every line that ran is there under its own name.
    expect(out.match(/^> (?!p = |a = |proc |modprobe |gpu )/gm)).toBeNull();
  });

  it('runs a block that no scene was written for, with the arguments of --set', async () => {
    const line = lineOf('hmm.rst', 'struct page *pfn_to_page');
    const argv = ['--release', '6.12', '--set', 'argument 1 of pfn_to_page=0x1000'];
    const { status, out, err } = await zonescope(scenesJson(), 'run', `hmm.rst:${line}`, ...argv);
    expect([status, err]).toEqual([0, '']);
    expect(out).toMatch(
      /^> struct page \*pfn_to_page\(unsigned long pfn\);\n(?: {4}.*\n)* {4}pfn_to_page\(\) returned 0x/m,
    );
  });

  it('says what is wrong with the text, with the place', async () => {
    const line = lineOf('hmm.rst', 'int n = page_count');
    const { status, err } = await zonescope([], 'run', `hmm.rst:${line}`, '--release', '6.12');
    expect([status, err.split('\n')]).toEqual([
      1,
      [
        `hmm.rst:${line}:13: error: page_count() of 6.12 takes 1 argument, and is given 2.`,
        expect.stringMatching(`^hmm\\.rst:${line + 1}:20: error: lost is not declared`),
        expect.stringMatching('^stopped: '),
      ],
    ]);
    const json = await zonescope([], 'run', `hmm.rst:${line}`, '--release', '6.12', '--json');
    expect(json.out).toContain(`"severity":"error","line":${line},"column":13}`);
  });

  it('computes a formula, and says whether the machine agrees', async () => {
    const line = lineOf('memory-model.rst', 'NR\\_MEM');
    const { status, out } = await zonescope([], 'run', `memory-model.rst:${line}`, '--release', '6.12');
    expect(status).toBe(0);
    expect(out).toMatch(/^ {4}= 524288 /m);
    expect(out).toContain('expected of result == NR_MEM_SECTIONS: 1');
  });

  it('runs one way of a block, and judges only what is promised of that', async () => {
    const line = lineOf('hmm.rst', 'struct resource');
    const run = (variant: string) =>
      zonescope(scenesJson(), 'run', `hmm.rst:${line}`, '--release', '6.12', '--variant', variant);
    const written = await run('as-written');
    expect([written.status, written.err.startsWith('stopped: the kernel warned')]).toEqual([1, true]);
    const set = await run('owner-set');
    expect([set.status, set.err, set.out.match(/^expected of /gm)?.length]).toEqual([0, '', 4]);
  });

  it('says what is not as promised, and fails', async () => {
    const scenes = scenesJson().map((scene) => {
      const { id } = scene as { id: string };
      return id === 'hmm-charge'
        ? { ...(scene as object), expect: [{ line: 'proc list', is: 'nobody', pause: 1 }] }
        : scene;
    });
    const { status, err } = await zonescope(scenes, 'run', `tour.rst:${LINE}`, '--release', '6.12');
    expect(status).toBe(1);
    expect(err).toMatch(/^expected of proc list: nobody\n {2}found: +100 app /);
    const json = await zonescope(scenes, 'run', `tour.rst:${LINE}`, '--release', '6.12', '--json');
    expect(json.status).toBe(1);
    expect(
      json.out
        .split('\n')
        .map((line) => JSON.parse(line))
        .filter((each) => 'expect' in each),
    ).toEqual([{ expect: 'proc list', is: 'nobody', found: expect.stringContaining('100 app'), holds: false }]);
  });
});
