import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BudgetExceeded, CStop } from '../../sim/c/environment.ts';
import { run } from '../../sim/c/evaluate.ts';
import { parseC } from '../../sim/c/parse.ts';
import { formatValue } from '../../sim/c/print.ts';
import { parseTypeName, spell } from '../../sim/c/types.ts';
import { BadAccess, integer, stringOf, stringPointer } from '../../sim/c/value.ts';
import { FakeMachine, finish, runText } from '../unit/cFakeMachine.ts';

const runs = { numRuns: Number(process.env.ZONESCOPE_RUNS ?? 300) };

/** The reference: integers as 64-bit patterns with a width and a sign, written without the evaluator's tables. */
interface Reference {
  text: string;
  value: bigint;
  bits: number;
  signed: boolean;
  /** `long long` ranks above `long` of the same width. */
  rank: number;
}
const TYPES = [
  ['u8', 8, false, 1],
  ['s8', 8, true, 1],
  ['u16', 16, false, 2],
  ['s16', 16, true, 2],
  ['u32', 32, false, 3],
  ['int', 32, true, 3],
  ['unsigned long', 64, false, 4],
  ['long', 64, true, 4],
  ['u64', 64, false, 5],
  ['s64', 64, true, 5],
] as const;
const wrapped = (value: bigint, bits: number, signed: boolean): bigint => {
  const low = value & ((1n << BigInt(bits)) - 1n);
  return signed && low >> BigInt(bits - 1) ? low - (1n << BigInt(bits)) : low;
};
const promote = (r: Reference): Reference => (r.bits < 32 ? { ...r, bits: 32, signed: true, rank: 3 } : r);
function balance(left: Reference, right: Reference): [bigint, bigint, Pick<Reference, 'bits' | 'signed' | 'rank'>] {
  const [a, b] = [promote(left), promote(right)];
  const wide = a.rank >= b.rank ? a : b;
  const narrow = wide === a ? b : a;
  // Unsigned wins unless the signed type is wide enough for all its values.
  const signed = wide.signed && (narrow.signed || wide.bits > narrow.bits);
  const type = { bits: wide.bits, signed, rank: wide.rank };
  return [wrapped(a.value, type.bits, signed), wrapped(b.value, type.bits, signed), type];
}
const INT_TYPE = { bits: 32, signed: true, rank: 3 };
const leaf = fc
  .tuple(fc.constantFrom(...TYPES), fc.oneof(fc.bigInt(-3n, 3n), fc.bigInt(-(1n << 63n), (1n << 64n) - 1n)))
  .map(([[name, bits, signed, rank], raw]): Reference => {
    const value = wrapped(raw, bits, signed);
    const pattern = BigInt.asUintN(64, value);
    return { text: `(${name})0x${pattern.toString(16)}`, value, bits, signed, rank };
  });
const OPERATORS = [
  '+',
  '-',
  '*',
  '&',
  '|',
  '^',
  '<',
  '>',
  '<=',
  '>=',
  '==',
  '!=',
  '<<',
  '>>',
  '/',
  '%',
  '&&',
  '||',
  '?',
] as const;

function combine(operator: (typeof OPERATORS)[number], left: Reference, right: Reference): Reference {
  const text = `(${left.text} ${operator} ${right.text})`;
  const [a, b, type] = balance(left, right);
  const truth = (value: boolean): Reference => ({ text, value: value ? 1n : 0n, ...INT_TYPE });
  const number = (value: bigint): Reference => ({ text, value: wrapped(value, type.bits, type.signed), ...type });
  switch (operator) {
    case '+':
      return number(a + b);
    case '-':
      return number(a - b);
    case '*':
      return number(a * b);
    case '&':
      return number(a & b);
    case '|':
      return number(a | b);
    case '^':
      return number(a ^ b);
    case '<':
      return truth(a < b);
    case '>':
      return truth(a > b);
    case '<=':
      return truth(a <= b);
    case '>=':
      return truth(a >= b);
    case '==':
      return truth(a === b);
    case '!=':
      return truth(a !== b);
    case '&&':
      return truth(left.value !== 0n && right.value !== 0n);
    case '||':
      return truth(left.value !== 0n || right.value !== 0n);
    case '?':
      return { ...number(left.value ? a : b), text: `(${left.text} ? ${left.text} : ${right.text})` };
    case '<<':
    case '>>': {
      const shifted = promote(left);
      const count = ((right.value % 7n) + 7n) % 7n;
      const value = operator === '<<' ? shifted.value << count : shifted.value >> count;
      return {
        ...shifted,
        text: `(${left.text} ${operator} ${count})`,
        value: wrapped(value, shifted.bits, shifted.signed),
      };
    }
    case '/':
    case '%': {
      // A divisor that is 1 or more in every type involved.
      const divisor: Reference = { text: '(u8)3', value: 3n, bits: 8, signed: false, rank: 1 };
      const [x, y, t] = balance(left, divisor);
      const value = operator === '/' ? x / y : x - (x / y) * y;
      return { ...t, text: `(${left.text} ${operator} ${divisor.text})`, value: wrapped(value, t.bits, t.signed) };
    }
  }
}
const expressions = fc.letrec<{ node: Reference }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    fc
      .tuple(fc.constantFrom(...OPERATORS), tie('node'), tie('node'))
      .map(([operator, a, b]) => combine(operator, a, b)),
    fc.tuple(fc.constantFrom('-', '~', '!'), tie('node')).map(([operator, r]): Reference => {
      if (operator === '!') return { text: `!${r.text}`, value: r.value ? 0n : 1n, ...INT_TYPE };
      const p = promote(r);
      return {
        ...p,
        text: `(${operator} ${r.text})`,
        value: wrapped(operator === '-' ? -p.value : ~p.value, p.bits, p.signed),
      };
    }),
    fc.tuple(fc.constantFrom(...TYPES), tie('node')).map(
      ([[name, bits, signed, rank], r]): Reference => ({
        text: `((${name})${r.text})`,
        value: wrapped(r.value, bits, signed),
        bits,
        signed,
        rank,
      }),
    ),
  ),
})).node;

/** Pieces a driver is made of, right and wrong, for texts nobody would write. */
const SEED = `
static int seen;
struct item { int id; struct item *next; u8 raw[4]; };
static int visit(struct item *at, unsigned long n)
{
  struct item local = { .id = 3, .raw = { 1, 2 } }, *p = &local;
  /* look at it
   * closely */
retry:
  for (int i = 0; i < 4 && p; i++) {
    if (probe(p, /* how */, "name") == -EBUSY) goto retry;
    switch (p->id % 3) { case 0: seen += i; break; case 1 ... 2: p->raw[i] = ~n >> 2; default: ; }
  }
  ...
  while (at && at->id-- > 0) at = at->next ? at->next : (struct item *)0;
  p->next = container_of(&p->raw, struct item, raw);
  pr_info("%d %pR %s\\n", p->id, p, "x");
  return sizeof(*p) + (p - &local) + visit(p, n / (seen - 1)) + ARRAY_SIZE(p->raw);
}
`;
const PIECES = SEED.match(/\w+|\s+|[^\w\s]{1,2}/g) ?? [];
const mutations = fc.array(fc.tuple(fc.nat(PIECES.length), fc.nat(6), fc.nat(PIECES.length - 1)), { maxLength: 12 });
function mutate(changes: readonly (readonly [number, number, number])[]): string {
  const pieces = [...PIECES];
  for (const [at, kind, other] of changes) {
    if (kind < 2) pieces.splice(at, 1 + kind * 4);
    else if (kind < 4) pieces.splice(at, 0, PIECES[other] ?? '');
    else if (kind < 6) pieces[at] = PIECES[other] ?? '';
    else pieces.splice(at, 0, ...pieces.slice(other, other + 12));
  }
  return pieces.join('');
}
function isTyped(error: unknown): boolean {
  return error instanceof BadAccess || error instanceof CStop || error instanceof BudgetExceeded;
}
function attempt(text: string, mode: 'block' | 'expression' | 'file'): void {
  const machine = new FakeMachine();
  machine.budget.statements = 300;
  machine.kernelFunction('int probe(struct item *p, int how, const char *name)', (args) => integer(args.values.length));
  machine.holes = ({ position }) =>
    position.kind === 'statement' ? 'seen++;' : position.kind === 'argument' ? '1' : undefined;
  const unit = parseC(text, mode);
  for (const name of [undefined, 'visit']) {
    try {
      finish(run(unit, machine, name ? { entry: name, args: [integer(0), integer(5, 'unsigned long')] } : {}));
    } catch (error) {
      if (!isTyped(error)) throw error;
    }
  }
  for (const { span } of [...unit.findings, ...unit.holes, ...machine.findings]) {
    expect(span.start).toBeGreaterThanOrEqual(0);
    expect(span.end).toBeGreaterThanOrEqual(span.start);
    expect(span.end).toBeLessThanOrEqual(text.length);
  }
}

describe('C, at random', { timeout: 120_000 }, () => {
  it('every integer expression has the value and the type the C standard gives it', () => {
    fc.assert(
      fc.property(expressions, (reference) => {
        const value = runText(`return ${reference.text};`);
        if (value.kind !== 'integer') throw new Error(formatValue(value));
        expect(value.value).toBe(reference.value);
        expect(runText(`return sizeof(${reference.text});`)).toMatchObject({ value: BigInt(reference.bits / 8) });
      }),
      runs,
    );
  });
  it('a mutilated driver never breaks the parser, and its run ends with a typed error or a value', () => {
    fc.assert(
      fc.property(
        mutations,
        fc.constantFrom('block' as const, 'file' as const, 'expression' as const),
        (changes, mode) => {
          attempt(mutate(changes), mode);
        },
      ),
      runs,
    );
  });
  it('nor does any text at all', () => {
    const pieces = fc.constantFrom(
      ...'(){}[];,.*&->=+<>!?:"\'#\\/|~%^ \n'.split(''),
      '...',
      '/*',
      '*/',
      'if',
      'x',
      '1',
      'struct',
      'int',
      '0x',
      'goto',
      'case',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 200 }),
          fc.array(pieces, { maxLength: 80 }).map((list) => list.join('')),
        ),
        (text) => {
          for (const mode of ['block', 'expression', 'file'] as const) attempt(text, mode);
        },
      ),
      runs,
    );
  });
  it('the spans of statements lie in the text, in order', () => {
    fc.assert(
      fc.property(mutations, (changes) => {
        const text = mutate(changes);
        let last = 0;
        for (const item of parseC(text, 'block').items) {
          expect(item.span.start).toBeGreaterThanOrEqual(last);
          expect(item.span.end).toBeLessThanOrEqual(text.length);
          last = item.span.start;
        }
      }),
      runs,
    );
  });
  it('a type reads back from its spelling, and a text from its array', () => {
    const names = fc.constantFrom('int', 'unsigned long', 'struct page', 'void', 'u8', 'spinlock_t');
    fc.assert(
      fc.property(names, fc.nat(3), fc.option(fc.nat(9)), (name, stars, length) => {
        const type = parseTypeName(`${name} ${'*'.repeat(stars)}${length === null ? '' : ` [${length}]`}`);
        expect(spell(parseTypeName(spell(type)))).toBe(spell(type));
      }),
      runs,
    );
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const whole = text.replaceAll('\0', '');
        expect(stringOf(stringPointer(whole))).toBe(whole);
      }),
      runs,
    );
  });
});
