/** Page faults on memory of small pages: which page comes, who holds it, and what the entry says. */
import { describe, expect, it } from 'vitest';
import { FAULT_FLAG_WRITE, VM_FAULT_OOM, VM_FAULT_SIGBUS } from '../../sim/include/mm_types.ts';
import type { Release } from '../../sim/index.ts';
import { PG_DIRTY, PG_LRU, PG_SWAPBACKED, PG_UPTODATE, testFlag } from '../../sim/mm/folio_record.ts';
import { handle_mm_fault, zero_pfn } from '../../sim/mm/memory.ts';
import { addr, FaultWorld } from '../support/faults.ts';

describe('anonymous memory', () => {
  it('a read maps the zero page, which counts for nobody', () => {
    const world = new FaultWorld();
    const at = world.map(2);
    world.read(at);
    expect(world.pte(at)).toBe('Present special young');
    expect(world.pfn(at)).toBe(zero_pfn(world.kernel));
    expect(world.mm().rss).toEqual([0, 0, 0, 0]);
    world.check();
  });

  it('the zero page is a reserved page in the bss of the kernel image', () => {
    const world = new FaultWorld();
    expect(world.sh('cat /proc/iomem')).toContain('0221f000-023fffff : Kernel bss');
    expect(zero_pfn(world.kernel)).toBe(0x221f);
  });

  it('a write gets a page of its own: two references, no LRU list, as recorded', () => {
    const world = new FaultWorld();
    const at = world.map(1);
    world.write(at);
    expect(world.pte(at)).toBe('Present write dirty young');
    // d-hmm, S1 "after CPU write": ref=2 mapcount_raw=0 flags=uptodate|swapbacked, exclusive=1.
    expect(world.counts(at)).toEqual([2, 0]);
    expect(world.exclusive(at)).toBe(true);
    const { pfn, memcg } = world.folio(at);
    const flags = [PG_UPTODATE, PG_SWAPBACKED, PG_LRU, PG_DIRTY].map((flag) => testFlag(world.kernel, pfn, flag));
    expect(flags).toEqual([true, true, false, false]);
    expect(memcg?.usage).toBe(1);
    expect(world.mm().rss).toEqual([0, 1, 0, 0]);
    expect(world.calls()).toEqual(expect.arrayContaining(['handle_mm_fault', 'do_anonymous_page']));
    world.check();
  });

  it('the 31st page sends the batch to the LRU list', () => {
    const world = new FaultWorld();
    const at = world.map(31);
    world.write(at, 30);
    expect(world.vm('nr_inactive_anon')).toBe(0);
    world.write(at + 30);
    expect(world.vm('nr_inactive_anon')).toBe(31);
    expect(world.counts(at)).toEqual([1, 0]);
  });

  it('a write to the zero page replaces it', () => {
    const world = new FaultWorld();
    const at = world.map(1);
    world.read(at);
    world.write(at);
    expect(world.pte(at)).toBe('Present write dirty young');
    expect(world.mm().rss).toEqual([0, 1, 0, 0]);
    expect(world.vm('pgfault')).toBe(2);
    world.check();
  });

  it('without memory the fault says OOM, and nothing is held', () => {
    const world = new FaultWorld();
    const at = world.map(1);
    world.sh('inject page');
    const result = world.run(() => handle_mm_fault(world.kernel, world.vma(at), at, FAULT_FLAG_WRITE));
    expect(result).toBe(VM_FAULT_OOM);
    expect(world.kernel.state.folios.size).toBe(0);
    world.write(at);
    world.check();
  });

  it('a memory cgroup that is full, page tables included, gives no page, and counts that', () => {
    const world = new FaultWorld();
    const at = world.map(3);
    const { memcg } = world.mm();
    world.run(function* () {
      yield* [];
      world.kernel.store.set(memcg, 'max', 3 + 2);
    });
    world.write(at, 2);
    expect(world.status(`proc write p ${addr(at + 2)} 1`)).toBe(-12);
    expect(memcg).toMatchObject({ usage: 2, events: { max: 1, oom: 1 } });
    world.check();
  });
});

describe('copy on write', () => {
  it('fork makes both entries read only and the page shared', () => {
    const world = new FaultWorld();
    const at = world.map(1);
    world.write(at);
    world.sh('c = proc fork p');
    expect([world.pte(at), world.pte(at, 101)]).toEqual(['Present dirty young', 'Present dirty']);
    expect(world.counts(at)[1]).toBe(1);
    expect(world.exclusive(at)).toBe(false);
    expect(world.mm(101).rss).toEqual([0, 1, 0, 0]);
    world.check();
  });

  it('the first writer gets a copy, the second keeps the page', () => {
    const world = new FaultWorld();
    const at = world.map(1);
    world.write(at, 1, '5');
    world.sh('c = proc fork p');
    const first = world.pfn(at);
    world.write(at, 1, '6', 'c');
    expect(world.pfn(at, 101)).not.toBe(first);
    world.write(at, 1, '8');
    expect(world.pfn(at)).toBe(first);
    expect([world.read(at), world.read(at, 1, 'c')].map((text) => text.split(' ').at(-1))).toEqual(['8', '6']);
    expect(world.exclusive(at)).toBe(true);
    expect(world.vm('pgreuse')).toBe(1);
    world.check();
  });

  it('from 5.9 to 5.17 a reference in the LRU batch is enough for a copy; before and after it is not', () => {
    const copies = (release: Release): boolean => {
      const world = new FaultWorld(release);
      const at = world.map(1);
      world.write(at);
      world.sh('c = proc fork p', 'proc exit c');
      // The batch was drained by the exit; a further reference of it is what a fault in between leaves.
      const { kernel } = world;
      world.run(function* () {
        yield* [];
        const { pfn } = world.folio(at);
        kernel.pages.flags.set(pfn, kernel.pages.flags.get(pfn) & ~PG_LRU);
        kernel.pages.refcount.add(pfn, 1);
        kernel.store.splice(kernel.state.lru_add, 0, 0, pfn);
      });
      const before = world.pfn(at);
      world.write(at);
      return world.pfn(at) !== before;
    };
    expect([copies('5.4'), copies('5.9'), copies('5.15'), copies('5.18')]).toEqual([false, true, true, false]);
  });

  it('a page that is pinned is copied for the child at once, and stays the writable page of the parent', () => {
    const world = new FaultWorld();
    const at = world.map(1);
    world.write(at, 1, '5');
    world.sh(`proc gup p ${addr(at)} 1 write pin`, 'c = proc fork p');
    expect([world.pte(at), world.pte(at, 101)]).toEqual(['Present write dirty young', 'Present write dirty young']);
    expect(world.pfn(at)).not.toBe(world.pfn(at, 101));
    expect(world.read(at, 1, 'c')).toMatch(/5$/);
    world.check();
  });
});

describe('files', () => {
  it('a read fault maps what the cache has around it, as recorded of a tmpfs file', () => {
    const world = new FaultWorld();
    world.map(4, 'rw file:data shared');
    const shared = world.mm().vmas[0]?.start ?? 0;
    world.write(shared, 4, 'i');
    const at = world.map(4, 'rw file:data private');
    world.read(at);
    expect([0, 1, 2, 3].map((i) => world.pte(at + i))).toEqual(new Array(4).fill('Present young'));
    expect(world.counts(at)[1]).toBe(1);
    expect(world.calls()).toContain('do_fault_around');
    world.check();
  });

  it('a write to a private mapping copies the page, and the file keeps its own', () => {
    const world = new FaultWorld();
    const at = world.map(2, 'rw file:data private');
    world.write(at, 1, '9');
    expect(world.pte(at)).toBe('Present write dirty young');
    expect(world.exclusive(at)).toBe(true);
    expect(world.mm().rss[1]).toBe(1);
    const other = world.map(2, 'r file:data shared');
    expect(world.read(other)).toMatch(/0$/);
    world.check();
  });

  it('a write through the copy of a mapped page moves the page from the file counter to the anonymous one', () => {
    const world = new FaultWorld();
    const at = world.map(1, 'rw file:data private');
    world.read(at);
    const before = world.mm().rss.slice();
    world.write(at);
    expect([before[1], world.mm().rss[1]]).toEqual([0, 1]);
    expect((world.mm().rss[0] ?? 0) + (world.mm().rss[3] ?? 0)).toBe(0);
    world.check();
  });

  it('a write to a shared mapping asks the file system and makes the page dirty', () => {
    const world = new FaultWorld();
    const at = world.map(1, 'rw file:data shared');
    world.read(at);
    expect(world.pte(at)).toBe('Present young');
    world.write(at);
    expect(world.pte(at)).toBe('Present write dirty young');
    expect(testFlag(world.kernel, world.pfn(at), PG_DIRTY)).toBe(true);
    expect(world.calls()).toContain('filemap_page_mkwrite');
    expect(world.vm('nr_dirty')).toBe(1);
    world.check();
  });

  it('shared anonymous memory is writable from its first read: nobody asks to be told', () => {
    const world = new FaultWorld();
    const at = world.map(1, 'rw anon shared');
    world.read(at);
    expect(world.pte(at)).toBe('Present write young');
    expect(world.mm().rss).toEqual([0, 0, 0, 1]);
    // d-hmm, S5c: ref=3, the cache's, the mapping's, the batch's.
    expect(world.counts(at)).toEqual([3, 0]);
    world.check();
  });

  it('behind the end of the file there is nothing but SIGBUS', () => {
    const world = new FaultWorld();
    const at = world.map(2, 'rw file:data shared');
    const { file } = world.vma(at);
    world.run(function* () {
      yield* [];
      if (file) world.kernel.store.set(file, 'size', 1);
    });
    const result = world.run(() => handle_mm_fault(world.kernel, world.vma(at), at + 1, 0));
    expect(result).toBe(VM_FAULT_SIGBUS);
  });

  it('munmap leaves dirty pages of a file dirty in its cache', () => {
    const world = new FaultWorld();
    const at = world.map(2, 'rw file:data shared');
    world.write(at, 2, '3');
    const { file } = world.vma(at);
    const pfn = world.pfn(at);
    world.sh(`proc munmap p ${addr(at)} 2`);
    expect(file?.pages.get(0)).toBe(pfn);
    expect(testFlag(world.kernel, pfn, PG_DIRTY)).toBe(true);
    expect(world.mm().rss).toEqual([0, 0, 0, 0]);
    world.check();
  });
});

describe('protection', () => {
  it('private pages that are nobody else’s are writable again with their VMA from 6.0, with their next write before', () => {
    const outcome = (release: Release): string => {
      const world = new FaultWorld(release);
      const at = world.map(1);
      world.write(at);
      world.sh(`proc mprotect p ${addr(at)} 1 r`);
      expect(world.pte(at)).toBe('Present dirty young');
      world.sh(`proc mprotect p ${addr(at)} 1 rw`);
      world.check();
      return world.pte(at);
    };
    expect([outcome('5.19'), outcome('6.0')]).toEqual(['Present dirty young', 'Present write dirty young']);
  });

  it('PROT_NONE keeps the page, and says so in the entry', () => {
    const world = new FaultWorld();
    const at = world.map(1);
    world.write(at);
    world.sh(`proc mprotect p ${addr(at)} 1 none`);
    expect(world.pte(at)).toBe('ProtNone dirty young');
    expect(world.status(`proc read p ${addr(at)} 1`)).toBe(-14);
    world.sh(`proc mprotect p ${addr(at)} 1 r`);
    expect(world.pte(at)).toBe('Present dirty young');
    world.check();
  });
});
