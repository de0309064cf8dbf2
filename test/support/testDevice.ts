/** A small device for tests: memory of its own, a free list, and a driver inside the engine that copies pages home. */
import { pte_pfn, pteKind } from '../../sim/arch/pte.ts';
import { type CPointer, type CStruct, errorOf, objectPointer } from '../../sim/c/value.ts';
import { newDevice as deviceState } from '../../sim/drivers/base/devres.ts';
import { type Mm, VM_FAULT_OOM, VM_READ, VM_WRITE, type Vma, type VmFault } from '../../sim/include/mm_types.ts';
import type { Machine, Release } from '../../sim/index.ts';
import { newProcess } from '../../sim/kernel/fork.ts';
import { folio_trylock } from '../../sim/kernel/locking.ts';
import type { Kernel } from '../../sim/machine/kernel.ts';
import { lineProgram } from '../../sim/machine/machine.ts';
import type { NativePagemapOps } from '../../sim/machine/state.ts';
import { copy_highpage } from '../../sim/mm/contents.ts';
import { alloc_folio } from '../../sim/mm/folio.ts';
import { hmm_devmem_add } from '../../sim/mm/hmm_devmem.ts';
import { handle_mm_fault } from '../../sim/mm/memory.ts';
import { memremap_pages } from '../../sim/mm/memremap.ts';
import { request_free_mem_region } from '../../sim/mm/memremapFunctions.ts';
import {
  MIGRATE_PFN_LOCKED,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  migrate_vma_finalize,
  migrate_vma_pages,
  migrate_vma_setup,
} from '../../sim/mm/migrate_device.ts';
import { hasBit, migrate_pfn, migratePfnOf } from '../../sim/mm/migrate_pfn.ts';
import { type MigrateVmaOps, migrate_vma } from '../../sim/mm/migrate_vma_old.ts';
import { do_mmap, find_vma } from '../../sim/mm/mmap.ts';
import { type PagemapType, pagemapTypeValue } from '../../sim/mm/pagemap.ts';
import { pteAt } from '../../sim/mm/pgtable.ts';
import { device_page_alloc } from '../../sim/mm/zone_device_page.ts';
import type { KernelGenerator } from '../../sim/task/task.ts';
import { boot } from './machines.ts';

export interface TestDevice {
  readonly owner: unknown;
  readonly type: PagemapType;
  readonly free: number[];
  /** What migrate_to_ram is to give instead of serving the fault. */
  result: number | undefined;
  /** Pages given back, in that order. */
  readonly freed: number[];
}

/** Runs a kernel function to its end as one step; what it gave. It must not wait. */
export function run<T>(machine: Machine, body: (kernel: Kernel) => KernelGenerator<T>, label = 'test'): T {
  let result: { value: T } | undefined;
  const program = machine.run(
    lineProgram(label, function* () {
      result = { value: yield* body(machine.kernel) };
      return undefined;
    }),
  );
  if (program.error) throw program.error;
  if (!result) throw new Error(`${label} waits for ${program.waitsFor?.what}`);
  return result.value;
}

/** Runs something that changes the state at once, as one step. */
export const change = (machine: Machine, body: (kernel: Kernel) => void): void =>
  run(machine, (kernel) => {
    body(kernel);
    return nothing();
  });
function* nothing(): KernelGenerator<void> {}

const flagsOf = (type: PagemapType): number =>
  type === 'PRIVATE' ? MIGRATE_VMA_SELECT_DEVICE_PRIVATE : MIGRATE_VMA_SELECT_DEVICE_COHERENT;

/** migrate_pfn of a destination, as the release wants it. */
export const destination = (kernel: Kernel, pfn: number): number =>
  migrate_pfn(pfn) + (kernel.facts.migratePfnLocked ? MIGRATE_PFN_LOCKED : 0);

/** A device with `pages` pages, mapped as its release has it: hmm_devmem_add to 5.2. */
export function newDevice(machine: Machine, type: PagemapType = 'PRIVATE', pages = 65536): TestDevice {
  const { kernel } = machine;
  const bytes = BigInt(pages) << 12n;
  const owner = objectPointer({ $struct: 'device' });
  const device: TestDevice = { owner, type, free: [], result: undefined, freed: [] };
  const driver = driverOf(device);
  const pointer = kernel.facts.hmmDevmem
    ? run(machine, () => addDevmem(kernel, driver, bytes))
    : run(machine, () => memremap_pages(kernel, pagemapOf(kernel, bytes, type, owner), 0, 'test', driver));
  if (errorOf(pointer) !== undefined) throw new Error(`no memory for the device: ${errorOf(pointer)}`);
  const range = kernel.state.pgmaps.at(-1)?.ranges[0];
  if (range) for (let pfn = range.start; pfn < range.end; pfn++) device.free.push(pfn);
  return device;
}

function addDevmem(kernel: Kernel, driver: NativePagemapOps, bytes: bigint): KernelGenerator<CPointer> {
  const state = deviceState('test', 0);
  kernel.store.splice(kernel.state.devices, kernel.state.devices.length, 0, state);
  return hmm_devmem_add(kernel, driver, state, bytes);
}

function pagemapOf(kernel: Kernel, bytes: bigint, type: PagemapType, owner: unknown): CStruct {
  const found = request_free_mem_region(kernel, kernel.state.iomem, bytes, 'test');
  if (!found) throw new Error('no free region');
  const range = { start: found.start, end: found.start + bytes - 1n };
  return {
    $struct: 'dev_pagemap',
    type: pagemapTypeValue(kernel, type),
    owner: owner as CStruct,
    ...(kernel.facts.pgmapRanges
      ? { range: { $struct: 'range', ...range }, nr_range: 1n }
      : { res: { $struct: 'resource', ...range } }),
  };
}

export const driverOf = (device: TestDevice): NativePagemapOps => ({
  page_free(_kernel, pfn) {
    device.free.push(pfn);
    device.freed.push(pfn);
    return undefined;
  },
  *migrate_to_ram(kernel, vmf) {
    return device.result ?? (yield* bringHome(kernel, device, vmf));
  },
});

function* bringHome(kernel: Kernel, device: TestDevice, { vma, vpn, page }: VmFault): KernelGenerator<number> {
  let result = 0;
  const args = migrateArgs(vma, vpn, 1, flagsOf(device.type), device.owner, page);
  yield* migrate(kernel, args, (_kernel, inside) => {
    if (!fillFromRam(kernel, inside)) result = VM_FAULT_OOM;
  });
  return result;
}

/** Destinations in system memory for what was collected. */
export function fillFromRam(kernel: Kernel, { src, dst, npages }: MigrateVma): boolean {
  for (let i = 0; i < npages; i++) {
    const from = migratePfnOf(src[i] ?? 0);
    if (!hasBit(src[i] ?? 0, MIGRATE_PFN_MIGRATE) || from < 0) continue;
    const folio = alloc_folio(kernel);
    if (!folio) return false;
    folio_trylock(kernel, folio.pfn);
    copy_highpage(kernel, folio.pfn, from);
    dst[i] = destination(kernel, folio.pfn);
  }
  return true;
}

/** A page of the device for every entry that may migrate. */
export function fillFromDevice(kernel: Kernel, device: TestDevice, { src, dst, npages }: MigrateVma): void {
  for (let i = 0; i < npages; i++) {
    if (!hasBit(src[i] ?? 0, MIGRATE_PFN_MIGRATE)) continue;
    const pfn = device.free.pop();
    if (pfn === undefined) return;
    device_page_alloc(kernel, pfn);
    const from = migratePfnOf(src[i] ?? 0);
    if (from >= 0) copy_highpage(kernel, pfn, from);
    dst[i] = destination(kernel, pfn);
  }
}

export const migrateArgs = (
  vma: Vma | undefined,
  start: number,
  pages: number,
  flags = MIGRATE_VMA_SELECT_SYSTEM,
  owner: unknown = undefined,
  fault_page: number | undefined = undefined,
): MigrateVma => ({
  vma,
  start,
  end: start + pages,
  src: [],
  dst: [],
  cpages: 0,
  npages: 0,
  pgmap_owner: owner,
  flags,
  fault_page,
});

type Fill = (kernel: Kernel, args: MigrateVma) => unknown;

/** A whole migration, in one call or in three; the arguments as they stand behind it. */
function* migrate(kernel: Kernel, args: MigrateVma, fill: Fill): KernelGenerator<MigrateVma> {
  if (kernel.facts.migrateVmaCallbacks) return yield* migrateOld(kernel, args, fill);
  const error = yield* migrate_vma_setup(kernel, args);
  if (error) throw new Error(`migrate_vma_setup: ${error}`);
  fill(kernel, args);
  yield* migrate_vma_pages(kernel, args);
  yield* migrate_vma_finalize(kernel, args);
  return args;
}

function* migrateOld(kernel: Kernel, args: MigrateVma, fill: Fill): KernelGenerator<MigrateVma> {
  let seen = args;
  const ops: MigrateVmaOps = {
    // biome-ignore lint/correctness/useYield: a callback may sleep; this one does not
    *alloc_and_copy(_kernel, inside) {
      fill(kernel, inside);
      seen = inside;
    },
    *finalize_and_map() {},
  };
  const error = yield* migrate_vma(kernel, ops, args.vma, args.start, args.end, args.src, args.dst);
  if (error) throw new Error(`migrate_vma: ${error}`);
  return seen;
}

/** To the device, what of the range is in system memory or nowhere. */
export function toDevice(
  machine: Machine,
  device: TestDevice,
  vma: Vma,
  start = vma.start,
  pages = vma.end - start,
): MigrateVma {
  // 5.7 and 5.8 take an owner for "only what is on that device".
  const owner = machine.kernel.facts.migrateSrcOwner ? undefined : device.owner;
  const args = migrateArgs(vma, start, pages, MIGRATE_VMA_SELECT_SYSTEM, owner);
  return run(machine, (kernel) => migrate(kernel, args, (_kernel, inside) => fillFromDevice(kernel, device, inside)));
}

/** And back, without a fault. */
export function toSystem(
  machine: Machine,
  device: TestDevice,
  vma: Vma,
  start = vma.start,
  pages = vma.end - start,
): MigrateVma {
  const args = migrateArgs(vma, start, pages, flagsOf(device.type), device.owner);
  return run(machine, (kernel) => migrate(kernel, args, fillFromRam));
}

/** A process with `pages` pages of private memory, of which the first `touched` were written. */
export function newSpace(
  machine: Machine,
  pages: number,
  touched = pages,
  prot = VM_READ | VM_WRITE,
): { mm: Mm; vma: Vma } {
  return run(machine, function* (kernel) {
    const process = newProcess(kernel, 'test');
    if (typeof process === 'number' || !process.mm) throw new Error('newProcess failed');
    const { mm } = process;
    const at = do_mmap(kernel, mm, { pages, prot, flags: 0, file: undefined, pgoff: 0, at: undefined });
    const vma = find_vma(mm, at);
    if (!vma) throw new Error('do_mmap failed');
    for (let i = 0; i < touched; i++) yield* handle_mm_fault(kernel, vma, vma.start + i, 1);
    return { mm, vma };
  });
}

export const bootWith = (release: Release = '6.12'): Machine => boot('qemu-2g', release);

export const kindAt = (mm: Mm, vpn: number) => pteKind(pteAt(mm, vpn));
export const frame = (mm: Mm, vpn: number): number => pte_pfn(pteAt(mm, vpn));

export interface Place {
  machine: Machine;
  device: TestDevice;
  mm: Mm;
  vma: Vma;
}
/** A machine with a device, and a process with memory of which the first `touched` pages were written. */
export function place(
  release: Release = '6.12',
  pages = 4,
  touched = pages,
  type: 'PRIVATE' | 'COHERENT' = 'PRIVATE',
): Place {
  const machine = bootWith(release);
  const device = newDevice(machine, type);
  return { machine, device, ...newSpace(machine, pages, touched) };
}
