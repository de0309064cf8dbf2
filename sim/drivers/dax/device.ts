/** The character device: drivers/dax/device.c (6.12). */
import { errorOf } from '../../c/value.ts';
import { hex, type Kernel } from '../../machine/kernel.ts';
import { devm_memremap_pages } from '../../mm/memremap.ts';
import { pagemapTypeValue } from '../../mm/pagemap.ts';
import type { KernelGenerator } from '../../task/task.ts';
import { devm_request_mem_region } from '../base/devres.ts';
import { EBUSY, SZ_4K } from '../nvdimm/nd.ts';
import { dax_map_pages } from '../nvdimm/pmem-old.ts';
import type { DevDax } from './dax.ts';

/** order_base_2 of a power of two in pages. */
const orderOf = (align: bigint): bigint => BigInt((align / SZ_4K).toString(2).length - 1);

/** device.c:dev_dax_probe: reserves the data and maps the namespace, in compound pages where the alignment is more than a page. */
export function* dev_dax_probe(kernel: Kernel, dev: DevDax): KernelGenerator<number> {
  // Before there was a bus, dax_pmem had mapped it.
  if (!kernel.facts.daxBus) return 0;
  const size = dev.end - dev.start + 1n;
  if (!devm_request_mem_region(kernel, dev.device, dev.start, size, dev.name)) {
    kernel.pr_warn(`device_dax ${dev.name}: mapping0: ${hex(dev.start)}-${hex(dev.end)} could not reserve range`);
    return EBUSY;
  }
  const { pgmap } = dev;
  const { store } = kernel;
  store.set(pgmap, 'type', pagemapTypeValue(kernel, 'GENERIC'));
  if (!kernel.facts.memremapPages) return yield* dax_map_pages(kernel, dev.device, pgmap);
  if (dev.align > SZ_4K && kernel.facts.vmemmapShift) store.set(pgmap, 'vmemmap_shift', orderOf(dev.align));
  return errorOf(yield* devm_memremap_pages(kernel, dev.device, pgmap)) ?? 0;
}
