/**
 * Files about processes against a program's report of them on a recorded 6.12 (d-hmm: what it printed at each step).
 * Which frame a page gets is the allocator's history and is not compared.
 */
import { expect, test } from 'vitest';
import { kpagecount_read, kpageflags_read } from '../../sim/fs/kpageflags.ts';
import { PM_PRESENT, pagemapWord } from '../../sim/fs/procPidPagemap.ts';
import { FAULT_FLAG_WRITE, type Mm, VM_HUGEPAGE, type Vma } from '../../sim/include/mm_types.ts';
import type { Machine } from '../../sim/index.ts';
import { folio_unlock } from '../../sim/kernel/locking.ts';
import { remove_device_exclusive_entry } from '../../sim/mm/device_exclusive.ts';
import { gup_put_folio } from '../../sim/mm/gup_refs.ts';
import { make_device_exclusive_range } from '../../sim/mm/make_device_exclusive.ts';
import { handle_mm_fault } from '../../sim/mm/memory.ts';
import { readFile } from '../../sim/shell/commands.ts';
import { recording } from '../support/recording.ts';
import { bootWith, newSpace, run } from '../support/testDevice.ts';

/** What the program printed at one moment. */
interface Moment {
  /** Fields of smaps that are not 0, in kB. */
  smaps: string;
  /** Words of pagemap without the frame. */
  words: bigint[];
  /** kpageflags, kpagecount, refcount and mapcount of each page frame, in the order of the pages. */
  pages: { flags: bigint; count: number; ref: number; mapcount: number }[];
}

const FRAME = ((1n << 55n) - 1n) & ~31n;
/** A present entry's low bits are part of the frame, a swap entry's are its type. */
const withoutFrame = (word: bigint): bigint => word & ~((word & PM_PRESENT) !== 0n ? FRAME | 31n : FRAME);

function moment(file: string, title: string): Moment {
  const [, rest = ''] = recording('d-hmm_hmmseq', file).split(`== ${title}  `);
  const [text = ''] = rest.split('\n== ');
  const flags = [...text.matchAll(/kpageflags=0x([0-9a-f]+)\[.* kpagecount=(\d+)/g)];
  const refs = [...text.matchAll(/ ref=(\d+) mapcount_raw=(-?\d+)/g)];
  return {
    smaps: /smaps: \[[^\]]*\] (.*)/.exec(text)?.[1] ?? '',
    words: [...text.matchAll(/pagemap=0x([0-9a-f]+)|pagemap=(0{16,})/g)].map(([, word]) =>
      withoutFrame(BigInt(`0x${word ?? '0'}`)),
    ),
    pages: flags.map((match, i) => ({
      flags: BigInt(`0x${match[1]}`),
      count: Number(match[2]),
      ref: Number(refs[i]?.[1]),
      mapcount: Number(refs[i]?.[2]),
    })),
  };
}

/** The same of the engine; `pfns`: the frames the program looks at. */
function now({ kernel }: Machine, vma: Vma, pfns: readonly number[]): Moment {
  const smaps = readFile(kernel, `/proc/${vma.mm.owner.pid}/smaps`);
  const fields = [...smaps.matchAll(/^(\w+): +([1-9]\d*) kB$/gm)].filter(([, name]) => !name?.includes('PageSize'));
  const words: bigint[] = [];
  for (let vpn = vma.start; vpn < vma.end; vpn++) words.push(withoutFrame(pagemapWord(kernel, vma.mm, vpn)));
  return {
    smaps: fields.map(([, name, size]) => `${name}:${size}`).join(' '),
    words,
    pages: pfns.map((pfn) => ({
      flags: kpageflags_read(kernel, pfn, 1)[0] ?? 0n,
      count: Number(kpagecount_read(kernel, pfn, 1)[0]),
      ref: kernel.pages.refcount.get(pfn),
      mapcount: kernel.pages.mapcount.get(pfn) | 0,
    })),
  };
}

const framesOf = ({ kernel }: Machine, mm: Mm, vma: Vma): number[] =>
  Array.from({ length: vma.end - vma.start }, (_, i) =>
    Number(pagemapWord(kernel, mm, vma.start + i) & ((1n << 55n) - 1n)),
  );

test('memory that nobody touched', () => {
  const machine = bootWith();
  const { vma } = newSpace(machine, 4, 0);
  expect(now(machine, vma, [])).toEqual({ ...moment('anon', 'mmap, untouched'), pages: [] });
});

test('four pages that the CPU wrote', () => {
  const machine = bootWith();
  const { mm, vma } = newSpace(machine, 4);
  expect(now(machine, vma, framesOf(machine, mm, vma))).toEqual(moment('anon', 'after CPU write'));
});

test('exclusive access: before, while it lasts, and when the CPU took one page back', () => {
  const machine = bootWith();
  const { mm, vma } = newSpace(machine, 4);
  const frames = framesOf(machine, mm, vma);
  expect(now(machine, vma, frames)).toEqual(moment('exclusive', 'before'));
  run(machine, function* (kernel) {
    const pages: number[] = [];
    yield* make_device_exclusive_range(kernel, mm, vma.start, vma.end, pages, {});
    for (const pfn of pages) {
      folio_unlock(kernel, pfn);
      yield* gup_put_folio(kernel, pfn, 1, false);
    }
  });
  expect(now(machine, vma, frames)).toEqual(moment('exclusive', 'after EXCLUSIVE'));
  run(machine, (kernel) => remove_device_exclusive_entry(kernel, { vma, vpn: vma.start, flags: 0 }));
  expect(now(machine, vma, frames)).toEqual(moment('exclusive', 'after CPU read page0'));
});

test('a huge page: every word is that of its page, kpageflags of the tails are those of the head but for the tail bit', () => {
  const machine = bootWith();
  const { mm, vma } = newSpace(machine, 512, 0);
  machine.kernel.store.set(vma, 'flags', vma.flags | VM_HUGEPAGE);
  run(machine, (kernel) => handle_mm_fault(kernel, vma, vma.start, FAULT_FLAG_WRITE));
  const recorded = moment('thp', 'THP first 4 pages');
  const frames = framesOf(machine, mm, vma).slice(0, 4);
  const huge = now(machine, vma, frames);
  expect(vma.start % 512).toBe(0);
  expect(frames).toEqual([0, 1, 2, 3].map((i) => (frames[0] ?? 0) + i));
  expect(huge.smaps).toBe(recorded.smaps);
  expect(huge.words.slice(0, 4)).toEqual(recorded.words);
  expect(huge.pages).toEqual(recorded.pages);
  expect(readFile(machine.kernel, '/proc/meminfo')).toMatch(/^AnonHugePages: {6}2048 kB$/m);
});
