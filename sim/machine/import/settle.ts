/** Boots what was imported, and settles by the watermarks what the files leave open. */
import type { Release } from '../../kernel/release.ts';
import { boot } from '../boot.ts';
import { checkMachine, type MachineConfig } from '../config.ts';
import { hex, type Kernel } from '../kernel.ts';
import { zoneDifferences } from './compare.ts';
import type { Sources } from './memory.ts';
import { initrdZone, reservedMemory } from './reserved.ts';
import { ImportError, type ImportNote } from './text.ts';

export const ranged = <T extends { start: bigint; end: bigint }>(entry: T) => ({
  ...entry,
  start: hex(entry.start),
  end: hex(entry.end),
});

/** A machine file that the reader of machine files takes, or the reason it does not. */
export function checked(json: unknown): MachineConfig {
  const result = checkMachine(json);
  if ('machine' in result) return result.machine;
  const [first] = result.problems;
  throw new ImportError('the folder', 0, `makes no machine: ${first ? `${first.where} ${first.message}` : 'unknown'}`);
}

interface Tried {
  json: unknown;
  kernel: Kernel;
  /** Watermarks that are not as read. */
  wrong: number;
  /** By how many pages min and high are too high, and by how many that is so in the zone an initrd is put in rather than in others. */
  high: number;
  tilt: number;
  notes: ImportNote[];
}

/**
 * Boots, and tells from the watermarks what the files leave open: whether khugepaged
 * raised them, and how large the initrd was, which was still held when they were set.
 */
export function settle(
  json: { config: object },
  bare: MachineConfig,
  sources: Sources,
  release: Release,
  notes: ImportNote[],
): Tried {
  const { zones, log } = sources;
  const attempt = (thp: boolean, initrd: number): Tried => {
    const own: ImportNote[] = [];
    const reserved = zones ? reservedMemory(bare, zones, sources, own, initrd).map(ranged) : undefined;
    const tried = {
      ...json,
      ...(thp ? {} : { config: { ...json.config, transparentHugepage: false } }),
      ...(reserved ? { reserved } : {}),
    };
    const kernel = boot(checked(tried), release);
    const differences = zoneDifferences(kernel, zones ?? []);
    const marks = differences.filter((each) => ['min', 'low', 'high', 'protection'].includes(each.field));
    const home = zones && initrdZone(zones);
    const over = (own: boolean | undefined): number =>
      marks
        .filter((each) => each.zone !== 'Movable' && each.field !== 'low' && each.field !== 'protection')
        .filter((each) => own === undefined || (each.node === home?.node && each.zone === home.name) === own)
        .reduce((sum, each) => sum + each.booted - each.imported, 0);
    // A zone below keeps a 256th of what is managed above: coarser, but of that zone alone.
    const protection = marks
      .filter((each) => each.field === 'protection' && each.zone === 'DMA')
      .reduce((sum, each) => sum + (each.booted - each.imported) * 1000, 0);
    return {
      json: tried,
      kernel,
      wrong: marks.length,
      high: over(undefined),
      tilt: over(true) - over(false) + protection,
      notes: own,
    };
  };
  let best = attempt(true, 0);
  let thp = true;
  if (best.wrong > 0) {
    const without = attempt(false, 0);
    thp = Math.abs(best.high) <= Math.abs(without.high);
    if (!thp) best = without;
  }
  if (best.wrong > 0 && log?.ramdisk === undefined && zones) {
    let low = 0;
    let high = MAX_INITRD_PAGES;
    // The more was held, the smaller that zone's share.
    while (best.wrong > 0 && low + 1 < high) {
      const middle = (low + high) >> 1;
      const next = attempt(thp, middle);
      if (next.tilt > 0) low = middle;
      else high = middle;
      if (next.wrong < best.wrong) {
        best = next;
        if (best.wrong === 0)
          best.notes.push({
            what: `an initrd of about ${middle * 4} KiB is assumed, as the watermarks say`,
            exact: 'the kernel log of boot',
          });
      }
      if (next.tilt === 0) break;
    }
  }
  notes.push(...best.notes);
  return best;
}

const MAX_INITRD_PAGES = 0x10000;
