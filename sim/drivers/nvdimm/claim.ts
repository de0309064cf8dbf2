/** Who has a namespace: drivers/nvdimm/claim.c and region_devs.c (6.12): btt, pfn and dax devices and their seeds. */
import type { Kernel } from '../../machine/kernel.ts';
import { zoneDeviceIsOn } from '../../machine/options.ts';
import { removeItem } from '../../store/remove.ts';
import { newDevice } from '../base/devres.ts';
import type { NdClaim, NdNamespace, NdRegion } from './nd.ts';
import { defaultAlignment } from './pfn_devs.ts';

export const CLAIM_KINDS = ['btt', 'pfn', 'dax'] as const;

/** nd_pfn_alloc and its sisters: the lowest id that is free. */
export function nd_claim_create(
  kernel: Kernel,
  region: NdRegion,
  kind: NdClaim['kind'],
  namespace: NdNamespace | undefined,
): NdClaim {
  const taken = new Set(region.claims.filter((claim) => claim.kind === kind).map((claim) => claim.id));
  let id = 0;
  while (taken.has(id)) id++;
  const name = `${kind}${region.id}.${id}`;
  const claim: NdClaim = {
    kind,
    id,
    name,
    region,
    device: newDevice(name, region.node),
    uuid: '',
    mode: 'none',
    align: defaultAlignment(kernel),
    lbasize: 0n,
    namespace: undefined,
    bound: false,
    sb: undefined,
  };
  kernel.store.splice(region.claims, region.claims.length, 0, claim);
  if (namespace) nd_attach_ndns(kernel, claim, namespace);
  return claim;
}

/** claim.c:__nd_attach_ndns: false where the namespace has an owner already. */
export function nd_attach_ndns(kernel: Kernel, claim: NdClaim, namespace: NdNamespace): boolean {
  if (namespace.claim) return false;
  kernel.store.set(namespace, 'claim', claim);
  kernel.store.set(claim, 'namespace', namespace);
  return true;
}

/** claim.c:nd_detach_and_reset: a seed is emptied, any other device goes away. */
export function nd_detach_and_reset(kernel: Kernel, claim: NdClaim): void {
  const { store } = kernel;
  if (claim.namespace) store.set(claim.namespace, 'claim', undefined);
  store.set(claim, 'namespace', undefined);
  if (claim.region.seeds[claim.kind] !== claim) {
    nd_claim_unregister(kernel, claim);
    return;
  }
  store.set(claim, 'uuid', '');
  store.set(claim, 'mode', 'none');
  store.set(claim, 'align', defaultAlignment(kernel));
  store.set(claim, 'lbasize', 0n);
  store.set(claim, 'sb', undefined);
}

export function nd_claim_unregister(kernel: Kernel, claim: NdClaim): void {
  const { store } = kernel;
  if (claim.namespace) store.set(claim.namespace, 'claim', undefined);
  store.set(claim, 'namespace', undefined);
  removeItem(store, claim.region.claims, claim);
}

/** region_devs.c:nd_region_create_*_seed for the kinds that have none. */
export function create_seeds(kernel: Kernel, region: NdRegion): void {
  // CONFIG_NVDIMM_PFN and NVDIMM_DAX need ZONE_DEVICE.
  const isThere = { btt: true, pfn: zoneDeviceIsOn(kernel), dax: zoneDeviceIsOn(kernel) && kernel.facts.deviceDax };
  for (const kind of CLAIM_KINDS)
    if (!region.seeds[kind] && isThere[kind])
      kernel.store.set(region.seeds, kind, nd_claim_create(kernel, region, kind, undefined));
}

/** region_devs.c:nd_region_advance_seeds: a seed that has found its driver makes room for the next. */
export function nd_region_advance_seeds(kernel: Kernel, claim: NdClaim): void {
  const { region, kind } = claim;
  if (region.seeds[kind] !== claim) return;
  kernel.store.set(region.seeds, kind, nd_claim_create(kernel, region, kind, undefined));
}
