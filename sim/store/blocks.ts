/**
 * The memory of one radix tree: nodes and leaves as numbered blocks of a few typed
 * arrays. A block is a number, so that a subtree can be taken out of the tree, kept by
 * the journal and put back without an object being made or a page being copied.
 *
 * A node's 256 slots hold either a value or the number of a child; which of the two is
 * told by a bit in the 8 words behind the slots. A second array for the children would
 * nearly double a node, and the nodes are what a uniform column consists of.
 */

// The constants are spelled out, stand before everything else, and what every page write
// runs is in this file: only then do engines and bundlers alike fold them into the code,
// which is a third of a write's time; for the same reason those of the hot path are not
// exported. `| 0` likewise: a block number is a small integer.
const LEAF_BITS = 9;
export const LEAF_PAGES = 512;
const PAGE_MASK = 511;
const NODE_BITS = 8;
export const FANOUT = 256;
const SLOT_MASK = 255;
/** The level of the root; level 1 points to leaves. */
export const TOP = 4;
/** Low-nibble values that are counted. */
export const KINDS = 16;

/**
 * Words of a node: its slots, one bit a slot that says "this slot holds a child", the node
 * above it, whether its counts are out of date, and one more than its region, if that was
 * ever cached. What one write touches lies in one array, and blocks are whole cache lines long.
 */
const CHILD_BITS = 256;
const CHILD_WORDS = 8;
const NODE_PARENT = 264;
const NODE_STALE = 265;
const NODE_REGION = 266;
const NODE_WORDS = 272;
/** The parent of the root. */
export const NO_NODE = 0xffffffff;

/** Words of a leaf: its pages, the counts of two kinds a word, the node above it. */
const LEAF_COUNTS = 512;
const LEAF_PARENT = 520;
const LEAF_WORDS = 528;

export const NODE_BYTES = 1216;
export const LEAF_BYTES = 2112;

/** Pages under one node of level 1, the unit of the lookup cache. */
const REGION_PAGES = 131072;
const CACHE_LINES = 64;
const NO_REGION = 0x7fffffff;

/** Leaves that are found by their number alone, those of the first 64 GiB, and by how many the table grows. */
const TABLE_LEAVES = 32768;
const TABLE_STEP = 1024;
/** The first page of the leaf met last, where there is none. */
const NOWHERE = -0x40000000;

/** Small pools grow block by block, so that a uniform column stays small; large ones by half. */
const EXACT_BLOCKS = 8;

const SPAN: readonly number[] = [1, 2, 3, 4].map((level) => 2 ** (LEAF_BITS + NODE_BITS * (level - 1)));

/** Pages under one slot of a node of `level`. */
export function spanOf(level: number): number {
  return SPAN[level - 1] as number;
}

function grown<T extends Uint32Array | Int32Array | Float64Array>(
  old: T,
  make: new (length: number) => T,
  length: number,
): T {
  const array = new make(length);
  array.set(old);
  return array;
}

function nextCapacity(capacity: number): number {
  return capacity < EXACT_BLOCKS ? capacity + 1 : capacity + (capacity >> 1);
}

/**
 * Allocating may replace any of the arrays: read them from the pool again afterwards.
 * A block that is not in the tree has no meaningful parent.
 */
export class BlockPool {
  /** The nodes, `NODE_WORDS` each. */
  slots = new Uint32Array(0);
  /** The leaves, `LEAF_WORDS` each. */
  pages = new Uint32Array(0);
  /** Pages under each node by low nibble; a node can cover more than 2^32 pages. */
  nodeCounts = new Float64Array(0);
  /** Rises whenever an entry of a node changes. */
  shape = 0;

  /** Direct-mapped, two words a line: a region, and where the slots of its node begin. */
  private readonly cache = new Int32Array(CACHE_LINES * 2).fill(NO_REGION);
  /** By the number of a leaf: one more than where it begins in `pages`, or 0 where that is not known. */
  private table = new Int32Array(0);
  private tablePages = 0;
  /* Of the leaves behind it the one met last: its first page, and where it begins in `pages`. */
  private metPage = NOWHERE;
  private metIndex = 0;
  private nodesUsed = 0;
  private leavesUsed = 0;
  private readonly freeNodes: number[] = [];
  private readonly freeLeaves: number[] = [];

  /** Where in `pages` page `pfn` is, if its leaf was met before; -1 otherwise. */
  knownIndex(pfn: number): number {
    if (pfn < this.tablePages) {
      const begin = this.table[pfn >>> LEAF_BITS] as number;
      return begin > 0 ? begin - 1 + (pfn & PAGE_MASK) : -1;
    }
    const at = pfn - this.metPage;
    return at >= 0 && at < LEAF_PAGES ? this.metIndex + at : -1;
  }

  /** Lets `knownIndex` find the pages of `leaf`, which holds `pfn`. */
  meet(leaf: number, pfn: number): void {
    const begin = leaf * LEAF_WORDS;
    if (pfn >= TABLE_LEAVES * LEAF_PAGES) {
      this.metPage = pfn - (pfn & PAGE_MASK);
      this.metIndex = begin;
      return;
    }
    const number = pfn >>> LEAF_BITS;
    if (number >= this.table.length) {
      this.table = grown(this.table, Int32Array, number + TABLE_STEP - (number % TABLE_STEP));
      this.tablePages = this.table.length * LEAF_PAGES;
    }
    this.table[number] = begin + 1;
  }

  /** The leaf that holds `pfn`, -1 where a uniform entry does, -2 where the cache does not know. */
  cachedLeaf(pfn: number): number {
    const region = Math.floor(pfn / REGION_PAGES);
    const cache = this.cache;
    const line = (region & (CACHE_LINES - 1)) << 1;
    if (cache[line] !== region) return -2;
    const slots = this.slots;
    const base = cache[line + 1] as number;
    const slot = (pfn >>> LEAF_BITS) & SLOT_MASK;
    const bits = slots[base + CHILD_BITS + (slot >>> 5)] as number;
    return ((bits >>> (slot & 31)) & 1) === 0 ? -1 : (slots[base + slot] as number) | 0;
  }

  /** Lets `cachedLeaf` find the node of level 1 above `pfn`. */
  cacheRegion(pfn: number, node: number): void {
    const region = Math.floor(pfn / REGION_PAGES);
    const line = (region & (CACHE_LINES - 1)) << 1;
    this.cache[line] = region;
    this.cache[line + 1] = node * NODE_WORDS;
    this.slots[node * NODE_WORDS + NODE_REGION] = region + 1;
  }

  /** To be called whenever a node leaves the tree. */
  forgetRegions(): void {
    this.cache.fill(NO_REGION);
    this.table.fill(0);
    this.metPage = NOWHERE;
  }

  /** An entry changes: a leaf that stood there is not met again. */
  private reshape(node: number, slot: number): void {
    this.shape++;
    this.metPage = NOWHERE;
    const region = (this.slots[node * NODE_WORDS + NODE_REGION] as number) - 1;
    if (region >= 0 && region < TABLE_LEAVES / FANOUT) this.table[region * FANOUT + slot] = 0;
  }

  /** The value of page `pfn`, which lies in `leaf`. */
  page(leaf: number, pfn: number): number {
    return this.pages[leaf * LEAF_WORDS + (pfn & PAGE_MASK)] as number;
  }

  /** Changes page `pfn` of `leaf` from `old` to `value`. The leaf stays even if it is now uniform. */
  write(leaf: number, pfn: number, old: number, value: number): void {
    this.writeAt(leaf * LEAF_WORDS + (pfn & PAGE_MASK), pfn, old, value);
  }

  /** The same for the page at `index` of `pages`. */
  writeAt(index: number, pfn: number, old: number, value: number): void {
    const pages = this.pages;
    const base = index - (pfn & PAGE_MASK);
    pages[index] = value;
    const from = old & 15;
    const to = value & 15;
    if (from === to) return;
    const less = base + LEAF_COUNTS + (from >>> 1);
    const more = base + LEAF_COUNTS + (to >>> 1);
    pages[less] = (pages[less] as number) - (1 << ((from & 1) << 4));
    pages[more] = (pages[more] as number) + (1 << ((to & 1) << 4));
    const node = (pages[base + LEAF_PARENT] as number) | 0;
    if (this.slots[node * NODE_WORDS + NODE_STALE] === 0) this.markStale(node);
  }

  /** Where a node's counts are out of date, so are those of all nodes above it. */
  markStale(node: number): void {
    const slots = this.slots;
    let each = node;
    while (each !== NO_NODE && slots[each * NODE_WORDS + NODE_STALE] === 0) {
      slots[each * NODE_WORDS + NODE_STALE] = 1;
      each = slots[each * NODE_WORDS + NODE_PARENT] as number;
    }
  }

  /** A node whose slots all hold `value`, each for `span` pages. */
  newNode(value: number, span: number, parent: number): number {
    const node = this.freeNodes.pop() ?? this.freshNode();
    const base = node * NODE_WORDS;
    this.slots.fill(value, base, base + FANOUT);
    this.slots.fill(0, base + FANOUT, base + NODE_WORDS);
    this.slots[base + NODE_PARENT] = parent;
    this.nodeCounts.fill(0, node * KINDS, node * KINDS + KINDS);
    this.nodeCounts[node * KINDS + (value & 15)] = span * FANOUT;
    return node;
  }

  /** A leaf whose pages all hold `value`. */
  newLeaf(value: number, parent: number): number {
    const leaf = this.freeLeaves.pop() ?? this.freshLeaf();
    const base = leaf * LEAF_WORDS;
    this.pages.fill(value, base, base + LEAF_PAGES);
    this.pages.fill(0, base + LEAF_COUNTS, base + LEAF_WORDS);
    this.pages[base + LEAF_PARENT] = parent;
    this.countLeaf(leaf, value & 15, LEAF_PAGES);
    return leaf;
  }

  /** A copy of the pages of `leaf`, outside the tree. */
  copyLeaf(leaf: number): number {
    const copy = this.freeLeaves.pop() ?? this.freshLeaf();
    this.pages.copyWithin(copy * LEAF_WORDS, leaf * LEAF_WORDS, leaf * LEAF_WORDS + LEAF_WORDS);
    return copy;
  }

  freeNode(node: number): void {
    this.freeNodes.push(node);
  }

  freeLeaf(leaf: number): void {
    this.freeLeaves.push(leaf);
  }

  /** Pages of `leaf` whose low nibble is `kind`. */
  leafCount(leaf: number, kind: number): number {
    return ((this.pages[leaf * LEAF_WORDS + LEAF_COUNTS + (kind >>> 1)] as number) >>> ((kind & 1) << 4)) & 0xffff;
  }

  /** Corrects that by `delta`. */
  countLeaf(leaf: number, kind: number, delta: number): void {
    const word = leaf * LEAF_WORDS + LEAF_COUNTS + (kind >>> 1);
    this.pages[word] = (this.pages[word] as number) + (delta << ((kind & 1) << 4));
  }

  /** What a slot holds: a value, or the number of a child. */
  entry(node: number, slot: number): number {
    return this.slots[node * NODE_WORDS + slot] as number;
  }

  /** The node above a node; `NO_NODE` above the root. */
  parentOf(node: number): number {
    return this.slots[node * NODE_WORDS + NODE_PARENT] as number;
  }

  parentOfLeaf(leaf: number): number {
    return this.pages[leaf * LEAF_WORDS + LEAF_PARENT] as number;
  }

  isStale(node: number): boolean {
    return this.slots[node * NODE_WORDS + NODE_STALE] !== 0;
  }

  /** The node's counts are up to date again. */
  markFresh(node: number): void {
    this.slots[node * NODE_WORDS + NODE_STALE] = 0;
  }

  /** Where in `pages` page `pfn`, which lies in `leaf`, is. */
  indexOf(leaf: number, pfn: number): number {
    return leaf * LEAF_WORDS + (pfn & PAGE_MASK);
  }

  isUniformLeaf(leaf: number): boolean {
    const first = leaf * LEAF_WORDS;
    const value = this.pages[first] as number;
    if (this.leafCount(leaf, value & 15) !== LEAF_PAGES) return false;
    for (let i = first + 1; i < first + LEAF_PAGES; i++) if (this.pages[i] !== value) return false;
    return true;
  }

  isUniformNode(node: number): boolean {
    if (this.childCount(node) > 0) return false;
    const first = node * NODE_WORDS;
    for (let i = first + 1; i < first + FANOUT; i++) if (this.slots[i] !== this.slots[first]) return false;
    return true;
  }

  isChild(node: number, slot: number): boolean {
    const word = this.slots[node * NODE_WORDS + CHILD_BITS + (slot >>> 5)] as number;
    return ((word >>> (slot & 31)) & 1) !== 0;
  }

  setChild(node: number, slot: number, child: number): void {
    this.reshape(node, slot);
    const bits = node * NODE_WORDS + CHILD_BITS + (slot >>> 5);
    this.slots[bits] = (this.slots[bits] as number) | (1 << (slot & 31));
    this.slots[node * NODE_WORDS + slot] = child;
  }

  /** Puts a block that was outside the tree under a slot of a node of `level`. */
  adopt(node: number, slot: number, level: number, block: number): void {
    this.setChild(node, slot, block);
    if (level === 1) this.pages[block * LEAF_WORDS + LEAF_PARENT] = node;
    else this.slots[block * NODE_WORDS + NODE_PARENT] = node;
  }

  setValue(node: number, slot: number, value: number): void {
    this.reshape(node, slot);
    const bits = node * NODE_WORDS + CHILD_BITS + (slot >>> 5);
    this.slots[bits] = (this.slots[bits] as number) & ~(1 << (slot & 31));
    this.slots[node * NODE_WORDS + slot] = value;
  }

  /** Calls `visit` with the children of `node`, ascending. */
  eachChild(node: number, visit: (child: number, slot: number) => void): void {
    const base = node * NODE_WORDS;
    for (let word = 0; word < CHILD_WORDS; word++) {
      let bits = this.slots[base + CHILD_BITS + word] as number;
      while (bits !== 0) {
        const slot = word * 32 + 31 - Math.clz32(bits & -bits);
        visit(this.slots[base + slot] as number, slot);
        bits &= bits - 1;
      }
    }
  }

  childCount(node: number): number {
    let count = 0;
    for (let word = 0; word < CHILD_WORDS; word++) {
      let bits = this.slots[node * NODE_WORDS + CHILD_BITS + word] as number;
      for (; bits !== 0; bits &= bits - 1) count++;
    }
    return count;
  }

  bytes(): number {
    const free = (this.freeNodes.length + this.freeLeaves.length) * 8;
    return (
      this.slots.byteLength +
      this.nodeCounts.byteLength +
      this.pages.byteLength +
      this.cache.byteLength +
      this.table.byteLength +
      free
    );
  }

  private freshNode(): number {
    const capacity = this.slots.length / NODE_WORDS;
    if (this.nodesUsed === capacity) {
      const next = nextCapacity(capacity);
      this.slots = grown(this.slots, Uint32Array, next * NODE_WORDS);
      this.nodeCounts = grown(this.nodeCounts, Float64Array, next * KINDS);
    }
    return this.nodesUsed++;
  }

  private freshLeaf(): number {
    const capacity = this.pages.length / LEAF_WORDS;
    if (this.leavesUsed === capacity) {
      this.pages = grown(this.pages, Uint32Array, nextCapacity(capacity) * LEAF_WORDS);
    }
    return this.leavesUsed++;
  }
}
