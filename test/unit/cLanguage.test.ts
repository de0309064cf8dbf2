/** The C that drivers and documents contain, by what it gives. */
import { describe, expect, it } from 'vitest';
import { run } from '../../sim/c/evaluate.ts';
import { parseC } from '../../sim/c/parse.ts';
import { caught, FakeMachine, finish, runNumber, runText } from './cFakeMachine.ts';

function lists(): FakeMachine {
  const machine = new FakeMachine();
  machine.kernelStruct('list_head', [
    ['next', 'struct list_head *'],
    ['prev', 'struct list_head *'],
  ]);
  machine.constants.set('PAGE_SIZE', 4096n);
  return machine;
}
const number = (text: string, machine = lists()): bigint =>
  runNumber(text, machine, text.includes(' main(void)') ? { entry: 'main' } : {});

describe('macros', () => {
  it.each<[string, string, bigint]>([
    [
      'with parameters, within each other',
      '#define ADD(a, b) ((a) + (b))\n#define TWICE(x) ADD(x, x)\nreturn TWICE(ADD(1, 2));',
      6n,
    ],
    ['are put in as they stand', '#define SUM 2 + 3\nreturn SUM * 2;', 8n],
    ['as statements', '#define INC(x) do { (x)++; } while (0)\nint n = 1; if (n) INC(n); else INC(n); return n;', 2n],
    ['as types', '#define PTR struct page *\nPTR p = NULL; return p == NULL;', 1n],
    ['over several lines', '#define F(x) \\\n  ((x) \\\n   + 1)\nreturn F(2);', 3n],
    ['that paste names', '#define V(n) v##n\nint V(1) = 4; return v1;', 4n],
    ['that name themselves end', 'int x = 1;\n#define x (x + 1)\nreturn x;', 2n],
    ['that were undone', '#define A 1\n#undef A\nint A = 7; return A;', 7n],
  ])('%s', (_, text, value) => {
    expect(number(text)).toBe(value);
  });
  it('make strings of arguments, and take as many as they are given', () => {
    const machine = lists();
    runText('#define SAY(f, ...) pr_info(#f " " f, ##__VA_ARGS__)\nSAY("a\\n"); SAY("b", 3);', machine);
    expect(machine.log).toEqual(['<6>"a\\n" a\n', '<6>"b" b']);
  });
  it('pr_fmt stands in front of messages', () => {
    const machine = lists();
    runText('#define pr_fmt(fmt) "gpu: " fmt\npr_err("%d\\n", 1); pr_info("x\\n");', machine);
    expect(machine.log).toEqual(['<3>gpu: 1\n', '<6>gpu: x\n']);
  });
  it('what they make has the place of their use', () => {
    const text = '#define BAD(p) (*(p))\nint *q = NULL;\nreturn BAD(q);';
    const { span } = caught(() => number(text)) as Error & { span?: { start: number; end: number } };
    expect(text.slice(span?.start, span?.end)).toBe('BAD(q)');
  });
  it('that make too much are a finding', () => {
    const doubled = Array.from({ length: 30 }, (_, i) => `#define A${i} A${i + 1} A${i + 1}`).join('\n');
    expect(parseC(`${doubled}\nA0`, 'block').findings.map(({ code }) => code)).toContain('too-large');
  });
});

describe('conditions', () => {
  const chosen =
    '#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 0) && !defined(OLD)\nreturn 2;\n#elif 1\nreturn 1;\n#else\nreturn 0;\n#endif';
  it('follow the release', () => {
    const items = (release: '5.4' | '6.12') =>
      parseC(chosen, 'block', { release }).items.map(({ span }) => chosen.slice(span.start, span.end));
    expect(items('6.12')).toEqual(['return 2;']);
    expect(items('5.4')).toEqual(['return 1;']);
  });
  it.each<[string, bigint]>([
    ['#ifdef CONFIG_DEVICE_PRIVATE\nreturn 1;\n#endif\nreturn 0;', 1n],
    ['#ifndef NOTHING\nreturn 1;\n#endif\nreturn 0;', 1n],
    ['#define A 3\n#if A > 2 ? 0 : 1\nreturn 1;\n#endif\nreturn 0;', 0n],
    ['#if 0\n#if 1\nreturn 1;\n#else\nreturn 2;\n#endif\n#else\nreturn 3;\n#endif', 3n],
    ['int t[] = {\n#ifdef NOTHING\n 1,\n#else\n 2,\n#endif\n}; return t[0];', 2n],
    ['#if 0x10 == 020 + 0 * (1 << 2) && ~0 && (7 % 4 | 8) == 11\nreturn 1;\n#endif\nreturn 0;', 1n],
  ])('%j gives %s', (text, value) => {
    expect(number(text)).toBe(value);
  });
  it('without an end, or that cannot be read, are findings', () => {
    expect(parseC('#if 1\nint a;', 'file').findings[0]?.message).toContain('#endif');
    expect(parseC('#if 1 +\nint a;\n#endif', 'file').findings[0]?.message).toContain('cannot be read');
    expect(parseC('#else\n', 'file').findings[0]?.message).toContain('no #if');
    expect(parseC('#error not here\n', 'file').findings[0]).toMatchObject({ severity: 'error' });
  });
});

describe('objects in memory', () => {
  it.each<[string, string, bigint]>([
    [
      'members of a union share their bytes',
      'union u { u32 w; u8 b[4]; } x; x.w = 0x01020304; return x.b[0] * 10 + x.b[3];',
      41n,
    ],
    ['both ways', 'union u { u32 w; u8 b[4]; } x; x.w = 0; x.b[1] = 1; return x.w;', 256n],
    [
      'anonymous ones are members of what they stand in',
      'struct s { int k; union { u64 a; struct { u32 lo, hi; }; }; } x = { .a = 0x500000002ULL }; return x.lo * 100 + x.hi * 10 + sizeof(struct s) / 16;',
      251n,
    ],
    [
      'a pointer in a union stays one',
      'int n = 5; union u { void *p; unsigned long w; } x; x.p = &n; return *(int *)x.p + !x.w;',
      5n,
    ],
    [
      'bit-fields have their width',
      'struct f { unsigned a:3; int b:3; } x; x.a = 9; x.b = 7; return x.a * 10 - x.b + sizeof(struct f);',
      15n,
    ],
    [
      'arrays of arrays',
      'int m[3][4]; m[2][3] = 7; return m[2][3] + sizeof(m) + ARRAY_SIZE(m) * 1000 + ARRAY_SIZE(m[0]) * 100;',
      3455n,
    ],
    [
      'braces may be left out',
      'struct in { int a, b; }; struct out { struct in x[2]; int c; } o = { 1, 2, 3, 4, 5 }; return o.x[1].a * 10 + o.c;',
      35n,
    ],
    [
      'ranges and nested designators',
      'struct in { int a, b; }; struct out { struct in x[4]; } o = { .x[1 ... 2] = { .b = 5 }, .x[3].a = 2 }; return o.x[1].b * 100 + o.x[2].b * 10 + o.x[3].a;',
      552n,
    ],
    [
      'a pointer to a struct is one to its first member',
      'struct a { int x; }; struct b { struct a base; int y; } v = { { 3 }, 4 }; struct a *p = (struct a *)&v; struct b *q = (struct b *)p; return p->x * 10 + q->y;',
      34n,
    ],
    ['void pointers count bytes', 'int t[3] = { 1, 2, 3 }; void *p = t; return *(int *)(p + 8);', 3n],
    [
      'offsets lead to members',
      'struct s { u8 a; u64 b; } x = { 1, 2 }; return *(u64 *)((char *)&x + offsetof(struct s, b)) * 10 + offsetof(struct s, b);',
      28n,
    ],
    [
      'a flexible array has what was allocated for it',
      'struct b { int n; u8 d[]; } *x = kzalloc(struct_size(x, d, 4), 0); x->d[3] = 7; return x->d[3] + sizeof(*x);',
      11n,
    ],
    [
      'whole structs change places',
      'struct p { int x; } a = { 1 }, b = { 2 }; swap(a, b); return a.x * 10 + b.x;',
      21n,
    ],
    [
      'functions give and take structs',
      'struct p { int x, y; }; static struct p mk(int x) { return (struct p){ x, x + 1 }; } static int sum(struct p a) { a.x = 100; return a.x + a.y; } int main(void) { struct p a = mk(3); return sum(a) * 10 + a.x + mk(1).y; }',
      1045n,
    ],
    [
      'tables of functions',
      'static int one(void) { return 1; } static int two(void) { return 2; } int main(void) { int (*t[])(void) = { one, &two }; return t[1]() * 10 + (*t[0])(); }',
      21n,
    ],
    ['statements as an expression', 'int a = ({ int b = 3; b++; b * 2; }); return a;', 8n],
    ['__auto_type is that of its value', '__auto_type x = 5UL; return sizeof(x) + x;', 13n],
  ])('%s', (_, text, value) => {
    expect(number(text)).toBe(value);
  });
  it('what is not simulated stops and says so, at its place', () => {
    expect(caught(() => number('u32 x = 5; u8 *p = (u8 *)&x; return p[1];'))).toMatchObject({ code: 'unsupported' });
    const { findings } = parseC('int f(void)\n{\n  asm volatile("nop");\n  return 1;\n}', 'file');
    expect(findings).toMatchObject([{ code: 'unsupported', severity: 'warning' }]);
  });
  it('memory that was freed is told when it is used, and not freed twice', () => {
    const machine = lists();
    runText('int *p = kzalloc(4, 0); kfree(p); kfree(NULL); *p = 1;', machine);
    expect(machine.codes()).toEqual(['use-after-free']);
    expect(caught(() => number('int *p = kzalloc(4, 0); kfree(p); kfree(p);')).message).toContain('freed before');
    expect(caught(() => number('int n; kfree(&n);')).message).toContain('not allocated');
  });
});

describe('helpers', () => {
  it.each<[string, string, bigint]>([
    [
      'lists',
      'struct it { int v; struct list_head l; }; LIST_HEAD(head); struct it a = { .v = 1 }, b = { .v = 2 }, c = { .v = 3 }, *p, *n; int s = 0; list_add(&a.l, &head); list_add_tail(&b.l, &head); list_add(&c.l, &head); list_for_each_entry(p, &head, l) s = s * 10 + p->v; list_for_each_entry_safe(p, n, &head, l) if (p->v == 1) list_del(&p->l); return s * 100 + list_first_entry(&head, struct it, l)->v * 10 + list_is_singular(&head);',
      31230n,
    ],
    [
      'an empty list',
      'LIST_HEAD(h); struct list_head o; INIT_LIST_HEAD(&o); return list_empty(&h) + list_empty(&o);',
      2n,
    ],
    [
      'strings',
      'char b[8]; strscpy(b, "hey you there", sizeof(b)); return strlen(b) * 10 + !strcmp(b, "hey you") + (strncmp(b, "hexa", 2) == 0);',
      72n,
    ],
    [
      'messages into buffers',
      'char b[6]; int n = snprintf(b, sizeof(b), "%d-%s", 5, "abcdef"); return n * 100 + strlen(b) * 10 + (b[5] == 0);',
      851n,
    ],
    ['copies of strings', 'char *p = kstrdup("abc", 0); int n = p[1]; kfree(p); return n;', 98n],
    [
      'atomic counters',
      'atomic_t a = ATOMIC_INIT(3); atomic_inc(&a); atomic_add(5, &a); return atomic_read(&a) * 10 + atomic_sub_and_test(9, &a);',
      91n,
    ],
    [
      'reference counts',
      'static int gone; static void release(struct kref *k) { gone = 1; } int main(void) { struct kref k; kref_init(&k); kref_get(&k); int first = kref_put(&k, release); return kref_put(&k, release) * 100 + gone * 10 + first; }',
      110n,
    ],
    [
      'bits',
      'unsigned long m[2] = { 0 }; set_bit(3, m); __set_bit(65, m); clear_bit(3, m); return m[1] * 100 + test_bit(65, m) * 10 + m[0] + test_and_set_bit(65, m);',
      211n,
    ],
    [
      'numbers',
      'return ilog2(4096) + fls(8) + __ffs(8) + hweight32(7) + (int)roundup_pow_of_two(5) + (int)FIELD_GET(GENMASK(7, 4), 0x35) + clamp(9, 1, 5) + min3(3, 1, 2);',
      39n,
    ],
    [
      'limits',
      'return (ULONG_MAX == ~0UL) + (U16_MAX == 65535) + (INT_MIN < 0) + (SZ_4K == PAGE_SIZE) + !(PAGE_MASK & 4095);',
      5n,
    ],
  ])('%s', (_, text, value) => {
    expect(number(text)).toBe(value);
  });
  it('messages of devices and of some only', () => {
    const machine = lists();
    runText(
      'for (int i = 0; i < 2; i++) { dev_warn(NULL, "w\\n"); pr_err_ratelimited("e%d\\n", i); dev_err_once(NULL, "o\\n"); pr_debug("d\\n"); }',
      machine,
    );
    expect(machine.log).toEqual(['<4>w\n', '<3>e0\n', '<3>o\n', '<7>d\n', '<4>w\n', '<3>e1\n', '<7>d\n']);
  });
  it('kernel formats', () => {
    const machine = lists();
    machine.kernelStruct('resource', [
      ['start', 'u64'],
      ['end', 'u64'],
      ['flags', 'unsigned long'],
    ]);
    runText(
      'struct resource r = { .start = 0x1000, .end = 0x1fff, .flags = 0x200 }; u64 a = 0x12; pr_info("%pe %pR %pa %#lx %*d %-4s| %px %pK", ERR_PTR(-12), &r, &a, 255UL, 4, 7, "x", (void *)16, NULL);',
      machine,
    );
    expect(machine.log).toEqual([
      '<6>-ENOMEM [mem 0x00001000-0x00001fff] 0x0000000000000012 0xff    7 x   | 0000000000000010 0000000000000000',
    ]);
  });
});

describe('names that are declared nowhere', () => {
  it('stand for the object of the scene of the type that is wanted', () => {
    const machine = lists();
    machine.kernelStruct('queue', [['depth', 'int']]).kernelFunction('int take(struct queue *q)', (args) => ({
      kind: 'integer',
      type: 'int',
      value: args.struct(0, 'queue').depth as bigint,
    }));
    expect(runNumber('struct queue mine = { .depth = 6 }; return take(&rx) + take(tx);', machine)).toBe(12n);
    expect(machine.findings.map(({ message }) => message)).toEqual([
      "rx is not declared: the scene's mine, a struct queue, stands for it.",
      "tx is not declared: the scene's mine, a struct queue, stands for it.",
    ]);
  });
  it('or for a fresh one', () => {
    const machine = lists();
    machine.kernelStruct('queue', [['depth', 'int']]).kernelFunction('int take(struct queue *q, int n)', (args) => ({
      kind: 'integer',
      type: 'int',
      value: (args.struct(0, 'queue').depth as bigint) + args.big(1),
    }));
    expect(runNumber('int t[2] = { 4, 5 }; return take(q, count) + t[index];', machine)).toBe(4n);
    expect(machine.codes()).toEqual(['undeclared', 'undeclared', 'undeclared']);
  });
  it('a file of C gets none: it would not compile', () => {
    const machine = lists();
    machine.kernelFunction('int take(int n)', () => ({ kind: 'integer', type: 'int', value: 0n }));
    const unit = parseC('int main(void) { return take(lost); }', 'file');
    expect(unit.findings).toEqual([]);
    expect(caught(() => finish(run(unit, machine)))).toMatchObject({ code: 'undeclared' });
  });
});
