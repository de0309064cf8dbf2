/** lib/genalloc.c: a pool of pages, first fit, chunk by chunk in the order of the list. */
import { BadAccess } from '../c/value.ts';
import type { Store } from '../store/store.ts';

export interface PoolChunk {
  /** Virtual address of its first page. */
  readonly start: bigint;
  readonly size: bigint;
  /** Pages handed out, ascending and apart. */
  readonly used: { readonly first: number; readonly pages: number }[];
}

const PAGE = 4096n;
const pagesOf = (size: bigint): number => Number((size + PAGE - 1n) / PAGE);

export const gen_pool_size = (chunks: readonly PoolChunk[]): bigint => chunks.reduce((sum, { size }) => sum + size, 0n);
export const gen_pool_avail = (chunks: readonly PoolChunk[]): bigint =>
  chunks.reduce(
    (sum, { size, used }) => sum + size - PAGE * BigInt(used.reduce((all, { pages }) => all + pages, 0)),
    0n,
  );

/** gen_pool_first_fit, whole pages. */
export function gen_pool_alloc<C extends PoolChunk>(
  store: Store,
  chunks: readonly C[],
  size: bigint,
): { address: bigint; chunk: C } | undefined {
  const wanted = pagesOf(size);
  for (const chunk of chunks) {
    let first = 0;
    let at = 0;
    for (; at < chunk.used.length; at++) {
      const next = chunk.used[at];
      if (!next || next.first - first >= wanted) break;
      first = next.first + next.pages;
    }
    if (first + wanted > Number(chunk.size / PAGE)) continue;
    store.splice(chunk.used, at, 0, { first, pages: wanted });
    return { address: chunk.start + PAGE * BigInt(first), chunk };
  }
  return undefined;
}

/** gen_pool_free: pages that were not handed out are a kernel BUG. */
export function gen_pool_free<C extends PoolChunk>(
  store: Store,
  chunks: readonly C[],
  address: bigint,
  size: bigint,
): C {
  const chunk = chunks.find(({ start, size: length }) => address >= start && address < start + length);
  const first = chunk ? Number((address - chunk.start) / PAGE) : 0;
  const end = first + pagesOf(size);
  const index = chunk?.used.findIndex((part) => part.first <= first && end <= part.first + part.pages) ?? -1;
  const part = chunk?.used[index];
  if (!chunk || !part || size <= 0n)
    throw new BadAccess(`kernel BUG in gen_pool_free_owner: 0x${address.toString(16)} is not allocated from this pool`);
  const rest = [
    { first: part.first, pages: first - part.first },
    { first: end, pages: part.first + part.pages - end },
  ].filter(({ pages }) => pages > 0);
  store.splice(chunk.used, index, 1, ...rest);
  return chunk;
}
