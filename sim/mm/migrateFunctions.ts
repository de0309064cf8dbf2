/** Migration for C code and the shell: mm/migrate_device.c, and the locks and pages that its users need. */
import {
  BadAccess,
  type CallArgs,
  type CPointer,
  type CStruct,
  type CValue,
  integer,
  isNull,
  NULL,
  pagePointer,
  structAt,
  VOID,
} from '../c/value.ts';
import { folio_lock, folio_trylock } from '../kernel/locking.ts';
import { MIGRATE_FUNCTION_RECORDS } from '../kernel/records/migrate_device.ts';
import { PAGE_LOCK_RECORDS } from '../kernel/records/mm.ts';
import { type FunctionRecord, withCode } from '../kernel/registry.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { arrayMember, entriesAt, migrateVmaOf, pageOfEntry, readEntries, writeEntries } from './cmigrate.ts';
import { vpnOf } from './cnotifier.ts';
import { copy_highpage } from './contents.ts';
import { vmaOf } from './cviews.ts';
import { alloc_folio, folioHead } from './folio.ts';
import {
  badRange,
  type MigrateVma,
  migrate_device_finalize,
  migrate_device_pages,
  migrate_device_pfns,
  migrate_device_range,
  migrate_vma_finalize,
  migrate_vma_pages,
  migrate_vma_setup,
} from './migrate_device.ts';
import { MIGRATE_PFN_VALID } from './migrate_pfn.ts';
import { type MigrateVmaOps, migrate_vma } from './migrate_vma_old.ts';
import { pageArg } from './page_arg.ts';
import { pointerField } from './pagemap.ts';

const EINVAL = -22;

/* ---- struct migrate_vma ---- */

function* setup(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const struct = args.struct(0, 'migrate_vma');
  const own = migrateVmaOf(kernel, struct, args.name);
  kernel.store.set(struct, 'start', BigInt(own.start) << 12n);
  kernel.store.set(struct, 'end', BigInt(own.end) << 12n);
  const [src, dst] = [arrayMember(struct, 'src'), arrayMember(struct, 'dst')];
  if (badRange(own) || !src || !dst) return integer(EINVAL);
  const count = own.end - own.start;
  const into = { src: entriesAt(src, count, args.name), dst: entriesAt(dst, count, args.name) };
  const error = yield* migrate_vma_setup(kernel, own);
  if (error) return integer(error);
  writeEntries(kernel, into.src, own.src);
  writeEntries(kernel, into.dst, own.dst);
  kernel.store.set(struct, 'cpages', BigInt(own.cpages));
  kernel.store.set(struct, 'npages', BigInt(own.npages));
  return integer(0);
}

/** The arguments with what the arrays hold now. */
function filled(kernel: Kernel, args: CallArgs): { own: MigrateVma; struct: CStruct } {
  const struct = args.struct(0, 'migrate_vma');
  const own = migrateVmaOf(kernel, struct, args.name);
  const { npages } = own;
  own.src.push(...readAt(struct.src, npages, args.name));
  own.dst.push(...readAt(struct.dst, npages, args.name));
  return { own, struct };
}
const readAt = (slot: unknown, count: number, who: string): number[] =>
  count === 0 ? [] : readEntries(entriesAt(slot as CPointer, count, who), count);

function* pages(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const { own, struct } = filled(kernel, args);
  yield* migrate_vma_pages(kernel, own);
  if (own.npages > 0) writeEntries(kernel, entriesAt(struct.src as CPointer, own.npages, args.name), own.src);
  return VOID;
}

function* finalize(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  yield* migrate_vma_finalize(kernel, filled(kernel, args).own);
  return VOID;
}

/* ---- migrate_vma of 4.14 to 5.3 ---- */

function* oldMigrate(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const [opsPointer, vmaPointer, src, dst] = [args.pointer(0), args.pointer(1), args.pointer(4), args.pointer(5)];
  const start = vpnOf(args.big(2));
  const end = vpnOf(args.big(3));
  const vma = isNull(vmaPointer) ? undefined : vmaOf(vmaPointer, args.name);
  const ops = structAt(opsPointer);
  if (!ops || isNull(src) || isNull(dst) || badRange({ vma, start, end })) return integer(EINVAL);
  const count = end - start;
  const into = { src: entriesAt(src, count, args.name), dst: entriesAt(dst, count, args.name) };
  const call = function* (name: string, own: MigrateVma): KernelGenerator<void> {
    writeEntries(kernel, into.src, own.src);
    if (name === 'alloc_and_copy') writeEntries(kernel, into.dst, own.dst);
    const callback = pointerField(ops, name);
    if (!callback || !kernel.callBack) throw new BadAccess(`${args.name}: ops->${name} is NULL`);
    const bounds = [integer(BigInt(start) << 12n, 'unsigned long'), integer(BigInt(end) << 12n, 'unsigned long')];
    yield* kernel.callBack(callback, [vmaPointer, src, dst, ...bounds, args.values[6] ?? NULL]);
    for (const [i, entry] of readEntries(into.dst, count).entries()) own.dst[i] = entry;
  };
  const native: MigrateVmaOps = {
    alloc_and_copy: (_kernel, own) => call('alloc_and_copy', own),
    finalize_and_map: (_kernel, own) => call('finalize_and_map', own),
  };
  return integer(yield* migrate_vma(kernel, native, vma, start, end, [], []));
}

/* ---- by page frame ---- */

/** The array of an argument as entries; how to write it back. */
function arrayArg(kernel: Kernel, args: CallArgs, index: number, count: number) {
  const place = entriesAt(args.pointer(index), count, args.name);
  const entries = readEntries(place, count);
  return { entries, writeBack: () => writeEntries(kernel, place, entries) };
}

function* byRange(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const count = args.num(2);
  const { entries, writeBack } = arrayArg(kernel, args, 0, count);
  const error = yield* migrate_device_range(kernel, entries, args.num(1), count);
  writeBack();
  return integer(error);
}

function* byPfns(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const count = args.num(1);
  const { entries, writeBack } = arrayArg(kernel, args, 0, count);
  const error = yield* migrate_device_pfns(kernel, entries, count);
  writeBack();
  return integer(error);
}

function* devicePages(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const count = args.num(2);
  const src = arrayArg(kernel, args, 0, count);
  yield* migrate_device_pages(kernel, src.entries, arrayArg(kernel, args, 1, count).entries, count);
  src.writeBack();
  return VOID;
}

function* deviceFinalize(kernel: Kernel, args: CallArgs): KernelGenerator<CValue> {
  const count = args.num(2);
  const [src, dst] = [arrayArg(kernel, args, 0, count), arrayArg(kernel, args, 1, count)];
  yield* migrate_device_finalize(kernel, src.entries, dst.entries, count);
  return VOID;
}

export const MIGRATE_FUNCTIONS: readonly FunctionRecord[] = [
  ...withCode(MIGRATE_FUNCTION_RECORDS, {
    migrate_vma_setup: setup,
    migrate_vma_pages: pages,
    migrate_vma_finalize: finalize,
    migrate_vma: oldMigrate,
    migrate_pfn: (_kernel, args) => integer((args.big(0) << 6n) | BigInt(MIGRATE_PFN_VALID), 'unsigned long'),
    migrate_pfn_to_page(_kernel, args) {
      const entry = args.big(0);
      return pageOfEntry((entry & 1n) === 0n ? -1 : Number(BigInt.asUintN(52, entry) >> 6n));
    },
    migrate_device_range: byRange,
    migrate_device_pfns: byPfns,
    migrate_device_pages: devicePages,
    migrate_device_finalize: deviceFinalize,
  }),
  ...withCode(PAGE_LOCK_RECORDS, {
    *lock_page(kernel: Kernel, args: CallArgs) {
      yield* folio_lock(kernel, folioHead(kernel, pageArg(kernel, args)));
      return VOID;
    },
    trylock_page: (kernel, args) =>
      integer(folio_trylock(kernel, folioHead(kernel, pageArg(kernel, args))) ? 1 : 0, 'bool'),
    alloc_page_vma(kernel, args) {
      vmaOf(args.pointer(1), args.name);
      const folio = alloc_folio(kernel);
      return folio ? pagePointer(folio.pfn) : { ...NULL, to: 'struct page' };
    },
    copy_highpage(kernel, args) {
      copy_highpage(kernel, pageArg(kernel, args, 0), pageArg(kernel, args, 1));
      return VOID;
    },
  }),
];
