/** get_user_pages on address spaces: what comes back, what is counted, and who holds it for how long. */
import { expect, test } from 'vitest';
import { PTE_WRITE, pte_pfn, pteBits } from '../../sim/arch/pte.ts';
import { type Mm, VM_HUGEPAGE, VM_READ, VM_WRITE, type Vma } from '../../sim/include/mm_types.ts';
import { Machine, type Release } from '../../sim/index.ts';
import { fork } from '../../sim/kernel/fork.ts';
import { folioOf } from '../../sim/mm/folio.ts';
import { PG_DIRTY, PG_REFERENCED, testFlag } from '../../sim/mm/folio_record.ts';
import { get_user_pages_remote, put_user_pages } from '../../sim/mm/gup.ts';
import type { GupFlags } from '../../sim/mm/gup_refs.ts';
import { handle_mm_fault, zero_pfn } from '../../sim/mm/memory.ts';
import { do_munmap } from '../../sim/mm/mmap.ts';
import { hugePmdAt, pteAt } from '../../sim/mm/pgtable.ts';
import { lru_add_drain } from '../../sim/mm/swap.ts';
import { checkAddressSpaces } from '../support/addressSpaces.ts';
import { preset } from '../support/machines.ts';
import { bootWith, newDevice, newSpace, run, toDevice } from '../support/testDevice.ts';

interface Got {
  result: number;
  pages: number[];
}
const gup = (machine: Machine, mm: Mm, vpn: number, count: number, flags: GupFlags = {}): Got =>
  run(machine, function* (kernel) {
    const pages: number[] = [];
    const result = yield* get_user_pages_remote(kernel, mm, vpn, count, flags, pages);
    return { result, pages };
  });
const put = (machine: Machine, pages: readonly number[], pin = false): void =>
  run(machine, (kernel) => put_user_pages(kernel, pages, pin));

const refs = ({ kernel }: Machine, pfn: number): number => kernel.pages.refcount.get(pfn);
/** A process with written pages, whose batch is drained: each page has the one reference of its mapping. */
function space(pages: number, touched = pages, release: Release = '6.12', prot = VM_READ | VM_WRITE) {
  const machine = bootWith(release);
  const { mm, vma } = newSpace(machine, pages, touched, prot);
  lru_add_drain(machine.kernel);
  return { machine, mm, vma };
}
const pfnAt = (vma: Vma, page = 0): number => pte_pfn(pteAt(vma.mm, vma.start + page));

test('FOLL_GET adds one reference to each page, and putting them back leaves what was', () => {
  const { machine, mm, vma } = space(4);
  const { result, pages } = gup(machine, mm, vma.start, 4, { fast: true });
  expect(result).toBe(4);
  expect(pages).toEqual([0, 1, 2, 3].map((page) => pfnAt(vma, page)));
  expect(pages.map((pfn) => refs(machine, pfn))).toEqual([2, 2, 2, 2]);
  put(machine, pages);
  expect(pages.map((pfn) => refs(machine, pfn))).toEqual([1, 1, 1, 1]);
});

test('FOLL_PIN counts 1024 references of a small page, and is counted in /proc/vmstat', () => {
  const { machine, mm, vma } = space(1);
  const { pages } = gup(machine, mm, vma.start, 1, { pin: true });
  expect(refs(machine, pfnAt(vma))).toBe(1 + 1024);
  expect(machine.kernel.state.vm.get('nr_foll_pin_acquired')).toBe(1);
  put(machine, pages, true);
  expect(refs(machine, pfnAt(vma))).toBe(1);
  expect(machine.kernel.state.vm.get('nr_foll_pin_released')).toBe(1);
});

test('a pinned page survives munmap, and the last unpin frees it', () => {
  const { machine, mm, vma } = space(1);
  const pfn = pfnAt(vma);
  const { pages } = gup(machine, mm, vma.start, 1, { pin: true });
  run(machine, (kernel) => do_munmap(kernel, mm, vma.start, 1));
  expect(refs(machine, pfn)).toBe(1024);
  expect(folioOf(machine.kernel, pfn)).toBeDefined();
  put(machine, pages, true);
  expect(refs(machine, pfn)).toBe(0);
  expect(folioOf(machine.kernel, pfn)).toBeUndefined();
});

test('a page that was never touched is faulted in: written for FOLL_WRITE, the zero page otherwise', () => {
  const { machine, mm, vma } = space(2, 0);
  const read = gup(machine, mm, vma.start, 1);
  expect(read.pages).toEqual([zero_pfn(machine.kernel)]);
  const write = gup(machine, mm, vma.start + 1, 1, { write: true });
  expect(write.pages).toEqual([pfnAt(vma, 1)]);
  expect(pteBits(pteAt(mm, vma.start + 1)) & PTE_WRITE).not.toBe(0);
});

test('a pin does not count on the zero page since 6.5; before, it did', () => {
  for (const [release, more] of [
    ['6.12', 0],
    ['6.1', 1024],
  ] as const) {
    const { machine, mm, vma } = space(1, 0, release);
    const zero = zero_pfn(machine.kernel);
    const before = refs(machine, zero);
    const { pages } = gup(machine, mm, vma.start, 1, { pin: true });
    expect(pages).toEqual([zero]);
    expect(refs(machine, zero) - before, release).toBe(more);
    put(machine, pages, true);
    expect(refs(machine, zero)).toBe(before);
  }
});

test('an address without a VMA is -EFAULT; behind pages that were found it ends the call short', () => {
  const { machine, mm, vma } = space(2);
  expect(gup(machine, mm, vma.end, 1).result).toBe(-14);
  const { result, pages } = gup(machine, mm, vma.start, 5);
  expect(result).toBe(2);
  expect(pages).toHaveLength(2);
});

test('FOLL_WRITE on a mapping that cannot be written is -EFAULT', () => {
  const { machine, mm, vma } = space(1, 0, '6.12', VM_READ);
  expect(gup(machine, mm, vma.start, 1, { write: true }).result).toBe(-14);
  expect(gup(machine, mm, vma.start, 1).result).toBe(1);
});

test('no page at all is asked for: 0, and nothing happens', () => {
  const { machine, mm, vma } = space(1);
  expect(gup(machine, mm, vma.start, 0)).toEqual({ result: 0, pages: [] });
});

test('the slow walk touches the page: referenced, and dirty if it is to be written and the entry is clean', () => {
  const { machine, mm, vma } = space(1);
  const pfn = pfnAt(vma);
  expect(testFlag(machine.kernel, pfn, PG_REFERENCED)).toBe(false);
  gup(machine, mm, vma.start, 1, { write: true });
  expect(testFlag(machine.kernel, pfn, PG_REFERENCED)).toBe(true);
  // The entry is dirty already: the page is not made so.
  expect(testFlag(machine.kernel, pfn, PG_DIRTY)).toBe(false);
});

test('a page shared by fork: a read pin unshares it since 5.19, a plain reference does not', () => {
  const { machine, mm, vma } = space(1);
  run(machine, (kernel) => fork(kernel, mm.owner));
  lru_add_drain(machine.kernel);
  const shared = pfnAt(vma);
  const { pages } = gup(machine, mm, vma.start, 1);
  expect(pages).toEqual([shared]);
  put(machine, pages);
  const pinned = gup(machine, mm, vma.start, 1, { pin: true });
  expect(pinned.result).toBe(1);
  expect(pinned.pages).not.toEqual([shared]);
  expect(pinned.pages).toEqual([pfnAt(vma)]);
});

test('a device-private page comes home before anyone gets it', () => {
  const { machine, mm, vma } = space(2);
  const device = newDevice(machine);
  toDevice(machine, device, vma);
  for (const flags of [{ fast: true }, { pin: true, longterm: true, fast: true }] as const) {
    const page = flags.fast && 'pin' in flags ? 1 : 0;
    const { result, pages } = gup(machine, mm, vma.start + page, 1, flags);
    expect(result).toBe(1);
    expect(pages).toEqual([pfnAt(vma, page)]);
    expect(machine.kernel.pages.pgmap.get(pages[0] ?? 0)).toBe(0);
  }
  expect(device.freed).toHaveLength(2);
});

test('a coherent page is held where it is; a long-term pin moves it to system memory', () => {
  const { machine, mm, vma } = space(2);
  const device = newDevice(machine, 'COHERENT');
  toDevice(machine, device, vma);
  const held = gup(machine, mm, vma.start, 1, { fast: true });
  expect(machine.kernel.pages.pgmap.get(held.pages[0] ?? 0)).not.toBe(0);
  expect(refs(machine, held.pages[0] ?? 0)).toBe(2);
  const pinned = gup(machine, mm, vma.start + 1, 1, { fast: true, pin: true, longterm: true });
  expect(pinned.result).toBe(1);
  expect(machine.kernel.pages.pgmap.get(pinned.pages[0] ?? 0)).toBe(0);
  expect(pinned.pages).toEqual([pfnAt(vma, 1)]);
  expect(device.freed).toHaveLength(1);
});

test('a coherent page that someone else holds cannot be pinned for long: -EBUSY, and no pin is left', () => {
  const { machine, mm, vma } = space(1);
  const device = newDevice(machine, 'COHERENT');
  toDevice(machine, device, vma);
  const held = gup(machine, mm, vma.start, 1);
  const { result } = gup(machine, mm, vma.start, 1, { pin: true, longterm: true });
  expect(result).toBe(-16);
  expect(refs(machine, held.pages[0] ?? 0)).toBe(2);
});

test('FOLL_LONGTERM is a kind of pin since 6.3', () => {
  const { machine, mm, vma } = space(1);
  expect(gup(machine, mm, vma.start, 1, { longterm: true }).result).toBe(-22);
  const older = space(1, 1, '6.1');
  expect(gup(older.machine, older.mm, older.vma.start, 1, { longterm: true }).result).toBe(1);
});

test('a write fault into a page that was read first gives FOLL_WRITE a page of its own', () => {
  const { machine, mm, vma } = space(1, 0);
  run(machine, (kernel) => handle_mm_fault(kernel, vma, vma.start, 0));
  const { pages } = gup(machine, mm, vma.start, 1, { write: true });
  expect(pages).not.toEqual([zero_pfn(machine.kernel)]);
});

/** A process with one huge page. */
function hugeSpace(release: Release = '6.12') {
  const machine = bootWith(release);
  const { mm, vma } = newSpace(machine, 1024, 0);
  machine.kernel.store.set(vma, 'flags', vma.flags | VM_HUGEPAGE);
  const first = Math.ceil(vma.start / 512) * 512;
  run(machine, (kernel) => handle_mm_fault(kernel, vma, first, 1));
  lru_add_drain(machine.kernel);
  const head = pte_pfn(hugePmdAt(mm, first)?.entry ?? 0);
  return { machine, mm, first, head };
}

test('pages of a huge page count on its head: one reference each, and a pin in its own counter since 5.7', () => {
  const { machine, mm, first, head } = hugeSpace();
  const before = refs(machine, head);
  const { pages } = gup(machine, mm, first + 2, 3, { pin: true });
  expect(pages).toEqual([head + 2, head + 3, head + 4]);
  expect(refs(machine, head)).toBe(before + 3);
  expect(folioOf(machine.kernel, head)?.pincount).toBe(3);
  expect(refs(machine, head + 2)).toBe(0);
  put(machine, pages, true);
  expect([refs(machine, head), folioOf(machine.kernel, head)?.pincount]).toEqual([before, 0]);
  const older = hugeSpace('5.6');
  gup(older.machine, older.mm, older.first, 2, { pin: true });
  expect(refs(older.machine, older.head)).toBe(before + 2 * 1024);
});

test('FOLL_SPLIT_PMD splits the huge entry and holds one page', () => {
  const { machine, mm, first, head } = hugeSpace();
  const { pages } = gup(machine, mm, first + 1, 1, { splitPmd: true, write: true });
  expect(pages).toEqual([head + 1]);
  expect(hugePmdAt(mm, first)).toBeUndefined();
  expect(pte_pfn(pteAt(mm, first + 1))).toBe(head + 1);
});

test('a long-term pin moves a page out of ZONE_MOVABLE since 5.13; before, it stays', () => {
  for (const [release, moves] of [
    ['6.12', true],
    ['5.10', false],
  ] as const) {
    const machine = new Machine({ ...preset('qemu-2g'), cmdline: 'kernelcore=1G' }, release);
    const { mm, vma } = newSpace(machine, 1);
    const old = pfnAt(vma);
    expect(machine.kernel.zoneAt(old).name).toBe('Movable');
    const { result, pages } = gup(machine, mm, vma.start, 1, { pin: true, longterm: true, write: true });
    expect(result).toBe(1);
    expect(pages).toEqual([pfnAt(vma)]);
    expect(machine.kernel.zoneAt(pages[0] ?? 0).name !== 'Movable', release).toBe(moves);
    if (moves) expect([refs(machine, old), folioOf(machine.kernel, old)]).toEqual([0, undefined]);
    put(machine, pages, true);
    checkAddressSpaces(machine);
  }
});

test('a page of ZONE_MOVABLE that someone else holds cannot move: -ENOMEM, and no pin is left', () => {
  const machine = new Machine({ ...preset('qemu-2g'), cmdline: 'kernelcore=1G' }, '6.12');
  const { mm, vma } = newSpace(machine, 1);
  const held = gup(machine, mm, vma.start, 1);
  lru_add_drain(machine.kernel);
  const before = refs(machine, pfnAt(vma));
  expect(gup(machine, mm, vma.start, 1, { pin: true, longterm: true }).result).toBe(-12);
  lru_add_drain(machine.kernel);
  expect(refs(machine, pfnAt(vma))).toBe(before);
  put(machine, held.pages);
  checkAddressSpaces(machine);
});
