/** From a dax namespace to a DAX device: drivers/dax/pmem.c (6.12). */
import { type Kernel, mem } from '../../machine/kernel.ts';
import type { KernelGenerator } from '../../task/task.ts';
import { devm_request_mem_region } from '../base/devres.ts';
import { EBUSY, ENXIO, type NdClaim, namespaceEnd } from '../nvdimm/nd.ts';
import { nvdimm_setup_pfn } from '../nvdimm/pfn_devs.ts';
import { dax_map_pages } from '../nvdimm/pmem-old.ts';
import { alloc_dax_region, dax_region_unregister, devm_create_dev_dax } from './bus.ts';

/** pmem.c:__dax_pmem_probe (dax_pmem_probe to 5.0). */
export function* dax_pmem_probe(kernel: Kernel, claim: NdClaim): KernelGenerator<number> {
  const { namespace, region } = claim;
  if (!namespace) return ENXIO;
  const pgmap = nvdimm_setup_pfn(kernel, claim);
  if (typeof pgmap === 'number') return pgmap;
  const { sb } = claim;
  if (!sb || sb.signature === 'btt') return ENXIO;
  // With a bus, the device that comes out of it reserves and maps the data; before, all is done here.
  const owner = kernel.facts.regionNamedByNamespace ? namespace.name : claim.name;
  const size = kernel.facts.daxBus ? sb.dataoff : namespace.size;
  if (!devm_request_mem_region(kernel, claim.device, namespace.start, size, owner)) {
    const what = kernel.facts.daxBus ? 'metadata' : `region ${mem(namespace.start, namespaceEnd(namespace))}`;
    kernel.pr_warn(`dax_pmem ${claim.name}: could not reserve ${what}`);
    return EBUSY;
  }
  if (!kernel.facts.daxBus) {
    const error = yield* dax_map_pages(kernel, claim.device, pgmap);
    if (error) return error;
  }
  const start = namespace.start + sb.start_pad + sb.dataoff;
  const end = namespace.start + namespace.size - 1n - sb.end_trunc;
  const daxRegion = alloc_dax_region(kernel, {
    id: region.id,
    path: `${region.bus.path}/${region.name}/${claim.name}`,
    start,
    end,
    align: sb.align,
    node: region.node,
    devices: [],
  });
  return yield* devm_create_dev_dax(kernel, daxRegion, namespace.id, pgmap);
}

/** What devm_ functions of __dax_pmem_probe undo first: the DAX device and its region. */
export function* dax_pmem_remove(kernel: Kernel, claim: NdClaim): KernelGenerator<void> {
  const path = `${claim.region.bus.path}/${claim.region.name}/${claim.name}`;
  const daxRegion = kernel.state.nvdimm.dax.find((candidate) => candidate.path === path);
  if (daxRegion) yield* dax_region_unregister(kernel, daxRegion);
}
