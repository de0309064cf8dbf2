/** mm/hmm.c from 5.8 on: what hmm_range_fault says of each kind of entry, asked and not asked for. */
import { describe, expect, it } from 'vitest';
import { mkPte, PTE_DEVMAP, PTE_SPECIAL, PTE_WRITE, type Pte, PteKind } from '../../sim/arch/pte.ts';
import { type CStruct, objectPointer } from '../../sim/c/value.ts';
import { VM_HUGETLB, VM_IO, VM_MIXEDMAP, VM_PFNMAP, VM_READ, VM_WRITE } from '../../sim/include/mm_types.ts';
import type { Release } from '../../sim/index.ts';
import { down_read, down_write, folio_trylock, folio_unlock, up_read, up_write } from '../../sim/kernel/locking.ts';
import { alloc_folio } from '../../sim/mm/folio.ts';
import {
  HMM_PFN_DMA_MAPPED,
  HMM_PFN_ERROR,
  HMM_PFN_P2PDMA,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  type HmmRange,
  hmm_pfn,
  hmm_pfn_to_map_order,
  hmm_range_fault,
  hmm_range_fault_unlocked_timeout,
  hmmPfnEntry,
  hmmPfnWord,
} from '../../sim/mm/hmm.ts';
import { zero_pfn } from '../../sim/mm/memory.ts';
import {
  type IntervalSub,
  MMU_NOTIFY_CLEAR,
  mmu_interval_notifier_insert,
  mmu_interval_read_begin,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from '../../sim/mm/mmu_notifier.ts';
import { set_pmd_at } from '../../sim/mm/pgtable.ts';
import type { KernelGenerator } from '../../sim/task/task.ts';
import { begin, done, goOn, hmmRange, listener, map, pause, setPte, type World, world } from '../support/mirrors.ts';

const EPERM = -1;
const EFAULT = -14;
const EBUSY = -16;
const EINVAL = -22;
const START = 0x10000;
const FAULT = { default_flags: HMM_PFN_REQ_FAULT };
const WRITE = { default_flags: HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE };

interface Mirror extends World {
  readonly sub: IntervalSub;
}

function mirror(release: Release = '6.12'): Mirror {
  const w = world(release);
  const sub = done(w.machine, 'insert', () => mmu_interval_notifier_insert(w.kernel, w.mm, 0, 2 ** 35, listener()));
  if (typeof sub === 'number') throw new Error('insert');
  return { ...w, sub };
}

function* locked({ kernel, mm, sub }: Mirror, range: HmmRange): KernelGenerator<number> {
  range.notifier_seq = yield* mmu_interval_read_begin(kernel, sub);
  yield* down_read(kernel, mm.mmap_lock);
  const result = yield* hmm_range_fault(kernel, range);
  up_read(kernel, mm.mmap_lock);
  return result;
}
function ask(m: Mirror, pages: number, more: Partial<HmmRange> = {}, start = START) {
  const range = hmmRange(m.sub, start, pages, more);
  const result = done(m.machine, 'hmm_range_fault', () => locked(m, range));
  return { result, pfns: range.hmm_pfns };
}
/** A pagemap of an owner over some page frames, as far as HMM looks. */
function devicePages(m: Mirror, first: number, count: number, owner: CStruct): void {
  const { kernel } = m;
  const id = kernel.state.nextPagemap;
  kernel.store.set(kernel.state, 'nextPagemap', id + 1);
  const pgmap: CStruct = { $struct: 'dev_pagemap', type: 1n, owner: objectPointer(owner) };
  kernel.store.splice(kernel.state.pgmaps, 0, 0, {
    id,
    pgmap,
    name: 'device',
    node: 0,
    ranges: [{ start: first, end: first + count }],
  });
  for (let i = 0; i < count; i++) kernel.pages.pgmap.set(first + i, id);
}
const OWNER: CStruct = { $struct: 'driver' };
const OTHER: CStruct = { $struct: 'driver' };
const DEVICE = 0xf00000;
const PFN = 0x1234;

describe('hmm_range_fault without a request looks and never faults', () => {
  const cases: readonly [string, Pte, number][] = [
    ['an empty PTE', 0, 0],
    ['a writable page', mkPte(PteKind.Present, PFN, PTE_WRITE), PFN * 256 + 3],
    ['a read-only page', mkPte(PteKind.Present, PFN), PFN * 256 + 1],
    ['a PROT_NONE page: its frame, and not valid', mkPte(PteKind.ProtNone, PFN, PTE_WRITE), PFN * 256],
    ['a page of a driver without struct page', mkPte(PteKind.Present, PFN, PTE_SPECIAL), HMM_PFN_ERROR],
    ['a page in a swap file', mkPte(PteKind.Swap, 32), 0],
    ['a migration entry', mkPte(PteKind.MigrationWrite, PFN), 0],
    ['an exclusive entry', mkPte(PteKind.DeviceExclusiveWrite, PFN), 0],
    ['a poisoned page', mkPte(PteKind.Hwpoison, PFN), 0],
    ['a PTE marker', mkPte(PteKind.Marker, 2), 0],
    ['a writable device-private page of the caller', mkPte(PteKind.DeviceWrite, DEVICE), DEVICE * 256 + 3],
    ['a readable device-private page of the caller', mkPte(PteKind.DeviceRead, DEVICE), DEVICE * 256 + 1],
    ['a device-private page of another driver', mkPte(PteKind.DeviceWrite, DEVICE + 8), 0],
  ];
  it.each(cases)('%s', (_what, pte, entry) => {
    const m = mirror();
    map(m.kernel, m.mm, START, 1);
    devicePages(m, DEVICE, 8, OWNER);
    devicePages(m, DEVICE + 8, 8, OTHER);
    setPte(m.kernel, m.mm, START, pte);
    expect(ask(m, 1, { dev_private_owner: objectPointer(OWNER) })).toEqual({ result: 0, pfns: [entry] });
    expect(m.kernel.state.vm.get('pgfault') ?? 0).toBe(0);
  });

  it('the zero page is reported like any page that cannot be written', () => {
    const m = mirror();
    map(m.kernel, m.mm, START, 1);
    const zero = zero_pfn(m.kernel);
    setPte(m.kernel, m.mm, START, mkPte(PteKind.Present, zero, PTE_SPECIAL));
    expect(ask(m, 1).pfns).toEqual([zero * 256 + HMM_PFN_VALID]);
    expect(ask(m, 1, FAULT)).toMatchObject({ result: 0, pfns: [zero * 256 + HMM_PFN_VALID] });
  });

  it('a devmap PTE counts as an ordinary page', () => {
    const m = mirror();
    map(m.kernel, m.mm, START, 1);
    setPte(m.kernel, m.mm, START, mkPte(PteKind.Present, PFN, PTE_DEVMAP | PTE_WRITE));
    expect(ask(m, 1, WRITE)).toEqual({ result: 0, pfns: [PFN * 256 + 3] });
  });

  it('where no VMA is, every page is an error, and beside it the VMA goes on', () => {
    const m = mirror();
    map(m.kernel, m.mm, START + 2, 1);
    expect(ask(m, 4)).toEqual({ result: 0, pfns: [4, 4, 0, 4] });
  });

  it.each([
    ['VM_IO', VM_READ | VM_WRITE, VM_IO],
    ['VM_PFNMAP', VM_READ | VM_WRITE, VM_PFNMAP],
    ['no VM_READ', VM_WRITE, 0],
    ['no rights at all', 0, 0],
  ])('a VMA with %s is an error throughout, whatever is mapped', (_what, prot, more) => {
    const m = mirror();
    map(m.kernel, m.mm, START, 2, prot, more);
    setPte(m.kernel, m.mm, START, mkPte(PteKind.Present, PFN, PTE_WRITE));
    expect(ask(m, 2)).toEqual({ result: 0, pfns: [4, 4] });
    expect(ask(m, 2, FAULT).result).toBe(EFAULT);
  });

  it('VM_MIXEDMAP is device memory to 5.16', () => {
    for (const [release, pfns] of [
      ['5.16', [4]],
      ['6.12', [PFN * 256 + 3]],
    ] as const) {
      const m = mirror(release);
      map(m.kernel, m.mm, START, 1, VM_READ | VM_WRITE, VM_MIXEDMAP);
      setPte(m.kernel, m.mm, START, mkPte(PteKind.Present, PFN, PTE_WRITE));
      expect(ask(m, 1).pfns).toEqual(pfns);
    }
  });
});

describe('what is asked for', () => {
  it('a fault fills the whole range, read faults with the zero page, write faults with pages of its own', () => {
    const m = mirror();
    map(m.kernel, m.mm, START, 1000);
    const read = ask(m, 1000, FAULT);
    expect(read.result).toBe(0);
    expect(new Set(read.pfns)).toEqual(new Set([zero_pfn(m.kernel) * 256 + 1]));
    map(m.kernel, m.mm, START + 5000, 600);
    const write = ask(m, 600, WRITE, START + 5000);
    expect(write.result).toBe(0);
    expect(write.pfns.every((entry) => (entry & 3) === 3 && hmm_pfn_to_map_order(entry) === 0)).toBe(true);
    expect(new Set(write.pfns.map(hmm_pfn)).size).toBe(600);
  });

  it('single entries count through pfn_flags_mask only', () => {
    const m = mirror();
    map(m.kernel, m.mm, START, 3);
    for (const i of [0, 1]) setPte(m.kernel, m.mm, START + i, mkPte(PteKind.Present, PFN + i));
    const asked = [0, 0, HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE];
    const ignored = ask(m, 3, { hmm_pfns: [...asked] });
    expect(ignored.pfns).toEqual([PFN * 256 + 1, (PFN + 1) * 256 + 1, 0]);
    // A mask without the write bit asks for reading only.
    const masked = ask(m, 3, { hmm_pfns: [...asked], pfn_flags_mask: HMM_PFN_REQ_FAULT });
    expect((masked.pfns[2] ?? 0) & 3).toBe(HMM_PFN_VALID);
    setPte(m.kernel, m.mm, START + 2, 0);
    const heard = ask(m, 3, { hmm_pfns: [...asked], pfn_flags_mask: HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE });
    expect(heard.result).toBe(0);
    expect(heard.pfns.map((entry) => entry & 7)).toEqual([1, 1, 3]);
  });

  it('write access to the zero page breaks it, which its own notifier hears: -EBUSY, and then it is there', () => {
    const m = mirror();
    map(m.kernel, m.mm, START, 1);
    expect(ask(m, 1, FAULT).pfns).toEqual([zero_pfn(m.kernel) * 256 + 1]);
    expect(ask(m, 1, WRITE).result).toBe(EBUSY);
    expect(ask(m, 1, WRITE)).toMatchObject({ result: 0 });
    expect((ask(m, 1).pfns[0] ?? 0) & 3).toBe(3);
  });

  const refusals: readonly [string, number, number, Pte | undefined, Partial<HmmRange>, number][] = [
    ['a hole', -1, 0, undefined, FAULT, EFAULT],
    ['writing where the VMA does not permit it', VM_READ, 0, 0, WRITE, EPERM],
    [
      'a driver page without struct page',
      VM_READ | VM_WRITE,
      0,
      mkPte(PteKind.Present, PFN, PTE_SPECIAL),
      FAULT,
      EFAULT,
    ],
    ['a poisoned page', VM_READ | VM_WRITE, 0, mkPte(PteKind.Hwpoison, PFN), FAULT, EFAULT],
    ['a PTE marker', VM_READ | VM_WRITE, 0, mkPte(PteKind.Marker, 2), FAULT, EFAULT],
  ];
  it.each(refusals)('%s is refused with its errno', (_what, prot, more, pte, asked, errno) => {
    const m = mirror();
    if (prot >= 0) map(m.kernel, m.mm, START, 1, prot, more);
    if (pte !== undefined) setPte(m.kernel, m.mm, START, pte);
    expect(ask(m, 1, asked).result).toBe(errno);
  });

  it('an error leaves outputs below it and inputs from there on', () => {
    const m = mirror();
    map(m.kernel, m.mm, START, 2);
    setPte(m.kernel, m.mm, START, mkPte(PteKind.Present, PFN, PTE_WRITE));
    setPte(m.kernel, m.mm, START + 1, mkPte(PteKind.Hwpoison, PFN));
    const input = 0x77 * 256;
    const answer = ask(m, 2, { ...FAULT, hmm_pfns: [input, input] });
    expect(answer).toEqual({ result: EFAULT, pfns: [PFN * 256 + 3, input] });
  });

  it('a fault handler without memory is -EFAULT, from 7.3 on -ENOMEM', () => {
    for (const [release, errno] of [
      ['6.12', EFAULT],
      ['7.3', -12],
    ] as const) {
      const m = mirror(release);
      map(m.kernel, m.mm, START, 1);
      setPte(m.kernel, m.mm, START, 0);
      m.kernel.store.mapSet(m.kernel.state.injected, 'page', 1);
      expect(ask(m, 1, WRITE).result).toBe(errno);
    }
  });

  it('an empty range is -EINVAL', () => {
    expect(ask(mirror(), 0).result).toBe(EINVAL);
  });

  it('without the mmap lock it warns', () => {
    const m = mirror();
    map(m.kernel, m.mm, START, 1);
    const range = hmmRange(m.sub, START, 1);
    range.notifier_seq = m.sub.invalidate_seq;
    done(m.machine, 'fault', () => hmm_range_fault(m.kernel, range));
    expect(m.kernel.state.log.at(-1)).toMatchObject({ warn: true });
  });
});

describe('huge entries', () => {
  const huge = (m: Mirror, vpn: number, entry: Pte): void => {
    expect(set_pmd_at(m.kernel, m.mm, vpn, { kind: 'huge', entry, deposited: undefined })).toBe(true);
  };
  const BASE = 0x40000;

  it.each([
    ['6.12', 9],
    ['5.8', 0],
  ] as const)(
    'in %s every entry of a THP has order %i, and page frames that count up from the first asked',
    (release, order) => {
      const m = mirror(release);
      map(m.kernel, m.mm, BASE, 512);
      huge(m, BASE, mkPte(PteKind.Present, 0x2000, PTE_WRITE));
      const { pfns } = ask(m, 4, {}, BASE + 100);
      expect(pfns).toEqual([0, 1, 2, 3].map((i) => (0x2064 + i) * 256 + 3 + order * 8));
    },
  );

  it('a PMD migration entry is 0 in a snapshot, other absent PMDs are errors', () => {
    const m = mirror();
    map(m.kernel, m.mm, BASE, 512);
    huge(m, BASE, mkPte(PteKind.MigrationWrite, 0x2000));
    expect(ask(m, 2, {}, BASE).pfns).toEqual([0, 0]);
    huge(m, BASE, mkPte(PteKind.DeviceWrite, DEVICE));
    expect(ask(m, 2, {}, BASE).pfns).toEqual([4, 4]);
    expect(ask(m, 2, FAULT, BASE).result).toBe(EFAULT);
  });

  it('from 6.19 on a device-private PMD of the caller is valid with order 9', () => {
    const m = mirror('6.19');
    devicePages(m, DEVICE, 512, OWNER);
    map(m.kernel, m.mm, BASE, 512);
    huge(m, BASE, mkPte(PteKind.DeviceWrite, DEVICE));
    const { result, pfns } = ask(m, 512, { ...WRITE, dev_private_owner: objectPointer(OWNER) }, BASE);
    expect(result).toBe(0);
    expect(pfns).toEqual(Array.from({ length: 512 }, (_, i) => (DEVICE + i) * 256 + 3 + 9 * 8));
  });

  it('a hugetlb page: order 9, and the first entry speaks for all', () => {
    const m = mirror();
    map(m.kernel, m.mm, BASE, 512, VM_READ | VM_WRITE, VM_HUGETLB);
    huge(m, BASE, mkPte(PteKind.Present, 0x2000));
    expect(ask(m, 2, {}, BASE).pfns).toEqual([0x2000 * 256 + 1 + 72, 0x2001 * 256 + 1 + 72]);
  });
});

describe('the words of the kernel', () => {
  const entry = 0x12345 * 256 + HMM_PFN_VALID + HMM_PFN_WRITE + (9 << 3);
  it.each([
    ['6.12', 0xc900000000012345n],
    ['6.17', 0xc120000000012345n],
  ] as const)('of %s have VALID, WRITE and the order at their places', (release, word) => {
    const { kernel } = world(release);
    expect(hmmPfnWord(kernel, entry)).toBe(word);
    expect(hmmPfnEntry(kernel, word)).toBe(entry);
    expect(hmmPfnWord(kernel, HMM_PFN_ERROR)).toBe(1n << 61n);
  });

  it('from 6.17 on the DMA bits of an entry outlive a walk', () => {
    const m = mirror('6.17');
    map(m.kernel, m.mm, START, 2);
    setPte(m.kernel, m.mm, START, mkPte(PteKind.Present, PFN));
    const hmm_pfns = [HMM_PFN_DMA_MAPPED + HMM_PFN_P2PDMA + 7 * 256 + 3, HMM_PFN_DMA_MAPPED];
    expect(ask(m, 2, { hmm_pfns }).pfns).toEqual([
      HMM_PFN_DMA_MAPPED + HMM_PFN_P2PDMA + PFN * 256 + 1,
      HMM_PFN_DMA_MAPPED,
    ]);
    expect(hmmPfnWord(m.kernel, HMM_PFN_DMA_MAPPED + HMM_PFN_P2PDMA)).toBe(0b11n << 59n);
  });
});

describe('two tasks', () => {
  it('a range that was invalidated since its number was read is -EBUSY, and a new number helps', () => {
    const m = mirror();
    const { kernel, mm, machine } = m;
    map(kernel, mm, START, 1);
    const range = hmmRange(m.sub, START, 1);
    range.notifier_seq = done(machine, 'read', () => mmu_interval_read_begin(kernel, m.sub));
    const change = mmu_notifier_range(MMU_NOTIFY_CLEAR, mm, START, START + 1);
    done(machine, 'change', function* () {
      yield* mmu_notifier_invalidate_range_start(kernel, change);
      yield* mmu_notifier_invalidate_range_end(kernel, change);
    });
    const again = function* () {
      yield* down_read(kernel, mm.mmap_lock);
      const result = yield* hmm_range_fault(kernel, range);
      up_read(kernel, mm.mmap_lock);
      return result;
    };
    expect(done(machine, 'fault', again)).toBe(EBUSY);
    range.notifier_seq = done(machine, 'read', () => mmu_interval_read_begin(kernel, m.sub));
    expect(done(machine, 'fault', again)).toBe(0);
  });

  it('a reader waits at its sequence number while another task stands between start and end', () => {
    const m = mirror();
    const { kernel, mm, machine } = m;
    map(kernel, mm, START, 1);
    const change = mmu_notifier_range(MMU_NOTIFY_CLEAR, mm, START, START + 1);
    const writer = begin(machine, 'writer', function* () {
      yield* mmu_notifier_invalidate_range_start(kernel, change);
      yield pause;
      setPte(kernel, mm, START, mkPte(PteKind.Present, PFN));
      yield* mmu_notifier_invalidate_range_end(kernel, change);
    }).program;
    const range = hmmRange(m.sub, START, 1);
    const { program, result } = begin(machine, 'reader', () => locked(m, range));
    expect(program.waitsFor?.holders()[0]).toMatch(/^writer/);
    goOn(machine, writer);
    // It read the number that the invalidation left, and finds what that left in the page table.
    expect([result.value, range.hmm_pfns]).toEqual([0, [PFN * 256 + 1]]);
  });

  it('an invalidation in the middle of a fault makes the rest -EBUSY', () => {
    const m = mirror();
    const { kernel, mm, machine } = m;
    map(kernel, mm, START, 1);
    setPte(kernel, mm, START, mkPte(PteKind.MigrationWrite, PFN));
    const { program, result } = begin(machine, 'reader', () => locked(m, hmmRange(m.sub, START, 1, FAULT)));
    expect(program.status).toBe('waiting');
    const change = mmu_notifier_range(MMU_NOTIFY_CLEAR, mm, START, START + 1);
    done(machine, 'migration', function* () {
      yield* mmu_notifier_invalidate_range_start(kernel, change);
      setPte(kernel, mm, START, mkPte(PteKind.Present, PFN));
      yield* mmu_notifier_invalidate_range_end(kernel, change);
    });
    expect([program.status, result.value]).toEqual(['done', EBUSY]);
  });

  it('a migration entry that is asked for is waited for by its page, then the walk goes on from there', () => {
    const m = mirror();
    const { kernel, mm, machine } = m;
    map(kernel, mm, START, 2);
    const folio = alloc_folio(kernel);
    if (!folio) throw new Error('no page');
    const writer = begin(machine, 'migration', function* () {
      folio_trylock(kernel, folio.pfn);
      setPte(kernel, mm, START + 1, mkPte(PteKind.MigrationRead, folio.pfn));
      yield pause;
      setPte(kernel, mm, START + 1, mkPte(PteKind.Present, folio.pfn));
      folio_unlock(kernel, folio.pfn);
    }).program;
    setPte(kernel, mm, START, mkPte(PteKind.Present, PFN));
    const range = hmmRange(m.sub, START, 2, FAULT);
    const { program, result } = begin(machine, 'reader', () => locked(m, range));
    expect(program.waitsFor?.what).toMatch(/migration of page/);
    expect(program.waitsFor?.holderTasks?.()).toEqual([writer.id]);
    goOn(machine, writer);
    expect([result.value, range.hmm_pfns]).toEqual([0, [PFN * 256 + 1, folio.pfn * 256 + 1]]);
  });
});

describe('hmm_range_fault_unlocked_timeout', () => {
  it('takes the lock itself and reads the number anew, until the range is stable', () => {
    const m = mirror('7.3');
    const { kernel, mm, machine } = m;
    map(kernel, mm, START, 1);
    setPte(kernel, mm, START, mkPte(PteKind.MigrationWrite, PFN));
    const range = hmmRange(m.sub, START, 1, FAULT);
    const { program, result } = begin(machine, 'reader', () => hmm_range_fault_unlocked_timeout(kernel, range, 0));
    expect(program.status).toBe('waiting');
    const change = mmu_notifier_range(MMU_NOTIFY_CLEAR, mm, START, START + 1);
    done(machine, 'migration', function* () {
      yield* mmu_notifier_invalidate_range_start(kernel, change);
      setPte(kernel, mm, START, mkPte(PteKind.Present, PFN));
      yield* mmu_notifier_invalidate_range_end(kernel, change);
    });
    expect([result.value, range.hmm_pfns, range.notifier_seq]).toEqual([0, [PFN * 256 + 1], 3]);
    expect(mm.mmap_lock.readers).toEqual([]);
  });

  it('gives up with -EBUSY when its time is over, and lets the lock go', () => {
    const m = mirror('7.3');
    const { kernel, mm, machine } = m;
    map(kernel, mm, START, 1);
    const blocker = begin(machine, 'writer', function* () {
      yield* down_write(kernel, mm.mmap_lock);
      yield pause;
      kernel.store.set(kernel.state, 'jiffies', kernel.state.jiffies + 100);
      up_write(kernel, mm.mmap_lock);
    }).program;
    const range = hmmRange(m.sub, START, 1);
    const { result } = begin(machine, 'reader', () => hmm_range_fault_unlocked_timeout(kernel, range, 10));
    goOn(machine, blocker);
    expect(result.value).toBe(EBUSY);
    expect(mm.mmap_lock.readers).toEqual([]);
  });
});

describe('cost', () => {
  it('a snapshot of 100,000 pages is one short walk', () => {
    const m = mirror();
    const pages = 100_000;
    map(m.kernel, m.mm, START, pages);
    for (let i = 0; i < pages; i++) setPte(m.kernel, m.mm, START + i, mkPte(PteKind.Present, PFN + i, PTE_WRITE));
    const began = performance.now();
    const { result, pfns } = ask(m, pages);
    const each = ((performance.now() - began) * 1000) / pages;
    expect(result).toBe(0);
    expect(pfns.at(-1)).toBe((PFN + pages - 1) * 256 + 3);
    expect(each).toBeLessThan(5);
  });
});
