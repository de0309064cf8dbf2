/** mm/hmm.c of 4.14 to 5.7: mirrors, ranges and entries as each release had them, quirks included. */
import { describe, expect, it } from 'vitest';
import { mkPte, PTE_SPECIAL, PTE_WRITE, type Pte, PteKind } from '../../sim/arch/pte.ts';
import { VM_HUGETLB, VM_IO, VM_READ, VM_WRITE } from '../../sim/include/mm_types.ts';
import type { Release } from '../../sim/index.ts';
import { mmput } from '../../sim/kernel/fork.ts';
import { down_read, down_write, up_read, up_write } from '../../sim/kernel/locking.ts';
import type { DriverFormat } from '../../sim/mm/hmm_entries.ts';
import {
  type FaultFlags,
  hmm_notifier_fault,
  hmm_range_register,
  hmm_range_unregister,
  hmm_range_wait_until_valid,
  hmm_registered_fault,
} from '../../sim/mm/hmm_range.ts';
import {
  type HmmMirror,
  hmm_mirror_register,
  hmm_mirror_unregister,
  type MirrorOps,
  type OldHmmRange,
  structHmmOf,
} from '../../sim/mm/hmm_struct.ts';
import { hmm_vma_fault, hmm_vma_get_pfns, hmm_vma_range_done } from '../../sim/mm/hmm_vma.ts';
import {
  MMU_NOTIFY_CLEAR,
  type MmuNotifierRange,
  mmu_interval_notifier_insert,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from '../../sim/mm/mmu_notifier.ts';
import { begin, done, goOn, listener, map, pause, setPte, type World, world } from '../support/mirrors.ts';

const EPERM = -1;
const EAGAIN = -11;
const EFAULT = -14;
const EBUSY = -16;
const EINVAL = -22;
const ENOMEM = -12;
const START = 0x10000;
const PFN = 0x1234n;
const page = (flags = 0): Pte => mkPte(PteKind.Present, Number(PFN), flags);

/** A driver with bits of its own: valid 1, write 2, device private 4; error, none and special as values. */
const FORMAT: DriverFormat = {
  flags: [1n, 2n, 4n],
  values: [0xe0n, 0xa0n, 0xc0n],
  pfn_shift: 8,
  default_flags: 0n,
  pfn_flags_mask: 0xffffffffffffffffn,
};
const [ERROR, NONE, SPECIAL] = [0xe0n, 0xa0n, 0xc0n];
const entry = (flags: bigint, pfn = PFN): bigint => (pfn << 8n) | flags;

interface Heard {
  readonly mirror: HmmMirror;
  readonly updates: { update: MmuNotifierRange; pte: Pte | undefined }[];
  released: number;
}
function mirrorOps(answer = 0): MirrorOps & { heard: Heard['updates']; released: number } {
  const heard: Heard['updates'] = [];
  return {
    heard,
    released: 0,
    // biome-ignore lint/correctness/useYield: a driver that does not sleep
    *sync_cpu_device_pagetables(_kernel, _mirror, update) {
      heard.push({ update, pte: undefined });
      return answer;
    },
    // biome-ignore lint/correctness/useYield: a driver that does not sleep
    *release() {
      this.released++;
    },
  };
}

function register(w: World, ops: MirrorOps = mirrorOps()): HmmMirror {
  const mirror: HmmMirror = { hmm: undefined, ops, c: undefined };
  expect(tryRegister(w, mirror)).toBe(0);
  return mirror;
}
const tryRegister = ({ machine, kernel, mm }: World, mirror: HmmMirror): number =>
  done(machine, 'hmm_mirror_register', function* () {
    yield* down_write(kernel, mm.mmap_lock);
    const result = yield* hmm_mirror_register(kernel, mirror, mm);
    up_write(kernel, mm.mmap_lock);
    return result;
  });

function rangeOf(w: World, pages: number, words: bigint[], more: Partial<OldHmmRange> = {}): OldHmmRange {
  return {
    start: START,
    end: START + pages,
    pfns: { words, first: 0 },
    format: w.kernel.facts.hmmFixedPfnBits ? undefined : FORMAT,
    vma: undefined,
    hmm: undefined,
    valid: false,
    page_shift: 12,
    c: undefined,
    ...more,
  };
}
function invalidate({ machine, kernel, mm }: World, start: number, end: number, blockable = true): number {
  const range = mmu_notifier_range(MMU_NOTIFY_CLEAR, mm, start, end, undefined, blockable);
  return done(machine, 'invalidate', function* () {
    const result = yield* mmu_notifier_invalidate_range_start(kernel, range);
    if (result === 0) yield* mmu_notifier_invalidate_range_end(kernel, range);
    return result;
  });
}

/* ---- by VMA, to 5.1 ---- */

function vmaWorld(release: Release, pages = 4, prot = VM_READ | VM_WRITE, more = 0) {
  const w = world(release);
  const mirror = register(w);
  const vma = map(w.kernel, w.mm, START, pages, prot, more);
  return { ...w, mirror, vma };
}
const snapshot = (w: ReturnType<typeof vmaWorld>, range: OldHmmRange): number =>
  done(w.machine, 'get_pfns', () => hmm_vma_get_pfns(w.kernel, w.vma, range));
const fault = (w: ReturnType<typeof vmaWorld>, range: OldHmmRange, write = false): number =>
  done(w.machine, 'fault', () => hmm_vma_fault(w.kernel, w.vma, range, { write, block: true }));

describe('hmm_vma_get_pfns', () => {
  const kinds: readonly [string, Pte, bigint, bigint][] = [
    ['an empty PTE', 0, 16n, NONE],
    ['a read-only page', page(), (PFN << 7n) | 3n, entry(1n)],
    ['a writable page', page(PTE_WRITE), (PFN << 7n) | 7n, entry(3n)],
    ['a PROT_NONE page, taken for valid', mkPte(PteKind.ProtNone, Number(PFN)), (PFN << 7n) | 3n, entry(1n)],
    ['a swapped page', mkPte(PteKind.Swap, 32), 0n, NONE],
    ['a migration entry', mkPte(PteKind.MigrationRead, 1), 0n, NONE],
    ['a readable device page', mkPte(PteKind.DeviceRead, Number(PFN)), (PFN << 7n) | 67n, entry(5n)],
    ['a writable device page', mkPte(PteKind.DeviceWrite, Number(PFN)), (PFN << 7n) | 71n, entry(7n)],
    ['a poisoned page', mkPte(PteKind.Hwpoison, 1), 8n, ERROR],
    ['a special page, reported like any', page(PTE_SPECIAL), (PFN << 7n) | 3n, entry(1n)],
  ];
  it.each(kinds)('%s, in the fixed bits of 4.16 and the bits of the driver in 4.17', (_what, pte, fixed, own) => {
    for (const [release, word] of [
      ['4.16', fixed],
      ['4.17', own],
    ] as const) {
      const w = vmaWorld(release);
      setPte(w.kernel, w.mm, START, pte);
      const words = [99n];
      expect(snapshot(w, rangeOf(w, 1, words))).toBe(0);
      expect(words, release).toEqual([word]);
    }
  });

  it('watches the range until hmm_vma_range_done, and an invalidation in between is found out', () => {
    const w = vmaWorld('4.17');
    setPte(w.kernel, w.mm, START, page());
    for (const isChanged of [false, true]) {
      const words = [0n, 0n];
      const range = rangeOf(w, 2, words);
      snapshot(w, range);
      expect(structHmmOf(w.mm)?.ranges).toEqual([range]);
      if (isChanged) invalidate(w, START + 1, START + 2);
      expect(hmm_vma_range_done(w.kernel, w.vma, range)).toBe(!isChanged);
      // What was hit is cleared to 0, which is not what this driver calls none.
      expect(words).toEqual([entry(1n), isChanged ? 0n : NONE]);
      expect(structHmmOf(w.mm)?.ranges).toEqual([]);
    }
  });

  it('an update that ends where the range begins invalidates it too', () => {
    const w = vmaWorld('4.17');
    const range = rangeOf(w, 1, [0n]);
    snapshot(w, range);
    invalidate(w, START - 4, START);
    expect(hmm_vma_range_done(w.kernel, w.vma, range)).toBe(false);
  });

  const refusals: readonly [string, Release, number, number, number, number, bigint][] = [
    ['a range beyond the VMA', '4.17', VM_READ, 0, 5, EINVAL, 99n],
    ['a range beyond the VMA', '4.14', VM_READ, 0, 5, EINVAL, 99n],
    ['a special VMA', '4.14', VM_READ, VM_IO, 1, EINVAL, 32n],
    ['a special VMA', '4.17', VM_READ, VM_IO, 1, EINVAL, SPECIAL],
    ['hugetlb', '5.0', VM_READ, VM_HUGETLB, 1, EINVAL, SPECIAL],
    ['a VMA that cannot be read', '4.17', VM_WRITE, 0, 1, EPERM, NONE],
  ];
  it.each(refusals)('%s in %s is refused', (_what, release, prot, more, pages, errno, word) => {
    const w = vmaWorld(release, 4, prot, more);
    const words = [99n, 99n, 99n, 99n, 99n];
    expect(snapshot(w, rangeOf(w, pages, words))).toBe(errno);
    expect(words[0]).toBe(word);
    expect(structHmmOf(w.mm)?.ranges).toEqual([]);
  });

  it('without memory for struct hmm it is -ENOMEM', () => {
    const w = world('4.17');
    const vma = map(w.kernel, w.mm, START, 1);
    w.kernel.store.mapSet(w.kernel.state.injected, 'notifier', 1);
    expect(done(w.machine, 'get_pfns', () => hmm_vma_get_pfns(w.kernel, vma, rangeOf(w, 1, [0n])))).toBe(ENOMEM);
  });
});

describe('hmm_vma_fault', () => {
  it('to 4.16 faults everything that is missing, for writing if asked', () => {
    const w = vmaWorld('4.14');
    const words = [0n, 0n, 0n, 0n];
    expect(fault(w, rangeOf(w, 4, words), true)).toBe(0);
    expect(words.map((word) => word & 7n)).toEqual([7n, 7n, 7n, 7n]);
  });

  it('from 4.17 faults what the input asks for', () => {
    const w = vmaWorld('4.17');
    setPte(w.kernel, w.mm, START, page());
    const words = [0n, 3n];
    expect(fault(w, rangeOf(w, 2, words))).toBe(0);
    expect([words[0], (words[1] ?? 0n) & 3n]).toEqual([entry(1n), 3n]);
  });

  it('a special VMA is a success to 4.16, to be done with; later -EINVAL', () => {
    for (const [release, errno, watched] of [
      ['4.16', 0, 1],
      ['4.17', EINVAL, 0],
    ] as const) {
      const w = vmaWorld(release, 4, VM_READ, VM_IO);
      expect(fault(w, rangeOf(w, 1, [0n]))).toBe(errno);
      expect(structHmmOf(w.mm)?.ranges).toHaveLength(watched);
    }
  });

  it('after an error the entries from there on are cleared and the range is let go', () => {
    const w = vmaWorld('4.17');
    setPte(w.kernel, w.mm, START, page());
    setPte(w.kernel, w.mm, START + 1, mkPte(PteKind.Hwpoison, 1));
    const words = [1n, 1n, 1n];
    expect(fault(w, rangeOf(w, 3, words))).toBe(EFAULT);
    // The mark of the error is overwritten with the rest.
    expect(words).toEqual([entry(1n), NONE, NONE]);
    expect(structHmmOf(w.mm)?.ranges).toEqual([]);
  });

  it('a device page is faulted back only if the input names its flag', () => {
    const w = vmaWorld('4.17');
    setPte(w.kernel, w.mm, START, mkPte(PteKind.DeviceRead, Number(PFN)));
    const words = [3n];
    expect(fault(w, rangeOf(w, 1, words))).toBe(0);
    expect(words).toEqual([entry(5n)]);
  });
});

/* ---- mirrors ---- */

describe('hmm_mirror_register', () => {
  it.each(['4.14', '4.20', '5.3', '5.4'] as const)('in %s refuses what is missing', (release) => {
    const w = world(release);
    const register = (mirror: HmmMirror | undefined, mm = true): number =>
      done(w.machine, 'register', () => hmm_mirror_register(w.kernel, mirror, mm ? w.mm : undefined));
    const mirror: HmmMirror = { hmm: undefined, ops: mirrorOps(), c: undefined };
    expect(register(undefined)).toBe(EINVAL);
    expect(register(mirror, false)).toBe(EINVAL);
    expect(register({ ...mirror, ops: undefined })).toBe(EINVAL);
    w.kernel.store.mapSet(w.kernel.state.injected, 'notifier', 1);
    expect(register(mirror)).toBe(ENOMEM);
  });

  it('the callback runs when the page table has changed to 4.19, before that from 4.20 on', () => {
    for (const [release, calls] of [
      ['4.19', [0, 1]],
      ['4.20', [1, 1]],
      ['5.4', [1, 1]],
    ] as const) {
      const w = world(release);
      const ops = mirrorOps();
      register(w, ops);
      const range = mmu_notifier_range(MMU_NOTIFY_CLEAR, w.mm, START, START + 1);
      const program = begin(w.machine, 'change', function* () {
        yield* mmu_notifier_invalidate_range_start(w.kernel, range);
        yield pause;
        yield* mmu_notifier_invalidate_range_end(w.kernel, range);
      }).program;
      const before = ops.heard.length;
      goOn(w.machine, program);
      expect([before, ops.heard.length], release).toEqual(calls);
    }
  });

  it.each([
    ['4.20', EAGAIN],
    ['5.0', EAGAIN],
    ['5.2', 0],
    ['5.3', EAGAIN],
    ['5.4', EAGAIN],
  ] as const)('in %s a mirror that must not sleep and says -EAGAIN gives %i', (release, result) => {
    const w = world(release);
    register(w, mirrorOps(EAGAIN));
    expect(invalidate(w, START, START + 1, false)).toBe(result);
  });

  it('release is called at exit from 4.17 on; to 5.2 the mirror is off the list by then', () => {
    for (const [release, released, left] of [
      ['4.16', 0, 1],
      ['4.17', 1, 0],
      ['5.2', 1, 0],
      ['5.3', 1, 1],
      ['5.4', 1, 1],
    ] as const) {
      const w = world(release);
      const ops = mirrorOps();
      const { hmm } = register(w, ops);
      done(w.machine, 'exit', () => mmput(w.kernel, w.mm));
      expect([ops.released, hmm?.mirrors.length], release).toEqual([released, left]);
    }
  });

  it('4.17 to 5.1: the first unregistration of two cuts the mm off, and nobody frees the struct', () => {
    const w = world('4.17');
    const [first, second] = [register(w), register(w)];
    const hmm = structHmmOf(w.mm);
    hmm_mirror_unregister(w.kernel, first);
    expect(hmm?.mm).toBeUndefined();
    hmm_mirror_unregister(w.kernel, second);
    expect(structHmmOf(w.mm)).toBe(hmm);
    // A third mirror finds the same struct again and again.
    const third: HmmMirror = { hmm: undefined, ops: mirrorOps(), c: undefined };
    const { program } = begin(w.machine, 'register', () => hmm_mirror_register(w.kernel, third, w.mm));
    expect(program.status).toBe('waiting');
  });

  it('the last unregistration frees the struct and its notifier', () => {
    for (const release of ['4.17', '5.2', '5.3', '5.4'] as const) {
      const w = world(release);
      const mirror = register(w);
      hmm_mirror_unregister(w.kernel, mirror);
      expect([structHmmOf(w.mm), w.mm.mm_count], release).toEqual([undefined, 1]);
      invalidate(w, START, START + 1);
    }
  });
});

/* ---- registered ranges, 5.2 to 5.4 ---- */

const FAULT: FaultFlags = { snapshot: false, allowRetry: false };
const SNAPSHOT: FaultFlags = { snapshot: true, allowRetry: false };
function rangeWorld(release: '5.2' | '5.3' | '5.4') {
  const w = world(release);
  const mirror = register(w);
  const of = release === '5.2' ? w.mm : mirror;
  const ask = (range: OldHmmRange, flags: FaultFlags): number =>
    done(w.machine, 'fault', function* () {
      yield* down_read(w.kernel, w.mm.mmap_lock);
      const result = yield* hmm_registered_fault(w.kernel, range, flags);
      if (w.mm.mmap_lock.readers.length > 0) up_read(w.kernel, w.mm.mmap_lock);
      return result;
    });
  return { ...w, mirror, of, ask };
}
const READ_ALL: DriverFormat = { ...FORMAT, default_flags: 1n, pfn_flags_mask: 0n };
const WRITE_ALL: DriverFormat = { ...FORMAT, default_flags: 3n, pfn_flags_mask: 0n };

describe('hmm_range_register', () => {
  it.each(['5.2', '5.3', '5.4'] as const)(
    'in %s: -EINVAL for an empty range, -EFAULT when the process is over',
    (release) => {
      const w = rangeWorld(release);
      expect(hmm_range_register(w.kernel, rangeOf(w, 0, []), w.of)).toBe(EINVAL);
      done(w.machine, 'exit', () => mmput(w.kernel, w.mm));
      expect(hmm_range_register(w.kernel, rangeOf(w, 1, [0n]), w.of)).toBe(EFAULT);
    },
  );

  it('keeps the mm in use from 5.3 on, until it is unregistered', () => {
    for (const [release, users] of [
      ['5.2', 1],
      ['5.3', 2],
      ['5.4', 2],
    ] as const) {
      const w = rangeWorld(release);
      const range = rangeOf(w, 1, [0n]);
      expect(hmm_range_register(w.kernel, range, w.of)).toBe(0);
      expect(w.mm.mm_users, release).toBe(users);
      done(w.machine, 'unregister', () => hmm_range_unregister(w.kernel, range));
      expect([w.mm.mm_users, range.valid]).toEqual([1, false]);
    }
  });

  it('is valid only while nothing at all is being invalidated, and comes back by itself', () => {
    const w = rangeWorld('5.4');
    const change = mmu_notifier_range(MMU_NOTIFY_CLEAR, w.mm, 1, 2);
    const writer = begin(w.machine, 'writer', function* () {
      yield* mmu_notifier_invalidate_range_start(w.kernel, change);
      yield pause;
      yield* mmu_notifier_invalidate_range_end(w.kernel, change);
    }).program;
    const range = rangeOf(w, 1, [0n]);
    hmm_range_register(w.kernel, range, w.of);
    expect(range.valid).toBe(false);
    const { program, result } = begin(w.machine, 'wait', () => hmm_range_wait_until_valid(w.kernel, range, 1000));
    expect(program.waitsFor?.holderTasks?.()).toEqual([writer.id]);
    goOn(w.machine, writer);
    expect([result.value, range.valid]).toEqual([true, true]);
  });
});

describe('hmm_range_fault and hmm_range_snapshot, 5.2 to 5.4', () => {
  it.each(['5.2', '5.3', '5.4'] as const)('in %s counts the pages it passed', (release) => {
    const w = rangeWorld(release);
    map(w.kernel, w.mm, START, 4);
    const range = rangeOf(w, 4, [0n, 0n, 0n, 0n], { format: WRITE_ALL });
    hmm_range_register(w.kernel, range, w.of);
    expect(w.ask(range, FAULT)).toBe(4);
    expect(range.pfns.words.map((word) => word & 3n)).toEqual([3n, 3n, 3n, 3n]);
  });

  it('a hole of page tables at the end is not counted: 0 for a range that is one', () => {
    const w = rangeWorld('5.3');
    map(w.kernel, w.mm, START, 4);
    const range = rangeOf(w, 4, [0n, 0n, 0n, 0n]);
    hmm_range_register(w.kernel, range, w.of);
    expect(w.ask(range, SNAPSHOT)).toBe(0);
    expect(range.pfns.words).toEqual([NONE, NONE, NONE, NONE]);
  });

  it.each([
    ['5.2', EAGAIN, 0],
    ['5.3', EBUSY, 1],
    ['5.4', EBUSY, 1],
  ] as const)('a range that is not valid: in %s %i, with %i reader of mmap_sem left', (release, errno, readers) => {
    const w = rangeWorld(release);
    map(w.kernel, w.mm, START, 1);
    const range = rangeOf(w, 1, [0n], { format: READ_ALL });
    hmm_range_register(w.kernel, range, w.of);
    w.kernel.store.set(range, 'valid', false);
    const result = done(w.machine, 'fault', function* () {
      yield* down_read(w.kernel, w.mm.mmap_lock);
      return yield* hmm_registered_fault(w.kernel, range, FAULT);
    });
    expect([result, w.mm.mmap_lock.readers.length]).toEqual([errno, readers]);
  });

  const kinds: readonly [string, Pte, Release, number, bigint][] = [
    ['a swapped page is never faulted in 5.3', mkPte(PteKind.Swap, 32), '5.3', 1, NONE],
    ['a migration entry is not waited for', mkPte(PteKind.MigrationRead, 1), '5.4', 1, NONE],
    ['a PROT_NONE page is valid in 5.2', mkPte(PteKind.ProtNone, Number(PFN)), '5.2', 1, entry(1n)],
    ['a special page stops the walk', page(PTE_SPECIAL), '5.4', EFAULT, NONE],
    ['a device page is reported', mkPte(PteKind.DeviceWrite, Number(PFN)), '5.4', 1, entry(7n)],
    ['a poisoned page stops the walk', mkPte(PteKind.Hwpoison, 1), '5.3', EFAULT, NONE],
  ];
  it.each(kinds)('%s', (_what, pte, release, result, word) => {
    const w = rangeWorld(release as '5.2');
    map(w.kernel, w.mm, START, 1);
    setPte(w.kernel, w.mm, START, pte);
    const range = rangeOf(w, 1, [99n], { format: READ_ALL });
    hmm_range_register(w.kernel, range, w.of);
    expect(w.ask(range, FAULT)).toBe(result);
    expect(range.pfns.words).toEqual([word]);
  });

  it('no VMA and device VMAs are -EFAULT, one that cannot be read -EPERM, a page shift that does not fit -EINVAL', () => {
    for (const [prot, more, shift, errno] of [
      [-1, 0, 12, EFAULT],
      [VM_READ, VM_IO, 12, EFAULT],
      [VM_WRITE, 0, 12, EPERM],
      [VM_READ, 0, 21, EINVAL],
    ] as const) {
      const w = rangeWorld('5.3');
      if (prot >= 0) map(w.kernel, w.mm, START, 512, prot, more);
      const range = rangeOf(w, 512, new Array<bigint>(512).fill(0n), { page_shift: shift });
      expect(hmm_range_register(w.kernel, range, w.of)).toBe(0);
      expect(w.ask(range, SNAPSHOT)).toBe(errno);
    }
  });

  it('writing into a VMA that does not permit it is -EPERM from 5.4 on, the handler refuses before', () => {
    for (const [release, errno] of [
      ['5.3', EFAULT],
      ['5.4', EPERM],
    ] as const) {
      const w = rangeWorld(release);
      map(w.kernel, w.mm, START, 1, VM_READ);
      setPte(w.kernel, w.mm, START, page());
      const range = rangeOf(w, 1, [0n], { format: WRITE_ALL });
      hmm_range_register(w.kernel, range, w.of);
      expect(w.ask(range, FAULT)).toBe(errno);
    }
  });
});

/* ---- 5.5 to 5.7 ---- */

describe('hmm_range_fault of 5.6 and 5.7', () => {
  function ask(release: '5.6' | '5.7', prepare: (w: World) => void, format: DriverFormat, pages = 1) {
    const w = world(release);
    const sub = done(w.machine, 'insert', () => mmu_interval_notifier_insert(w.kernel, w.mm, 0, 2 ** 35, listener()));
    if (typeof sub === 'number') throw new Error('insert');
    prepare(w);
    const words = new Array<bigint>(pages).fill(99n);
    const range = {
      notifier: sub,
      notifier_seq: sub.invalidate_seq,
      start: START,
      end: START + pages,
      pfns: { words, first: 0 },
      format,
      dev_private_owner: undefined,
    };
    const result = done(w.machine, 'fault', function* () {
      yield* down_read(w.kernel, w.mm.mmap_lock);
      return yield* hmm_notifier_fault(w.kernel, range, FAULT);
    });
    return { result, words };
  }
  const nothing = { ...FORMAT, pfn_flags_mask: 0n };
  const at =
    (pte: Pte, prot = VM_READ | VM_WRITE, more = 0) =>
    (w: World) => {
      map(w.kernel, w.mm, START, 1, prot, more);
      setPte(w.kernel, w.mm, START, pte);
    };

  it.each([
    ['a hole', () => {}, { result: 0, words: [NONE] }, { result: 0, words: [ERROR] }],
    ['a device VMA', at(page(), VM_READ, VM_IO), { result: EFAULT, words: [99n] }, { result: 1, words: [ERROR] }],
    ['an unreadable VMA', at(page(), VM_WRITE), { result: 1, words: [NONE] }, { result: 1, words: [ERROR] }],
    ['a special page', at(page(PTE_SPECIAL)), { result: EFAULT, words: [SPECIAL] }, { result: 1, words: [SPECIAL] }],
  ] as const)('a snapshot of %s', (_what, prepare, in56, in57) => {
    expect(ask('5.6', prepare, nothing)).toEqual(in56);
    expect(ask('5.7', prepare, nothing)).toEqual(in57);
  });

  it('asked for, a hole and a special page are -EFAULT in both', () => {
    for (const release of ['5.6', '5.7'] as const) {
      expect(ask(release, () => {}, READ_ALL).result).toBe(EFAULT);
      expect(ask(release, at(page(PTE_SPECIAL)), READ_ALL).result).toBe(EFAULT);
    }
  });

  it('counts pages still, and device-private flags are gone in 5.7', () => {
    expect(ask('5.6', at(mkPte(PteKind.DeviceWrite, Number(PFN))), READ_ALL)).toEqual({
      result: 1,
      words: [entry(7n)],
    });
    expect(ask('5.7', at(page(PTE_WRITE)), WRITE_ALL)).toEqual({ result: 1, words: [entry(3n)] });
  });
});
