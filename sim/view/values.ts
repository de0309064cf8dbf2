/**
 * Values of a paused program for people: what an entry of a device's table, a page pointer, a flags word or an
 * enum says in the release that runs, and what there is to see inside. Looking writes nothing.
 */

import { formatSlot } from '../c/print.ts';
import { fieldsIn, parseTypeName, spell } from '../c/types.ts';
import type { CArray, CObject, CPointer, CStruct, Slot } from '../c/value.ts';
import { errnoName } from '../include/errno.ts';
import { kindOf } from '../include/mmzone.ts';
import { PageKind } from '../include/types.ts';
import { ALL_RECORDS, constantValue, lookup } from '../kernel/names.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { Machine } from '../machine/machine.ts';
import { driverPfn, hmm_pfn, hmm_pfn_to_map_order, hmmPfnEntry } from '../mm/hmm_entries.ts';
import { pfn_valid } from '../mm/sparse.ts';
import { pageView } from './pagemap.ts';

/** What the words of an array mean. */
export type Role = { readonly kind: 'hmm'; readonly range: CStruct } | { readonly kind: 'migrate' };

/** What can be shown: what an object holds under a key, or a value of no place. */
export interface Shown {
  readonly slot: Slot;
  /** As C spells it; '' where nothing says. */
  readonly type: string;
  /** The struct and member it is, where it is one. */
  readonly member?: string;
  readonly role?: Role;
}

export interface Part extends Shown {
  readonly name: string;
  /** What C says behind the whole to mean this part: `.start`, `->ops`, `[3]`; absent: C cannot say it. */
  readonly access?: string;
  /** Shown as it is, where it is not what an object holds. */
  readonly text?: string;
  /** What changes of it can be watched as. */
  readonly watch?: string;
}

export interface PartCounts {
  readonly named: number;
  readonly indexed: number;
}

const isArray = (object: CObject): object is CArray => '$array' in object;
const asPointer = (slot: Slot): CPointer | undefined =>
  typeof slot === 'object' && 'kind' in slot && slot.kind === 'pointer' ? (slot as CPointer) : undefined;
const asObject = (slot: Slot): CObject | undefined =>
  typeof slot === 'object' && !('kind' in slot) ? (slot as CObject) : undefined;

/* ---- words ---- */

/** Members that hold one of a few constants, or bits of them. */
const NAMED: Readonly<Record<string, { readonly prefix: string; readonly bits?: true }>> = {
  'dev_pagemap.type': { prefix: 'MEMORY_DEVICE_' },
  'mmu_notifier_range.event': { prefix: 'MMU_NOTIFY_' },
  'hmm_update.event': { prefix: 'HMM_UPDATE_' },
  'dev_pagemap.flags': { prefix: 'PGMAP_', bits: true },
  'migrate_vma.flags': { prefix: 'MIGRATE_VMA_SELECT_', bits: true },
  'hmm_range.default_flags': { prefix: 'HMM_PFN_REQ_', bits: true },
  'hmm_range.pfn_flags_mask': { prefix: 'HMM_PFN_REQ_', bits: true },
  'resource.flags': { prefix: 'IORESOURCE_', bits: true },
  'vm_area_struct.vm_flags': { prefix: 'VM_', bits: true },
};

const known = new WeakMap<Kernel, Map<string, { name: string; value: bigint }[]>>();
function constantsOf(kernel: Kernel, prefix: string): { name: string; value: bigint }[] {
  const cache = known.get(kernel) ?? new Map<string, { name: string; value: bigint }[]>();
  known.set(kernel, cache);
  let found = cache.get(prefix);
  if (!found) {
    found = ALL_RECORDS.flatMap((record) => {
      if ((record.kind !== 'constant' && record.kind !== 'macro') || !record.name.startsWith(prefix)) return [];
      const value = constantValue(record.name, kernel.release, kernel.arch.name);
      return value === undefined || record.name.startsWith('VM_FAULT_') ? [] : [{ name: record.name, value }];
    });
    cache.set(prefix, found);
  }
  return found;
}

function bitsText(kernel: Kernel, word: bigint, prefix: string): string {
  let rest = word;
  const names: string[] = [];
  for (const { name, value } of constantsOf(kernel, prefix)) {
    if (value === 0n || (value & (value - 1n)) !== 0n || (word & value) === 0n) continue;
    names.push(name);
    rest &= ~value;
  }
  if (rest !== 0n || names.length === 0) names.push(hex(rest));
  return names.join(' | ');
}

function namedText(kernel: Kernel, word: bigint, member: string | undefined): string | undefined {
  const how = member === undefined ? undefined : NAMED[member];
  if (!how) return undefined;
  if (how.bits)
    return constantsOf(kernel, how.prefix).length === 0 || word === 0n ? undefined : bitsText(kernel, word, how.prefix);
  return constantsOf(kernel, how.prefix).find(({ value }) => value === word)?.name;
}

const short = (names: readonly (string | false)[]): string => names.filter((name) => name !== false).join('|');

/** An entry of a struct hmm_range, as each family of releases writes it. */
export function hmmEntryText(kernel: Kernel, word: bigint, range: CStruct): string {
  if (word === 0n && !isDriverFormat(range)) return '0: no page, nothing asked for';
  if (isDriverFormat(range)) {
    const flags = wordsOf(range.flags);
    const values = wordsOf(range.values);
    const shift = typeof range.pfn_shift === 'bigint' ? Number(range.pfn_shift) : 0;
    const value = ['ERROR', 'NONE', 'SPECIAL'][values.indexOf(word)];
    if (value !== undefined) return `${hex(word)}: ${value}`;
    const names = ['VALID', 'WRITE', 'DEVICE_PRIVATE'].filter((_, i) => (word & (flags[i] ?? 0n)) !== 0n);
    const pfn = driverPfn({ flags, values, pfn_shift: shift, default_flags: 0n, pfn_flags_mask: 0n }, word);
    return `${hex(word)}: ${names.join('|') || 'no flags'}${pfn === undefined ? '' : `, pfn ${hex(pfn)}`}`;
  }
  if (constantValue('HMM_PFN_VALID', kernel.release, kernel.arch.name) === 1n) {
    const names = constantsOf(kernel, 'HMM_PFN_').filter(({ value }) => value < 128n && (word & value) !== 0n);
    const pfn = (word & 1n) === 0n ? '' : `, pfn ${hex(word >> 7n)}`;
    return `${hex(word)}: ${names.map(({ name }) => name.slice(8)).join('|')}${pfn}`;
  }
  const entry = hmmPfnEntry(kernel, word);
  const pfn = hmm_pfn(entry);
  const order = hmm_pfn_to_map_order(entry);
  const names = short([
    (word & (1n << 63n)) !== 0n && (pfn === 0 ? 'REQ_FAULT' : 'VALID'),
    (word & (1n << 62n)) !== 0n && (pfn === 0 ? 'REQ_WRITE' : 'WRITE'),
    (word & (1n << 61n)) !== 0n && 'ERROR',
    kernel.facts.hmmPfnDmaMapped && (word & (1n << 60n)) !== 0n && 'DMA_MAPPED',
    kernel.facts.hmmPfnDmaMapped && (word & (1n << 59n)) !== 0n && 'P2PDMA',
    kernel.facts.hmmPfnDmaMapped && (word & (1n << 58n)) !== 0n && 'P2PDMA_BUS',
  ]);
  return `${hex(word)}: ${names || 'not valid'}${pfn === 0 ? '' : `, pfn ${hex(pfn)}${kernel.facts.hmmPfnOrder ? `, order ${order}` : ''}`}`;
}

/** A range of 4.17 to 5.7 brings the driver's own bits along. */
const isDriverFormat = (range: CStruct): boolean => 'values' in range && 'pfn_shift' in range;

function wordsOf(slot: Slot | undefined): bigint[] {
  const pointer = slot === undefined ? undefined : asPointer(slot);
  const target = pointer?.target;
  if (target?.kind !== 'slot' && target?.kind !== 'object') return [];
  const held = target.kind === 'object' ? target.object : target.object;
  if (!isArray(held)) return [];
  return held.elements.slice(0, 8).map((element) => (typeof element === 'bigint' ? element : 0n));
}

/** An entry of src or dst: a page frame and MIGRATE_PFN bits. */
export function migrateEntryText(kernel: Kernel, word: bigint): string {
  if (word === 0n) return '0: nothing moves';
  const names = constantsOf(kernel, 'MIGRATE_PFN_').filter(
    ({ name, value }) => name !== 'MIGRATE_PFN_SHIFT' && (word & value) !== 0n && value < 64n,
  );
  const bits = names.map(({ name }) => name.slice('MIGRATE_PFN_'.length)).join('|') || 'no flags';
  return `${hex(word)}: ${bits}${(word & 1n) === 0n ? '' : `, pfn ${hex(word >> 6n)}`}`;
}

export function pageText(machine: Machine, pfn: number): string {
  if (!pfn_valid(machine.kernel, pfn)) return `pfn ${hex(pfn)}: no struct page`;
  const page = pageView(machine, pfn);
  const counts = page.refcount === undefined ? '' : `, refcount ${page.refcount}, mapcount ${page.mapcount}`;
  return `pfn ${hex(pfn)}: ${page.kindText}${page.zone === undefined ? '' : `, zone ${page.zone}`}${counts}`;
}

/** An int counts; hexadecimal is for addresses and flags. */
const isCount = (type: ReturnType<typeof parseTypeName>): boolean => type?.kind === 'integer' && type.type === 'int';

/** What C calls an object that a variable in sight holds: `pfns`. */
export type Names = ReadonlyMap<CObject, string>;

/** The objects that variables hold, by the first name that each has. */
export function namesOf(all: Iterable<readonly [name: string, slot: Slot]>): Names {
  const names = new Map<CObject, string>();
  for (const [name, slot] of all) {
    const object = asObject(slot);
    if (object && !names.has(object)) names.set(object, name);
  }
  return names;
}

/** A pointer to something that has no address yet: `&pfns[0]`, or what it leads to where that has no name. */
function leadsTo({ target }: CPointer, names: Names): string | undefined {
  if (target.kind !== 'object' && target.kind !== 'slot') return undefined;
  const { object } = target;
  const name = names.get(object);
  const key = target.kind === 'slot' ? target.key : undefined;
  if (isArray(object)) {
    if (name !== undefined) return `&${name}${key === undefined ? '' : `[${key}]`}`;
    const at = key === undefined || Number(key) === 0 ? '' : `, at [${key}]`;
    return `→ ${object.$array}[${object.elements.length}]${at}`;
  }
  const tag = (object as CStruct).$struct;
  // The record of a frame holds variables: its members are their names.
  if (key !== undefined && /^frame\b/.test(tag)) return `&${key}`;
  if (name !== undefined) return `&${name}${key === undefined ? '' : `.${key}`}`;
  return `→ ${key === undefined ? '' : `${key} of `}struct ${tag}`;
}

const NO_NAMES: Names = new Map();

/** One line that says what a value is. */
export function textOf(machine: Machine, { slot, type, member, role }: Shown, names = NO_NAMES): string {
  const { kernel } = machine;
  if (typeof slot === 'bigint') {
    if (role?.kind === 'hmm') return hmmEntryText(kernel, slot, role.range);
    if (role?.kind === 'migrate') return migrateEntryText(kernel, slot);
    const named = namedText(kernel, slot, member);
    const parsed = parseTypeName(type === '' ? 'unsigned long' : type);
    const plain = isCount(parsed) ? slot.toString() : formatSlot(slot, parsed);
    const error = slot < 0n && slot >= -4095n ? errnoName(Number(-slot)) : undefined;
    const words = named ?? (error === undefined ? undefined : `-${error}`);
    return words === undefined ? plain : `${plain}: ${words}`;
  }
  const pointer = asPointer(slot);
  if (pointer?.target.kind === 'page') return pageText(machine, pointer.target.pfn);
  const object = asObject(slot);
  if (object && isArray(object)) return `${object.$array} [${object.elements.length}]`;
  if (object) return `struct ${(object as CStruct).$struct}`;
  const text = formatSlot(slot, parseTypeName(type === '' ? 'void *' : type));
  return (pointer && text.startsWith('&{') ? leadsTo(pointer, names) : undefined) ?? text;
}

/* ---- what is inside ---- */

/** What a value leads to: itself, or what its pointer points at. */
function inside(slot: Slot): { object: CObject; from: number; arrow: boolean } | { pfn: number } | undefined {
  const own = asObject(slot);
  if (own) return { object: own, from: 0, arrow: false };
  const target = asPointer(slot)?.target;
  if (target?.kind === 'page') return { pfn: target.pfn };
  if (target?.kind === 'object') return { object: target.object, from: 0, arrow: true };
  if (target?.kind !== 'slot') return undefined;
  const held = isArray(target.object)
    ? target.object.elements[Number(target.key)]
    : (target.object as CStruct)[target.key];
  const object = held === undefined ? undefined : asObject(held);
  if (object) return { object, from: 0, arrow: true };
  // A pointer into an array of numbers: the rest of the array.
  if (isArray(target.object) && !Object.isFrozen(target.object.elements))
    return { object: target.object, from: Number(target.key), arrow: true };
  return undefined;
}

export function countsOf({ slot }: Shown): PartCounts {
  const found = inside(slot);
  if (!found) return { named: 0, indexed: 0 };
  if ('pfn' in found) return { named: 1, indexed: 0 };
  return isArray(found.object)
    ? { named: 0, indexed: Math.max(0, found.object.elements.length - found.from) }
    : { named: 1, indexed: 0 };
}

/** The members of a struct, or elements `start` to `start + count` of an array. */
export function partsOf(machine: Machine, shown: Shown, start = 0, count = 200): Part[] {
  const found = inside(shown.slot);
  if (!found) return [];
  if ('pfn' in found) return pageParts(machine, found.pfn);
  const { object, from, arrow } = found;
  if (isArray(object)) {
    const { $array, elements } = object;
    return elements.slice(from + start, from + start + count).map((slot, i) => ({
      name: `[${start + i}]`,
      access: `[${start + i}]`,
      slot,
      type: $array,
      ...(shown.role && typeof slot === 'bigint' ? { role: shown.role } : {}),
    }));
  }
  return membersOf(machine.kernel, object as CStruct, arrow ? '->' : '.');
}

function membersOf(kernel: Kernel, struct: CStruct, access: string): Part[] {
  const tag = struct.$struct;
  const record = lookup(`struct ${tag}`, kernel.release) ?? lookup(tag, kernel.release);
  const fields = record?.kind === 'struct' ? fieldsIn(record, kernel.release) : undefined;
  const names = fields ? [...fields.keys()] : Object.keys(struct).filter((key) => !key.startsWith('$'));
  return names.flatMap((name): Part[] => {
    const slot = struct[name];
    if (slot === undefined) return [];
    const type = fields?.get(name);
    const role = roleOf(struct, name);
    return [
      {
        name,
        access: `${access}${name}`,
        slot,
        type: type ? spell(type) : '',
        member: `${tag}.${name}`,
        ...(role ? { role } : {}),
      },
    ];
  });
}

/** What the words behind a member mean. */
function roleOf(struct: CStruct, name: string): Role | undefined {
  if (struct.$struct === 'hmm_range' && (name === 'hmm_pfns' || name === 'pfns')) return { kind: 'hmm', range: struct };
  if (struct.$struct === 'migrate_vma' && (name === 'src' || name === 'dst')) return { kind: 'migrate' };
  return undefined;
}

/** The arrays that some struct among `all` says the meaning of, wherever they stand. */
export function rolesOf(all: Iterable<Slot>): Map<CObject, Role> {
  const roles = new Map<CObject, Role>();
  for (const slot of all) {
    const found = inside(slot);
    if (!found || 'pfn' in found || isArray(found.object)) continue;
    const struct = found.object as CStruct;
    for (const name of ['hmm_pfns', 'pfns', 'src', 'dst']) {
      const role = roleOf(struct, name);
      const held = struct[name];
      const array = role && held !== undefined ? inside(held) : undefined;
      if (role && array && !('pfn' in array) && isArray(array.object)) roles.set(array.object, role);
    }
  }
  return roles;
}

const plain = (name: string, text: string, more: Partial<Part> = {}): Part => ({
  name,
  text,
  slot: text,
  type: '',
  ...more,
});

function pageParts(machine: Machine, pfn: number): Part[] {
  const { kernel } = machine;
  if (!pfn_valid(kernel, pfn) || kindOf(kernel.pages.state.get(pfn)) === PageKind.Poisoned)
    return [plain('pfn', hex(pfn))];
  const page = pageView(machine, pfn);
  const at = `page:${hex(pfn)}`;
  const parts = [plain('pfn', hex(pfn)), plain('state', page.kindText)];
  if (page.refcount === undefined) return parts;
  parts.push(
    plain('_refcount', String(page.refcount), { watch: `${at}:refcount`, access: '->_refcount' }),
    plain('_mapcount', `${(page.mapcount ?? 0) - 1}: mapped ${page.mapcount} time(s)`, {
      watch: `${at}:mapcount`,
      access: '->_mapcount',
    }),
    plain('flags', `0x${page.flags}: ${page.flagFields.map(({ name, text }) => `${name} ${text}`).join(', ')}`, {
      watch: `${at}:flags`,
      access: '->flags',
    }),
    plain('zone', `${page.zone} of node ${page.node}`),
  );
  if (page.order) parts.push(plain('order', String(page.order)));
  if (page.pgmap !== undefined) parts.push(plain('pgmap', page.pgmap));
  if (page.resource !== undefined) parts.push(plain('resource', page.resource));
  return parts;
}
