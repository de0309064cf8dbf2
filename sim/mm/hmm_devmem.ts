/**
 * mm/hmm.c of 4.14 to 5.2: hmm_devmem_add and what belongs to it: device memory with one descriptor, found in the
 * physical address space from the top down. Its pages rest at refcount 1, and the driver hears of them at 1.
 */
import { PAGES_PER_SECTION } from '../arch/x86_64.ts';
import {
  BadAccess,
  type CPointer,
  type CStruct,
  type CValue,
  ERR_PTR,
  errorOf,
  integer,
  NULL,
  objectPointer,
  pagePointer,
} from '../c/value.ts';
import { VM_FAULT_SIGBUS, type VmFault } from '../include/mm_types.ts';
import {
  __release_region,
  __request_region,
  IORES_DESC_DEVICE_PRIVATE_MEMORY,
  type Resource,
  region_busy,
} from '../kernel/resource.ts';
import {
  kernelFunction,
  newPercpuRef,
  type PercpuRef,
  percpu_ref_drain,
  percpu_ref_is_live,
  percpu_ref_kill,
} from '../lib/percpu-refcount.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { zoneDeviceIsOn } from '../machine/options.ts';
import type { DeviceState, NativePagemapOps } from '../machine/state.ts';
import type { KernelGenerator } from '../task/task.ts';
import { vmaPointer } from './cviews.ts';
import { devm_memremap_pages_pgmap, hmm_devmem_pages_create, hmm_devmem_pages_remove } from './memremap-old.ts';
import { integerField, type PagemapType, pagemapTypeValue, pointerField, structField } from './pagemap.ts';

const EINVAL = -22;
const ENOMEM = -12;
const ERANGE = -34;
const SECTION = BigInt(PAGES_PER_SECTION) << 12n;
/** include/linux/ioport.h of these releases. */
export const IORES_DESC_DEVICE_PUBLIC_MEMORY = 7n;

/** struct hmm_devmem_ops of a driver: a struct in C, or functions of the engine. */
export type DevmemOps = CPointer | NativePagemapOps;
const isNative = (ops: DevmemOps): ops is NativePagemapOps => 'migrate_to_ram' in ops;

/**
 * hmm_devmem_add: `size` rounded up to sections, in free addresses that are looked for from the top in steps of
 * the size. -ERANGE: there are none; -ENOMEM: the region could not be had; or what making the pages gave.
 */
export function* hmm_devmem_add(
  kernel: Kernel,
  ops: DevmemOps,
  device: DeviceState,
  size: bigint,
): KernelGenerator<CPointer> {
  return yield* kernel.call('hmm_devmem_add', [device.name, hex(size)], add(kernel, ops, device, size), printed);
}

const printed = (pointer: CPointer): string => {
  const error = errorOf(pointer);
  return error === undefined ? pointer.to : `ERR_PTR(${error})`;
};

function* add(kernel: Kernel, ops: DevmemOps, device: DeviceState, asked: bigint): KernelGenerator<CPointer> {
  if (!zoneDeviceIsOn(kernel)) return ERR_PTR(EINVAL);
  const { iomem } = kernel.state;
  const size = ((asked + SECTION - 1n) / SECTION) * SECTION;
  const limit = (1n << BigInt(kernel.arch.MAX_PHYSMEM_BITS)) - 1n;
  const top = iomem.end < limit ? iomem.end : limit;
  for (let start = top - size + 1n; size > 0n && start > size && start >= iomem.start; start -= size) {
    if (region_busy(iomem, start, size)) continue;
    const got = __request_region(kernel.store, iomem, start, size, device.name, IORES_DESC_DEVICE_PRIVATE_MEMORY);
    if (!('resource' in got)) return ERR_PTR(ENOMEM);
    return yield* make(kernel, ops, device, got.resource, 'PRIVATE');
  }
  return ERR_PTR(ERANGE);
}

/** hmm_devmem_add_resource: public memory at a place that the platform gives. */
export function* hmm_devmem_add_resource(
  kernel: Kernel,
  ops: DevmemOps,
  device: DeviceState,
  res: Resource,
): KernelGenerator<CPointer> {
  if (res.desc !== IORES_DESC_DEVICE_PUBLIC_MEMORY) return ERR_PTR(EINVAL);
  const body = make(kernel, ops, device, res, 'PUBLIC');
  return yield* kernel.call('hmm_devmem_add_resource', [device.name], body, printed);
}

/** The descriptor, its pagemap and the struct pages; later than 4.20 by devm_memremap_pages. */
function* make(
  kernel: Kernel,
  ops: DevmemOps,
  device: DeviceState,
  res: Resource,
  type: PagemapType,
): KernelGenerator<CPointer> {
  const { store } = kernel;
  const ref = newPercpuRef();
  const pagemap: CStruct = {
    $struct: 'dev_pagemap',
    type: pagemapTypeValue(kernel, type),
    altmap_valid: 0n,
    res: kernel.facts.pagemapArgument
      ? { $struct: 'resource', start: res.start, end: res.end, name: device.name, flags: res.flags }
      : objectPointer(res),
    ref: objectPointer(ref),
    kill: kernelFunction('hmm_devmem_ref_kill'),
    cleanup: kernelFunction('hmm_devmem_ref_exit'),
    dev: objectPointer(device.device),
    hmm: 1n,
  };
  const devmem: CStruct = {
    $struct: 'hmm_devmem',
    pfn_first: res.start >> 12n,
    pfn_last: (res.end + 1n) >> 12n,
    resource: objectPointer(res),
    device: objectPointer(device.device),
    pagemap,
    ops: isNative(ops) ? NULL : ops,
    ref,
    page_fault: kernelFunction('hmm_devmem_fault'),
  };
  store.set(pagemap, 'data', objectPointer(devmem));
  store.set(kernel.state, 'devmap_managed_key', kernel.state.devmap_managed_key + 1);
  const native = isNative(ops) ? ops : callsOf(devmem);
  if (kernel.facts.hmmDevmemByMemremap) {
    const action = { what: 'release_mem_region', subject: res } as const;
    const put = { what: 'dev_pagemap_put_ops', subject: devmem } as const;
    store.splice(device.actions, device.actions.length, 0, put, ...(type === 'PRIVATE' ? [action] : []));
    const result = yield* devm_memremap_pages_pgmap(kernel, device, pagemap, native);
    return errorOf(result) === undefined ? objectPointer(devmem) : result;
  }
  const error = hmm_devmem_pages_create(kernel, device, pagemap, res, native);
  if (error) {
    store.set(kernel.state, 'devmap_managed_key', kernel.state.devmap_managed_key - 1);
    if (type === 'PRIVATE') __release_region(store, kernel.state.iomem, res.start, res.end - res.start + 1n);
    return ERR_PTR(error);
  }
  store.splice(device.actions, device.actions.length, 0, { what: 'hmm_devmem_release', subject: devmem });
  return objectPointer(devmem);
}

/** hmm_devmem_free and hmm_devmem_fault: the driver's ops with the descriptor as their first argument. */
const callsOf = (devmem: CStruct): NativePagemapOps => ({
  *page_free(kernel, pfn) {
    const free = opsOf(devmem, 'free');
    if (free && kernel.callBack) yield* kernel.callBack(free, [objectPointer(devmem), pagePointer(pfn)]);
  },
  *migrate_to_ram(kernel, vmf) {
    const fault = opsOf(devmem, 'fault');
    if (!fault || !kernel.callBack) return VM_FAULT_SIGBUS;
    const value = yield* kernel.callBack(fault, [objectPointer(devmem), ...faultArguments(kernel, vmf)]);
    return value.kind === 'integer' ? Number(BigInt.asUintN(32, value.value)) : 0;
  },
});

const opsOf = (devmem: CStruct, name: string): CPointer | undefined => {
  const ops = structField(devmem, 'ops');
  return ops && pointerField(ops, name);
};

/** What the callback gets of a fault to 5.2: the VMA, the address, the page, the flags and the PMD. */
export const faultArguments = (kernel: Kernel, { vma, vpn, flags, page }: VmFault): CValue[] => [
  vmaPointer(kernel, vma),
  integer(BigInt(vpn) << 12n, 'unsigned long'),
  page === undefined ? NULL : pagePointer(page),
  integer(flags, 'unsigned int'),
  NULL,
];

/** hmm_devmem_remove (to 4.18, and 4.20), and what unbinding the device does: nobody waits for pages that are out. */
export function* hmm_devmem_release(kernel: Kernel, devmem: CStruct): KernelGenerator<void> {
  return yield* kernel.call('hmm_devmem_release', ['devmem'], remove(kernel, devmem), () => '');
}

function* remove(kernel: Kernel, devmem: CStruct): KernelGenerator<void> {
  const pagemap = structField(devmem, 'pagemap');
  const ref = structField(devmem, 'ref') as PercpuRef | undefined;
  const res = structField(devmem, 'resource') as Resource | undefined;
  if (!pagemap || !ref || !res) throw new BadAccess('hmm_devmem_remove: this is no hmm_devmem that was added');
  if (percpu_ref_is_live(ref)) yield* percpu_ref_kill(kernel, ref);
  yield* percpu_ref_drain(kernel, 'hmm_devmem_ref_exit', ref);
  hmm_devmem_pages_remove(kernel, pagemap);
  kernel.store.set(kernel.state, 'devmap_managed_key', kernel.state.devmap_managed_key - 1);
  if (integerField(pagemap, 'type') !== pagemapTypeValue(kernel, 'PUBLIC'))
    __release_region(kernel.store, kernel.state.iomem, res.start, res.end - res.start + 1n);
}
