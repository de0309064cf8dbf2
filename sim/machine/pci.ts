/** The PCI part of a machine file: functions, bridges and the tree they form. */
import type { MachineConfig, MachineProblem } from './config.ts';

/** What a device range of a machine file says about PCI. */
export interface PciEntry {
  /** Domain, bus, slot and function: `0000:0b:00.0`. */
  address: string;
  /** The bridge above; absent for a function on a root bus. */
  upstream?: string;
  /** Whether this port's access control (ACS) redirects peer-to-peer requests upstream. */
  acs?: boolean;
  /** Which BAR the range is; absent for a bridge's window. */
  bar?: number;
  /** The BAR's address as the bus sees it; the physical address if absent. */
  busAddress?: bigint;
  /** On a root bus: vendor and device of the host bridge, `8086:2f00`. */
  hostBridge?: string;
}

export interface PciBar {
  readonly index: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly busAddress: bigint;
}
export interface PciFunction {
  readonly address: string;
  readonly upstream: string | undefined;
  readonly acs: boolean;
  readonly hostBridge: string | undefined;
  readonly bars: readonly PciBar[];
}

const known = new WeakMap<MachineConfig, ReadonlyMap<string, PciFunction>>();

/** The PCI functions of a machine by address, in address order. */
export function pciFunctions(config: MachineConfig): ReadonlyMap<string, PciFunction> {
  let found = known.get(config);
  if (!found) {
    found = collect(config);
    known.set(config, found);
  }
  return found;
}

function collect(config: MachineConfig): Map<string, PciFunction> {
  const all = new Map<string, PciFunction>();
  for (const { pci, start, end } of config.devices) {
    if (!pci) continue;
    const other = all.get(pci.address);
    const bar =
      pci.bar === undefined
        ? []
        : [{ index: pci.bar, start, end, busAddress: pci.busAddress ?? start } satisfies PciBar];
    all.set(pci.address, {
      address: pci.address,
      upstream: other?.upstream ?? pci.upstream,
      acs: other?.acs === true || pci.acs === true,
      hostBridge: other?.hostBridge ?? pci.hostBridge,
      bars: [...(other?.bars ?? []), ...bar],
    });
  }
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** From a function up to its root, itself first. */
export function pathToRoot(config: MachineConfig, address: string): readonly PciFunction[] {
  const all = pciFunctions(config);
  const path: PciFunction[] = [];
  for (let at = all.get(address); at && !path.includes(at); at = at.upstream ? all.get(at.upstream) : undefined)
    path.push(at);
  return path;
}

/** `0000:3a` of an address: with no bridge above, the bus of a host bridge. */
export const busOf = (address: string): string => address.slice(0, 7);

/** What a schema cannot say of the PCI tree. */
export function pciProblems(config: MachineConfig): MachineProblem[] {
  const problems: MachineProblem[] = [];
  const all = pciFunctions(config);
  const bars = new Set<string>();
  config.devices.forEach(({ pci }, index) => {
    if (!pci) return;
    const where = `/devices/${index}/pci`;
    if (pci.upstream !== undefined && !all.has(pci.upstream))
      problems.push({ where, message: `hangs below ${pci.upstream}, which no device has as its address` });
    const path = pathToRoot(config, pci.address);
    if (path.at(-1)?.upstream !== undefined && all.has(path.at(-1)?.upstream ?? ''))
      problems.push({ where, message: `${pci.address} is above itself; give the upstream bridges as a tree` });
    if (pci.hostBridge !== undefined && pci.upstream !== undefined)
      problems.push({
        where,
        message: 'has a hostBridge and an upstream bridge; only a function on a root bus names one',
      });
    if (pci.bar === undefined) return;
    const bar = `${pci.address} ${pci.bar}`;
    if (bars.has(bar)) problems.push({ where, message: `BAR ${pci.bar} of ${pci.address} is there twice` });
    bars.add(bar);
  });
  return problems;
}
