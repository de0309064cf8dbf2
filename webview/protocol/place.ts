/** What a person types to name a page, in the panels and in the editor's own inputs. */

const SUFFIX: Readonly<Record<string, number>> = { k: 10, m: 20, g: 30, t: 40, p: 50 };

/**
 * What a person typed into "Go to": a page frame number, a physical address, or a size from
 * the bottom of memory (`5G`). A number that is a page frame of the machine is taken as one,
 * else as an address. Undefined when it is neither.
 */
export function parsePlace(typed: string, pageSize: number, has: (pfn: number) => boolean): number | undefined {
  const clean = typed
    .trim()
    .toLowerCase()
    .replaceAll(/[,_\s]/g, '');
  const sized = /^(\d+(?:\.\d+)?)([kmgtp])(?:ib|b)?$/.exec(clean);
  if (sized) {
    const pfn = Math.floor((Number(sized[1]) * 2 ** (SUFFIX[sized[2] ?? ''] ?? 0)) / pageSize);
    return has(pfn) ? pfn : undefined;
  }
  const plain = /^(?:pfn:?)?(0x[0-9a-f]{1,13}|\d{1,15})$/.exec(clean);
  const bare = /^(?=.*[a-f])[0-9a-f]{1,13}$/.test(clean) ? `0x${clean}` : undefined;
  const digits = plain?.[1] ?? bare;
  if (digits === undefined) return undefined;
  const value = Number(digits);
  if (!Number.isSafeInteger(value)) return undefined;
  if (has(value)) return value;
  const pfn = Math.floor(value / pageSize);
  return has(pfn) ? pfn : undefined;
}
