/** get_user_pages on address spaces: what comes back, what is counted, and who holds it for how long. */
import { expect, test } from 'vitest';
import { PTE_WRITE, pte_pfn, pteBits } from '../../sim/arch/pte.ts';
import { type Mm, VM_READ, VM_WRITE, type Vma } from '../../sim/include/mm_types.ts';
import type { Machine, Release } from '../../sim/index.ts';
import { fork } from '../../sim/kernel/fork.ts';
import { folioOf } from '../../sim/mm/folio.ts';
import { PG_DIRTY, PG_REFERENCED, testFlag } from '../../sim/mm/folio_record.ts';
import { get_user_pages_remote, put_user_pages } from '../../sim/mm/gup.ts';
import type { GupFlags } from '../../sim/mm/gup_refs.ts';
import { handle_mm_fault, zero_pfn } from '../../sim/mm/memory.ts';
import { do_munmap } from '../../sim/mm/mmap.ts';
import { pteAt } from '../../sim/mm/pgtable.ts';
import { lru_add_drain } from '../../sim/mm/swap.ts';
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
  const before = machine.kernel.store.canonical({});
  const { result, pages } = gup(machine, mm, vma.start, 4, { fast: true });
  expect(result).toBe(4);
  expect(pages).toEqual([0, 1, 2, 3].map((page) => pfnAt(vma, page)));
  expect(pages.map((pfn) => refs(machine, pfn))).toEqual([2, 2, 2, 2]);
  put(machine, pages);
  expect(pages.map((pfn) => refs(machine, pfn))).toEqual([1, 1, 1, 1]);
  expect(before).not.toBe('');
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
