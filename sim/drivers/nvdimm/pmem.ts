/** The pmem driver: drivers/nvdimm/pmem.c and the binding of drivers/nvdimm/bus.c (6.12). */
import { type CStruct, errorOf } from '../../c/value.ts';
import { type Kernel, mem } from '../../machine/kernel.ts';
import { devm_memremap_pages } from '../../mm/memremap.ts';
import { pagemapTypeValue } from '../../mm/pagemap.ts';
import type { KernelGenerator } from '../../task/task.ts';
import { devm_request_mem_region, devres_release_all } from '../base/devres.ts';
import { dax_pmem_probe, dax_pmem_remove } from '../dax/pmem.ts';
import { nd_btt_validate, nvdimm_namespace_attach_btt } from './btt.ts';
import { nd_claim_create, nd_claim_unregister, nd_region_advance_seeds } from './claim.ts';
import { create_ns_seed, nvdimm_namespace_common_probe, pmem_should_map_pages } from './namespace_devs.ts';
import { EBUSY, ENODEV, ENXIO, EOPNOTSUPP, type NdClaim, type NdNamespace, namespaceEnd } from './nd.ts';
import { nd_pfn_validate, newPagemap, nvdimm_setup_pfn } from './pfn_devs.ts';
import { pmem_map_pages } from './pmem-old.ts';

/** pmem.c:pmem_attach_disk: reserves the namespace, and maps it with struct pages where the mode has them. */
function* pmem_attach_disk(
  kernel: Kernel,
  namespace: NdNamespace,
  claim: NdClaim | undefined,
): KernelGenerator<number> {
  const device = claim?.device ?? namespace.device;
  let pgmap: CStruct | undefined;
  if (claim?.kind === 'pfn') {
    const result = nvdimm_setup_pfn(kernel, claim);
    if (typeof result === 'number') return result;
    pgmap = result;
  }
  // No DIMM says how to flush legacy memory.
  if (!namespace.region.labels) kernel.pr_warn(`nd_pmem ${device.name}: unable to guarantee persistence of writes`);
  const owner = kernel.facts.regionNamedByNamespace ? namespace.name : device.name;
  if (!devm_request_mem_region(kernel, device, namespace.start, namespace.size, owner)) {
    kernel.pr_warn(`nd_pmem ${device.name}: could not reserve region ${mem(namespace.start, namespaceEnd(namespace))}`);
    return EBUSY;
  }
  if (!pgmap && pmem_should_map_pages(kernel, namespace))
    pgmap = newPagemap(kernel, namespace.start, namespaceEnd(namespace));
  if (!pgmap) {
    // devm_memremap: the linear map only, no struct pages.
    return 0;
  }
  if (kernel.facts.fsdaxType) pgmap.type = pagemapTypeValue(kernel, 'FS_DAX');
  if (!kernel.facts.memremapPages) return yield* pmem_map_pages(kernel, device, pgmap);
  const result = yield* devm_memremap_pages(kernel, device, pgmap);
  return errorOf(result) ?? 0;
}

/** pmem.c:nd_pmem_probe for a namespace itself: -ENXIO says that an info block sends it to another device. */
function* nd_pmem_probe(kernel: Kernel, namespace: NdNamespace): KernelGenerator<number> {
  const error = nvdimm_namespace_common_probe(kernel, namespace, true);
  if (error) return error;
  const region = devm_request_mem_region(kernel, namespace.device, namespace.start, namespace.size, namespace.name);
  if (!region) return EBUSY;
  if (!namespace.force_raw)
    for (const kind of ['btt', 'pfn', 'dax'] as const) {
      const found = nd_info_probe(kernel, namespace, kind);
      if (found === 0) return ENXIO;
      if (found === EOPNOTSUPP) return found;
    }
  // devm_namespace_disable: attaching reserves it again.
  yield* devres_release_all(kernel, namespace.device);
  return yield* pmem_attach_disk(kernel, namespace, undefined);
}

/** nd_btt_probe, nd_pfn_probe, nd_dax_probe: a device for the info block that is there. */
function nd_info_probe(kernel: Kernel, namespace: NdNamespace, kind: NdClaim['kind']): number {
  return kernel.leaf(
    `nd_${kind}_probe`,
    [namespace.name],
    () => {
      if (namespace.claim_class !== '' && namespace.claim_class !== kind) return ENODEV;
      const claim = nd_claim_create(kernel, namespace.region, kind, namespace);
      const error = kind === 'btt' ? nd_btt_validate(kernel, claim, namespace) : nd_pfn_validate(kernel, claim, kind);
      if (error) nd_claim_unregister(kernel, claim);
      return error;
    },
    String,
  );
}

function complain(kernel: Kernel, driver: string, name: string, error: number): void {
  // -ENODEV and -ENXIO say "not mine", which the driver core keeps to itself.
  if (error !== ENODEV && error !== ENXIO)
    kernel.pr_err(`${driver} ${name}: probe with driver ${driver} failed with error ${error}`);
}

/** bus.c:nvdimm_bus_probe for a namespace; an info block found on the way binds its device. 0 or an errno. */
export function* nd_namespace_bind(kernel: Kernel, namespace: NdNamespace): KernelGenerator<number> {
  if (namespace.bound) return EBUSY;
  const error = yield* kernel.call('nd_pmem_probe', [namespace.name], nd_pmem_probe(kernel, namespace), String);
  if (error) {
    yield* devres_release_all(kernel, namespace.device);
    complain(kernel, 'nd_pmem', namespace.name, error);
    if (error === ENXIO && namespace.claim) return yield* nd_claim_bind(kernel, namespace.claim);
    return error;
  }
  kernel.store.set(namespace, 'bound', true);
  create_ns_seed(kernel, namespace.region);
  return 0;
}

/** bus.c:nvdimm_bus_remove with pmem.c:nd_pmem_remove: waits for the pages that are still in use. */
export function* nd_namespace_unbind(kernel: Kernel, namespace: NdNamespace): KernelGenerator<number> {
  if (!namespace.bound) return ENODEV;
  yield* devres_release_all(kernel, namespace.device);
  kernel.store.set(namespace, 'bound', false);
  return 0;
}

function* claimProbe(kernel: Kernel, claim: NdClaim): KernelGenerator<number> {
  const { namespace } = claim;
  if (!namespace) return ENODEV;
  const error = nvdimm_namespace_common_probe(kernel, namespace, false);
  if (error) return error;
  if (claim.kind === 'dax') return yield* dax_pmem_probe(kernel, claim);
  if (claim.kind === 'pfn') return yield* pmem_attach_disk(kernel, namespace, claim);
  const region = devm_request_mem_region(kernel, claim.device, namespace.start, namespace.size, namespace.name);
  if (!region) return EBUSY;
  return nvdimm_namespace_attach_btt(kernel, claim);
}

/** bus.c:nvdimm_bus_probe for a btt, pfn or dax device. */
export function* nd_claim_bind(kernel: Kernel, claim: NdClaim): KernelGenerator<number> {
  if (claim.bound) return EBUSY;
  const driver = claim.kind === 'dax' ? 'dax_pmem' : 'nd_pmem';
  const error = yield* kernel.call(`${driver}_probe`, [claim.name], claimProbe(kernel, claim), String);
  if (error) {
    yield* devres_release_all(kernel, claim.device);
    complain(kernel, driver, claim.name, error);
    return error;
  }
  kernel.store.set(claim, 'bound', true);
  nd_region_advance_seeds(kernel, claim);
  create_ns_seed(kernel, claim.region);
  return 0;
}

export function* nd_claim_unbind(kernel: Kernel, claim: NdClaim): KernelGenerator<number> {
  if (!claim.bound) return ENODEV;
  if (claim.kind === 'dax') yield* dax_pmem_remove(kernel, claim);
  yield* devres_release_all(kernel, claim.device);
  kernel.store.set(claim, 'bound', false);
  return 0;
}
