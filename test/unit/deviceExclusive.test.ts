/** Exclusive access of devices: what becomes of the entries, the counts and the flags, and how it ends. */
import { expect, test } from 'vitest';
import { PTE_WRITE, PteKind, pte_pfn, pte_present, pteBits, pteKind, swpEntry } from '../../sim/arch/pte.ts';
import { pagemapWord } from '../../sim/fs/procPidPagemap.ts';
import { type Mm, VM_READ, VM_WRITE, type Vma } from '../../sim/include/mm_types.ts';
import type { Machine, Release } from '../../sim/index.ts';
import { fork } from '../../sim/kernel/fork.ts';
import { folio_test_locked, folio_trylock, folio_unlock } from '../../sim/kernel/locking.ts';
import { remove_device_exclusive_entry, try_restore_exclusive_pte } from '../../sim/mm/device_exclusive.ts';
import { PG_DIRTY, PG_REFERENCED, testFlag } from '../../sim/mm/folio_record.ts';
import { gup_put_folio } from '../../sim/mm/gup_refs.ts';
import { make_device_exclusive, make_device_exclusive_range, NULL_PAGE } from '../../sim/mm/make_device_exclusive.ts';
import { pteAt } from '../../sim/mm/pgtable.ts';
import { lru_add_drain } from '../../sim/mm/swap.ts';
import { attempt, value } from '../support/devices.ts';
import { sh } from '../support/machines.ts';
import { bootWith, newSpace, run } from '../support/testDevice.ts';

const OWNER = { $struct: 'owner' };

function space(pages: number, release: Release = '6.12', prot = VM_READ | VM_WRITE) {
  const machine = bootWith(release);
  const { mm, vma } = newSpace(machine, pages, pages, prot);
  lru_add_drain(machine.kernel);
  return { machine, mm, vma };
}
const pfnAt = (vma: Vma, page = 0): number => pte_pfn(pteAt(vma.mm, vma.start + page));
const kindAt = (vma: Vma, page = 0): number => pteKind(pteAt(vma.mm, vma.start + page));
const refs = ({ kernel }: Machine, pfn: number): number => kernel.pages.refcount.get(pfn);
const mapcount = ({ kernel }: Machine, pfn: number): number => (kernel.pages.mapcount.get(pfn) | 0) + 1;

function takeRange(machine: Machine, mm: Mm, start: number, count: number): { result: number; pages: number[] } {
  return run(machine, function* (kernel) {
    const pages: number[] = [];
    const result = yield* make_device_exclusive_range(kernel, mm, start, start + count, pages, OWNER);
    return { result, pages };
  });
}
const giveBack = (machine: Machine, pages: readonly number[]): void =>
  run(machine, function* (kernel) {
    for (const pfn of pages) {
      folio_unlock(kernel, pfn);
      yield* gup_put_folio(kernel, pfn, 1, false);
    }
  });
const touch = (machine: Machine, vma: Vma, page = 0): number =>
  run(machine, (kernel) => remove_device_exclusive_entry(kernel, { vma, vpn: vma.start + page, flags: 0 }));

test('a range becomes exclusive: pages come back locked and referenced, entries of type 29 keep the reference', () => {
  const { machine, mm, vma } = space(4);
  const pfns = [0, 1, 2, 3].map((page) => pfnAt(vma, page));
  const { result, pages } = takeRange(machine, mm, vma.start, 4);
  expect(result).toBe(4);
  expect(pages).toEqual(pfns);
  for (const [page, pfn] of pfns.entries()) {
    expect(folio_test_locked(machine.kernel, pfn)).toBe(true);
    expect(refs(machine, pfn)).toBe(2);
    expect(mapcount(machine, pfn)).toBe(0);
    expect(swpEntry(machine.kernel, pteAt(mm, vma.start + page)).type).toBe(29);
    expect(testFlag(machine.kernel, pfn, PG_DIRTY) && testFlag(machine.kernel, pfn, PG_REFERENCED)).toBe(true);
  }
  giveBack(machine, pages);
  expect(pfns.map((pfn) => refs(machine, pfn))).toEqual([1, 1, 1, 1]);
});

test('the resident set does not change, the count of mapped anonymous pages does', () => {
  const { machine, mm, vma } = space(2);
  const { vm } = machine.kernel.state;
  expect([mm.rss[1], vm.get('nr_anon_pages')]).toEqual([2, 2]);
  giveBack(machine, takeRange(machine, mm, vma.start, 2).pages);
  expect([mm.rss[1], vm.get('nr_anon_pages')]).toEqual([2, 0]);
});

test('a touch of the CPU takes the page back: mapped, writable, exclusive in pagemap', () => {
  const { machine, mm, vma } = space(1);
  const pfn = pfnAt(vma);
  const before = pagemapWord(machine.kernel, mm, vma.start);
  giveBack(machine, takeRange(machine, mm, vma.start, 1).pages);
  expect(touch(machine, vma)).toBe(0);
  const pte = pteAt(mm, vma.start);
  expect(pte_present(pte) && (pteBits(pte) & PTE_WRITE) !== 0).toBe(true);
  expect([refs(machine, pfn), mapcount(machine, pfn)]).toEqual([1, 1]);
  expect(folio_test_locked(machine.kernel, pfn)).toBe(false);
  expect(pagemapWord(machine.kernel, mm, vma.start)).toBe(before);
});

test('a lock that is held: NULL in its place, its mapping stays', () => {
  const { machine, mm, vma } = space(2);
  const locked = pfnAt(vma);
  const { result, pages } = run(machine, function* (kernel) {
    folio_trylock(kernel, locked);
    const found: number[] = [];
    const count = yield* make_device_exclusive_range(kernel, mm, vma.start, vma.start + 2, found, OWNER);
    folio_unlock(kernel, locked);
    return { result: count, pages: found };
  });
  expect(result).toBe(2);
  expect(pages).toEqual([NULL_PAGE, pfnAt(vma, 1)]);
  expect(kindAt(vma)).toBe(PteKind.Present);
  expect(refs(machine, locked)).toBe(1);
});

test('a mapping that cannot be written, or none at all, is -EFAULT', () => {
  const readOnly = space(1, '6.12', VM_READ);
  expect(takeRange(readOnly.machine, readOnly.mm, readOnly.vma.start, 1).result).toBe(-14);
  const { machine, mm, vma } = space(1);
  expect(takeRange(machine, mm, vma.end, 1).result).toBe(-14);
});

test('since 6.15 one page a call: its mapping stays counted, the type is 30', () => {
  const { machine, mm, vma } = space(1, '6.17');
  const pfn = pfnAt(vma);
  const page = run(machine, (kernel) => make_device_exclusive(kernel, mm, vma.start, OWNER));
  expect(page).toBe(pfn);
  expect([refs(machine, pfn), mapcount(machine, pfn)]).toEqual([2, 1]);
  expect(swpEntry(machine.kernel, pteAt(mm, vma.start)).type).toBe(30);
  giveBack(machine, [page]);
  touch(machine, vma);
  expect([refs(machine, pfn), mapcount(machine, pfn)]).toEqual([1, 1]);
  expect(pteBits(pteAt(mm, vma.start)) & PTE_WRITE).not.toBe(0);
});

test('fork gets the page back before it copies, unless its lock is held: -EBUSY', () => {
  const { machine, mm, vma } = space(1);
  const pfn = pfnAt(vma);
  const { pages } = takeRange(machine, mm, vma.start, 1);
  expect(try_restore_exclusive_pte(machine.kernel, vma, vma.start)).toBe(-16);
  giveBack(machine, pages);
  expect(try_restore_exclusive_pte(machine.kernel, vma, vma.start)).toBe(0);
  expect(kindAt(vma)).toBe(PteKind.Present);
  expect(mapcount(machine, pfn)).toBe(1);
  const child = run(machine, (kernel) => fork(kernel, mm.owner));
  expect(typeof child).toBe('object');
});

test('C text: the array gets the pages, locked; since 6.15 the page is returned and its folio written', () => {
  const lines = [
    'pid = proc new one',
    'a = proc mmap pid 2 rw',
    'int owner',
    'mm = get_task_mm(find_task_by_vpid(pid))',
  ];
  const older = bootWith('6.12');
  sh(older, ...lines, 'mmap_read_lock(mm)', 'struct page *pages[2]');
  expect(value(older, 'make_device_exclusive_range(mm, a, a + 2 * 4096, pages, &owner)')).toBe(2n);
  const pfn = Number(value(older, 'page_to_pfn(pages[1])'));
  // That of the entry, the caller's, and that of the batch on the way to the LRU.
  expect([refs(older, pfn), folio_test_locked(older.kernel, pfn)]).toEqual([3, true]);
  expect(attempt(older, 'make_device_exclusive_range(mm, a, a + 4 * 4096, pages, &owner)').status).not.toBe(0);
  const newer = bootWith('6.17');
  sh(
    newer,
    ...lines,
    'mmap_read_lock(mm)',
    'struct folio *folio',
    'page = make_device_exclusive(mm, a, &owner, &folio)',
  );
  expect(value(newer, '(unsigned long)folio')).toBe(value(newer, '(unsigned long)page'));
  expect(value(newer, 'make_device_exclusive(mm, 0x1000, &owner, &folio)')).toBe(-14n & ((1n << 64n) - 1n));
});
