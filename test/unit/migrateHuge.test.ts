/** Migration of huge pages, out of memory blocks, and who waits for whom meanwhile. */
import { describe, expect, it } from 'vitest';
import { PteKind, pte_pfn, pteKind } from '../../sim/arch/pte.ts';
import { MM_ANONPAGES, VM_HUGEPAGE } from '../../sim/include/mm_types.ts';
import { type Machine, type Release, runShellLine } from '../../sim/index.ts';
import { fork } from '../../sim/kernel/fork.ts';
import { folio_trylock } from '../../sim/kernel/locking.ts';
import { lineProgram } from '../../sim/machine/machine.ts';
import { pageData, setPageData } from '../../sim/mm/contents.ts';
import { migration_entry_wait } from '../../sim/mm/device_private.ts';
import { alloc_folio } from '../../sim/mm/folio.ts';
import { handle_mm_fault } from '../../sim/mm/memory.ts';
import { memunmap_pages } from '../../sim/mm/memremap.ts';
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_VALID,
  migrate_vma_finalize,
  migrate_vma_pages,
  migrate_vma_setup,
} from '../../sim/mm/migrate_device.ts';
import { hasBit } from '../../sim/mm/migrate_pfn.ts';
import { page_pgmap } from '../../sim/mm/pagemap.ts';
import { hugePmdAt, pteAt } from '../../sim/mm/pgtable.ts';
import { device_page_alloc } from '../../sim/mm/zone_device_page.ts';
import type { KernelGenerator } from '../../sim/task/task.ts';
import { checkAddressSpaces } from '../support/addressSpaces.ts';
import { boot, sh } from '../support/machines.ts';
import {
  bootWith,
  change,
  fillFromDevice,
  frame,
  kindAt,
  migrateArgs,
  newDevice,
  newSpace,
  place,
  run,
  toDevice,
  toSystem,
} from '../support/testDevice.ts';

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
    expect(kernel.state.vm.get('pgmigrate_success')).toBeGreaterThan(0);
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
    expect(kernel.state.vm.get('thp_split_page')).toBe(1);
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
    expect([mm.rss[MM_ANONPAGES], mm.memcg.usage, kernel.state.vm.get('nr_anon_pages')]).toEqual([512, 512, 512]);
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
    expect([mm.rss[MM_ANONPAGES], mm.memcg.usage, kernel.state.vm.get('nr_anon_pages')]).toEqual([512, 512, 512]);
    expect(toSystem(machine, device, vma, start, 512).cpages).toBe(512);
    expect(device.freed).toHaveLength(512);
    expect([mm.memcg.usage, kernel.state.vm.get('nr_anon_pages')]).toEqual([512, 512]);
  });

  it('6.19: apart on the way while a child shares it, both have all of it, and the warning says what a kernel would do', () => {
    const machine = boot('qemu-2g', '6.19');
    const at = '0x7f0000000000';
    sh(
      machine,
      'modprobe test_hmm spm_addr_dev0=0xf000000000 spm_addr_dev1=0xf010000000',
      'proc new',
      'gpu open 2 100',
    );
    sh(machine, 'echo always > /sys/kernel/mm/transparent_hugepage/enabled', `proc mmap 100 512 at=${at}`);
    sh(machine, `proc write 100 ${at} 512 i+7`, 'proc fork 100', `gpu to-dev 2 100 ${at} 512`);
    expect(machine.kernel.state.log.filter(({ warn }) => warn).at(-1)?.text).toMatch(/VM_BUG_ON_FOLIO.* process 101/);
    checkAddressSpaces(machine);
    sh(machine, `proc write 101 ${at} 3 9`);
    expect(sh(machine, `proc read 100 ${at} 512`).output).toEqual([`${at} 512 page(s): word i holds i+7`]);
    expect(machine.kernel.state.processes.get(101)?.mm?.rss).toEqual([0, 512, 0, 0]);
    checkAddressSpaces(machine);
  });
});
