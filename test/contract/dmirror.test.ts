/** The test GPU: where its memory lies (recorded of 6.12), what it refuses, and what happens when something goes wrong. */
import { describe, expect, it } from 'vitest';
import { readFile } from '../../sim/shell/commands.ts';
import { all, COHERENT, HmmWorld, PRIVATE } from '../support/hmm.ts';
import { boot } from '../support/machines.ts';
import { recordedZones, recording } from '../support/recording.ts';

const PAGE = 4096;
const hexOf = (value: number): string => `0x${value.toString(16)}`;

/** /proc/iomem of the machine, and its Device zone, as the recording has them. */
function expectAsRecorded(world: HmmWorld, moment: string): void {
  expect(readFile(world.machine.kernel, '/proc/iomem')).toBe(recording(moment, 'iomem'));
  const zone = world.machine.kernel.nodes[0]?.node_zones[4];
  const device = recordedZones(moment).find(({ name }) => name === 'Device');
  expect({
    start: zone?.zone_start_pfn,
    spanned: zone?.spanned_pages,
    present: zone?.present_pages,
    managed: zone?.managed_pages,
  }).toEqual({
    start: device?.start,
    spanned: device?.spanned,
    present: device?.present,
    managed: device?.managed,
  });
}

describe('memory of the test GPU', () => {
  it('lies where the recorded kernel put it, grows by a chunk, goes with the module, and comes back', () => {
    const world = new HmmWorld('6.12');
    expectAsRecorded(world, 'd-hmm_02-loaded');
    const pid = world.newProcess(0);
    const at = world.mmap(pid, 76800);
    world.write(pid, at, 76800);
    expect(world.gpu('to-dev', 0, pid, at, 76800)).toMatchObject({ ret: 0, cpages: 76800, lines: all(76800, 'i') });
    expectAsRecorded(world, 'd-hmm_05-300MiB-on-device');
    world.sh(`proc exit ${pid}`);
    world.sh('rmmod test_hmm');
    expectAsRecorded(world, 'd-hmm_07-unloaded');
    world.sh('modprobe test_hmm');
    expectAsRecorded(world, 'd-hmm_08-reloaded');
    world.expectAtRest();
  });

  it('leaves nothing behind but the span of the zone: every page is free or as before', () => {
    const machine = boot('qemu-2g');
    const before = machine.kernel.nodes[0]?.node_zones.map(({ nr_free }) => nr_free);
    const world = new HmmWorld('6.12');
    const pid = world.newProcess(0);
    const at = world.mmap(pid, 100);
    world.write(pid, at, 100);
    world.gpu('to-dev', 0, pid, at, 100);
    world.sh(`proc exit ${pid}`);
    const { state, nodes } = world.machine.kernel;
    expect(state.dmirror?.backing.size).toBe(0);
    expect(state.dmirror?.user.size).toBe(0);
    expect(state.contents.size).toBe(0);
    world.sh('rmmod test_hmm');
    expect(state.dmirror).toBeUndefined();
    expect(state.mutexes).toEqual([]);
    // The tables of the vmemmap's upper levels stay, one page each.
    const after = nodes[0]?.node_zones.map(({ nr_free }) => nr_free) ?? [];
    for (const [i, free] of after.entries()) expect((before?.[i] ?? 0) - free).toBeLessThanOrEqual(3);
  });

  it('of a coherent device lies where the module was told, and overlapping devices are refused', () => {
    const world = new HmmWorld('6.12', COHERENT);
    expect(world.machine.kernel.state.dmirror?.devices.map(({ type, chunks }) => [type, chunks[0]?.start])).toEqual([
      ['PRIVATE', 0xfcf0000],
      ['PRIVATE', 0xfce0000],
      // The first coherent device takes the second address.
      ['COHERENT', 0x210000],
      ['COHERENT', 0x200000],
    ]);
    world.sh('rmmod test_hmm');
    const text = world.machine.canonical();
    const line = 'modprobe test_hmm spm_addr_dev0=0x200000000 spm_addr_dev1=0x200000000';
    const program = world.run(line);
    expect(program.error?.message).toBe("modprobe: ERROR: could not insert 'test_hmm': Cannot allocate memory");
    expect(world.machine.kernel.state.dmirror).toBeUndefined();
    expect(readFile(world.machine.kernel, '/proc/iomem')).not.toContain('hmm_dmirror');
    expect(text.length).toBeGreaterThan(0);
  });

  it('is not there before 5.8', () => {
    const machine = boot('qemu-2g', '5.7');
    const world = Object.create(HmmWorld.prototype) as HmmWorld;
    Object.assign(world, { machine, variant: PRIVATE, release: '5.7' });
    expect(world.status('modprobe test_hmm')).toBe(-2);
  });
});

describe('what the test GPU refuses', () => {
  const world = new HmmWorld('6.12');
  const pid = world.newProcess(0);
  const at = world.mmap(pid, 4);
  const rows: readonly [line: string, errno: number][] = [
    [`gpu read 0 4711 ${hexOf(at)} 1`, -3],
    [`gpu open 0 4711`, -3],
    [`gpu open 7 ${pid}`, -19],
    [`gpu read 1 ${pid} ${hexOf(at)} 1`, -9],
    [`gpu close 1 ${pid}`, -9],
    [`gpu read 0 ${pid} ${hexOf(at + 1)} 1`, -22],
    [`gpu read 0 ${pid} ${hexOf(at)} 0`, -22],
    [`gpu read 0 ${pid} ${hexOf(at)} -1`, -22],
    [`gpu snapshot 0 ${pid} 0xfffffffffffff000 1`, -22],
    [`gpu read 0 ${pid} 0x1000 1`, -14],
    [`gpu to-dev 0 ${pid} 0x1000 1`, -22],
    [`gpu to-sys 0 ${pid} 0x1000 1`, -22],
    [`gpu exclusive 0 ${pid} 0x1000 1`, -16],
    [`gpu flags 0 ${pid} 1`, -22],
    [`gpu read-unlocked 0 ${pid} ${hexOf(at)} 1`, -22],
    [`gpu mmap 0 ${pid} 0`, -22],
    [`gpu write 0 ${pid} ${hexOf(at)} 1 seven`, -22],
    [`gpu`, -22],
    [`gpu read 0`, -22],
    ['rmmod test_hmm', -16],
    ['rmmod something', -2],
    ['modprobe something', -2],
    ['inject nothing', -22],
    ['inject page many', -22],
    ['inject page 0', -22],
    ['inject pin 4711 0x1000', -3],
    [`inject pin ${pid} 0x1000`, -14],
  ];
  it.each(rows)('%s: %i, and nothing changes', (line, errno) => {
    const { machine } = world;
    const before = machine.canonical();
    expect(world.status(line)).toBe(errno);
    expect(machine.canonical()).toBe(before);
  });

  it('says that the module is in use as the tool does', () => {
    expect(world.run('rmmod test_hmm').error?.message).toBe('rmmod: ERROR: Module test_hmm is in use');
  });
});

describe('when something goes wrong', () => {
  it('a page that the device cannot bring back ends the access with SIGBUS, and stays where it is', () => {
    const world = new HmmWorld('6.12');
    const pid = world.newProcess(0);
    const at = world.mmap(pid, 2);
    world.write(pid, at, 2);
    world.gpu('to-dev', 0, pid, at, 2);
    world.sh('inject migrate-to-ram');
    const program = world.run(`proc read ${pid} ${hexOf(at)} 1`);
    expect(program.error?.message).toContain('SIGBUS');
    expect(world.snapshot(0, pid, at, 2)).toEqual([0x22, 0x22]);
    expect(world.read(pid, at, 2)).toEqual(all(2, 'i'));
    world.expectAtRest();
  });

  it('without a page for the device a page stays in RAM, and the device does not find it', () => {
    const world = new HmmWorld('6.12');
    const pid = world.newProcess(0);
    const at = world.mmap(pid, 4);
    world.write(pid, at, 4);
    world.sh('inject page');
    expect(world.gpu('to-dev', 0, pid, at, 4).ret).toBe(-2);
    expect(world.snapshot(0, pid, at, 4)).toEqual([0x02, 0x22, 0x22, 0x22]);
    expect(world.read(pid, at, 4)).toEqual(all(4, 'i'));
    world.expectAtRest();
  });

  it('a page that someone else holds does not move until it is let go', () => {
    const world = new HmmWorld('6.12');
    const pid = world.newProcess(0);
    const at = world.mmap(pid, 2);
    world.write(pid, at, 2);
    world.sh(`inject pin ${pid} ${hexOf(at)}`);
    expect(world.gpu('to-dev', 0, pid, at, 2).ret).toBe(-2);
    expect(world.snapshot(0, pid, at, 2)).toEqual([0x02, 0x22]);
    world.sh('inject clear');
    expect(world.gpu('to-dev', 0, pid, at, 2)).toMatchObject({ ret: 0, cpages: 2 });
    world.expectAtRest();
  });

  it('whoever may not sleep is refused while the mirror is locked, and told again when it is free', () => {
    const world = new HmmWorld('6.12');
    const pid = world.newProcess(0);
    const at = world.mmap(pid, 2);
    world.write(pid, at, 2);
    const mutex = world.machine.kernel.state.dmirror?.mirrors[0]?.mutex;
    if (!mutex) throw new Error('no mirror');
    world.machine.kernel.store.set(mutex, 'owner', { id: 4711, label: 'someone' });
    expect(world.status(`inject non-blockable ${pid}`)).toBe(-11);
    expect(world.read(pid, at, 2)).toEqual(all(2, 'i'));
    world.machine.kernel.store.set(mutex, 'owner', undefined);
    world.sh(`inject non-blockable ${pid}`);
    expect(world.read(pid, at, 2)).toEqual(all(2, '0'));
  });

  it('a device that goes while a page of it is held waits, says for whom, and ends when it is let go', () => {
    const world = new HmmWorld('6.12');
    const pid = world.newProcess(0);
    const at = world.mmap(pid, 1);
    world.write(pid, at, 1);
    world.gpu('to-dev', 0, pid, at, 1);
    world.sh(`inject pin ${pid} ${hexOf(at)}`);
    const release = world.run('gpu release 0');
    expect(release.status).toBe('waiting');
    expect(release.waitsFor?.what).toContain('hmm_dmirror');
    expect(release.waitsFor?.holders()).toEqual(['page 0xfcfffff, mapped by process (100)']);
    // What was held when the device was emptied is still mapped; the next touch brings it home.
    world.sh('inject clear pin');
    expect(release.status).toBe('waiting');
    expect(world.read(pid, at, 1)).toEqual(all(1, 'i'));
    world.machine.runReady();
    expect(release.status).toBe('done');
    world.expectAtRest();
  });

  it('every step can be taken back, and taken again', () => {
    const world = new HmmWorld('6.12');
    const { machine } = world;
    const pid = world.newProcess(0);
    const at = world.mmap(pid, 8);
    const texts = [machine.canonical()];
    const lines = [
      `proc write ${pid} ${hexOf(at)} 8`,
      `gpu to-dev 0 ${pid} ${hexOf(at)} 8`,
      `proc read ${pid} ${hexOf(at)} 4`,
      `gpu exclusive 0 ${pid} ${hexOf(at)} 2`,
      `proc write ${pid} ${hexOf(at)} 1 7`,
      `gpu write 0 ${pid} ${hexOf(at)} 8 -i`,
      `gpu close 0 ${pid}`,
      `proc exit ${pid}`,
      'rmmod test_hmm',
    ];
    const start = machine.position;
    for (const line of lines) {
      world.sh(line);
      texts.push(machine.canonical());
    }
    for (let i = lines.length; i >= 0; i--) {
      machine.travel(start + i);
      expect(machine.canonical() === texts[i], `back to before ${lines[i]}`).toBe(true);
    }
    for (let i = 0; i <= lines.length; i++) {
      machine.travel(start + i);
      expect(machine.canonical() === texts[i], `again to before ${lines[i]}`).toBe(true);
    }
  });

  it('an invalidation takes the page behind its range out of the table of the device, too', () => {
    const world = new HmmWorld('6.12');
    const pid = world.newProcess(0);
    const at = world.mmap(pid, 3);
    world.write(pid, at, 3);
    world.gpu('read', 0, pid, at, 3);
    world.madvise(pid, at, 1, 'dontneed');
    expect(world.gpu('read', 0, pid, at + 2 * PAGE, 1)).toMatchObject({ ret: 0, faults: 0 });
    expect(world.gpu('read', 0, pid, at + PAGE, 1)).toMatchObject({ ret: 0, faults: 1 });
  });

  it('a million words are as good as one: what the device reads is told in runs', () => {
    const world = new HmmWorld('6.12');
    const pid = world.newProcess(0);
    const at = world.mmap(pid, 3);
    world.write(pid, at, 1, '7');
    world.write(pid, at + PAGE, 1, 'i');
    expect(world.gpu('read', 0, pid, at, 3).lines).toEqual([
      'words 0-1023: 7',
      'words 1024-2047: i-1024',
      'words 2048-3071: 0',
    ]);
  });
});
