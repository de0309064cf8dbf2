/** Swapping: anonymous pages go to a swap file and come back. */
import { describe, expect, it } from 'vitest';
import type { Release } from '../../sim/index.ts';
import { addr, FaultWorld } from '../support/faults.ts';

const start = (release: Release = '6.12', pages = 64): FaultWorld => {
  const world = new FaultWorld(release);
  world.sh(`swapon /swapfile ${pages}`);
  return world;
};
const out = (vpn: number, pages = 1, who = 'p'): string => `proc madvise ${who} ${addr(vpn)} ${pages} PAGEOUT`;

describe('swap', () => {
  it('MADV_PAGEOUT writes a page to a slot and frees it', () => {
    const world = start();
    const at = world.map(2);
    world.write(at, 2, 'i');
    world.sh(out(at, 2));
    expect([world.pte(at), world.pte(at + 1)]).toEqual(['Swap exclusive', 'Swap exclusive']);
    expect(world.mm().rss).toEqual([0, 0, 2, 0]);
    expect(world.kernel.state.folios.size).toBe(0);
    expect(world.mm().memcg.usage).toBe(0);
    expect(world.vm('pswpout')).toBe(2);
    expect(world.sh('cat /proc/swaps').split('\n')[1]).toMatch(/^\/swapfile +file\t\t252\t\t8\t\t-2$/);
    world.check();
  });

  it('a read brings it back with what it held, and the slot may stay as a copy', () => {
    const world = start();
    const at = world.map(2);
    world.write(at, 2, 'i');
    world.sh(out(at, 2));
    expect(world.read(at, 2)).toContain('word i holds i');
    expect(world.pte(at)).toBe('Present write young');
    // The cache's, the mapping's, the LRU batch's.
    expect(world.counts(at)).toEqual([3, 0]);
    expect(world.vm('nr_swapcached')).toBe(2);
    expect(world.vm('pgmajfault')).toBe(2);
    expect(world.mm().rss).toEqual([0, 2, 0, 0]);
    world.check();
  });

  it('to 6.10 a read maps it read only', () => {
    const world = start('6.10');
    const at = world.map(1);
    world.write(at);
    world.sh(out(at));
    world.read(at);
    expect(world.pte(at)).toBe('Present young');
    world.write(at);
    expect(world.pte(at)).toBe('Present write dirty young');
    world.check();
  });

  it('a write gives the slot up', () => {
    const world = start();
    const at = world.map(1);
    world.write(at);
    world.sh(out(at));
    world.write(at, 1, '3');
    expect(world.pte(at)).toBe('Present write dirty young');
    expect(world.kernel.state.swap.get(0)?.map.size).toBe(0);
    expect(world.kernel.state.swap.get(0)?.cache.size).toBe(0);
    world.check();
  });

  it('fork shares the slot, and nobody is exclusive any more', () => {
    const world = start();
    const at = world.map(1);
    world.write(at, 1, '5');
    world.sh(out(at), 'c = proc fork p');
    expect([world.pte(at), world.pte(at, 101)]).toEqual(['Swap', 'Swap']);
    expect([...(world.kernel.state.swap.get(0)?.map.values() ?? [])]).toEqual([2]);
    world.write(at, 1, '6', 'c');
    expect([world.read(at), world.read(at, 1, 'c')].map((text) => text.split(' ').at(-1))).toEqual(['5', '6']);
    world.check();
  });

  it('munmap and exit free slots', () => {
    const world = start();
    const at = world.map(4);
    world.write(at, 4);
    world.sh(out(at, 4), `proc munmap p ${addr(at)} 2`);
    expect(world.kernel.state.swap.get(0)?.map.size).toBe(2);
    world.sh('proc exit p');
    expect(world.kernel.state.swap.get(0)?.map.size).toBe(0);
  });

  it('what finds no slot, is pinned or is locked stays', () => {
    const world = start('6.12', 3);
    const at = world.map(6);
    world.write(at, 6);
    world.sh(`proc gup p ${addr(at)} 1 write pin`, `proc madvise p ${addr(at)} 6 PAGEOUT`);
    expect([0, 1, 2, 3].map((i) => world.pte(at + i).split(' ')[0])).toEqual(['Present', 'Swap', 'Swap', 'Present']);
    world.check();
  });

  it('swapoff brings everything home, and fails where there is no room for it', () => {
    const world = start();
    const at = world.map(2);
    world.write(at, 2, 'i');
    world.sh(out(at, 2), 'inject page');
    expect(world.status('swapoff /swapfile')).toBe(-12);
    world.sh('swapoff /swapfile');
    expect(world.kernel.state.swap.size).toBe(0);
    expect(world.mm().rss).toEqual([0, 2, 0, 0]);
    expect(world.read(at, 2)).toContain('word i holds i');
    world.check();
  });

  it('a page given up with MADV_FREE is dropped, unless it was written again', () => {
    const world = start();
    const at = world.map(2);
    world.write(at, 2, '5');
    world.sh(`proc madvise p ${addr(at)} 2 FREE`);
    world.write(at + 1, 1, '6');
    world.sh(out(at, 2));
    expect(world.pte(at)).toBe('None');
    expect(world.read(at)).toMatch(/0$/);
    expect(world.read(at + 1)).toMatch(/6$/);
    world.check();
  });

  it('a huge page is split and goes page by page', () => {
    const world = start('6.12', 1024);
    const at = world.mapHuge();
    world.write(at, 512, 'i');
    world.sh(out(at, 512));
    expect(world.mm().rss).toEqual([0, 0, 512, 0]);
    expect(world.read(at, 512)).toContain('word i holds i');
    world.check();
  });

  it('refuses the same file twice, and a file that is no swap file', () => {
    const world = start();
    expect(world.status('swapon /swapfile 64')).toBe(-16);
    expect(world.status('swapon /other 1')).toBe(-22);
    expect(world.status('swapoff /other')).toBe(-22);
  });
});

it('counts slots in use as its entries and its cache do, all along', () => {
  const world = start();
  const at = world.map(8);
  const agree = (): void => {
    const info = world.kernel.state.swap.get(0);
    const slots = new Set([...(info?.map.keys() ?? []), ...(info?.cache.keys() ?? [])]);
    expect(info?.used).toBe(slots.size);
  };
  world.write(at, 8, 'i');
  for (const line of [
    out(at, 8),
    `proc read p ${addr(at)} 4`,
    'c = proc fork p',
    `proc write c ${addr(at)} 6 3`,
    `proc munmap p ${addr(at)} 5`,
    'proc exit c',
  ]) {
    world.sh(line);
    agree();
  }
});
