/** Scenes in steps: how they load, run up to a step, and let the reader in between. */
import { describe, expect, it } from 'vitest';
import { parseRst } from '../../extension/docs/rst.ts';
import { stepOfVariant, stepVariant } from '../../extension/docs/sceneSteps.ts';
import { loadScenes, placeScenes, type Scene } from '../../extension/docs/scenes.ts';
import { runToStep, stepAt, stepIn } from '../../extension/session/steps.ts';
import type { ExampleState, Session } from '../../extension/session/types.ts';
import { Machine, presets, scriptProgram } from '../../sim/index.ts';
import { allScenes, newSession } from '../support/sessions.ts';

const URI = 'file:///text.rst';
const JSON_OF = (more: object = {}): object => ({
  id: 'counting',
  release: '5.10..',
  anchor: { document: 'hmm', section: 'Counting', words: ['in three steps'] },
  title: 'Counting',
  teaches: 'Counts.',
  setup: ['n = 0'],
  steps: [
    {
      anchor: { words: ['first'] },
      title: '1 One',
      run: ['n = n + 1'],
      shows: 'one',
      expect: [{ line: 'n;', is: '1' }],
    },
    { anchor: { words: ['second'] }, title: '2 Two', run: ['n = n + 1'], shows: 'two' },
    { anchor: { words: ['third'] }, title: '3 Three', run: ['n = n + 1'], shows: 'three' },
  ],
  run: ['n = n + 100'],
  variants: [{ id: 'run', title: 'Run' }],
  ...more,
});
const load = (json: object): Scene => {
  const { scenes, problems } = loadScenes([json]);
  expect(problems).toEqual([]);
  const [scene] = scenes;
  if (!scene) throw new Error('no scene');
  return scene;
};
const value = async (session: Session, line: string): Promise<string> => {
  const { output, value: given } = await session.runLine(line);
  return output === '' ? (given ?? '') : output;
};

describe('a scene in steps', () => {
  it('is one script to the session: a pause behind each step, and what it expects there', () => {
    const { run, expect: expected } = load(JSON_OF());
    expect(run).toEqual([
      'n = n + 1',
      { pause: 'one' },
      'n = n + 1',
      { pause: 'two' },
      'n = n + 1',
      { pause: 'three' },
      'n = n + 100',
    ]);
    expect(expected).toEqual([{ line: 'n;', is: '1', pause: 1 }]);
  });

  it('is refused with a place where it is wrong, and where two steps could not be told apart', () => {
    const problem = (json: object): string => loadScenes([json]).problems[0] ?? '';
    const step = { anchor: { words: ['x'] }, title: 'X', run: ['x'], shows: 'x' };
    expect(problem(JSON_OF({ steps: [] }))).toMatch(/^counting: \/steps/);
    expect(problem(JSON_OF({ steps: [{ ...step, anchor: { words: [] } }] }))).toMatch(/\/steps/);
    expect(problem(JSON_OF({ steps: [{ ...step, run: [{ pause: 'no' }] }] }))).toMatch(/\/steps/);
    expect(problem(JSON_OF({ steps: [step, { ...step, title: 'Y' }] }))).toBe('counting: two steps show the same: x');
  });

  it('has its steps where their words are, one that the text does not have left out', () => {
    const source = `Counting
========

Here we count in three steps. The first step. The text skips what comes
second.

And the other one::

    a block

Elsewhere
=========

The third is not in that section.
`;
    const scene = load(JSON_OF());
    const [placed] = placeScenes([scene], 'hmm', ['6.12'], parseRst(source), source);
    expect(
      placed?.steps.map(({ index, span }) => [index, source.slice(span.start, span.end).replace(/\s+/g, ' ')]),
    ).toEqual([
      [0, 'The first step.'],
      [1, 'The text skips what comes second.'],
    ]);
    // To the next step, and behind the last one to the end of its paragraph.
    expect(placed?.steps[1]?.extent.end).toBe(source.indexOf('second.') + 7);
  });

  it('is run to a step by a variant of that name', () => {
    const scene = load(JSON_OF());
    expect([0, 2].map((index) => stepOfVariant(scene, stepVariant(index)))).toEqual([0, 2]);
    for (const other of ['run', 'step-0', 'step-4', 'step-1x', '']) expect(stepOfVariant(scene, other)).toBeUndefined();
  });
});

describe('running to a step', () => {
  const to = (session: Session, scene: Scene, index: number): Promise<ExampleState> =>
    runToStep(session, scene, URI, ['6.12'], index);

  it('runs the steps before it that have not run, each once, and stops behind it', async () => {
    const { session } = newSession();
    const scene = load(JSON_OF());
    expect(await to(session, scene, 1)).toMatchObject({ status: 'paused', why: 'two' });
    expect(await value(session, 'n;')).toBe('2');
    expect(await to(session, scene, 2)).toMatchObject({ status: 'paused', why: 'three' });
    expect(await value(session, 'n;')).toBe('3');
    expect((await session.continueExample())?.status).toBe('done');
    expect(await value(session, 'n;')).toBe('103');
  });

  it('begins anew where it has passed the step, or is over', async () => {
    const { session } = newSession();
    const scene = load(JSON_OF());
    await to(session, scene, 2);
    expect(await to(session, scene, 0)).toMatchObject({ status: 'paused', why: 'one' });
    expect(await value(session, 'n;')).toBe('1');
    while ((await session.continueExample())?.status === 'paused');
    expect(await to(session, scene, 1)).toMatchObject({ status: 'paused', why: 'two' });
    expect(await value(session, 'n;')).toBe('2');
  });

  it('goes on from where the reader went back to', async () => {
    const { session } = newSession();
    const scene = load(JSON_OF());
    await to(session, scene, 2);
    session.stepBack();
    expect(stepAt(scene, session.example as ExampleState)).toBeUndefined();
    expect(await to(session, scene, 2)).toMatchObject({ status: 'paused', why: 'three' });
    expect(await value(session, 'n;')).toBe('3');
  });

  it('stops where a line of it fails, and says so', async () => {
    const { session } = newSession();
    const broken = JSON_OF({
      steps: [{ anchor: { words: ['x'] }, title: 'X', run: ['no_such_function();'], shows: 'x' }],
    });
    const state = await to(session, load(broken), 0);
    expect(state.status).toBe('failed');
    expect(state.why).toMatch(/no_such_function/);
  });

  it('knows the step it is in by its pause, and else by the line it did last', () => {
    const scene = load(JSON_OF());
    const state: ExampleState = { sceneId: scene.id, uri: URI, blockStart: 0, status: 'paused', why: 'two' };
    expect(stepIn(scene, state, undefined)).toBe(1);
    expect(stepIn(scene, { ...state, why: 'elsewhere' }, 'n = 7')).toBeUndefined();
    expect(stepIn(scene, { ...state, status: 'failed', why: '' }, 'n = n + 1')).toBe(2);
  });
});

describe('a line by release', () => {
  it('is the one whose span holds the release, or none', () => {
    const [config] = presets().filter(({ name }) => name === 'qemu-2g');
    if (!config) throw new Error('no preset');
    const lines = (release: '5.10' | '5.15' | '6.12'): string[] => {
      const machine = new Machine(config, release);
      const entries = [{ '5.10': 'a = 1', '5.11..6.0': 'a = 2', '6.1..': 'a = 3' }, { '5.10..5.15': 'b = 1' }, 'c = 1'];
      machine.run(scriptProgram(machine.kernel, 'script', entries));
      return machine.steps.map(({ label }) => label);
    };
    expect(lines('5.10')).toEqual(['a = 1', 'b = 1', 'c = 1']);
    expect(lines('5.15')).toEqual(['a = 2', 'b = 1', 'c = 1']);
    expect(lines('6.12')).toEqual(['a = 3', 'c = 1']);
  });

  it('that only looks is printed, also where nothing was done before it', async () => {
    const { session } = newSession();
    const { steps: _, ...rest } = JSON_OF({ setup: [], run: ['pfn_valid(1)', 'max_pfn', { pause: 'here' }] }) as {
      steps: unknown;
    };
    const looking = load(rest);
    await session.runScene(looking, URI, ['6.12']);
    const printed = session.exampleSteps().map(({ line, output }) => `${line}\n${output}`);
    expect(printed.join('\n')).toMatch(/^pfn_valid\(1\)\n1\n> max_pfn\n\d+/);
  });
});

describe('between the steps of a migration', () => {
  const scene = (): Scene => {
    const found = allScenes().find(({ id }) => id === 'hmm-steps');
    if (!found) throw new Error('no scene');
    return found;
  };
  const at = async (step: number): Promise<Session> => {
    const { session } = newSession({ release: '6.12' });
    const state = await runToStep(session, scene(), URI, ['6.12'], step - 1);
    expect(stepAt(scene(), state)).toBe(step - 1);
    return session;
  };
  const to = (session: Session, step: number) => runToStep(session, scene(), URI, ['6.12'], step - 1);

  it('munmap waits for the lock that step 1 took, and step 7 lets it in', async () => {
    const session = await at(1);
    const { blockedOn } = await session.runLine('proc munmap p a 1');
    expect(blockedOn?.what).toMatch(/mmap_lock of app .* for writing/);
    expect(blockedOn?.holders).toEqual(['A migration in seven steps']);
    await to(session, 7);
    expect((await session.runLine('proc read p a 1')).output).toMatch(/SIGSEGV/);
  });

  it('a read of a page under way waits at its migration entry, and brings the page home when the steps are over', async () => {
    const session = await at(3);
    const { blockedOn } = await session.runLine('proc read p a 1');
    expect(blockedOn?.what).toMatch(/page/);
    await to(session, 7);
    // It has read by now: the page is home, its neighbour is on the device.
    expect(await value(session, 'page_count(pfn_to_page(res->start >> PAGE_SHIFT));')).toBe('0');
    expect(await value(session, 'page_count(pfn_to_page((res->start >> PAGE_SHIFT) + 1));')).toBe('1');
    expect((await session.runLine('proc read p a 2')).output).toMatch(/2 page\(s\): 7$/);
  });

  it('a hole that is touched before step 4 loses its place to the page that was faulted in', async () => {
    const session = await at(3);
    await session.runLine('proc write p a+0x2000 1 5');
    await to(session, 4);
    expect(await value(session, 'src[2] & MIGRATE_PFN_MIGRATE;')).toBe('0');
    expect(await value(session, '(src[3] & MIGRATE_PFN_MIGRATE) != 0;')).toBe('1');
    await to(session, 5);
    expect(await value(session, 'device_table[2];')).toBe('0');
    await to(session, 7);
    expect((await session.runLine('proc read p a+0x2000 1')).output).toMatch(/1 page\(s\): 5$/);
  });

  it('a change between asking and using makes the mirror ask again', async () => {
    const mirror = allScenes().find(({ id }) => id === 'hmm-mirror-steps');
    if (!mirror) throw new Error('no scene');
    const { session } = newSession({ release: '6.12' });
    await runToStep(session, mirror, URI, ['6.12'], 2);
    expect(await value(session, 'mmu_interval_read_retry(&interval_sub, range.notifier_seq);')).toBe('false');
    await session.runLine('proc munmap p a+0x2000 1');
    expect(await value(session, 'mmu_interval_read_retry(&interval_sub, range.notifier_seq);')).toBe('true');
    expect(
      await value(session, 'mmap_read_lock(mm); again = hmm_range_fault(&range); mmap_read_unlock(mm); again;'),
    ).toBe('-16');
  });
});
