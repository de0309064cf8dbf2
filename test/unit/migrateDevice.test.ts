/** mm/migrate_device.c: what each step does to references, entries, locks and charges; 6.12 unless a claim names another release. */
import { describe, expect, it } from 'vitest';
import { PteKind, pte_none, withBits } from '../../sim/arch/pte.ts';
import { MM_ANONPAGES, VM_HUGETLB, VM_IO } from '../../sim/include/mm_types.ts';
import { folio_test_locked, folio_trylock } from '../../sim/kernel/locking.ts';
import { folio_get, folio_put_system } from '../../sim/mm/folio.ts';
import { PG_ANON_EXCLUSIVE, PG_LRU, testFlag } from '../../sim/mm/folio_record.ts';
import { handle_mm_fault } from '../../sim/mm/memory.ts';
import {
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  MIGRATE_PFN_WRITE,
  migrate_vma_finalize,
  migrate_vma_pages,
  migrate_vma_setup,
} from '../../sim/mm/migrate_device.ts';
import { hasBit, migratePfnOf } from '../../sim/mm/migrate_pfn.ts';
import { pteAt, set_pte_at } from '../../sim/mm/pgtable.ts';
import { lru_add_drain } from '../../sim/mm/swap.ts';
import {
  change,
  fillFromDevice,
  fillFromRam,
  frame,
  kindAt,
  migrateArgs,
  newDevice,
  place,
  run,
  toDevice,
  toSystem,
} from '../support/testDevice.ts';

const NOT_MAPPED = 0xffffffff;

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
    // Three page tables, and one page.
    machine.kernel.store.set(mm.memcg, 'max', 3 + 1);
    const args = toDevice(machine, device, vma);
    expect(args.src.map((entry) => hasBit(entry, MIGRATE_PFN_MIGRATE))).toEqual([true, false]);
    expect([mm.memcg.usage, mm.memcg.events.max]).toEqual([1, expect.any(Number)]);
    expect(mm.memcg.events.max).toBeGreaterThan(0);
    expect(pte_none(pteAt(mm, vma.start + 1))).toBe(true);
  });
});
