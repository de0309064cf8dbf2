/**
 * The members of struct page and struct folio as C reads them: include/linux/mm_types.h. Views of the columns and
 * of the folio records; what the engine keeps of neither is said to be unsimulated, never made up.
 */
import { CStop } from '../c/environment.ts';
import {
  addressPointer,
  BadAccess,
  type CPointer,
  type CStruct,
  type CValue,
  integer,
  objectPointer,
  type Slot,
} from '../c/value.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { page_ref_count } from './compound_page.ts';
import { folioOf } from './folio.ts';
import { flagsWord } from './page_flags.ts';
import { page_pgmap } from './pagemap.ts';
import { pfn_valid } from './sparse.ts';

const views = new WeakMap<Kernel, Map<string, CStruct>>();

/** The same object each time, which reads what is there now. */
function view(kernel: Kernel, pfn: number, field: string, struct: string, parts: Record<string, () => Slot>): CStruct {
  const known = views.get(kernel) ?? new Map<string, CStruct>();
  views.set(kernel, known);
  const key = `${field} ${pfn}`;
  let object = known.get(key);
  if (!object) {
    object = { $struct: struct };
    for (const [name, get] of Object.entries(parts)) Object.defineProperty(object, name, { enumerable: true, get });
    known.set(key, object);
  }
  return object;
}

const pgmapPointer = (kernel: Kernel, pfn: number, to: string): CPointer => {
  const map = page_pgmap(kernel, pfn);
  return map ? { ...objectPointer(map.pgmap), to } : addressPointer(0n, to);
};

/** The word that page->mapping is: an anonymous one is marked in its lowest bit. */
function mappingWord(kernel: Kernel, pfn: number): bigint {
  const mapping = folioOf(kernel, pfn)?.mapping;
  if (!mapping) return 0n;
  return kernel.addressOf(mapping) | ('pages' in mapping ? 0n : 1n);
}

const aggregate = (object: CStruct): CValue => ({ kind: 'aggregate', object });

/** A member that the release has, of the page or of the folio that begins with it; `type` as the header spells it. */
export function pageMember(kernel: Kernel, pfn: number, field: string, type: string): CValue {
  if (!pfn_valid(kernel, pfn))
    throw new BadAccess(`->${field}: pfn ${hex(pfn)} has no struct page; nothing is mapped there in vmemmap`);
  const atomic = (read: () => number): CValue =>
    aggregate(view(kernel, pfn, field, 'atomic_t', { counter: () => BigInt(read() | 0) }));
  switch (field) {
    case 'flags': {
      const word = (): bigint => flagsWord(kernel, pfn).word;
      return type === 'memdesc_flags_t'
        ? aggregate(view(kernel, pfn, field, 'memdesc_flags_t', { f: word }))
        : integer(word(), 'unsigned long');
    }
    case '_count':
    case '_refcount':
      return atomic(() => page_ref_count(kernel, pfn));
    case '_mapcount':
      return atomic(() => kernel.pages.mapcount.get(pfn));
    case 'mapping':
      return addressPointer(mappingWord(kernel, pfn), 'struct address_space');
    case 'index':
      return integer(BigInt(folioOf(kernel, pfn)?.index ?? 0), 'unsigned long');
    case 'pgmap':
      return pgmapPointer(kernel, pfn, 'struct dev_pagemap');
    case 'lru': {
      // A device page is on no list: the first of the two words leads to its pagemap, the second is the driver's.
      if (!page_pgmap(kernel, pfn))
        throw new CStop('unsupported', `Which pages stand beside page ${hex(pfn)} on a list is not simulated.`);
      return aggregate(
        view(kernel, pfn, field, 'list_head', {
          next: () => pgmapPointer(kernel, pfn, 'struct list_head'),
          prev: () => kernel.state.hmm_data.get(pfn) ?? 0n,
        }),
      );
    }
    default:
      throw new CStop('unsupported', `${field} of a struct page is not simulated.`);
  }
}
