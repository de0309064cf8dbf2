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
 * Nodes of the lowest level (512 MiB) are found through a small direct-mapped cache, leaves
 * of the first 64 GiB that were met before through a table, and behind it the one met last:
 * a lookup is then two loads, whatever the tree's height.
 *
 * Nothing here knows the journal. `fill` can hand over what it displaced as a flat list
 * of pieces, and `restore` puts such a list back.
 */

import { BlockPool, FANOUT, KINDS, LEAF_PAGES, NO_NODE, spanOf, TOP } from './blocks.ts';
import { freeTree, keepPart, keepRun, levelOf, type Pieces } from './pieces.ts';

/** Page frames that can be named: 52-bit physical addresses, 4 KiB pages. */
export const PFN_LIMIT = 2 ** 40;

function slotOf(pfn: number, level: number): number {
  return Math.floor(pfn / spanOf(level)) & (FANOUT - 1);
}

export class RadixTree {
  readonly pool = new BlockPool();
  private readonly root: number;
  /** The value `stretch` found. */
  private found = 0;
  /* The two uniform entries met last, as long as no entry has changed. */
  private evenShape = -1;
  private evenStart = 0;
  private evenEnd = 0;
  private evenValue = 0;
  private otherStart = 0;
  private otherEnd = 0;
  private otherValue = 0;

  constructor(value: number) {
    this.root = this.pool.newNode(value, spanOf(TOP), NO_NODE);
  }

  get(pfn: number): number {
    if (this.evenShape === this.pool.shape) {
      if (pfn >= this.evenStart && pfn < this.evenEnd) return this.evenValue;
      if (pfn >= this.otherStart && pfn < this.otherEnd) return this.otherValue;
    }
    const leaf = this.leafOf(pfn);
    if (leaf < 0) return this.uniformAt(pfn);
    this.pool.meet(leaf, pfn);
    return this.pool.page(leaf, pfn);
  }

  /** The leaf that holds `pfn`; -1 where a uniform entry does. */
  leafOf(pfn: number): number {
    const leaf = this.pool.cachedLeaf(pfn);
    return leaf > -2 ? leaf : this.findLeaf(pfn);
  }

  /** The value of a page that lies in no leaf. */
  uniformAt(pfn: number): number {
    if (this.evenShape === this.pool.shape) {
      if (pfn >= this.evenStart && pfn < this.evenEnd) return this.evenValue;
      this.otherStart = this.evenStart;
      this.otherEnd = this.evenEnd;
      this.otherValue = this.evenValue;
    } else this.otherEnd = 0;
    let node = this.root;
    for (let level = TOP; ; level--) {
      const slot = slotOf(pfn, level);
      const word = this.pool.entry(node, slot);
      if (!this.pool.isChild(node, slot)) {
        const span = spanOf(level);
        this.evenStart = Math.floor(pfn / span) * span;
        this.evenEnd = this.evenStart + span;
        this.evenValue = word;
        this.evenShape = this.pool.shape;
        return word;
      }
      node = word;
    }
  }

  /** The leaf that holds `pfn`, made if there was none. */
  openLeaf(pfn: number): number {
    const node = this.openNode(pfn, 1);
    const slot = slotOf(pfn, 1);
    if (!this.pool.isChild(node, slot)) return this.split(node, slot, 1);
    return this.pool.entry(node, slot);
  }

  /** Sets one page, collapses what became uniform, and returns the value before. */
  exchange(pfn: number, value: number): number {
    const found = this.leafOf(pfn);
    const leaf = found < 0 ? this.openLeaf(pfn) : found;
    const pool = this.pool;
    const old = pool.page(leaf, pfn);
    pool.write(leaf, pfn, old, value);
    // Neighbours are often written in turn: while the ends of a leaf differ there is no need to look between.
    if (pool.leafCount(leaf, value & 15) === LEAF_PAGES) {
      if (pool.page(leaf, 0) === value && pool.page(leaf, LEAF_PAGES - 1) === value) this.settle(pfn);
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
      this.pool.markStale(this.pool.parentOfLeaf(leaf));
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
    return this.pool.bytes();
  }

  private findLeaf(pfn: number): number {
    if (!(pfn >= 0 && pfn < PFN_LIMIT)) throw new RangeError(`page frame ${pfn}: outside 0 to 2^40`);
    let node = this.root;
    for (let level = TOP; level > 1; level--) {
      const slot = slotOf(pfn, level);
      if (!this.pool.isChild(node, slot)) return -1;
      node = this.pool.entry(node, slot);
    }
    this.pool.cacheRegion(pfn, node);
    const slot = slotOf(pfn, 1);
    return this.pool.isChild(node, slot) ? this.pool.entry(node, slot) | 0 : -1;
  }

  /** Brings the counts of a node up to date. */
  private recount(node: number, level: number): void {
    const nodeCounts = this.pool.nodeCounts;
    if (!this.pool.isStale(node)) return;
    this.pool.markFresh(node);
    nodeCounts.fill(0, node * KINDS, node * KINDS + KINDS);
    for (let slot = 0; slot < FANOUT; slot++) {
      if (level > 1 && this.pool.isChild(node, slot)) {
        this.recount(this.pool.entry(node, slot), level - 1);
      }
      this.countEntry(node, slot, level, 1);
    }
  }

  /** The node of `level` above `pfn`, made if there was none. */
  private openNode(pfn: number, level: number): number {
    let node = this.root;
    for (let above = TOP; above > level; above--) {
      const slot = slotOf(pfn, above);
      node = this.pool.isChild(node, slot) ? this.pool.entry(node, slot) : this.split(node, slot, above);
    }
    return node;
  }

  /** Replaces a uniform entry by a block of equal entries. */
  private split(node: number, slot: number, level: number): number {
    const value = this.pool.entry(node, slot);
    const child = level === 1 ? this.pool.newLeaf(value, node) : this.pool.newNode(value, spanOf(level - 1), node);
    this.pool.setChild(node, slot, child);
    return child;
  }

  /** Replaces a child whose pages are all alike by a uniform entry; says whether it did. */
  private collapse(node: number, slot: number, level: number): boolean {
    const pool = this.pool;
    const child = pool.entry(node, slot);
    if (!(level === 1 ? pool.isUniformLeaf(child) : pool.isUniformNode(child))) return false;
    const value = level === 1 ? pool.page(child, 0) : pool.entry(child, 0);
    if (level === 1) pool.freeLeaf(child);
    else {
      pool.freeNode(child);
      this.pool.forgetRegions();
    }
    pool.setValue(node, slot, value);
    return true;
  }

  /** Collapses what became uniform above `pfn`, which lies in a leaf. */
  private settle(pfn: number): void {
    let node = this.openNode(pfn, 1);
    for (let level = 1; level <= TOP; level++) {
      if (!this.collapse(node, slotOf(pfn, level), level)) return;
      node = this.pool.parentOf(node);
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
      const word = this.pool.entry(node, slot);
      if (!isChild && word === value) continue;
      const slotStart = base + slot * span;
      const from = Math.max(start, slotStart);
      const to = Math.min(end, slotStart + span);
      if (to - from === span) {
        this.countEntry(node, slot, level, -1);
        if (!isChild) {
          if (displaced !== undefined) keepRun(displaced, from, to, word);
        } else {
          if (level > 1) this.pool.forgetRegions();
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
    const first = pool.indexOf(leaf, start);
    const last = first + (end - start);
    for (let i = first; i < last; i++) pool.countLeaf(leaf, (pool.pages[i] as number) & 15, -1);
    pool.pages.fill(value, first, last);
    pool.countLeaf(leaf, value & 15, end - start);
  }

  /** Copies a part of a leaf back. It has many runs, so there is nothing to collapse. */
  private restorePart(start: number, end: number, copy: number): void {
    const leaf = this.openLeaf(start);
    for (let pfn = start; pfn < end; pfn++) {
      this.pool.write(leaf, pfn, this.pool.page(leaf, pfn), this.pool.page(copy, pfn));
    }
    this.pool.freeLeaf(copy);
  }

  /** Puts a subtree in place of whatever is there now. */
  private attach(start: number, pages: number, block: number): void {
    const level = levelOf(pages) + 1;
    const node = this.openNode(start, level);
    const slot = slotOf(start, level);
    // A whole block of pages changes at once: the counts above are cheaper to sum again than to correct.
    this.pool.markStale(node);
    if (this.pool.isChild(node, slot)) {
      if (level > 1) this.pool.forgetRegions();
      freeTree(this.pool, this.pool.entry(node, slot), level - 1);
    }
    this.pool.adopt(node, slot, level, block);
  }

  /** Adds (or subtracts) the pages under one slot to its node's counts, unless those are out of date anyway. */
  private countEntry(node: number, slot: number, level: number, sign: 1 | -1): void {
    const nodeCounts = this.pool.nodeCounts;
    if (this.pool.isStale(node)) return;
    const word = this.pool.entry(node, slot);
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
    const { nodeCounts, pages } = this.pool;
    const span = spanOf(level);
    const last = Math.floor((end - 1 - base) / span);
    for (let slot = Math.floor((start - base) / span); slot <= last; slot++) {
      const word = this.pool.entry(node, slot);
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
        const first = this.pool.indexOf(word, from);
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
      const first = this.pool.indexOf(leaf, pfn);
      const last = this.pool.indexOf(leaf, 0) + LEAF_PAGES;
      const value = pages[first] as number;
      let i = first + 1;
      while (i < last && pages[i] === value) i++;
      this.found = value;
      return pfn + (i - first);
    }
    let node = this.root;
    for (let level = TOP; ; level--) {
      const slot = slotOf(pfn, level);
      const word = this.pool.entry(node, slot);
      if (!this.pool.isChild(node, slot)) {
        this.found = word;
        return (Math.floor(pfn / spanOf(level)) + 1) * spanOf(level);
      }
      node = word;
    }
  }
}
