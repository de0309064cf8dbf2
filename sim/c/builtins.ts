/** The macros and helpers of the kernel that need the text of their arguments, or nothing but values. */
import type { KernelGenerator, SourceSpan } from '../task/task.ts';
import type { CallNode, Expression } from './ast.ts';
import type { CEnvironment, CStop } from './environment.ts';
import type { Place } from './memory.ts';
import { isArray, ownerOf } from './objects.ts';
import { formatKernel } from './printf.ts';
import { type CType, commonType, pointerTo } from './types.ts';
import {
  addressPointer,
  type BadAccess,
  type CFunction,
  type CInteger,
  type CObject,
  type CPointer,
  type CStruct,
  type CValue,
  ERR_PTR,
  errorOf,
  integer,
  isNull,
  stringOf,
  VOID,
} from './value.ts';

/** What a builtin may ask of the evaluator. */
export interface Evaluating {
  readonly env: CEnvironment;
  value(node: Expression): KernelGenerator<CValue>;
  place(node: Expression): KernelGenerator<Place>;
  load(place: Place, what: string, span: SourceSpan): CValue;
  store(place: Place, value: CValue, span: SourceSpan): void;
  convert(value: CValue, type: CType, span: SourceSpan, explicit?: boolean): CValue;
  truth(value: CValue, span: SourceSpan): boolean;
  resolveArgument(node: Expression | undefined, span: SourceSpan): CType;
  staticType(node: Expression): CType | undefined;
  layout(tag: string, span: SourceSpan): { offsets: Map<string, number> } | undefined;
  address(pointer: CPointer): bigint;
  fromAddress(address: bigint, to: string): CPointer;
  zeroed(place: Place, span: SourceSpan): void;
  /** A copy of a whole object, that nobody else has. */
  copied(from: Place, span: SourceSpan): Place;
  copyPlace(from: Place, to: Place, span: SourceSpan): void;
  dereference(pointer: CPointer, what: string, span: SourceSpan): Place;
  allocated(bytes: bigint, automatic: boolean): CPointer;
  free(pointer: CPointer, span: SourceSpan): boolean;
  member(object: CObject, field: string, span: SourceSpan): Place;
  advance(pointer: CPointer, count: bigint, span: SourceSpan): CPointer;
  samePointer(a: CPointer, b: CPointer): boolean;
  invoke(callee: CFunction, args: readonly CValue[], span: SourceSpan): KernelGenerator<CValue>;
  words(span: SourceSpan): string;
  once(span: SourceSpan): boolean;
  badAccess(message: string, span: SourceSpan): BadAccess;
  stopped(code: CStop['code'], message: string, span: SourceSpan): CStop;
}
type Special = (e: Evaluating, node: CallNode) => KernelGenerator<CValue> | CValue;
export type Simple = (e: Evaluating, args: CValue[], span: SourceSpan) => CValue;

const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug'];

function* integerArgument(e: Evaluating, node: CallNode, index: number): KernelGenerator<CInteger> {
  const argument = node.arguments[index];
  const callee = node.callee.kind === 'name' ? node.callee.name : 'this macro';
  if (!argument) throw e.stopped('argument-count', `${callee}: argument ${index + 1} is missing.`, node.span);
  const value = yield* e.value(argument);
  if (value.kind !== 'integer')
    throw e.stopped('type', `${callee}: argument ${index + 1} is not a number.`, argument.span);
  return value;
}
/** The argument at `index`, or a stop that says which one is missing. */
function argumentAt(e: Evaluating, node: CallNode, index: number): Expression {
  const argument = node.arguments[index];
  if (argument) return argument;
  const callee = node.callee.kind === 'name' ? node.callee.name : 'this macro';
  throw e.stopped('argument-count', `${callee}: argument ${index + 1} is missing.`, node.span);
}

function smaller(pick: 'min' | 'max', typed: boolean): Special {
  return function* (e, node) {
    const shift = typed ? 1 : 0;
    const type = typed ? e.resolveArgument(node.arguments[0], node.span) : undefined;
    const left = yield* integerArgument(e, node, shift);
    const right = yield* integerArgument(e, node, shift + 1);
    const common = type?.kind === 'integer' ? type.type : commonType(left.type, right.type);
    const [a, b] = [integer(left.value, common), integer(right.value, common)];
    return a.value < b.value === (pick === 'min') ? a : b;
  };
}
/** `align` rounds to a power of two; up, or down. */
function aligned(up: boolean, fixed?: string): Special {
  return function* (e, node) {
    const value = yield* integerArgument(e, node, 0);
    const by = fixed ? pageSize(e) : integer((yield* integerArgument(e, node, 1)).value, value.type).value;
    if (by <= 0n) throw e.badAccess('An alignment must be greater than zero.', node.span);
    const lifted = up ? integer(value.value + by - 1n, value.type).value : value.value;
    const type = fixed ? commonType(value.type, 'unsigned long') : value.type;
    return integer(lifted - (((lifted % by) + by) % by), type);
  };
}
function pageShift(e: Evaluating): bigint {
  const constant = e.env.constant('PAGE_SHIFT');
  return constant?.kind === 'integer' ? constant.value : 12n;
}
const pageSize = (e: Evaluating): bigint => 1n << pageShift(e);

function warn(once: boolean, formatted: boolean): Special {
  return function* (e, node) {
    const condition = argumentAt(e, node, 0);
    const failed = e.truth(yield* e.value(condition), condition.span);
    const rest: CValue[] = [];
    if (formatted) for (const argument of node.arguments.slice(1)) rest.push(yield* e.value(argument));
    if (failed && (!once || e.once(node.span))) {
      const text = `${e.words(condition.span)} at ${e.words(node.callee.span)}()`;
      if (e.env.warn) e.env.warn(text);
      else e.env.printk(4, `WARNING: ${text}`);
      if (formatted) print(e, 4, rest, node.span);
    }
    return integer(failed ? 1 : 0);
  };
}
function print(e: Evaluating, level: number, args: readonly CValue[], span: SourceSpan): number {
  const [format, ...rest] = args;
  const text = format && stringOf(format);
  if (text === undefined) throw e.badAccess('A message needs a format text.', span);
  const prefix = text.startsWith('\u0001') ? text[1] : undefined;
  const message = formatKernel(prefix === undefined ? text : text.slice(2), rest, (pointer) => e.address(pointer));
  const { budget } = e.env;
  if (budget.elements !== undefined) {
    budget.elements -= 1 + (message.length >> 3);
    if (budget.elements < 0)
      throw e.stopped('too-large', 'This prints more than the simulation holds: does it ever end?', span);
  }
  e.env.printk(prefix !== undefined && /[0-7]/.test(prefix) ? Number(prefix) : level, message);
  return message.length;
}

function* member(e: Evaluating, node: CallNode): KernelGenerator<CValue> {
  const pointer = yield* e.value(argumentAt(e, node, 0));
  const type = e.resolveArgument(node.arguments[1], node.span);
  const field = node.arguments[2];
  if (type.kind !== 'struct' || field?.kind !== 'name')
    throw e.stopped('type', 'container_of takes a pointer, a struct type and the name of a member.', node.span);
  if (pointer.kind !== 'pointer') throw e.stopped('type', 'container_of takes a pointer.', node.span);
  const { target } = pointer;
  const owner = target.kind === 'slot' ? target : target.kind === 'object' ? ownerOf(target.object) : undefined;
  if (owner && !isArray(owner.object) && owner.key === field.name && (owner.object as CStruct).$struct === type.tag)
    return { kind: 'pointer', to: type.name, target: { kind: 'object', object: owner.object } };
  const offset = e.layout(type.tag, node.span)?.offsets.get(field.name);
  if (target.kind === 'address' && offset !== undefined)
    return e.fromAddress(target.address - BigInt(offset), type.name);
  throw e.badAccess(`This pointer does not lead to the member ${field.name} of a ${type.name}.`, node.span);
}

/** Macros that need more of an argument than its value. */
export const SPECIAL: ReadonlyMap<string, Special> = new Map<string, Special>([
  ['container_of', member],
  [
    'offsetof',
    (e, node) => {
      const type = e.resolveArgument(node.arguments[0], node.span);
      const field = node.arguments[1];
      const offset =
        type.kind === 'struct' && field?.kind === 'name'
          ? e.layout(type.tag, node.span)?.offsets.get(field.name)
          : undefined;
      if (offset === undefined) throw e.stopped('unsupported', 'This offset is not known.', node.span);
      return integer(offset, 'unsigned long');
    },
  ],
  [
    'ARRAY_SIZE',
    function* (e, node) {
      const place = yield* e.place(argumentAt(e, node, 0));
      if (place.kind !== 'object' || !isArray(place.object))
        throw e.stopped('type', 'ARRAY_SIZE takes an array, not a pointer.', node.span);
      return integer(place.object.elements.length, 'unsigned long');
    },
  ],
  [
    'READ_ONCE',
    function* (e, node) {
      return yield* e.value(argumentAt(e, node, 0));
    },
  ],
  [
    'WRITE_ONCE',
    function* (e, node) {
      const value = yield* e.value(argumentAt(e, node, 1));
      const place = yield* e.place(argumentAt(e, node, 0));
      e.store(place, e.convert(value, place.type, node.span), node.span);
      return VOID;
    },
  ],
  [
    'swap',
    function* (e, node) {
      const [a, b] = [yield* e.place(argumentAt(e, node, 0)), yield* e.place(argumentAt(e, node, 1))];
      if (a.kind === 'object' && b.kind === 'object' && !isArray(a.object)) {
        const held = e.copied(a, node.span);
        e.copyPlace(b, a, node.span);
        e.copyPlace(held, b, node.span);
        return VOID;
      }
      const [left, right] = [e.load(a, 'a', node.span), e.load(b, 'b', node.span)];
      e.store(a, e.convert(right, a.type, node.span), node.span);
      e.store(b, e.convert(left, b.type, node.span), node.span);
      return VOID;
    },
  ],
  ['min', smaller('min', false)],
  ['max', smaller('max', false)],
  ['min_t', smaller('min', true)],
  ['max_t', smaller('max', true)],
  ['ALIGN', aligned(true)],
  ['ALIGN_DOWN', aligned(false)],
  ['round_up', aligned(true)],
  ['round_down', aligned(false)],
  ['roundup', aligned(true)],
  ['rounddown', aligned(false)],
  ['PAGE_ALIGN', aligned(true, 'page')],
  ['PAGE_ALIGN_DOWN', aligned(false, 'page')],
  ['WARN_ON', warn(false, false)],
  ['WARN_ON_ONCE', warn(true, false)],
  ['WARN_ON_SMP', warn(false, false)],
  ['VM_WARN_ON', warn(false, false)],
  ['VM_WARN_ON_ONCE', warn(true, false)],
  ['WARN', warn(false, true)],
  ['WARN_ONCE', warn(true, true)],
]);

const truthValue: Simple = (e, [value = integer(0)], span) => integer(e.truth(value, span) ? 1 : 0, 'long');
const bug: Simple = (e, [value = integer(0)], span) => {
  if (e.truth(value, span)) throw e.badAccess('kernel BUG: the condition of this BUG_ON() is true.', span);
  return VOID;
};
export function number(e: Evaluating, args: readonly CValue[], index: number, span: SourceSpan): CInteger {
  const value = args[index];
  if (value?.kind !== 'integer') throw e.stopped('type', `Argument ${index + 1} is not a number.`, span);
  return value;
}
/** Functions of values alone. */
export const SIMPLE: ReadonlyMap<string, Simple> = new Map<string, Simple>([
  ['ERR_PTR', (e, args, span) => ERR_PTR(Number(BigInt.asIntN(64, number(e, args, 0, span).value)))],
  ['ERR_CAST', (e, [value = integer(0)], span) => e.convert(value, pointerTo({ kind: 'void' }), span, true)],
  ['PTR_ERR', (e, [value = integer(0)]) => integer(value.kind === 'pointer' ? e.address(value) : 0n, 'long')],
  ['IS_ERR', (_, [value = integer(0)]) => integer(errorOf(value) !== undefined ? 1 : 0, 'bool')],
  [
    'IS_ERR_OR_NULL',
    (_, [value = integer(0)]) => integer(isNull(value) || errorOf(value) !== undefined ? 1 : 0, 'bool'),
  ],
  ['PTR_ERR_OR_ZERO', (_, [value = integer(0)]) => integer(errorOf(value) ?? 0, 'int')],
  ['BIT', (e, args, span) => integer(1n << (number(e, args, 0, span).value & 63n), 'unsigned long')],
  ['BIT_ULL', (e, args, span) => integer(1n << (number(e, args, 0, span).value & 63n), 'unsigned long long')],
  ['GENMASK', (e, args, span) => mask(e, args, span, 'unsigned long')],
  ['GENMASK_ULL', (e, args, span) => mask(e, args, span, 'unsigned long long')],
  ['likely', truthValue],
  ['unlikely', truthValue],
  ['BUG_ON', bug],
  ['VM_BUG_ON', bug],
  ['BUG', (e, _, span) => bug(e, [integer(1)], span)],
  ['BUILD_BUG_ON', () => VOID],
  ['might_sleep', () => VOID],
  ['cond_resched', () => integer(0)],
  [
    'abs',
    (e, args, span) => {
      const { value, type } = number(e, args, 0, span);
      return integer(value < 0n ? -value : value, type);
    },
  ],
  [
    'IS_ALIGNED',
    (e, args, span) => {
      const by = number(e, args, 1, span).value;
      return integer(by > 0n && (number(e, args, 0, span).value & (by - 1n)) === 0n ? 1 : 0, 'bool');
    },
  ],
  [
    'DIV_ROUND_UP',
    (e, args, span) => {
      const [a, b] = [number(e, args, 0, span), number(e, args, 1, span)];
      if (b.value === 0n) throw e.badAccess('Division by zero in DIV_ROUND_UP.', span);
      return integer((a.value + b.value - 1n) / b.value, commonType(a.type, b.type));
    },
  ],
  [
    'upper_32_bits',
    (e, args, span) => integer(BigInt.asUintN(64, number(e, args, 0, span).value) >> 32n, 'unsigned int'),
  ],
  ['lower_32_bits', (e, args, span) => integer(number(e, args, 0, span).value, 'unsigned int')],
  [
    'PFN_UP',
    (e, args, span) =>
      integer((BigInt.asUintN(64, number(e, args, 0, span).value) + pageSize(e) - 1n) >> pageShift(e), 'unsigned long'),
  ],
  [
    'PFN_DOWN',
    (e, args, span) => integer(BigInt.asUintN(64, number(e, args, 0, span).value) >> pageShift(e), 'unsigned long'),
  ],
  [
    'PHYS_PFN',
    (e, args, span) => integer(BigInt.asUintN(64, number(e, args, 0, span).value) >> pageShift(e), 'unsigned long'),
  ],
  ['PFN_PHYS', (e, args, span) => integer(number(e, args, 0, span).value << pageShift(e), 'unsigned long long')],
  ['printk', (e, args, span) => integer(print(e, 4, args, span))],
  ...LEVELS.flatMap((name, level): [string, Simple][] => [
    [`pr_${name}`, (e, args, span) => integer(print(e, level, args, span))],
    [`pr_${name}_once`, (e, args, span) => integer(e.once(span) ? print(e, level, args, span) : 0)],
    [`dev_${name}`, (e, args, span) => integer(print(e, level, args.slice(1), span))],
  ]),
  ...[...LEVELS, 'dbg'].flatMap((name): [string, Simple][] => {
    const level = name === 'dbg' ? 7 : LEVELS.indexOf(name);
    return [
      [`pr_${name}_ratelimited`, (e, args, span) => integer(print(e, level, args, span))],
      [`dev_${name}`, (e, args, span) => integer(print(e, level, args.slice(1), span))],
      [`dev_${name}_ratelimited`, (e, args, span) => integer(print(e, level, args.slice(1), span))],
      [`dev_${name}_once`, (e, args, span) => integer(e.once(span) ? print(e, level, args.slice(1), span) : 0)],
    ];
  }),
  ['pr_devel', (e, args, span) => integer(print(e, 7, args, span))],
  ['printk_once', (e, args, span) => integer(e.once(span) ? print(e, 4, args, span) : 0)],
  [
    'dev_err_probe',
    (e, args, span) => {
      print(e, 3, args.slice(2), span);
      return number(e, args, 1, span);
    },
  ],
  ['pr_warning', (e, args, span) => integer(print(e, 4, args, span))],
  ['pr_cont', (e, args, span) => integer(print(e, 6, args, span))],
]);

function mask(
  e: Evaluating,
  args: readonly CValue[],
  span: SourceSpan,
  type: 'unsigned long' | 'unsigned long long',
): CInteger {
  const [high, low] = [number(e, args, 0, span).value, number(e, args, 1, span).value];
  if (high < low || low < 0n || high > 63n)
    throw e.badAccess(`GENMASK(${high}, ${low}): the high bit comes first, and both are 0 to 63.`, span);
  return integer((1n << (high + 1n)) - (1n << low), type);
}

/** Names that are values everywhere. */
export const VALUES: ReadonlyMap<string, CValue> = new Map<string, CValue>([
  ['NULL', addressPointer(0n)],
  ['true', integer(1, 'int')],
  ['false', integer(0, 'int')],
  ['CHAR_MAX', integer(127)],
  ['INT_MAX', integer(0x7fff_ffffn)],
  ['INT_MIN', integer(-0x8000_0000n)],
  ['UINT_MAX', integer(0xffff_ffffn, 'unsigned int')],
  ['LONG_MAX', integer((1n << 63n) - 1n, 'long')],
  ['LONG_MIN', integer(-(1n << 63n), 'long')],
  ...['ULONG_MAX', 'SIZE_MAX'].map((name): [string, CValue] => [name, integer(-1n, 'unsigned long')]),
  ...[8, 16, 32, 64].flatMap((bits): [string, CValue][] => [
    [
      `U${bits}_MAX`,
      integer((1n << BigInt(bits)) - 1n, bits < 32 ? 'int' : bits === 32 ? 'unsigned int' : 'unsigned long long'),
    ],
    [`S${bits}_MAX`, integer((1n << BigInt(bits - 1)) - 1n, bits === 64 ? 'long long' : 'int')],
    [`S${bits}_MIN`, integer(-(1n << BigInt(bits - 1)), bits === 64 ? 'long long' : 'int')],
  ]),
  ...['K', 'M', 'G'].flatMap((unit, power) =>
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].map((count): [string, CValue] => {
      const bytes = BigInt(count) << BigInt(10 * (power + 1));
      return [
        `SZ_${count}${unit}`,
        integer(bytes, bytes < 1n << 31n ? 'int' : bytes < 1n << 32n ? 'unsigned int' : 'unsigned long'),
      ];
    }),
  ),
]);
