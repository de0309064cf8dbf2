/** C types on a 64-bit LP64 machine: their names, sizes, and the usual arithmetic conversions. */
import type { StructRecord } from '../kernel/registry.ts';
import { type Release, spanHolds } from '../kernel/release.ts';
import { type CInteger, type IntegerType, integer, widthOf } from './value.ts';

export type CType =
  | { readonly kind: 'void' }
  /** `bits`: of a bit-field. */
  | { readonly kind: 'integer'; readonly type: IntegerType; readonly bits?: number }
  | { readonly kind: 'pointer'; readonly to: CType }
  | { readonly kind: 'array'; readonly of: CType; readonly length: number | undefined }
  /** `name` is how C spells it: `struct page`, or the typedef name of a type only known by that. */
  | { readonly kind: 'struct'; readonly tag: string; readonly name: string }
  | {
      readonly kind: 'function';
      readonly returns: CType;
      readonly parameters: readonly CType[];
      readonly variadic: boolean;
    };

export const VOID_TYPE: CType = { kind: 'void' };
export const integerType = (type: IntegerType): CType => ({ kind: 'integer', type });
export const INT = integerType('int');
export const ULONG = integerType('unsigned long');
export const pointerTo = (to: CType): CType => ({ kind: 'pointer', to });
export const structType = (tag: string): CType => ({ kind: 'struct', tag, name: `struct ${tag}` });

const INTEGER_NAMES: Record<string, IntegerType> = {
  bool: 'bool',
  _Bool: 'bool',
  char: 'char',
  'signed char': 'signed char',
  'unsigned char': 'unsigned char',
  short: 'short',
  'unsigned short': 'unsigned short',
  int: 'int',
  signed: 'int',
  unsigned: 'unsigned int',
  'unsigned int': 'unsigned int',
  long: 'long',
  'unsigned long': 'unsigned long',
  'long long': 'long long',
  'unsigned long long': 'unsigned long long',
  u8: 'unsigned char',
  u16: 'unsigned short',
  u32: 'unsigned int',
  u64: 'unsigned long long',
  s8: 'signed char',
  s16: 'short',
  s32: 'int',
  s64: 'long long',
  __u8: 'unsigned char',
  __u16: 'unsigned short',
  __u32: 'unsigned int',
  __u64: 'unsigned long long',
  __s8: 'signed char',
  __s16: 'short',
  __s32: 'int',
  __s64: 'long long',
  uint8_t: 'unsigned char',
  uint16_t: 'unsigned short',
  uint32_t: 'unsigned int',
  uint64_t: 'unsigned long long',
  int8_t: 'signed char',
  int16_t: 'short',
  int32_t: 'int',
  int64_t: 'long long',
  uchar: 'unsigned char',
  ushort: 'unsigned short',
  uint: 'unsigned int',
  ulong: 'unsigned long',
  size_t: 'unsigned long',
  ssize_t: 'long',
  ptrdiff_t: 'long',
  uintptr_t: 'unsigned long',
  intptr_t: 'long',
  loff_t: 'long long',
  off_t: 'long',
  sector_t: 'unsigned long long',
  pid_t: 'int',
  uid_t: 'unsigned int',
  resource_size_t: 'unsigned long long',
  phys_addr_t: 'unsigned long long',
  dma_addr_t: 'unsigned long long',
  pgoff_t: 'unsigned long',
  gfp_t: 'unsigned int',
  hmm_pfn_t: 'unsigned long',
  vm_fault_t: 'unsigned int',
  fmode_t: 'unsigned int',
  vm_flags_t: 'unsigned long',
  pteval_t: 'unsigned long',
  pmdval_t: 'unsigned long',
  pudval_t: 'unsigned long',
  pgprotval_t: 'unsigned long',
  zap_flags_t: 'unsigned int',
  fgf_t: 'unsigned int',
  isolate_mode_t: 'unsigned int',
};

/** The type a builtin or typedef name stands for; a name nobody knows is an opaque struct of that name. */
export function namedType(name: string): CType {
  if (name === 'void') return VOID_TYPE;
  const type = Object.hasOwn(INTEGER_NAMES, name) ? INTEGER_NAMES[name] : undefined;
  return type ? integerType(type) : { kind: 'struct', tag: name, name };
}

const parsed = new Map<string, CType>();
/**
 * The type a registry record or `CPointer.to` spells: `unsigned long *`, `struct range`,
 * `void (*)(struct page *)`, `int[4]`. Qualifiers are dropped, enums are `int`.
 */
export function parseTypeName(text: string): CType {
  const known = parsed.get(text);
  if (known) return known;
  const type = readTypeName(text);
  if (parsed.size > 5000) parsed.clear();
  parsed.set(text, type);
  return type;
}

function readTypeName(text: string): CType {
  const clean = text.replace(/\b(const|volatile|restrict|__rcu|__user|__iomem|__percpu|extern|static)\b/g, ' ').trim();
  const call = clean.indexOf('(');
  if (clean === 'function') return { kind: 'function', returns: INT, parameters: [], variadic: true };
  if (call >= 0) {
    const returns = readTypeName(clean.slice(0, call));
    const type: CType = { kind: 'function', returns, parameters: [], variadic: true };
    return /^\(\s*\*/.test(clean.slice(call)) ? pointerTo(type) : type;
  }
  const match = /^([^*[]*)((?:\s*\*)*)\s*\w*\s*((?:\[[^\]]*\]\s*)*)$/.exec(clean);
  const words = (match?.[1] ?? clean)
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '');
  let type = baseType(words);
  for (const star of match?.[2] ?? '') if (star === '*') type = pointerTo(type);
  for (const [, length] of [...(match?.[3] ?? '').matchAll(/\[([^\]]*)\]/g)].reverse())
    type = { kind: 'array', of: type, length: /^\d+$/.test(length ?? '') ? Number(length) : undefined };
  return type;
}

function baseType(words: readonly string[]): CType {
  const [first = 'int', second = ''] = words;
  if (first === 'struct' || first === 'union') return { kind: 'struct', tag: second, name: `${first} ${second}` };
  if (first === 'enum') return INT;
  const basic = words.filter((word) => word !== 'int' || words.length === 1).join(' ');
  const spelled = basic
    .replace(/^long unsigned$/, 'unsigned long')
    .replace(/^signed (short|int|long|long long)$/, '$1');
  return namedType(spelled);
}

/** How C spells a type; `parseTypeName` reads it back. */
export function spell(type: CType): string {
  switch (type.kind) {
    case 'void':
      return 'void';
    case 'integer':
      return type.type;
    case 'struct':
      return type.name;
    case 'pointer': {
      const to = spell(type.to);
      return to.endsWith('*') ? `${to}*` : type.to.kind === 'function' ? 'function *' : `${to} *`;
    }
    case 'array':
      return `${spell(type.of)}[${type.length ?? ''}]`;
    case 'function':
      return 'function';
  }
}

export function sameType(a: CType, b: CType): boolean {
  if (a.kind === 'function' && b.kind === 'function') return true;
  return a === b || (a.kind === b.kind && spell(a) === spell(b));
}

/** Integer promotion (C11 6.3.1.1): everything narrower than int becomes int. */
export const promoted = (type: IntegerType): IntegerType => (widthOf(type).bits < 32 ? 'int' : type);

const RANK: readonly IntegerType[] = [
  'int',
  'unsigned int',
  'long',
  'unsigned long',
  'long long',
  'unsigned long long',
];

/** The usual arithmetic conversions (C11 6.3.1.8): the type both operands are converted to. */
export function commonType(a: IntegerType, b: IntegerType): IntegerType {
  const [left, right] = [promoted(a), promoted(b)];
  if (left === right) return left;
  const [low, high] = RANK.indexOf(left) < RANK.indexOf(right) ? [left, right] : [right, left];
  // A signed type of higher rank holds every value of a narrower one; of an equally wide one it does not.
  if (widthOf(low).signed || !widthOf(high).signed || widthOf(high).bits > widthOf(low).bits) return high;
  return `unsigned ${high}` as IntegerType;
}

export const convertInteger = (value: CInteger, type: IntegerType): CInteger =>
  value.type === type ? value : integer(value.value, type);

/** The members a struct has in one release, in order, less those of options that a kernel `lacks`. */
export function fieldsIn(
  record: StructRecord,
  release: Release,
  lacks?: (option: string) => boolean,
): ReadonlyMap<string, CType> {
  const fields = new Map<string, CType>();
  for (const field of record.fields)
    if (spanHolds(field, release) && !(field.option !== undefined && lacks?.(field.option)))
      fields.set(field.name, parseTypeName(field.type));
  return fields;
}
