/** Helpers of the kernel that work on the program's own objects: lists, strings, counters, bits. */
import { errnoName } from '../include/errno.ts';
import type { KernelGenerator, SourceSpan } from '../task/task.ts';
import type { Evaluating, Simple } from './builtins.ts';
import type { Place } from './memory.ts';
import { formatKernel } from './printf.ts';
import type { CType } from './types.ts';
import {
  type CObject,
  type CPointer,
  type CValue,
  errorOf,
  integer,
  isNull,
  NULL,
  stringOf,
  stringPointer,
  VOID,
} from './value.ts';

export type Waiting = (e: Evaluating, args: CValue[], span: SourceSpan) => KernelGenerator<CValue>;

const CHAR: CType = { kind: 'integer', type: 'char' };

function pointer(e: Evaluating, args: readonly CValue[], index: number, span: SourceSpan): CPointer {
  const value = args[index];
  if (value?.kind === 'pointer') return value;
  if (value?.kind === 'integer' && value.value === 0n) return NULL;
  throw e.stopped('type', `Argument ${index + 1} is not a pointer.`, span);
}
function numberAt(e: Evaluating, args: readonly CValue[], index: number, span: SourceSpan): bigint {
  const value = args[index];
  if (value?.kind !== 'integer') throw e.stopped('type', `Argument ${index + 1} is not a number.`, span);
  return value.value;
}

// ---- lists ----

const head = (e: Evaluating, value: CPointer, span: SourceSpan): CObject => {
  const place = e.dereference({ ...value, to: 'struct list_head' }, 'this list', span);
  if (place.kind !== 'object') throw e.badAccess('This is no struct list_head.', span);
  return place.object;
};
function link(e: Evaluating, of: CPointer, way: 'next' | 'prev', span: SourceSpan): CPointer {
  const value = e.load(e.member(head(e, of, span), way, span), way, span);
  if (value.kind === 'pointer') return value;
  throw e.badAccess('This is no struct list_head.', span);
}
function join(e: Evaluating, first: CPointer, second: CPointer, span: SourceSpan): void {
  e.store(e.member(head(e, first, span), 'next', span), { ...second, to: 'struct list_head' }, span);
  e.store(e.member(head(e, second, span), 'prev', span), { ...first, to: 'struct list_head' }, span);
}
function insert(e: Evaluating, entry: CPointer, before: CPointer, after: CPointer, span: SourceSpan): CValue {
  join(e, entry, after, span);
  join(e, before, entry, span);
  return VOID;
}
function unlink(e: Evaluating, entry: CPointer, span: SourceSpan): void {
  const [before, after] = [link(e, entry, 'prev', span), link(e, entry, 'next', span)];
  if (isNull(before) || isNull(after)) throw e.badAccess('This entry is on no list: its links are NULL.', span);
  join(e, before, after, span);
}
const isEmpty = (e: Evaluating, list: CPointer, span: SourceSpan): boolean =>
  e.samePointer(link(e, list, 'next', span), list);

const LISTS: readonly (readonly [string, Simple])[] = [
  [
    'INIT_LIST_HEAD',
    (e, args, span) => {
      const list = pointer(e, args, 0, span);
      join(e, list, list, span);
      return VOID;
    },
  ],
  [
    'list_add',
    (e, args, span) => {
      const [entry, list] = [pointer(e, args, 0, span), pointer(e, args, 1, span)];
      return insert(e, entry, list, link(e, list, 'next', span), span);
    },
  ],
  [
    'list_add_tail',
    (e, args, span) => {
      const [entry, list] = [pointer(e, args, 0, span), pointer(e, args, 1, span)];
      return insert(e, entry, link(e, list, 'prev', span), list, span);
    },
  ],
  [
    'list_del',
    (e, args, span) => {
      const entry = pointer(e, args, 0, span);
      unlink(e, entry, span);
      for (const way of ['next', 'prev'])
        e.store(e.member(head(e, entry, span), way, span), { ...NULL, to: 'struct list_head' }, span);
      return VOID;
    },
  ],
  [
    'list_del_init',
    (e, args, span) => {
      const entry = pointer(e, args, 0, span);
      unlink(e, entry, span);
      join(e, entry, entry, span);
      return VOID;
    },
  ],
  [
    'list_move',
    (e, args, span) => {
      const [entry, list] = [pointer(e, args, 0, span), pointer(e, args, 1, span)];
      unlink(e, entry, span);
      return insert(e, entry, list, link(e, list, 'next', span), span);
    },
  ],
  [
    'list_move_tail',
    (e, args, span) => {
      const [entry, list] = [pointer(e, args, 0, span), pointer(e, args, 1, span)];
      unlink(e, entry, span);
      return insert(e, entry, link(e, list, 'prev', span), list, span);
    },
  ],
  ['list_empty', (e, args, span) => integer(isEmpty(e, pointer(e, args, 0, span), span) ? 1 : 0)],
  [
    'list_is_singular',
    (e, args, span) => {
      const list = pointer(e, args, 0, span);
      const [next, last] = [link(e, list, 'next', span), link(e, list, 'prev', span)];
      return integer(!isEmpty(e, list, span) && e.samePointer(next, last) ? 1 : 0);
    },
  ],
  [
    'list_is_last',
    (e, args, span) =>
      integer(e.samePointer(link(e, pointer(e, args, 0, span), 'next', span), pointer(e, args, 1, span)) ? 1 : 0),
  ],
];

// ---- strings ----

function text(e: Evaluating, args: readonly CValue[], index: number, span: SourceSpan): string {
  const value = pointer(e, args, index, span);
  const found = stringOf(value);
  if (found !== undefined) return found;
  throw e.badAccess(
    isNull(value) || errorOf(value) !== undefined
      ? `Argument ${index + 1} is no string.`
      : `Argument ${index + 1} does not lead to characters.`,
    span,
  );
}
/** Writes characters and the NUL behind them, at most `room` of both. */
function writeText(e: Evaluating, to: CPointer, bytes: Uint8Array, room: number, span: SourceSpan): void {
  if (room <= 0) return;
  const taken = Math.min(bytes.length, room - 1);
  for (let i = 0; i <= taken; i++) {
    const place = e.dereference(e.advance({ ...to, to: 'char' }, BigInt(i), span), 'the buffer', span);
    e.store(place, integer(i < taken ? (bytes[i] ?? 0) : 0, 'char'), span);
  }
}
const encode = (of: string): Uint8Array => new TextEncoder().encode(of);
const UNBOUNDED = 1 << 20;

function formatted(e: Evaluating, args: readonly CValue[], from: number, span: SourceSpan): Uint8Array {
  return encode(formatKernel(text(e, args, from, span), args.slice(from + 1), (each) => e.address(each)));
}
const room = (e: Evaluating, args: readonly CValue[], index: number, span: SourceSpan): number =>
  Number(BigInt.asUintN(31, numberAt(e, args, index, span)));
function compared(a: Uint8Array, b: Uint8Array): CValue {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference) return integer(difference < 0 ? -1 : 1);
  }
  return integer(0);
}
function owned(e: Evaluating, bytes: Uint8Array, span: SourceSpan): CValue {
  const block = e.convert(e.allocated(BigInt(bytes.length + 1), false), { kind: 'pointer', to: CHAR }, span, true);
  if (block.kind === 'pointer') writeText(e, block, bytes, bytes.length + 1, span);
  return block;
}

const STRINGS: readonly (readonly [string, Simple])[] = [
  ['strlen', (e, args, span) => integer(encode(text(e, args, 0, span)).length, 'unsigned long')],
  [
    'strnlen',
    (e, args, span) =>
      integer(Math.min(encode(text(e, args, 0, span)).length, room(e, args, 1, span)), 'unsigned long'),
  ],
  ['strcmp', (e, args, span) => compared(encode(text(e, args, 0, span)), encode(text(e, args, 1, span)))],
  [
    'strncmp',
    (e, args, span) => {
      const length = room(e, args, 2, span);
      const [a, b] = [encode(text(e, args, 0, span)), encode(text(e, args, 1, span))];
      return compared(a.slice(0, length), b.slice(0, length));
    },
  ],
  [
    'strcpy',
    (e, args, span) => {
      const to = pointer(e, args, 0, span);
      writeText(e, to, encode(text(e, args, 1, span)), UNBOUNDED, span);
      return to;
    },
  ],
  ...['strscpy', 'strlcpy'].map((name): [string, Simple] => [
    name,
    (e, args, span) => {
      const bytes = encode(text(e, args, 1, span));
      const size = args.length > 2 ? room(e, args, 2, span) : UNBOUNDED;
      writeText(e, pointer(e, args, 0, span), bytes, size, span);
      if (name === 'strlcpy') return integer(bytes.length, 'unsigned long');
      return integer(bytes.length < size ? bytes.length : -7, 'long');
    },
  ]),
  ...['snprintf', 'scnprintf'].map((name): [string, Simple] => [
    name,
    (e, args, span) => {
      const bytes = formatted(e, args, 2, span);
      const size = room(e, args, 1, span);
      if (size > 0) writeText(e, pointer(e, args, 0, span), bytes, size, span);
      return integer(name === 'snprintf' ? bytes.length : Math.min(bytes.length, Math.max(0, size - 1)));
    },
  ]),
  [
    'sprintf',
    (e, args, span) => {
      const bytes = formatted(e, args, 1, span);
      writeText(e, pointer(e, args, 0, span), bytes, UNBOUNDED, span);
      return integer(bytes.length);
    },
  ],
  ...['kstrdup', 'kstrdup_const'].map((name): [string, Simple] => [
    name,
    (e, args, span) => (isNull(pointer(e, args, 0, span)) ? NULL : owned(e, encode(text(e, args, 0, span)), span)),
  ]),
  ['kasprintf', (e, args, span) => owned(e, formatted(e, args, 1, span), span)],
  ['devm_kasprintf', (e, args, span) => owned(e, formatted(e, args, 2, span), span)],
  [
    'errname',
    (e, args, span) => {
      const name = errnoName(Math.abs(Number(BigInt.asIntN(32, numberAt(e, args, 0, span)))));
      return name === undefined ? NULL : stringPointer(name);
    },
  ],
];

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

/** They order accesses, yield or pass time, of which the simulation has none to tell. */
const QUIET = [
  ...['mb', 'rmb', 'wmb', 'smp_mb', 'smp_rmb', 'smp_wmb', 'barrier', 'cpu_relax', 'might_sleep_if', 'dma_wmb'],
  ...['msleep', 'udelay', 'ndelay', 'mdelay', 'usleep_range', 'schedule', 'preempt_disable', 'preempt_enable'],
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
