/**
 * What the founding documents say of memory that processes have on a device: the rest of 000, 001 and 003, in the
 * releases where it is so and in those where it is not. Drivers are C text of their time; from 5.8 the test GPU too.
 */
import { describe, expect, it } from 'vitest';
import { mkPte, PteKind, pte_pfn, pte_present, pteKind } from '../../sim/arch/pte.ts';
import { MM_ANONPAGES, VM_FAULT_SIGBUS } from '../../sim/include/mm_types.ts';
import { Machine, type Release, runShellLine, statusOf } from '../../sim/index.ts';
import type { NativePagemapOps } from '../../sim/machine/state.ts';
import { pageData } from '../../sim/mm/contents.ts';
import { folioOf, isDevicePage } from '../../sim/mm/folio.ts';
import { add_mm_counter } from '../../sim/mm/mm_counter.ts';
import { pteAt, set_pte_at } from '../../sim/mm/pgtable.ts';
import { folio_remove_rmap_pte } from '../../sim/mm/rmap.ts';
import { put_device_page } from '../../sim/mm/zone_device_page.ts';
import { checkAddressSpaces } from '../support/addressSpaces.ts';
import { driverTakes, heard, type Serving } from '../support/cDriver.ts';
import { attempt, value } from '../support/devices.ts';
import { boot, preset, sh } from '../support/machines.ts';
import { newDevice, newSpace, toDevice } from '../support/testDevice.ts';

/** Releases whose driver is C text: hmm_devmem, then dev_pagemap_ops. */
const C_RELEASES: readonly Release[] = ['4.14', '4.16', '4.19', '5.0', '5.2', '6.1', '6.12'];
const GPU_RELEASES: readonly Release[] = ['5.8', '5.15', '6.1', '6.12', '7.3'];
/** Page tables of a process with one small mapping: they are charged too. */
const TABLES = 3;
const PAGES = 4;

/** Process 100 of the memory cgroup `web` with four pages at `a`: word i holds i. */
function space(release: Release): Machine {
  const machine = boot('qemu-2g', release);
  sh(machine, 'proc new web', `a = proc mmap 100 ${PAGES}`, `proc write 100 a ${PAGES}`);
  return machine;
}
/** The same with all of it on a device whose driver is C text. */
function taken(release: Release, serving: Serving = {}): Machine {
  const machine = space(release);
  driverTakes(machine, 100, value(machine, 'a'), PAGES, serving);
  expect(kinds(machine)).toEqual(new Array(PAGES).fill('device'));
  return machine;
}
/** The same on the test GPU. */
function onGpu(release: Release): Machine {
  const machine = space(release);
  sh(machine, 'modprobe test_hmm', 'gpu open 0 100', `gpu to-dev 0 100 a ${PAGES}`);
  return machine;
}

function entry(machine: Machine, page: number) {
  const mm = machine.kernel.state.processes.get(100)?.mm;
  if (!mm) throw new Error('no process');
  return pteAt(mm, Number(value(machine, 'a') >> 12n) + page);
}
/** Where each page is: RAM, a device page that the CPU maps, or an entry of a device. */
const kinds = (machine: Machine): string[] =>
  Array.from({ length: PAGES }, (_, page) => {
    const pte = entry(machine, page);
    if (pte_present(pte)) return isDevicePage(machine.kernel, pte_pfn(pte)) ? 'mapped device page' : 'ram';
    return pteKind(pte) === PteKind.DeviceRead || pteKind(pte) === PteKind.DeviceWrite ? 'device' : 'else';
  });
const read = (machine: Machine, where: string, pages = 1): string =>
  sh(machine, `proc read 100 ${where} ${pages}`).output[0]?.replace(/^.*: /, '') ?? '';
const calls = (machine: Machine): string[] => heard(machine).filter((line) => !line.startsWith('page_free'));
const usage = (machine: Machine): number => machine.kernel.state.memcgs.get('web')?.usage ?? -1;

describe('000: the ZONE_DEVICE section of memory-model.rst', () => {
  it.each(C_RELEASES)(
    'S000-6: get_user_pages of private memory brings the page back and holds that (%s)',
    (release) => {
      const machine = taken(release);
      expect(sh(machine, 'proc gup 100 a+0x1000 2').output).toEqual(['2 page(s)']);
      expect(kinds(machine)).toEqual(['device', 'ram', 'ram', 'device']);
      expect(calls(machine)).toHaveLength(2);
      const { pages } = machine.kernel;
      sh(machine, 'proc gup-put 100 a+0x1000 2');
      expect(pages.refcount.get(pte_pfn(entry(machine, 0)))).toBe(machine.kernel.facts.pageFreeAtOne ? 2 : 1);
      checkAddressSpaces(machine);
    },
  );

  it.each<Release>(['6.0', '6.12'])(
    'S000-6: of memory that the CPU reaches it holds the device page (%s)',
    (release) => {
      const machine = space(release);
      sh(machine, 'modprobe test_hmm spm_addr_dev0=0x200000000 spm_addr_dev1=0x210000000', 'gpu open 2 100');
      sh(machine, `gpu to-dev 2 100 a ${PAGES}`, 'proc gup 100 a 2');
      expect(kinds(machine)).toEqual(new Array(PAGES).fill('mapped device page'));
    },
  );
});

describe('001: un-addressable memory', () => {
  it.each(C_RELEASES)('S001-2: the entry is not present, and what the CPU reads comes from RAM (%s)', (release) => {
    const machine = taken(release);
    const device = pte_pfn(entry(machine, 1));
    expect(pte_present(entry(machine, 1))).toBe(false);
    expect(value(machine, `is_device_private_page(pfn_to_page(${device}))`)).toBe(1n);
    expect(sh(machine, 'pagemap 100 a 1').output[0]).toMatch(/ SWAP type=/);
    expect(read(machine, 'a+0x1000')).toBe('word i holds i+1024');
    const ram = pte_pfn(entry(machine, 1));
    expect([ram === device, isDevicePage(machine.kernel, ram)]).toEqual([false, false]);
  });

  it.each(GPU_RELEASES)('S001-2: what the device wrote is what the CPU reads, in another page (%s)', (release) => {
    const machine = onGpu(release);
    sh(machine, 'gpu write 0 100 a 1 7');
    const device = pte_pfn(entry(machine, 0));
    expect([kinds(machine)[0], read(machine, 'a'), kinds(machine)[0]]).toEqual(['device', '7', 'ram']);
    expect(pte_pfn(entry(machine, 0))).not.toBe(device);
  });

  it.each<Release>(['6.0', '6.12'])('S001-2 is not so of coherent memory: the CPU reads the device (%s)', (release) => {
    const machine = space(release);
    sh(machine, 'modprobe test_hmm spm_addr_dev0=0x200000000 spm_addr_dev1=0x210000000', 'gpu open 2 100');
    sh(machine, `gpu to-dev 2 100 a ${PAGES}`, 'gpu write 2 100 a 1 7');
    expect([read(machine, 'a'), kinds(machine)[0]]).toEqual(['7', 'mapped device page']);
    expect(pageData(machine.kernel, pte_pfn(entry(machine, 0))).base).toBe(7);
  });

  /** How many swap files the kernel takes. */
  function swapFiles(release: Release, devicePrivate: boolean): number {
    const machine = preset('qemu-2g');
    const booted = new Machine({ ...machine, config: { ...machine.config, devicePrivate } }, release);
    for (let count = 0; count < 40; count++) {
      const program = runShellLine(booted, `swapon swap${count} 8`);
      if (!program?.error) continue;
      expect(statusOf(program)).toBe(-1);
      return count;
    }
    throw new Error('no limit');
  }
  it.each<[Release, number, number]>([
    ['4.13', 29, 29],
    ['4.14', 27, 29],
    ['5.13', 27, 29],
    ['5.14', 25, 29],
    ['6.12', 23, 27],
    ['6.14', 23, 27],
    ['6.15', 24, 27],
    ['7.3', 24, 27],
  ])('S001-3: private memory takes swap types from swap files (%s: %i, without %i)', (release, on, off) => {
    expect([swapFiles(release, true), swapFiles(release, false)]).toEqual([on, off]);
  });

  it.each(C_RELEASES)('S001-5: page_fault runs on any access of the CPU, and the page is in RAM (%s)', (release) => {
    const name = release.startsWith('6') ? 'migrate_to_ram' : 'page_fault';
    const machine = taken(release);
    sh(machine, 'proc read 100 a 1', 'proc write 100 a+0x1000 1 7', 'proc gup 100 a+0x2000 1 write');
    expect(calls(machine)).toEqual([0, 1, 2].map((page) => `${name} at +${page}`));
    expect(kinds(machine)).toEqual(['ram', 'ram', 'ram', 'device']);
    // Once home, nobody asks the driver.
    sh(machine, 'proc read 100 a 3');
    expect(calls(machine)).toHaveLength(3);
    sh(machine, 'proc gup-put 100 a+0x2000 1');
    checkAddressSpaces(machine);
  });

  it('S001-5: what does not touch the page does not call it: fork, a snapshot of the device, munmap', () => {
    const machine = taken('6.12');
    sh(machine, 'proc fork 100', 'cat /proc/100/smaps', 'proc munmap 100 a 1');
    expect(calls(machine)).toEqual([]);
    const gpu = onGpu('6.12');
    sh(gpu, `gpu snapshot 0 100 a ${PAGES}`, `gpu read 0 100 a ${PAGES}`);
    expect(kinds(gpu)).toEqual(new Array(PAGES).fill('device'));
  });

  it.each(GPU_RELEASES)('S001-6: a page that someone holds does not go to the device (%s)', (release) => {
    const machine = space(release);
    sh(machine, 'proc gup 100 a+0x1000 1', 'modprobe test_hmm', 'gpu open 0 100');
    attempt(machine, `gpu to-dev 0 100 a ${PAGES}`);
    expect(kinds(machine)).toEqual(['device', 'ram', 'device', 'device']);
    sh(machine, 'proc gup-put 100 a+0x1000 1');
    attempt(machine, 'gpu to-dev 0 100 a+0x1000 1');
    expect(kinds(machine)).toEqual(new Array(PAGES).fill('device'));
  });

  it.each(['4.14', '6.12'] as const)('S001-6: one that is on the device cannot be pinned there (%s)', (release) => {
    const machine = taken(release);
    const { pages } = machine.kernel;
    const rest = machine.kernel.facts.pageFreeAtOne ? 1 : 0;
    const device = pte_pfn(entry(machine, 0));
    expect(pages.refcount.get(device)).toBe(rest + 1);
    sh(machine, 'proc gup 100 a 1 write');
    expect(isDevicePage(machine.kernel, pte_pfn(entry(machine, 0)))).toBe(false);
    // The device has its page back, whoever holds what came of it.
    expect([heard(machine).at(-1), pages.refcount.get(device)]).toEqual([expect.stringMatching(/^page_free/), rest]);
  });

  it.each(C_RELEASES)(
    'S001-7: a device that cannot bring the page back ends the access with SIGBUS (%s)',
    (release) => {
      const machine = taken(release, { first: 'return VM_FAULT_SIGBUS;' });
      for (const line of ['proc read 100 a 1', 'proc write 100 a 1 7']) {
        const { status, program } = attempt(machine, line);
        expect([status, program?.error?.message]).toEqual([-14, expect.stringMatching(/SIGBUS at 0x/)]);
      }
      expect(attempt(machine, 'proc gup 100 a 1').status).toBe(-14);
      expect(kinds(machine)).toEqual(new Array(PAGES).fill('device'));
      checkAddressSpaces(machine);
    },
  );

  it.each(GPU_RELEASES)('S001-7: the test GPU does so when it is told to fail, and only then (%s)', (release) => {
    const machine = onGpu(release);
    sh(machine, 'inject migrate-to-ram');
    expect(attempt(machine, 'proc read 100 a 1').program?.error?.message).toMatch(/SIGBUS/);
    expect(read(machine, 'a')).toBe('word i holds i');
  });
});

describe('003: include/linux/memremap.h of 4.19', () => {
  it.each(C_RELEASES)('S003-6: SIGBUS or OOM, whatever the driver answers is what the access gets (%s)', (release) => {
    const machine = taken(release, { room: 0 });
    const { status, program } = attempt(machine, 'proc read 100 a 1');
    expect([status, program?.error?.message]).toEqual([-12, expect.stringMatching(/no memory for the page/)]);
    const sigbus = taken(release, { first: 'if (addr & PAGE_SIZE) return VM_FAULT_SIGBUS;' });
    const each = [0, 1, 2, 3].map((page) => attempt(sigbus, `proc read 100 a+0x${page}000 1`).status);
    expect(each.filter((status) => status === -14)).toHaveLength(2);
    // Neither answer poisons the entry: that is left to the driver.
    expect(kinds(machine)).toEqual(new Array(PAGES).fill('device'));
    expect(kinds(sigbus).filter((where) => where === 'device')).toHaveLength(2);
  });

  it.each<Release>(['4.19', '6.12'])(
    'S003-6: a driver may poison the entry, and then nobody asks it again (%s)',
    (release) => {
      const machine = boot('qemu-2g', release);
      const { kernel } = machine;
      const device = newDevice(machine);
      const { mm, vma } = newSpace(machine, 2);
      toDevice(machine, device, vma);
      let asked = 0;
      const poisoning: Pick<NativePagemapOps, 'migrate_to_ram'> = {
        *migrate_to_ram(_kernel, { vma, vpn, page = 0 }) {
          asked++;
          const folio = folioOf(kernel, page);
          if (!folio) throw new Error('no folio');
          set_pte_at(kernel, vma.mm, vpn, mkPte(PteKind.Hwpoison, page));
          folio_remove_rmap_pte(kernel, folio, page);
          add_mm_counter(kernel, vma.mm, MM_ANONPAGES, -1);
          const told = put_device_page(kernel, page);
          if (told) yield* told;
          return VM_FAULT_SIGBUS;
        },
      };
      const native = kernel.state.pgmaps.at(-1)?.native;
      if (!native) throw new Error('no driver');
      Object.assign(native, poisoning);
      const line = `proc read ${mm.owner.pid} 0x${(vma.start * 4096).toString(16)} 1`;
      for (const _ of [1, 2]) expect(attempt(machine, line).program?.error?.message).toMatch(/SIGBUS/);
      expect([asked, pteKind(pteAt(mm, vma.start)), device.freed.length]).toEqual([1, PteKind.Hwpoison, 1]);
      expect(pteKind(pteAt(mm, vma.start + 1))).toBe(PteKind.DeviceWrite);
      checkAddressSpaces(machine);
    },
  );

  it.each(C_RELEASES)('S003-7: the charge goes with the page, there and back, whatever the limit (%s)', (release) => {
    const machine = space(release);
    expect(usage(machine)).toBe(PAGES);
    driverTakes(machine, 100, value(machine, 'a'), PAGES);
    expect(usage(machine)).toBe(PAGES);
    // No page more could be charged, and yet all come home: nothing is tried against the limit.
    sh(machine, `echo ${(PAGES + TABLES) * 4096} > /sys/fs/cgroup/web/memory.max`);
    expect(read(machine, 'a', PAGES)).toBe('word i holds i');
    expect([kinds(machine), usage(machine)]).toEqual([new Array(PAGES).fill('ram'), PAGES]);
    const memcg = machine.kernel.state.memcgs.get('web');
    expect(memcg?.events.max).toBe(0);
    for (let page = 0; page < PAGES; page++)
      expect(machine.kernel.state.folios.get(pte_pfn(entry(machine, page)))?.memcg === memcg).toBe(true);
    checkAddressSpaces(machine);
  });

  it('S003-7: at that limit a new page is refused', () => {
    const machine = space('6.12');
    const memcg = machine.kernel.state.memcgs.get('web');
    sh(machine, 'b = proc mmap 100 1', `echo ${(PAGES + TABLES) * 4096} > /sys/fs/cgroup/web/memory.max`);
    expect(attempt(machine, 'proc write 100 b 1').status).not.toBe(0);
    expect(memcg?.events.max).toBeGreaterThan(0);
  });

  it.each(C_RELEASES)(
    'S003-8: several pages may come back at once, the one that was touched first of all (%s)',
    (release) => {
      const machine = taken(release, { home: 'all' });
      expect(read(machine, 'a+0x2000')).toBe('word i holds i+2048');
      expect([calls(machine).length, kinds(machine)]).toEqual([1, new Array(PAGES).fill('ram')]);
      const tight = taken(release, { home: 'all', room: 1 });
      expect(read(tight, 'a+0x2000')).toBe('word i holds i+2048');
      expect(kinds(tight)).toEqual(['device', 'device', 'ram', 'device']);
      checkAddressSpaces(tight);
    },
  );
});
