/** `zonescope run FILE:LINE` where the line belongs to a step of a scene. */
import { describe, expect, it } from 'vitest';
import { parseArguments } from '../../extension/cli/args.ts';
import { execute } from '../../extension/cli/commands.ts';
import type { Surroundings } from '../../extension/cli/surroundings.ts';

const TEXT = `Heterogeneous Memory Management (HMM)
=====================================

Migration to and from device memory
===================================

The migration steps are these:

1. \`\`mmap_read_lock()\`\`

   The lock is held all the time.

2. \`\`migrate_vma_setup()\`\`

   The second one collects::

     src[i] = 0;
`;
const lineOf = (words: string): number => TEXT.slice(0, TEXT.indexOf(words)).split('\n').length;
const section = 'Migration to and from device memory';
const SCENES = [
  {
    id: 'two-steps',
    release: '5.10..',
    anchor: { document: 'hmm', section, words: ['migration steps'] },
    title: 'Two steps',
    teaches: 'Both.',
    steps: [
      {
        anchor: { words: ['mmap_read_lock()'] },
        title: 'Step 1',
        run: ['x = 41'],
        shows: 'one',
        expect: [{ line: 'x;', is: '41' }],
      },
      {
        anchor: { words: ['migrate_vma_setup()'] },
        title: 'Step 2',
        run: ['x = x + 1', 'x'],
        shows: 'two',
        expect: [{ line: 'x;', is: '42' }],
      },
    ],
    run: ['x = 0'],
    variants: [{ id: 'run', title: 'Run' }],
  },
];

async function run(scenes: unknown, ...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const around = {
    print: (text: string) => void out.push(text),
    complain: (text: string) => void err.push(text),
    readText: () => Promise.resolve(TEXT),
    scenes: async () => scenes,
    now: () => 0,
    breathe: () => Promise.resolve(),
  } as unknown as Surroundings;
  const request = parseArguments(['run', ...argv, '--release', '6.12', '--machine', 'qemu-2g']);
  if (request.command === 'help' || request.command === 'version') throw new Error('no request');
  const status = await execute(request, around);
  return { status, out: out.join('\n'), err: err.join('\n') };
}

describe('zonescope run at a step', () => {
  it('runs to it, says what there is to see and whether it is so, and stops there', async () => {
    const { status, out, err } = await run(SCENES, `hmm.rst:${lineOf('2. ')}`);
    expect([status, err]).toEqual([0, '']);
    expect(out.split('\n')).toEqual([
      '> x = 41',
      '    41',
      '> x = x + 1',
      '    42',
      '    > x',
      '    42',
      '-- paused: two',
      'expected of x;: 42',
    ]);
  });

  it('takes a line below the item as the item, and --variant step-1 as the first', async () => {
    expect((await run(SCENES, `hmm.rst:${lineOf('The lock is held')}`)).out).toMatch(
      /-- paused: one\nexpected of x;: 41$/,
    );
    expect((await run(SCENES, `hmm.rst:${lineOf('2. ')}`, '--variant', 'step-1')).out).toMatch(/expected of x;: 41$/);
  });

  it('runs all of it at the place of the scene', async () => {
    const { out } = await run(SCENES, `hmm.rst:${lineOf('The migration steps')}`);
    expect(out).toMatch(/-- paused: one\n.*-- paused: two\n.*> x = 0\n {4}0$/s);
  });

  it('fails where the step is not as promised', async () => {
    const [scene] = structuredClone(SCENES);
    if (scene?.steps[1]) scene.steps[1].expect = [{ line: 'x;', is: '7' }];
    const { status, err } = await run([scene], `hmm.rst:${lineOf('2. ')}`);
    expect([status, err]).toEqual([1, 'expected of x;: 7\n  found: 42']);
  });

  it('lists the steps where there is nothing to run, and refuses a step that is not there', async () => {
    await expect(run(SCENES, 'hmm.rst:1')).rejects.toThrow(/9: {3}Step 1\n {2}13: {3}Step 2/);
    await expect(run(SCENES, `hmm.rst:${lineOf('2. ')}`, '--variant', 'step-3')).rejects.toThrow(/this scene has run/);
  });
});
