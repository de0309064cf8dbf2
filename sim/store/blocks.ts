/**
 * The memory of one radix tree: nodes and leaves as numbered blocks of a few typed
 * arrays. A block is a number, so that a subtree can be taken out of the tree, kept by
 * the journal and put back without an object being made or a page being copied.
 *
 * A node's 256 slots hold either a value or the number of a child; which of the two is
 * told by a bit in the 8 words behind the slots. A second array for the children would
 * nearly double a node, and the nodes are what a uniform column consists of.
 */

export const LEAF_BITS = 9;
export const LEAF_PAGES = 2 ** LEAF_BITS;
export const NODE_BITS = 8;
export const FANOUT = 2 ** NODE_BITS;
/** The level of the root; level 1 points to leaves. */
export const TOP = 4;
const SPAN: readonly number[] = [1, 2, 3, 4].map((level) => 2 ** (LEAF_BITS + NODE_BITS * (level - 1)));

/** Pages under one slot of a node of `level`. */
export function spanOf(level: number): number {
  return SPAN[level - 1] as number;
}

/** Low-nibble values that are counted. */
export const KINDS = 16;

/** Words of a node: its slots, then one bit a slot that says "this slot holds a child". */
export const CHILD_BITS = FANOUT;
const CHILD_WORDS = FANOUT / 32;
export const NODE_WORDS = FANOUT + CHILD_WORDS;

export const NODE_BYTES = NODE_WORDS * 4 + KINDS * 8 + 4;
export const LEAF_BYTES = LEAF_PAGES * 4 + KINDS * 2 + 4;

/** Small pools grow block by block, so that a uniform column stays small; large ones by half. */
const EXACT_BLOCKS = 8;

function grown<T extends Uint32Array | Uint16Array | Int32Array | Float64Array>(
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
  /** Slots and child bits of the nodes, `NODE_WORDS` each. */
  slots = new Uint32Array(0);
  /** Pages under each node by low nibble; a node can cover more than 2^32 pages. */
  nodeCounts = new Float64Array(0);
  /** The node above each node; -1 for the root. */
  nodeParent = new Int32Array(0);
  /** Values of the pages of the leaves, `LEAF_PAGES` each. */
  pages = new Uint32Array(0);
  leafCounts = new Uint16Array(0);
  leafParent = new Int32Array(0);

  private nodesUsed = 0;
  private leavesUsed = 0;
  private readonly freeNodes: number[] = [];
  private readonly freeLeaves: number[] = [];

  /** A node whose slots all hold `value`, each for `span` pages. */
  newNode(value: number, span: number, parent: number): number {
    const node = this.freeNodes.pop() ?? this.freshNode();
    const base = node * NODE_WORDS;
    this.slots.fill(value, base, base + FANOUT);
    this.slots.fill(0, base + CHILD_BITS, base + NODE_WORDS);
    this.nodeCounts.fill(0, node * KINDS, node * KINDS + KINDS);
    this.nodeCounts[node * KINDS + (value & 15)] = span * FANOUT;
    this.nodeParent[node] = parent;
    return node;
  }

  /** A leaf whose pages all hold `value`. */
  newLeaf(value: number, parent: number): number {
    const leaf = this.freeLeaves.pop() ?? this.freshLeaf();
    this.pages.fill(value, leaf * LEAF_PAGES, leaf * LEAF_PAGES + LEAF_PAGES);
    this.leafCounts.fill(0, leaf * KINDS, leaf * KINDS + KINDS);
    this.leafCounts[leaf * KINDS + (value & 15)] = LEAF_PAGES;
    this.leafParent[leaf] = parent;
    return leaf;
  }

  /** A copy of the pages of `leaf`, outside the tree: its counts are not kept. */
  copyLeaf(leaf: number): number {
    const copy = this.freeLeaves.pop() ?? this.freshLeaf();
    this.pages.copyWithin(copy * LEAF_PAGES, leaf * LEAF_PAGES, leaf * LEAF_PAGES + LEAF_PAGES);
    return copy;
  }

  freeNode(node: number): void {
    this.freeNodes.push(node);
  }

  freeLeaf(leaf: number): void {
    this.freeLeaves.push(leaf);
  }

  isChild(node: number, slot: number): boolean {
    const word = this.slots[node * NODE_WORDS + CHILD_BITS + (slot >>> 5)] as number;
    return ((word >>> (slot & 31)) & 1) !== 0;
  }

  setChild(node: number, slot: number, child: number): void {
    const bits = node * NODE_WORDS + CHILD_BITS + (slot >>> 5);
    this.slots[bits] = (this.slots[bits] as number) | (1 << (slot & 31));
    this.slots[node * NODE_WORDS + slot] = child;
  }

  setValue(node: number, slot: number, value: number): void {
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
    const arrays = this.slots.byteLength + this.nodeCounts.byteLength + this.nodeParent.byteLength;
    const leaves = this.pages.byteLength + this.leafCounts.byteLength + this.leafParent.byteLength;
    return arrays + leaves + (this.freeNodes.length + this.freeLeaves.length) * 8;
  }

  private freshNode(): number {
    const capacity = this.nodeParent.length;
    if (this.nodesUsed === capacity) {
      const next = nextCapacity(capacity);
      this.slots = grown(this.slots, Uint32Array, next * NODE_WORDS);
      this.nodeCounts = grown(this.nodeCounts, Float64Array, next * KINDS);
      this.nodeParent = grown(this.nodeParent, Int32Array, next);
    }
    return this.nodesUsed++;
  }

  private freshLeaf(): number {
    const capacity = this.leafParent.length;
    if (this.leavesUsed === capacity) {
      const next = nextCapacity(capacity);
      this.pages = grown(this.pages, Uint32Array, next * LEAF_PAGES);
      this.leafCounts = grown(this.leafCounts, Uint16Array, next * KINDS);
      this.leafParent = grown(this.leafParent, Int32Array, next);
    }
    return this.leavesUsed++;
  }
}
