/** The machine of the recording e-hotplug: 3 GiB, room for DIMMs, from its kernel log and /proc/iomem. */

import type { Machine, Release } from '../../sim/index.ts';
import { machineOf } from './machines.ts';

/**
 * What memblock held: sizes from the log (memmap 24 sections, hash tables, swiotlb with its 192 pages of
 * slots, percpu, pgdat, initrd). Where the log has no address, the place below the last one.
 */
const RESERVED = [
  { start: '0x0', end: '0xfffff', what: 'low 1 MiB' },
  { start: '0x1000000', end: '0x17fffff', what: 'Kernel code' },
  { start: '0x1800000', end: '0x1a3cfff', what: 'Kernel rodata' },
  { start: '0x1a3d000', end: '0x1bfffff', what: 'Kernel rodata/data gap' },
  { start: '0x1c00000', end: '0x207b27f', what: 'Kernel data' },
  { start: '0x207c000', end: '0x2094fff', what: 'Kernel percpu template and brk' },
  { start: '0x2095000', end: '0x221efff', what: 'Kernel init' },
  { start: '0x221f000', end: '0x23fffff', what: 'Kernel bss' },
  { start: '0xb7d40000', end: '0xb7dfffff', what: 'swiotlb slots' },
  { start: '0xb7e00000', end: '0xbbdfffff', what: 'swiotlb' },
  { start: '0xbbfc8000', end: '0xbbffffff', what: 'percpu areas' },
  { start: '0xbc000000', end: '0xbc1fffff', what: 'inode cache hash table' },
  { start: '0xbc200000', end: '0xbc5fffff', what: 'dentry cache hash table' },
  { start: '0xbc600000', end: '0xbf5fffff', what: 'memmap' },
  { start: '0xbf704000', end: '0xbf719fff', what: 'other early allocations' },
  { start: '0xbf71a000', end: '0xbf744fff', what: 'pgdat' },
  { start: '0xbf745000', end: '0xbffcffff', what: 'initrd' },
];

export const hotplugMachine = (
  more: { cmdline?: string; config?: Record<string, unknown>; hypervisor?: boolean } = {},
  release: Release = '6.12',
): Machine =>
  machineOf(
    {
      name: 'e-hotplug',
      physBits: 40,
      ...more,
      config: { pageExtension: false, lastCpupid: 14, ...more.config },
      e820: [
        { start: '0x0', end: '0x9fbff', type: 'usable' },
        { start: '0x9fc00', end: '0x9ffff', type: 'reserved' },
        { start: '0xf0000', end: '0xfffff', type: 'reserved' },
        { start: '0x100000', end: '0xbffdcfff', type: 'usable' },
        { start: '0xbffdd000', end: '0xbfffffff', type: 'reserved' },
        { start: '0xfffc0000', end: '0xffffffff', type: 'reserved' },
        { start: '0xfd00000000', end: '0xffffffffff', type: 'reserved' },
      ],
      nodes: [{ id: 0, ranges: [{ start: '0x0', end: '0xbfffffff' }], cpus: [0] }],
      reserved: RESERVED,
      devices: [
        { start: '0xa0000', end: '0xbffff', name: 'PCI Bus 0000:00' },
        { start: '0xc0000', end: '0xc05ff', name: 'Video ROM', busy: true },
        { start: '0xf0000', end: '0xfffff', name: 'System ROM', busy: true },
        { start: '0xc0000000', end: '0xfebfffff', name: 'PCI Bus 0000:00' },
        { start: '0xfebf8000', end: '0xfebfbfff', name: '0000:00:02.0' },
        { start: '0xfebf8000', end: '0xfebfbfff', name: 'virtio-pci-modern', busy: true },
        { start: '0xfebff000', end: '0xfebfffff', name: '0000:00:02.0' },
        { start: '0xfec00000', end: '0xfec003ff', name: 'IOAPIC 0', busy: true },
        { start: '0xfed00000', end: '0xfed003ff', name: 'HPET 0', busy: true },
        { start: '0xfed00000', end: '0xfed003ff', name: 'PNP0103:00', busy: true },
        { start: '0x540000000', end: '0x5bfffffff', name: 'PCI Bus 0000:00' },
      ],
    },
    release,
  );
