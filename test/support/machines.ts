/** Machines and programs for tests. */
import { expect } from 'vitest';
import {
  checkMachine,
  Machine,
  type MachineConfig,
  type Program,
  presets,
  type Release,
  runShellLine,
} from '../../sim/index.ts';

export function preset(name: string): MachineConfig {
  const found = presets().find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no preset ${name}`);
  return found;
}
export const boot = (name = 'qemu-2g', release: Release = '6.12'): Machine => new Machine(preset(name), release);

export function machineOf(json: unknown, release: Release = '6.12'): Machine {
  const result = checkMachine(json);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return new Machine(result.machine, release);
}

/** Runs lines that must succeed; the last program. */
export function sh(machine: Machine, ...lines: string[]): Program {
  let last: Program | undefined;
  for (const line of lines) {
    last = runShellLine(machine, line);
    expect(last?.error?.message, line).toBeUndefined();
  }
  if (!last) throw new Error('no line');
  return last;
}

/** Lines that declare a pagemap `m` over `size` bytes of free address space. */
export const mapLines = (type: string, size = '256UL << 20', name = 'm'): string[] => [
  `${name}_res = request_free_mem_region(&iomem_resource, ${size}, "test")`,
  `struct dev_pagemap ${name}`,
  `${name}.type = ${type}`,
  `${name}.range.start = ${name}_res->start; ${name}.range.end = ${name}_res->end; ${name}.nr_range = 1`,
];

/* The machines of the recordings with memmap=nn!ss: QEMU with 6 GiB in one node. */

interface PmemMachine {
  name: string;
  cmdline: string;
  /** Type 12 ranges inside 4 GiB to 7 GiB, end exclusive. */
  pmem: readonly (readonly [number, number])[];
  /** Sections that boot memory touches, and pages nobody named. */
  sections: number;
  other: number;
}

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const PMEM_MACHINES: Readonly<Record<string, PmemMachine>> = {
  'c1-1G': { name: 'c1-1G', cmdline: 'memmap=1G!4G', pmem: [[4 * GIB, 5 * GIB]], sections: 40, other: 205 },
  'cs1-1000M': {
    name: 'cs1-1000M',
    cmdline: 'memmap=1000M!4G',
    pmem: [[4 * GIB, 4 * GIB + 1000 * MIB]],
    sections: 41,
    other: 206,
  },
  'cs5-two-in-section': {
    name: 'cs5-two-in-section',
    cmdline: 'memmap=64M!4G memmap=32M!0x106000000',
    pmem: [
      [4 * GIB, 4 * GIB + 64 * MIB],
      [0x106000000, 0x108000000],
    ],
    sections: 48,
    other: 206,
  },
};

/** The machine file of a recording: its e820 from dmesg, what memblock held so that every zone manages what it did. */
export function pmemMachine(recording: string, release: Release = '6.12'): Machine {
  const found = PMEM_MACHINES[recording === 'k1-memmap-cost-kmem' ? 'c1-1G' : recording];
  if (!found) throw new Error(`no machine ${recording}`);
  const range = (start: number, end: number) => ({ start, end: end - 1 });
  const usable: { start: number; end: number }[] = [];
  let from = 4 * GIB;
  for (const [start, end] of found.pmem) {
    if (start > from) usable.push(range(from, start));
    from = end;
  }
  usable.push(range(from, 0x1c0000000));
  const small = preset('qemu-2g');
  const image = (small.reserved ?? []).filter(({ end }) => end < 0x2400000n);
  const memmap = found.sections * 512 * 4096;
  const hash = 0x1bfe00000 - memmap - 0x200000;
  return machineOf(
    {
      name: found.name,
      physBits: 40,
      config: { pageExtension: false, lastCpupid: 14 },
      cmdline: found.cmdline,
      e820: [
        { ...range(0, 0x9fc00), type: 'usable' },
        { ...range(0x9fc00, 0xa0000), type: 'reserved' },
        { ...range(0xf0000, 0x100000), type: 'reserved' },
        { ...range(0x100000, 0xbffdd000), type: 'usable' },
        { ...range(0xbffdd000, 0xc0000000), type: 'reserved' },
        { ...range(0xfffc0000, 0x100000000), type: 'reserved' },
        ...found.pmem.map(([start, end]) => ({ ...range(start, end), type: 'persistent (type 12)' })),
        ...usable.map((each) => ({ ...each, type: 'usable' })),
        { ...range(0xfd00000000, 0x10000000000), type: 'reserved' },
      ],
      nodes: [{ id: 0, ranges: [range(0, 0x1c0000000)], cpus: [0], distance: [10] }],
      reserved: [
        ...image.map(({ start, end, what }) => ({ start: Number(start), end: Number(end), what })),
        { ...range(0xbb73d000, 0xbb747000), what: 'other early allocations' },
        { ...range(0xbb747000, 0xbf747000), what: 'software IO TLB' },
        { ...range(0xbf747000, 0xbffd0000), what: 'initrd' },
        { ...range(hash - 0xc00000, hash), what: 'dentry and inode hash tables' },
        { ...range(hash, hash + 56 * 4096), what: 'percpu areas' },
        { ...range(0x1bfe00000 - memmap, 0x1bfe00000), what: 'memmap' },
        { ...range(0x1bfe00000, 0x1bfe00000 + found.other * 4096), what: 'other early allocations' },
        { ...range(0x1bffd3000, 0x1bfffe000), what: 'pgdat' },
      ],
      devices: [
        { ...range(0xa0000, 0xc0000), name: 'PCI Bus 0000:00' },
        { ...range(0xc0000, 0xc0600), name: 'Video ROM', busy: true },
        { ...range(0xf0000, 0x100000), name: 'System ROM', busy: true },
        { ...range(0xc0000000, 0xfec00000), name: 'PCI Bus 0000:00' },
        { ...range(0xfebf8000, 0xfebfc000), name: '0000:00:02.0' },
        { ...range(0xfebf8000, 0xfebfc000), name: 'virtio-pci-modern', busy: true },
        { ...range(0xfebff000, 0xfec00000), name: '0000:00:02.0' },
        { ...range(0xfec00000, 0xfec00400), name: 'IOAPIC 0', busy: true },
        { ...range(0xfed00000, 0xfed00400), name: 'HPET 0', busy: true },
        { ...range(0xfed00000, 0xfed00400), name: 'PNP0103:00', busy: true },
        { ...range(0x1c0000000, 0x240000000), name: 'PCI Bus 0000:00' },
      ],
    },
    release,
  );
}
