import { describe, expect, it } from 'vitest';
import { completed } from '../../extension/debug/launch.ts';
import type { Response } from '../../extension/debug/protocol.ts';
import { restored } from '../support/debugClient.ts';
import { openFile } from '../support/debugFiles.ts';
import { newSession } from '../support/sessions.ts';

const DRIVER = '/driver.c';
const FILE = `static int total;

int once(int by)
{
	struct page *page = pfn_to_page(0x1000);
	get_page(page);
	total += by;
	put_page(page);
	return total;
}

int maps(unsigned long address)
{
	struct range range = { .start = 0x1122334455667788, .end = 7 };
	unsigned long words[300];
	int i;
	for (i = 0; i < 300; i++)
		words[i] = i;
	void *nothing = ERR_PTR(-ENOMEM);
	return range.end;
}
`;

describe('a debug session', () => {
  it('answers every request once, whatever it holds and whenever it comes', async () => {
    const commands = [
      'initialize',
      'launch',
      'attach',
      'configurationDone',
      'setBreakpoints',
      'setFunctionBreakpoints',
      'setDataBreakpoints',
      'dataBreakpointInfo',
      'setExceptionBreakpoints',
      'breakpointLocations',
      'threads',
      'stackTrace',
      'scopes',
      'variables',
      'source',
      'evaluate',
      'completions',
      'setVariable',
      'setExpression',
      'readMemory',
      'exceptionInfo',
      'continue',
      'next',
      'stepIn',
      'stepOut',
      'stepBack',
      'reverseContinue',
      'restartFrame',
      'pause',
      'restart',
      'goto',
      '__proto__',
      'toString',
      '',
    ];
    const values: unknown[] = [
      undefined,
      null,
      true,
      -1,
      0,
      1,
      2,
      3,
      1e99,
      Number.NaN,
      '',
      'by',
      'total',
      'total = 1',
      '((((',
      '}',
      'x'.repeat(5000),
      '%',
      '0x1000',
      DRIVER,
      'once',
      'Locals',
      'var:[',
      'page:x:y',
      [],
      [[]],
      [null, 1, { line: 7 }, { name: 'once' }],
      {},
      { path: DRIVER },
      { path: 7 },
      [{ dataId: 'page:0x1000:refcount' }],
      [{ line: 1e9 }],
      [{ filterId: 'errno', condition: 7 }],
    ];
    const names = [
      'program',
      'function',
      'args',
      'holes',
      'line',
      'source',
      'breakpoints',
      'filters',
      'filterOptions',
      'threadId',
      'frameId',
      'variablesReference',
      'name',
      'value',
      'expression',
      'context',
      'text',
      'column',
      'memoryReference',
      'offset',
      'count',
      'startFrame',
      'levels',
      'start',
      'filter',
      'stopOnEntry',
      'arguments',
      'sourceReference',
      'lines',
      'endLine',
    ];
    let seed = 12345;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const one = <T>(list: readonly T[]): T => list[random(list.length)] as T;
    const request = (): [string, unknown] => [
      one(commands),
      random(12) === 0
        ? one(values)
        : Object.fromEntries(Array.from({ length: random(6) }, () => [one(names), one(values)])),
    ];
    for (let launch = 0; launch < 40; launch++) {
      const client = openFile(FILE);
      // Some come before anything was launched.
      for (let count = 0; count < random(4); count++) await client.ask(...request());
      await client.ask('launch', { program: DRIVER, function: one(['once', 'maps']), args: ['1'], stopOnEntry: true });
      await client.ask('configurationDone');
      for (let count = 0; count < 60; count++) {
        const response: Response = await client.ask(...request());
        if (!response.success) expect(response.message).toMatch(/\S/);
      }
      // What is no request is not answered, and does no harm.
      for (const junk of [undefined, null, 7, 'x', [], {}, { type: 'event' }]) await client.core.handle(junk);
      expect((await client.ask('threads')).success).toBe(true);
      expect((await client.ask('disconnect')).success).toBe(true);
      expect(client.answers()).toBe(client.asked());
      expect((await client.session.runLine('1 + 1')).output).toBe('2');
    }
  });

  it('shows no value of a call any more once it was taken back', async () => {
    const client = openFile(FILE);
    await client.ask('launch', { program: DRIVER, function: 'once', args: ['1'], stopOnEntry: true });
    await client.ask('configurationDone');
    const scopes = async () => {
      const { scopes } = await client.body<{ scopes: { name: string }[] }>('scopes', {
        frameId: (await client.frames())[0]?.id,
      });
      return scopes.map(({ name }) => name);
    };
    await client.go('stepOut');
    expect(await scopes()).toContain('Return Value');
    await client.go('stepBack');
    expect(await scopes()).not.toContain('Return Value');
  });

  it('that names no program is of what stands at the cursor; where there is none, of what ran last', () => {
    const cursor = { program: DRIVER, line: 7 };
    const last = { type: 'zonescope', name: 'once()', program: '/hmm.rst', scene: 'a-scene' };
    const kept = { ...last, __sessionId: '1', noDebug: true };
    expect(completed({ program: '/other.c' }, cursor, last)).toEqual({ program: '/other.c' });
    expect(completed({}, cursor, last)).toEqual(cursor);
    expect(completed({ function: 'once' }, cursor, last)).toEqual({ function: 'once', program: DRIVER });
    expect(completed({ stopOnEntry: true }, undefined, kept)).toEqual({ ...last, stopOnEntry: true });
    expect(completed({}, undefined, undefined)).toEqual({});
  });

  it('says what is missing where a launch cannot be meant', async () => {
    const messages: string[] = [];
    for (const args of [
      {},
      { program: 7 },
      { program: DRIVER, release: '9.9' },
      { program: DRIVER, line: 0 },
      { program: DRIVER, args: [7] },
      { program: DRIVER, holes: { a: 1 } },
    ])
      messages.push((await openFile(FILE).ask('launch', args)).message ?? '');
    expect(messages).toEqual([
      '"program" is missing: the document or C file that is to run.',
      '"program" is missing: the document or C file that is to run.',
      '"release" is "9.9", which is no release Zonescope knows: 4.3 to 7.3.',
      '"line" is a line number, counted from 1.',
      '"args" is a list of C expressions, each a text.',
      '"holes.a" is a C expression, as a text.',
    ]);
  });

  it('watches the reference counter of a page', async () => {
    const client = openFile(FILE);
    await client.start({ program: DRIVER, function: 'once', args: ['1'], stopOnEntry: true });
    await client.ask('setDataBreakpoints', { breakpoints: [{ dataId: 'page:0x1000:refcount', accessType: 'write' }] });
    await client.go('continue');
    expect(client.log.at(-2)).toMatch(/data breakpoint, A value changed: refcount of page 0x1000: \d+ → \d+ \[1\]/);
    expect(client.log.at(-1)).toContain(':7:');
  });

  it('stops behind a function of the kernel that runs in one go', async () => {
    const client = openFile(FILE);
    await client.start({ program: DRIVER, function: 'once', args: ['1'] }, { functions: ['get_page'] });
    expect(client.log.at(-2)).toBe('  stopped: function breakpoint, get_page() was called [1]');
    expect(client.log.at(-1)).toContain(':7:');
  });

  it('shows arrays in pages, and an error pointer by its name', async () => {
    const client = openFile(FILE);
    await client.start({ program: DRIVER, function: 'maps', args: ['0'] }, { path: DRIVER, lines: [{ line: 20 }] });
    const locals = await client.at('Locals');
    const words = locals.find(({ name }) => name === 'words');
    expect(words).toMatchObject({ value: 'unsigned long [300]', indexedVariables: 300 });
    const some = await client.variables(words?.variablesReference ?? 0, { start: 250, count: 2, filter: 'indexed' });
    expect(some.map(({ name, value }) => [name, value])).toEqual([
      ['[250]', '250'],
      ['[251]', '251'],
    ]);
    expect(locals.find(({ name }) => name === 'nothing')?.value).toBe('ERR_PTR(-ENOMEM)');
  });

  it('reads structs, struct pages and what a process wrote as bytes, and says where there are none', async () => {
    const client = openFile(FILE);
    await client.session.runLine('p = proc new app');
    await client.session.runLine('a = proc mmap p 2');
    await client.session.runLine('proc write p a 1 0x11223344');
    await client.start({ program: DRIVER, function: 'maps', args: ['a'] }, { path: DRIVER, lines: [{ line: 20 }] });
    const bytes = async (memoryReference: string, count: number, offset = 0): Promise<string> => {
      const read = await client.body<{ data?: string; unreadableBytes?: number }>('readMemory', {
        memoryReference,
        count,
        offset,
      });
      const data = [...atob(read.data ?? '')].map((c) => c.charCodeAt(0).toString(16).padStart(2, '0')).join('');
      return read.unreadableBytes === undefined ? data : `${data} ${read.unreadableBytes} missing`;
    };
    const range = (await client.at('Locals')).find(({ name }) => name === 'range');
    expect(await bytes(range?.memoryReference ?? '', 16)).toBe('88776655443322110700000000000000');
    expect(await bytes(range?.memoryReference ?? '', 16, 8)).toBe('0700000000000000 8 missing');
    const { result = '', memoryReference = '' } = await client.body<Record<string, string>>('evaluate', {
      expression: 'a',
      context: 'watch',
    });
    expect(memoryReference).toBe('');
    expect(await bytes(result, 4)).toBe('44332211');
    expect(await bytes(result, 4, 4096)).toBe(' 4 missing');
    const page = await client.body<Record<string, string>>('evaluate', {
      expression: 'pfn_to_page(0x1000)',
      context: 'watch',
    });
    const flags = await client.body<Record<string, string>>('evaluate', {
      expression: 'pfn_to_page(0x1000)->flags',
      context: 'watch',
    });
    const word = await bytes(page.memoryReference ?? '', 8);
    const value = BigInt(`0x${word.match(/../g)?.reverse().join('')}`);
    expect(flags.result).toContain(value.toString(16));
    expect((await client.ask('readMemory', { memoryReference: 'nowhere', count: 4 })).message).toContain('no address');
    expect((await client.ask('readMemory', { memoryReference: '0x1000', count: 1e9 })).success).toBe(false);
  });

  it('is kept with what was set while it stood: the session made again is the same machine', async () => {
    const { session, kept } = newSession();
    const client = openFile(FILE, session);
    await client.start({ program: DRIVER, function: 'once', args: ['1'] }, { path: DRIVER, lines: [{ line: 7 }] });
    await client.ask('setExpression', { expression: 'by', value: '500' });
    await client.go('next');
    const canonical = session.debuggee?.machine.canonical();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const again = restored(kept);
    expect(again.debuggee?.machine.canonical()).toBe(canonical);
    expect((await again.continueExample())?.status).toBe('done');
    expect(again.debuggee?.program.value).toMatchObject({ value: 500n });
  });

  it('ends where another one takes its machine', async () => {
    const first = openFile(FILE);
    await first.start({ program: DRIVER, function: 'once', args: ['1'], stopOnEntry: true });
    const second = openFile(FILE, first.session);
    await second.start({ program: DRIVER, function: 'once', args: ['1'], stopOnEntry: true });
    await first.untilStands();
    expect(first.log.at(-1)).toBe('  terminated');
    expect((await first.ask('next')).success).toBe(false);
    await second.go('continue');
    expect(second.log).toContain('  console: returned 1');
  });

  it('steps through a scene of shell lines', async () => {
    const client = openFile(FILE);
    const { session } = client;
    const scene = {
      id: 'lines',
      release: '6.12',
      title: 'Lines',
      teaches: 'x',
      variants: [{ id: 'a', title: 'a' }],
      anchor: { document: 'hmm' as const, section: '', words: [] },
      run: ['p = proc new app', { pause: 'look' }, 'a = proc mmap p 2'],
    };
    client.resolve = () => ({ kind: 'lines', scene, uri: 'file:///hmm.rst', releases: undefined });
    await client.start({ program: '/hmm.rst', stopOnEntry: true });
    await client.go('next');
    const [frame] = await client.frames();
    expect(frame?.line).toBe(1);
    const source = await client.body<{ content: string }>('source', {
      sourceReference: frame?.source?.sourceReference,
    });
    expect(source.content).toBe('p = proc new app\na = proc mmap p 2');
    await client.go('next');
    await client.go('continue');
    expect(session.example?.status).toBe('done');
  });
});
