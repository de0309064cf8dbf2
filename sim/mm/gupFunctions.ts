/** get_user_pages and pin_user_pages for C code and the shell: mm/gup.c. */
import { BadAccess, type CArray, type CallArgs, type CValue, integer, isNull, pagePointer, VOID } from '../c/value.ts';
import type { Mm } from '../include/mm_types.ts';
import { currentProcess } from '../kernel/current.ts';
import { rwsem_is_locked } from '../kernel/locking.ts';
import { FOLL_RECORDS, GUP_RECORDS } from '../kernel/records/gup.ts';
import { type FunctionRecord, withCode } from '../kernel/registry.ts';
import { spanHolds } from '../kernel/release.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { vpnOf } from './cnotifier.ts';
import { vmaPointer } from './cviews.ts';
import { get_user_pages_remote } from './gup.ts';
import { type GupFlags, gup_put_folio } from './gup_refs.ts';
import { mmArg } from './mmFunctions.ts';
import { pageArg, pagesArg } from './page_arg.ts';
import { vma_lookup } from './vma.ts';

const EINVAL = -22;

/** What a flag is worth in this release; 0 where it has none. */
function flagValue({ release }: Kernel, name: string): number {
  const values = FOLL_RECORDS.find((record) => record.name === name)?.values ?? [];
  return Number(values.find((value) => spanHolds(value, release))?.value ?? 0n);
}

/** `gup_flags`, or to 4.8 the two arguments write and force. */
function flagsOf(kernel: Kernel, bits: number, who: string): GupFlags {
  const has = (name: string): boolean => (bits & flagValue(kernel, name)) !== 0;
  if (has('FOLL_FORCE')) throw new BadAccess(`${who}: FOLL_FORCE is not simulated`);
  return {
    write: has('FOLL_WRITE'),
    longterm: has('FOLL_LONGTERM'),
    p2pdma: has('FOLL_PCI_P2PDMA'),
    remote: false,
  };
}
const writeAndForce = (kernel: Kernel, args: CallArgs, first: number): number =>
  (args.num(first) ? flagValue(kernel, 'FOLL_WRITE') : 0) | (args.num(first + 1) ? flagValue(kernel, 'FOLL_FORCE') : 0);

function ownMm(kernel: Kernel, who: string): Mm {
  const process = currentProcess(kernel);
  if (!process) throw new BadAccess(`${who}: current->mm is NULL: no process is alive; proc new makes one`);
  return process.mm;
}

/** Where in the arguments a variant has what. */
interface Places {
  readonly start: number;
  readonly flags: GupFlags;
  readonly pages: number;
  /** The array of VMAs that was filled beside, to 6.4. */
  readonly vmas?: number;
}

/** Runs a call and hands its pages out. Without an array the pages are faulted in and nobody holds them. */
function* gup(kernel: Kernel, args: CallArgs, mm: Mm, { start, flags, pages, vmas }: Places): KernelGenerator<CValue> {
  const vpn = vpnOf(args.big(start));
  const count = Number(BigInt.asIntN(64, args.big(start + 1)));
  if (count <= 0) return integer(0, 'long');
  const isAlone = isNull(args.pointer(pages));
  if (isAlone && flags.pin) return integer(EINVAL, 'long');
  const { array, first } = isAlone ? { array: undefined, first: 0 } : pagesArg(args, pages, count);
  if (!flags.fast && !rwsem_is_locked(mm.mmap_lock))
    kernel.WARN(`mmap_assert_locked: nobody holds the ${mm.mmap_lock.name}`);
  const found: number[] = [];
  const result = yield* get_user_pages_remote(kernel, mm, vpn, count, flags, found);
  for (const [i, pfn] of found.entries())
    if (array) kernel.store.set(array.elements, first + i, pagePointer(pfn));
    else yield* gup_put_folio(kernel, pfn, 1, false);
  if (vmas !== undefined && !isNull(args.pointer(vmas))) fillVmas(kernel, args, vmas, mm, vpn, found.length);
  return integer(result, 'long');
}

function fillVmas(kernel: Kernel, args: CallArgs, index: number, mm: Mm, vpn: number, count: number): void {
  const { array, first } = pagesArg(args, index, count);
  for (let i = 0; i < count; i++)
    kernel.store.set((array as CArray).elements, first + i, vmaPointer(kernel, vma_lookup(mm, vpn + i)));
}

/** (start, nr_pages, gup_flags, pages[, vmas]) of the current process. */
const own =
  (more: Partial<GupFlags>, hasVmas: boolean) =>
  (kernel: Kernel, args: CallArgs): KernelGenerator<CValue> =>
    gup(kernel, args, ownMm(kernel, args.name), {
      start: 0,
      flags: { ...flagsOf(kernel, args.num(2), args.name), ...more },
      pages: 3,
      ...(hasVmas ? { vmas: 4 } : {}),
    });

export const GUP_FUNCTIONS: readonly FunctionRecord[] = withCode(GUP_RECORDS, {
  get_user_pages: {
    '4.3': (kernel, args) =>
      gup(kernel, args, mmArg(args, 1), {
        start: 2,
        flags: flagsOf(kernel, writeAndForce(kernel, args, 4), args.name),
        pages: 6,
        vmas: 7,
      }),
    '4.6': (kernel, args) =>
      gup(kernel, args, ownMm(kernel, args.name), {
        start: 0,
        flags: flagsOf(kernel, writeAndForce(kernel, args, 2), args.name),
        pages: 4,
        vmas: 5,
      }),
    '4.9': own({}, true),
    '6.5': own({}, false),
  },
  get_user_pages_longterm: own({ longterm: true }, true),
  get_user_pages_fast: {
    '4.3': (kernel, args) =>
      gup(kernel, args, ownMm(kernel, args.name), {
        start: 0,
        flags: { write: args.num(2) !== 0, fast: true, remote: false },
        pages: 3,
      }),
    '5.2': own({ fast: true }, false),
  },
  pin_user_pages: { '5.6': own({ pin: true }, true), '6.5': own({ pin: true }, false) },
  pin_user_pages_fast: own({ pin: true, fast: true }, false),
  *unpin_user_page(kernel: Kernel, args: CallArgs) {
    yield* gup_put_folio(kernel, pageArg(kernel, args), 1, true);
    return VOID;
  },
  *unpin_user_pages(kernel: Kernel, args: CallArgs) {
    const count = args.num(1);
    if (count <= 0) return VOID;
    const { array, first } = pagesArg(args, 0, count);
    for (let i = 0; i < count; i++) {
      const page = (array as CArray).elements[first + i] as CValue | undefined;
      if (page?.kind !== 'pointer' || page.target.kind !== 'page')
        throw new BadAccess(`${args.name}: pages[${i}] is no pointer to a struct page`);
      yield* gup_put_folio(kernel, page.target.pfn, 1, true);
    }
    return VOID;
  },
});
