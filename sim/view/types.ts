/**
 * View models: what people see, free of the engine's own objects, structured-cloneable.
 * Addresses are hexadecimal strings without `0x` where C prints them so; pfns and counts are numbers.
 */

/** Where the timeline stands. `step` may go back; `revision` only rises. */
export interface Position {
  revision: number;
  step: number;
  /** Steps in the timeline, undone ones included. */
  steps: number;
  machine: string;
  release: string;
  /** One line that says what the last step did, empty at boot. */
  lastStep: string;
  /** Where a paused program waits, if one does. */
  paused?: { why: string; where: string; canContinue: boolean };
}

export interface ZoneView {
  index: number;
  name: string;
  startPfn: number;
  spanned: number;
  present: number;
  managed: number;
  free: number;
  watermarks: { min: number; low: number; high: number; promo: number };
  lowmemReserve: number[];
  /** Free blocks by order. */
  freeByOrder: number[];
  /** Names of the fields above that the last step changed. */
  changed: string[];
}

export interface NodeView {
  id: number;
  startPfn: number;
  spanned: number;
  present: number;
  zones: ZoneView[];
}

/** One run of neighbouring sections with equal state. */
export interface SectionRunView {
  first: number;
  count: number;
  nid: number;
  present: boolean;
  hasMemMap: boolean;
  online: boolean;
  early: boolean;
  taintZoneDevice: boolean;
  /** Sub-section bits as two 32-bit words, low first: bit i is the i-th 2 MiB. */
  subsectionMap: [number, number];
  /** `section_mem_map` of the first section, in hexadecimal. */
  raw: string;
  /** Zone names found inside. */
  zones: string[];
  changed: boolean;
}

export interface ResourceView {
  start: string;
  end: string;
  name: string;
  depth: number;
  busy: boolean;
  desc: string;
  changed: boolean;
}

export interface DeviceView {
  name: string;
  nid: number;
  pagemaps: PagemapView[];
}

/** One live `struct dev_pagemap`. */
export interface PagemapView {
  id: number;
  /** `MEMORY_DEVICE_PRIVATE` ... */
  type: string;
  ranges: { startPfn: number; endPfn: number }[];
  owner: string;
  /** Value of the percpu reference, bias included. */
  refs: number;
  /** False from `memunmap_pages` until its references are gone. */
  live: boolean;
  altmap?: { reserve: number; free: number; alloc: number; align: number };
  changed: boolean;
}

/** Everything the Zones panel draws. */
export interface ZonesView {
  position: Position;
  pageSize: number;
  sectionPages: number;
  subsectionPages: number;
  maxPfn: number;
  nodes: NodeView[];
  sections: SectionRunView[];
  resources: ResourceView[];
  devices: DeviceView[];
  /** Lines the last step wrote to the kernel log. */
  printk: string[];
}

/** One extent of page frames worth drawing: RAM, device memory or a hole between them that is short. */
export interface ExtentView {
  /** First pfn, a multiple of a section. */
  startPfn: number;
  endPfn: number;
  label: string;
}

/** Everything the Pagemap panel needs before it asks for tiles. */
export interface PagemapSnapshot {
  position: Position;
  pageSize: number;
  sectionPages: number;
  /** Ascending, disjoint; the panel draws them one after another and marks the gaps. */
  extents: ExtentView[];
  /** Pages by `PageKind`. */
  totals: number[];
  /** Runs of page frames whose struct page the last step changed, ascending, at most 4096 (joined beyond that). */
  changed: { startPfn: number; endPfn: number }[];
  selected?: number;
}

/** One tile: `TILE_CELLS` cells of 2^level pages each. */
export interface Tile {
  level: number;
  /** First pfn / (TILE_CELLS << level). */
  index: number;
  /**
   * Two bytes a cell: [0] low nibble the commonest kind, high nibble the second commonest (or the same);
   * [1] bits 0..6 the share of the commonest in 127ths, bit 7 whether the last step changed a page of it.
   */
  cells: ArrayBuffer;
}
export const TILE_CELLS = 4096;

/** A bit field of `page->flags`. */
export interface FlagsFieldView {
  name: string;
  shift: number;
  width: number;
  value: number;
  /** The decoded meaning: `ZONE_DEVICE`, `PG_reserved`. */
  text: string;
}

/** The decoded `struct page` of one page frame. */
export interface PageView {
  revision: number;
  pfn: number;
  physical: string;
  valid: boolean;
  online: boolean;
  kind: number;
  kindText: string;
  /** Address of the struct page in the vmemmap, and where that comes from. */
  pageAddress: string;
  pageAddressText: string;
  flags?: string;
  flagFields: FlagsFieldView[];
  refcount?: number;
  mapcount?: number;
  order?: number;
  node?: number;
  zone?: string;
  section: number;
  subsection: number;
  sectionState: string;
  block?: string;
  pgmap?: string;
  resource?: string;
  /** What the last step changed in it. */
  changed: string[];
}

/** A node of the State tree in the sidebar. */
/** Pages of one mapping by what its page table entries are. */
export interface PageCountsView {
  present: number;
  /** The zero page, and page frames without a struct page. */
  special: number;
  swap: number;
  devicePrivate: number;
  exclusive: number;
  migration: number;
  other: number;
}

export interface TreeNode {
  /** Stable over revisions. */
  id: string;
  label: string;
  description: string;
  tooltip: string;
  /** A codicon name. */
  icon: string;
  /** What revealing it shows in the panels. */
  reveal?: { startPfn: number; endPfn: number };
  /** Made when they are first asked for, where there may be many. */
  readonly children: TreeNode[];
  changed: boolean;
}
