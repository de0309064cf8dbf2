/** /sys/bus/nd and /sys/bus/dax: the attributes that administrators read and write (drivers/nvdimm, drivers/dax, 6.12). */
import { dax_bind, dax_bus_match, dax_id_store, dax_unbind } from '../drivers/dax/bus.ts';
import { type DaxDriver, type DevDax, findDevDax } from '../drivers/dax/dax.ts';
import { availableSize, maxAvailableExtent, namespaceMode } from '../drivers/nvdimm/namespace_devs.ts';
import { EINVAL, ENODEV, findNamespace, type NdClaim, type NdNamespace, type NdRegion } from '../drivers/nvdimm/nd.ts';
import { nd_claim_bind, nd_claim_unbind, nd_namespace_bind, nd_namespace_unbind } from '../drivers/nvdimm/pmem.ts';
import { kstrtobool } from '../lib/kstrtox.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Mount, VirtualFile, VirtualNode } from './files.ts';

type Write = (text: string) => KernelGenerator<number> | number;
const file = (value: string | bigint | number, write?: Write): VirtualFile => ({
  kind: 'file',
  read: () => `${value}\n`,
  ...(write ? { write } : {}),
});
const hexFile = (value: bigint): VirtualFile => file(`0x${value.toString(16)}`);

const namespaceFiles = (kernel: Kernel, namespace: NdNamespace): Record<string, VirtualFile> => ({
  size: file(namespace.size),
  resource: hexFile(namespace.start),
  mode: file(namespaceMode(kernel, namespace)),
  uuid: file(namespace.uuid),
  alt_name: file(namespace.alt_name),
  holder: file(namespace.claim?.name ?? ''),
  holder_class: file(namespace.claim_class),
  numa_node: file(namespace.region.node),
  target_node: file(namespace.region.node),
  force_raw: file(namespace.force_raw ? 1 : 0, (text) => {
    const raw = kstrtobool(text.trim());
    if (raw === undefined) return EINVAL;
    kernel.store.set(namespace, 'force_raw', raw);
    return 0;
  }),
});

const regionFiles = (kernel: Kernel, region: NdRegion): Record<string, VirtualFile> => ({
  size: file(region.size),
  resource: hexFile(region.start),
  available_size: file(availableSize(region)),
  max_available_extent: file(maxAvailableExtent(region)),
  nstype: file(region.labels ? 5 : 4),
  numa_node: file(region.node),
  target_node: file(region.node),
  namespace_seed: file(region.namespaces.find(({ size }) => size === 0n)?.name ?? ''),
  btt_seed: file(region.seeds.btt?.name ?? ''),
  pfn_seed: file(region.seeds.pfn?.name ?? ''),
  ...(kernel.facts.deviceDax ? { dax_seed: file(region.seeds.dax?.name ?? '') } : {}),
  ...(kernel.facts.memremapCompatAlign ? { align: regionAlign(kernel, region) } : {}),
});

/** region_devs.c:align_store. */
const regionAlign = (kernel: Kernel, region: NdRegion): VirtualFile =>
  file(`0x${region.align.toString(16)}`, (text) => {
    const word = text.trim();
    if (!/^(0x[0-9a-fA-F]{1,16}|\d{1,19})$/.test(word)) return EINVAL;
    const align = BigInt(word);
    if (align < 4096n || (align & (align - 1n)) !== 0n || align > region.size) return EINVAL;
    kernel.store.set(region, 'align', align);
    return 0;
  });

function claimFiles(kernel: Kernel, claim: NdClaim): Record<string, VirtualFile> {
  const shared = { namespace: file(claim.namespace?.name ?? ''), uuid: file(claim.uuid) };
  if (claim.kind === 'btt') return { ...shared, sector_size: file(claim.lbasize) };
  const { sb, namespace } = claim;
  const placed =
    claim.bound && namespace && sb && sb.signature !== 'btt'
      ? {
          resource: hexFile(namespace.start + sb.start_pad + sb.dataoff),
          size: file(namespace.size - sb.start_pad - sb.end_trunc - sb.dataoff),
        }
      : {};
  const align = kernel.facts.pfnAlign ? { align: file(claim.align) } : {};
  return { ...shared, mode: file(claim.mode), ...align, ...placed };
}

/** Every device of the bus by name. */
function ndDevices(kernel: Kernel): Map<string, () => Record<string, VirtualFile>> {
  const devices = new Map<string, () => Record<string, VirtualFile>>();
  for (const bus of kernel.state.nvdimm.buses) {
    devices.set(bus.name, () => ({ provider: file(bus.provider) }));
    for (const region of bus.regions) {
      devices.set(region.name, () => regionFiles(kernel, region));
      for (const each of region.namespaces) devices.set(each.name, () => namespaceFiles(kernel, each));
      for (const each of region.claims) devices.set(each.name, () => claimFiles(kernel, each));
    }
  }
  return devices;
}

const directory = (names: Iterable<string>): VirtualNode => ({ kind: 'directory', names: () => [...names] });

function* bindNd(kernel: Kernel, driver: string, name: string, bind: boolean): KernelGenerator<number> {
  const namespace = findNamespace(kernel, name);
  if (namespace && driver === 'nd_pmem')
    return yield* bind ? nd_namespace_bind(kernel, namespace) : nd_namespace_unbind(kernel, namespace);
  for (const bus of kernel.state.nvdimm.buses)
    for (const region of bus.regions)
      for (const claim of region.claims)
        if (claim.name === name && (claim.kind === 'dax') === (driver === 'dax_pmem'))
          return yield* bind ? nd_claim_bind(kernel, claim) : nd_claim_unbind(kernel, claim);
  return ENODEV;
}

const ndDrivers = (kernel: Kernel): string[] => (kernel.facts.deviceDax ? ['nd_pmem', 'dax_pmem'] : ['nd_pmem']);

export const ND_BUS: Mount = {
  path: '/sys/bus/nd',
  at(kernel, [kind, name, attribute, ...rest]) {
    if (kernel.state.nvdimm.buses.length === 0 || rest.length > 0) return undefined;
    if (kind === undefined) return directory(['devices', 'drivers']);
    if (kind === 'drivers') {
      if (name === undefined) return directory(ndDrivers(kernel));
      if (!ndDrivers(kernel).includes(name)) return undefined;
      if (attribute === undefined) return directory(['bind', 'unbind']);
      if (attribute !== 'bind' && attribute !== 'unbind') return undefined;
      return { kind: 'file', write: (text) => bindNd(kernel, name, text.trim(), attribute === 'bind') };
    }
    if (kind !== 'devices') return undefined;
    const devices = ndDevices(kernel);
    if (name === undefined) return directory(devices.keys());
    const files = devices.get(name)?.();
    if (!files) return undefined;
    if (attribute === undefined) return directory(Object.keys(files));
    return Object.hasOwn(files, attribute) ? files[attribute] : undefined;
  },
};

const daxFiles = (kernel: Kernel, dev: DevDax): Record<string, VirtualFile> => ({
  size: file(dev.end - dev.start + 1n),
  resource: hexFile(dev.start),
  ...(kernel.facts.daxDeviceAlign ? { align: file(dev.align) } : {}),
  target_node: file(dev.target_node),
  numa_node: file(dev.target_node),
  modalias: file('dax:t0'),
  ...(dev.driver ? { driver: file(`../../../../../../../bus/dax/drivers/${dev.driver}`) } : {}),
});

const daxDrivers = (kernel: Kernel): DaxDriver[] => (kernel.facts.daxKmem ? ['device_dax', 'kmem'] : ['device_dax']);

function daxDriverFile(kernel: Kernel, driver: DaxDriver, attribute: string): VirtualFile | undefined {
  const write = (run: (dev: DevDax) => KernelGenerator<number> | number): VirtualFile => ({
    kind: 'file',
    write: (text) => {
      const dev = findDevDax(kernel, text.trim());
      return dev ? run(dev) : ENODEV;
    },
  });
  switch (attribute) {
    case 'bind':
      return write((dev) => (dax_bus_match(dev, driver) ? dax_bind(kernel, dev, driver) : ENODEV));
    case 'unbind':
      return write((dev) => (dev.driver === driver ? dax_unbind(kernel, dev) : ENODEV));
    case 'new_id':
      return { kind: 'file', write: (text) => dax_id_store(kernel, driver, text, 'add') };
    case 'remove_id':
      return { kind: 'file', write: (text) => dax_id_store(kernel, driver, text, 'remove') };
    default:
      return undefined;
  }
}

export const DAX_BUS: Mount = {
  path: '/sys/bus/dax',
  at(kernel, [kind, name, attribute, ...rest]) {
    if (!kernel.facts.daxBus || kernel.state.nvdimm.buses.length === 0 || rest.length > 0) return undefined;
    if (kind === undefined) return directory(['devices', 'drivers']);
    if (kind === 'drivers') {
      if (name === undefined) return directory(daxDrivers(kernel));
      const driver = daxDrivers(kernel).find((each) => each === name);
      if (!driver) return undefined;
      if (attribute === undefined) return directory(['bind', 'new_id', 'remove_id', 'unbind']);
      return daxDriverFile(kernel, driver, attribute);
    }
    if (kind !== 'devices') return undefined;
    const all = kernel.state.nvdimm.dax.flatMap((region) => region.devices);
    if (name === undefined) return directory(all.map((dev) => dev.name));
    const dev = all.find((each) => each.name === name);
    if (!dev) return undefined;
    const files = daxFiles(kernel, dev);
    if (attribute === undefined) return directory(Object.keys(files));
    return Object.hasOwn(files, attribute) ? files[attribute] : undefined;
  },
};
