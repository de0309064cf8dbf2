/** Boot: from a machine file to a kernel that is up (arch/x86/kernel/setup.c, mm/mm_init.c, 6.12). */
import { PAGES_PER_SECTION } from '../arch/x86_64.ts';
import { nvdimm_init } from '../drivers/nvdimm/init.ts';
import type { Release } from '../kernel/release.ts';
import {
  childrenOf,
  IORES_DESC_NONE,
  IORES_DESC_PERSISTENT_MEMORY,
  IORES_DESC_PERSISTENT_MEMORY_LEGACY,
  IORES_DESC_RESERVED,
  IORESOURCE_BUSY,
  IORESOURCE_MEM,
  IORESOURCE_SYSTEM_RAM,
  insert_resource,
  type Resource,
  resource,
} from '../kernel/resource.ts';
import { memblockMemory, memblockReserved } from '../mm/memblock.ts';
import { mminit_validate_memmodel_limits } from '../mm/memmodel_limits.ts';
import { memory_dev_init } from '../mm/memory_block.ts';
import { free_area_init, freeInitMemory, init_per_zone_wmark_min, memblock_free_all } from '../mm/mm_init.ts';
import { sparse_init } from '../mm/sparse.ts';
import { bootTables } from '../mm/sparse-vmemmap.ts';
import { asSeenByKernel } from './commandLine.ts';
import type { E820Type, MachineConfig } from './config.ts';
import { Kernel, mem } from './kernel.ts';

/** A configuration that gives no kernel in a release: what does not go together, and what to change. */
export class ConfigureError extends Error {
  override readonly name = 'ConfigureError';
}

export function boot(config: MachineConfig, release: Release): Kernel {
  const kernel = new Kernel(asSeenByKernel(config), release);
  const { problems } = kernel.options;
  if (problems.length > 0) throw new ConfigureError(`${config.name}: ${problems.join('; ')}`);
  kernel.store.unjournalled(() => bring_up(kernel, config));
  return kernel;
}

function bring_up(kernel: Kernel, firmware: MachineConfig): void {
  const { config, state } = kernel;
  kernel.pr_info(`Linux version ${kernel.release} (simulated)`);
  if (config.cmdline) kernel.pr_info(`Command line: ${config.cmdline}`);
  for (const entry of firmware.e820) kernel.pr_info(`BIOS-e820: ${mem(entry.start, entry.end)} ${entry.type}`);
  if (config !== firmware) {
    kernel.pr_info('user-defined physical RAM map:');
    for (const entry of config.e820) kernel.pr_info(`user: ${mem(entry.start, entry.end)} ${entry.type}`);
  }
  const memory = mminit_validate_memmodel_limits(kernel.arch, memblockMemory(config), (text) => kernel.WARN(text));
  const reserved = memblockReserved(config, memory, PAGES_PER_SECTION);
  state.max_pfn = memory.at(-1)?.end ?? 0;
  state.max_low_pfn = state.max_pfn;
  e820_reserve_resources(kernel, reserved);
  sparse_init(kernel, memory);
  for (const range of memory) bootTables(kernel, range.start, range.end - range.start);
  free_area_init(kernel, memory, reserved);
  memblock_free_all(kernel, memory, reserved);
  init_per_zone_wmark_min(kernel);
  memory_dev_init(kernel, memory);
  nvdimm_init(kernel);
  freeInitMemory(kernel, reserved);
}

const E820_NAMES: Readonly<Record<E820Type, string>> = {
  usable: 'System RAM',
  reserved: 'Reserved',
  'ACPI data': 'ACPI Tables',
  'ACPI NVS': 'ACPI Non-volatile Storage',
  'persistent (type 12)': 'Persistent Memory (legacy)',
  'soft reserved': 'Soft Reserved',
};

/** e820.c:e820__reserve_resources, setup.c's kernel image resources, and the machine's devices. */
function e820_reserve_resources(
  kernel: Kernel,
  reserved: readonly { start: number; end: number; what: string }[],
): void {
  const { store, config, state } = kernel;
  for (const entry of updated(config)) {
    const name = E820_NAMES[entry.type];
    const flags =
      entry.type === 'usable'
        ? IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY
        : IORESOURCE_MEM | (entry.type === 'reserved' && entry.start < 0x100000n ? IORESOURCE_BUSY : 0n);
    const desc =
      entry.type === 'reserved'
        ? IORES_DESC_RESERVED
        : entry.type === 'persistent (type 12)'
          ? IORES_DESC_PERSISTENT_MEMORY_LEGACY
          : IORES_DESC_NONE;
    insert_resource(store, state.iomem, resource(entry.start, entry.end, name, flags, desc));
  }
  const exact = new Map((config.reserved ?? []).map((entry) => [entry.what, entry]));
  for (const range of reserved) {
    if (!['Kernel code', 'Kernel rodata', 'Kernel data', 'Kernel bss'].includes(range.what)) continue;
    const entry = exact.get(range.what);
    const start = entry?.start ?? BigInt(range.start) << 12n;
    const end = entry?.end ?? (BigInt(range.end) << 12n) - 1n;
    insert_resource(store, state.iomem, resource(start, end, range.what, IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY));
  }
  for (const device of config.devices)
    insert_resource(
      store,
      deepest(state.iomem, device.start, device.end),
      resource(
        device.start,
        device.end,
        device.name,
        IORESOURCE_MEM | (device.busy ? IORESOURCE_BUSY : 0n),
        device.name === 'Persistent Memory' ? IORES_DESC_PERSISTENT_MEMORY : IORES_DESC_NONE,
      ),
    );
}

/** The innermost resource that contains the range: where a driver's request would end up. */
function deepest(root: Resource, start: bigint, end: bigint): Resource {
  for (const child of childrenOf(root)) if (child.start <= start && child.end >= end) return deepest(child, start, end);
  return root;
}

/** e820__range_update of page 0 and e820__range_remove of 640 KiB to 1 MiB, as the kernel does before use. */
function updated(config: MachineConfig): MachineConfig['e820'] {
  const entries: MachineConfig['e820'] = [];
  for (const entry of config.e820) {
    if (entry.type !== 'usable') {
      entries.push(entry);
      continue;
    }
    if (entry.start < 0x1000n) entries.push({ start: entry.start, end: 0xfffn, type: 'reserved' });
    for (const [from, to] of [
      [0x1000n, 0x9ffffn],
      [0x100000n, (1n << 52n) - 1n],
    ] as const) {
      const start = entry.start > from ? entry.start : from;
      const end = entry.end < to ? entry.end : to;
      if (start <= end) entries.push({ start, end, type: 'usable' });
    }
  }
  return entries;
}
