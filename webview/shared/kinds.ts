/**
 * The sixteen things a page frame can be (`PageKind` of the engine, same order): names, marks and colours.
 *
 * The colours of a theme differ by at least 0.065 in OKLab, pair by pair, for ordinary sight and for simulated
 * protanopia, deuteranopia and tritanopia; a unit test holds them to it. Where cells are large enough the
 * mark tells them apart without any colour.
 */
import type { ThemeKind } from './theme.ts';

export interface KindLook {
  name: string;
  /** One sentence for tooltips. */
  about: string;
  /** A path in a box of 16 by 16, empty for none. */
  mark: string;
  filled?: boolean;
}

export const KIND_LOOKS: readonly KindLook[] = [
  { name: 'No struct page', about: 'pfn_valid() is false here', mark: '' },
  { name: 'Reserved', about: 'PG_reserved since boot: firmware, kernel image, early allocations', mark: 'M5 5h6v6H5z' },
  { name: 'Free', about: 'On a free list of the page allocator', mark: '' },
  {
    name: 'Kernel',
    about: 'Allocated by the kernel for itself',
    mark: 'M8 5.4a2.6 2.6 0 1 1-.01 0z',
    filled: true,
  },
  { name: 'Anonymous', about: 'Anonymous memory of a process', mark: 'M8 4v8' },
  { name: 'File', about: 'Page cache', mark: 'M4.5 6.3h7M4.5 9.7h7' },
  { name: 'Memmap', about: 'Holds struct pages', mark: 'M6.3 4v8M9.7 4v8M4 6.3h8M4 9.7h8' },
  { name: 'Offline', about: 'In a memory block that is not online', mark: 'M4.5 11.5l7-7' },
  { name: 'Device private', about: 'MEMORY_DEVICE_PRIVATE, free in its driver', mark: 'M8 4l4 4-4 4-4-4z' },
  { name: 'Device coherent', about: 'MEMORY_DEVICE_COHERENT, free in its driver', mark: 'M6.2 4v8M9.8 4v8' },
  { name: 'FS DAX', about: 'MEMORY_DEVICE_FS_DAX: a file system on persistent memory', mark: 'M8 4.5l4 7H4z' },
  { name: 'Device DAX', about: 'MEMORY_DEVICE_GENERIC: a character device', mark: 'M8 11.5l-4-7h8z' },
  {
    name: 'PCI P2PDMA',
    about: 'Memory of a PCI device, for peer-to-peer DMA',
    mark: 'M4 8h8M6.2 5.6L3.8 8l2.4 2.4M9.8 5.6L12.2 8l-2.4 2.4',
  },
  {
    name: 'Poisoned',
    about: 'A struct page that was poisoned or never initialised',
    mark: 'M4.5 4.5l7 7M11.5 4.5l-7 7',
  },
  { name: 'Unavailable', about: 'A struct page over a hole in memory', mark: 'M4.5 4.5l7 7' },
  { name: 'Device in use', about: 'A device page handed out by its driver', mark: 'M8 4l4 4-4 4-4-4z', filled: true },
];

const LIGHT = [
  '#f2f7f7',
  '#868d99',
  '#cee8d0',
  '#e69f00',
  '#2d80d4',
  '#84c5f5',
  '#f2d64b',
  '#c9ccd0',
  '#c9adc8',
  '#9165b0',
  '#4ab28a',
  '#126c65',
  '#b06a34',
  '#b3261e',
  '#59454a',
  '#5822a9',
] as const;
const DARK = [
  '#282828',
  '#717f92',
  '#2d6343',
  '#d98b15',
  '#3981d6',
  '#83bdcf',
  '#e3cf55',
  '#4b4c5e',
  '#6d5aa8',
  '#9f8edc',
  '#3fb394',
  '#25776c',
  '#9c683d',
  '#e5695d',
  '#3d3a44',
  '#d2b2ff',
] as const;
const HIGH_CONTRAST = [
  '#101010',
  '#8c96a3',
  '#206b45',
  '#ff9d1e',
  '#2e83ff',
  '#8bd4ff',
  '#ffe749',
  '#4b515d',
  '#7d5cd6',
  '#b58cff',
  '#41d09f',
  '#1c8d80',
  '#ba721e',
  '#ff4c55',
  '#433b4e',
  '#e1e3ff',
] as const;

export const KIND_COLOURS: Readonly<Record<ThemeKind, readonly string[]>> = {
  light: LIGHT,
  dark: DARK,
  hcDark: HIGH_CONTRAST,
  hcLight: LIGHT,
};

export function kindName(kind: number): string {
  return KIND_LOOKS[kind]?.name ?? `Kind ${kind}`;
}

/** `#rrggbb` as three bytes. */
export function rgb(colour: string): [number, number, number] {
  const n = Number.parseInt(colour.slice(1, 7), 16);
  return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
}

/** Black or white, whichever is easier to read on the colour. */
export function inkOn(colour: string): string {
  const [r, g, b] = rgb(colour).map((c) => (c / 255) ** 2.2) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.22 ? '#000000' : '#ffffff';
}
