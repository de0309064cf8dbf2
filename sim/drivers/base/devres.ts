/** Devices, what a driver holds for them, and what the driver core gives back: drivers/base/devres.c. */
import { BadAccess, type CallArgs, type CStruct, NULL } from '../../c/value.ts';
import { __release_region, __request_region, type Resource } from '../../kernel/resource.ts';
import {
  type PercpuRef,
  percpu_ref_drain,
  percpu_ref_is_live,
  percpu_ref_kill,
  percpuRef,
} from '../../lib/percpu-refcount.ts';
import { hex, type Kernel } from '../../machine/kernel.ts';
import type { DeviceState, DevresAction } from '../../machine/state.ts';
import { hmm_devmem_release } from '../../mm/hmm_devmem.ts';
import { memunmap_pages } from '../../mm/memremap.ts';
import { devm_memremap_pages_release } from '../../mm/memremap-old.ts';
import { refOf, structField } from '../../mm/pagemap.ts';
import type { KernelGenerator } from '../../task/task.ts';
import { pci_p2pdma_release } from '../p2pdma.ts';

export function newDevice(name: string, node: number): DeviceState {
  const device: CStruct = { $struct: 'device', numa_node: BigInt(node), driver_data: NULL };
  return { name, device, node, actions: [] };
}

/** The device behind a struct device that C code names. */
export function deviceArg(kernel: Kernel, args: CallArgs, index: number): DeviceState {
  const device = args.struct(index, 'device');
  const found = kernel.state.devices.find((candidate) => candidate.device === device);
  if (!found)
    throw new BadAccess(
      `${args.name}: this struct device was never registered; make one with root_device_register("name")`,
    );
  return found;
}

/** devres.c:devm_add_action: what is undone when the driver goes, before everything that was added earlier. */
export function devm_add_action(
  kernel: Kernel,
  device: DeviceState,
  what: DevresAction['what'],
  subject: CStruct,
): void {
  kernel.store.splice(device.actions, device.actions.length, 0, { what, subject });
}

/** Forgets what was to be done for `subject` when the driver goes. */
export function dropAction(kernel: Kernel, device: DeviceState, subject: CStruct): void {
  const index = device.actions.findIndex((action) => action.subject === subject);
  if (index >= 0) kernel.store.splice(device.actions, index, 1);
}

/** include/linux/ioport.h:devm_request_mem_region: the region under `name`, or nothing where something busy is in the way. */
export function devm_request_mem_region(
  kernel: Kernel,
  device: DeviceState,
  start: bigint,
  size: bigint,
  name: string,
): Resource | undefined {
  return kernel.leaf(
    'devm_request_mem_region',
    [hex(start), hex(size), JSON.stringify(name)],
    () => {
      const got = __request_region(kernel.store, kernel.state.iomem, start, size, name);
      if (!('resource' in got)) return undefined;
      devm_add_action(kernel, device, 'release_mem_region', got.resource);
      return got.resource;
    },
    (resource) => (resource ? name : 'NULL'),
  );
}

/** include/linux/ioport.h:release_mem_region on the root. */
export function release_mem_region(kernel: Kernel, start: bigint, size: bigint): void {
  kernel.leaf(
    'release_mem_region',
    [hex(start), hex(size)],
    () => {
      if (!__release_region(kernel.store, kernel.state.iomem, start, size))
        kernel.pr_warn(`Trying to free nonexistent resource <${hex(start)}-${hex(start + size - 1n)}>`);
    },
    () => '',
  );
}

/** devres.c:devres_release_all: newest first. Unmapping a pagemap may wait for whoever still uses its pages. */
export function* devres_release_all(kernel: Kernel, device: DeviceState): KernelGenerator<void> {
  while (device.actions.length > 0) {
    const [action] = kernel.store.splice(device.actions, device.actions.length - 1, 1);
    if (action) yield* release(kernel, action);
  }
}

function* release(kernel: Kernel, { what, subject }: DevresAction): KernelGenerator<void> {
  switch (what) {
    case 'memunmap_pages':
      return yield* memunmap_pages(kernel, subject);
    case 'devm_memremap_pages_release':
      return yield* devm_memremap_pages_release(kernel, subject);
    case 'hmm_devmem_release':
      return yield* hmm_devmem_release(kernel, subject);
    case 'pci_p2pdma_release':
      return yield* pci_p2pdma_release(kernel, subject);
    case 'percpu_ref_kill': {
      const ref = percpuRef(subject, what);
      if (percpu_ref_is_live(ref)) yield* percpu_ref_kill(kernel, ref);
      return;
    }
    case 'percpu_ref_exit':
      return yield* percpu_ref_drain(kernel, what, refOf(subject) ?? percpuRef(subject, what));
    case 'blk_cleanup_queue':
      return yield* percpu_ref_drain(kernel, what, structField(subject, 'q_usage_counter') as PercpuRef);
    case 'dev_pagemap_put_ops':
      kernel.store.set(kernel.state, 'devmap_managed_key', kernel.state.devmap_managed_key - 1);
      return;
    case 'release_mem_region': {
      const { start, end } = subject as Resource;
      release_mem_region(kernel, start, end - start + 1n);
    }
  }
}
