/** The libnvdimm objects of a machine: drivers/nvdimm/nd.h (6.12). */
import type { Kernel } from '../../machine/kernel.ts';
import type { DeviceState } from '../../machine/state.ts';
import type { DaxRegion } from '../dax/dax.ts';

export interface NvdimmState {
  readonly buses: NdBus[];
  /** DAX regions by id: drivers/dax/bus.c. */
  readonly dax: DaxRegion[];
  /** Region ids handed out (memregion_alloc). */
  regions: number;
  /** Uuids made so far: they come in a fixed order, so that a timeline can be replayed. */
  uuids: number;
}

export interface NdBus {
  readonly name: string;
  readonly provider: 'e820' | 'ACPI.NFIT';
  /** Below /sys/devices. */
  readonly path: string;
  readonly regions: NdRegion[];
}

export interface NdRegion {
  readonly id: number;
  readonly name: string;
  readonly bus: NdBus;
  readonly start: bigint;
  readonly size: bigint;
  /** NUMA node of its pages once mapped. */
  readonly node: number;
  /** DIMMs with a label area (an NFIT region): it can be divided into namespaces. */
  readonly labels: boolean;
  /** ND_REGION_PAGEMAP: legacy memory is mapped with struct pages even without an info block. */
  readonly pagemap: boolean;
  /** Region sizes and namespaces are multiples of it: a setting since 5.7, a page before. */
  align: bigint;
  readonly namespaces: NdNamespace[];
  /** Registered btt, pfn and dax devices; one of each kind is the seed that the next user configures. */
  readonly claims: NdClaim[];
  readonly seeds: { btt: NdClaim | undefined; pfn: NdClaim | undefined; dax: NdClaim | undefined };
}

export interface NdNamespace {
  readonly id: number;
  readonly name: string;
  readonly region: NdRegion;
  readonly device: DeviceState;
  start: bigint;
  /** 0: a label not written yet. */
  size: bigint;
  uuid: string;
  alt_name: string;
  force_raw: boolean;
  /** What labels say must claim it. */
  claim_class: '' | 'btt' | 'pfn' | 'dax' | 'none';
  /** Whether nd_pmem drives the namespace itself. */
  bound: boolean;
  /** The info block at 4 KiB (0 for BTT 2.0) of its media. */
  info: PfnSb | BttSb | undefined;
  claim: NdClaim | undefined;
}

/** A struct nd_btt, nd_pfn or nd_dax. */
export interface NdClaim {
  readonly kind: 'btt' | 'pfn' | 'dax';
  readonly id: number;
  readonly name: string;
  readonly region: NdRegion;
  readonly device: DeviceState;
  uuid: string;
  mode: PfnMode;
  align: bigint;
  lbasize: bigint;
  namespace: NdNamespace | undefined;
  bound: boolean;
  /** What its driver read or wrote last. */
  sb: PfnSb | BttSb | undefined;
}

/** PFN_MODE_NONE, PFN_MODE_RAM, PFN_MODE_PMEM. */
export type PfnMode = 'none' | 'ram' | 'pmem';

/** struct nd_pfn_sb, as far as it decides anything. */
export interface PfnSb {
  readonly signature: 'pfn' | 'dax';
  readonly uuid: string;
  readonly parent_uuid: string;
  readonly mode: PfnMode;
  readonly dataoff: bigint;
  readonly npfns: bigint;
  readonly start_pad: bigint;
  readonly end_trunc: bigint;
  readonly align: bigint;
  readonly page_size: bigint;
  readonly page_struct_size: bigint;
}

/** struct btt_sb: the sizes that follow from it are computed again when it is read. */
export interface BttSb {
  readonly signature: 'btt';
  readonly uuid: string;
  readonly parent_uuid: string;
  readonly lbasize: bigint;
  readonly version: '1.1' | '2.0';
}

export const ENOENT = -2;
export const ENXIO = -6;
export const EBUSY = -16;
export const ENODEV = -19;
export const EINVAL = -22;
export const EOPNOTSUPP = -95;

export const SZ_4K = 0x1000n;
export const SZ_8K = 0x2000n;
export const SZ_2M = 0x20_0000n;
export const SZ_16M = 0x100_0000n;
export const SZ_1G = 0x4000_0000n;

export const alignUp = (value: bigint, to: bigint): bigint => ((value + to - 1n) / to) * to;
export const alignDown = (value: bigint, to: bigint): bigint => value - (value % to);

export const namespaceEnd = (namespace: NdNamespace): bigint => namespace.start + namespace.size - 1n;

export function* namespacesOf(kernel: Kernel): Generator<NdNamespace> {
  for (const bus of kernel.state.nvdimm.buses) for (const region of bus.regions) yield* region.namespaces;
}

export function findNamespace(kernel: Kernel, name: string): NdNamespace | undefined {
  for (const namespace of namespacesOf(kernel)) if (namespace.name === name) return namespace;
  return undefined;
}

/** A uuid that the same timeline gives again: version 4 in shape, the next of a fixed sequence in content. */
export function uuid_generate(kernel: Kernel): string {
  const { nvdimm } = kernel.state;
  kernel.store.set(nvdimm, 'uuids', nvdimm.uuids + 1);
  let state = BigInt.asUintN(64, BigInt(nvdimm.uuids) * 0x9e3779b97f4a7c15n);
  const word = (): bigint => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  };
  const text = [word(), word()].map((part) => part.toString(16).padStart(16, '0')).join('');
  const variant = ((Number.parseInt(text[16] ?? '0', 16) & 3) | 8).toString(16);
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-4${text.slice(13, 16)}-${variant}${text.slice(17, 20)}-${text.slice(20)}`;
}
