import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAGE_KINDS, PageKind } from '../../sim/include/types.ts';
import { TILE_CELLS } from '../../sim/view/types.ts';
import { KINDS, TILE_CELLS as PANEL_TILE_CELLS } from '../../webview/protocol/pagemap.ts';
import { parsePlace } from '../../webview/protocol/place.ts';
import { count, percent, pfnRange, size } from '../../webview/shared/format.ts';
import { memoryHost } from '../../webview/shared/host.ts';
import { KIND_COLOURS, KIND_LOOKS, kindName, rgb } from '../../webview/shared/kinds.ts';
import { THEME_KINDS } from '../../webview/shared/theme.ts';

type Triple = readonly [number, number, number];

function linear(colour: string): Triple {
  return rgb(colour).map((byte) => {
    const c = byte / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as unknown as Triple;
}

function oklab([r, g, b]: Triple): Triple {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/** Machado, Oliveira, Fernandes (2009), severity 1. */
const SIGHT: Readonly<Record<string, readonly [Triple, Triple, Triple]>> = {
  ordinary: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function seen(colour: string, sight: readonly [Triple, Triple, Triple]): Triple {
  const c = linear(colour);
  return oklab(
    sight.map((row) => Math.min(1, Math.max(0, row[0] * c[0] + row[1] * c[1] + row[2] * c[2]))) as unknown as Triple,
  );
}

describe('the kinds of page frames', () => {
  it('are those of the engine', () => {
    expect(KIND_LOOKS).toHaveLength(PAGE_KINDS);
    expect(KINDS).toBe(PAGE_KINDS);
    expect(PANEL_TILE_CELLS).toBe(TILE_CELLS);
    expect(kindName(PageKind.DevicePrivate)).toBe('Device private');
    expect(kindName(PageKind.DeviceInUse)).toBe('Device in use');
    expect(kindName(PageKind.Memmap)).toBe('Memmap');
  });

  it.each(THEME_KINDS)('differ in colour in the %s theme, for every kind of sight', (theme) => {
    const colours = KIND_COLOURS[theme];
    expect(colours).toHaveLength(PAGE_KINDS);
    for (const [name, sight] of Object.entries(SIGHT)) {
      const labs = colours.map((colour) => seen(colour, sight));
      labs.forEach((a, i) => {
        labs.slice(i + 1).forEach((b, k) => {
          const distance = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
          expect(distance, `${kindName(i)} and ${kindName(i + 1 + k)}, ${name}`).toBeGreaterThanOrEqual(0.065);
        });
      });
    }
  });

  it('differ without any colour: no two marks alike but those of free memory and of nothing', () => {
    const marks = KIND_LOOKS.map((look) => `${look.mark}${look.filled === true ? ' filled' : ''}`);
    expect(new Set(marks).size).toBe(PAGE_KINDS - 1);
    expect(marks[PageKind.Hole]).toBe(marks[PageKind.Free]);
  });
});

describe('numbers in words', () => {
  it('are exact where they can be', () => {
    expect(count(520157)).toBe('520,157');
    expect(size(262144, 4096)).toBe('1 GiB');
    expect(size(3998, 4096)).toBe('15.62 MiB');
    expect(size(1150 * 262144, 4096)).toBe('1150 GiB');
    expect(size(2 ** 32, 4096)).toBe('16 TiB');
    expect(percent(0.9999)).toBe('>99.9%');
    expect(percent(0.0001)).toBe('<0.1%');
    expect(pfnRange(0x100000, 0x140000)).toBe('0x100000–0x13ffff');
  });

  it('read a place as page frame, address or size', () => {
    const has = (pfn: number) => (pfn >= 0 && pfn < 0x80000) || (pfn >= 0xfcf0000 && pfn < 0xfd00000);
    const place = (typed: string) => parsePlace(typed, 4096, has);
    expect(place('0xfcf0000')).toBe(0xfcf0000);
    expect(place('fcf0001')).toBe(0xfcf0001);
    expect(place('0xfcf0000000')).toBe(0xfcf0000);
    expect(place('1G')).toBe(262144);
    expect(place('1.5 GiB')).toBe(393216);
    expect(place('4096')).toBe(4096);
    expect(place('3G')).toBeUndefined();
    expect(place('over there')).toBeUndefined();
    fc.assert(
      fc.property(fc.string(), (typed) => {
        const pfn = place(typed);
        if (pfn !== undefined) expect(has(pfn)).toBe(true);
      }),
    );
  });
});

describe('the host in memory', () => {
  it('keeps what was posted and speaks until nobody listens', () => {
    const host = memoryHost<string>({ zoom: 3 });
    const heard: unknown[] = [];
    const stop = host.listen((data) => heard.push(data));
    host.post('ready');
    host.send(1);
    stop();
    host.send(2);
    expect(host.posted).toEqual(['ready']);
    expect(heard).toEqual([1]);
    expect(host.getState()).toEqual({ zoom: 3 });
  });
});
