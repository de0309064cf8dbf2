/** Memory that belongs to the program alone: allocators, and what works on whole arrays and structs. */
import type { SourceSpan } from '../task/task.ts';
import { type Evaluating, number, type Simple } from './builtins.ts';
import type { Place } from './memory.ts';
import { isArray } from './objects.ts';
import { parseTypeName, pointerTo, sameType, spell } from './types.ts';
import { addressPointer, type CArray, type CStruct, type CValue, integer, VOID, widthOf } from './value.ts';

function place(e: Evaluating, args: readonly CValue[], index: number, span: SourceSpan): Place {
  const value = args[index];
  if (value?.kind !== 'pointer') throw e.stopped('type', `Argument ${index + 1} is not a pointer.`, span);
  const { target } = value;
  const object = target.kind === 'object' ? target.object : undefined;
  const to =
    object && !isArray(object)
      ? `struct ${(object as CStruct).$struct}`
      : target.kind === 'slot' && isArray(target.object) && value.to === 'void'
        ? target.object.$array
        : value.to;
  return e.dereference({ ...value, to }, 'this pointer', span);
}
/** The elements of the array a pointer leads into, from there on. */
function elementsFrom(value: CValue | undefined): { array: CArray; first: number } | undefined {
  if (value?.kind !== 'pointer' || value.target.kind !== 'slot' || !isArray(value.target.object)) return undefined;
  return { array: value.target.object, first: Number(value.target.key) };
}
function elementCount(array: CArray, bytes: bigint): number {
  const type = parseTypeName(array.$array);
  const size = type.kind === 'integer' ? widthOf(type.type).bits / 8 : 8;
  return Number(bytes / BigInt(size));
}

const allocate =
  (automatic: boolean, multiply: boolean): Simple =>
  (e, args, span) => {
    const first = BigInt.asUintN(64, number(e, args, 0, span).value);
    const bytes = multiply ? first * BigInt.asUintN(64, number(e, args, 1, span).value) : first;
    return bytes >= 1n << 40n ? addressPointer(0n) : e.allocated(bytes, automatic);
  };

const freed =
  (index: number): Simple =>
  (e, args, span) => {
    const value = args[index];
    if (value?.kind !== 'pointer') throw e.stopped('type', `Argument ${index + 1} is not a pointer.`, span);
    if (!e.free(value, span))
      throw e.badAccess('This was not allocated, or is not its beginning: it cannot be freed.', span);
    return VOID;
  };

/** Used where the engine has no function of the name: memory that belongs to the program alone. */
export const FALLBACK: ReadonlyMap<string, Simple> = new Map<string, Simple>([
  ...['kmalloc', 'vmalloc', 'kvmalloc'].map((name): [string, Simple] => [name, allocate(true, false)]),
  ...['kzalloc', 'vzalloc', 'kvzalloc'].map((name): [string, Simple] => [name, allocate(false, false)]),
  ...['kmalloc_array', 'kvmalloc_array'].map((name): [string, Simple] => [name, allocate(true, true)]),
  ...['kcalloc', 'kvcalloc'].map((name): [string, Simple] => [name, allocate(false, true)]),
  ...['kfree', 'kvfree', 'vfree', 'kfree_sensitive', 'kfree_const'].map((name): [string, Simple] => [name, freed(0)]),
  ['kvfree_rcu', freed(0)],
  ['kfree_rcu', freed(0)],
  ['devm_kfree', freed(1)],
  ...['devm_kmalloc'].map((name): [string, Simple] => [
    name,
    (e, args, span) => allocate(true, false)(e, args.slice(1), span),
  ]),
  ['devm_kzalloc', (e, args, span) => allocate(false, false)(e, args.slice(1), span)],
  ['devm_kcalloc', (e, args, span) => allocate(false, true)(e, args.slice(1), span)],
  ['kzalloc_node', allocate(false, false)],
  ['kmalloc_node', allocate(true, false)],
  ['vmalloc_array', allocate(true, true)],
  ['vcalloc', allocate(false, true)],
  [
    'kmemdup',
    (e, args, span) => {
      const from = place(e, args, 0, span);
      const bytes = BigInt.asUintN(64, number(e, args, 1, span).value);
      const made = e.convert(e.allocated(bytes, false), pointerTo(from.type), span, true);
      if (made.kind === 'pointer') e.copyPlace(from, e.dereference(made, 'the copy', span), span);
      return made;
    },
  ],
  ...['copy_from_user', 'copy_to_user'].map((name): [string, Simple] => [
    name,
    (e, args, span) => {
      // User memory is what the process mapped; a program of the simulator has none of its own.
      const size = number(e, args, 2, span).value;
      const user = args[name === 'copy_to_user' ? 0 : 1];
      if (user?.kind === 'pointer' && user.target.kind === 'address') return integer(size, 'unsigned long');
      FALLBACK.get('memcpy')?.(e, args, span);
      return integer(0, 'unsigned long');
    },
  ]),
  [
    'memcmp',
    (e, args, span) => {
      const [a, b] = [elementsFrom(args[0]), elementsFrom(args[1])];
      const bytes = BigInt.asUintN(64, number(e, args, 2, span).value);
      if (!a || !b || !sameType(parseTypeName(a.array.$array), parseTypeName(b.array.$array)))
        throw e.stopped('unsupported', 'memcmp is simulated for arrays of one type.', span);
      for (let i = 0; i < elementCount(a.array, bytes); i++) {
        const [x, y] = [a.array.elements[a.first + i], b.array.elements[b.first + i]];
        if (x === undefined || y === undefined) throw e.badAccess('memcmp leaves its array.', span);
        if (x !== y) return integer(x < y ? -1 : 1);
      }
      return integer(0);
    },
  ],
  [
    'memset',
    (e, args, span) => {
      const [to = VOID, byte] = args;
      const found = elementsFrom(to);
      const fill = BigInt.asUintN(8, number(e, [byte ?? VOID], 0, span).value);
      if (found) {
        const { array, first } = found;
        const type = parseTypeName(array.$array);
        const count = elementCount(array, BigInt.asUintN(64, number(e, args, 2, span).value));
        if (first + count > array.elements.length || first < 0)
          throw e.badAccess('memset writes past the end of its array.', span);
        for (let i = 0; i < count; i++) {
          const at = e.dereference(
            { kind: 'pointer', to: array.$array, target: { kind: 'slot', object: array, key: first + i } },
            'this',
            span,
          );
          if (type.kind === 'integer') e.store(at, integer(repeated(fill), type.type), span);
          else e.zeroed(at, span);
        }
        return to;
      }
      if (fill !== 0n) throw e.stopped('unsupported', 'memset of a struct is simulated with 0 only.', span);
      e.zeroed(place(e, args, 0, span), span);
      return to;
    },
  ],
  [
    'memcpy',
    (e, args, span) => {
      const [to = VOID] = args;
      const [target, source] = [elementsFrom(to), elementsFrom(args[1])];
      if (target && source && sameType(parseTypeName(target.array.$array), parseTypeName(source.array.$array))) {
        const count = elementCount(target.array, BigInt.asUintN(64, number(e, args, 2, span).value));
        if (target.first + count > target.array.elements.length || source.first + count > source.array.elements.length)
          throw e.badAccess('memcpy leaves its array.', span);
        const at = ({ array, first }: { array: CArray; first: number }, i: number) =>
          e.dereference(
            { kind: 'pointer', to: array.$array, target: { kind: 'slot', object: array, key: first + i } },
            'this',
            span,
          );
        for (let i = 0; i < count; i++) e.copyPlace(at(source, i), at(target, i), span);
        return to;
      }
      const [into, from] = [place(e, args, 0, span), place(e, args, 1, span)];
      if (!sameType(into.type, from.type))
        throw e.stopped(
          'unsupported',
          `memcpy from ${spell(from.type)} to ${spell(into.type)} is not simulated.`,
          span,
        );
      e.copyPlace(from, into, span);
      return to;
    },
  ],
]);
const repeated = (byte: bigint): bigint => byte * 0x0101010101010101n;
