/** Sample machines for the panels: shaped like the recorded and the preset ones, made of numbers only. */
import { PageKind } from '../../../sim/include/types.ts';
import type { DeviceView, PagemapSnapshot, ZonesView } from '../../../sim/view/types.ts';
import { put, type Run, totals, usedRam } from './runs.ts';
import {
  bootRam,
  deviceSections,
  emptyZone,
  kernelImage,
  LOW_RESOURCES,
  position,
  resource,
  sections,
  zone,
} from './sampleParts.ts';

const GIB = 2 ** 18;
const SECTION = 32768;

export interface Sample {
  zones: ZonesView;
  pagemap: PagemapSnapshot;
  runs: Run[];
}

export const SAMPLES = ['qemu-2g', 'laptop-16g', 'server-2n-pmem', 'giant-16t'] as const;
export type SampleName = (typeof SAMPLES)[number];

function qemu(step: number, revision: number): Sample {
  const mapped = step >= 1;
  const [from, to] = [0xfcf0000, 0xfd00000];
  let runs = bootRam(0x7ffdd, 3, 420);
  runs = put(runs, 0x7ffdd, 0x80000, PageKind.Unavailable);
  runs = put(runs, 0x7d800, 0x7f800, PageKind.Memmap);
  if (mapped) runs = put(runs, from, to, PageKind.DevicePrivate);
  const changed =
    step === 1
      ? [
          { startPfn: 0x7c400, endPfn: 0x7c800 },
          { startPfn: from, endPfn: to },
        ]
      : [];
  if (mapped) runs = put(runs, 0x7c400, 0x7c800, PageKind.Memmap);
  const device: DeviceView = {
    name: 'hmm_dmirror0',
    nid: 0,
    pagemaps: mapped
      ? [
          {
            id: 1,
            type: 'MEMORY_DEVICE_PRIVATE',
            ranges: [{ startPfn: from, endPfn: to }],
            owner: '0xffff888003b1c000',
            refs: 1,
            live: true,
            changed: step === 1,
          },
        ]
      : [],
  };
  const at = position(
    'qemu-2g',
    step,
    2,
    step === 0 ? '' : 'devm_memremap_pages(&mdevice->device, &devmem->pagemap) = 0xffff8fcf0000000',
    revision,
  );
  const zones: ZonesView = {
    position: at,
    pageSize: 4096,
    sectionPages: SECTION,
    subsectionPages: 512,
    maxPfn: mapped ? to : 0x7ffdd,
    nodes: [
      {
        id: 0,
        startPfn: 1,
        spanned: mapped ? 265289727 : 524252,
        present: 524155,
        zones: [
          zone(0, 1, 4095, 3998, 3840, 3840, {
            watermarks: { min: 85, low: 106, high: 127, promo: 148 },
            lowmemReserve: [0, 1967, 1967, 1967, 1967],
          }),
          zone(1, 4096, 520157, 520157, 506801, mapped ? 497872 : 498896, {
            watermarks: { min: 11178, low: 13972, high: 16766, promo: 19560 },
            changed: step === 1 ? ['free'] : [],
          }),
          emptyZone(2),
          emptyZone(3),
          mapped
            ? zone(4, from, to - from, 0, 0, 0, { changed: step === 1 ? ['startPfn', 'spanned'] : [] })
            : emptyZone(4),
        ],
      },
    ],
    sections: [
      sections(0, 1, 0, ['DMA', 'DMA32']),
      sections(1, 15, 0, ['DMA32']),
      ...(mapped ? [deviceSections(8094, 2, 0, step === 1)] : []),
    ],
    resources: [
      ...LOW_RESOURCES,
      resource('100000', '7ffdcfff', 'System RAM', 0, { busy: true }),
      ...kernelImage,
      resource('7ffdd000', '7fffffff', 'Reserved'),
      resource('80000000', 'febfffff', 'PCI Bus 0000:00'),
      resource('febf8000', 'febfbfff', '0000:00:02.0', 1),
      resource('febf8000', 'febfbfff', 'virtio-pci-modern', 2, { busy: true }),
      resource('fec00000', 'fec003ff', 'IOAPIC 0'),
      resource('100000000', '17fffffff', 'PCI Bus 0000:00'),
      ...(mapped
        ? [
            resource('fcf0000000', 'fcffffffff', 'hmm_dmirror', 0, {
              busy: true,
              desc: 'device private memory',
              changed: step === 1,
            }),
          ]
        : []),
      resource('fd00000000', 'ffffffffff', 'Reserved'),
    ],
    devices: [device],
    printk:
      step === 1
        ? [
            '[    4.218332] memremap: mapped [mem 0xfcf0000000-0xfcffffffff] as MEMORY_DEVICE_PRIVATE',
            '[    4.218340] added new 256 MB chunk (total 1 chunks, 256 MB) PFNs [0xfcf0000 0xfd00000)',
          ]
        : [],
  };
  const extents = [{ startPfn: 0, endPfn: 0x80000, label: 'System RAM' }];
  if (mapped) extents.push({ startPfn: from, endPfn: to, label: 'hmm_dmirror' });
  return {
    zones,
    runs,
    pagemap: { position: at, pageSize: 4096, sectionPages: SECTION, extents, totals: totals(runs), changed },
  };
}

function laptop(step: number, revision: number): Sample {
  const [from, to] = [0x7c00000, 0x8000000];
  let runs = [...bootRam(0xa0000, 5, 300), ...usedRam(0x100000, 0x460000, 11, 900)];
  runs = put(runs, 0x9c000, 0xa0000, PageKind.Unavailable);
  runs = put(runs, 0x450000, 0x45e000, PageKind.Memmap);
  runs = put(runs, from, to, PageKind.DevicePrivate);
  for (let i = 0; i < 9; i++) runs = put(runs, from + i * 5000, from + i * 5000 + 700 + i * 90, PageKind.DeviceInUse);
  const changed =
    step === 0
      ? []
      : [
          { startPfn: 0x1a3400, endPfn: 0x1a3990 },
          { startPfn: from + 40000, endPfn: from + 41420 },
        ];
  runs = put(runs, 0x1a3400, 0x1a3990, PageKind.Free);
  const at = position('laptop-16g', step, 7, step === 0 ? '' : 'migrate_vma_pages(&args)', revision);
  const gpu: DeviceView = {
    name: '0000:01:00.0',
    nid: 0,
    pagemaps: [
      {
        id: 1,
        type: 'MEMORY_DEVICE_PRIVATE',
        ranges: [{ startPfn: from, endPfn: to }],
        owner: 'drm->dev',
        refs: 9541,
        live: true,
        changed: step > 0,
      },
    ],
  };
  const zones: ZonesView = {
    position: { ...at, paused: { why: 'before migrate_vma_finalize', where: 'hmm.rst:402', canContinue: true } },
    pageSize: 4096,
    sectionPages: SECTION,
    subsectionPages: 512,
    maxPfn: 0x460000,
    nodes: [
      {
        id: 0,
        startPfn: 1,
        spanned: to - 1,
        present: 0x9c000 + 0x360000 - 97,
        zones: [
          zone(0, 1, 4095, 3998, 3840, 2560, { lowmemReserve: [0, 2487, 15860, 15860, 15860] }),
          zone(1, 4096, 0x9b000, 0x9b000, 618804, 401233, { lowmemReserve: [0, 0, 13373, 13373, 13373] }),
          zone(2, 0x100000, 0x360000, 0x360000, 3423492, 1911212, { changed: step > 0 ? ['free'] : [] }),
          emptyZone(3),
          zone(4, from, to - from, 0, 0, 0),
        ],
      },
    ],
    sections: [
      sections(0, 1, 0, ['DMA', 'DMA32']),
      sections(1, 19, 0, ['DMA32']),
      sections(32, 108, 0, ['Normal']),
      deviceSections(from / SECTION, (to - from) / SECTION, 0, false),
    ],
    resources: [
      ...LOW_RESOURCES,
      resource('100000', '9bffffff', 'System RAM', 0, { busy: true }),
      ...kernelImage,
      resource('9c000000', '9fffffff', 'ACPI Non-volatile Storage'),
      resource('a0000000', 'fedfffff', 'PCI Bus 0000:00'),
      resource('c0000000', 'cfffffff', 'PCI Bus 0000:01', 1),
      resource('c0000000', 'cfffffff', '0000:01:00.0', 2, { busy: true }),
      resource('100000000', '45fffffff', 'System RAM', 0, { busy: true }),
      resource('7c00000000', '7fffffffff', '0000:01:00.0', 0, { busy: true, desc: 'device private memory' }),
    ],
    devices: [gpu],
    printk: [],
  };
  return {
    zones,
    runs,
    pagemap: {
      position: at,
      pageSize: 4096,
      sectionPages: SECTION,
      changed,
      totals: totals(runs),
      extents: [
        { startPfn: 0, endPfn: 0xa0000, label: 'System RAM' },
        { startPfn: 0x100000, endPfn: 0x460000, label: 'System RAM' },
        { startPfn: from, endPfn: to, label: 'GPU memory, device private' },
      ],
    },
  };
}

function server(step: number, revision: number): Sample {
  const half = 512 * GIB;
  const pmem = [
    { start: 2 * half, end: 2 * half + 126 * GIB },
    { start: 2 * half + 128 * GIB, end: 2 * half + 256 * GIB },
  ];
  let runs = [...bootRam(0x80000, 5, 100), ...usedRam(0x100000, half, 17, 700), ...usedRam(half, 2 * half, 23, 500)];
  pmem.forEach((range, i) => {
    runs = put(runs, range.start, range.end, i === 0 ? PageKind.FsDax : PageKind.DevDax);
    runs = put(runs, range.start, range.start + 2, PageKind.Poisoned);
    runs = put(runs, range.start + 2, range.start + (range.end - range.start) / 64, PageKind.Memmap);
  });
  const at = position(
    'server-2n-pmem',
    step,
    3,
    step === 0 ? '' : 'ndctl create-namespace -m fsdax -M dev -s 126G',
    revision,
  );
  const device = (nid: number, type: string, changed: boolean): DeviceView => {
    const range = pmem[nid] ?? { start: 0, end: 1 };
    return {
      name: nid === 0 ? 'pmem0' : 'dax1.0',
      nid,
      pagemaps: [
        {
          id: nid + 1,
          type,
          ranges: [{ startPfn: range.start, endPfn: range.end }],
          owner: '',
          refs: range.end - range.start + 1,
          live: true,
          changed,
          altmap: { reserve: 2, free: 524798, alloc: 516096, align: 510 },
        },
      ],
    };
  };
  const zones: ZonesView = {
    position: at,
    pageSize: 4096,
    sectionPages: SECTION,
    subsectionPages: 512,
    maxPfn: 2 * half + 256 * GIB,
    nodes: [
      {
        id: 0,
        startPfn: 1,
        spanned: 2 * half + 126 * GIB - 1,
        present: half - 0x80000 - 97,
        zones: [
          zone(0, 1, 4095, 3998, 3840, 2816, { lowmemReserve: [0, 1872, 515731, 515731, 515731] }),
          zone(1, 4096, 0xff000, 0x7f000, 482911, 480102, { lowmemReserve: [0, 0, 513859, 513859, 513859] }),
          zone(2, 0x100000, half - 0x100000, half - 0x100000, 131548003, 98021887),
          emptyZone(3),
          zone(4, 2 * half, 126 * GIB, 0, 0, 0, { changed: step > 0 ? ['startPfn', 'spanned'] : [] }),
        ],
      },
      {
        id: 1,
        startPfn: half,
        spanned: half + 256 * GIB,
        present: half,
        zones: [
          emptyZone(0),
          emptyZone(1),
          zone(2, half, half, half, 132110336, 120551042),
          emptyZone(3),
          zone(4, 2 * half + 128 * GIB, 128 * GIB, 0, 0, 0),
        ],
      },
    ],
    sections: [
      sections(0, 1, 0, ['DMA', 'DMA32']),
      sections(1, 15, 0, ['DMA32']),
      sections(32, half / SECTION - 32, 0, ['Normal']),
      sections(half / SECTION, half / SECTION, 1, ['Normal']),
      deviceSections((2 * half) / SECTION, (126 * GIB) / SECTION - 1, 0, step > 0),
      deviceSections((2 * half + 126 * GIB) / SECTION - 1, 1, 0, step > 0, {
        taintZoneDevice: true,
        subsectionMap: [0xffff_ffff, 0x0000_ffff],
        raw: 'ffffea0000000013',
      }),
      deviceSections((2 * half + 128 * GIB) / SECTION, (128 * GIB) / SECTION, 1, false),
    ],
    resources: [
      ...LOW_RESOURCES,
      resource('100000', '7fffffff', 'System RAM', 0, { busy: true }),
      ...kernelImage,
      resource('100000000', 'ffffffffff', 'System RAM', 0, { busy: true }),
      resource('10000000000', '11f7fffffff', 'Persistent Memory'),
      resource('10000000000', '11f7fffffff', 'namespace0.0', 1, { busy: true, changed: step > 0 }),
      resource('12000000000', '13fffffffff', 'Persistent Memory'),
      resource('12000000000', '13fffffffff', 'dax1.0', 1, { busy: true }),
    ],
    devices: [device(0, 'MEMORY_DEVICE_FS_DAX', step > 0), device(1, 'MEMORY_DEVICE_GENERIC', false)],
    printk: step > 0 ? ['[  912.120045] pmem0: detected capacity change from 0 to 264241152'] : [],
  };
  return {
    zones,
    runs,
    pagemap: {
      position: at,
      pageSize: 4096,
      sectionPages: SECTION,
      totals: totals(runs),
      changed: step > 0 ? [{ startPfn: 2 * half, endPfn: 2 * half + 126 * GIB }] : [],
      extents: [
        { startPfn: 0, endPfn: 0x80000, label: 'System RAM, node 0' },
        { startPfn: 0x100000, endPfn: half, label: 'System RAM, node 0' },
        { startPfn: half, endPfn: 2 * half, label: 'System RAM, node 1' },
        { startPfn: 2 * half, endPfn: 2 * half + 126 * GIB, label: 'pmem0' },
        { startPfn: 2 * half + 128 * GIB, endPfn: 2 * half + 256 * GIB, label: 'dax1.0' },
      ],
    },
  };
}

/** 8 nodes of 2 TiB: 4,294,967,296 page frames. */
function giant(step: number, revision: number): Sample {
  const per = 2048 * GIB;
  const at = position('giant-16t', step, 0, '', revision);
  const ids = [0, 1, 2, 3, 4, 5, 6, 7];
  const runs = ids.flatMap((id) => usedRam(id * per, (id + 1) * per, id + 1, 160));
  const zones: ZonesView = {
    position: at,
    pageSize: 4096,
    sectionPages: SECTION,
    subsectionPages: 512,
    maxPfn: 8 * per,
    nodes: ids.map((id) => ({
      id,
      startPfn: id * per,
      spanned: per,
      present: per,
      zones:
        id === 0
          ? [
              zone(0, 1, 4095, 3998, 3840, 3840),
              zone(1, 4096, 0xff000, 0xff000, 1040384, 1020112),
              zone(2, 0x100000, per - 0x100000, per - 0x100000, per - 0x900000, per - 0x2000000),
              emptyZone(3),
              emptyZone(4),
            ]
          : [
              emptyZone(0),
              emptyZone(1),
              zone(2, id * per, per, per, per - 0x800000, per - 0x3000000),
              emptyZone(3),
              emptyZone(4),
            ],
    })),
    sections: ids.map((id) =>
      sections((id * per) / SECTION, per / SECTION, id, id === 0 ? ['DMA', 'DMA32', 'Normal'] : ['Normal']),
    ),
    resources: [resource('100000', 'fffffffffff', 'System RAM', 0, { busy: true })],
    devices: [],
    printk: [],
  };
  return {
    zones,
    runs,
    pagemap: {
      position: at,
      pageSize: 4096,
      sectionPages: SECTION,
      totals: totals(runs),
      changed: [],
      extents: ids.map((id) => ({ startPfn: id * per, endPfn: (id + 1) * per, label: `System RAM, node ${id}` })),
    },
  };
}

const MAKERS: Readonly<Record<SampleName, (step: number, revision: number) => Sample>> = {
  'qemu-2g': qemu,
  'laptop-16g': laptop,
  'server-2n-pmem': server,
  'giant-16t': giant,
};

export function sample(name: SampleName, step: number, revision: number): Sample {
  return MAKERS[name](step, revision);
}
