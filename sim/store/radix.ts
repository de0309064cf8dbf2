/**
 * A value for every page frame as a radix tree, shaped like a page table: leaves of 512
 * pages under four levels of 256-way nodes, uniform entries at every level. 256-way
 * rather than 512-way because the nodes along the two edges of an unaligned range are
 * what a uniform 16 TiB costs, and five levels reach 2^40 pages exactly.
 *
 * Every block counts its pages by low nibble, so that counting a window looks at its
 * edges only. Writes to pages of a leaf keep the leaf's counts and mark those of the nodes
 * above as out of date, which is most of the difference between 70 ns and 20 ns a write;
 * they are summed again when somebody counts. Other writes keep the counts of every level.
 * Nodes of the lowest level (512 MiB) are found through a small direct-mapped
 * cache: in ordinary working sets a lookup is then two loads, whatever the tree's height.
 *
 * Nothing here knows the journal. `fill` can hand over what it displaced as a flat list
 * of pieces, and `restore` puts such a list back.
 */

import {
  BlockPool,
  CHILD_BITS,
  FANOUT,
  KINDS,
  LEAF_BITS,
  LEAF_COUNTS,
  LEAF_PAGES,
  LEAF_PARENT,
  LEAF_WORDS,
  NO_NODE,
  NODE_PARENT,
  NODE_STALE,
  NODE_WORDS,
  spanOf,
  TOP,
} from './blocks.ts';
import { freeTree, keepPart, keepRun, levelOf, type Pieces } from './pieces.ts';

/** Page frames that can be named: 52-bit physical addresses, 4 KiB pages. */
export const PFN_LIMIT = 2 ** 40;

/** Pages under one node of level 1, the unit of the lookup cache. */
const REGION_PAGES = LEAF_PAGES * FANOUT;
const CACHE_LINES = 64;
const NO_REGION = 0x7fffffff;

function slotOf(pfn: number, level: number): number {
  return Math.floor(pfn / spanOf(level)) & (FANOUT - 1);
}

export class RadixTree {
  readonly pool = new BlockPool();
  private readonly root: number;
  /** Two words a line: a region, and where the slots of its node begin. */
  private readonly cache = new Int32Array(CACHE_LINES * 2).fill(NO_REGION);
  /** The value `stretch` found. */
  private found = 0;

  constructor(value: number) {
    this.root = this.pool.newNode(value, spanOf(TOP), NO_NODE);
  }

  get(pfn: number): number {
    const leaf = this.leafOf(pfn);
    return leaf < 0 ? this.uniformAt(pfn) : (this.pool.pages[leaf * LEAF_WORDS + (pfn & (LEAF_PAGES - 1))] as number);
  }

  /** The leaf that holds `pfn`; -1 where a uniform entry does. */
  leafOf(pfn: number): number {
    const region = Math.floor(pfn / REGION_PAGES);
    const cache = this.cache;
    const line = (region & (CACHE_LINES - 1)) << 1;
    if (cache[line] !== region) return this.findLeaf(pfn);
    const slots = this.pool.slots;
    const base = cache[line + 1] as number;
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
    const pages = this.pool.pages;
    const base = leaf * LEAF_WORDS;
    pages[base + index] = value;
    const from = old & 15;
    const to = value & 15;
    if (from === to) return;
    const less = base + LEAF_COUNTS + (from >>> 1);
    const more = base + LEAF_COUNTS + (to >>> 1);
    pages[less] = (pages[less] as number) - (1 << ((from & 1) << 4));
    pages[more] = (pages[more] as number) + (1 << ((to & 1) << 4));
    const node = pages[base + LEAF_PARENT] as number;
    if (this.pool.slots[node * NODE_WORDS + NODE_STALE] === 0) this.markStale(node);
  }

  /** Sets one page, collapses what became uniform, and returns the value before. */
  exchange(pfn: number, value: number): number {
    const found = this.leafOf(pfn);
    const leaf = found < 0 ? this.openLeaf(pfn) : found;
    const pages = this.pool.pages;
    const first = leaf * LEAF_WORDS;
    const index = pfn & (LEAF_PAGES - 1);
    const old = pages[first + index] as number;
    this.write(leaf, index, old, value);
    if (this.pool.leafCount(leaf, value & 15) === LEAF_PAGES) {
      // Neighbours are often written in turn: while the ends differ there is no need to look between.
      if (pages[first] === value && pages[first + LEAF_PAGES - 1] === value) this.settle(pfn);
    }
    return old;
  }

  /** Sets [start, end). With `displaced`, what was different before is appended to it instead of being freed. */
  fill(start: number, end: number, value: number, displaced?: Pieces): void {
    if (!(start >= 0 && end <= PFN_LIMIT)) throw new RangeError(`page frames ${start} to ${end}: outside 0 to 2^40`);
    if (!(start < end)) return;
    const leaf = this.leafOf(start);
    if (leaf < 0 || Math.floor((end - 1) / LEAF_PAGES) !== Math.floor(start / LEAF_PAGES)) {
      this.fillNode(this.root, TOP, 0, start, end, value, displaced);
    } else {
      this.markStale(this.pool.pages[leaf * LEAF_WORDS + LEAF_PARENT] as number);
      this.fillLeaf(leaf, start, end, value, displaced);
      if (this.pool.leafCount(leaf, value & 15) === LEAF_PAGES) this.settle(start);
    }
  }

  /** Puts back what `fill` displaced. The list is used up. */
  restore(pieces: Pieces): void {
    for (let i = 0; i < pieces.length; i += 3) {
      const start = pieces[i] as number;
      const end = pieces[i + 1] as number;
      const word = pieces[i + 2] as number;
      if (word >= 0) this.fill(start, end, word);
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
    return this.pool.bytes() + this.cache.byteLength;
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
    const line = (region & (CACHE_LINES - 1)) << 1;
    this.cache[line] = region;
    this.cache[line + 1] = node * NODE_WORDS;
    const slot = slotOf(pfn, 1);
    return this.pool.isChild(node, slot) ? (this.pool.slots[node * NODE_WORDS + slot] as number) : -1;
  }

  /** To be called whenever a node leaves the tree. */
  private forgetRegions(): void {
    this.cache.fill(NO_REGION);
  }

  /** Where a node's counts are out of date, so are those of all nodes above it. */
  private markStale(node: number): void {
    const slots = this.pool.slots;
    let each = node;
    while (each !== NO_NODE && slots[each * NODE_WORDS + NODE_STALE] === 0) {
      slots[each * NODE_WORDS + NODE_STALE] = 1;
      each = slots[each * NODE_WORDS + NODE_PARENT] as number;
    }
  }

  /** Brings the counts of a node up to date. */
  private recount(node: number, level: number): void {
    const { nodeCounts, slots } = this.pool;
    if (slots[node * NODE_WORDS + NODE_STALE] === 0) return;
    slots[node * NODE_WORDS + NODE_STALE] = 0;
    nodeCounts.fill(0, node * KINDS, node * KINDS + KINDS);
    for (let slot = 0; slot < FANOUT; slot++) {
      if (level > 1 && this.pool.isChild(node, slot)) {
        this.recount(slots[node * NODE_WORDS + slot] as number, level - 1);
      }
      this.countEntry(node, slot, level, 1);
    }
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
    const entries = level === 1 ? pool.pages : pool.slots;
    const first = level === 1 ? child * LEAF_WORDS : child * NODE_WORDS;
    const value = entries[first] as number;
    if (level === 1) {
      if (pool.leafCount(child, value & 15) !== LEAF_PAGES) return false;
    } else if (pool.childCount(child) > 0) return false;
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
      node = this.pool.slots[node * NODE_WORDS + NODE_PARENT] as number;
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
    if (displaced !== undefined) keepPart(this.pool, leaf, start, end, value, displaced);
    const pool = this.pool;
    const first = leaf * LEAF_WORDS + (start & (LEAF_PAGES - 1));
    const last = first + (end - start);
    for (let i = first; i < last; i++) pool.countLeaf(leaf, (pool.pages[i] as number) & 15, -1);
    pool.pages.fill(value, first, last);
    pool.countLeaf(leaf, value & 15, end - start);
  }

  private restorePart(start: number, end: number, copy: number): void {
    const leaf = this.openLeaf(start);
    const pages = this.pool.pages;
    const first = start & (LEAF_PAGES - 1);
    for (let i = first; i < first + (end - start); i++) {
      const old = pages[leaf * LEAF_WORDS + i] as number;
      this.write(leaf, i, old, pages[copy * LEAF_WORDS + i] as number);
    }
    this.pool.freeLeaf(copy);
    this.settle(start);
  }

  /** Puts a subtree in place of whatever is there now. */
  private attach(start: number, pages: number, block: number): void {
    const level = levelOf(pages) + 1;
    const node = this.openNode(start, level);
    const slot = slotOf(start, level);
    // A whole block of pages changes at once: the counts above are cheaper to sum again than to correct.
    this.markStale(node);
    if (this.pool.isChild(node, slot)) {
      if (level > 1) this.forgetRegions();
      freeTree(this.pool, this.pool.slots[node * NODE_WORDS + slot] as number, level - 1);
    }
    this.pool.setChild(node, slot, block);
    if (level === 1) this.pool.pages[block * LEAF_WORDS + LEAF_PARENT] = node;
    else this.pool.slots[block * NODE_WORDS + NODE_PARENT] = node;
  }

  /** Adds (or subtracts) the pages under one slot to its node's counts, unless those are out of date anyway. */
  private countEntry(node: number, slot: number, level: number, sign: 1 | -1): void {
    const { slots, nodeCounts } = this.pool;
    if (slots[node * NODE_WORDS + NODE_STALE] !== 0) return;
    const word = slots[node * NODE_WORDS + slot] as number;
    const base = node * KINDS;
    if (!this.pool.isChild(node, slot)) {
      nodeCounts[base + (word & 15)] = (nodeCounts[base + (word & 15)] as number) + sign * spanOf(level);
      return;
    }
    for (let kind = 0; kind < KINDS; kind++) {
      const pages = level === 1 ? this.pool.leafCount(word, kind) : (nodeCounts[word * KINDS + kind] as number);
      nodeCounts[base + kind] = (nodeCounts[base + kind] as number) + sign * pages;
    }
  }

  private countNode(node: number, level: number, base: number, start: number, end: number, out: Float64Array): void {
    const { slots, nodeCounts, pages } = this.pool;
    const span = spanOf(level);
    const last = Math.floor((end - 1 - base) / span);
    for (let slot = Math.floor((start - base) / span); slot <= last; slot++) {
      const word = slots[node * NODE_WORDS + slot] as number;
      const slotStart = base + slot * span;
      const from = Math.max(start, slotStart);
      const to = Math.min(end, slotStart + span);
      if (!this.pool.isChild(node, slot)) {
        out[word & 15] = (out[word & 15] as number) + (to - from);
      } else if (to - from === span) {
        if (level > 1) this.recount(word, level - 1);
        for (let kind = 0; kind < KINDS; kind++) {
          const counted = level === 1 ? this.pool.leafCount(word, kind) : (nodeCounts[word * KINDS + kind] as number);
          out[kind] = (out[kind] as number) + counted;
        }
      } else if (level > 1) {
        this.countNode(word, level - 1, slotStart, from, to, out);
      } else {
        const first = word * LEAF_WORDS + (from - slotStart);
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
      const first = leaf * LEAF_WORDS + (pfn & (LEAF_PAGES - 1));
      const last = leaf * LEAF_WORDS + LEAF_PAGES;
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
