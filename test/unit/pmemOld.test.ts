/** Persistent memory in the releases before mm/memremap.c (4.3 to 5.2): whose the reference is, and what undoing a mapping waits for. */
import { describe, expect, it } from 'vitest';
import type { Machine, Release } from '../../sim/index.ts';
import { pgmap_altmap, refOf, typeOf } from '../../sim/mm/pagemap.ts';
import { pfn_valid } from '../../sim/mm/sparse.ts';
import { attempt, deviceZone, freePages } from '../support/devices.ts';
import { boot, machineOf, pmemMachine, sh } from '../support/machines.ts';

const CREATE = 'ndctl create-namespace -f -e namespace0.0';
/** The first page, and one of the data, of the namespace at 4 GiB. */
const FIRST = 0x100000;
const PFN = 0x110000;
const OLD: readonly Release[] = ['4.3', '4.5', '4.9', '4.14', '4.16', '4.18', '4.19', '5.0', '5.2'];
const legacy = (release: Release): Machine => pmemMachine('c1-1G', release);
const calls = (machine: Machine): string[] => {
  const names: string[] = [];
  const visit = (nodes: NonNullable<Machine['lastStep']>['trace']): void => {
    for (const node of nodes) {
      names.push(node.name);
      visit(node.calls);
    }
  };
  visit(machine.lastStep?.trace ?? []);
  return names;
};
const iomem = (machine: Machine): string => sh(machine, 'cat /proc/iomem').output.join('\n');
const onlyMap = (machine: Machine) => {
  const [map] = machine.kernel.state.pgmaps;
  if (!map) throw new Error('no mapping');
  return map;
};

describe('legacy memory maps itself at boot, as the release does it', () => {
  it.each(OLD)('%s: whole sections in ZONE_DEVICE, and all of it goes when it is disabled', (release) => {
    const machine = legacy(release);
    expect(deviceZone(machine)).toMatchObject({ zone_start_pfn: FIRST, spanned_pages: 8 * 0x8000, present_pages: 0 });
    expect(pfn_valid(machine.kernel, PFN)).toBe(true);
    sh(machine, 'ndctl disable-namespace namespace0.0');
    expect(pfn_valid(machine.kernel, PFN)).toBe(false);
    expect(deviceZone(machine).spanned_pages).toBe(0);
    expect(iomem(machine)).not.toContain('namespace0.0');
    expect(machine.kernel.state.log.filter(({ warn }) => warn)).toEqual([]);
    sh(machine, 'ndctl enable-namespace namespace0.0');
    expect(deviceZone(machine).spanned_pages).toBe(8 * 0x8000);
    expect(calls(machine)).toContain('devm_memremap_pages');
    expect(calls(machine)).not.toContain('memremap_pages');
  });

  it('4.3 and 4.4 have struct pages and no pagemap; from 4.5 there is one with a reference of the driver', () => {
    for (const release of ['4.3', '4.4'] as const) expect(legacy(release).kernel.state.pgmaps).toEqual([]);
    for (const release of ['4.5', '4.14', '5.2'] as const) {
      const map = onlyMap(legacy(release));
      expect(refOf(map.pgmap)?.dead, release).toBe(0n);
    }
  });

  it('each page counts on the reference from 4.14; before, only those that somebody got do', () => {
    expect(refOf(onlyMap(legacy('4.13')).pgmap)?.count).toBe(1n);
    expect(refOf(onlyMap(legacy('4.14')).pgmap)?.count).toBe(1n + 0x40000n);
  });

  it('kill is given where it is required (4.19.y, 5.0), cleanup too in 5.2; the altmap is a flag of its own from 4.16', () => {
    const given = (release: Release): string[] =>
      ['kill', 'cleanup', 'altmap_valid', 'flags'].filter((field) => field in onlyMap(legacy(release)).pgmap);
    expect(given('4.18')).toEqual(['altmap_valid']);
    expect(given('4.19')).toEqual(['kill', 'altmap_valid']);
    expect(given('4.20')).toEqual(['altmap_valid']);
    expect(given('5.0')).toEqual(['kill', 'altmap_valid']);
    expect(given('5.2')).toEqual(['kill', 'cleanup', 'altmap_valid']);
    expect(given('5.3')).toEqual(['flags']);
  });

  it('the type is FS_DAX from 4.18, and the driver raises devmap_managed_key for it to 5.2', () => {
    for (const [release, type, users] of [
      ['4.17', 'GENERIC', 0],
      ['4.18', 'FS_DAX', 1],
      ['5.2', 'FS_DAX', 1],
      ['5.3', 'FS_DAX', 0],
    ] as const) {
      const machine = legacy(release);
      expect(typeOf(machine.kernel, onlyMap(machine).pgmap), release).toBe(type);
      expect(machine.kernel.state.devmap_managed_key, release).toBe(users);
      sh(machine, 'ndctl disable-namespace namespace0.0');
      expect(machine.kernel.state.devmap_managed_key, release).toBe(0);
    }
  });

  it('the region is named by the namespace from 4.10, by the device that claims it before', () => {
    for (const [release, name] of [
      ['4.9', 'pfn0.0'],
      ['4.14', 'namespace0.0'],
    ] as const) {
      const machine = legacy(release);
      sh(machine, `${CREATE} -m fsdax -M dev`);
      expect(iomem(machine), release).toContain(`100000000-13fffffff : ${name}`);
    }
  });

  it('memory that shares a section with RAM is -ENXIO from 4.5 to 5.2, once widened; 4.3 takes it as it is', () => {
    for (const release of ['4.5', '4.14', '4.19', '5.2'] as const) {
      const machine = pmemMachine('cs5-two-in-section', release);
      expect(machine.kernel.state.pgmaps, release).toEqual([]);
      expect(machine.kernel.state.log.filter(({ warn }) => warn)).toHaveLength(2);
      expect(attempt(machine, 'ndctl enable-namespace namespace0.0')).toMatchObject({ status: -6 });
    }
    for (const release of ['4.3', '5.3'] as const) {
      const machine = pmemMachine('cs5-two-in-section', release);
      expect(machine.kernel.state.log.filter(({ warn }) => warn)).toEqual([]);
      expect(sh(machine, 'ndctl list').output.join('')).toContain('"mode":"fsdax"');
    }
    // It cannot be taken away again: the kernel removes whole sections only.
    const oldest = pmemMachine('cs5-two-in-section', '4.3');
    expect(attempt(oldest, 'ndctl disable-namespace namespace0.0').program?.error?.message).toContain('kernel BUG');
  });

  it('without CONFIG_ZONE_DEVICE it is a disk without struct pages, and cannot have any', () => {
    const off = machineOf(
      {
        name: 'without',
        physBits: 40,
        config: { zoneDevice: false },
        e820: [
          { start: '0x0', end: '0x7fffffff', type: 'usable' },
          { start: '0x100000000', end: '0x13fffffff', type: 'persistent (type 12)' },
        ],
      },
      '4.9',
    );
    expect(sh(off, 'ndctl list').output.join('')).toContain('"mode":"raw"');
    expect(off.kernel.state.pgmaps).toEqual([]);
    expect(attempt(off, `${CREATE} -m fsdax -M dev`).status).toBe(-22);
  });
});

describe('a namespace with an info block', () => {
  it('holds its own struct pages from 4.5; in 4.3 and 4.4 the mode is refused with ENOTTY', () => {
    const oldest = legacy('4.4');
    const refused = attempt(oldest, `${CREATE} -m fsdax -M dev`);
    expect(refused.status).toBe(-25);
    expect(refused.program?.error?.message).toContain('Inappropriate ioctl for device');
    for (const release of ['4.5', '4.9', '4.14', '4.16', '4.19', '5.2'] as const) {
      const machine = legacy(release);
      sh(machine, 'ndctl disable-namespace namespace0.0');
      const before = freePages(machine);
      sh(machine, `${CREATE} -m fsdax -M dev`);
      const { kernel } = machine;
      const altmap = pgmap_altmap(kernel, onlyMap(machine).pgmap);
      expect(altmap?.alloc, release).toBe(8n * 512n);
      expect(altmap?.base_pfn).toBe(BigInt(FIRST));
      // Only page tables came out of RAM.
      expect(before - freePages(machine)).toBeLessThan(4);
      sh(machine, 'ndctl disable-namespace namespace0.0');
      expect(deviceZone(machine).spanned_pages, release).toBe(0);
      expect(freePages(machine), release).toBe(before);
      expect(kernel.state.log.map(({ text }) => text).filter((text) => /free|reserved pages/.test(text))).toEqual([]);
    }
  });

  it('data of struct pages in RAM begins at 8 KiB in 4.3 and 4.4, at the alignment from 4.5', () => {
    // NVDIMMs with labels: legacy memory in fsdax mode needs no info block.
    const size = (release: Release): string =>
      /"size":(\d+)/.exec(
        sh(boot('server-2n-pmem', release), 'ndctl create-namespace -m fsdax -M mem -s 1G').output.join(''),
      )?.[1] ?? '';
    expect(BigInt(size('4.4'))).toBe((1n << 30n) - 0x2000n);
    expect(BigInt(size('4.5'))).toBe((1n << 30n) - 0x200000n);
  });

  it('regions have an align setting from 5.7 only', () => {
    const path = '/sys/bus/nd/devices/region0/align';
    expect(attempt(boot('server-2n-pmem', '5.6'), `cat ${path}`).status).not.toBe(0);
    expect(sh(boot('server-2n-pmem', '5.7'), `cat ${path}`).output).toEqual(['0x1000000']);
  });
});

describe('device-dax', () => {
  it('does not exist before 4.7: ndctl says so', () => {
    for (const [release, status] of [
      ['4.6', -19],
      ['4.7', 0],
    ] as const)
      expect(attempt(legacy(release), `${CREATE} -m devdax -M mem`).status, release).toBe(status);
  });

  it('dax_pmem maps it to 5.0, and reserves all of the namespace; from 5.1 device_dax maps what its bus gives it', () => {
    for (const release of ['4.7', '4.14', '4.18', '5.0'] as const) {
      const machine = legacy(release);
      sh(machine, `${CREATE} -m devdax -M dev`);
      expect(onlyMap(machine).name, release).toBe('dax0.0');
      expect(iomem(machine)).toMatch(/100000000-13fffffff : (namespace0|dax0)\.0/);
      expect(iomem(machine)).not.toContain('101200000-13fffffff');
      expect(attempt(machine, 'ls /sys/bus/dax').status, release).toBe(-2);
      sh(machine, 'ndctl disable-namespace namespace0.0');
      expect(machine.kernel.state.pgmaps).toEqual([]);
      expect(deviceZone(machine).spanned_pages, release).toBe(0);
    }
    for (const release of ['5.1', '5.2'] as const) {
      const machine = legacy(release);
      sh(machine, `${CREATE} -m devdax -M dev`);
      expect(iomem(machine)).toContain('101200000-13fffffff : dax0.0');
      sh(machine, 'echo dax0.0 > /sys/bus/dax/drivers/device_dax/unbind');
      expect(machine.kernel.state.pgmaps, release).toEqual([]);
      sh(machine, 'echo dax0.0 > /sys/bus/dax/drivers/device_dax/bind');
      expect(machine.kernel.state.pgmaps, release).toHaveLength(1);
    }
  });

  it('becomes system RAM from 5.1; before, daxctl finds a class and no driver to change', () => {
    const old = legacy('5.0');
    sh(old, `${CREATE} -m devdax -M mem`);
    for (const line of ['daxctl reconfigure-device -m system-ram -N dax0.0', 'daxctl disable-device dax0.0']) {
      const before = old.canonical();
      const refused = attempt(old, line);
      expect(refused.status, line).toBe(-95);
      expect(refused.program?.error?.message).toContain('device model is dax-class');
      expect(old.canonical()).toBe(before);
    }
    expect(sh(old, 'daxctl list').output.join('')).not.toContain('target_node');
    const machine = legacy('5.1');
    sh(machine, `${CREATE} -m devdax -M mem`, 'daxctl reconfigure-device -m system-ram -N dax0.0');
    expect(iomem(machine)).toContain('System RAM');
  });
});

describe('undoing a mapping whose pages somebody holds', () => {
  const pinned = (release: Release, mode: string) => {
    const machine = legacy(release);
    sh(machine, `${CREATE} -m ${mode} -M mem`, 'dax map f 0x110000000 2M', 'gup get f 0 2');
    const disable = attempt(machine, 'ndctl disable-namespace namespace0.0').program;
    return { machine, disable };
  };
  const MODES = ['fsdax', 'devdax'];

  it.each(['4.9', '5.2', '5.3', '6.12'] as const)(
    '%s: waits before the memory goes, and the last put lets it',
    (release) => {
      for (const mode of MODES) {
        const { machine, disable } = pinned(release, mode);
        // From 5.18 a page does not hold its pagemap any more.
        if (machine.kernel.facts.pageFreeAtZero) {
          expect(disable?.status).toBe('done');
          continue;
        }
        expect(disable?.status, mode).toBe('waiting');
        expect(pfn_valid(machine.kernel, PFN)).toBe(true);
        sh(machine, 'gup put f 0');
        expect(disable?.status, mode).toBe('waiting');
        sh(machine, 'gup put f 1');
        expect(disable?.status, mode).toBe('done');
        expect(pfn_valid(machine.kernel, PFN)).toBe(false);
      }
    },
  );

  it.each(['4.14', '4.18', '4.19', '5.0'] as const)(
    '%s: the memory goes first; the driver waits for pages whose struct pages are gone',
    (release) => {
      for (const mode of MODES) {
        const { machine, disable } = pinned(release, mode);
        expect(pfn_valid(machine.kernel, PFN), mode).toBe(false);
        expect(disable?.status, mode).toBe('waiting');
        expect(disable?.waitsFor?.holders()).toEqual([
          'get_user_pages on page 0x110000',
          'get_user_pages on page 0x110001',
        ]);
        sh(machine, 'gup put f 0');
        expect(machine.kernel.state.log.at(-1)?.text).toContain('gone with its device');
      }
    },
  );

  it('4.3 counts nothing and waits for nobody', () => {
    const machine = legacy('4.3');
    expect(calls(machine)).toEqual([]);
    sh(machine, 'ndctl disable-namespace namespace0.0');
    expect(calls(machine)).not.toContain('percpu_ref_kill');
  });

  it('undo brings mapping, zone and reference back', () => {
    for (const release of OLD) {
      const machine = legacy(release);
      const first = machine.canonical();
      sh(machine, 'ndctl disable-namespace namespace0.0', 'ndctl enable-namespace namespace0.0');
      const last = machine.canonical();
      machine.travel(0);
      expect(machine.canonical() === first, release).toBe(true);
      machine.travel(2);
      expect(machine.canonical() === last, release).toBe(true);
    }
  });
});
