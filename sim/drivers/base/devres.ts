/** What a driver holds for a device and the driver core gives back: drivers/base/devres.c (6.12). */
import type { CStruct } from '../../c/value.ts';
import { NULL } from '../../c/value.ts';
import { __release_region, __request_region, type Resource, release_resource } from '../../kernel/resource.ts';
import { type DeviceState, hex, type Kernel } from '../../machine/kernel.ts';
import { memunmap_pages } from '../../mm/memremap.ts';
import type { KernelGenerator } from '../../task/task.ts';

export function newDevice(name: string, node: number): DeviceState {
  const device: CStruct = { $struct: 'device', numa_node: BigInt(node), driver_data: NULL };
  return { name, device, node, actions: [] };
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
      kernel.store.splice(device.actions, device.actions.length, 0, {
        what: 'release_mem_region',
        subject: got.resource,
      });
      return got.resource;
    },
    (resource) => (resource ? name : 'NULL'),
  );
}

/** devres.c:devres_release_all: newest first. Unmapping a pagemap waits for whoever still uses its pages. */
export function* devres_release_all(kernel: Kernel, device: DeviceState): KernelGenerator<void> {
  const { store } = kernel;
  while (device.actions.length > 0) {
    const [action] = store.splice(device.actions, device.actions.length - 1, 1);
    if (!action) return;
    if (action.what === 'memunmap_pages') {
      yield* memunmap_pages(kernel, action.subject);
      continue;
    }
    const held = action.subject as Resource;
    if (!__release_region(store, kernel.state.iomem, held.start, held.end - held.start + 1n))
      release_resource(store, held);
  }
}
