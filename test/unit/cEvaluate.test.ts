import { describe, expect, it } from 'vitest';
import { BudgetExceeded, CStop } from '../../sim/c/environment.ts';
import { callC, evaluateExpression, makeProgram, run } from '../../sim/c/evaluate.ts';
import { parseC } from '../../sim/c/parse.ts';
import {
  addressPointer,
  BadAccess,
  type CStruct,
  type CValue,
  ERR_PTR,
  integer,
  objectPointer,
  pagePointer,
  VOID,
} from '../../sim/c/value.ts';
import type { Point } from '../../sim/task/task.ts';
import { caught, FakeMachine, finish, runNumber, runText, shell, statementsOf, struct } from './cFakeMachine.ts';

/** A small device: a queue with slots, asked for work by `queue_take`. */
function device(): FakeMachine {
  const machine = new FakeMachine();
  machine
    .kernelStruct('window', [
      ['first', 'u64'],
      ['last', 'u64'],
    ])
    .kernelStruct('queue_ops', [['done', 'void (*done)(struct page *page, int how)']])
    .kernelStruct('queue', [
      ['window', 'struct window'],
      ['depth', 'int'],
      ['ops', 'const struct queue_ops *'],
      ['slots', 'unsigned long *'],
      ['entries', 'unsigned long *', { until: '5.7', replacedBy: 'slots' }],
      ['late', 'int', { since: '7.0' }],
      ['name', 'const char *'],
    ])
    .kernelFunction('int queue_take(struct queue *q)', (args) => {
      const queue = args.struct(0, 'queue');
      const left = Number(queue.depth);
      machine.store.set(queue, 'depth', BigInt(left - 1));
      return integer(left > 0 ? -16 : 0);
    })
    .kernelFunction('void *queue_map(struct queue *q, int node)', () => ERR_PTR(-22));
  machine.constants.set('QUEUE_BUSY', 16n);
  return machine;
}

describe('the order of execution', () => {
  it('pauses before every statement, conditions and loop heads included', () => {
    const text = 'int n = 0;\nfor (int i = 0; i < 2; i++)\n  n += i;\nif (n)\n  n = 9;\nelse\n  n = 8;\nreturn n;';
    expect(statementsOf(text)).toEqual([
      'int n = 0;',
      'for (int i = 0; i < 2; i++)',
      'n += i;',
      'for (int i = 0; i < 2; i++)',
      'n += i;',
      'for (int i = 0; i < 2; i++)',
      'if (n)',
      'n = 9;',
      'return n;',
    ]);
  });
  it('the point before a statement comes before its effect', () => {
    const machine = new FakeMachine();
    const generator = evaluateExpression('x = 7', machine);
    expect(generator.next().value).toMatchObject({ kind: 'statement', span: { start: 0, end: 5 } });
    expect(machine.shell.x).toBeUndefined();
    finish(generator);
    expect(machine.shell.x).toBe(7n);
  });
  it('a frame shows its name, its arguments and its variables', () => {
    const points: Point[] = [];
    const unit = parseC('int twice(int of)\n{\n  int out = of * 2;\n  return out;\n}', 'file');
    finish(run(unit, new FakeMachine(), { args: [integer(21)] }), points);
    expect(points.map((point) => point.kind)).toEqual(['call', 'statement', 'statement', 'return']);
    const [first] = points;
    expect(first).toMatchObject({ frame: { name: 'twice', kind: 'c', args: ['21'], locals: { of: 21n, out: 42n } } });
    expect(points.at(-1)).toMatchObject({ kind: 'return', value: '42' });
  });
  it('a retry loop goes back to its label until the kernel function succeeds', () => {
    const machine = device();
    const text = `
      struct queue q = { .depth = 3 };
      int ret, tries = 0;
    again:
      tries++;
      ret = queue_take(&q);
      if (ret) {
        if (ret == -QUEUE_BUSY)
          goto again;
        return ret;
      }
      return tries;`;
    expect(runNumber(text, machine)).toBe(4n);
    expect(machine.calls).toHaveLength(4);
  });
  it('goto leaves loops, enters blocks and passes over declarations', () => {
    expect(runNumber('for (int i = 0; ; i++) for (;;) if (i++ > 3) goto out; out: return 5;')).toBe(5n);
    expect(runNumber('int n = 0; goto in; while (n < 9) { n += 100; in: n += 3; } return n;')).toBe(106n);
    expect(runNumber('goto in; { int k = 5; in: k = 2; return k; }')).toBe(2n);
    expect(runNumber('int n = 0; { back: n++; } if (n < 5) goto back; return n;')).toBe(5n);
  });
  it('a label that is nowhere is told by name', () => {
    expect(caught(() => runText('goto nowhere;')).message).toContain('nowhere');
  });
  it('switch falls through, breaks, defaults and takes ranges', () => {
    const text = (value: number) =>
      `int n = 0; switch (${value}) { case 1: n += 1; case 2: n += 2; break; default: n = 50; case 7 ... 9: n += 7; } return n;`;
    expect([1, 2, 3, 8].map((value) => runNumber(text(value)))).toEqual([3n, 2n, 57n, 7n]);
  });
  it('break and continue belong to the innermost loop', () => {
    expect(
      runNumber(
        'int n = 0; for (int i = 0; i < 5; i++) { if (i == 1) continue; if (i == 4) break; n += i; } return n;',
      ),
    ).toBe(5n);
    expect(runNumber('int n = 0; do { n++; if (n == 2) continue; } while (n < 4); return n;')).toBe(4n);
    expect(
      runNumber(
        'int i = 0, n = 0; while (i < 3) { switch (i++) { case 1: continue; default: break; } n++; } return n;',
      ),
    ).toBe(2n);
  });
  it('a variable hides one of the same name outside its block', () => {
    expect(runNumber('int x = 1; { int x = 2; { int x = 3; x++; } x++; } return x;')).toBe(1n);
  });
  it('a prototype is no statement and does nothing', () => {
    expect(statementsOf('int probe(struct queue *q, unsigned long n);')).toEqual([]);
    expect(runText('int probe(struct queue *q, unsigned long n);')).toBe(VOID);
  });
  it('a loop that never ends is stopped by the budget, with its place', () => {
    for (const text of ['again: goto again;', 'while (1) ;', 'for (;;) ;', 'do { } while (1);']) {
      const error = caught(() => runText(text));
      expect(error).toBeInstanceOf(BudgetExceeded);
      expect((error as BudgetExceeded).span).toBeDefined();
    }
  });
  it('a recursion that never ends is stopped too', () => {
    const error = caught(() =>
      runText('int f(int n) { return f(n + 1) + 1; }', new FakeMachine(), { args: [integer(0)] }),
    );
    expect(error).toMatchObject({ name: 'BudgetExceeded', what: 'depth' });
  });
});

describe('objects', () => {
  it('every write goes through the store', () => {
    const machine = device();
    runText('struct queue q = {}; q.window.first = 3; int a[2]; a[1] = 4;', machine);
    expect(machine.writes).toEqual(expect.arrayContaining(['q', 'first', 'a', '1']));
  });
  it('a struct assignment copies, nested structs included', () => {
    expect(
      runNumber(
        'struct queue a = { .window.last = 5 }, b; b = a; b.window.last = 6; return a.window.last * 10 + b.window.last;',
        device(),
      ),
    ).toBe(56n);
  });
  it('initialisers name members and elements, and zero the rest', () => {
    expect(
      runNumber(
        'struct queue q = { .depth = 2, .window = { 7, .last = 8 } }; return q.window.first + q.window.last + q.depth + !q.ops;',
        device(),
      ),
    ).toBe(18n);
    expect(runNumber('int t[] = { 1, [3] = 4, 5 }; return ARRAY_SIZE(t) * 100 + t[3] * 10 + t[4] + t[1];')).toBe(545n);
    expect(runNumber('struct queue q = { 0 }; return q.window.first;', device())).toBe(0n);
    expect(runNumber('char s[] = "abc"; return sizeof(s) * 1000 + s[1];')).toBe(4098n);
    expect(runNumber('struct window w = (struct window){ .last = 9 }; return w.last;', device())).toBe(9n);
  });
  it('pointers lead to variables, members and elements', () => {
    expect(runNumber('int x = 1; int *p = &x; *p = 5; return x;')).toBe(5n);
    expect(runNumber('struct queue q = {}; u64 *p = &q.window.last; *p += 3; return q.window.last;', device())).toBe(
      3n,
    );
    expect(
      runNumber('int t[4] = { 1, 2, 3, 4 }; int *p = t + 1; p++; return *p * 10 + p[-1] + (p - t) + (p > t);'),
    ).toBe(35n);
    expect(
      runNumber('struct window w[2] = {}; struct window *p = &w[0]; p++; p->last = 4; return w[1].last;', device()),
    ).toBe(4n);
    expect(runNumber('int x = 3; int *p = &x; int **pp = &p; **pp = 8; return x + (p == &x) + (*pp != &x);')).toBe(9n);
  });
  it('container_of finds the struct around a member, also after the engine held the member', () => {
    const machine = device();
    machine.kernelFunction('struct window *keep(struct window *w)', (args) => objectPointer(args.struct(0, 'window')));
    expect(
      runNumber(
        'struct queue q = { .depth = 6 }; struct window *w = keep(&q.window); return container_of(w, struct queue, window)->depth;',
        machine,
      ),
    ).toBe(6n);
  });
  it('structs, typedefs, enums and macros of the text itself work', () => {
    const text = `
      #define LIMIT (2 + 3)
      typedef unsigned char byte_t;
      enum { COLD, HOT = 6, HOTTER };
      struct cell { byte_t tag; struct cell *next; u16 tail[3]; };
      int sum(void)
      {
        struct cell a = { .tag = 300 }, b = { .next = &a, .tail = { 1, 2 } };
        return b.next->tag + LIMIT + HOTTER + b.tail[1] + sizeof(struct cell);
      }`;
    expect(runNumber(text)).toBe(44n + 5n + 7n + 2n + 24n);
  });
  it('pages are read and written by the memory model, and counted in 64 bytes', () => {
    const machine = new FakeMachine().kernelStruct('page', [
      ['_refcount', 'int'],
      ['private', 'unsigned long'],
    ]);
    machine.pages.set('5._refcount', integer(3));
    machine.standIns.set('page', pagePointer(5));
    expect(runNumber('return page->_refcount;', machine)).toBe(3n);
    runText('page->private = 9;', machine);
    expect(machine.pages.get('5.private')).toEqual(integer(9, 'unsigned long'));
    expect(shell('((struct page *)0xffffea0000000140) + 2', machine)).toBe('0xffffea00000001c0 (pfn 0x7)');
    expect(
      runNumber(
        'struct page *a = (struct page *)0xffffea0000000140UL; return &a[3] - a + ((unsigned long)(a + 1) - (unsigned long)a);',
        machine,
      ),
    ).toBe(67n);
  });
  it('pointers become numbers and come back', () => {
    expect(runNumber('int x = 4; unsigned long n = (unsigned long)&x; int *p = (int *)n; *p = 6; return x;')).toBe(6n);
  });
  it('memory from an allocator gets its type from its pointer', () => {
    expect(
      runNumber(
        'struct window *w = kzalloc(sizeof(*w), 0); w->last = 5; kfree(w); return w->first + w->last;',
        device(),
      ),
    ).toBe(5n);
    expect(runNumber('unsigned long *t = kcalloc(4, sizeof(*t), 0); t[3] = 2; return t[3] + t[0];')).toBe(2n);
    expect(caught(() => runText('unsigned long *t = kcalloc(4, sizeof(*t), 0); t[4] = 2;'))).toBeInstanceOf(BadAccess);
  });
  it('memset clears and memcpy copies', () => {
    expect(
      runNumber(
        'struct window a = { 1, 2 }, b; memcpy(&b, &a, sizeof(b)); memset(&a, 0, sizeof(a)); return a.last * 10 + b.last;',
        device(),
      ),
    ).toBe(2n);
    expect(runNumber('u16 t[3]; memset(t, 0xff, sizeof(t)); return t[2];')).toBe(65535n);
  });
  it('a name kept by the engine as text reads as a string', () => {
    const machine = device();
    runText('struct queue q = {}; q.name = "rx"; pr_info("%s\\n", q.name); printk(KERN_ERR "bad\\n");', machine);
    expect(machine.log).toEqual(['<6>rx\n', '<3>bad\n']);
  });
});

describe('functions', () => {
  const callbacks = `
    static int seen;
    static void on_done(struct page *page, int how)
    {
      seen += how;
    }
    static const struct queue_ops my_ops = { .done = on_done };
    int drive(void)
    {
      struct queue q = { .ops = &my_ops };
      q.ops->done(0, 4);
      (*q.ops->done)(0, 1);
      return finish_all(&q) + seen;
    }`;
  it('the engine calls a C function back as a frame of the same task', () => {
    const machine = device();
    machine.kernelFunction('int finish_all(struct queue *q)', function* (args): Generator<Point, CValue, undefined> {
      const ops = args.struct(0, 'queue').ops;
      if (typeof ops !== 'object' || !('target' in ops) || (ops as { kind: string }).kind !== 'pointer')
        return integer(-1);
      const table = (ops as ReturnType<typeof objectPointer>).target;
      const done = table.kind === 'object' ? (table.object as CStruct).done : undefined;
      const target = (done as ReturnType<typeof objectPointer>).target;
      if (target.kind !== 'function') return integer(-2);
      yield* callC(target.function, [pagePointer(3), integer(20)], machine);
      return integer(100);
    });
    const points: Point[] = [];
    const value = finish(run(parseC(callbacks, 'file'), machine, { entry: 'drive' }), points);
    expect(value).toEqual(integer(125));
    expect(
      points.filter((point) => point.kind === 'call').map((point) => point.kind === 'call' && point.frame.name),
    ).toEqual(['drive', 'on_done', 'on_done', 'on_done']);
  });
  it('file-level variables outlive a run that shares its program', () => {
    const unit = parseC('static int n = 5;\nint next(void) { return ++n; }', 'file');
    const program = makeProgram(unit);
    const machine = new FakeMachine();
    expect([1, 2].map(() => finish(run(unit, machine, { program })))).toEqual([integer(6), integer(7)]);
  });
  it('a static variable keeps its value between calls', () => {
    expect(
      runNumber(
        'int next(void) { static int n = 3; return n++; } int main(void) { next(); next(); return next(); }',
        new FakeMachine(),
        { entry: 'main' },
      ),
    ).toBe(5n);
  });
  it('arguments and results are converted to the prototype', () => {
    const machine = new FakeMachine();
    machine.kernelFunction('u8 low(unsigned long n)', (args) => integer(args.big(0), 'unsigned long'));
    expect(runNumber('return low(-1);', machine)).toBe(255n);
    expect(machine.calls).toEqual(['low(18446744073709551615 (0xffffffffffffffff))']);
  });
  it('the wrong number of arguments is told before anything runs', () => {
    const machine = device();
    expect(caught(() => runText('queue_take();', machine))).toMatchObject({
      code: 'argument-count',
      message: 'queue_take takes 1 argument, and is given 0.',
    });
    expect(machine.calls).toEqual([]);
  });
  it('calling what is no function says so', () => {
    expect(caught(() => runText('int x = 3; x(1);'))).toMatchObject({
      code: 'not-a-function',
      message: 'x is not a function: it cannot be called.',
    });
    expect(caught(() => runText('QUEUE_BUSY();', device()))).toMatchObject({ code: 'not-a-function' });
    expect(
      caught(() => runText('struct queue q = {}; struct queue_ops o = {}; q.ops = &o; q.ops->done(0, 1);', device()))
        .message,
    ).toContain('q.ops->done is NULL');
  });
  it('a text of several functions asks which one to run', () => {
    expect(
      caught(() => finish(run(parseC('int a(void) {} int b(void) {}', 'file'), new FakeMachine()))).message,
    ).toContain('a, b');
  });
  it('WARN_ON prints and gives its condition, once where it says once; BUG_ON stops', () => {
    const machine = new FakeMachine();
    expect(
      runNumber('int n = 0; for (int i = 0; i < 3; i++) { if (WARN_ON_ONCE(i > 0)) n++; } return n;', machine),
    ).toBe(2n);
    expect(machine.log).toHaveLength(1);
    expect(caught(() => runText('BUG_ON(1);'))).toBeInstanceOf(BadAccess);
  });
});

describe('error pointers', () => {
  it('ERR_PTR, IS_ERR and PTR_ERR agree', () => {
    expect(shell('ERR_PTR(-12)')).toBe('ERR_PTR(-ENOMEM)');
    expect(runNumber('void *p = ERR_PTR(-5); if (IS_ERR(p)) return PTR_ERR(p); return 1;')).toBe(-5n);
    expect(runNumber('void *p = 0; return IS_ERR(p) * 2 + IS_ERR_OR_NULL(p);')).toBe(1n);
  });
  it('using one as a pointer is explained', () => {
    const error = caught(() =>
      runText('struct queue q = {}; struct window *w = queue_map(&q, 0); w->first = 1;', device()),
    );
    expect(error).toBeInstanceOf(BadAccess);
    expect(error.message).toBe('w is ERR_PTR(-EINVAL), an error and not an address: check it with IS_ERR() first.');
  });
});

describe('bad accesses name what is wrong and where', () => {
  it.each([
    ['struct queue *q = 0; q->depth = 1;', 'q is NULL', 'q->depth'],
    ['int *p = (int *)0x123456; return *p;', '0x123456', '*p'],
    ['int t[2] = {}; return t[2];', 'element 2 of 2', 't[2]'],
    ['int t[2] = {}; int *p = t; return *(p - 1);', 'element -1 of 2', '*(p - 1)'],
    ['char *s = "ab"; s[0] = 1;', 'string literal', 's[0] = 1'],
  ])('%s', (text, message, place) => {
    const error = caught(() => runText(text, device()));
    expect(error).toBeInstanceOf(BadAccess);
    expect(error.message).toContain(message);
    const { span } = error as BadAccess;
    expect(text.slice(span?.start, span?.end)).toBe(place);
  });
  it('what the engine throws gets the place of the call', () => {
    const text = 'struct window w = {}; queue_take((struct queue *)&w);';
    const error = caught(() => runText(text, device())) as BadAccess;
    expect(text.slice(error.span?.start, error.span?.end)).toBe('queue_take((struct queue *)&w)');
  });
  it('a struct behind a pointer of another type is not read as that', () => {
    expect(
      caught(() => runText('struct window w = {}; struct queue *q = (struct queue *)&w; return q->depth;', device())),
    ).toBeInstanceOf(BadAccess);
  });
  it('a void pointer must be cast', () => {
    expect(caught(() => runText('int x = 1; void *p = &x; return *p;'))).toBeInstanceOf(CStop);
  });
});

describe('findings of a run', () => {
  it('an automatic variable or member read before it was written', () => {
    const machine = device();
    runText('struct queue q; int n, m = 0; q.depth = 1; m = q.depth + q.window.first + n;', machine);
    expect(machine.findings.filter(({ code }) => code === 'uninitialised-read').map(({ message }) => message)).toEqual([
      'q.window.first is read before anything was written to it.',
      'n is read before anything was written to it.',
    ]);
  });
  it('none for what was initialised, assigned whole, or handed to a function', () => {
    const machine = device();
    runText(
      'struct queue a = {}, b, c; b = a; queue_take(&c); int x = b.depth + c.depth; static int s; x += s;',
      machine,
    );
    expect(machine.codes()).toEqual([]);
  });
  it('copying an unset struct passes the unset on', () => {
    const machine = device();
    runText('struct window a, b; a.first = 1; b = a; u64 x = b.first; x = b.last;', machine);
    expect(machine.findings).toMatchObject([
      { code: 'uninitialised-read', message: 'b.last is read before anything was written to it.' },
    ]);
  });
  it('a member of another release names what replaced it', () => {
    const machine = device();
    const text = 'struct queue q = {}; q.entries[0] = 1;';
    const error = caught(() => runText(text, machine));
    expect(error).toMatchObject({ code: 'no-such-field' });
    expect(error.message).toBe(
      'struct queue has no member entries in 6.12: it had one only from 4.3 to 5.7; it is slots now.',
    );
    expect(text.slice(machine.findings[0]?.span.start, machine.findings[0]?.span.end)).toBe('entries');
    expect(caught(() => runText('struct queue q = {}; q.late = 1;', device())).message).toContain('only since 7.0');
    expect(caught(() => runText('struct queue q = {}; q.bogus = 1;', device())).message).toBe(
      'struct queue never had a member bogus.',
    );
  });
  it('a scene can say what a missing member means', () => {
    const machine = device();
    machine.fieldStandIns.set('queue.inner', '').set('queue.size', 'depth');
    expect(runNumber('struct queue q = { .depth = 4 }; return q.inner.depth * 10 + q.size;', machine)).toBe(44n);
    expect(machine.codes()).toEqual(['no-such-field', 'no-such-field']);
  });
  it('the wrong of "." and "->" is a finding, and read as the right one', () => {
    const machine = device();
    expect(runNumber('struct queue q = { .depth = 4 }, *p = &q; return q->depth + p.depth;', machine)).toBe(8n);
    expect(machine.codes()).toEqual(['member-operator', 'member-operator']);
  });
  it('a name of another release says when it existed', () => {
    const machine = new FakeMachine();
    machine.others.set('old_take', {
      kind: 'function',
      name: 'old_take',
      contract: '',
      replacedBy: 'queue_take',
      variants: [
        { since: '4.17', until: '5.9', file: 'mm/x.c', prototype: 'int old_take(int how)' },
        { since: '4.14', until: '4.16', file: 'mm/x.c', prototype: 'int old_take(void)' },
      ],
    });
    expect(caught(() => runText('old_take();', machine)).message).toBe(
      'old_take is not in 6.12: it exists only from 4.14 to 5.9; queue_take took its place.',
    );
    expect(machine.codes()).toEqual(['not-in-release']);
    machine.others.set('CONFIG_X', {
      kind: 'config',
      name: 'CONFIG_X',
      contract: '',
      file: 'mm/Kconfig',
      since: '4.3',
    });
    expect(caught(() => runText('CONFIG_X;', machine)).message).toBe(
      'CONFIG_X of 6.12 is known, but has no value in C.',
    );
  });
  it('an undeclared name is taken from the scene, and is a finding once', () => {
    const machine = device();
    const object = struct('queue', { depth: 2n });
    machine.standIns.set('rx', { kind: 'aggregate', object });
    machine.standIns.set('enter', (args) => integer(args.length));
    expect(runNumber('for (int i = 0; i < 2; i++) { enter(rx); queue_take(&rx); } return rx.depth;', machine)).toBe(0n);
    expect(machine.findings.map(({ message }) => message)).toEqual([
      "enter is not declared: the scene's enter stands for it.",
      "rx is not declared: the scene's rx stands for it.",
    ]);
    expect(object.depth).toBe(0n);
  });
  it('an undeclared name that is assigned to becomes a variable; one that is read stops', () => {
    const machine = new FakeMachine();
    expect(runNumber('ret = -5; return ret;', machine)).toBe(-5n);
    expect(machine.codes()).toEqual(['undeclared']);
    expect(caught(() => runText('return lost;'))).toMatchObject({
      code: 'undeclared',
      message: 'lost is declared nowhere.',
    });
    expect(caught(() => runText('lost(1);'))).toMatchObject({ code: 'undeclared' });
  });
  it('a struct that nothing describes has the members the program gives it', () => {
    const machine = new FakeMachine();
    const text = 'struct gadget d; d.id = -1; d.self = &d; return d.self->id < 0 && d.self->self == &d;';
    expect(runNumber(text, machine)).toBe(1n);
    expect(new Set(machine.codes())).toEqual(new Set(['undeclared']));
  });
  it('a text that never was a kernel name says what may be meant', () => {
    const machine = new FakeMachine();
    machine.others.set('mem_tables', {
      kind: 'never',
      name: 'mem_tables',
      contract: '',
      documents: { since: '4.3' },
      instead: 'mem_table',
    });
    expect(caught(() => runText('return mem_tables;', machine)).message).toBe(
      'mem_tables is declared nowhere. Is mem_table meant?',
    );
  });
});

describe('holes', () => {
  it('an open hole stops the run and is named', () => {
    const machine = device();
    const text = 'struct queue q = {}; q.depth = ...; return queue_take(&q);';
    const error = caught(() => runText(text, machine));
    expect(error).toMatchObject({
      code: 'hole',
      message: 'The text leaves the value of q.depth open: it must be filled before this can run.',
    });
    expect(machine.codes()).toEqual(['hole']);
    expect(caught(() => runText('queue_map(&q, /* which node */);', machine)).message).toBeTruthy();
  });
  it('the scene fills holes with text, values and statements, in the scope of the hole', () => {
    const machine = device();
    machine.holes = ({ position, words }) => {
      if (position.kind === 'right-hand-side') return `base * ${position.of.length}`;
      if (position.kind === 'argument') return integer(7);
      if (position.kind === 'statement') return 'int base = 2; struct queue q = {};';
      return words.includes('drain') ? 'while (queue_take(&q)) ;' : undefined;
    };
    machine.kernelFunction('int pick(int a, int b)', (args) => integer(args.num(0) * 100 + args.num(1)));
    const text =
      '...\n\nq.depth = ...;\n/* drain the queue\n * here */\n/* and rest */\nreturn pick(q.depth, /* node */);';
    expect(runNumber(text, machine)).toBe(-93n);
    expect(machine.calls.filter((call) => call.startsWith('queue_take'))).toHaveLength(15);
  });
  it('statements of a filling are reported at the hole', () => {
    const machine = new FakeMachine();
    machine.holes = () => 'int a = 1; a++;';
    expect(statementsOf('...\nreturn 0;', machine)).toEqual(['...', '...', 'return 0;']);
  });
  it('a comment between statements needs no filling', () => {
    expect(runNumber('/* first\n * words */\nreturn 3;')).toBe(3n);
  });
  it('a function whose parameters are left out runs with what the scene has', () => {
    const machine = device();
    machine.standIns.set('rx', objectPointer(struct('queue', { depth: 1n })));
    expect(runNumber('int drive(...)\n{\n  int n = 0;\n  while (queue_take(rx)) n++;\n  return n;\n}', machine)).toBe(
      1n,
    );
  });
});

describe('the shell', () => {
  it('keeps variables from line to line, declared or just assigned', () => {
    const machine = device();
    expect(shell('struct queue q;', machine)).toBe('void');
    shell('q.depth = 2', machine);
    shell('p = &q', machine);
    expect(shell('p->depth + queue_take(p)', machine)).toBe('-14');
    expect(shell('q.depth', machine)).toBe('1');
    expect(shell('for (n = 0; n < 4; n++) ;', machine)).toBeTruthy();
    expect(shell('n', machine)).toBe('4');
    expect(machine.codes()).toEqual([]);
  });
  it('keeps variables where undo reaches them, types included', () => {
    const machine = new FakeMachine();
    shell('u8 x = 3', machine);
    expect(machine.shell).toMatchObject({ x: 3n, $types: { x: 'unsigned char' } });
  });
  it('a line that cannot be read is an error with its place', () => {
    expect(caught(() => shell('1 + '))).toMatchObject({ name: 'CStop', code: 'syntax' });
    expect(caught(() => shell('f(1))'))).toMatchObject({ name: 'CStop' });
  });
  it('an object of the machine can be pointed to and read', () => {
    const machine = device();
    machine.symbols.set('main_queue', { kind: 'aggregate', object: struct('queue', { depth: 5n, name: 'main' }) });
    machine.symbols.set('here', addressPointer(0xffff888000000000n, 'struct task'));
    expect(shell('main_queue.depth', machine)).toBe('5');
    expect(shell('(&main_queue)->name', machine)).toBe('"main"');
    expect(shell('here', machine)).toBe('0xffff888000000000');
  });
});
