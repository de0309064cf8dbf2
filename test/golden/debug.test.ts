/** What a debugger's user interface sees of an example, as transcripts. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { examplesOf } from '../../extension/docs/examples.ts';
import { parseRst } from '../../extension/docs/rst.ts';
import type { Release } from '../../sim/index.ts';
import { Client, expectTranscript } from '../support/debugClient.ts';
import { openFile } from '../support/debugFiles.ts';
import { allScenes, DEVICE_MEMORY, newSession } from '../support/sessions.ts';

const PATH = '/hmm.rst';
const URI = 'file:///hmm.rst';

/** The example of a document around a line, launched as the editor does. */
function open(source: string, line: number, variant = 'as-written', releases: readonly Release[] = ['6.12']): Client {
  const { session } = newSession();
  const document = parseRst(source);
  return new Client({
    session,
    texts: { [URI]: source },
    resolve: () => {
      const before = source
        .split('\n')
        .slice(0, line - 1)
        .join('\n');
      const found = examplesOf(document, source, 'hmm', releases, allScenes()).find(
        ({ block }) => block.start <= before.length + 1 && before.length + 1 <= block.end,
      );
      if (!found) throw new Error('there is no example here');
      const { scene, text, toSource } = found;
      return { kind: 'block', request: { scene, variant, text, toDocument: toSource, uri: URI, releases } };
    },
  });
}

const DRIVER = '/driver.c';

const lineOf = (text: string, words: string): number => text.slice(0, text.indexOf(words)).split('\n').length;

describe('an example of a document, debugged', () => {
  it('stops at a breakpoint, steps into the kernel and out of it, and back', async () => {
    const client = open(DEVICE_MEMORY, 10, 'owner-set');
    await client.start(
      { program: PATH },
      { path: PATH, lines: [{ line: lineOf(DEVICE_MEMORY, 'memremap_pages(') }, { line: 1 }] },
    );
    await client.show('Locals');
    await client.show('Locals', 'pagemap');
    await client.go('stepIn');
    await client.show('Arguments');
    await client.go('stepIn');
    await client.go('stepOut');
    await client.go('next');
    await client.show('Machine', 'Node 0', 'Device');
    await client.go('stepBack');
    await client.show('Machine', 'Node 0');
    await client.go('stepBack');
    await client.go('next');
    await client.go('reverseContinue');
    await client.go('reverseContinue');
    await client.go('continue');
    await client.go('continue');
    await client.go('continue');
    expectTranscript('launch-break-step-in-out-back', client);
  });

  it('stops at what it cannot go on from, where one can step back; and where an error is returned or the kernel warns', async () => {
    const client = open(DEVICE_MEMORY, 10);
    await client.start({ program: PATH });
    await client.tell('exceptionInfo', { threadId: 1 });
    await client.go('stepBack');
    await client.tell('setExceptionBreakpoints', { filters: ['warn', 'stop'] });
    await client.go('restart');
    await client.go('continue');
    await client.tell('setExceptionBreakpoints', {
      filters: [],
      filterOptions: [{ filterId: 'errno', condition: 'EBUSY einval' }],
    });
    await client.go('restart');
    await client.tell('setExceptionBreakpoints', {
      filters: [],
      filterOptions: [{ filterId: 'errno', condition: 'EBUSY' }],
    });
    await client.go('restart');
    expectTranscript('exception-filters', client);
  });

  it('stops in functions of the kernel, those that others of the kernel call included', async () => {
    const client = open(DEVICE_MEMORY, 10, 'owner-set');
    await client.start(
      { program: PATH },
      { functions: ['memremap_pages', 'pagemap_range', 'request_free_mem_region'] },
    );
    await client.go('continue');
    await client.go('continue');
    await client.show('Contract');
    await client.go('restartFrame', { frameId: 3 });
    await client.go('stepOut');
    expectTranscript('function-breakpoints', client);
  });

  it('watches a zone, a page and a variable, and tells what they changed from and to', async () => {
    const client = open(DEVICE_MEMORY, 10, 'owner-set');
    await client.start({ program: PATH, stopOnEntry: true });
    await client.tell('dataBreakpointInfo', { name: 'zone:0:Device:spanned' });
    await client.tell('dataBreakpointInfo', {
      name: 'spanned',
      variablesReference: await client.reference('Machine', 'Node 0', 'DMA'),
    });
    await client.tell('dataBreakpointInfo', { name: 'pagemap.nr_range' });
    await client.tell('dataBreakpointInfo', { name: 'nothing' });
    await client.tell('setDataBreakpoints', {
      breakpoints: [
        { dataId: 'zone:0:Device:spanned', accessType: 'write' },
        { dataId: 'page:0x1000:refcount', accessType: 'write' },
        { dataId: 'var:[0,"block","pagemap.nr_range"]', accessType: 'write' },
        { dataId: 'nonsense' },
      ],
    });
    await client.go('continue');
    await client.go('continue');
    await client.go('continue');
    expectTranscript('data-breakpoints', client);
  });
});

const LOOPS = `static int total;

static int add(int by)
{
	total += by;
	return total;
}

int fine(int limit)
{
	int i;
	for (i = 0; i < limit; i++)
		add(i);
	return total;
}

int endless(void)
{
	int tries = 0;
again:
	tries++;
	goto again;
}

int refused(int error)
{
	return -error;
}
`;

describe('a C file, debugged', () => {
  it('has its functions called with arguments, its frames and its file-level variables', async () => {
    const client = openFile(LOOPS);
    await client.start(
      { program: DRIVER, function: 'fine', args: ['3'] },
      { path: DRIVER, lines: [{ line: 5 }], functions: ['add'] },
    );
    await client.show('Locals');
    await client.show('File');
    await client.go('continue');
    await client.go('stepOut');
    await client.show('Return Value');
    await client.tell('setFunctionBreakpoints', { breakpoints: [{ name: 'no_such_function' }, { name: '1+1' }] });
    await client.tell('setBreakpoints', { source: { path: DRIVER }, breakpoints: [] });
    await client.go('continue');
    expectTranscript('c-file', client);
  });

  it('stops on a condition, at a count of hits, and says instead of stopping', async () => {
    const client = openFile(LOOPS);
    await client.start(
      { program: DRIVER, function: 'fine', args: { limit: '10' } },
      {
        path: DRIVER,
        lines: [
          { line: 5, condition: 'by == 3' },
          { line: 6, hitCondition: '>= 7' },
          { line: 13, logMessage: 'i is {i}, and {nothing} is not' },
          { line: 13, hitCondition: 'often' },
        ],
      },
    );
    await client.tell('setBreakpoints', { source: { path: DRIVER }, breakpoints: [{ line: 5, condition: 'by ==' }] });
    await client.go('continue');
    await client.tell('setBreakpoints', { source: { path: DRIVER }, breakpoints: [{ line: 6, hitCondition: '% 3' }] });
    await client.go('continue');
    await client.go('continue');
    await client.tell('setBreakpoints', { source: { path: DRIVER }, breakpoints: [{ line: 6, condition: 'by == 4' }] });
    await client.go('reverseContinue');
    expectTranscript('conditions', client);
  });

  it('goes on with a variable that was given another value, which going back takes back', async () => {
    const client = openFile(LOOPS);
    await client.start({ program: DRIVER, function: 'fine', args: ['3'] }, { path: DRIVER, lines: [{ line: 5 }] });
    await client.tell('setVariable', { variablesReference: await client.scope('Locals'), name: 'by', value: '40 + 2' });
    await client.tell('setVariable', { variablesReference: await client.scope('Locals'), name: 'by', value: '}' });
    await client.tell('setExpression', { expression: 'total', value: '100' });
    await client.tell('setExpression', { expression: '1', value: '2' });
    await client.go('next');
    await client.evaluate('total');
    await client.evaluate('total = total + 1', 'repl');
    await client.evaluate('total', 'hover');
    await client.go('stepBack');
    await client.evaluate('total');
    await client.evaluate('by');
    await client.go('stepBack');
    await client.evaluate('total');
    await client.tell('completions', { text: 'to', column: 3 });
    await client.tell('restartFrame', { frameId: 99 });
    await client.go('restartFrame', { frameId: 2 });
    await client.evaluate('i');
    expectTranscript('set-variable', client);
  });

  it('goes around endlessly until it is paused, and ends at once', async () => {
    const client = openFile(LOOPS);
    await client.start({ program: DRIVER, function: 'endless', stopOnEntry: true });
    const { success } = await client.ask('continue');
    expect(success).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect((await client.ask('stackTrace')).message).toBe('The program runs.');
    const asked = performance.now();
    await client.ask('pause');
    await client.untilStands();
    expect(performance.now() - asked).toBeLessThan(500);
    // A breakpoint that is set while it runs is one.
    await client.ask('continue');
    await client.ask('setBreakpoints', {
      source: { path: DRIVER },
      breakpoints: [{ line: 22, condition: 'tries % 1000 == 0' }],
    });
    await client.untilStands();
    await client.ask('setBreakpoints', { source: { path: DRIVER }, breakpoints: [] });
    await client.ask('continue');
    const begun = performance.now();
    await client.ask('terminate');
    expect(performance.now() - begun).toBeLessThan(100);
    await client.untilStands();
    expect(client.session.example?.status).toBe('stopped');
    // The next one can run.
    expect((await client.session.runLine('1 + 1')).output).toBe('2');
    expect(client.log.filter((line) => !line.includes('driver.c'))).toEqual([
      '> configurationDone',
      '  stopped: step, Step',
      '  stopped: pause, Paused: by the reader',
      '  stopped: breakpoint, Breakpoint [1]',
      '  terminated',
    ]);
  });

  it('begins anew with the text as it is now when it is restarted', async () => {
    const client = openFile(LOOPS);
    await client.start({ program: DRIVER, function: 'fine', args: ['2'] }, { path: DRIVER, lines: [{ line: 14 }] });
    await client.evaluate('total');
    await client.go('restart');
    await client.evaluate('total');
    await client.go('restart', { arguments: { program: DRIVER, function: 'refused', args: ['5'] } });
    expectTranscript('restart', client);
  });
});

describe('while it is paused', () => {
  it('the lens, the timeline and the shell move it, and the debugger shows where it stands', async () => {
    const client = open(DEVICE_MEMORY, 10, 'owner-set');
    const { session } = client;
    await client.start(
      { program: PATH, stopOnEntry: true },
      { path: PATH, lines: [{ line: lineOf(DEVICE_MEMORY, 'memremap_pages(') }] },
    );
    void session.continueExample();
    await client.untilStands();
    session.stepBack();
    await client.untilStands();
    await client.evaluate('pagemap.nr_range');
    await client.evaluate('cat /proc/iomem | grep -c nothing', 'repl');
    await client.evaluate('proc new app', 'repl');
    await client.go('next');
    session.reset();
    await client.untilStands();
    expectTranscript('others-move-it', client);
  });
});

const ROOT = process.env.ZONESCOPE_DOCS ?? '';
const HMM = join(ROOT, '6.12/Documentation/mm/hmm.rst');
const WHY = `there is no ${HMM}: set ZONESCOPE_DOCS`;
describe('the 6.12 text', () => {
  it('loses its range while it is paused, sees -EBUSY, and goes around again', async (context) => {
    if (ROOT === '' || !existsSync(HMM)) return context.skip(WHY);
    const source = readFileSync(HMM, 'utf8');
    const client = open(source, lineOf(source, 'driver_populate_range('));
    await client.start({ program: PATH }, { path: PATH, lines: [{ line: lineOf(source, 'mmap_read_lock(mm)') }] });
    await client.evaluate('proc munmap p a 1', 'repl');
    for (let steps = 0; steps < 6; steps++) await client.go('next');
    await client.evaluate('ret');
    await client.go('next');
    await client.go('continue');
    expectTranscript('driver-populate-range-unmapped', client);
  });

  it('holds the lock that an unmap waits for, which comes as soon as it is given up', async (context) => {
    if (ROOT === '' || !existsSync(HMM)) return context.skip(WHY);
    const source = readFileSync(HMM, 'utf8');
    const client = open(source, lineOf(source, 'driver_populate_range('));
    const line = lineOf(source, 'ret = hmm_range_fault(&range)');
    await client.start({ program: PATH }, { path: PATH, lines: [{ line }] });
    await client.show('Locals');
    await client.show('Locals', 'range', 'hmm_pfns');
    await client.evaluate('proc madvise p a 4 dontneed', 'repl');
    await client.evaluate('proc munmap p a 1', 'repl');
    await client.go('next');
    await client.show('Shell');
    await client.show('Shell', 'pfns');
    for (let steps = 0; steps < 5; steps++) await client.go('next');
    await client.go('stepBack');
    await client.go('continue');
    await client.go('next');
    await client.evaluate('ret');
    expectTranscript('driver-populate-range-waited-for', client);
  });
});
