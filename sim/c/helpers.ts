/** Helpers of the kernel that work on the program's own objects: counters, bits and numbers, beside lists and strings. */
import type { KernelGenerator, SourceSpan } from '../task/task.ts';
import type { Evaluating, Simple } from './builtins.ts';
import { numberAt, pointer } from './helperArguments.ts';
import { LISTS } from './listHelpers.ts';
import type { Place } from './memory.ts';
import { STRINGS } from './stringHelpers.ts';
import { type CValue, integer, VOID } from './value.ts';

export type Waiting = (e: Evaluating, args: CValue[], span: SourceSpan) => KernelGenerator<CValue>;

// ---- counters and bits ----

/** The number inside an atomic_t and what is built upon it. */
function counter(e: Evaluating, args: readonly CValue[], index: number, span: SourceSpan): Place {
  const value = pointer(e, args, index, span);
  let place = e.dereference(value, 'this counter', span);
  for (const name of ['refcount', 'refs', 'counter']) {
    if (place.kind !== 'object') break;
    const object = place.object;
    if (name in object) place = e.member(object, name, span);
  }
  if (place.kind !== 'slot' || place.type.kind !== 'integer') throw e.badAccess('This is no counter.', span);
  return place;
}
const count = (e: Evaluating, place: Place, span: SourceSpan): bigint => {
  const value = e.load(place, 'this counter', span);
  return value.kind === 'integer' ? value.value : 0n;
};
function put(e: Evaluating, place: Place, value: bigint, span: SourceSpan): CValue {
  const type = place.type.kind === 'integer' ? place.type.type : 'int';
  const stored = integer(value, type);
  e.store(place, stored, span);
  return stored;
}
/** An operation on a counter: `at` is where its pointer stands, `by` where the number does. */
const counting =
  (by: (given: bigint) => bigint, result: (before: bigint, after: bigint) => CValue, hasNumber: boolean): Simple =>
  (e, args, span) => {
    const place = counter(e, args, hasNumber ? 1 : 0, span);
    const before = count(e, place, span);
    const given = hasNumber ? numberAt(e, args, 0, span) : 1n;
    const after = put(e, place, before + by(given), span);
    return result(before, after.kind === 'integer' ? after.value : 0n);
  };
const plus = (given: bigint): bigint => given;
const minus = (given: bigint): bigint => -given;
const nothing = (): CValue => VOID;
const isZero = (_: bigint, after: bigint): CValue => integer(after === 0n ? 1 : 0, 'bool');

function counters(prefix: string, type: 'int' | 'long' | 'long long'): [string, Simple][] {
  const after = (_: bigint, value: bigint): CValue => integer(value, type);
  const before = (value: bigint): CValue => integer(value, type);
  return [
    [`${prefix}_read`, (e, args, span) => integer(count(e, counter(e, args, 0, span), span), type)],
    [
      `${prefix}_set`,
      (e, args, span) => {
        put(e, counter(e, args, 0, span), numberAt(e, args, 1, span), span);
        return VOID;
      },
    ],
    [`${prefix}_inc`, counting(plus, nothing, false)],
    [`${prefix}_dec`, counting(minus, nothing, false)],
    [`${prefix}_add`, counting(plus, nothing, true)],
    [`${prefix}_sub`, counting(minus, nothing, true)],
    [`${prefix}_inc_return`, counting(plus, after, false)],
    [`${prefix}_dec_return`, counting(minus, after, false)],
    [`${prefix}_add_return`, counting(plus, after, true)],
    [`${prefix}_sub_return`, counting(minus, after, true)],
    [`${prefix}_fetch_add`, counting(plus, before, true)],
    [`${prefix}_inc_and_test`, counting(plus, isZero, false)],
    [`${prefix}_dec_and_test`, counting(minus, isZero, false)],
    [`${prefix}_sub_and_test`, counting(minus, isZero, true)],
    [
      `${prefix}_inc_not_zero`,
      (e, args, span) => {
        const place = counter(e, args, 0, span);
        const held = count(e, place, span);
        if (held !== 0n) put(e, place, held + 1n, span);
        return integer(held === 0n ? 0 : 1, 'bool');
      },
    ],
    [
      `${prefix}_cmpxchg`,
      (e, args, span) => {
        const place = counter(e, args, 0, span);
        const held = count(e, place, span);
        if (held === numberAt(e, args, 1, span)) put(e, place, numberAt(e, args, 2, span), span);
        return integer(held, type);
      },
    ],
    [
      `${prefix}_xchg`,
      (e, args, span) => {
        const place = counter(e, args, 0, span);
        const held = count(e, place, span);
        put(e, place, numberAt(e, args, 1, span), span);
        return integer(held, type);
      },
    ],
  ];
}

/** The word that holds a bit, and the bit in it. */
function bit(e: Evaluating, args: readonly CValue[], span: SourceSpan): { place: Place; mask: bigint } {
  const number = numberAt(e, args, 0, span);
  if (number < 0n) throw e.badAccess(`There is no bit ${number}.`, span);
  const words = e.advance({ ...pointer(e, args, 1, span), to: 'unsigned long' }, number / 64n, span);
  return { place: e.dereference(words, 'this bitmap', span), mask: 1n << (number % 64n) };
}
const bits =
  (change: (word: bigint, mask: bigint) => bigint, tells: boolean): Simple =>
  (e, args, span) => {
    const { place, mask } = bit(e, args, span);
    const held = count(e, place, span);
    const next = change(BigInt.asUintN(64, held), mask);
    if (next !== held) put(e, place, next, span);
    return tells ? integer((BigInt.asUintN(64, held) & mask) === 0n ? 0 : 1, 'bool') : VOID;
  };
const set = (word: bigint, mask: bigint): bigint => word | mask;
const clear = (word: bigint, mask: bigint): bigint => word & ~mask;
const change = (word: bigint, mask: bigint): bigint => word ^ mask;
const both = (name: string, run: Simple): [string, Simple][] => [
  [name, run],
  [`__${name}`, run],
];
const BITS: readonly (readonly [string, Simple])[] = [
  ...both('set_bit', bits(set, false)),
  ...both('clear_bit', bits(clear, false)),
  ...both('change_bit', bits(change, false)),
  ...both('test_and_set_bit', bits(set, true)),
  ...both('test_and_clear_bit', bits(clear, true)),
  ['test_bit', bits((word) => word, true)],
];

// ---- numbers ----

const log2 = (value: bigint): number => (value > 0n ? value.toString(2).length - 1 : -1);
const lowest = (value: bigint): number => log2(value & -value);
const plain =
  (give: (value: bigint) => bigint | number, bits: number): Simple =>
  (e, args, span) =>
    integer(give(BigInt.asUintN(bits, numberAt(e, args, 0, span))), bits > 32 ? 'unsigned long' : 'int');
const NUMBERS: readonly (readonly [string, Simple])[] = [
  ['ilog2', plain(log2, 64)],
  ['order_base_2', plain((value) => (value > 1n ? log2(value - 1n) + 1 : 0), 64)],
  ['roundup_pow_of_two', plain((value) => (value > 1n ? 1n << BigInt(log2(value - 1n) + 1) : 1n), 64)],
  ['rounddown_pow_of_two', plain((value) => (value > 0n ? 1n << BigInt(log2(value)) : 0n), 64)],
  ['is_power_of_2', plain((value) => (value > 0n && (value & (value - 1n)) === 0n ? 1 : 0), 64)],
  ['fls', plain((value) => log2(value) + 1, 32)],
  ['fls64', plain((value) => log2(value) + 1, 64)],
  ['__fls', plain(log2, 64)],
  ['ffs', plain((value) => lowest(value) + 1, 32)],
  ['__ffs', plain(lowest, 64)],
  ['hweight32', plain((value) => value.toString(2).replaceAll('0', '').length, 32)],
  ['hweight64', plain((value) => value.toString(2).replaceAll('0', '').length, 64)],
  [
    'get_order',
    (e, args, span) => {
      const pages = (BigInt.asUintN(64, numberAt(e, args, 0, span)) + 4095n) >> 12n;
      return integer(pages > 1n ? log2(pages - 1n) + 1 : 0);
    },
  ],
  [
    'FIELD_PREP',
    (e, args, span) => {
      const mask = BigInt.asUintN(64, numberAt(e, args, 0, span));
      return integer((numberAt(e, args, 1, span) << BigInt(Math.max(0, lowest(mask)))) & mask, 'unsigned long');
    },
  ],
  [
    'FIELD_GET',
    (e, args, span) => {
      const mask = BigInt.asUintN(64, numberAt(e, args, 0, span));
      return integer(
        (BigInt.asUintN(64, numberAt(e, args, 1, span)) & mask) >> BigInt(Math.max(0, lowest(mask))),
        'unsigned long',
      );
    },
  ],
];

/** They order accesses, yield, or take less time than a jiffy, of which the simulation has none to tell. */
const QUIET = [
  ...['mb', 'rmb', 'wmb', 'smp_mb', 'smp_rmb', 'smp_wmb', 'barrier', 'cpu_relax', 'might_sleep_if', 'dma_wmb'],
  ...['udelay', 'ndelay', 'mdelay', 'usleep_range', 'schedule', 'preempt_disable', 'preempt_enable'],
  ...['rcu_read_lock', 'rcu_read_unlock', 'lockdep_assert_held', 'smp_mb__after_atomic', 'smp_mb__before_atomic'],
  ...['mmap_assert_locked', 'lockdep_assert_held_write', 'lockdep_assert_held_read', 'kmem_cache_shrink'],
];

export const HELPERS: ReadonlyMap<string, Simple> = new Map<string, Simple>([
  ...LISTS,
  ...STRINGS,
  ...counters('atomic', 'int'),
  ...counters('atomic64', 'long long'),
  ...counters('atomic_long', 'long'),
  ...counters('refcount', 'int'),
  ...BITS,
  ...NUMBERS,
  ...QUIET.map((name): [string, Simple] => [name, () => VOID]),
  [
    'kref_init',
    (e, args, span) => {
      put(e, counter(e, args, 0, span), 1n, span);
      return VOID;
    },
  ],
  ['kref_get', counting(plus, nothing, false)],
  ['kref_read', (e, args, span) => integer(count(e, counter(e, args, 0, span), span), 'unsigned int')],
]);

/** Helpers that call back. */
export const CALLING: ReadonlyMap<string, Waiting> = new Map<string, Waiting>([
  [
    'kref_put',
    function* (e, args, span) {
      const place = counter(e, args, 0, span);
      const after = put(e, place, count(e, place, span) - 1n, span);
      if (after.kind !== 'integer' || after.value !== 0n) return integer(0);
      const release = args[1];
      if (release?.kind !== 'pointer' || release.target.kind !== 'function')
        throw e.stopped('not-a-function', 'kref_put needs a function to release the object with.', span);
      yield* e.invoke(release.target.function, [args[0] ?? VOID], span);
      return integer(1);
    },
  ],
]);
