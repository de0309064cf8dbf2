/** pfn and dax devices: drivers/nvdimm/pfn_devs.c (6.12). Functions stand in the kernel's order. */
import type { CStruct } from '../../c/value.ts';
import { NULL } from '../../c/value.ts';
import {
  IORES_DESC_NONE,
  IORESOURCE_MEM,
  IORESOURCE_SYSTEM_RAM,
  REGION_MIXED,
  region_intersects,
} from '../../kernel/resource.ts';
import { hex, type Kernel } from '../../machine/kernel.ts';
import { PGMAP_ALTMAP_VALID } from '../../mm/pagemap.ts';
import type { VmemAltmap } from '../../mm/sparse-vmemmap.ts';
import {
  EINVAL,
  ENODEV,
  ENXIO,
  EOPNOTSUPP,
  type NdClaim,
  type NdNamespace,
  namespaceEnd,
  type PfnSb,
  SZ_1G,
  SZ_2M,
  SZ_4K,
} from './nd.ts';
import {
  altmapLayout,
  FAULT_ERRNO,
  firstLayout,
  MAX_STRUCT_PAGE_SIZE,
  memremap_compat_align,
  nd_info_block_reserve,
  type PfnFault,
  type PfnLayout,
  pfnLayout,
  sectionLayout,
} from './pfn.ts';

/** pfn_devs.c:nd_pfn_supported_alignments: page, huge page, huge PUD. */
export const SUPPORTED_ALIGNMENTS: readonly bigint[] = [SZ_4K, SZ_2M, SZ_1G];
/** nd_pfn_default_alignment with transparent huge pages. */
export const defaultAlignment = (kernel: Kernel): bigint => (kernel.facts.pfnAlign ? SZ_2M : SZ_4K);

/** The info block of this kind on the media. */
export const pfnSb = (namespace: NdNamespace): PfnSb | undefined =>
  namespace.info && namespace.info.signature !== 'btt' ? namespace.info : undefined;

/** pfn_devs.c:nd_pfn_validate: reads the info block into the device. -ENODEV: there is none of this kind. */
export function nd_pfn_validate(kernel: Kernel, claim: NdClaim, signature: 'pfn' | 'dax'): number {
  return kernel.leaf('nd_pfn_validate', [claim.name], () => validate(kernel, claim, signature), String);
}

function validate(kernel: Kernel, claim: NdClaim, signature: 'pfn' | 'dax'): number {
  const { namespace } = claim;
  if (!namespace) return ENODEV;
  const sb = pfnSb(namespace);
  if (sb?.signature !== signature || sb.parent_uuid !== namespace.uuid) return ENODEV;
  const refuse = (text: string): number => {
    kernel.pr_err(`${claim.name}: ${text}`);
    return EOPNOTSUPP;
  };
  const capacity = namespace.size;
  const data = namespace.start + sb.start_pad + sb.dataoff;
  if (sb.mode === 'pmem' && sb.page_size > SZ_4K) return refuse(`init failed, page size mismatch ${sb.page_size}`);
  if (sb.mode === 'pmem' && sb.page_struct_size < BigInt(kernel.arch.sizeofPage))
    return refuse(`init failed, struct page size mismatch ${sb.page_struct_size}`);
  if (signature === 'dax' && !SUPPORTED_ALIGNMENTS.includes(sb.align))
    return refuse(`init failed, alignment mismatch: ${claim.align}:${sb.align}`);
  // From an init: the block must be the one this device was set up for. From a probe: take its settings.
  if (claim.uuid !== '' && claim.uuid !== sb.uuid) return ENODEV;
  if (claim.uuid !== '' && (claim.align !== sb.align || claim.mode !== sb.mode))
    return refuse('init failed, settings mismatch');
  if (sb.align > capacity)
    return refuse(`alignment: ${sb.align.toString(16)} exceeds capacity ${capacity.toString(16)}`);
  if (sb.dataoff >= capacity) return refuse(`pfn array size exceeds capacity of ${namespace.name}`);
  if (data % sb.align !== 0n || sb.dataoff % SZ_4K !== 0n)
    return refuse(`bad offset: ${hex(sb.dataoff)} dax disabled align: ${hex(sb.align)}`);
  if (kernel.facts.memremapCompatAlign) {
    if ((namespace.start + sb.start_pad) % memremap_compat_align !== 0n) return refuse('resource start misaligned');
    if ((namespaceEnd(namespace) + 1n - sb.end_trunc) % memremap_compat_align !== 0n)
      return refuse('resource end misaligned');
  }
  if (sb.dataoff >= capacity - sb.start_pad - sb.end_trunc) return refuse('bad offset with small namespace');
  const { store } = kernel;
  store.set(claim, 'uuid', sb.uuid);
  store.set(claim, 'align', sb.align);
  store.set(claim, 'mode', sb.mode);
  store.set(claim, 'sb', sb);
  return 0;
}

/** pfn_devs.c:nd_pfn_init: takes the info block that is there, or writes one. */
function nd_pfn_init(kernel: Kernel, claim: NdClaim): number {
  const signature = claim.kind === 'dax' ? 'dax' : 'pfn';
  const valid = nd_pfn_validate(kernel, claim, signature);
  const { namespace } = claim;
  if (valid !== ENODEV || !namespace) return valid;
  const layout = layoutOf(kernel, claim, namespace);
  if (typeof layout === 'string') {
    if (layout === 'misaligned start')
      kernel.pr_err(
        `${claim.name}: ${namespace.name}: start ${hex(namespace.start)} misaligned to ${hex(memremap_compat_align)}`,
      );
    if (layout === 'no room') kernel.pr_err(`${claim.name}: ${namespace.name} unable to satisfy requested alignment`);
    return FAULT_ERRNO[layout];
  }
  const sb: PfnSb = {
    signature,
    uuid: claim.uuid,
    parent_uuid: namespace.uuid,
    mode: claim.mode,
    dataoff: layout.dataoff,
    npfns: layout.npfns,
    start_pad: layout.start_pad,
    end_trunc: layout.end_trunc,
    align: claim.align,
    page_size: SZ_4K,
    page_struct_size: MAX_STRUCT_PAGE_SIZE,
  };
  if (layout.start_pad + layout.end_trunc > 0n && kernel.facts.pmemPadsToSections)
    kernel.pr_info(
      `${claim.name}: ${namespace.name} alignment collision, truncate ${layout.start_pad + layout.end_trunc} bytes`,
    );
  kernel.store.set(claim, 'sb', sb);
  kernel.store.set(namespace, 'info', sb);
  return 0;
}

function layoutOf(kernel: Kernel, claim: NdClaim, namespace: NdNamespace): PfnLayout | PfnFault {
  const { start, size } = namespace;
  if (!kernel.facts.pfnAlign) return firstLayout(size, claim.mode);
  if (!kernel.facts.pmemPadsToSections)
    return pfnLayout(start, size, claim.mode, claim.align, kernel.facts.memremapCompatAlign);
  const others = claim.region.bus.regions.filter((region) => region !== claim.region);
  return sectionLayout(start, size, claim.mode, claim.align, claim.kind === 'dax', (from, length) => {
    const ram = region_intersects(kernel.state.iomem, from, length, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE);
    // region_devs.c:nd_region_conflict
    return (
      ram === REGION_MIXED || others.some((other) => other.start < from + length && from < other.start + other.size)
    );
  });
}

/** A struct dev_pagemap over [start, end] without a type, in the shape this release has (to 4.15: what would go into one). */
export function newPagemap(kernel: Kernel, start: bigint, end: bigint): CStruct {
  const altmap: VmemAltmap = {
    $struct: 'vmem_altmap',
    base_pfn: 0n,
    end_pfn: 0n,
    reserve: 0n,
    free: 0n,
    align: 0n,
    alloc: 0n,
  };
  if (!kernel.facts.pagemapFlags)
    return {
      $struct: 'dev_pagemap',
      altmap,
      altmap_valid: 0n,
      type: 0n,
      res: { $struct: 'resource', start, end, name: '', flags: IORESOURCE_MEM },
    };
  const range: CStruct = { $struct: kernel.facts.pgmapRanges ? 'range' : 'resource', start, end };
  return {
    $struct: 'dev_pagemap',
    altmap,
    type: 0n,
    flags: 0n,
    ops: NULL,
    owner: NULL,
    vmemmap_shift: 0n,
    ...(kernel.facts.pgmapRanges ? { nr_range: 1n, range } : { res: range }),
  };
}

/** pfn_devs.c:nvdimm_setup_pfn and __nvdimm_setup_pfn: the pagemap to map, with its altmap, or an errno. */
export function nvdimm_setup_pfn(kernel: Kernel, claim: NdClaim): CStruct | number {
  return kernel.leaf(
    'nvdimm_setup_pfn',
    [claim.name],
    () => {
      const { namespace } = claim;
      if (claim.uuid === '' || !namespace) return ENODEV;
      const error = nd_pfn_init(kernel, claim);
      if (error) return error;
      return setup(kernel, claim, namespace);
    },
    (result) => (typeof result === 'number' ? String(result) : '&pgmap'),
  );
}

function setup(kernel: Kernel, claim: NdClaim, namespace: NdNamespace): CStruct | number {
  const sb = claim.sb;
  if (!sb || sb.signature === 'btt') return ENXIO;
  const pgmap = newPagemap(kernel, namespace.start + sb.start_pad, namespaceEnd(namespace) - sb.end_trunc);
  if (sb.mode === 'ram') return sb.dataoff < nd_info_block_reserve ? EINVAL : pgmap;
  const bySections = kernel.facts.pmemPadsToSections;
  Object.assign(pgmap.altmap as CStruct, altmapLayout(namespace.start, namespace.size, sb, bySections));
  if (kernel.facts.pagemapFlags) pgmap.flags = PGMAP_ALTMAP_VALID;
  else pgmap.altmap_valid = 1n;
  return pgmap;
}
