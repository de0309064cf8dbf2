/** Files of C as programs: drivers of three generations, their callbacks called, loaded, used and removed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PteKind, pteKind } from '../../sim/arch/pte.ts';
import {
  type FileSource,
  fileProgram,
  functionsOf,
  type Machine,
  type Program,
  type Release,
} from '../../sim/index.ts';
import { currentProcess } from '../../sim/kernel/current.ts';
import { pteAt } from '../../sim/mm/pgtable.ts';
import { boot, sh } from '../support/machines.ts';

const driver = (name: string): string =>
  readFileSync(join(import.meta.dirname, '../fixtures/drivers', `${name}.c`), 'utf8');

/** A machine whose process has four pages it wrote to. */
function withProcess(release: Release): Machine {
  const machine = boot('laptop-16g', release);
  sh(machine, 'p = proc new app', 'a = proc mmap p 4', 'proc write p a 4 7');
  return machine;
}
interface Run {
  readonly program: Program;
  readonly codes: string[];
  /** Whether it stands at a pause of its own. */
  readonly isPaused: boolean;
}
function start(machine: Machine, source: Omit<FileSource, 'label'>): Run & { goOn(): Run } {
  const { spec, findings } = fileProgram(machine.kernel, { label: 'test', ...source });
  const program = machine.start(spec);
  const goOn = (): Run => {
    let stop = machine.advance(program);
    while (stop === 'step' || stop === 'slice') stop = machine.advance(program);
    return {
      program,
      codes: findings.filter(({ severity }) => severity !== 'information').map(({ code }) => code),
      isPaused: stop === 'pause',
    };
  };
  return { ...goOn(), goOn };
}
const said = (machine: Machine): string[] =>
  machine.kernel.state.log.flatMap(({ text }) => (text.startsWith('gpu: ') ? [text.slice(5).trim()] : []));
function kinds(machine: Machine): PteKind[] {
  const mm = currentProcess(machine.kernel)?.mm;
  const first = mm?.vmas[0]?.start ?? 0;
  return mm ? [0, 1, 2, 3].map((page) => pteKind(pteAt(mm, first + page))) : [];
}

describe('a driver of today, as a file', () => {
  it.each<Release>(['5.14', '6.1', '6.12', '6.18', '7.3'])(
    '%s: is loaded, serves a fault of the CPU, and is removed',
    (release) => {
      const machine = withProcess(release);
      const run = start(machine, { text: driver('interval') });
      expect(run.program.error?.message).toBeUndefined();
      expect(run).toMatchObject({ isPaused: true, codes: [] });
      expect(said(machine).at(-1)).toMatch(/^4 pages moved, [1-9]\d* invalidations$/);
      expect(kinds(machine)).toEqual(Array(4).fill(PteKind.DeviceWrite));
      // The pages hold what the process wrote, and come home one by one.
      expect(sh(machine, 'proc read p a 4').output.at(-1)).toContain('4 page(s): 7');
      expect(kinds(machine)).toEqual(Array(4).fill(PteKind.Present));
      const over = run.goOn();
      expect(over.program.error?.message).toBeUndefined();
      expect(over.program.status).toBe('done');
      expect(said(machine).at(-1)).toMatch(/^4 came home/);
      expect(machine.kernel.state.mutexes).toEqual([]);
    },
  );
  it('waits in its exit until the process lets its pages go', () => {
    const machine = withProcess('6.12');
    const run = start(machine, { text: driver('interval') });
    const over = run.goOn();
    expect(over.program.status).toBe('waiting');
    expect(over.program.waitsFor?.holders().join()).toContain('mapped by app');
    sh(machine, 'proc exit p');
    expect(over.program.status).toBe('done');
  });
  it('is undone to the byte, and runs again to the same state', () => {
    const machine = withProcess('6.12');
    const before = machine.canonical();
    const { position } = machine;
    start(machine, { text: driver('interval') });
    const after = machine.canonical();
    const end = machine.position;
    machine.travel(position);
    expect(machine.canonical()).toBe(before);
    machine.travel(end);
    expect(machine.canonical()).toBe(after);
  });
  it('names what its release does not have, at the place', () => {
    const machine = withProcess('5.4');
    const text = driver('interval');
    const { program, codes } = start(machine, { text });
    expect(program.status).toBe('failed');
    expect(codes).toContain('not-in-release');
  });
});

describe('drivers of earlier interfaces', () => {
  it('5.4: hmm_mirror hears of changes, migrate_vma takes three steps', () => {
    const machine = withProcess('5.4');
    const run = start(machine, { text: driver('mirror') });
    expect(run.program.error?.message).toBeUndefined();
    expect(run).toMatchObject({ isPaused: true, codes: [] });
    expect(said(machine)).toEqual(['4 entries', '4 pages moved, 1 updates']);
    expect(sh(machine, 'proc read p a 4').output.at(-1)).toContain('4 page(s): 7');
    expect(run.goOn().program.status).toBe('done');
    expect(said(machine).at(-1)).toMatch(/^gone after \d+ updates$/);
  });
  it.each<Release>(['4.14', '5.0', '5.2'])('%s: hmm_devmem and migrate_vma with its callbacks', (release) => {
    const machine = withProcess(release);
    const run = start(machine, { text: driver('devmem'), entry: 'gpu_start', args: { addr: 'a' } });
    expect(run.program.error?.message).toBeUndefined();
    expect(run.program.value).toMatchObject({ value: 4n });
    expect(run.codes).toEqual([]);
    expect(kinds(machine)).toEqual(Array(4).fill(PteKind.DeviceWrite));
    expect(sh(machine, 'proc read p a 1').output.at(-1)).toContain('1 page(s): 7');
    expect(kinds(machine)).toEqual([PteKind.Present, ...Array(3).fill(PteKind.DeviceWrite)]);
  });
});

describe('what of a file runs', () => {
  const text =
    'static int twice(int n) { return n * 2; }\nint once(struct mm_struct *mm, int n) { return twice(n) + !mm; }\n';
  it('functions are told with their places, and what the module runs', () => {
    const found = functionsOf(
      `${text}static int in(void) { return 0; }\nstatic void out(void) { }\nmodule_init(in);\nmodule_exit(out);`,
    );
    expect(found.map(({ name, role, isStatic }) => [name, role, isStatic])).toEqual([
      ['twice', undefined, true],
      ['once', undefined, false],
      ['in', 'init', true],
      ['out', 'exit', true],
    ]);
    const [, once] = found;
    expect(text.slice(once?.head.start, once?.head.end)).toBe('int once(struct mm_struct *mm, int n)');
    expect(once?.parameters.map(({ name }) => name)).toEqual(['mm', 'n']);
  });
  it('of parameters it is told which take a number, so that a reader can be asked for it', () => {
    const [found] = functionsOf(
      'int all(unsigned long at, enum memory_type type, gfp_t gfp, u64 *entries, int words[4], struct range range, int (*call)(int n)) { return 0; }',
    );
    expect(found?.parameters.filter(({ isNumber }) => isNumber)).toEqual([
      { name: 'at', type: 'unsigned long', isNumber: true },
      { name: 'type', type: 'enum memory_type', isNumber: true },
      { name: 'gfp', type: 'gfp_t', isNumber: true },
    ]);
  });
  it('the only function that is not static runs, with what the machine has for its parameters', () => {
    const { program } = start(withProcess('6.12'), { text });
    expect(program.value).toMatchObject({ value: 0n });
  });
  it('arguments are C, by name or place, and may use variables of the shell', () => {
    const machine = withProcess('6.12');
    expect(start(machine, { text, entry: 'twice', args: { n: '20 + 1' } }).program.value).toMatchObject({ value: 42n });
    expect(start(machine, { text, entry: 'once', args: { 1: 'NULL', 2: 'p' } }).program.value).toMatchObject({
      value: 201n,
    });
  });
  it('without a function, or with one that is not there, it says so', () => {
    const machine = withProcess('6.12');
    expect(start(machine, { text: '/* nothing */' }).program.error?.message).toBe('There is no function in this text.');
    expect(start(machine, { text, entry: 'thrice' }).program.error?.message).toContain('thrice()');
    expect(
      start(machine, { text: 'int a(void) { return 1; } int b(void) { return 2; }' }).program.error?.message,
    ).toContain('a, b');
  });
  it('a module whose init fails is not removed', () => {
    const machine = withProcess('6.12');
    const failing =
      'static int in(void) { return -ENODEV; }\nstatic void out(void) { BUG(); }\nmodule_init(in); module_exit(out);';
    expect(start(machine, { text: failing }).program).toMatchObject({ status: 'done', value: { value: -19n } });
  });
});
