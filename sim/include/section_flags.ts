/** The flags in the low bits of mem_section.section_mem_map by release (include/linux/mmzone.h). */
import { type Release, type Span, spanHolds } from '../kernel/release.ts';
import {
  SECTION_HAS_MEM_MAP,
  SECTION_IS_EARLY,
  SECTION_IS_ONLINE,
  SECTION_MARKED_PRESENT,
  SECTION_TAINT_ZONE_DEVICE,
} from './mmzone.ts';

export interface SectionFlag extends Span {
  name: string;
  value: number;
  contract: string;
}

export const SECTION_FLAG_BITS: readonly SectionFlag[] = [
  {
    name: 'SECTION_MARKED_PRESENT',
    value: SECTION_MARKED_PRESENT,
    since: '4.3',
    contract: 'Flag in section_mem_map: there is memory in the section.',
  },
  {
    name: 'SECTION_HAS_MEM_MAP',
    value: SECTION_HAS_MEM_MAP,
    since: '4.3',
    contract: 'Flag in section_mem_map: the section has struct pages.',
  },
  {
    name: 'SECTION_IS_ONLINE',
    value: SECTION_IS_ONLINE,
    since: '4.13',
    contract: 'Flag in section_mem_map: the section is online. Device memory never is.',
  },
  {
    name: 'SECTION_IS_EARLY',
    value: SECTION_IS_EARLY,
    since: '5.3',
    contract: 'Flag in section_mem_map: the memory map was made at boot.',
  },
  {
    name: 'SECTION_TAINT_ZONE_DEVICE',
    value: SECTION_TAINT_ZONE_DEVICE,
    since: '5.12',
    contract: 'Flag in section_mem_map: part of the section is device memory.',
  },
];

export const sectionFlagsIn = (release: Release): readonly SectionFlag[] =>
  SECTION_FLAG_BITS.filter((flag) => spanHolds(flag, release));

/** The bits that mean something in a release: the rest of the word is the coded pointer. */
export const sectionFlagMask = (release: Release): number =>
  sectionFlagsIn(release).reduce((mask, flag) => mask | flag.value, 0);

/** Below this bit no pointer begins: SECTION_MAP_MASK clears the bits under it. */
export const sectionMapLastBit = (release: Release): number => sectionFlagsIn(release).length;

const NID_SHIFT: readonly (Span & { value: number })[] = [
  { since: '4.3', until: '4.12', value: 2 },
  { since: '4.13', until: '5.13', value: 3 },
  { since: '5.14', until: '5.19', value: 6 },
];
/** Where sparse_init keeps the node of a section until the section has its memory map. */
export const sectionNidShift = (release: Release): number =>
  NID_SHIFT.find((entry) => spanHolds(entry, release))?.value ?? sectionMapLastBit(release);
