/** /proc/iomem as kernel/resource.c prints it. */
import { type ImportFiles, linesOf, quote, rangeIn, wrong } from './text.ts';

export interface IomemEntry {
  start: bigint;
  end: bigint;
  depth: number;
  name: string;
  line: number;
}
export interface Iomem {
  entries: readonly IomemEntry[];
  /** Without root every address reads 0: the names are there, the places are not. */
  hidden: boolean;
}

const MAX_ENTRIES = 16_384;
const FILE = 'proc/iomem';

export function parseIomem(files: ImportFiles): Iomem | undefined {
  if (!files.has(FILE)) return undefined;
  const entries: IomemEntry[] = [];
  let hidden = true;
  const open: IomemEntry[] = [];
  for (const line of linesOf(files, FILE)) {
    if (line.text.trim() === '') continue;
    const match = /^( *)([0-9a-f]+)-([0-9a-f]+) : (.*)$/.exec(line.text);
    if (!match) throw wrong(line, `is no line of /proc/iomem: ${quote(line.text)}`);
    if (entries.length >= MAX_ENTRIES) throw wrong(line, `has more than ${MAX_ENTRIES} ranges`);
    const depth = (match[1]?.length ?? 0) / 2;
    const entry = { ...rangeIn(line, match[2], match[3]), depth, name: match[4] ?? '', line: line.number };
    if (entry.end !== 0n) hidden = false;
    if (!Number.isInteger(depth) || depth > open.length) throw wrong(line, `is indented too far: ${quote(line.text)}`);
    const before = open[depth];
    const parent = open[depth - 1];
    open.length = depth;
    open.push(entry);
    entries.push(entry);
    if (entry.end === 0n) continue;
    if (before && before.end !== 0n && entry.start <= before.end)
      throw wrong(line, `overlaps the range on line ${before.line}`);
    // Resources are five levels deep on the page, deeper ones stand on the fifth.
    if (parent && depth < 4 && (entry.start < parent.start || entry.end > parent.end))
      throw wrong(line, `lies outside of the range on line ${parent.line} that should contain it`);
  }
  return { entries, hidden: hidden && entries.length > 0 };
}
