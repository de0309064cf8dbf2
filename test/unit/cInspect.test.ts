/** Looking into a paused program: frames, variables, expressions where it stands, and other values for them. */
import { describe, expect, it } from 'vitest';
import {
  blockProgram,
  type Evaluation,
  evaluateInFrame,
  frameViews,
  globalsOf,
  type Machine,
  type Program,
  setVariable,
  variablesOf,
} from '../../sim/index.ts';
import { boot, sh } from '../support/machines.ts';

interface Source {
  text: string;
  standIns?: Record<string, string>;
  holes?: Record<string, string>;
}
/** Runs a block to the statement that begins with `before`, in whatever frame. */
function pausedAt(machine: Machine, before: string, { text, standIns = {}, holes = {} }: Source): Program {
  const { spec } = blockProgram(machine.kernel, { label: 'test', text, holes, standIns });
  const program = machine.start(spec);
  const stop = machine.advance(program, {
    stopAfterStep: false,
    shouldPause: (point) => {
      if (point.kind !== 'statement') return false;
      const view = frameViews(machine, program).at(-1);
      return view?.text?.slice(point.span.start).startsWith(before) ?? false;
    },
  });
  expect(stop).toBe('pause');
  return program;
}
const finish = (machine: Machine, program: Program): Program => {
  while (!program.isOver && machine.advance(program) === 'step');
  return program;
};
const shown = (evaluation: Evaluation): string => (evaluation.ok ? evaluation.text : `! ${evaluation.message}`);

const NESTED = {
  text: 'int twice(int of)\n{\n\tstatic int calls;\n\tint out = of * 2;\n\tcalls++;\n\treturn out;\n}\n\nint n = 4, m = 1;\n{\n\tint n = 9;\n\tm = twice(n);\n}\nreturn n + m;',
};

describe('frames', () => {
  it('have names, arguments with the names of their parameters, and the place where they stand', () => {
    const machine = boot();
    const program = pausedAt(machine, 'calls++', NESTED);
    const views = frameViews(machine, program);
    expect(views.map(({ name, kind, source }) => [name, kind, source])).toEqual([
      ['block', 'c', 'text'],
      ['twice', 'c', 'text'],
    ]);
    expect(views[1]?.args).toEqual([{ name: 'of', value: '9' }]);
    expect(views.map(({ span }) => NESTED.text.slice(span?.start, span?.end))).toEqual(['m = twice(n);', 'calls++;']);
  });
  it('of the kernel have no names for arguments where the trace has not all of them', () => {
    const machine = boot();
    sh(machine, 'p = proc new app', 'a = proc mmap p 4');
    const text = `struct mm_struct *mm = current->mm;
unsigned long pfns[1];
struct mmu_interval_notifier sub;
struct hmm_range range;
mmu_interval_notifier_insert(&sub, mm, start, 4096, &ops);
range.notifier = &sub; range.start = start; range.end = start + 4096; range.hmm_pfns = pfns;
range.default_flags = HMM_PFN_REQ_FAULT;
range.notifier_seq = mmu_interval_read_begin(&sub);
mmap_read_lock(mm);
hmm_range_fault(&range);`;
    const standIns = {
      ops: 'static const struct mmu_interval_notifier_ops ops;',
      start: 'static unsigned long start = 0x7ffff7ffb000;',
    };
    const { spec } = blockProgram(machine.kernel, { label: 'test', text, holes: {}, standIns });
    const program = machine.start(spec);
    let names: string[] | undefined;
    machine.advance(program, {
      stopAfterStep: false,
      shouldPause: () => {
        const fault = frameViews(machine, program).find(({ name }) => name === 'handle_mm_fault');
        names = fault?.args.map(({ name }) => name);
        return names !== undefined;
      },
    });
    expect(names).toEqual(['', '']);
  });
  it('of the kernel have the parameters of its prototype; expressions there are those of the caller', () => {
    const machine = boot();
    sh(machine, 'p = proc new app', 'a = proc mmap p 4');
    const text =
      'struct mmu_interval_notifier sub;\nstruct mm_struct *mm = current->mm;\nmmu_interval_notifier_insert(&sub, mm, start, 4096, &ops);\nsh_unmap();';
    const standIns = {
      ops: 'static bool gone(struct mmu_interval_notifier *s, const struct mmu_notifier_range *r, unsigned long seq)\n{\n\tint here = 1;\n\tmmu_interval_set_seq(s, seq);\n\treturn here;\n}\nstatic const struct mmu_interval_notifier_ops ops = { .invalidate = gone };',
      start: 'static unsigned long start = 0x7ffff7ffb000;',
      sh_unmap:
        'static void sh_unmap(void)\n{\n\tstruct mmu_notifier_range range = { .start = start, .end = start + 4096, .mm = current->mm };\n\tmmu_notifier_invalidate_range_start(&range);\n\tmmu_notifier_invalidate_range_end(&range);\n}',
    };
    const program = pausedAt(machine, 'mmu_interval_set_seq', { text, standIns });
    const views = frameViews(machine, program);
    const names = views.map(({ name }) => name);
    expect(names.slice(0, 2)).toEqual(['block', 'sh_unmap']);
    expect(names.at(-1)).toBe('gone');
    expect(views.at(-1)).toMatchObject({ source: 'stand-ins' });
    const kernel = views.find(({ kind }) => kind === 'kernel');
    expect(kernel?.args.length).toBeGreaterThan(0);
    // In the kernel's frame the names are those of who called it.
    expect(shown(evaluateInFrame(machine, program, kernel?.index ?? 0, 'range.end - range.start'))).toBe('4096');
    expect(shown(evaluateInFrame(machine, program, views.length - 1, 'here + 1'))).toBe('2');
    expect(finish(machine, program).status).toBe('done');
  });
});

describe('variables', () => {
  it('are those that can be named where the frame stands; the inner hides the outer', () => {
    const machine = boot();
    const program = pausedAt(machine, 'm = twice', NESTED);
    const found = variablesOf(program, 0).map(({ name, type, object, key }) => [name, type, object[key]]);
    expect(found).toEqual([
      ['n', 'int', 9n],
      ['m', 'int', 1n],
    ]);
    expect(shown(evaluateInFrame(machine, program, 0, 'n * 10 + m'))).toBe('91');
  });
  it('that were never written say so', () => {
    const machine = boot();
    const program = pausedAt(machine, 'b = 1', { text: 'int a, b;\nb = 1;\nreturn b;' });
    expect(variablesOf(program, 0).map(({ name, isUnset }) => [name, isUnset])).toEqual([
      ['a', true],
      ['b', true],
    ]);
  });
  it('of the file and static ones are apart', () => {
    const machine = boot();
    const program = pausedAt(machine, 'return out', NESTED);
    expect(globalsOf(program, 1).map(({ name, object, key }) => [name, object[key]])).toEqual([['twice.calls', 1n]]);
    expect(shown(evaluateInFrame(machine, program, 1, 'calls + out'))).toBe('19');
  });
});

describe('an expression', () => {
  const LOOP = {
    text: '#define LIMIT 3\n#define SQUARE(x) ((x) * (x))\nint n = 4;\nstruct list_head l;\nint *p = &n;\nn++;\nreturn n;',
  };
  it('is no step, whatever it does, and leaves no trace in the state', () => {
    const machine = boot();
    const program = pausedAt(machine, 'n++', LOOP);
    const [before, steps] = [machine.canonical(), machine.steps.length];
    expect(shown(evaluateInFrame(machine, program, 0, 'SQUARE(n) + LIMIT'))).toBe('19');
    expect(evaluateInFrame(machine, program, 0, '*p = 100')).toMatchObject({ ok: true, text: '100', changed: true });
    expect(evaluateInFrame(machine, program, 0, 'alloc_page(GFP_KERNEL)')).toMatchObject({ ok: true, changed: true });
    expect(evaluateInFrame(machine, program, 0, 'for (;;) n++;')).toMatchObject({ ok: false });
    expect(evaluateInFrame(machine, program, 0, '&n')).toMatchObject({ ok: true, type: 'int *', changed: false });
    expect(evaluateInFrame(machine, program, 0, 'fresh = 1')).toMatchObject({ ok: true, changed: true });
    expect(machine.canonical()).toBe(before);
    expect(machine.steps).toHaveLength(steps);
    expect(finish(machine, program).value).toMatchObject({ value: 5n });
  });
  it('in the past leaves what lies ahead as it was', () => {
    const machine = boot();
    const program = pausedAt(machine, 'return n', LOOP);
    const end = machine.position;
    const after = machine.canonical();
    machine.travel(end - 1);
    expect(shown(evaluateInFrame(machine, program, 0, 'n'))).toBe('4');
    expect(evaluateInFrame(machine, program, 0, 'n = 50')).toMatchObject({ ok: true, changed: true });
    machine.travel(end);
    expect(machine.canonical()).toBe(after);
    expect(shown(evaluateInFrame(machine, program, 0, 'n'))).toBe('5');
    // Of a time in which it was not declared yet, a variable is not known.
    machine.travel(machine.oldest);
    expect(shown(evaluateInFrame(machine, program, 0, 'n'))).toBe('! n is declared nowhere.');
  });
  it('that is wrong says what is wrong and where', () => {
    const machine = boot();
    const program = pausedAt(machine, 'n++', LOOP);
    expect(evaluateInFrame(machine, program, 0, 'n + lost')).toMatchObject({ ok: false, span: { start: 4, end: 8 } });
    expect(evaluateInFrame(machine, program, 0, 'n +')).toMatchObject({ ok: false });
    expect(evaluateInFrame(machine, program, 0, '*(int *)NULL')).toMatchObject({ ok: false });
    expect(evaluateInFrame(machine, program, 0, '('.repeat(9000))).toMatchObject({ ok: false });
    expect(evaluateInFrame(machine, program, 0, `n${' '.repeat(20_000)}`)).toMatchObject({ ok: false });
    expect(evaluateInFrame(machine, undefined, 0, '1 + 1')).toMatchObject({ ok: true, text: '2' });
  });
  it('that would wait says for what', () => {
    const machine = boot();
    const program = pausedAt(machine, 'n++', {
      text: 'DEFINE_MUTEX(m);\nint n = 1;\nmutex_lock(&m);\nn++;\nmutex_unlock(&m);\nreturn n;',
    });
    expect(shown(evaluateInFrame(machine, program, 0, 'mutex_lock(&m)'))).toContain('would wait for m');
    expect(finish(machine, program).status).toBe('done');
  });
  it('that is to be kept is one step if it changes something, none if not', () => {
    const machine = boot();
    const program = pausedAt(machine, 'n++', LOOP);
    const steps = machine.steps.length;
    evaluateInFrame(machine, program, 0, 'n + 1', 'keep');
    expect(machine.steps).toHaveLength(steps);
    expect(evaluateInFrame(machine, program, 0, 'n = 40', 'keep')).toMatchObject({ ok: true, text: '40' });
    expect(machine.steps).toHaveLength(steps + 1);
    expect(finish(machine, program).value).toMatchObject({ value: 41n });
  });
});

describe('another value', () => {
  const TEXT = { text: 'int n = 1;\nstruct list_head l = { 0 };\nint t[2] = { 5, 6 };\nn++;\nn += t[1];\nreturn n;' };
  it('for a variable, an element or a member is a step, can be undone, and is replayed', () => {
    const machine = boot();
    const program = pausedAt(machine, 'n++', TEXT);
    expect(shown(setVariable(machine, program, 0, 'n', '10 * 2'))).toBe('20');
    expect(shown(setVariable(machine, program, 0, 't[1]', '0x100'))).toBe('256');
    expect(shown(setVariable(machine, program, 0, 'l.next', '&l'))).toMatch(/^0x/);
    const last = machine.steps.length;
    expect(finish(machine, program).value).toMatchObject({ value: 277n });
    // Back to before the second change: what follows runs without it.
    machine.travel(last - 2);
    const again = machine.current(program.id);
    expect(again && finish(machine, again).value).toMatchObject({ value: 27n });
  });
  it('that is no value, or of no place, changes nothing', () => {
    const machine = boot();
    const program = pausedAt(machine, 'n++', TEXT);
    const before = machine.canonical();
    for (const [place, value] of [
      ['n', '1; n = 2'],
      ['n', ''],
      ['n', 'int x'],
      ['n + 1', '2'],
      ['t[7]', '2'],
    ] as const)
      expect(setVariable(machine, program, 0, place, value), `${place} = ${value}`).toMatchObject({ ok: false });
    expect(machine.canonical()).toBe(before);
  });
});
