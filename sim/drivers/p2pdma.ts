/** Peer-to-peer DMA: drivers/pci/p2pdma.c (4.20 on): a BAR with struct pages, and a pool of it for others. */
import { addressPointer, type CStruct, errorOf, objectPointer } from '../c/value.ts';
import {
  kernelFunction,
  newPercpuRef,
  type PercpuRef,
  percpu_ref_put_many,
  percpu_ref_tryget_live,
} from '../lib/percpu-refcount.ts';
import { type Kernel, mem } from '../machine/kernel.ts';
import { type PciFunction, pciFunctions } from '../machine/pci.ts';
import type { DeviceState } from '../machine/state.ts';
import { devm_memremap_pages } from '../mm/memremap.ts';
import { devm_memremap_pages_pgmap } from '../mm/memremap-old.ts';
import { refOf } from '../mm/pagemap.ts';
import type { KernelGenerator } from '../task/task.ts';
import { gen_pool_alloc, gen_pool_free, type PoolChunk } from './genalloc.ts';

const EINVAL = -22;

/** struct pci_dev: a PCI function that someone looked up. */
export interface PciDev {
  readonly address: string;
  readonly pdev: CStruct;
  /** Its struct device with what unbinding undoes. */
  readonly device: DeviceState;
  /** pdev->p2pdma, from the first pci_p2pdma_add_resource on. */
  p2pdma: P2pdma | undefined;
}
export interface P2pdma {
  published: boolean;
  /** The pool: newest memory first. */
  readonly chunks: P2pChunk[];
  /** Map type by client address, once asked for. */
  readonly map_types: Map<string, number>;
  /** To 5.1: the one reference of all its memory. */
  readonly devmap_ref: PercpuRef;
}
/** Memory of one pci_p2pdma_add_resource. */
export interface P2pChunk extends PoolChunk {
  readonly pgmap: CStruct;
  readonly ref: PercpuRef;
  /** Bus address less physical address. */
  readonly bus_offset: bigint;
}

const functionOf = (kernel: Kernel, address: string): PciFunction | undefined =>
  pciFunctions(kernel.config).get(address);

/** drivers/pci/search.c:pci_get_domain_bus_and_slot. */
export function pciDev(kernel: Kernel, address: string): PciDev | undefined {
  const found = kernel.state.pci.get(address);
  const exists = functionOf(kernel, address);
  if (found || !exists) return found;
  const { store, state } = kernel;
  const [, bus = '0', slot = '0', fn = '0'] = address.split(/[:.]/);
  const device: CStruct = { $struct: 'device', numa_node: -1n, driver_data: addressPointer(0n) };
  const pdev: CStruct = {
    $struct: 'pci_dev',
    devfn: BigInt(Number.parseInt(slot, 16) * 8 + Number(fn)),
    bus: BigInt(Number.parseInt(bus, 16)),
    dev: device,
  };
  const made: PciDev = {
    address,
    pdev,
    device: { name: address, device, node: nodeOfBar(kernel, exists), actions: [] },
    p2pdma: undefined,
  };
  store.splice(state.devices, state.devices.length, 0, made.device);
  store.mapSet(state.pci, address, made);
  return made;
}

/** The firmware says which node a device is near: here the one whose memory lies next below its BAR, on a machine with several. */
function nodeOfBar(kernel: Kernel, { bars }: PciFunction): number {
  const [bar] = bars;
  if (!bar || kernel.nodes.length < 2) return -1;
  const below = kernel.config.nodes.filter((node) => node.ranges.some((range) => range.start <= bar.start));
  return below.at(-1)?.id ?? -1;
}

export const p2pdmaProviders = (kernel: Kernel): PciDev[] =>
  [...kernel.state.pci.values()].filter(({ p2pdma }) => p2pdma).sort((a, b) => (a.address < b.address ? -1 : 1));

/** p2pdma.c:pci_p2pdma_add_resource: 0, -EINVAL for what is no part of a memory BAR, or the error of the mapping. */
export function* pci_p2pdma_add_resource(
  kernel: Kernel,
  dev: PciDev,
  bar: number,
  size: bigint,
  offset: bigint,
): KernelGenerator<number> {
  const resource = functionOf(kernel, dev.address)?.bars.find(({ index }) => index === bar);
  if (!resource) return EINVAL;
  const length = resource.end - resource.start + 1n;
  if (offset >= length) return EINVAL;
  const wanted = size === 0n ? length - offset : size;
  if (wanted + offset > length) return EINVAL;
  const p2pdma = dev.p2pdma ?? pci_p2pdma_setup(kernel, dev);
  const start = resource.start + offset;
  const end = start + wanted - 1n;
  const pgmap = p2pPagemap(kernel, p2pdma, start, end);
  const addr = kernel.facts.memremapPages
    ? yield* devm_memremap_pages(kernel, dev.device, pgmap)
    : yield* devm_memremap_pages_pgmap(kernel, dev.device, pgmap);
  const error = errorOf(addr);
  if (error !== undefined) return error;
  const ref = refOf(pgmap);
  if (!ref || addr.target.kind !== 'address') return EINVAL;
  // 4.20 kills the reference by an action of its own, before the mapping is undone.
  if (!kernel.facts.memremapPages && !kernel.facts.pagemapKillRequired) addAction(kernel, dev, 'percpu_ref_kill', ref);
  const chunk: P2pChunk = {
    start: addr.target.address,
    size: wanted,
    used: [],
    pgmap,
    ref,
    bus_offset: resource.busAddress - resource.start,
  };
  kernel.store.splice(p2pdma.chunks, 0, 0, chunk);
  kernel.pr_info(`${dev.address}: added peer-to-peer DMA memory ${mem(start, end)}`);
  return 0;
}

function addAction(kernel: Kernel, dev: PciDev, what: 'percpu_ref_kill' | 'pci_p2pdma_release', subject: CStruct) {
  kernel.store.splice(dev.device.actions, dev.device.actions.length, 0, { what, subject });
}

function pci_p2pdma_setup(kernel: Kernel, dev: PciDev): P2pdma {
  const made: P2pdma = { published: false, chunks: [], map_types: new Map(), devmap_ref: newPercpuRef() };
  addAction(kernel, dev, 'pci_p2pdma_release', dev.pdev);
  kernel.store.set(dev, 'p2pdma', made);
  return made;
}

/** The pagemap p2pdma fills in: to 5.2 with a reference of its own, later without; since 6.2 with page_free. */
function p2pPagemap(kernel: Kernel, p2pdma: P2pdma, start: bigint, end: bigint): CStruct {
  const type = kernel.facts.deviceCoherent ? 5n : 4n;
  const pgmap: CStruct = { $struct: 'dev_pagemap', type };
  if (kernel.facts.pgmapRanges) {
    pgmap.range = { $struct: 'range', start, end };
    pgmap.nr_range = 1n;
  } else pgmap.res = { $struct: 'resource', start, end, name: '', flags: 0x200n };
  if (!kernel.facts.memremapPages) {
    pgmap.ref = objectPointer(kernel.facts.p2pdmaSharedReference ? p2pdma.devmap_ref : newPercpuRef());
    pgmap.kill = kernelFunction('pci_p2pdma_percpu_kill');
    if (kernel.facts.pagemapCleanupRequired) pgmap.cleanup = kernelFunction('pci_p2pdma_percpu_cleanup');
  }
  if (kernel.facts.p2pdmaPageFree) {
    const name = kernel.facts.folioFreeCallback ? 'folio_free' : 'page_free';
    const callback = kernelFunction(kernel.facts.folioFreeCallback ? 'p2pdma_folio_free' : 'p2pdma_page_free');
    pgmap.ops = objectPointer({ $struct: 'dev_pagemap_ops', [name]: callback });
  }
  return pgmap;
}

/** p2pdma.c:pci_p2pdma_release: to 5.1 it waits for the memory that was handed out; the pool goes. */
export function* pci_p2pdma_release(kernel: Kernel, pdev: CStruct): KernelGenerator<void> {
  const dev = [...kernel.state.pci.values()].find((candidate) => candidate.pdev === pdev);
  const { p2pdma } = dev ?? {};
  if (!dev || !p2pdma) return;
  if (kernel.facts.p2pdmaSharedReference && p2pdma.chunks.length > 0)
    yield* pci_p2pdma_percpu_cleanup(kernel, p2pdma.devmap_ref);
  kernel.store.set(dev, 'p2pdma', undefined);
}

/** Sleeps until nobody holds memory that counts on `ref`; says who does. */
export function* pci_p2pdma_percpu_cleanup(kernel: Kernel, ref: PercpuRef): KernelGenerator<void> {
  if (ref.count === 0n) return;
  yield {
    kind: 'wait',
    on: {
      what: 'peer-to-peer memory to come back',
      ready: () => ref.count === 0n,
      holders: () => allocationsOf(kernel, (chunk) => chunk.ref === ref),
    },
  };
}

/** The allocations of chunks, for people. */
function allocationsOf(kernel: Kernel, holds: (chunk: P2pChunk) => boolean): string[] {
  return p2pdmaProviders(kernel).flatMap(({ address, p2pdma }) =>
    (p2pdma?.chunks ?? [])
      .filter(holds)
      .flatMap(({ start, used }) =>
        used.map(
          (part) => `${address}: ${part.pages} page(s) at 0x${(start + BigInt(part.first) * 4096n).toString(16)}`,
        ),
      ),
  );
}

/** p2pdma.c:pci_alloc_p2pmem: a linear-map address, or NULL; each allocation holds a reference of the mapping. */
export function* pci_alloc_p2pmem(kernel: Kernel, dev: PciDev, size: bigint): KernelGenerator<bigint> {
  const { p2pdma } = dev;
  if (!p2pdma || size <= 0n) return 0n;
  const isShared = kernel.facts.p2pdmaSharedReference;
  if (isShared && !percpu_ref_tryget_live(kernel, p2pdma.devmap_ref)) return 0n;
  const got = gen_pool_alloc(kernel.store, p2pdma.chunks, size);
  if (!got) {
    if (isShared) yield* percpu_ref_put_many(kernel, p2pdma.devmap_ref, 1);
    return 0n;
  }
  if (!isShared && !percpu_ref_tryget_live(kernel, got.chunk.ref)) {
    gen_pool_free(kernel.store, p2pdma.chunks, got.address, size);
    return 0n;
  }
  return got.address;
}

/** p2pdma.c:pci_free_p2pmem. */
export function* pci_free_p2pmem(kernel: Kernel, dev: PciDev, address: bigint, size: bigint): KernelGenerator<void> {
  if (!dev.p2pdma) return;
  const chunk = gen_pool_free(kernel.store, dev.p2pdma.chunks, address, size);
  yield* percpu_ref_put_many(kernel, chunk.ref, 1);
}

/** p2pdma.c:p2pdma_page_free: a page that a process had mapped is back in the pool. */
export function* p2pdma_page_free(kernel: Kernel, pfn: number): KernelGenerator<void> {
  const found = chunkAt(kernel, pfn);
  if (!found) return;
  const address = kernel.arch.PAGE_OFFSET + (BigInt(pfn) << 12n);
  gen_pool_free(kernel.store, found.dev.p2pdma?.chunks ?? [], address, 4096n);
  yield* percpu_ref_put_many(kernel, found.chunk.ref, 1);
}

/** Whose peer-to-peer memory a page is. */
export function chunkAt(kernel: Kernel, pfn: number): { dev: PciDev; chunk: P2pChunk } | undefined {
  const address = kernel.arch.PAGE_OFFSET + (BigInt(pfn) << 12n);
  for (const dev of p2pdmaProviders(kernel))
    for (const chunk of dev.p2pdma?.chunks ?? [])
      if (address >= chunk.start && address < chunk.start + chunk.size) return { dev, chunk };
  return undefined;
}

/** p2pdma.c:pci_p2pmem_virt_to_bus: 0 where there is no such memory. */
export function pci_p2pmem_virt_to_bus(kernel: Kernel, dev: PciDev, address: bigint): bigint {
  const chunk = dev.p2pdma?.chunks.find(({ start, size }) => address >= start && address < start + size);
  return chunk ? address - kernel.arch.PAGE_OFFSET + chunk.bus_offset : 0n;
}
