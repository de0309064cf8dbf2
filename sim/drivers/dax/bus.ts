/** The DAX bus: regions, devices, and which driver takes them. drivers/dax/bus.c (6.12). */
import type { CStruct } from '../../c/value.ts';
import type { Kernel } from '../../machine/kernel.ts';
import { removeItem } from '../../store/remove.ts';
import type { KernelGenerator } from '../../task/task.ts';
import { devres_release_all, newDevice } from '../base/devres.ts';
import { EBUSY, EINVAL, ENODEV } from '../nvdimm/nd.ts';
import { type DaxDriver, type DaxRegion, type DevDax, findDevDax } from './dax.ts';
import { dev_dax_probe } from './device.ts';
import { dev_dax_kmem_probe, dev_dax_kmem_remove } from './kmem.ts';

export function alloc_dax_region(kernel: Kernel, region: DaxRegion): DaxRegion {
  const { dax } = kernel.state.nvdimm;
  kernel.store.splice(dax, dax.length, 0, region);
  return region;
}

/** bus.c:devm_create_dev_dax for all of a region; the new device looks for its driver at once. */
export function* devm_create_dev_dax(
  kernel: Kernel,
  region: DaxRegion,
  id: number,
  pgmap: CStruct,
): KernelGenerator<number> {
  const name = `dax${region.id}.${id}`;
  const device: DevDax = {
    name,
    region,
    start: region.start,
    end: region.end,
    align: region.align,
    target_node: region.node,
    device: newDevice(name, region.node),
    pgmap,
    driver: undefined,
    kmem_id: false,
    kmem: undefined,
  };
  kernel.store.splice(region.devices, region.devices.length, 0, device);
  // Memory of dax_pmem is of the device type: kmem takes it only where it is named to.
  yield* dax_bind(kernel, device, 'device_dax');
  return 0;
}

/** bus.c:unregister_dev_dax for its devices, then the region. */
export function* dax_region_unregister(kernel: Kernel, region: DaxRegion): KernelGenerator<void> {
  const { store, state } = kernel;
  for (const device of [...region.devices]) {
    yield* dax_unbind(kernel, device);
    removeItem(store, region.devices, device);
  }
  removeItem(store, state.nvdimm.dax, region);
}

/** bus.c:dax_bus_match: device_dax takes what is not marked as memory, kmem what its new_id names. */
export const dax_bus_match = (device: DevDax, driver: DaxDriver): boolean => driver === 'device_dax' || device.kmem_id;

/** bus.c:dax_bus_probe. */
export function* dax_bind(kernel: Kernel, device: DevDax, driver: DaxDriver): KernelGenerator<number> {
  if (device.driver) return EBUSY;
  const probe = driver === 'kmem' ? dev_dax_kmem_probe(kernel, device) : dev_dax_probe(kernel, device);
  const error = yield* kernel.call(
    driver === 'kmem' ? 'dev_dax_kmem_probe' : 'dev_dax_probe',
    [device.name],
    probe,
    String,
  );
  if (error) {
    yield* devres_release_all(kernel, device.device);
    if (error !== ENODEV)
      kernel.pr_err(`${driver} ${device.name}: probe with driver ${driver} failed with error ${error}`);
    return error;
  }
  kernel.store.set(device, 'driver', driver);
  return 0;
}

/** bus.c:dax_bus_remove. Unbinding always succeeds; memory that kmem cannot remove stays behind. */
export function* dax_unbind(kernel: Kernel, device: DevDax): KernelGenerator<number> {
  if (!device.driver) return ENODEV;
  if (device.driver === 'kmem')
    yield* kernel.call('dev_dax_kmem_remove', [device.name], dev_dax_kmem_remove(kernel, device), () => '');
  yield* devres_release_all(kernel, device.device);
  kernel.store.set(device, 'driver', undefined);
  return 0;
}

/** bus.c:do_id_store: naming a device to a driver attaches it if it has none. */
export function* dax_id_store(
  kernel: Kernel,
  driver: DaxDriver,
  text: string,
  action: 'add' | 'remove',
): KernelGenerator<number> {
  const match = /^\s*dax(\d+)\.(\d+)/.exec(text);
  if (!match) return EINVAL;
  const device = findDevDax(kernel, `dax${Number(match[1])}.${Number(match[2])}`);
  if (!device) return 0;
  if (driver === 'kmem') kernel.store.set(device, 'kmem_id', action === 'add');
  // driver_attach: what the probe says is not told to who wrote the name.
  if (action === 'add' && !device.driver) yield* dax_bind(kernel, device, driver);
  return 0;
}
