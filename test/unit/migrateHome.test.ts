/** The way home of device pages: by command, by a fault, by page frame; every release of it. */
import { describe, expect, it } from 'vitest';
import { is_migration_entry, PteKind } from '../../sim/arch/pte.ts';
import { MM_ANONPAGES, VM_FAULT_OOM, VM_FAULT_SIGBUS } from '../../sim/include/mm_types.ts';
import type { Release } from '../../sim/index.ts';
import { fork } from '../../sim/kernel/fork.ts';
import { folio_test_locked } from '../../sim/kernel/locking.ts';
import { pageData, setPageData } from '../../sim/mm/contents.ts';
import { device_private_fault } from '../../sim/mm/device_private.ts';
import { migrate_device_finalize, migrate_device_pages, migrate_device_range } from '../../sim/mm/migrate_device.ts';
import { migratePfnOf } from '../../sim/mm/migrate_pfn.ts';
import { page_pgmap, refOf } from '../../sim/mm/pagemap.ts';
import { pteAt } from '../../sim/mm/pgtable.ts';
import {
  change,
  fillFromRam,
  frame,
  kindAt,
  migrateArgs,
  place,
  run,
  toDevice,
  toSystem,
} from '../support/testDevice.ts';

describe('the way home', () => {
  it.each<Release>([
    '4.14',
    '4.20',
    '5.2',
    '5.3',
    '5.4',
    '5.15',
    '5.17',
    '5.18',
    '6.0',
    '6.1',
    '6.12',
    '6.15',
    '6.19',
    '7.3',
  ])('%s: there and back, contents, charge and counts are what they were', (release) => {
    const { machine, device, mm, vma } = place(release, 8, 8);
    const { kernel } = machine;
    const map = page_pgmap(kernel, device.free[0] ?? 0);
    const idle = kernel.pages.refcount.get(device.free.at(-1) ?? 0);
    const references = map && refOf(map.pgmap)?.count;
    change(machine, () => {
      setPageData(kernel, frame(mm, vma.start + 3), { base: 77, step: 1 });
    });
    const usage = mm.memcg.usage;
    const pages = device.free.slice(-8);
    expect(toDevice(machine, device, vma).cpages).toBe(8);
    expect([mm.memcg.usage, mm.rss[MM_ANONPAGES], kernel.state.vm.get('nr_anon_pages')]).toEqual([usage, 8, 8]);
    expect(kindAt(mm, vma.start)).toBe(PteKind.DeviceWrite);
    expect(pageData(kernel, frame(mm, vma.start + 3))).toMatchObject({ base: 77 });
    for (const pfn of pages)
      expect(kernel.pages.refcount.get(pfn)).toBe(idle + (kernel.facts.pageFreeAtZero && idle === 1 ? 0 : 1));
    expect(toSystem(machine, device, vma).cpages).toBe(8);
    expect([mm.memcg.usage, mm.rss[MM_ANONPAGES], kernel.state.vm.get('nr_anon_pages')]).toEqual([usage, 8, 8]);
    expect(pageData(kernel, frame(mm, vma.start + 3))).toMatchObject({ base: 77 });
    expect(kindAt(mm, vma.start)).toBe(PteKind.Present);
    for (const pfn of pages) expect(kernel.pages.refcount.get(pfn)).toBe(idle);
    expect(device.freed.toSorted()).toEqual(pages.toSorted());
    expect(map && refOf(map.pgmap)?.count).toBe(references);
    expect([...kernel.state.folios.keys()].some((pfn) => pages.includes(pfn))).toBe(false);
  });

  it('a fault calls the driver and gives what the driver gives', () => {
    const { machine, device, mm, vma } = place('6.12', 2);
    toDevice(machine, device, vma);
    const fault = () =>
      run(machine, (kernel) => device_private_fault(kernel, { vma, vpn: vma.start, flags: 0 }, frame(mm, vma.start)));
    for (const result of [VM_FAULT_SIGBUS, VM_FAULT_OOM]) {
      device.result = result;
      expect(fault()).toBe(result);
      expect(kindAt(mm, vma.start)).toBe(PteKind.DeviceWrite);
    }
    device.result = undefined;
    expect(fault()).toBe(0);
    expect([kindAt(mm, vma.start), kindAt(mm, vma.start + 1)]).toEqual([PteKind.Present, PteKind.DeviceWrite]);
    expect(device.freed).toHaveLength(1);
  });

  it.each<[Release, number, boolean]>([
    ['6.0', 1, false],
    ['6.1', 2, false],
    ['6.14', 2, false],
    ['6.15', 2, true],
  ])('%s: during the fault the device page has %i reference(s); locked: %s', (release, references, locked) => {
    const { machine, device, mm, vma } = place(release, 1);
    const { kernel } = machine;
    toDevice(machine, device, vma);
    const page = frame(mm, vma.start);
    let seen: unknown[] = [];
    const map = page_pgmap(kernel, page);
    const ask = map?.native?.migrate_to_ram;
    if (!map?.native) throw new Error('no driver');
    map.native.migrate_to_ram = function* (kernel, vmf) {
      seen = [kernel.pages.refcount.get(page), folio_test_locked(kernel, page)];
      return ask ? yield* ask(kernel, vmf) : 0;
    };
    expect(run(machine, () => device_private_fault(kernel, { vma, vpn: vma.start, flags: 0 }, page))).toBe(0);
    expect(seen).toEqual([references, locked]);
    expect(kindAt(mm, vma.start)).toBe(PteKind.Present);
    expect(device.freed).toEqual([page]);
  });

  it('pages shared after fork come home for both processes', () => {
    const { machine, device, mm, vma } = place('6.12', 1);
    const { kernel } = machine;
    const child = run(machine, () => fork(kernel, mm.owner));
    if (typeof child === 'number' || !child.mm) throw new Error('fork');
    const ram = frame(mm, vma.start);
    expect(kernel.pages.mapcount.get(ram)).toBe(1);
    toDevice(machine, device, vma);
    const page = frame(mm, vma.start);
    expect([kindAt(mm, vma.start), kindAt(child.mm, vma.start)]).toEqual([PteKind.DeviceRead, PteKind.DeviceRead]);
    expect([kernel.pages.refcount.get(page), kernel.pages.mapcount.get(page)]).toEqual([2, 1]);
    toSystem(machine, device, vma);
    expect([kindAt(mm, vma.start), kindAt(child.mm, vma.start)]).toEqual([PteKind.Present, PteKind.Present]);
    expect(frame(child.mm, vma.start)).toBe(frame(mm, vma.start));
    expect(device.freed).toEqual([page]);
  });
});

describe('device pages by page frame', () => {
  it('are collected where they are in use, wherever they are mapped; free frames are 0', () => {
    const { machine, device, mm, vma } = place('6.12', 3);
    toDevice(machine, device, vma, vma.start, 2);
    const first = Math.min(frame(mm, vma.start), frame(mm, vma.start + 1)) - 1;
    run(machine, function* (kernel) {
      const src: number[] = [];
      yield* migrate_device_range(kernel, src, first, 3);
      expect(src.map((entry) => migratePfnOf(entry) >= 0)).toEqual([false, true, true]);
      expect(is_migration_entry(pteAt(mm, vma.start))).toBe(true);
      const args = { ...migrateArgs(vma, 0, 0), src, dst: [0, 0, 0], npages: 3 };
      fillFromRam(kernel, args);
      yield* migrate_device_pages(kernel, src, args.dst, 3);
      yield* migrate_device_finalize(kernel, src, args.dst, 3);
    });
    expect(kindAt(mm, vma.start)).toBe(PteKind.Present);
    expect(device.freed).toHaveLength(2);
  });
});
