/** Namespaces: drivers/nvdimm/namespace_devs.c (6.12). */
import { IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM, REGION_MIXED, region_intersects } from '../../kernel/resource.ts';
import { type Kernel, mem } from '../../machine/kernel.ts';
import { zoneDeviceIsOn } from '../../machine/options.ts';
import { newDevice } from '../base/devres.ts';
import { EBUSY, EINVAL, ENODEV, EOPNOTSUPP, type NdNamespace, type NdRegion, namespaceEnd, SZ_16M } from './nd.ts';
import { memremap_compat_align } from './pfn.ts';

/** ND_MIN_NAMESPACE_SIZE. */
const MIN_SIZE = 0x1000n;

export function newNamespace(region: NdRegion, id: number, start: bigint, size: bigint): NdNamespace {
  const name = `namespace${region.id}.${id}`;
  return {
    id,
    name,
    region,
    device: newDevice(name, region.node),
    start,
    size,
    uuid: '',
    alt_name: '',
    force_raw: false,
    claim_class: '',
    bound: false,
    info: undefined,
    claim: undefined,
  };
}

/** namespace_devs.c:pmem_should_map_pages: has it struct pages without an info block? Legacy memory has. */
export function pmem_should_map_pages(kernel: Kernel, namespace: NdNamespace): boolean {
  if (!zoneDeviceIsOn(kernel) || !namespace.region.pagemap || namespace.force_raw) return false;
  return (
    region_intersects(kernel.state.iomem, namespace.start, namespace.size, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) !==
    REGION_MIXED
  );
}

/** namespace_devs.c:mode_show. */
export function namespaceMode(kernel: Kernel, namespace: NdNamespace): 'safe' | 'memory' | 'dax' | 'raw' {
  const { claim } = namespace;
  if (claim) return ({ btt: 'safe', pfn: 'memory', dax: 'dax' } as const)[claim.kind];
  return pmem_should_map_pages(kernel, namespace) ? 'memory' : 'raw';
}

/** namespace_devs.c:nvdimm_namespace_disk_name. */
export function nvdimm_namespace_disk_name(namespace: NdNamespace): string {
  const suffix = namespace.claim?.kind === 'btt' ? 's' : '';
  const { id } = namespace.region;
  return namespace.id === 0 ? `pmem${id}${suffix}` : `pmem${id}.${namespace.id}${suffix}`;
}

/** Whether a driver has the namespace, itself or through what claims it. */
export const isActive = (namespace: NdNamespace): boolean => namespace.claim?.bound ?? namespace.bound;

/** namespace_devs.c:nvdimm_namespace_common_probe: may it be driven? `direct`: as itself, not through a claim. */
export function nvdimm_namespace_common_probe(kernel: Kernel, namespace: NdNamespace, direct: boolean): number {
  return kernel.leaf(
    'nvdimm_namespace_common_probe',
    [namespace.name],
    () => {
      if (direct && namespace.claim) return ENODEV;
      if (namespace.size < MIN_SIZE) return ENODEV;
      if (namespace.region.labels && namespace.uuid === '') return ENODEV;
      const misaligned = (namespace.start | (namespaceEnd(namespace) + 1n)) % memremap_compat_align !== 0n;
      if (direct && misaligned && kernel.facts.memremapCompatAlign && pmem_should_map_pages(kernel, namespace)) {
        kernel.pr_err(
          `nd_pmem ${namespace.name}: ${mem(namespace.start, namespaceEnd(namespace)).slice(0, -1)} flags 0x200] misaligned, unable to map`,
        );
        return EOPNOTSUPP;
      }
      return 0;
    },
    String,
  );
}

/* ---- space of a labelled region ---- */

/** Free ranges of a region, ascending: [start, end). */
export function freeExtents(region: NdRegion): { start: bigint; end: bigint }[] {
  const taken = region.namespaces
    .filter((namespace) => namespace.size > 0n)
    .sort((a, b) => (a.start < b.start ? -1 : 1));
  const free: { start: bigint; end: bigint }[] = [];
  let start = region.start;
  for (const namespace of taken) {
    if (namespace.start > start) free.push({ start, end: namespace.start });
    start = namespace.start + namespace.size;
  }
  const end = region.start + region.size;
  if (start < end) free.push({ start, end });
  return free;
}

/** region_devs.c:available_size_show: 0 for memory that cannot be divided. */
export const availableSize = (region: NdRegion): bigint =>
  region.labels ? freeExtents(region).reduce((sum, extent) => sum + (extent.end - extent.start), 0n) : 0n;

/** region_devs.c:max_available_extent_show. */
export const maxAvailableExtent = (region: NdRegion): bigint =>
  region.labels ? freeExtents(region).reduce((max, { start, end }) => (end - start > max ? end - start : max), 0n) : 0n;

/** namespace_devs.c:__size_store for a label that had no size: its capacity is the first free extent that holds it. */
export function namespace_size_store(kernel: Kernel, namespace: NdNamespace, size: bigint): number {
  if (isActive(namespace) || namespace.claim) return EBUSY;
  const { region } = namespace;
  if (size !== 0n && (size % region.align !== 0n || size < SZ_16M)) return EINVAL;
  const { store } = kernel;
  if (size === 0n) {
    store.set(namespace, 'size', 0n);
    store.set(namespace, 'start', region.start);
    return 0;
  }
  if (namespace.size !== 0n) return EINVAL;
  const extent = freeExtents(region).find(({ start, end }) => end - start >= size);
  if (!extent) return -28;
  store.set(namespace, 'start', extent.start);
  store.set(namespace, 'size', size);
  return 0;
}

/** region_devs.c:nd_region_create_ns_seed: there is always one namespace without a size. */
export function create_ns_seed(kernel: Kernel, region: NdRegion): void {
  if (!region.labels || region.namespaces.some((namespace) => namespace.size === 0n)) return;
  const taken = new Set(region.namespaces.map((namespace) => namespace.id));
  let id = 0;
  while (taken.has(id)) id++;
  kernel.store.splice(region.namespaces, region.namespaces.length, 0, newNamespace(region, id, region.start, 0n));
}
