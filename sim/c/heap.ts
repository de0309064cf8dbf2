/** Blocks of memory from allocators: untyped until a typed pointer leads to them, and given back. */
import type { SourceSpan } from '../task/task.ts';
import { Memory } from './memory.ts';
import { FREED, isArray, isFreed, owners } from './objects.ts';
import { type CType, spell } from './types.ts';
import { type CArray, type CPointer, type CStruct, isNull } from './value.ts';

/** Memory from an allocator, without a type until a typed pointer leads to it. */
interface HeapBlock {
  readonly bytes: bigint;
  readonly automatic: boolean;
  typed?: CArray;
}
const heap = new WeakMap<CArray, HeapBlock>();

export abstract class Heap extends Memory {
  /** The source text that spans of the tree being run count in. */
  protected text = '';

  words(span: SourceSpan): string {
    const words = this.text.slice(span.start, span.end).replace(/\s+/g, ' ');
    return words.length > 60 ? `${words.slice(0, 57)}...` : words || 'this';
  }

  /** An untyped block of `bytes`, as kmalloc returns; `automatic` if its contents are not zeroed. */
  protected allocate(bytes: bigint, automatic: boolean): CPointer {
    const block: CArray = { $array: 'void', elements: [] };
    heap.set(block, { bytes, automatic });
    return { kind: 'pointer', to: 'void', target: { kind: 'object', object: block } };
  }
  /** A block gets its type from the first typed pointer to it. */
  protected typed(pointer: CPointer, to: CType, span: SourceSpan): CPointer {
    const { target } = pointer;
    if (target.kind !== 'object' || !isArray(target.object) || to.kind === 'void') return pointer;
    const block = heap.get(target.object);
    if (!block) return pointer;
    if (!block.typed) {
      const size = this.size(to, span);
      const tail = this.flexible(to);
      const length = !size ? 0 : tail ? Number(block.bytes >= BigInt(size)) : Number(block.bytes / BigInt(size));
      if (length < 1) throw this.bad(`${block.bytes} bytes were allocated: too few for one ${spell(to)}.`, span);
      block.typed = this.zero({ kind: 'array', of: to, length }, block.automatic, span) as CArray;
      heap.set(block.typed, block);
      const [struct] = block.typed.elements;
      const each = tail && this.size(tail.of, span);
      if (tail && each && typeof struct === 'object') {
        const count = Number((block.bytes - BigInt(size ?? 0)) / BigInt(each));
        const array = this.zero({ kind: 'array', of: tail.of, length: count }, block.automatic, span);
        (struct as CStruct)[tail.name] = array;
        owners.set(array as CArray, { object: struct as CStruct, key: tail.name });
      }
    }
    return { kind: 'pointer', to: spell(to), target: { kind: 'slot', object: block.typed, key: 0 } };
  }

  /** The last member of a struct, if it is an array without a length. */
  private flexible(type: CType): { name: string; of: CType } | undefined {
    const last = type.kind === 'struct' ? [...(this.fields(type.tag) ?? [])].at(-1) : undefined;
    return last?.[1].kind === 'array' && last[1].length === undefined ? { name: last[0], of: last[1].of } : undefined;
  }
  /** Gives a block from an allocator back. False if the pointer leads to none. */
  free(pointer: CPointer, span: SourceSpan): boolean {
    const { target } = pointer;
    if (isNull(pointer)) return true;
    let array = target.kind === 'object' || target.kind === 'slot' ? target.object : undefined;
    let key = target.kind === 'slot' ? target.key : 0;
    if (array && !isArray(array)) {
      const owner = target.kind === 'object' ? owners.get(array) : undefined;
      [array, key] = [owner?.object, owner?.key ?? 1];
    }
    const block = array && isArray(array) ? heap.get(array) : undefined;
    if (!array || !block || key !== 0) return false;
    if (isFreed(array)) throw this.bad(`${this.words(span)} frees what was freed before.`, span);
    for (const each of new Set([array, block.typed]))
      if (each) this.env.store.set(each as unknown as CStruct, FREED, 1n);
    const { budget } = this.env;
    if (budget.elements !== undefined) budget.elements += block.typed?.elements.length ?? 0;
    return true;
  }
}
