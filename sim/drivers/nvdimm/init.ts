/** The persistent memory a machine boots with: drivers/nvdimm/e820.c and drivers/acpi/nfit/core.c (6.12). */
import { IORES_DESC_PERSISTENT_MEMORY, IORES_DESC_PERSISTENT_MEMORY_LEGACY, walk } from '../../kernel/resource.ts';
import type { Kernel } from '../../machine/kernel.ts';
import { Trace } from '../../machine/trace.ts';
import { create_seeds } from './claim.ts';
import { create_ns_seed, newNamespace } from './namespace_devs.ts';
import { type NdBus, type NdRegion, SZ_4K, SZ_16M } from './nd.ts';
import { nd_namespace_bind } from './pmem.ts';

interface Range {
  start: bigint;
  end: bigint;
  node: number;
}

/** Buses, regions and namespaces; what is configured already gets its driver, as the kernel's init calls do. */
export function nvdimm_init(kernel: Kernel): void {
  if (!kernel.facts.zoneDevice) return;
  const legacy: Range[] = [];
  const nfit: Range[] = [];
  for (const { resource } of walk(kernel.state.iomem)) {
    const range = { start: resource.start, end: resource.end, node: nodeOfAddress(kernel, resource.start) };
    if (resource.desc === IORES_DESC_PERSISTENT_MEMORY_LEGACY) legacy.push(range);
    if (resource.desc === IORES_DESC_PERSISTENT_MEMORY) nfit.push(range);
  }
  const outer = kernel.trace;
  kernel.trace = new Trace();
  if (legacy.length > 0) register(kernel, 'e820', '/platform/e820_pmem', legacy);
  if (nfit.length > 0) register(kernel, 'ACPI.NFIT', '/LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00', nfit);
  kernel.trace = outer;
}

/** e820.c:e820_pmem_probe; nfit: a region for each system physical address range. */
function register(kernel: Kernel, provider: NdBus['provider'], path: string, ranges: readonly Range[]): void {
  const { state, store } = kernel;
  const name = `ndbus${state.nvdimm.buses.length}`;
  const bus: NdBus = { name, provider, path: `${path}/${name}`, regions: [] };
  store.splice(state.nvdimm.buses, state.nvdimm.buses.length, 0, bus);
  for (const range of ranges) {
    const id = state.nvdimm.regions;
    store.set(state.nvdimm, 'regions', id + 1);
    const labels = provider === 'ACPI.NFIT';
    const region: NdRegion = {
      id,
      name: `region${id}`,
      bus,
      start: range.start,
      size: range.end - range.start + 1n,
      node: range.node,
      labels,
      pagemap: !labels,
      align: kernel.facts.memremapCompatAlign ? SZ_16M : SZ_4K,
      namespaces: [],
      claims: [],
      seeds: { btt: undefined, pfn: undefined, dax: undefined },
    };
    store.splice(bus.regions, bus.regions.length, 0, region);
    create_seeds(kernel, region);
    if (labels) {
      create_ns_seed(kernel, region);
      continue;
    }
    const namespace = newNamespace(region, 0, region.start, region.size);
    store.splice(region.namespaces, 0, 0, namespace);
    const probe = nd_namespace_bind(kernel, namespace);
    while (!probe.next().done);
  }
}

/** The node that the machine file gives the device, else the one whose memory it lies in or above. */
function nodeOfAddress(kernel: Kernel, start: bigint): number {
  const { config } = kernel;
  const device = config.devices.find((candidate) => candidate.start === start && candidate.node !== undefined);
  if (device?.node !== undefined) return device.node;
  let best = 0;
  let below = -1n;
  for (const node of config.nodes)
    for (const range of node.ranges)
      if (range.start <= start && range.start > below) {
        best = node.id;
        below = range.start;
      }
  return best;
}
