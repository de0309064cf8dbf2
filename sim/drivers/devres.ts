/** Devices and what the driver core undoes for them: drivers/base/devres.c. */
import { BadAccess, type CallArgs, type CStruct } from '../c/value.ts';
import { __release_region, type Resource } from '../kernel/resource.ts';
import { percpu_ref_is_live, percpu_ref_kill, percpuRef } from '../lib/percpu-refcount.ts';
import { type DeviceState, hex, type Kernel } from '../machine/kernel.ts';
import { memunmap_pages } from '../mm/memremap.ts';
import { devm_memremap_pages_release } from '../mm/memremap-old.ts';
import type { KernelGenerator } from '../task/task.ts';
import { pci_p2pdma_release } from './p2pdma.ts';

export function deviceArg(kernel: Kernel, args: CallArgs, index: number): DeviceState {
  const device = args.struct(index, 'device');
  const found = kernel.state.devices.find((candidate) => candidate.device === device);
  if (!found)
    throw new BadAccess(
      `${args.name}: this struct device was never registered; make one with root_device_register("name")`,
    );
  return found;
}

/** Forgets what was to be done for `subject` when the driver goes. */
export function dropAction(kernel: Kernel, device: DeviceState, subject: CStruct): void {
  const index = device.actions.findIndex((action) => action.subject === subject);
  if (index >= 0) kernel.store.splice(device.actions, index, 1);
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

/** drivers/base/devres.c:devres_release_all: newest first. */
export function* release_all(kernel: Kernel, device: DeviceState): KernelGenerator<void> {
  while (device.actions.length > 0) {
    const [action] = kernel.store.splice(device.actions, device.actions.length - 1, 1);
    if (action?.what === 'memunmap_pages') yield* memunmap_pages(kernel, action.subject);
    else if (action?.what === 'devm_memremap_pages_release') yield* devm_memremap_pages_release(kernel, action.subject);
    else if (action?.what === 'percpu_ref_kill') {
      const ref = percpuRef(action.subject, 'percpu_ref_kill');
      if (percpu_ref_is_live(ref)) yield* percpu_ref_kill(kernel, ref);
    } else if (action?.what === 'pci_p2pdma_release') yield* pci_p2pdma_release(kernel, action.subject);
    else if (action) {
      const resource = action.subject as Resource;
      release_mem_region(kernel, resource.start, resource.end - resource.start + 1n);
    }
  }
}
