/** mm/migrate_device.c: what each step does to references, entries, locks and charges; 6.12 unless a claim names another release. */
import { describe, expect, it } from 'vitest';
import { is_migration_entry, PteKind, pte_none, pte_pfn, pteKind, withBits } from '../../sim/arch/pte.ts';
import {
  MM_ANONPAGES,
  type Mm,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  VM_HUGEPAGE,
  VM_HUGETLB,
  VM_IO,
  type Vma,
} from '../../sim/include/mm_types.ts';
import { type Machine, type Release, runShellLine } from '../../sim/index.ts';
import { fork } from '../../sim/kernel/fork.ts';
import { folio_test_locked, folio_trylock } from '../../sim/kernel/locking.ts';
import { lineProgram } from '../../sim/machine/machine.ts';
import { pageData, setPageData } from '../../sim/mm/contents.ts';
import { device_private_fault, migration_entry_wait } from '../../sim/mm/device_private.ts';
import { alloc_folio, folio_get, folio_put_system } from '../../sim/mm/folio.ts';
import { PG_ANON_EXCLUSIVE, PG_LRU, testFlag } from '../../sim/mm/folio_record.ts';
import { handle_mm_fault } from '../../sim/mm/memory.ts';
import { memunmap_pages } from '../../sim/mm/memremap.ts';
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  migrate_device_finalize,
  migrate_device_pages,
  migrate_device_range,
  migrate_vma_finalize,
  migrate_vma_pages,
  migrate_vma_setup,
} from '../../sim/mm/migrate_device.ts';
import { hasBit, migratePfnOf } from '../../sim/mm/migrate_pfn.ts';
import { page_pgmap, refOf } from '../../sim/mm/pagemap.ts';
import { hugePmdAt, pteAt, set_pte_at } from '../../sim/mm/pgtable.ts';
import { lru_add_drain } from '../../sim/mm/swap.ts';
import { global_stat } from '../../sim/mm/vmstat.ts';
import { device_page_alloc } from '../../sim/mm/zone_device_page.ts';
import type { KernelGenerator } from '../../sim/task/task.ts';
import {
  bootWith,
  change,
  fillFromDevice,
  fillFromRam,
  migrateArgs,
  newDevice,
  newSpace,
  run,
  type TestDevice,
  toDevice,
  toSystem,
} from '../support/testDevice.ts';

const NOT_MAPPED = 0xffffffff;
const kindAt = (mm: Mm, vpn: number) => pteKind(pteAt(mm, vpn));
const frame = (mm: Mm, vpn: number) => pte_pfn(pteAt(mm, vpn));

interface Place {
  machine: Machine;
  device: TestDevice;
  mm: Mm;
  vma: Vma;
}
function place(release: Release = '6.12', pages = 4, touched = pages, type: 'PRIVATE' | 'COHERENT' = 'PRIVATE'): Place {
  const machine = bootWith(release);
  const device = newDevice(machine, type);
  return { machine, device, ...newSpace(machine, pages, touched) };
}

describe('one private page to the device', () => {
  it('counts its references as the kernel does, step by step', () => {
    const { machine, device, mm, vma } = place('6.12', 1);
    const { kernel } = machine;
    const { refcount, mapcount } = kernel.pages;
    const ram = frame(mm, vma.start);
    // The page was just faulted in: its batch of mm/swap.c holds it, too.
    expect([refcount.get(ram), mapcount.get(ram), testFlag(kernel, ram, PG_LRU)]).toEqual([2, 0, false]);
    run(machine, function* () {
      const args = migrateArgs(vma, vma.start, 1, 1, device.owner);
      expect(yield* migrate_vma_setup(kernel, args)).toBe(0);
      expect(args).toMatchObject({
        cpages: 1,
        npages: 1,
        src: [ram * 64 + MIGRATE_PFN_VALID + MIGRATE_PFN_MIGRATE + MIGRATE_PFN_WRITE],
        dst: [0],
      });
      expect(kindAt(mm, vma.start)).toBe(PteKind.MigrationWrite);
      expect([refcount.get(ram), mapcount.get(ram), testFlag(kernel, ram, PG_LRU)]).toEqual([1, NOT_MAPPED, false]);
      expect(folio_test_locked(kernel, ram)).toBe(true);
      fillFromDevice(kernel, device, args);
      const page = migratePfnOf(args.dst[0] ?? 0);
      expect([refcount.get(page), folio_test_locked(kernel, page)]).toEqual([1, true]);
      yield* migrate_vma_pages(kernel, args);
      expect([refcount.get(ram), refcount.get(page), mapcount.get(page)]).toEqual([1, 1, NOT_MAPPED]);
      expect(kindAt(mm, vma.start)).toBe(PteKind.MigrationWrite);
      yield* migrate_vma_finalize(kernel, args);
      expect([refcount.get(ram), refcount.get(page), mapcount.get(page)]).toEqual([0, 1, 0]);
      expect(folio_test_locked(kernel, page)).toBe(false);
      expect([kindAt(mm, vma.start), frame(mm, vma.start)]).toEqual([PteKind.DeviceWrite, page]);
      expect(testFlag(kernel, page, PG_ANON_EXCLUSIVE)).toBe(true);
    });
  });

  it('to 6.11 the old page passes the LRU batch before it is freed; in 6.12 it is free at once', () => {
    for (const [release, left] of [
      ['6.11', 1],
      ['6.12', 0],
    ] as const) {
      const { machine, device, mm, vma } = place(release, 1);
      const ram = frame(mm, vma.start);
      toDevice(machine, device, vma);
      expect(machine.kernel.pages.refcount.get(ram), release).toBe(left);
      change(machine, () => {
        lru_add_drain(machine.kernel);
      });
      expect(machine.kernel.pages.refcount.get(ram), release).toBe(0);
    }
  });

  it('a page read only leaves a readable device entry; a dirty one is dirty on the device', () => {
    const { machine, device, mm, vma } = place('6.12', 2);
    const { kernel } = machine;
    change(machine, () => {
      set_pte_at(kernel, mm, vma.start, withBits(pteAt(mm, vma.start), 0, 0x10));
    });
    toDevice(machine, device, vma);
    expect([kindAt(mm, vma.start), kindAt(mm, vma.start + 1)]).toEqual([PteKind.DeviceRead, PteKind.DeviceWrite]);
  });
});

describe('what a range collects', () => {
  it('holes of anonymous memory and the page of zeros count in cpages, and get pages of their own', () => {
    const { machine, device, mm, vma } = place('6.12', 4, 0);
    run(machine, (kernel) => handle_mm_fault(kernel, vma, vma.start, 0));
    const rss = mm.rss[MM_ANONPAGES];
    const usage = mm.memcg.usage;
    const args = toDevice(machine, device, vma);
    expect(args).toMatchObject({ cpages: 4, src: [2, 2, 2, 2] });
    for (let i = 0; i < 4; i++) expect(kindAt(mm, vma.start + i)).toBe(PteKind.DeviceWrite);
    expect(mm.rss[MM_ANONPAGES] - rss).toBe(4);
    expect(mm.memcg.usage - usage).toBe(4);
  });

  it('pages already on the device are not system memory: they stay where they are', () => {
    const { machine, device, mm, vma } = place();
    toDevice(machine, device, vma, vma.start, 2);
    const before = [frame(mm, vma.start), frame(mm, vma.start + 1)];
    const args = toDevice(machine, device, vma);
    expect(args.cpages).toBe(2);
    expect(args.src.slice(0, 2)).toEqual([0, 0]);
    expect([frame(mm, vma.start), frame(mm, vma.start + 1)]).toEqual(before);
  });

  it('another owner gets nothing', () => {
    const { machine, device, vma } = place();
    const other = newDevice(machine, 'PRIVATE', 512);
    toDevice(machine, device, vma);
    const args = toSystem(machine, { ...device, owner: other.owner }, vma);
    expect(args).toMatchObject({ cpages: 0, src: [0, 0, 0, 0] });
  });

  it('to 5.6 nobody is asked for an owner', () => {
    const { machine, device, mm, vma } = place('5.6');
    toDevice(machine, device, vma);
    expect(toSystem(machine, { ...device, owner: undefined }, vma).cpages).toBe(4);
    expect(kindAt(mm, vma.start)).toBe(PteKind.Present);
  });

  it("5.7 with an owner takes that owner's pages only, without one system memory", () => {
    const { machine, device, vma } = place('5.7');
    toDevice(machine, device, vma, vma.start, 2);
    const owned = run(machine, function* (kernel) {
      const args = migrateArgs(vma, vma.start, 4, 0, device.owner);
      yield* migrate_vma_setup(kernel, args);
      yield* migrate_vma_pages(kernel, args);
      yield* migrate_vma_finalize(kernel, args);
      return args;
    });
    expect(owned.cpages).toBe(2);
  });

  it('coherent pages are mapped like memory, and collected with their flag and owner', () => {
    const { machine, device, mm, vma } = place('6.12', 4, 4, 'COHERENT');
    toDevice(machine, device, vma);
    expect(kindAt(mm, vma.start)).toBe(PteKind.Present);
    expect(machine.kernel.pages.pgmap.get(frame(mm, vma.start))).not.toBe(0);
    expect(toDevice(machine, device, vma).cpages).toBe(0);
    expect(toSystem(machine, device, vma).cpages).toBe(4);
    expect(device.freed).toHaveLength(4);
  });
});

describe('-EINVAL', () => {
  const attempt = (change: (args: ReturnType<typeof migrateArgs>) => object, flags = 0) => {
    const { machine, vma } = place();
    if (flags) machine.kernel.store.set(vma, 'flags', vma.flags | flags);
    const mark = machine.kernel.mark();
    const args = { ...migrateArgs(vma, vma.start, 4), ...change(migrateArgs(vma, vma.start, 4)) };
    const error = run(machine, (kernel) => migrate_vma_setup(kernel, args));
    expect(machine.kernel.mark()).toBe(mark);
    return error;
  };
  it.each([
    ['no VMA', () => ({ vma: undefined }), 0],
    ['an empty range', ({ start }: { start: number }) => ({ end: start }), 0],
    ['an end before the start', ({ start }: { start: number }) => ({ end: start - 1 }), 0],
    ['a start before the VMA', ({ start }: { start: number }) => ({ start: start - 1 }), 0],
    ['an end behind the VMA', ({ end }: { end: number }) => ({ end: end + 1 }), 0],
    ['a hugetlb VMA', () => ({}), VM_HUGETLB],
    ['a VMA of a device', () => ({}), VM_IO],
    ['a fault page of system memory', () => ({ fault_page: 0x1000 }), 0],
  ] as const)('%s, and nothing is touched', (_what, change, flags) => {
    expect(attempt(change as never, flags)).toBe(-22);
  });
});

describe('a page that cannot move', () => {
  it('because somebody holds it is mapped again as it was, on its list, unlocked', () => {
    const { machine, device, mm, vma } = place('6.12', 2);
    const { kernel } = machine;
    const ram = frame(mm, vma.start);
    const before = pteAt(mm, vma.start);
    change(machine, () => {
      lru_add_drain(kernel);
      folio_get(kernel, ram);
    });
    const args = toDevice(machine, device, vma);
    expect(args).toMatchObject({ cpages: 1, src: [0, expect.any(Number)] });
    expect(pteAt(mm, vma.start)).toBe(before);
    expect([kernel.pages.refcount.get(ram) - kernel.state.lru_add.filter((pfn) => pfn === ram).length]).toEqual([2]);
    expect(folio_test_locked(kernel, ram)).toBe(false);
    expect(testFlag(kernel, ram, PG_ANON_EXCLUSIVE)).toBe(true);
    change(machine, () => {
      folio_put_system(kernel, ram);
    });
    expect(toDevice(machine, device, vma).cpages).toBe(1);
  });

  it('because somebody has its lock is passed over', () => {
    const { machine, device, mm, vma } = place('6.12', 2);
    const { kernel } = machine;
    const ram = frame(mm, vma.start);
    change(machine, () => {
      folio_trylock(kernel, ram);
    });
    expect(toDevice(machine, device, vma)).toMatchObject({ cpages: 1, src: [0, expect.any(Number)] });
    expect(kindAt(mm, vma.start)).toBe(PteKind.Present);
  });

  it('5.4 tries the lock of a page again when it has seen the whole range', () => {
    const { machine, device, mm, vma } = place('5.4', 2);
    const { kernel } = machine;
    const ram = frame(mm, vma.start);
    change(machine, () => {
      folio_trylock(kernel, ram);
    });
    expect(toDevice(machine, device, vma).src[0]).toBe(0);
    expect([kindAt(mm, vma.start), kernel.pages.refcount.get(ram)]).toEqual([PteKind.Present, 1]);
  });

  it('one reference too many on a device page passes setup and is found by migrate_vma_pages', () => {
    const { machine, device, mm, vma } = place('6.12', 1);
    const { kernel } = machine;
    toDevice(machine, device, vma);
    const page = frame(mm, vma.start);
    run(machine, function* () {
      folio_get(kernel, page);
      const args = migrateArgs(vma, vma.start, 1, 2, device.owner);
      yield* migrate_vma_setup(kernel, args);
      expect([args.cpages, hasBit(args.src[0] ?? 0, MIGRATE_PFN_MIGRATE)]).toEqual([1, true]);
      fillFromRam(kernel, args);
      yield* migrate_vma_pages(kernel, args);
      expect(hasBit(args.src[0] ?? 0, MIGRATE_PFN_MIGRATE)).toBe(false);
      yield* migrate_vma_finalize(kernel, args);
    });
    expect([kindAt(mm, vma.start), frame(mm, vma.start)]).toEqual([PteKind.DeviceWrite, page]);
    expect(kernel.pages.refcount.get(page)).toBe(2);
  });

  it('because no destination is given goes back, and its memory is what it was', () => {
    const { machine, device, mm, vma } = place('6.12', 2);
    const before = [pteAt(mm, vma.start), pteAt(mm, vma.start + 1)];
    device.free.length = 0;
    const args = toDevice(machine, device, vma);
    expect(args.cpages).toBe(2);
    expect(args.src.map((entry) => hasBit(entry, MIGRATE_PFN_MIGRATE))).toEqual([false, false]);
    expect([pteAt(mm, vma.start), pteAt(mm, vma.start + 1)]).toEqual(before);
  });
});

describe('a race between setup and pages', () => {
  it('somebody takes a reference: the copy is thrown away and the old page stays', () => {
    const { machine, device, mm, vma } = place('6.12', 1);
    const { kernel } = machine;
    const ram = frame(mm, vma.start);
    const free = device.free.length;
    run(machine, function* () {
      const args = migrateArgs(vma, vma.start, 1, 1, device.owner);
      yield* migrate_vma_setup(kernel, args);
      fillFromDevice(kernel, device, args);
      folio_get(kernel, ram);
      yield* migrate_vma_pages(kernel, args);
      expect(hasBit(args.src[0] ?? 0, MIGRATE_PFN_MIGRATE)).toBe(false);
      yield* migrate_vma_finalize(kernel, args);
    });
    expect([kindAt(mm, vma.start), frame(mm, vma.start)]).toEqual([PteKind.Present, ram]);
    expect(device.free).toHaveLength(free);
    expect(device.freed).toHaveLength(1);
  });

  it('somebody faults a hole in: the new page is not inserted', () => {
    const { machine, device, mm, vma } = place('6.12', 1, 0);
    const { kernel } = machine;
    run(machine, function* () {
      const args = migrateArgs(vma, vma.start, 1, 1, device.owner);
      yield* migrate_vma_setup(kernel, args);
      fillFromDevice(kernel, device, args);
      yield* handle_mm_fault(kernel, vma, vma.start, 1);
      yield* migrate_vma_pages(kernel, args);
      yield* migrate_vma_finalize(kernel, args);
      expect(hasBit(args.src[0] ?? 0, MIGRATE_PFN_MIGRATE)).toBe(false);
    });
    expect(kindAt(mm, vma.start)).toBe(PteKind.Present);
    expect([mm.memcg.usage, mm.rss[MM_ANONPAGES]]).toEqual([1, 1]);
    expect(device.freed).toHaveLength(1);
  });

  it('a limit that is far exceeded stops no page that is charged already', () => {
    const { machine, device, mm, vma } = place('6.12', 4);
    change(machine, (kernel) => kernel.store.set(mm.memcg, 'max', 0));
    const args = toDevice(machine, device, vma);
    expect(args.src.every((entry) => hasBit(entry, MIGRATE_PFN_MIGRATE))).toBe(true);
    expect([mm.memcg.usage, mm.memcg.events.max]).toEqual([4, 0]);
  });

  it('undone and done again, a migration leaves the same bytes', () => {
    const { machine, device, mm, vma } = place('6.12', 8);
    const before = machine.canonical();
    const position = machine.position;
    toDevice(machine, device, vma);
    const after = machine.canonical();
    const there = machine.position;
    expect(kindAt(mm, vma.start)).toBe(PteKind.DeviceWrite);
    machine.travel(position);
    expect(machine.canonical()).toBe(before);
    machine.travel(there);
    expect(machine.canonical()).toBe(after);
  });

  it('a limit is reached: the hole stays a hole', () => {
    const { machine, device, mm, vma } = place('6.12', 2, 0);
    machine.kernel.store.set(mm.memcg, 'max', 1);
    const args = toDevice(machine, device, vma);
    expect(args.src.map((entry) => hasBit(entry, MIGRATE_PFN_MIGRATE))).toEqual([true, false]);
    expect([mm.memcg.usage, mm.memcg.events.max]).toEqual([1, expect.any(Number)]);
    expect(mm.memcg.events.max).toBeGreaterThan(0);
    expect(pte_none(pteAt(mm, vma.start + 1))).toBe(true);
  });
});

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
    expect([mm.memcg.usage, mm.rss[MM_ANONPAGES], global_stat(kernel, 'nr_anon_pages')]).toEqual([usage, 8, 8]);
    expect(kindAt(mm, vma.start)).toBe(PteKind.DeviceWrite);
    expect(pageData(kernel, frame(mm, vma.start + 3))).toMatchObject({ base: 77 });
    for (const pfn of pages)
      expect(kernel.pages.refcount.get(pfn)).toBe(idle + (kernel.has('pageFreeAtZero') && idle === 1 ? 0 : 1));
    expect(toSystem(machine, device, vma).cpages).toBe(8);
    expect([mm.memcg.usage, mm.rss[MM_ANONPAGES], global_stat(kernel, 'nr_anon_pages')]).toEqual([usage, 8, 8]);
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

describe('a memory block that goes offline', () => {
  it('sends the pages of processes elsewhere, with what they hold', () => {
    const { machine, mm, vma } = place('6.12', 64, 0);
    const { kernel } = machine;
    newSpace(machine, 30000);
    run(machine, function* () {
      for (let i = 0; i < 64; i++) yield* handle_mm_fault(kernel, vma, vma.start + i, 1);
    });
    const child = run(machine, () => fork(kernel, mm.owner));
    if (typeof child === 'number' || !child.mm) throw new Error('fork');
    change(machine, () => {
      for (let i = 0; i < 64; i++) setPageData(kernel, frame(mm, vma.start + i), { base: i + 1, step: 0 });
    });
    const before = Array.from({ length: 64 }, (_, i) => frame(mm, vma.start + i));
    const blocks = new Set(before.map((pfn) => Math.floor(pfn / 0x8000)));
    const moves = [...blocks].filter(
      (block) =>
        runShellLine(machine, `echo offline > /sys/devices/system/memory/memory${block}/state`)?.error === undefined,
    );
    expect(moves.length).toBeGreaterThan(0);
    for (const [i, old] of before.entries()) {
      const now = frame(mm, vma.start + i);
      expect(frame(child.mm, vma.start + i)).toBe(now);
      expect(moves.includes(Math.floor(now / 0x8000))).toBe(false);
      expect(now === old).toBe(!moves.includes(Math.floor(old / 0x8000)));
      expect(pageData(kernel, now)).toMatchObject({ base: i + 1 });
      expect(kernel.pages.mapcount.get(now)).toBe(1);
    }
    expect(global_stat(kernel, 'pgmigrate_success')).toBeGreaterThan(0);
    expect(mm.memcg.usage).toBe([...kernel.state.folios.values()].filter((folio) => folio.memcg === mm.memcg).length);
  });
});

describe('who waits', () => {
  const start = (machine: Machine, label: string, body: () => KernelGenerator<unknown>) =>
    machine.run(
      lineProgram(label, function* () {
        yield* body();
        return undefined;
      }),
    );

  it('a fault on a migration entry waits for the page, names who moves it, and goes on when it is unlocked', () => {
    const { machine, device, mm, vma } = place('6.12', 1);
    const { kernel } = machine;
    const args = migrateArgs(vma, vma.start, 1, 1, device.owner);
    const gate = { open: false };
    const mover = start(machine, 'mover', function* () {
      yield* migrate_vma_setup(kernel, args);
      yield { kind: 'wait', on: { what: 'the device', ready: () => gate.open, holders: () => [] } };
      fillFromDevice(kernel, device, args);
      yield* migrate_vma_pages(kernel, args);
      yield* migrate_vma_finalize(kernel, args);
    });
    const toucher = start(machine, 'toucher', () => migration_entry_wait(kernel, mm, vma.start, pteAt(mm, vma.start)));
    expect(toucher.waitsFor?.holders()).toEqual(['mover']);
    expect(toucher.status).toBe('waiting');
    gate.open = true;
    machine.runReady();
    expect([mover.status, toucher.status]).toEqual(['done', 'done']);
    expect(kindAt(mm, vma.start)).toBe(PteKind.DeviceWrite);
  });

  it('memunmap_pages waits for pages that are out and names who maps them', () => {
    const { machine, device, mm, vma } = place('6.12', 2);
    const { kernel } = machine;
    toDevice(machine, device, vma);
    const map = page_pgmap(kernel, frame(mm, vma.start));
    if (!map) throw new Error('no pagemap');
    const unmapper = start(machine, 'unmap', () => memunmap_pages(kernel, map.pgmap));
    expect(unmapper.status).toBe('waiting');
    expect(unmapper.waitsFor?.holders().join()).toMatch(`mapped by test (${mm.owner.pid})`);
    toSystem(machine, device, vma);
    expect(unmapper.status).toBe('done');
    expect(kernel.state.pgmaps).toHaveLength(0);
  });
});

describe('huge pages', () => {
  /** A process with one huge page at an aligned address, written as a whole. */
  function huge(release: Release) {
    const machine = bootWith(release);
    const { kernel } = machine;
    const device = newDevice(machine);
    const space = newSpace(machine, 1024, 0);
    const start = Math.ceil(space.vma.start / 512) * 512;
    change(machine, () => kernel.store.set(space.vma, 'flags', space.vma.flags | VM_HUGEPAGE));
    run(machine, () => handle_mm_fault(kernel, space.vma, start, 1));
    expect(hugePmdAt(space.mm, start)).toBeDefined();
    return { machine, device, ...space, start };
  }

  it.each<Release>(['5.15', '6.12'])('%s: one page of a huge page moves: the huge page is split first', (release) => {
    const { machine, device, mm, vma, start } = huge(release);
    const { kernel } = machine;
    expect(toDevice(machine, device, vma, start + 4, 1).cpages).toBe(1);
    expect(hugePmdAt(mm, start)).toBeUndefined();
    expect([kindAt(mm, start + 4), kindAt(mm, start + 5)]).toEqual([PteKind.DeviceWrite, PteKind.Present]);
    expect(global_stat(kernel, 'thp_split_page')).toBe(1);
    expect([mm.rss[MM_ANONPAGES], mm.memcg.usage]).toEqual([512, 512]);
    expect(toDevice(machine, device, vma, start, 512).cpages).toBe(511);
    expect(toSystem(machine, device, vma, start, 512).cpages).toBe(512);
    expect([mm.rss[MM_ANONPAGES], mm.memcg.usage, device.freed.length]).toEqual([512, 512, 512]);
  });

  it('6.19: it moves whole and comes home whole, with one entry, one reference and its charge', () => {
    const { machine, device, mm, vma, start } = huge('6.19');
    const { kernel } = machine;
    const first = Math.ceil((device.free[0] ?? 0) / 512) * 512;
    const old = hugePmdAt(mm, start)?.entry ?? 0;
    run(machine, function* () {
      const args = migrateArgs(vma, start, 512, 1 + 8, device.owner);
      expect(yield* migrate_vma_setup(kernel, args)).toBe(0);
      expect([args.npages, args.cpages, args.src.filter((entry) => entry !== 0).length]).toEqual([512, 1, 1]);
      expect(hasBit(args.src[0] ?? 0, MIGRATE_PFN_COMPOUND)).toBe(true);
      device_page_alloc(kernel, first, 9);
      args.dst[0] = first * 64 + MIGRATE_PFN_VALID + MIGRATE_PFN_COMPOUND;
      yield* migrate_vma_pages(kernel, args);
      yield* migrate_vma_finalize(kernel, args);
    });
    const entry = hugePmdAt(mm, start)?.entry ?? 0;
    expect([pteKind(entry), pte_pfn(entry)]).toEqual([PteKind.DeviceWrite, first]);
    expect(kernel.pages.refcount.get(first)).toBe(1);
    expect([mm.rss[MM_ANONPAGES], mm.memcg.usage, global_stat(kernel, 'nr_anon_pages')]).toEqual([512, 512, 512]);
    expect(kernel.pages.refcount.get(pte_pfn(old))).toBe(0);
    run(machine, function* () {
      const args = migrateArgs(vma, start, 512, 2 + 8, device.owner);
      expect(yield* migrate_vma_setup(kernel, args)).toBe(0);
      expect(args.cpages).toBe(1);
      const folio = alloc_folio(kernel, 9);
      if (!folio) throw new Error('no huge page');
      folio_trylock(kernel, folio.pfn);
      args.dst[0] = folio.pfn * 64 + MIGRATE_PFN_VALID + MIGRATE_PFN_COMPOUND;
      yield* migrate_vma_pages(kernel, args);
      yield* migrate_vma_finalize(kernel, args);
    });
    expect(pteKind(hugePmdAt(mm, start)?.entry ?? 0)).toBe(PteKind.Present);
    expect(device.freed).toEqual([first]);
    expect([mm.rss[MM_ANONPAGES], mm.memcg.usage, kernel.pages.refcount.get(first)]).toEqual([512, 512, 0]);
  });

  it('6.19: small destinations take it apart on the way, and all of it arrives', () => {
    const { machine, device, mm, vma, start } = huge('6.19');
    const { kernel } = machine;
    run(machine, function* () {
      const args = migrateArgs(vma, start, 512, 1 + 8, device.owner);
      yield* migrate_vma_setup(kernel, args);
      for (let i = 0; i < 512; i++) {
        const pfn = device.free.pop() ?? 0;
        device_page_alloc(kernel, pfn);
        args.dst[i] = pfn * 64 + MIGRATE_PFN_VALID;
      }
      yield* migrate_vma_pages(kernel, args);
      yield* migrate_vma_finalize(kernel, args);
    });
    for (let i = 0; i < 512; i += 73) expect(kindAt(mm, start + i)).toBe(PteKind.DeviceWrite);
    expect([mm.rss[MM_ANONPAGES], mm.memcg.usage, global_stat(kernel, 'nr_anon_pages')]).toEqual([512, 512, 512]);
    expect(toSystem(machine, device, vma, start, 512).cpages).toBe(512);
    expect(device.freed).toHaveLength(512);
    expect([mm.memcg.usage, global_stat(kernel, 'nr_anon_pages')]).toEqual([512, 512]);
  });
});
