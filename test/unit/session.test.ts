import { describe, expect, it } from 'vitest';
import { loadScenes } from '../../extension/docs/scenes.ts';
import { MOST_LISTED, timelineEntries } from '../../extension/views/timelineEntries.ts';
import { allScenes, DEVICE_MEMORY, exampleRequest, newSession, scenesJson } from '../support/sessions.ts';

const device = (session: ReturnType<typeof newSession>['session']): string => session.live('zone:ZONE_DEVICE') ?? '';
const EMPTY = 'ZONE_DEVICE on node 0: spanned 0, present 0, managed 0';
const MAPPED = 'ZONE_DEVICE on node 0: spanned 65536, present 0, managed 0';

describe('the device memory example', () => {
  it('as written ends as the kernel ends it: Missing owner, -EINVAL, and no further', async () => {
    const { session } = newSession();
    const state = await session.runExample(exampleRequest(DEVICE_MEMORY, 'as-written'));
    expect(state.status).toBe('failed');
    expect(state.why).toMatch(
      /Missing owner.*memremap_pages\(\) returned -EINVAL.*memunmap_pages: this pagemap is not mapped/,
    );
    expect(DEVICE_MEMORY.slice(state.span?.start, state.span?.end)).toBe('memunmap_pages(&pagemap);');
    expect(device(session)).toBe(EMPTY);
  });

  it('with the owner set pauses at the blank line with the memory mapped, and Continue takes it down', async () => {
    const { session } = newSession();
    const state = await session.runExample(exampleRequest(DEVICE_MEMORY, 'owner-set'));
    expect(state.status).toBe('paused');
    expect(DEVICE_MEMORY.slice(state.span?.start, state.span?.end)).toBe('memunmap_pages(&pagemap);');
    expect(device(session)).toBe(MAPPED);
    expect(session.position.paused?.canContinue).toBe(true);
    const end = await session.continueExample();
    expect(end?.status).toBe('done');
    // The span of the zone never shrinks; the sections are gone.
    expect(device(session)).toBe(MAPPED);
    expect(session.zones().sections.every((run) => run.early)).toBe(true);
  });

  it('takes the size the reader gives for the hole', async () => {
    const { session } = newSession();
    await session.runExample(
      exampleRequest(DEVICE_MEMORY, 'owner-set', ['6.12'], { holes: { 'number of bytes': '1UL << 30' } }),
    );
    expect(device(session)).toBe('ZONE_DEVICE on node 0: spanned 262144, present 0, managed 0');
  });

  it('runs in the newest release of its text when the one in force is not among them, and goes back', async () => {
    const { session } = newSession();
    await session.runExample(exampleRequest(DEVICE_MEMORY, 'owner-set', ['6.17', '6.18']));
    expect(session.release).toBe('6.18');
    expect(session.setAside).toEqual({ machine: 'qemu-2g', release: '6.12' });
    session.goBack();
    expect(session.release).toBe('6.12');
    expect(device(session)).toBe(EMPTY);
  });

  it('in 6.19 and later uses the callback those releases have', async () => {
    const { session } = newSession({ release: '7.3' });
    expect((await session.runExample(exampleRequest(DEVICE_MEMORY, 'owner-set', ['7.3']))).status).toBe('paused');
  });

  it('while it is paused the shell works on the same machine', async () => {
    const { session } = newSession();
    await session.runExample(exampleRequest(DEVICE_MEMORY, 'owner-set'));
    const line = await session.runLine('pfn_valid(0xfcf0000)');
    expect(line).toMatchObject({ status: 0, value: '1', steps: 0 });
    await session.runLine('held = get_dev_pagemap(0xfcf0000, NULL)');
    const waiting = await session.continueExample();
    expect(waiting?.status).toBe('waiting');
    expect(waiting?.why).toMatch(/1 reference\(s\) of get_dev_pagemap/);
    await session.runLine('put_dev_pagemap(held)');
    await session.runLine('');
    expect(session.example?.status).toBe('done');
  });

  it('can be stopped where it stands, and what it did stays', async () => {
    const { session } = newSession();
    await session.runExample(exampleRequest(DEVICE_MEMORY, 'owner-set'));
    session.stopExample();
    expect(session.example?.status).toBe('stopped');
    expect(device(session)).toBe(MAPPED);
    expect((await session.continueExample())?.status).toBe('stopped');
  });
});

describe('stepping back and forward', () => {
  it('shows the machine as it was after each statement, and Continue runs it again from there', async () => {
    const { session } = newSession();
    await session.runExample(exampleRequest(DEVICE_MEMORY, 'owner-set'));
    await session.continueExample();
    const end = session.position.step;
    while (device(session) !== EMPTY) session.stepBack();
    expect(session.position.steps).toBe(end);
    session.stepForward();
    expect(device(session)).toBe(MAPPED);
    session.stepBack();
    expect(session.position.paused?.canContinue).toBe(true);
    const state = await session.continueExample();
    expect(state?.status).toBe('paused');
    expect(device(session)).toBe(MAPPED);
    expect((await session.continueExample())?.status).toBe('done');
    expect(session.position.step).toBe(end);
  });

  it('the revision only rises', async () => {
    const { session } = newSession();
    let last = session.position.revision;
    const rises = (): void => {
      expect(session.position.revision).toBeGreaterThan(last);
      last = session.position.revision;
    };
    await session.runLine('a = 1');
    rises();
    session.stepBack();
    rises();
    session.reset();
    rises();
    session.chooseRelease('6.1');
    rises();
    session.chooseMachine({ preset: 'laptop-16g' });
    rises();
  });
});

describe('a session that was kept', () => {
  it('comes back with its machine, its timeline and its paused example', async () => {
    const first = newSession();
    await first.session.runLine('a = 4096');
    await first.session.runExample(exampleRequest(DEVICE_MEMORY, 'owner-set'));
    await new Promise((resolve) => setImmediate(resolve));
    const again = newSession({ storage: { get: (key) => first.kept.get(key), set: () => undefined } });
    expect(again.session.timeline().map((step) => step.label)).toEqual(
      first.session.timeline().map((step) => step.label),
    );
    expect(again.session.position.step).toBe(first.session.position.step);
    expect(device(again.session)).toBe(MAPPED);
    expect(again.session.example).toEqual(first.session.example);
    expect(again.session.position.paused).toEqual(first.session.position.paused);
    expect((await again.session.runLine('a')).value).toBe('4096');
    const [end, endThere] = [await again.session.continueExample(), await first.session.continueExample()];
    expect(end).toEqual(endThere);
    expect(end?.status).toBe('done');
    expect(device(again.session)).toBe(device(first.session));
  });

  it('keeps little of a loop that does not end, and comes back to where it stood', async () => {
    const first = newSession();
    const text = 'int count(void)\n{\n\tint i;\n\tfor (i = 0; i < 20000; i++)\n\t\t;\n\treturn i;\n}';
    await first.session.runLine('a = 4096');
    await first.session.runFile({ uri: 'file:///a.c', file: { label: 'count()', text, entry: 'count' } });
    await first.session.runLine('b = a');
    await new Promise((resolve) => setImmediate(resolve));
    expect(first.session.position.steps).toBeGreaterThan(20000);
    const kept = [...first.kept.values()].join('');
    expect(kept.length).toBeLessThan(200_000);
    const again = newSession({ storage: { get: (key) => first.kept.get(key), set: () => undefined } });
    const labels = again.session.timeline().map(({ label }) => label);
    expect(labels.at(-1)).toBe('b = a');
    expect(labels.filter((label) => /^… \d+ statements$/.test(label))).toHaveLength(1);
    expect(again.session.position.step).toBe(labels.length);
    expect((await again.session.runLine('b')).value).toBe('4096');
    const listed = timelineEntries(first.session);
    expect(listed.length).toBeLessThan(MOST_LISTED + 4);
    expect(listed[1]).toMatchObject({ isGap: true, label: expect.stringMatching(/^… \d+ earlier steps$/) });
    expect(listed.at(-1)).toMatchObject({ label: 'b = a', current: true });
    first.session.travel(10000);
    expect(timelineEntries(first.session).find(({ current }) => current)?.step).toBe(10000);
    expect(timelineEntries(first.session).at(-1)).toMatchObject({ isGap: true, step: first.session.position.steps });
    await first.session.runLine('a');
    await new Promise((resolve) => setImmediate(resolve));
    const midway = newSession({ storage: { get: (key) => first.kept.get(key), set: () => undefined } });
    expect(midway.session.timeline()[midway.session.position.step - 1]?.label).toBe(
      first.session.timeline()[first.session.position.step - 1]?.label,
    );
  });

  it('tells those who look on of a program that runs and runs some times a second, not at every slice', async () => {
    let now = 0;
    const { session } = newSession({ clock: { now: () => (now += 1), breathe: async () => undefined } });
    let told = 0;
    session.onDidChange(() => told++);
    await session.runFile({
      uri: 'file:///a.c',
      file: { label: 'spin()', text: 'void spin(void) { int i; for (i = 0; i < 10000; i++) ; }', entry: 'spin' },
    });
    expect(now).toBeGreaterThan(10_000);
    expect(told).toBeLessThan(now / 50);
  });

  it('shows the failed statement again where it stands in the document', async () => {
    const first = newSession();
    await first.session.runExample(exampleRequest(DEVICE_MEMORY, 'as-written'));
    await new Promise((resolve) => setImmediate(resolve));
    const again = newSession({ storage: { get: (key) => first.kept.get(key), set: () => undefined } });
    const span = again.session.example?.span;
    expect(DEVICE_MEMORY.slice(span?.start, span?.end)).toBe('memunmap_pages(&pagemap);');
  });

  it('keeps its steps when the kept example is not one', async () => {
    const first = newSession();
    await first.session.runExample(exampleRequest(DEVICE_MEMORY, 'owner-set'));
    await new Promise((resolve) => setImmediate(resolve));
    const storage = (get: (text: string) => string) => ({
      get: (key: string) => get(first.kept.get(key) ?? ''),
      set: () => undefined,
    });
    const again = newSession({ storage: storage((text) => text.replace('"variant":"owner-set"', '"variant":7')) });
    expect(again.session.example).toBeUndefined();
    expect(again.session.position.step).toBe(first.session.position.step);
  });

  it.each([
    '',
    'nonsense',
    '{}',
    '{"version":1}',
    JSON.stringify({ version: 1, machine: { preset: 'gone' }, release: '6.12', programs: [], steps: [], position: 0 }),
  ])('but not from %j', (text) => {
    const { session } = newSession({ storage: { get: () => text, set: () => undefined } });
    expect(session.position.steps).toBe(0);
    expect(session.machineName).toBe('qemu-2g');
  });
});

describe('choosing a machine', () => {
  it('names what there is when the name is unknown, and changes nothing', () => {
    const { session } = newSession();
    expect(session.chooseMachine({ preset: 'cray' }).problems[0]).toMatch(/no such machine; there are laptop-16g/);
    expect(session.machineName).toBe('qemu-2g');
  });

  it.each([
    ['no JSON', '{', /is not JSON/],
    [
      'overlapping ranges',
      JSON.stringify({
        name: 'x',
        physBits: 40,
        e820: [
          { start: '0x0', end: '0x7fffffff', type: 'usable' },
          { start: '0x40000000', end: '0x8fffffff', type: 'usable' },
        ],
      }),
      /overlap/,
    ],
    [
      'a range beyond the physical limit',
      JSON.stringify({ name: 'x', physBits: 36, e820: [{ start: '0x0', end: '0xfffffffff0', type: 'usable' }] }),
      /beyond the 36-bit physical limit/,
    ],
    [
      'a range that ends before it starts',
      JSON.stringify({ name: 'x', physBits: 40, e820: [{ start: '0x80000000', end: '0x1000', type: 'usable' }] }),
      /before its start/,
    ],
    [
      'a type that e820 has not',
      JSON.stringify({ name: 'x', physBits: 40, e820: [{ start: 0, end: 1, type: 'ram' }] }),
      /\/e820\/0\/type/,
    ],
    [
      'nothing to boot on',
      JSON.stringify({ name: 'x', physBits: 40, e820: [{ start: 0, end: '0xfffff', type: 'usable' }] }),
      /no usable range of 16 MiB/,
    ],
    [
      'a key it does not know',
      JSON.stringify({ name: 'x', physBits: 40, ram: 4, e820: [{ start: 0, end: '0x7fffffff', type: 'usable' }] }),
      /ram/,
    ],
  ])('a machine file with %s says where and what', (_what, json, problem) => {
    const { session } = newSession();
    const { problems } = session.chooseMachine({ json, name: 'my.json' });
    expect(problems.join('\n')).toMatch(problem);
    expect(session.machineName).toBe('qemu-2g');
  });
});

describe('lines that cannot be run', () => {
  it.each([
    ['nothing(1)', /nothing/],
    ['cat /etc/passwd', /no such file/],
    ['m = ', /./],
    ['"', /./],
    ['pfn_to_page(1', /./],
    ['1 / 0', /ivision by zero/],
    ['*(int *)0', /./],
    ['while (1) ;', /statements/],
    ['cat "', /unfinished double quote/],
  ])('%s: a status and a message, and the session goes on', async (line, message) => {
    const { session } = newSession();
    const result = await session.runLine(line);
    expect(result.status).toBeLessThan(0);
    expect(result.output).toMatch(message);
    expect((await session.runLine('1 + 1')).output).toBe('2');
  });
});

describe('scenes', () => {
  it('all that ship are valid', () => {
    expect(loadScenes(scenesJson()).problems).toEqual([]);
    expect(allScenes().length).toBeGreaterThanOrEqual(2);
  });
  it.each([
    [{}],
    [{ id: 'x' }],
    [null],
    [42],
    [{ ...(scenesJson()[0] as object), release: '9.9' }],
    [{ ...(scenesJson()[0] as object), nonsense: 1 }],
  ])('%j is left out, and named', (scene) => {
    const { scenes, problems } = loadScenes([scene]);
    expect(scenes).toEqual([]);
    expect(problems).toHaveLength(1);
  });
});
