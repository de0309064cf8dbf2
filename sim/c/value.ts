/**
 * C values as the evaluator, the registry and the engine exchange them.
 *
 * Every C integer is a `bigint` already wrapped to its type. A struct that C can
 * see is a plain object with the kernel's field names and a `$struct` tag; it is
 * changed only through `Store.set`, so that everything can be undone.
 */

import type { SourceSpan } from '../task/task.ts';

/** A C integer type by its canonical name; `bool` is one byte, enums are `int`. */
export type IntegerType =
  | 'bool'
  | 'char'
  | 'signed char'
  | 'unsigned char'
  | 'short'
  | 'unsigned short'
  | 'int'
  | 'unsigned int'
  | 'long'
  | 'unsigned long'
  | 'long long'
  | 'unsigned long long';

export interface CInteger {
  kind: 'integer';
  type: IntegerType;
  value: bigint;
}

/** What a pointer points at. */
export type Target =
  /** A bare number: NULL (0), ERR_PTR(-errno), a linear-map or user address. */
  | { kind: 'address'; address: bigint }
  /** A struct page; its address follows from the memory model. */
  | { kind: 'page'; pfn: number }
  /** A whole struct object or array. */
  | { kind: 'object'; object: CObject }
  /** A field of a struct, an element of an array, or a variable of a frame (`object` is its frame record). */
  | { kind: 'slot'; object: CObject; key: string | number }
  | { kind: 'function'; function: CFunction };

export interface CPointer {
  kind: 'pointer';
  /** The type pointed to, as C spells it: `struct page`, `void`, `unsigned long`. */
  to: string;
  target: Target;
}

/** A function: one of the registry by name, or one defined in C (its tree is the evaluator's business). */
export type CFunction = { kind: 'kernel'; name: string } | { kind: 'c'; name: string; definition: unknown };

/** A struct instance. Field values: integers as `bigint`, everything else as below. */
export interface CStruct {
  readonly $struct: string;
  [field: string]: Slot;
}
export interface CArray {
  readonly $array: string;
  readonly elements: Slot[];
}
export type CObject = CStruct | CArray;
export type Slot = bigint | string | CPointer | CObject;

/** A struct or array by value (an rvalue of aggregate type). */
export interface CAggregate {
  kind: 'aggregate';
  object: CObject;
}
export interface CVoid {
  kind: 'void';
}
export type CValue = CInteger | CPointer | CAggregate | CVoid;

export const VOID: CVoid = { kind: 'void' };
export const NULL: CPointer = { kind: 'pointer', to: 'void', target: { kind: 'address', address: 0n } };

const WIDTH: Record<IntegerType, { bits: number; signed: boolean }> = {
  bool: { bits: 8, signed: false },
  char: { bits: 8, signed: true },
  'signed char': { bits: 8, signed: true },
  'unsigned char': { bits: 8, signed: false },
  short: { bits: 16, signed: true },
  'unsigned short': { bits: 16, signed: false },
  int: { bits: 32, signed: true },
  'unsigned int': { bits: 32, signed: false },
  long: { bits: 64, signed: true },
  'unsigned long': { bits: 64, signed: false },
  'long long': { bits: 64, signed: true },
  'unsigned long long': { bits: 64, signed: false },
};

export const widthOf = (type: IntegerType): { bits: number; signed: boolean } => WIDTH[type];

/** `value` wrapped to `type`, as C converts. */
export function integer(value: bigint | number, type: IntegerType = 'int'): CInteger {
  const v = BigInt(value);
  if (type === 'bool') return { kind: 'integer', type, value: v === 0n ? 0n : 1n };
  const { bits, signed } = WIDTH[type];
  return { kind: 'integer', type, value: signed ? BigInt.asIntN(bits, v) : BigInt.asUintN(bits, v) };
}

export const addressPointer = (address: bigint, to = 'void'): CPointer => ({
  kind: 'pointer',
  to,
  target: { kind: 'address', address: BigInt.asUintN(64, address) },
});
export const objectPointer = (object: CStruct): CPointer => ({
  kind: 'pointer',
  to: `struct ${object.$struct}`,
  target: { kind: 'object', object },
});
export const pagePointer = (pfn: number): CPointer => ({
  kind: 'pointer',
  to: 'struct page',
  target: { kind: 'page', pfn },
});

/** A string literal: a `char` array that cannot be written, from its first character on. */
export const stringPointer = (text: string): CPointer => ({
  kind: 'pointer',
  to: 'char',
  target: {
    kind: 'slot',
    object: { $array: 'char', elements: Object.freeze([...encodeText(text), 0n]) as bigint[] },
    key: 0,
  },
});
/** The text a `char` pointer leads to, up to its NUL, or `undefined` if it leads to none. */
export function stringOf(value: CValue): string | undefined {
  if (value.kind !== 'pointer' || value.target.kind !== 'slot') return undefined;
  const { object, key } = value.target;
  if (!('$array' in object)) {
    const slot = (object as CStruct)[key];
    return typeof slot === 'string' ? slot : undefined;
  }
  const { elements } = object as CArray;
  const bytes: number[] = [];
  for (let i = Number(key); i < elements.length; i++) {
    const element = elements[i];
    if (typeof element !== 'bigint') return undefined;
    if (element === 0n) break;
    bytes.push(Number(BigInt.asUintN(8, element)));
  }
  return decodeText(bytes);
}
/** UTF-8 bytes as C `char`s. */
const encodeText = (text: string): bigint[] =>
  Array.from(new TextEncoder().encode(text), (byte) => BigInt.asIntN(8, BigInt(byte)));
const decodeText = (bytes: readonly number[]): string => new TextDecoder().decode(Uint8Array.from(bytes));

const MAX_ERRNO = 4095n;
/** `ERR_PTR(error)`, error negative (include/linux/err.h). */
export const ERR_PTR = (error: number, to = 'void'): CPointer => addressPointer(BigInt(error), to);
/** The negative errno inside a pointer, or `undefined` if it is none (`IS_ERR` and `PTR_ERR` in one). */
export function errorOf(value: CValue): number | undefined {
  if (value.kind !== 'pointer' || value.target.kind !== 'address') return undefined;
  const signed = BigInt.asIntN(64, value.target.address);
  return signed < 0n && signed >= -MAX_ERRNO ? Number(signed) : undefined;
}
export const isNull = (value: CValue): boolean =>
  value.kind === 'pointer' && value.target.kind === 'address' && value.target.address === 0n;

/** A bad use of a value by the running C program: it stops the task, as an oops would. */
export class BadAccess extends Error {
  override readonly name = 'BadAccess';
  /** Where in the C text; the evaluator fills it in for what the engine throws. */
  span: SourceSpan | undefined;
  constructor(message: string, span?: SourceSpan) {
    super(message);
    this.span = span;
  }
}

/** The arguments of one kernel call, read by position with the type its prototype names. */
export class CallArgs {
  readonly name: string;
  readonly values: readonly CValue[];
  constructor(name: string, values: readonly CValue[]) {
    this.name = name;
    this.values = values;
  }

  private at(index: number): CValue {
    const value = this.values[index];
    if (!value) throw new BadAccess(`${this.name}: argument ${index + 1} is missing`);
    return value;
  }
  /** An integer of any width; a pointer given for one is its address only if it is a bare number. */
  big(index: number): bigint {
    const value = this.at(index);
    if (value.kind === 'integer') return value.value;
    if (value.kind === 'pointer' && value.target.kind === 'address') return value.target.address;
    throw new BadAccess(`${this.name}: argument ${index + 1} is not an integer`);
  }
  /** An integer that fits a JavaScript number exactly (a pfn, a count, an id). */
  num(index: number): number {
    const value = this.big(index);
    if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < -BigInt(Number.MAX_SAFE_INTEGER))
      throw new BadAccess(`${this.name}: argument ${index + 1} (${value}) is out of range`);
    return Number(value);
  }
  pointer(index: number): CPointer {
    const value = this.at(index);
    if (value.kind === 'pointer') return value;
    if (value.kind === 'integer' && value.value === 0n) return NULL;
    throw new BadAccess(`${this.name}: argument ${index + 1} is not a pointer`);
  }
  /** The text a `char` pointer leads to. */
  string(index: number): string {
    const text = stringOf(this.at(index));
    if (text === undefined) throw new BadAccess(`${this.name}: argument ${index + 1} is not a string`);
    return text;
  }
  /** The struct behind pointer `index`; a NULL or foreign pointer is a bad access. */
  struct(index: number, name: string): CStruct {
    const found = structAt(this.pointer(index));
    if (!found) throw new BadAccess(`${this.name}: argument ${index + 1} does not point to a struct ${name}`);
    if (found.$struct !== name)
      throw new BadAccess(`${this.name}: argument ${index + 1} is a struct ${found.$struct}, not a struct ${name}`);
    return found;
  }
  /** The pfn of the struct page pointer `index`. */
  pfn(index: number): number {
    const { target } = this.pointer(index);
    if (target.kind !== 'page') throw new BadAccess(`${this.name}: argument ${index + 1} is not a struct page pointer`);
    return target.pfn;
  }
}

/** The struct a pointer leads to, through a field or variable that holds one. */
export function structAt(pointer: CPointer): CStruct | undefined {
  const { target } = pointer;
  if (target.kind === 'object') return '$struct' in target.object ? (target.object as CStruct) : undefined;
  if (target.kind !== 'slot') return undefined;
  const slot =
    '$array' in target.object
      ? (target.object as CArray).elements[Number(target.key)]
      : (target.object as CStruct)[target.key];
  return typeof slot === 'object' && '$struct' in slot ? (slot as CStruct) : undefined;
}
