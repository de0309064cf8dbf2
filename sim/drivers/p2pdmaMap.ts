/** How a client reaches a provider's memory: distance, map type and DMA addresses of drivers/pci/p2pdma.c. */
import type { CStruct } from '../c/value.ts';
import type { Kernel } from '../machine/kernel.ts';
import { busOf, type PciFunction, pathToRoot, pciFunctions } from '../machine/pci.ts';
import type { DeviceState } from '../machine/state.ts';
import { chunkAt, type PciDev, p2pdmaProviders, pciDev } from './p2pdma.ts';

const EREMOTEIO = -121;
/** INT_MAX of the search for the closest. */
const FAR = 0x7fffffff;

export type MapType = 'NOT_SUPPORTED' | 'BUS_ADDR' | 'THRU_HOST_BRIDGE';
const NUMBERS: Readonly<Record<MapType, number>> = { NOT_SUPPORTED: 1, BUS_ADDR: 2, THRU_HOST_BRIDGE: 3 };

/** enum pci_p2pdma_map_type: 0 is unknown; PCI_P2PDMA_MAP_NONE moved the rest up by one. */
export const mapTypeNumber = (kernel: Kernel, type: MapType): number =>
  NUMBERS[type] + (kernel.facts.p2pdmaMapNone ? 1 : 0);

/** pci_p2pdma_whitelist: host bridges that carry peer-to-peer traffic; some only within themselves. */
const INTEL_SAME = ['8086:3c00', '8086:3c01', '8086:2f00', '8086:2f01'];
const INTEL_ANY = ['8086:2030', '8086:2031', '8086:2032', '8086:2033', '8086:2020', '8086:09a2'];
const AMD_ZEN = '1022:1450';

export interface Distance {
  type: MapType;
  distance: number;
}

interface Walk {
  distance: number;
  common: boolean;
  /** Ports on the way whose ACS redirects. */
  redirects: string[];
}

/** Up from the provider until a bridge of the client's path is met, then up from the client to it. */
function walk(kernel: Kernel, provider: string, client: string): Walk {
  const a = pathToRoot(kernel.config, provider);
  const b = pathToRoot(kernel.config, client);
  const redirects: string[] = [];
  for (const [steps, port] of a.entries()) {
    if (port.acs) redirects.push(port.address);
    const meet = b.findIndex(({ address }) => address === port.address);
    if (meet < 0) continue;
    for (const below of b.slice(0, meet)) if (below.acs) redirects.push(below.address);
    return { distance: steps + meet, common: true, redirects };
  }
  return { distance: a.length + b.length, common: false, redirects };
}

/** p2pdma.c:calc_map_type_and_dist (4.20: upstream_bridge_distance). */
export function calc_map_type_and_dist(kernel: Kernel, provider: PciDev, client: PciDev, verbose: boolean): Distance {
  return kernel.leaf(
    kernel.facts.p2pdmaThroughHostBridge ? 'calc_map_type_and_dist' : 'upstream_bridge_distance',
    [provider.address, client.address],
    () => {
      const way = walk(kernel, provider.address, client.address);
      const isRedirected = way.common && way.redirects.length > 0;
      if (isRedirected && verbose) {
        kernel.pr_warn(`${client.address}: ACS redirect is set between the client and provider (${provider.address})`);
        kernel.pr_warn(
          `${client.address}: to disable ACS redirect for this path, add the kernel parameter: pci=disable_acs_redir=${way.redirects.join(';')}`,
        );
      }
      let type: MapType = 'BUS_ADDR';
      if (!way.common || isRedirected) {
        const through = kernel.facts.p2pdmaThroughHostBridge && mayCross(kernel, provider, client, isRedirected);
        type = through ? 'THRU_HOST_BRIDGE' : 'NOT_SUPPORTED';
        if (!through && verbose)
          kernel.pr_warn(
            `${client.address}: cannot be used for peer-to-peer DMA as the client and provider (${provider.address}) do not share an upstream bridge${kernel.facts.p2pdmaThroughHostBridge ? ' or whitelisted host bridge' : ''}`,
          );
      }
      const { p2pdma } = provider;
      if (p2pdma && kernel.facts.p2pdmaThroughHostBridge)
        kernel.store.mapSet(p2pdma.map_types, client.address, NUMBERS[type]);
      return { type, distance: way.distance };
    },
    ({ type, distance }) => `${type}, ${distance}`,
  );
}

/** cpu_supports_p2pdma and host_bridge_whitelist. The kernel passes the ACS finding where "warn" belongs. */
function mayCross(kernel: Kernel, provider: PciDev, client: PciDev, warn: boolean): boolean {
  const { cpu } = kernel.config;
  if (kernel.facts.p2pdmaCpuList && cpu?.vendor === 'AMD' && cpu.family >= 0x17) return true;
  const [a, b] = [rootOf(kernel, provider), rootOf(kernel, client)];
  if (!a || !b) return false;
  if (busOf(a.address) === busOf(b.address)) return isListed(kernel, a, true, warn);
  return isListed(kernel, a, false, warn) && isListed(kernel, b, false, warn);
}

const rootOf = (kernel: Kernel, { address }: PciDev): PciFunction | undefined =>
  pathToRoot(kernel.config, address).at(-1);

function isListed(kernel: Kernel, root: PciFunction, isSame: boolean, warn: boolean): boolean {
  const bridge = [...pciFunctions(kernel.config).values()].find(
    ({ address, upstream, hostBridge }) => hostBridge && !upstream && busOf(address) === busOf(root.address),
  )?.hostBridge;
  if (!bridge) return false;
  if (INTEL_SAME.includes(bridge)) return isSame;
  if (kernel.facts.p2pdmaCpuList ? INTEL_ANY.includes(bridge) : bridge === AMD_ZEN) return true;
  if (warn && kernel.facts.p2pdmaCpuList)
    kernel.pr_warn(`${busOf(root.address)}:00.0: Host bridge not in P2PDMA whitelist: ${bridge}`);
  return false;
}

/** The PCI function a struct device belongs to: itself, for the devices here. */
export const pciOf = (kernel: Kernel, device: DeviceState): PciDev | undefined =>
  [...kernel.state.pci.values()].find((candidate) => candidate.device === device);

/** p2pdma.c:pci_p2pdma_distance_many: the sum of the distances, or -1 where any client cannot reach the provider. */
export function pci_p2pdma_distance_many(
  kernel: Kernel,
  provider: PciDev,
  clients: readonly DeviceState[],
  verbose: boolean,
): number {
  if (clients.length === 0) return -1;
  let total = 0;
  let unsupported = false;
  for (const device of clients) {
    const client = pciOf(kernel, device);
    if (!client) {
      if (verbose) kernel.pr_warn(`${device.name}: cannot be used for peer-to-peer DMA as it is not a PCI device`);
      return -1;
    }
    const { type, distance } = calc_map_type_and_dist(kernel, provider, client, verbose);
    if (type === 'NOT_SUPPORTED') unsupported = true;
    if (unsupported && !verbose) break;
    total += distance;
  }
  return unsupported ? -1 : total;
}

/** p2pdma.c:pci_p2pmem_find_many: the closest published provider. The kernel draws among equals; here it is the first. */
export function pci_p2pmem_find_many(kernel: Kernel, clients: readonly DeviceState[]): PciDev | undefined {
  let best: PciDev | undefined;
  let closest = FAR;
  for (const provider of p2pdmaProviders(kernel)) {
    if (!provider.p2pdma?.published) continue;
    const distance = pci_p2pdma_distance_many(kernel, provider, clients, false);
    if (distance < 0 || distance >= closest) continue;
    closest = distance;
    best = provider;
  }
  return best;
}

/** p2pdma.c:pci_p2pdma_map_type: as noted for the pair, or found now. A client that is not PCI reaches nothing. */
export function pci_p2pdma_map_type(kernel: Kernel, provider: PciDev, device: DeviceState): MapType {
  const client = pciOf(kernel, device);
  if (!provider.p2pdma || !client) return 'NOT_SUPPORTED';
  const cached = provider.p2pdma.map_types.get(client.address);
  const known = (Object.keys(NUMBERS) as MapType[]).find((type) => NUMBERS[type] === cached);
  return known ?? calc_map_type_and_dist(kernel, provider, client, true).type;
}

/** Where a device finds a page by DMA. */
export interface DmaAddress {
  address: bigint;
  /** A bus address: no IOMMU on the way. */
  isBus: boolean;
}

/**
 * The DMA address of a page for a device (dma_direct_map_sg, pci_p2pdma_map_sg before 6.0), or -EREMOTEIO.
 * 4.20 subtracts the bus offset, and asks nothing: its drivers had to ask for the distance before.
 */
export function dmaAddress(kernel: Kernel, device: DeviceState, pfn: number): DmaAddress | number {
  const physical = BigInt(pfn) << 12n;
  const found = chunkAt(kernel, pfn);
  if (!found) return { address: physical, isBus: false };
  const { bus_offset } = found.chunk;
  if (!kernel.facts.p2pdmaThroughHostBridge) return { address: physical - bus_offset, isBus: true };
  switch (pci_p2pdma_map_type(kernel, found.dev, device)) {
    case 'BUS_ADDR':
      return { address: physical + bus_offset, isBus: true };
    case 'THRU_HOST_BRIDGE':
      return { address: physical, isBus: false };
    case 'NOT_SUPPORTED':
      return EREMOTEIO;
  }
}

/** The PCI function behind a struct pci_dev, made by pci_get_domain_bus_and_slot. */
export const devOf = (kernel: Kernel, pdev: CStruct): PciDev | undefined =>
  [...kernel.state.pci.values()].find((candidate) => candidate.pdev === pdev);
export { pciDev };
