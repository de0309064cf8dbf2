/**
 * devm_memremap_pages before mm/memremap.c: kernel/memremap.c of 4.3 to 5.2. The range is widened to whole
 * sections (from 4.5), the reference is the driver's, and until 5.1 nothing here waits for it.
 */
import { PAGES_PER_SECTION } from '../arch/x86_64.ts';
import { addressPointer, BadAccess, type CPointer, type CStruct, ERR_PTR, NULL, objectPointer } from '../c/value.ts';
import { PG_RESERVED, stateWord } from '../include/mmzone.ts';
import { ZONE_DEVICE } from '../include/types.ts';
import {
  IORES_DESC_NONE,
  IORESOURCE_SYSTEM_RAM,
  REGION_DISJOINT,
  REGION_INTERSECTS,
  type Resource,
  region_intersects,
} from '../kernel/resource.ts';
import {
  callFunction,
  type PercpuRef,
  percpu_ref_get_many,
  percpu_ref_is_live,
  refAt,
} from '../lib/percpu-refcount.ts';
import { hex, type Kernel, mem } from '../machine/kernel.ts';
import { zoneDeviceIsOn } from '../machine/options.ts';
import type { DeviceState, MappedPagemap, NativePagemapOps } from '../machine/state.ts';
import { removeItem } from '../store/remove.ts';
import type { KernelGenerator } from '../task/task.ts';
import {
  __remove_pages_old,
  add_to_zone,
  arch_add_memory_old,
  arch_remove_memory_old,
  sectionCeil,
  sectionFloor,
  zone_for_memory,
} from './memory_hotplug-old.ts';
import { printPointer, without_zone_device } from './memremap.ts';
import {
  get_dev_pagemap,
  integerField,
  kindOfType,
  pagemapAt,
  pfn_first,
  pgmap_altmap,
  pointerField,
  put_dev_pagemap_call,
  refOf,
  structField,
  typeOf,
} from './pagemap.ts';
import type { VmemAltmap } from './sparse-vmemmap.ts';
import { put_pages } from './zone_device_page.ts';
import { numa_mem_id } from './zonelist.ts';

const EINVAL = -22;
const EBUSY = -16;
const EEXIST = -17;
const ENOMEM = -12;
const ENXIO = -6;

/** A range in pfns, [start, end). */
interface Pfns {
  start: number;
  end: number;
}
const exactOf = (res: CStruct): Pfns => ({
  start: Number(integerField(res, 'start') >> 12n),
  end: Number((integerField(res, 'end') + 1n) >> 12n),
});
/** The kernel reckons with a size of nearly 2^64 then, and runs into whatever comes. */
function assertOrder(res: CStruct): void {
  const [start, end] = [integerField(res, 'start'), integerField(res, 'end')];
  if (end < start)
    throw new BadAccess(`devm_memremap_pages: the resource ends at ${hex(end)}, before its start ${hex(start)}`);
}
const widened = ({ start, end }: Pfns): Pfns => ({ start: sectionFloor(start), end: sectionCeil(end) });
const va = (kernel: Kernel, res: CStruct): CPointer =>
  addressPointer(kernel.arch.PAGE_OFFSET + integerField(res, 'start'));

/**
 * To 4.15: (dev, res, ref, altmap), in 4.3 and 4.4 (dev, res) and no pagemap at all. The kernel keeps copies of
 * the resource and the altmap.
 */
export function* devm_memremap_pages_res(
  kernel: Kernel,
  device: DeviceState,
  res: Resource,
  ref: CPointer = NULL,
  altmap?: VmemAltmap,
): KernelGenerator<CPointer> {
  const range = `${hex(res.start)}-${hex(res.end)}`;
  return yield* kernel.call(
    'devm_memremap_pages',
    [device.name, range],
    mapResource(kernel, device, res, ref, altmap),
    printPointer,
  );
}

function* mapResource(
  kernel: Kernel,
  device: DeviceState,
  res: Resource,
  ref: CPointer,
  altmap: VmemAltmap | undefined,
): KernelGenerator<CPointer> {
  if (!zoneDeviceIsOn(kernel)) return without_zone_device(kernel);
  assertOrder(res);
  const found = ramCheck(kernel, res, kernel.facts.sectionWidening ? widened(exactOf(res)) : exactOf(res));
  if (found) return found;
  const copy: CStruct = { $struct: 'resource', start: res.start, end: res.end, name: res.name, flags: res.flags };
  if (!kernel.facts.devPagemap) return mapWithoutPagemap(kernel, device, copy);
  if (altmap && kernel.facts.altmapWithoutVmemmapIsNoDevice && !kernel.config.config.vmemmap) {
    kernel.pr_err('devm_memremap_pages: altmap requires CONFIG_SPARSEMEM_VMEMMAP=y');
    return ERR_PTR(ENXIO);
  }
  if (!refAt(ref, 'devm_memremap_pages')) return ERR_PTR(EINVAL);
  const pgmap: CStruct = {
    $struct: 'dev_pagemap',
    altmap: altmap ? objectPointer({ ...altmap }) : NULL,
    res: objectPointer(copy),
    ref,
    dev: objectPointer(device.device),
    type: 0n,
  };
  return yield* mapSections(kernel, device, pgmap, copy);
}

/** 4.16 to 5.2: (dev, pgmap). */
export function* devm_memremap_pages_pgmap(
  kernel: Kernel,
  device: DeviceState,
  pgmap: CStruct,
  native?: NativePagemapOps,
): KernelGenerator<CPointer> {
  return yield* kernel.call(
    'devm_memremap_pages',
    [device.name, '&pagemap'],
    mapPagemap(kernel, device, pgmap, native),
    printPointer,
  );
}

function* mapPagemap(
  kernel: Kernel,
  device: DeviceState,
  pgmap: CStruct,
  native: NativePagemapOps | undefined,
): KernelGenerator<CPointer> {
  if (!zoneDeviceIsOn(kernel)) return without_zone_device(kernel);
  const res = structField(pgmap, 'res');
  if (!res) return ERR_PTR(EINVAL);
  assertOrder(res);
  const wide = widened(exactOf(res));
  const isChecked = kernel.facts.pagemapKillRequired;
  if (isChecked) {
    const cleanupMissing = kernel.facts.pagemapCleanupRequired && !pointerField(pgmap, 'cleanup');
    if (!pointerField(pgmap, 'ref') || !pointerField(pgmap, 'kill') || cleanupMissing) {
      if (kernel.facts.pagemapCleanupRequired) kernel.WARN('Missing reference count teardown definition');
      return ERR_PTR(EINVAL);
    }
    refAt(pointerField(pgmap, 'ref') ?? NULL, 'devm_memremap_pages');
  }
  if (kernel.facts.conflictIsNoMemory)
    for (const pfn of [wide.start, wide.end - 1]) {
      const conflict = get_dev_pagemap(kernel, pfn);
      if (!conflict) continue;
      kernel.WARN('Conflicting mapping in same section');
      yield* put_dev_pagemap_call(kernel, conflict.pgmap);
      return ERR_PTR(ENOMEM);
    }
  const found = ramCheck(kernel, res, wide);
  if (found) {
    yield* giveUp(kernel, pgmap);
    return found;
  }
  if (!isChecked && !refAt(pointerField(pgmap, 'ref') ?? NULL, 'devm_memremap_pages')) return ERR_PTR(EINVAL);
  kernel.store.set(pgmap, 'dev', objectPointer(device.device));
  return yield* mapSections(kernel, device, pgmap, res, native);
}

/** What devm_memremap_pages answers for RAM: the range as it is where that was allowed, else -ENXIO. */
function ramCheck(kernel: Kernel, res: CStruct, { start, end }: Pfns): CPointer | undefined {
  const ram = kernel.leaf(
    'region_intersects',
    [hex(start * 4096), hex((end - start) * 4096), 'System RAM'],
    () =>
      region_intersects(
        kernel.state.iomem,
        BigInt(start) << 12n,
        BigInt(end - start) << 12n,
        IORESOURCE_SYSTEM_RAM,
        IORES_DESC_NONE,
      ),
    (result) => ['REGION_INTERSECTS', 'REGION_DISJOINT', 'REGION_MIXED'][result] ?? String(result),
  );
  if (ram === REGION_DISJOINT) return undefined;
  const isRam = ram === REGION_INTERSECTS;
  if (isRam && kernel.facts.ramRangeReturned) return va(kernel, res);
  kernel.WARN(
    `devm_memremap_pages attempted on ${isRam ? 'ram' : 'mixed'} region ${mem(integerField(res, 'start'), integerField(res, 'end'))}`,
  );
  return ERR_PTR(ENXIO);
}

/** 4.3 and 4.4: struct pages and no more. Sections that are there already are passed over in silence. */
function mapWithoutPagemap(kernel: Kernel, device: DeviceState, res: CStruct): CPointer {
  const { start, end } = exactOf(res);
  const nid = Math.max(device.node, 0);
  const zone = zone_for_memory(kernel, nid, start, true);
  const error = arch_add_memory_old(kernel, { nid, startPfn: start, pages: end - start, altmap: undefined, zone });
  if (error) return ERR_PTR(error);
  const subject: CStruct = { $struct: 'page_map', res: objectPointer(res) };
  kernel.store.splice(device.actions, device.actions.length, 0, { what: 'devm_memremap_pages_release', subject });
  return va(kernel, res);
}

function* mapSections(
  kernel: Kernel,
  device: DeviceState,
  pgmap: CStruct,
  res: CStruct,
  native?: NativePagemapOps,
): KernelGenerator<CPointer> {
  const { store, state } = kernel;
  const exact = exactOf(res);
  const wide = widened(exact);
  const altmap = pgmap_altmap(kernel, pgmap);
  const conflict = indexConflict(kernel, exact, wide);
  if (conflict) {
    const range = mem(integerField(res, 'start'), integerField(res, 'end'));
    const isBusy = kernel.facts.sectionConflictIsBusy;
    kernel.pr_err(
      isBusy
        ? `devm_memremap_pages: ${range} collides with mapping for ${conflict.name}`
        : `devm_memremap_pages: failed: ${EEXIST}`,
    );
    yield* giveUp(kernel, pgmap);
    return ERR_PTR(isBusy ? EBUSY : EEXIST);
  }
  const map: MappedPagemap = {
    id: state.nextPagemap,
    pgmap,
    name: device.name,
    node: device.node < 0 ? numa_mem_id(kernel) : device.node,
    ranges: [exact],
    ...(native ? { native } : {}),
  };
  store.set(state, 'nextPagemap', map.id + 1);
  store.splice(state.pgmaps, state.pgmaps.length, 0, map);
  const error = addSections(kernel, map, wide, altmap);
  if (error) {
    removeItem(store, state.pgmaps, map);
    yield* giveUp(kernel, pgmap);
    return ERR_PTR(error);
  }
  initPages(kernel, map, exact, altmap);
  store.splice(device.actions, device.actions.length, 0, { what: 'devm_memremap_pages_release', subject: pgmap });
  return va(kernel, res);
}

/** Who stands where the look-up tree would be written: by section to 4.13, by exact pfn since. */
function indexConflict(kernel: Kernel, exact: Pfns, wide: Pfns): MappedPagemap | undefined {
  if (kernel.facts.pagemapKeyedBySection) {
    for (let pfn = wide.start; pfn < wide.end; pfn += PAGES_PER_SECTION) {
      const found = pagemapAt(kernel, pfn);
      if (found) return found;
    }
    return undefined;
  }
  return kernel.state.pgmaps.find((map) =>
    map.ranges.some((range) => range.start < exact.end && range.end > exact.start),
  );
}

/** The hotplug part: private memory has no linear mapping; the zone is given here from 4.14, by __add_pages before. */
function addSections(
  kernel: Kernel,
  map: MappedPagemap,
  wide: Pfns,
  altmap: VmemAltmap | undefined,
  isPrivate = kernel.facts.pagemapArgument && typeOf(kernel, map.pgmap) === 'PRIVATE',
): number {
  const zone = kernel.zone(map.node, ZONE_DEVICE);
  const isMoved = kernel.facts.zoneSetByMove;
  const pages = wide.end - wide.start;
  const error = arch_add_memory_old(
    kernel,
    {
      nid: map.node,
      startPfn: wide.start,
      pages,
      altmap: isPrivate ? undefined : altmap,
      zone: isMoved ? undefined : zone_for_memory(kernel, map.node, wide.start, true),
    },
    isPrivate ? 'add_pages' : 'arch_add_memory',
  );
  if (!error && isMoved) add_to_zone(kernel, zone, wide.start, pages, altmap);
  return error;
}

/**
 * pfn_first adds the altmap's offset, which counts from the section, to the range's own start: of a small range
 * inside a section nothing is left. (The kernel's count of references wraps then; here it stays.)
 */
const firstOf = (exact: Pfns, altmap: VmemAltmap | undefined): number => Math.min(pfn_first(exact, altmap), exact.end);

/** for_each_device_pfn: the pages of the exact range point to the pagemap; from 4.14 each counts on it. */
function initPages(
  kernel: Kernel,
  map: MappedPagemap,
  exact: Pfns,
  altmap: VmemAltmap | undefined,
  counts = kernel.facts.pageHoldsPagemapRef,
): void {
  const start = firstOf(exact, altmap);
  const kind = kindOfType(kernel, typeOf(kernel, map.pgmap));
  const { state, flags, refcount, pgmap } = kernel.pages;
  state.setRange(start, exact.end, stateWord(kind, 0, ZONE_DEVICE, map.node));
  flags.setRange(start, exact.end, PG_RESERVED);
  refcount.setRange(start, exact.end, 1);
  pgmap.setRange(start, exact.end, map.id);
  const ref = refOf(map.pgmap);
  if (ref && counts) percpu_ref_get_many(kernel, ref, exact.end - start);
}

/**
 * mm/hmm.c:hmm_devmem_pages_create (4.14 to 4.20): struct pages for hmm_devmem_add, without devm_memremap_pages; no
 * page counts on the pagemap. -ENXIO for System RAM, -EBUSY for sections of another hmm_devmem.
 */
export function hmm_devmem_pages_create(
  kernel: Kernel,
  device: DeviceState,
  pgmap: CStruct,
  res: CStruct,
  native: NativePagemapOps,
): number {
  const { store, state } = kernel;
  const wide = widened(exactOf(res));
  const ram = region_intersects(
    state.iomem,
    BigInt(wide.start) << 12n,
    BigInt(wide.end - wide.start) << 12n,
    IORESOURCE_SYSTEM_RAM,
    IORES_DESC_NONE,
  );
  if (ram !== REGION_DISJOINT) {
    if (ram !== REGION_INTERSECTS) kernel.WARN('hmm_devmem_pages_create attempted on mixed region');
    return ENXIO;
  }
  const other = state.pgmaps.find(
    (map) =>
      map.pgmap.hmm !== undefined && map.ranges.some((range) => range.start < wide.end && range.end > wide.start),
  );
  if (other) {
    kernel.pr_err(
      `hmm_devmem_pages_create: ${mem(integerField(res, 'start'), integerField(res, 'end'))} collides with mapping for ${other.name}`,
    );
    return EBUSY;
  }
  const map: MappedPagemap = {
    id: state.nextPagemap,
    pgmap,
    name: device.name,
    node: device.node < 0 ? numa_mem_id(kernel) : device.node,
    ranges: [wide],
    native,
  };
  store.set(state, 'nextPagemap', map.id + 1);
  const error = addSections(kernel, map, wide, undefined, typeOf(kernel, pgmap) === 'PRIVATE');
  if (error) return error;
  store.splice(state.pgmaps, state.pgmaps.length, 0, map);
  initPages(kernel, map, wide, undefined, false);
  return 0;
}

/** mm/hmm.c:hmm_devmem_pages_remove. Nobody looks whether pages are still out. */
export function hmm_devmem_pages_remove(kernel: Kernel, pgmap: CStruct): void {
  const map = kernel.state.pgmaps.find((candidate) => candidate.pgmap === pgmap);
  const [wide] = map?.ranges ?? [];
  if (!map || !wide) return;
  if (typeOf(kernel, pgmap) === 'PRIVATE') __remove_pages_old(kernel, wide.start, wide.end - wide.start, undefined);
  else arch_remove_memory_old(kernel, wide.start, wide.end - wide.start, undefined);
  removeItem(kernel.store, kernel.state.pgmaps, map);
}

/** A mapping that failed: where the driver's kill is required, the kernel calls it, and cleanup where that is. */
function* giveUp(kernel: Kernel, pgmap: CStruct): KernelGenerator<void> {
  if (kernel.facts.pagemapKillRequired) yield* teardown(kernel, pgmap, 'kill');
  if (kernel.facts.pagemapCleanupRequired) yield* teardown(kernel, pgmap, 'cleanup');
}

function* teardown(kernel: Kernel, pgmap: CStruct, name: 'kill' | 'cleanup'): KernelGenerator<void> {
  const callback = pointerField(pgmap, name);
  const ref = refOf(pgmap);
  if (callback && ref) yield* callFunction(kernel, callback, [ref]);
}

/**
 * kernel/memremap.c:devm_memremap_pages_release. It blocks only in the driver's cleanup (5.2); before, the memory
 * goes whoever still holds it, with a warning to 4.18.
 */
export function* devm_memremap_pages_release(kernel: Kernel, subject: CStruct): KernelGenerator<void> {
  return yield* kernel.call('devm_memremap_pages_release', ['&pagemap'], release(kernel, subject), () => '');
}

function* release(kernel: Kernel, subject: CStruct): KernelGenerator<void> {
  const res = structField(subject, 'res');
  if (!res) return;
  const exact = exactOf(res);
  if (subject.$struct === 'page_map') {
    arch_remove_memory_old(kernel, exact.start, exact.end - exact.start, undefined);
    return;
  }
  const { store, state } = kernel;
  const map = state.pgmaps.find((candidate) => candidate.pgmap === subject);
  const ref = refOf(subject);
  if (!map || !ref) return;
  const altmap = pgmap_altmap(kernel, subject);
  if (kernel.facts.pagemapKillRequired) yield* teardown(kernel, subject, 'kill');
  if (kernel.facts.pageHoldsPagemapRef) yield* put_pages(kernel, map, firstOf(exact, altmap), exact.end);
  if (kernel.facts.pagemapCleanupRequired) yield* teardown(kernel, subject, 'cleanup');
  if (!kernel.facts.pagemapKillRequired) warnIfLive(kernel, ref);
  if (!state.pgmaps.includes(map))
    throw new BadAccess('devm_memremap_pages_release: somebody else unmapped this pagemap while this call waited');
  const wide = widened(exact);
  const pages = kernel.facts.removalForgetsOffset ? sectionCeil(exact.end - exact.start) : wide.end - wide.start;
  if (kernel.facts.pagemapArgument && typeOf(kernel, subject) === 'PRIVATE')
    __remove_pages_old(kernel, wide.start, pages, undefined);
  else arch_remove_memory_old(kernel, wide.start, pages, altmap);
  removeItem(store, state.pgmaps, map);
  if (altmap && altmap.alloc !== 0n) kernel.WARN('devm_memremap_pages_release: failed to free all reserved pages');
}

function warnIfLive(kernel: Kernel, ref: PercpuRef): void {
  if (kernel.facts.liveMappingWarned && percpu_ref_is_live(ref))
    kernel.WARN('devm_memremap_pages_release: page mapping is still live!');
}
