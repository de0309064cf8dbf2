import { describe, expect, it } from 'vitest';
import type { Expression, Statement } from '../../sim/c/ast.ts';
import { parseC } from '../../sim/c/parse.ts';

/** An expression as fully bracketed text, so that a test shows what binds to what. */
function shape(node: Expression): string {
  switch (node.kind) {
    case 'integer':
      return node.value.toString();
    case 'name':
      return node.name;
    case 'unary':
      return `(${node.operator}${shape(node.operand)})`;
    case 'binary':
    case 'assign':
      return `(${shape(node.left)} ${node.operator} ${shape(node.right)})`;
    case 'conditional':
      return `(${shape(node.test)} ? ${node.then ? shape(node.then) : ''} : ${shape(node.otherwise)})`;
    case 'call':
      return `${shape(node.callee)}(${node.arguments.map(shape).join(', ')})`;
    case 'member':
      return `${shape(node.object)}${node.arrow ? '->' : '.'}${node.field}`;
    case 'index':
      return `${shape(node.object)}[${shape(node.index)}]`;
    case 'update':
      return node.prefix ? `(${node.operator}${shape(node.operand)})` : `(${shape(node.operand)}${node.operator})`;
    case 'comma':
      return `(${shape(node.left)}, ${shape(node.right)})`;
    case 'cast':
      return `<cast ${shape(node.operand)}>`;
    case 'sizeof':
      return 'height' in node.of ? `<sizeof ${shape(node.of)}>` : '<sizeof type>';
    default:
      return `<${node.kind}>`;
  }
}
function expression(text: string): Expression {
  const [item] = parseC(text, 'expression').items;
  if (item?.kind !== 'expression') throw new Error(`no expression: ${text}`);
  return item.expression;
}
const kinds = (items: readonly Statement[]) => items.map((item) => item.kind);

describe('operators bind as C says', () => {
  it.each([
    ['a + b * c - d', '((a + (b * c)) - d)'],
    ['a < b && c > (d + 1)', '((a < b) && (c > (d + 1)))'],
    ['sizeof(*p) * n', '(<sizeof (*p)> * n)'],
    ['v = w += x ? y : z', '(v = (w += (x ? y : z)))'],
    ['a ? b : c ? d : e', '(a ? b : (c ? d : e))'],
    ['a | b ^ c & d == e << f', '(a | (b ^ (c & (d == (e << f)))))'],
    ['*p++ = -q->r[2].s', '((*(p++)) = (-q->r[2].s))'],
    ['!f(a, b)(c)', '(!f(a, b)(c))'],
    ['(u32)(a + 1)', '<cast (a + 1)>'],
    ['(u32)-1', '<cast (-1)>'],
    ['(limit) - 1', '(limit - 1)'],
    ['(struct page *)p + 1', '(<cast p> + 1)'],
    ['a, b, c', '((a, b), c)'],
    ['new->class', 'new->class'],
    ['f(a < b, c > (d))', 'f((a < b), (c > d))'],
    ['a ?: b', '(a ?  : b)'],
  ])('%s', (text, expected) => {
    const unit = parseC(text, 'expression');
    expect(unit.findings).toEqual([]);
    expect(shape(expression(text))).toBe(expected);
  });

  it('gives every node the span of its text, brackets included', () => {
    const text = 'left + (one * two)';
    const node = expression(text);
    if (node.kind !== 'binary') throw new Error(node.kind);
    expect(text.slice(node.right.span.start, node.right.span.end)).toBe('(one * two)');
  });
});

describe('holes', () => {
  const positions = (text: string) => parseC(text, 'block').holes.map(({ position }) => position);
  it('an ellipsis on the right of an assignment knows what it is assigned to', () => {
    expect(positions('job.first = ...;')).toEqual([{ kind: 'right-hand-side', of: 'job.first' }]);
    expect(positions('unsigned long size = ...;')).toEqual([{ kind: 'right-hand-side', of: 'size' }]);
  });
  it('a comment in place of an argument is a hole with its words, the call and the index', () => {
    const unit = parseC('grab(pool, /* how many */, "x");', 'block');
    expect(unit.findings).toEqual([]);
    expect(unit.holes).toMatchObject([
      { form: 'comment', words: 'how many', position: { kind: 'argument', call: 'grab', index: 1 } },
    ]);
  });
  it('an only argument and a last argument can be holes', () => {
    expect(positions('f(/* it */); g(a, /* that */); h(...);')).toEqual([
      { kind: 'argument', call: 'f', index: 0 },
      { kind: 'argument', call: 'g', index: 1 },
      { kind: 'argument', call: 'h', index: 0 },
    ]);
  });
  it('a parameter list, a condition, an index and a returned value can be holes', () => {
    const text = 'int fill(...)\n{\n  if (...) x[...] = 1;\n  return ...;\n}';
    expect(positions(text)).toEqual([
      { kind: 'parameters', function: 'fill' },
      { kind: 'condition', of: 'if' },
      { kind: 'index', of: 'x' },
      { kind: 'return' },
    ]);
  });
  it('an ellipsis among statements is a statement', () => {
    const unit = parseC('struct job j;\n...\n\nj.a = 1;', 'block');
    expect(kinds(unit.items)).toEqual(['declaration', 'hole', 'expression']);
    expect(unit.findings).toEqual([]);
  });
  it('a comment on its own lines may be filled, a comment beside code is nothing', () => {
    const unit = parseC('a = 1; /* set */\n/* use the table\n * now */\nb = 2; // done', 'block');
    expect(unit.holes).toMatchObject([{ words: 'use the table now', position: { kind: 'comment' } }]);
  });
  it('variadic is not a hole', () => {
    expect(parseC('int log(const char *f, ...);', 'file').holes).toEqual([]);
  });
});

describe('mistakes are findings, and read as meant', () => {
  const codes = (text: string) => parseC(text, 'block').findings.map(({ code }) => code);
  it('a missing bracket of a condition', () => {
    const text = 'if (stale(&sub, job.seq) {\n  again();\n}\ndone();';
    const unit = parseC(text, 'block');
    expect(unit.findings).toMatchObject([{ code: 'missing-parenthesis', severity: 'error' }]);
    const at = unit.findings[0]?.span;
    expect(text.slice(0, at?.end)).toBe('if (stale(&sub, job.seq)');
    expect(kinds(unit.items)).toEqual(['if', 'expression']);
  });
  it('a missing semicolon', () => {
    expect(codes('a = 1\nb = 2;')).toEqual(['missing-semicolon']);
    expect(kinds(parseC('a = 1\nb = 2;', 'block').items)).toEqual(['expression', 'expression']);
  });
  it('a missing brace, a stray one, a bracket too many, a number that is none', () => {
    expect(codes('if (a) { b();')).toEqual(['missing-brace']);
    expect(codes('a(); } b();')).toEqual(['syntax']);
    expect(codes('f(();').length).toBeGreaterThan(0);
    expect(codes('x = 09;')).toEqual(['syntax']);
    expect(codes('x = 1.5;')).toEqual(['unsupported']);
  });
  it('nesting without end', () => {
    expect(codes('('.repeat(5000))).toEqual(['too-deep']);
    expect(codes('{'.repeat(5000))).toEqual(['too-deep']);
    expect(codes(`x = ${'a + '.repeat(5000)}1;`)).toEqual(['too-deep']);
  });
  it('a megabyte of anything is read in one go', () => {
    for (const part of [
      '(',
      '{',
      'a.',
      'a;',
      'int (*(',
      '"',
      '/*',
      '@',
      'if(a)',
      'else ',
      '#x\n',
      'a[',
      '{.a=',
      'case 1:',
    ])
      parseC(part.repeat((1 << 18) / part.length), 'file');
    expect(parseC('}a;'.repeat((1 << 20) / 3), 'file').findings.at(-1)?.code).toBe('too-many-errors');
  }, 60_000);
});

describe('declarations', () => {
  it('reads pointers, arrays, initialisers and function pointers', () => {
    const unit = parseC('static const u64 *p = &q, table[4] = { 1, [2] = 3 }; int (*fn)(int, char) = call;', 'block');
    expect(unit.findings).toEqual([]);
    expect(unit.items).toMatchObject([
      {
        storage: 'static',
        declarators: [
          { name: 'p', type: { kind: 'pointer', to: { name: 'u64' } } },
          { name: 'table', type: { kind: 'array' }, initialiser: { items: [{}, { designators: [{}] }] } },
        ],
      },
      { declarators: [{ name: 'fn', type: { kind: 'pointer', to: { kind: 'function' } } }] },
    ]);
  });
  it('reads a prototype, a definition, a struct and an enum', () => {
    const text =
      'int probe(struct box *b, size_t n);\nstruct box { int a; struct { long b; }; u8 tail[2]; };\n' +
      'enum state { COLD, HOT = 5 };\nstatic int __init start(void)\n{\n  return 0;\n}';
    const unit = parseC(text, 'file');
    expect(unit.findings).toEqual([]);
    expect(kinds(unit.items)).toEqual(['declaration', 'declaration', 'declaration', 'function']);
    expect(unit.items[1]).toMatchObject({ base: { fields: [{ name: 'a' }, { name: 'b' }, { name: 'tail' }] } });
  });
  it('tells a product from a pointer declaration', () => {
    expect(kinds(parseC('int a, b; a * b; job_t * c;', 'block').items)).toEqual([
      'declaration',
      'expression',
      'declaration',
    ]);
  });
  it('reads every statement of C', () => {
    const text =
      'void f(void) { for (int i = 0; i < 3; i++) ; while (a) { break; } do { continue; } while (0);\n' +
      'switch (a) { case 1: case 2 ... 4: b(); default: ; }\nout: if (a) goto out; else return; ; }';
    const unit = parseC(text, 'file');
    expect(unit.findings).toEqual([]);
    const [item] = unit.items;
    expect(item?.kind === 'function' && kinds(item.body.items)).toEqual([
      'for',
      'while',
      'do',
      'switch',
      'label',
      'empty',
    ]);
  });
});
