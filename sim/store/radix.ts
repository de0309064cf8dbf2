/**
 * A value for every page frame as a radix tree, shaped like a page table: leaves of 512
 * pages under four levels of 256-way nodes, uniform entries at every level. 256-way
 * rather than 512-way because the nodes along the two edges of an unaligned range are
 * what a uniform 16 TiB costs, and five levels reach 2^40 pages exactly.
 *
 * Every block counts its pages by low nibble, so that counting a window looks at its
 * edges only. Nodes of the lowest level (512 MiB) are found through a small direct-mapped
 * cache: in ordinary working sets a lookup is then two loads, whatever the tree's height.
 *
 * Nothing here knows the journal. `fill` can hand over what it displaced as a flat list
 * of pieces, and `restore` puts such a list back.
 */

import { BlockPool, CHILD_BITS, FANOUT, KINDS, LEAF_BITS, LEAF_PAGES, NODE_WORDS, spanOf, TOP } from './blocks.ts';
import { freeTree, keepRun, levelOf, type Pieces, visitLeaf } from './pieces.ts';

/** Page frames that can be named: 52-bit physical addresses, 4 KiB pages. */
export const PFN_LIMIT = 2 ** 40;

/** Pages under one node of level 1, the unit of the lookup cache. */
const REGION_PAGES = LEAF_PAGES * FANOUT;
const CACHE_LINES = 64;
const NO_REGION = 0x7fffffff;
/** A part of a leaf with more runs than this is kept as a copy of the leaf. */
const MAX_KEPT_RUNS = 8;

function slotOf(pfn: number, level: number): number {
  return Math.floor(pfn / spanOf(level)) & (FANOUT - 1);
}

export class RadixTree {
  readonly pool = new BlockPool();
  private readonly root: number;
  private readonly cachedRegion = new Int32Array(CACHE_LINES).fill(NO_REGION);
  /** Where the slots of the cached region's node begin. */
  private readonly cachedSlots = new Int32Array(CACHE_LINES);
  /** The value `stretch` found. */
  private found = 0;

  constructor(value: number) {
    this.root = this.pool.newNode(value, spanOf(TOP), -1);
  }

  get(pfn: number): number {
    const leaf = this.leafOf(pfn);
    return leaf < 0 ? this.uniformAt(pfn) : (this.pool.pages[leaf * LEAF_PAGES + (pfn & (LEAF_PAGES - 1))] as number);
  }

  /** The leaf that holds `pfn`; -1 where a uniform entry does. */
  leafOf(pfn: number): number {
    const region = Math.floor(pfn / REGION_PAGES);
    const line = region & (CACHE_LINES - 1);
    if (this.cachedRegion[line] !== region) return this.findLeaf(pfn);
    const slots = this.pool.slots;
    const base = this.cachedSlots[line] as number;
    const slot = (pfn >>> LEAF_BITS) & (FANOUT - 1);
    const bits = slots[base + CHILD_BITS + (slot >>> 5)] as number;
    return ((bits >>> (slot & 31)) & 1) === 0 ? -1 : (slots[base + slot] as number);
  }

  /** The value of a page that lies in no leaf. */
  uniformAt(pfn: number): number {
    let node = this.root;
    for (let level = TOP; ; level--) {
      const slot = slotOf(pfn, level);
      const word = this.pool.slots[node * NODE_WORDS + slot] as number;
      if (!this.pool.isChild(node, slot)) return word;
      node = word;
    }
  }

  /** The leaf that holds `pfn`, made if there was none. */
  openLeaf(pfn: number): number {
    const node = this.openNode(pfn, 1);
    const slot = slotOf(pfn, 1);
    if (!this.pool.isChild(node, slot)) return this.split(node, slot, 1);
    return this.pool.slots[node * NODE_WORDS + slot] as number;
  }

  /** Changes one page of a leaf from `old` to `value`. Leaves the leaf in place even if it is now uniform. */
  write(leaf: number, index: number, old: number, value: number): void {
    const pool = this.pool;
    pool.pages[leaf * LEAF_PAGES + index] = value;
    const from = old & 15;
    const to = value & 15;
    if (from === to) return;
    const leafCounts = pool.leafCounts;
    leafCounts[leaf * KINDS + from] = (leafCounts[leaf * KINDS + from] as number) - 1;
    leafCounts[leaf * KINDS + to] = (leafCounts[leaf * KINDS + to] as number) + 1;
    const counts = pool.nodeCounts;
    const parents = pool.nodeParent;
    for (let node = pool.leafParent[leaf] as number; node >= 0; node = parents[node] as number) {
      counts[node * KINDS + from] = (counts[node * KINDS + from] as number) - 1;
      counts[node * KINDS + to] = (counts[node * KINDS + to] as number) + 1;
    }
  }

  /** Sets one page, collapses what became uniform, and returns the value before. */
  exchange(pfn: number, value: number): number {
    const found = this.leafOf(pfn);
    const leaf = found < 0 ? this.openLeaf(pfn) : found;
    const { pages, leafCounts } = this.pool;
    const first = leaf * LEAF_PAGES;
    const index = pfn & (LEAF_PAGES - 1);
    const old = pages[first + index] as number;
    this.write(leaf, index, old, value);
    if (leafCounts[leaf * KINDS + (value & 15)] === LEAF_PAGES) {
      // Neighbours are often written in turn: while the ends differ there is no need to look between.
      if (pages[first] === value && pages[first + LEAF_PAGES - 1] === value) this.settle(pfn);
    }
    return old;
  }

  /** Sets [start, end). With `displaced`, what was different before is appended to it instead of being freed. */
  fill(start: number, end: number, value: number, displaced?: Pieces): void {
    if (!(start >= 0 && end <= PFN_LIMIT)) throw new RangeError(`page frames ${start} to ${end}: outside 0 to 2^40`);
    if (start < end) this.fillNode(this.root, TOP, 0, start, end, value, displaced);
  }

  /** Puts back what `fill` displaced. The list is used up. */
  restore(pieces: Pieces): void {
    for (let i = 0; i < pieces.length; i += 3) {
      const start = pieces[i] as number;
      const end = pieces[i + 1] as number;
      const word = pieces[i + 2] as number;
      if (word >= 0) this.fillNode(this.root, TOP, 0, start, end, word, undefined);
      else if (end - start < LEAF_PAGES) this.restorePart(start, end, -1 - word);
      else this.attach(start, end - start, -1 - word);
    }
    pieces.length = 0;
  }

  count(start: number, end: number, out: Float64Array): void {
    const from = Math.max(0, start);
    const to = Math.min(PFN_LIMIT, end);
    if (from < to) this.countNode(this.root, TOP, 0, from, to, out);
  }

  runs(start: number, end: number, visit: (start: number, end: number, value: number) => boolean | undefined): void {
    const limit = Math.min(PFN_LIMIT, end);
    let from = Math.max(0, start);
    while (from < limit) {
      let to = this.stretch(from);
      const value = this.found;
      while (to < limit) {
        const next = this.stretch(to);
        if (this.found !== value) break;
        to = next;
      }
      to = Math.min(to, limit);
      if (visit(from, to, value) === false) return;
      from = to;
    }
  }

  bytes(): number {
    return this.pool.bytes() + this.cachedRegion.byteLength + this.cachedSlots.byteLength;
  }

  private findLeaf(pfn: number): number {
    if (!(pfn >= 0 && pfn < PFN_LIMIT)) throw new RangeError(`page frame ${pfn}: outside 0 to 2^40`);
    let node = this.root;
    for (let level = TOP; level > 1; level--) {
      const slot = slotOf(pfn, level);
      if (!this.pool.isChild(node, slot)) return -1;
      node = this.pool.slots[node * NODE_WORDS + slot] as number;
    }
    const region = Math.floor(pfn / REGION_PAGES);
    this.cachedRegion[region & (CACHE_LINES - 1)] = region;
    this.cachedSlots[region & (CACHE_LINES - 1)] = node * NODE_WORDS;
    const slot = slotOf(pfn, 1);
    return this.pool.isChild(node, slot) ? (this.pool.slots[node * NODE_WORDS + slot] as number) : -1;
  }

  /** To be called whenever a node leaves the tree. */
  private forgetRegions(): void {
    this.cachedRegion.fill(NO_REGION);
  }

  /** The node of `level` above `pfn`, made if there was none. */
  private openNode(pfn: number, level: number): number {
    let node = this.root;
    for (let above = TOP; above > level; above--) {
      const slot = slotOf(pfn, above);
      node = this.pool.isChild(node, slot)
        ? (this.pool.slots[node * NODE_WORDS + slot] as number)
        : this.split(node, slot, above);
    }
    return node;
  }

  /** Replaces a uniform entry by a block of equal entries. */
  private split(node: number, slot: number, level: number): number {
    const value = this.pool.slots[node * NODE_WORDS + slot] as number;
    const child = level === 1 ? this.pool.newLeaf(value, node) : this.pool.newNode(value, spanOf(level - 1), node);
    this.pool.setChild(node, slot, child);
    return child;
  }

  /** Replaces a child whose pages are all alike by a uniform entry; says whether it did. */
  private collapse(node: number, slot: number, level: number): boolean {
    const pool = this.pool;
    const child = pool.slots[node * NODE_WORDS + slot] as number;
    const counts = level === 1 ? pool.leafCounts : pool.nodeCounts;
    const entries = level === 1 ? pool.pages : pool.slots;
    const first = level === 1 ? child * LEAF_PAGES : child * NODE_WORDS;
    const value = entries[first] as number;
    if (level > 1 && pool.childCount(child) > 0) return false;
    if (counts[child * KINDS + (value & 15)] !== spanOf(level)) return false;
    const end = first + (level === 1 ? LEAF_PAGES : FANOUT);
    for (let i = first + 1; i < end; i++) if (entries[i] !== value) return false;
    if (level === 1) pool.freeLeaf(child);
    else {
      pool.freeNode(child);
      this.forgetRegions();
    }
    pool.setValue(node, slot, value);
    return true;
  }

  /** Collapses what became uniform above `pfn`, which lies in a leaf. */
  private settle(pfn: number): void {
    let node = this.openNode(pfn, 1);
    for (let level = 1; level <= TOP; level++) {
      if (!this.collapse(node, slotOf(pfn, level), level)) return;
      node = this.pool.nodeParent[node] as number;
    }
  }

  private fillNode(
    node: number,
    level: number,
    base: number,
    start: number,
    end: number,
    value: number,
    displaced: Pieces | undefined,
  ): void {
    const span = spanOf(level);
    const last = Math.floor((end - 1 - base) / span);
    for (let slot = Math.floor((start - base) / span); slot <= last; slot++) {
      const isChild = this.pool.isChild(node, slot);
      const word = this.pool.slots[node * NODE_WORDS + slot] as number;
      if (!isChild && word === value) continue;
      const slotStart = base + slot * span;
      const from = Math.max(start, slotStart);
      const to = Math.min(end, slotStart + span);
      if (to - from === span) {
        this.countEntry(node, slot, level, -1);
        if (!isChild) {
          if (displaced !== undefined) keepRun(displaced, from, to, word);
        } else {
          if (level > 1) this.forgetRegions();
          if (displaced !== undefined) displaced.push(from, to, -1 - word);
          else freeTree(this.pool, word, level - 1);
        }
        this.pool.setValue(node, slot, value);
        this.countEntry(node, slot, level, 1);
        continue;
      }
      const child = isChild ? word : this.split(node, slot, level);
      this.countEntry(node, slot, level, -1);
      if (level === 1) this.fillLeaf(child, from, to, value, displaced);
      else this.fillNode(child, level - 1, slotStart, from, to, value, displaced);
      this.countEntry(node, slot, level, 1);
      this.collapse(node, slot, level);
    }
  }

  private fillLeaf(leaf: number, start: number, end: number, value: number, displaced: Pieces | undefined): void {
    if (displaced !== undefined) this.keepPart(leaf, start, end, value, displaced);
    const { pages, leafCounts } = this.pool;
    const first = leaf * LEAF_PAGES + (start & (LEAF_PAGES - 1));
    const last = first + (end - start);
    for (let i = first; i < last; i++) {
      const kind = leaf * KINDS + ((pages[i] as number) & 15);
      leafCounts[kind] = (leafCounts[kind] as number) - 1;
    }
    pages.fill(value, first, last);
    const kind = leaf * KINDS + (value & 15);
    leafCounts[kind] = (leafCounts[kind] as number) + (end - start);
  }

  /** Appends the pages of a part of a leaf that differ from `value`: as runs, or as a copy if they are many. */
  private keepPart(leaf: number, start: number, end: number, value: number, pieces: Pieces): void {
    let runs = 0;
    visitLeaf(this.pool, leaf, start, end, (_from, _to, old) => {
      if (old !== value) runs++;
    });
    if (runs > MAX_KEPT_RUNS) {
      pieces.push(start, end, -1 - this.pool.copyLeaf(leaf));
      return;
    }
    visitLeaf(this.pool, leaf, start, end, (from, to, old) => {
      if (old !== value) keepRun(pieces, from, to, old);
    });
  }

  private restorePart(start: number, end: number, copy: number): void {
    const leaf = this.openLeaf(start);
    const pages = this.pool.pages;
    const first = start & (LEAF_PAGES - 1);
    for (let i = first; i < first + (end - start); i++) {
      const old = pages[leaf * LEAF_PAGES + i] as number;
      this.write(leaf, i, old, pages[copy * LEAF_PAGES + i] as number);
    }
    this.pool.freeLeaf(copy);
    this.settle(start);
  }

  /** Puts a subtree in place of whatever is there now. */
  private attach(start: number, pages: number, block: number): void {
    const level = levelOf(pages) + 1;
    const node = this.openNode(start, level);
    const slot = slotOf(start, level);
    this.countEntry(node, slot, level, -1, true);
    if (this.pool.isChild(node, slot)) {
      if (level > 1) this.forgetRegions();
      freeTree(this.pool, this.pool.slots[node * NODE_WORDS + slot] as number, level - 1);
    }
    this.pool.setChild(node, slot, block);
    (level === 1 ? this.pool.leafParent : this.pool.nodeParent)[block] = node;
    this.countEntry(node, slot, level, 1, true);
  }

  /** Adds (or subtracts) the pages under one slot to its node's counts, and to those of all above it if asked. */
  private countEntry(node: number, slot: number, level: number, sign: 1 | -1, above = false): void {
    const { slots, nodeCounts, nodeParent } = this.pool;
    const word = slots[node * NODE_WORDS + slot] as number;
    const isChild = this.pool.isChild(node, slot);
    const counts = level === 1 ? this.pool.leafCounts : nodeCounts;
    for (let to = node; to >= 0; to = above ? (nodeParent[to] as number) : -1) {
      const base = to * KINDS;
      if (!isChild) {
        nodeCounts[base + (word & 15)] = (nodeCounts[base + (word & 15)] as number) + sign * spanOf(level);
      } else {
        for (let kind = 0; kind < KINDS; kind++) {
          nodeCounts[base + kind] =
            (nodeCounts[base + kind] as number) + sign * (counts[word * KINDS + kind] as number);
        }
      }
    }
  }

  private countNode(node: number, level: number, base: number, start: number, end: number, out: Float64Array): void {
    const { slots, nodeCounts, leafCounts, pages } = this.pool;
    const span = spanOf(level);
    const counts = level === 1 ? leafCounts : nodeCounts;
    const last = Math.floor((end - 1 - base) / span);
    for (let slot = Math.floor((start - base) / span); slot <= last; slot++) {
      const word = slots[node * NODE_WORDS + slot] as number;
      const slotStart = base + slot * span;
      const from = Math.max(start, slotStart);
      const to = Math.min(end, slotStart + span);
      if (!this.pool.isChild(node, slot)) {
        out[word & 15] = (out[word & 15] as number) + (to - from);
      } else if (to - from === span) {
        for (let kind = 0; kind < KINDS; kind++) {
          out[kind] = (out[kind] as number) + (counts[word * KINDS + kind] as number);
        }
      } else if (level > 1) {
        this.countNode(word, level - 1, slotStart, from, to, out);
      } else {
        const first = word * LEAF_PAGES + (from - slotStart);
        for (let i = first; i < first + (to - from); i++) {
          const kind = (pages[i] as number) & 15;
          out[kind] = (out[kind] as number) + 1;
        }
      }
    }
  }

  /** The end of the pages from `pfn` that one entry or leaf shows to be equal; `found` is their value. */
  private stretch(pfn: number): number {
    const leaf = this.leafOf(pfn);
    if (leaf >= 0) {
      const pages = this.pool.pages;
      const first = leaf * LEAF_PAGES + (pfn & (LEAF_PAGES - 1));
      const last = leaf * LEAF_PAGES + LEAF_PAGES;
      const value = pages[first] as number;
      let i = first + 1;
      while (i < last && pages[i] === value) i++;
      this.found = value;
      return pfn + (i - first);
    }
    let node = this.root;
    for (let level = TOP; ; level--) {
      const slot = slotOf(pfn, level);
      const word = this.pool.slots[node * NODE_WORDS + slot] as number;
      if (!this.pool.isChild(node, slot)) {
        this.found = word;
        return (Math.floor(pfn / spanOf(level)) + 1) * spanOf(level);
      }
      node = word;
    }
  }
}
