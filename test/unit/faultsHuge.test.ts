/** Huge pages: THP faults, splits, fork, collapse; the pool of hugetlb. */
import { describe, expect, it } from 'vitest';
import type { Release } from '../../sim/index.ts';
import { folio_trylock, folio_unlock } from '../../sim/kernel/locking.ts';
import { folio_get, folio_put_system } from '../../sim/mm/folio.ts';
import { PG_DIRTY, PG_LRU, testFlag } from '../../sim/mm/folio_record.ts';
import { split_folio } from '../../sim/mm/huge_split.ts';
import { zero_pfn } from '../../sim/mm/zero_page.ts';
import { addr, FaultWorld } from '../support/faults.ts';

/** The folio at `vpn` is split as by someone who holds and locks it. */
const split = (world: FaultWorld, vpn: number): number =>
  world.run(function* () {
    const { kernel } = world;
    const folio = world.folio(vpn);
    folio_get(kernel, folio.pfn);
    folio_trylock(kernel, folio.pfn);
    const result = yield* split_folio(kernel, folio);
    folio_unlock(kernel, folio.pfn);
    folio_put_system(kernel, folio.pfn);
    return result;
  });

describe('transparent huge pages', () => {
  it('a write where huge pages are wanted maps 2 MiB at once: counts and flags as recorded', () => {
    const world = new FaultWorld();
    const at = world.mapHuge();
    world.write(at + 5);
    // d-hmm, S8: ref=1 mapcount_raw=-1, on the LRU at once, exclusive, not dirty.
    expect(world.isHuge(at)).toBe(true);
    expect(world.counts(at)).toEqual([1, -1]);
    expect(world.folio(at)).toMatchObject({ order: 9, entire_mapcount: 0 });
    expect(world.exclusive(at)).toBe(true);
    const { pfn } = world.folio(at);
    expect([PG_LRU, PG_DIRTY].map((flag) => testFlag(world.kernel, pfn, flag))).toEqual([true, false]);
    expect(world.mm().rss).toEqual([0, 512, 0, 0]);
    expect(world.vm('thp_fault_alloc')).toBe(1);
    expect(world.folio(at).memcg?.usage).toBe(512);
    world.check();
  });

  it('needs the advice unless they are for all, and none if they are for nobody', () => {
    const isHuge = (setting: string, advise: boolean): boolean => {
      const world = new FaultWorld();
      world.sh(`echo ${setting} > /sys/kernel/mm/transparent_hugepage/enabled`);
      if (!advise) world.map(512, 'rw at=0x7f0000000000');
      const at = advise ? world.mapHuge() : 0x7f0000000;
      world.write(at);
      return world.isHuge(at);
    };
    expect([isHuge('madvise', false), isHuge('madvise', true)]).toEqual([false, true]);
    expect([isHuge('always', false), isHuge('never', true)]).toEqual([true, false]);
    expect(new FaultWorld().sh('cat /sys/kernel/mm/transparent_hugepage/enabled')).toBe('always [madvise] never');
  });

  it('a read maps the huge zero page; writing splits it and replaces one page, from 6.13 all of it', () => {
    const outcome = (release: Release): [boolean, number] => {
      const world = new FaultWorld(release);
      const at = world.mapHuge();
      world.read(at);
      expect(world.isHuge(at)).toBe(true);
      expect(world.mm().rss[1]).toBe(0);
      world.write(at + 1);
      if (!world.isHuge(at)) expect(world.pfn(at)).toBe(zero_pfn(world.kernel));
      world.check();
      return [world.isHuge(at), world.mm().rss[1]];
    };
    expect(outcome('6.12')).toEqual([false, 1]);
    expect(outcome('6.13')).toEqual([true, 512]);
  });

  it('without a huge page the fault takes a small one', () => {
    const world = new FaultWorld();
    const at = world.mapHuge();
    world.sh('inject huge-page');
    world.write(at);
    expect([world.isHuge(at), world.mm().rss[1], world.vm('thp_fault_fallback')]).toEqual([false, 1, 1]);
    world.check();
  });

  it('unmapping a part splits the entry, not the page; the rest stays mapped', () => {
    const world = new FaultWorld();
    const at = world.mapHuge();
    world.write(at);
    world.sh(`proc munmap p ${addr(at)} 4`);
    expect(world.isHuge(at + 4)).toBe(false);
    expect(world.folio(at + 4)).toMatchObject({ order: 9, entire_mapcount: -1 });
    expect(world.counts(at + 4)).toEqual([508, 0]);
    expect(world.vm('thp_split_pmd')).toBe(1);
    expect(world.vm('nr_anon_pages')).toBe(508);
    world.check();
    world.sh('proc exit p');
    expect(world.kernel.state.folios.size).toBe(0);
  });

  it('a split page is 512 pages with the flags that were recorded', () => {
    const world = new FaultWorld();
    const at = world.mapHuge();
    world.write(at, 512, 'i');
    expect(split(world, at)).toBe(0);
    // d-hmm, S8 "MIGRATE_TO_DEV page4 of the THP": uptodate|dirty|lru|swapbacked ref=1 mapcount_raw=0 exclusive.
    for (const vpn of [at, at + 1, at + 511]) {
      expect(world.counts(vpn)).toEqual([1, 0]);
      expect(world.folio(vpn).order).toBe(0);
      expect(world.exclusive(vpn)).toBe(true);
      expect(world.kernel.pages.flags.get(world.pfn(vpn)) & (2 ** 20 - 1 - 0x800)).toBe(0x20038);
    }
    expect([world.vm('thp_split_page'), world.vm('thp_split_pmd')]).toEqual([1, 1]);
    expect(world.read(at, 512)).toContain('word i holds i');
    world.check();
  });

  it('a page in somebody’s hands is not split', () => {
    const world = new FaultWorld();
    const at = world.mapHuge();
    world.write(at);
    const { pfn } = world.folio(at);
    world.kernel.pages.refcount.add(pfn, 1);
    expect(split(world, at)).toBe(-11);
    expect([world.isHuge(at), world.vm('thp_split_page_failed')]).toEqual([true, 1]);
  });

  it('fork shares the huge page; the writer’s entry is split and a page copied, to 5.7 the whole', () => {
    const outcome = (release: Release): [boolean, number] => {
      const world = new FaultWorld(release);
      const at = world.mapHuge();
      world.write(at, 512, 'i');
      world.sh('c = proc fork p');
      expect(world.folio(at).entire_mapcount).toBe(1);
      world.write(at + 3, 1, '9', 'c');
      expect(world.read(at + 3)).not.toMatch(/ 9$/);
      world.check();
      return [world.isHuge(at, 101), world.folio(at).entire_mapcount];
    };
    expect(outcome('6.12')).toEqual([false, 0]);
    expect(outcome('5.7')).toEqual([true, 0]);
  });

  it('mremap moves a huge entry whole where both places are aligned, and splits it elsewhere', () => {
    const world = new FaultWorld();
    const at = world.mapHuge();
    world.write(at, 512, 'i');
    const { pfn } = world.folio(at);
    world.sh(`proc mremap p ${addr(at)} 512 to=${addr(at + 1024)}`);
    expect([world.isHuge(at + 1024), world.pfn(at + 1024)]).toEqual([true, pfn]);
    world.sh(`proc mremap p ${addr(at + 1024)} 512 to=${addr(at + 2049)}`);
    expect([world.isHuge(at + 2049), world.pfn(at + 2049)]).toEqual([false, pfn]);
    expect(world.read(at + 2049, 512)).toContain('word i holds i');
    world.check();
  });
});

describe('MADV_COLLAPSE', () => {
  const small = (): [FaultWorld, number] => {
    const world = new FaultWorld();
    const at = 0x7f0000000;
    world.map(512, `rw at=${addr(at)}`);
    return [world, at];
  };

  it('makes a huge page of small ones and what is missing between them', () => {
    const [world, at] = small();
    world.write(at + 10, 3, 'i');
    world.sh(`proc madvise p ${addr(at)} 512 COLLAPSE`);
    expect(world.isHuge(at)).toBe(true);
    expect(world.mm().rss[1]).toBe(512);
    expect(world.read(at + 10, 3)).toContain('word i holds i');
    expect(world.kernel.state.folios.size).toBe(1);
    world.check();
  });

  it('says EAGAIN of a page in somebody’s hands, ENOMEM without a huge page, EINVAL where nothing is writable or there', () => {
    const [world, at] = small();
    const collapse = `proc madvise p ${addr(at)} 512 COLLAPSE`;
    expect(world.status(collapse)).toBe(-22);
    world.read(at);
    expect(world.status(collapse)).toBe(-22);
    world.write(at, 4);
    world.sh('inject huge-page');
    expect(world.status(collapse)).toBe(-12);
    world.sh(`proc gup p ${addr(at)} 1`);
    expect(world.status(collapse)).toBe(-11);
    world.check();
  });
});

describe('hugetlb', () => {
  it('a mapping reserves its pages, and there is no mapping without', () => {
    const world = new FaultWorld();
    expect(world.status('proc mmap p 512 rw hugetlb')).toBe(-12);
    world.sh('echo 2 > /proc/sys/vm/nr_hugepages');
    const at = world.map(1024, 'rw hugetlb');
    const { hugetlb } = world.kernel.state;
    expect([hugetlb.nr_huge_pages, hugetlb.free.length, hugetlb.resv_huge_pages]).toEqual([2, 2, 2]);
    world.write(at + 600, 1, '4');
    expect([hugetlb.free.length, hugetlb.resv_huge_pages]).toEqual([1, 1]);
    expect([world.isHuge(at), world.isHuge(at + 512)]).toEqual([false, true]);
    expect(world.pte(at + 512)).toBe('Present write dirty young');
    expect(world.mm().rss).toEqual([0, 0, 0, 0]);
    world.sh(`proc munmap p ${addr(at)} 1024`);
    expect([hugetlb.free.length, hugetlb.resv_huge_pages]).toEqual([2, 0]);
    world.check();
  });

  it('the pool gives back what nobody uses or has reserved', () => {
    const world = new FaultWorld();
    const free = (): number =>
      world.kernel.nodes.flatMap(({ node_zones }) => node_zones).reduce((n, z) => n + z.nr_free, 0);
    const before = free();
    world.sh('echo 3 > /proc/sys/vm/nr_hugepages');
    expect(before - free()).toBe(3 * 512);
    world.map(512, 'rw hugetlb');
    world.sh('echo 0 > /proc/sys/vm/nr_hugepages');
    expect(world.kernel.state.hugetlb.nr_huge_pages).toBe(1);
    expect(before - free()).toBe(512);
  });

  it('a private page is copied for who writes it after a fork, or the write fails without one', () => {
    const world = new FaultWorld();
    world.sh('echo 2 > /proc/sys/vm/nr_hugepages');
    const at = world.map(512, 'rw hugetlb');
    world.write(at, 1, '4');
    world.sh('c = proc fork p');
    world.write(at, 1, '5', 'c');
    expect([world.read(at), world.read(at, 1, 'c')].map((text) => text.split(' ').at(-1))).toEqual(['4', '5']);
    world.sh('d = proc fork p');
    expect(world.status(`proc write d ${addr(at)} 1 6`)).toBe(-14);
    world.check();
  });
});
