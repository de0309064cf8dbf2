/** Values as a kernel person writes them. */
import { errnoName } from '../include/errno.ts';
import { type CType, parseTypeName } from './types.ts';
import {
  type CArray,
  type CObject,
  type CPointer,
  type CStruct,
  type CValue,
  errorOf,
  type Slot,
  stringOf,
  type Target,
} from './value.ts';

export interface FormatOptions {
  /** The address of a target; without it a pointer is described by what it points to. */
  addressOf?(target: Target): bigint;
  /** The members of a struct with their types, so that members print with their signs and in order. */
  fields?(struct: string): ReadonlyMap<string, CType> | undefined;
  /** Levels of structs that are opened. */
  depth?: number;
}

const MAX_ITEMS = 16;
const MAX_TEXT = 4000;
const LARGE = 65536n;

/** Decimal, and hexadecimal beside it where that says more. */
export function formatInteger(value: bigint): string {
  if (value > -LARGE && value < LARGE) return value.toString();
  return `${value} (${hexadecimal(value)})`;
}
const hexadecimal = (value: bigint): string => (value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`);

export function formatValue(value: CValue, options: FormatOptions = {}): string {
  switch (value.kind) {
    case 'void':
      return 'void';
    case 'integer':
      if (value.type === 'bool') return value.value ? 'true' : 'false';
      return formatInteger(value.value);
    case 'pointer':
      return formatPointer(value, options);
    case 'aggregate': {
      const text = formatObject(value.object, options, options.depth ?? 3);
      return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
    }
  }
}

export function formatPointer(pointer: CPointer, options: FormatOptions = {}): string {
  const { target } = pointer;
  const error = errorOf(pointer);
  if (error !== undefined) return `ERR_PTR(-${errnoName(-error) ?? -error})`;
  if (target.kind === 'address') return target.address === 0n ? 'NULL' : address(target.address);
  if (target.kind === 'function') return target.function.name;
  const text = pointer.to === 'char' ? stringOf(pointer) : undefined;
  if (text !== undefined) return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
  const where = options.addressOf ? address(options.addressOf(target)) : undefined;
  if (target.kind === 'page')
    return where
      ? `${where} (pfn ${hexadecimal(BigInt(target.pfn))})`
      : `page of pfn ${hexadecimal(BigInt(target.pfn))}`;
  return where ?? `&${describe(target)}`;
}
const address = (value: bigint): string => `0x${BigInt.asUintN(64, value).toString(16).padStart(16, '0')}`;

function describe(target: Extract<Target, { kind: 'object' | 'slot' }>): string {
  const object =
    '$array' in target.object
      ? `${(target.object as CArray).$array}[]`
      : `struct ${(target.object as CStruct).$struct}`;
  if (target.kind === 'object') return `{${object}}`;
  return typeof target.key === 'number' ? `{${object}}[${target.key}]` : `{${object}}.${target.key}`;
}

function formatObject(object: CObject, options: FormatOptions, depth: number): string {
  if (depth <= 0) return '{ … }';
  if ('$array' in object) {
    const { $array, elements } = object as CArray;
    const type = parseTypeName($array);
    const shown = elements.slice(0, MAX_ITEMS).map((element) => formatSlot(element, type, options, depth - 1));
    if (elements.length > MAX_ITEMS) shown.push(`… ${elements.length - MAX_ITEMS} more`);
    return shown.length ? `{ ${shown.join(', ')} }` : '{ }';
  }
  const struct = object as CStruct;
  const fields = options.fields?.(struct.$struct);
  const keys = fields ? [...fields.keys()] : Object.keys(struct).filter((key) => !key.startsWith('$'));
  const shown = keys.flatMap((key) => {
    const slot = struct[key];
    return slot === undefined ? [] : [`.${key} = ${formatSlot(slot, fields?.get(key), options, depth - 1)}`];
  });
  return shown.length ? `{ ${shown.join(', ')} }` : '{ }';
}

/** What an object holds under one key. Large numbers in structs are addresses and flags: hexadecimal alone. */
export function formatSlot(
  slot: Slot,
  type: CType | undefined,
  options: FormatOptions = {},
  depth = options.depth ?? 3,
): string {
  if (typeof slot === 'bigint') {
    if (type?.kind === 'integer' && type.type === 'bool') return slot ? 'true' : 'false';
    if (type?.kind === 'pointer')
      return formatPointer({ kind: 'pointer', to: 'void', target: { kind: 'address', address: slot } }, options);
    return slot > -LARGE && slot < LARGE ? slot.toString() : hexadecimal(slot);
  }
  if (typeof slot === 'string') return JSON.stringify(slot);
  if ('kind' in slot) return formatPointer(slot as CPointer, options);
  return formatObject(slot as CObject, options, depth);
}
