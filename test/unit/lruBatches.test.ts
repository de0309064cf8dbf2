/** The per-CPU batches of mm/swap.c: when a list of the LRU learns of a page, and who holds the page until then. */
import { describe, expect, it } from 'vitest';
import { PG_ACTIVE, PG_LRU, PG_REFERENCED, PG_SWAPBACKED } from '../../sim/mm/folio_record.ts';
import { lru_add_drain } from '../../sim/mm/swap.ts';
import { addr, FaultWorld } from '../support/faults.ts';

const NAMES: readonly [number, string][] = [
  [PG_LRU, 'lru'],
  [PG_ACTIVE, 'active'],
  [PG_REFERENCED, 'referenced'],
  [PG_SWAPBACKED, 'swapbacked'],
];

function start(pages = 1) {
  const world = new FaultWorld();
  const at = world.map(pages);
  world.write(at, pages);
  const drain = (): void =>
    world.run(function* () {
      yield* [];
      lru_add_drain(world.kernel);
    });
  drain();
  return {
    world,
    at,
    drain,
    sh: (line: string): string => world.sh(line),
    /** What the flags say, and how many hold the page. */
    page: (vpn = at): string => {
      const pfn = world.pfn(vpn);
      const flags = world.kernel.pages.flags.get(pfn);
      const names = NAMES.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
      return `${names.join(' ')}, ref ${world.kernel.pages.refcount.get(pfn)}`;
    },
  };
}

describe('the batches of the LRU', () => {
  it('a page on a list that is used a second time becomes active with the next drain; the batch holds it until then', () => {
    const { world, at, drain, sh, page } = start();
    sh(`proc gup p ${addr(at)} 1`);
    sh(`proc gup-put p ${addr(at)} 1`);
    expect(page()).toBe('lru referenced swapbacked, ref 1');
    sh(`proc gup p ${addr(at)} 1`);
    sh(`proc gup-put p ${addr(at)} 1`);
    expect(page()).toBe('lru swapbacked, ref 2');
    expect([world.vm('nr_active_anon'), world.vm('pgactivate')]).toEqual([0, 0]);
    world.check();
    drain();
    expect(page()).toBe('lru active swapbacked, ref 1');
    expect([world.vm('nr_active_anon'), world.vm('nr_inactive_anon'), world.vm('pgactivate')]).toEqual([1, 0, 1]);
  });

  it('a page that still waits for its list is marked active at once, and that is not counted', () => {
    const { world, at, sh, page } = start();
    sh(`proc madvise p ${addr(at)} 1 DONTNEED`);
    world.write(at);
    for (let i = 0; i < 2; i++) {
      sh(`proc gup p ${addr(at)} 1`);
      sh(`proc gup-put p ${addr(at)} 1`);
    }
    expect(page()).toBe('active swapbacked, ref 2');
    expect(world.vm('pgactivate')).toBe(0);
  });

  it('to 5.8 fresh anonymous pages begin among the active ones', () => {
    const seen = (['4.14', '5.8', '5.9', '6.12'] as const).map((release) => {
      const world = new FaultWorld(release);
      const at = world.map(1);
      world.write(at);
      world.sh('c = proc fork p');
      world.write(at);
      world.run(function* () {
        yield* [];
        lru_add_drain(world.kernel);
      });
      return [world.vm('nr_active_anon'), world.vm('nr_inactive_anon')];
    });
    expect(seen).toEqual([
      [2, 0],
      [2, 0],
      [0, 2],
      [0, 2],
    ]);
  });

  it('pin_user_pages alone does not touch what it pins', () => {
    const seen = ['', 'fast', 'pin', 'pin fast'].map((how) => {
      const { at, sh, page } = start();
      sh(`proc gup p ${addr(at)} 1 ${how}`);
      return page();
    });
    expect(seen).toEqual([
      'lru referenced swapbacked, ref 2',
      'lru referenced swapbacked, ref 2',
      'lru swapbacked, ref 1025',
      'lru referenced swapbacked, ref 1025',
    ]);
  });

  it('MADV_FREE leaves a page swap-backed until the batch is drained', () => {
    const { world, at, drain, sh, page } = start();
    sh(`proc madvise p ${addr(at)} 1 FREE`);
    expect(page()).toBe('lru swapbacked, ref 2');
    expect(sh('cat /proc/100/smaps')).toMatch(/LazyFree: +0 kB/);
    expect([world.vm('pglazyfree'), world.vm('nr_inactive_anon')]).toEqual([0, 1]);
    world.check();
    drain();
    expect(page()).toBe('lru, ref 1');
    expect([world.vm('pglazyfree'), world.vm('nr_inactive_anon'), world.vm('nr_inactive_file')]).toEqual([1, 0, 1]);
    world.check();
  });

  it('MADV_FREE of a page with a copy in swap gives the copy up', () => {
    const { world, at, drain, sh } = start();
    sh('swapon /swapfile 64');
    sh(`proc madvise p ${addr(at)} 1 PAGEOUT`);
    world.read(at);
    drain();
    expect(world.vm('nr_swapcached')).toBe(1);
    sh(`proc madvise p ${addr(at)} 1 FREE`);
    drain();
    expect([world.vm('nr_swapcached'), world.vm('pglazyfree')]).toEqual([0, 1]);
    world.check();
  });

  it('MADV_PAGEOUT without swap sends the page to the active list', () => {
    const { world, at, drain, sh, page } = start();
    sh(`proc madvise p ${addr(at)} 1 PAGEOUT`);
    expect(page()).toBe('active swapbacked, ref 2');
    drain();
    expect(page()).toBe('lru active swapbacked, ref 1');
    expect(world.vm('pgactivate')).toBe(1);
    world.check();
  });

  it('MADV_PAGEOUT splits a huge page even where there is no swap', () => {
    const world = new FaultWorld();
    const at = world.mapHuge();
    world.write(at);
    world.sh(`proc madvise p ${addr(at)} 512 PAGEOUT`);
    expect([world.vm('thp_split_page'), world.vm('pgactivate'), world.vm('pswpout')]).toEqual([1, 512, 0]);
    world.check();
  });
});
