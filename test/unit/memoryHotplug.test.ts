import { describe, expect, it } from 'vitest';
import { type Machine, type Program, runShellLine, statusOf } from '../../sim/index.ts';
import { flagsWord } from '../../sim/mm/page_flags.ts';
import { readFile } from '../../sim/shell/commands.ts';
import { pagemapSnapshot, pageView } from '../../sim/view/pagemap.ts';
import { MEMORY } from '../support/blocks.ts';
import { hotplugMachine } from '../support/hotplugMachine.ts';
import { check, checkBlocks } from '../support/invariants.ts';
import { boot, machineOf, sh } from '../support/machines.ts';

const EINVAL = -22;
const EBUSY = -16;
const EEXIST = -17;

const status = (machine: Machine, line: string): number => {
  const program = runShellLine(machine, line);
  return program ? statusOf(program) : 0;
};
const state = (id: number, to: string): string => `echo ${to} > ${MEMORY}/memory${id}/state`;
const read = (machine: Machine, file: string): string => readFile(machine.kernel, `${MEMORY}/${file}`).trim();
const zone = (machine: Machine, index: number, node = 0) => machine.kernel.zone(node, index);
const lastLog = (machine: Machine): string => machine.kernel.state.log.at(-1)?.text ?? '';
const run = (machine: Machine, line: string): Program => {
  const program = runShellLine(machine, line);
  if (!program) throw new Error(line);
  return program;
};
const free = (machine: Machine): number =>
  machine.kernel.nodes.flatMap((node) => node.node_zones).reduce((sum, each) => sum + each.nr_free, 0);

describe('a block of boot memory', () => {
  it('that spans two zones has none in valid_zones and never goes offline', () => {
    const machine = hotplugMachine();
    expect(read(machine, 'memory0/valid_zones')).toBe('none');
    expect(status(machine, state(0, 'offline'))).toBe(EINVAL);
  });

  it('with a hole cannot go offline', () => {
    expect(status(hotplugMachine(), state(23, 'offline'))).toBe(EINVAL);
  });

  it('that holds pages of the kernel refuses with EBUSY, and its pageblocks come back movable', () => {
    const machine = hotplugMachine();
    const before = free(machine);
    sh(machine, 'inject unmovable memory5');
    expect(machine.kernel.pages.pageblock.get(5 * 0x8000)).toBe(0);
    expect(status(machine, state(5, 'offline'))).toBe(EBUSY);
    expect(free(machine)).toBe(before - 1);
    check(machine);
    checkBlocks(machine);
  });

  it('that refuses in its middle puts together again what isolation had cut at its ends', () => {
    const machine = hotplugMachine();
    sh(machine, 'inject movable memory5 600', 'inject unmovable memory5');
    const { free_area: areas } = zone(machine, 1);
    const blocks = areas.map((area) => area.nr_free);
    expect(status(machine, state(5, 'offline'))).toBe(EBUSY);
    expect(areas.map((area) => area.nr_free)).toEqual(blocks);
    check(machine);
  });

  it('that is free goes offline and takes its early pages with it; back online all is as before', () => {
    const machine = hotplugMachine();
    const { present_pages: present, present_early_pages: early, managed_pages: managed } = zone(machine, 1);
    sh(machine, state(5, 'offline'));
    expect([
      zone(machine, 1).present_pages,
      zone(machine, 1).present_early_pages,
      zone(machine, 1).managed_pages,
    ]).toEqual([present - 0x8000, early - 0x8000, managed - 0x8000]);
    expect(read(machine, 'memory5/valid_zones')).toBe('DMA32 Movable');
    sh(machine, state(5, 'online'));
    expect([
      zone(machine, 1).present_pages,
      zone(machine, 1).present_early_pages,
      zone(machine, 1).managed_pages,
    ]).toEqual([present, early, managed]);
    checkBlocks(machine);
  });

  it('on a machine of 64 GiB or more is 2 GiB, under a hypervisor what divides the end of memory', () => {
    const of = (gib: number, hypervisor: boolean): string => {
      const end = `0x${(BigInt(gib) * 2n ** 30n + 0x20000000n - 1n).toString(16)}`;
      const machine = machineOf({ name: 'm', physBits: 46, hypervisor, e820: [{ start: '0x0', end, type: 'usable' }] });
      return read(machine, 'block_size_bytes');
    };
    expect(of(32, false)).toBe('8000000');
    expect(of(64, false)).toBe('80000000');
    expect(of(64, true)).toBe('20000000');
  });
});

describe('writing to state and online', () => {
  it.each([
    `echo offline > ${MEMORY}/memory0/state`,
    `echo offline > ${MEMORY}/memory23/state`,
    `echo nonsense > ${MEMORY}/memory5/state`,
    `echo 2 > ${MEMORY}/memory5/online`,
    `echo 0 > ${MEMORY}/memory23/online`,
    `echo 1 > ${MEMORY}/memory5/removable`,
    `echo offline > ${MEMORY}/memory99/state`,
    `echo sometimes > ${MEMORY}/auto_online_blocks`,
  ])('%s is refused and leaves all as it was', (line) => {
    const machine = hotplugMachine();
    const before = machine.canonical();
    expect(status(machine, line)).toBeLessThan(0);
    expect(machine.canonical()).toBe(before);
  });

  it('state refuses the state it has, online takes it', () => {
    const machine = hotplugMachine();
    sh(machine, 'dimm plug 128M');
    expect(status(machine, state(32, 'offline'))).toBe(EINVAL);
    expect(status(machine, `echo 0 > ${MEMORY}/memory32/online`)).toBe(0);
    expect(status(machine, `echo 1 > ${MEMORY}/memory32/online`)).toBe(0);
    expect(read(machine, 'memory32/online')).toBe('1');
    expect(status(machine, state(32, 'online'))).toBe(EINVAL);
  });

  it.each(['onlin', 'Online', '', 'online offline', '1'])('%j is no state', (text) => {
    const machine = hotplugMachine();
    expect(status(machine, `echo "${text}" > ${MEMORY}/memory5/state`)).toBe(EINVAL);
    expect(read(machine, 'memory5/state')).toBe('online');
  });

  it('online without more joins the zone that spans part of the block already', () => {
    const machine = hotplugMachine();
    sh(machine, 'dimm plug 512M', state(32, 'online_movable'), state(34, 'online_movable'));
    expect(read(machine, 'memory33/valid_zones')).toBe('Movable Normal');
    sh(machine, state(33, 'online'));
    expect(read(machine, 'memory33/valid_zones')).toBe('Movable');
  });

  it('movable_node makes MOVABLE the default', () => {
    const machine = hotplugMachine({ cmdline: 'movable_node' });
    sh(machine, 'dimm plug 128M');
    expect(read(machine, 'memory32/valid_zones')).toBe('Movable Normal');
  });

  it('the auto-movable policy keeps to three times the kernel memory of boot', () => {
    const machine = hotplugMachine({
      cmdline: 'memory_hotplug.online_policy=auto-movable memory_hotplug.auto_movable_ratio=50',
    });
    // Half of 3 GiB less a little: 1 GiB fits, 2 GiB do not.
    sh(machine, 'dimm plug 1G', 'dimm plug 2G');
    expect(readFile(machine.kernel, '/sys/module/memory_hotplug/parameters/online_policy')).toBe('auto-movable\n');
    expect(read(machine, 'memory32/valid_zones')).toBe('Movable Normal');
    expect(read(machine, 'memory40/valid_zones')).toBe('Normal Movable');
  });

  it('auto_online_blocks brings what is plugged online by itself', () => {
    const machine = hotplugMachine();
    sh(machine, `echo online_movable > ${MEMORY}/auto_online_blocks`, 'dimm plug 256M');
    expect(zone(machine, 3).present_pages).toBe(0x10000);
    expect(status(machine, `echo never > ${MEMORY}/auto_online_blocks`)).toBe(EINVAL);
    expect(read(machine, 'auto_online_blocks')).toBe('online_movable');
  });
});

describe('pages of programs in a block', () => {
  it('move elsewhere when it goes offline', () => {
    const machine = hotplugMachine();
    sh(machine, 'dimm plug 256M', state(32, 'online_movable'), 'inject movable memory32 100');
    const before = free(machine);
    expect(status(machine, state(32, 'offline'))).toBe(0);
    // The zone is gone, and its pages now lie in DMA32.
    expect(free(machine)).toBe(before - (0x8000 - 100) - 100);
    checkBlocks(machine);
  });

  it('that are pinned make offlining wait, not fail; the next change of memory waits for the lock', () => {
    const machine = hotplugMachine();
    sh(
      machine,
      'dimm plug 256M',
      state(32, 'online_movable'),
      'inject movable memory32',
      'get_page(pfn_to_page(0x100000))',
    );
    const offlining = run(machine, state(32, 'offline'));
    expect(offlining.isOver).toBe(false);
    expect(read(machine, 'memory32/state')).toBe('going-offline');
    check(machine);
    // Isolated pageblock by pageblock: what was one free block of order 10 is two of order 9 meanwhile.
    const { free_area: areas } = zone(machine, 3);
    const isolated = areas.map((area) => [...area.runs(4)].reduce((blocks, each) => blocks + each.count, 0));
    expect(isolated).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1 + 2 * 31, 0]);
    const other = run(machine, state(33, 'online'));
    expect(other.isOver).toBe(false);
    sh(machine, 'put_page(pfn_to_page(0x100000))');
    for (const program of [offlining, other]) if (!program.isOver) machine.advance(program);
    expect([offlining.isOver, other.isOver]).toEqual([true, true]);
    expect([read(machine, 'memory32/state'), read(machine, 'memory33/state')]).toEqual(['offline', 'online']);
    checkBlocks(machine);
  });

  it('are not taken from ZONE_MOVABLE by the kernel', () => {
    const machine = hotplugMachine();
    sh(machine, 'dimm plug 128M', state(32, 'online_movable'));
    expect(status(machine, 'inject unmovable memory32')).toBe(EINVAL);
  });
});

describe('adding and removing', () => {
  it('names the block size when it refuses a range', () => {
    const machine = hotplugMachine();
    expect(status(machine, 'add_memory(0, 0x100000000, 0x8200000, 0)')).toBe(EINVAL);
    expect(lastLog(machine)).toBe('Block size [0x8000000] unaligned hotplug range: start 0x100000000, size 0x8200000');
    expect(readFile(machine.kernel, '/proc/iomem')).not.toContain('100000000-');
  });

  it('is EEXIST where something busy lies, and where the node cannot exist EINVAL', () => {
    const machine = hotplugMachine();
    sh(machine, 'add_memory(0, 0x100000000, 0x8000000, 0)');
    expect(status(machine, 'add_memory(0, 0x100000000, 0x10000000, 0)')).toBe(EEXIST);
    expect(status(machine, 'add_memory(0, 0x10000000, 0x8000000, 0)')).toBe(EEXIST);
    expect(status(machine, 'add_memory(3, 0x110000000, 0x8000000, 0)')).toBe(EINVAL);
  });

  it('memory of a driver has a name of its own, inside the resource of its device, and leaves that behind', () => {
    const machine = hotplugMachine();
    expect(status(machine, 'add_memory_driver_managed(0, 0x100000000, 0x8000000, "kmem", 0)')).toBe(EINVAL);
    // As drivers/dax/kmem.c does: its region is System RAM, but not busy.
    sh(machine, 'r = request_mem_region(0x108000000, 0x38000000, "dax0.0")', 'r->flags = 0x1000200');
    sh(machine, 'add_memory_driver_managed(0, 0x108000000, 0x38000000, "System RAM (kmem)", 0)');
    const nested = '108000000-13fffffff : dax0.0\n  108000000-13fffffff : System RAM (kmem)\n540000000';
    expect(readFile(machine.kernel, '/proc/iomem')).toContain(nested);
    sh(machine, ...[33, 39].map((id) => state(id, 'online_movable')), state(33, 'offline'));
    expect(status(machine, 'remove_memory(0x108000000, 0x38000000)')).toBe(EBUSY);
    sh(machine, state(39, 'offline'), 'remove_memory(0x108000000, 0x38000000)');
    expect(readFile(machine.kernel, '/proc/iomem')).toContain('108000000-13fffffff : dax0.0\n540000000');
  });

  it('a block that is online cannot be removed', () => {
    const machine = hotplugMachine();
    sh(machine, 'dimm plug 256M', state(33, 'online'));
    expect(status(machine, 'remove_memory(0x100000000, 0x10000000)')).toBe(EBUSY);
    expect(lastLog(machine)).toBe(
      'removing memory fails, because memory [0x0000000108000000-0x000000010fffffff] is onlined',
    );
    expect(status(machine, 'offline_and_remove_memory(0x100000000, 0x10000000)')).toBe(0);
    expect(machine.kernel.state.memoryBlocks.has(32)).toBe(false);
  });

  it('a part that is removed leaves the rest of the resource', () => {
    const machine = hotplugMachine();
    sh(machine, 'add_memory(0, 0x100000000, 0x18000000, 0)', 'remove_memory(0x108000000, 0x8000000)');
    const text = readFile(machine.kernel, '/proc/iomem');
    expect(text).toContain('100000000-107ffffff : System RAM\n110000000-117ffffff : System RAM\n');
  });

  it('offline_and_remove_memory that fails puts back online what it had taken, in the kind of zone it had', () => {
    const machine = hotplugMachine();
    sh(machine, 'dimm plug 256M', state(32, 'online_movable'), state(33, 'online_kernel'), 'inject unmovable memory33');
    expect(status(machine, 'offline_and_remove_memory(0x100000000, 0x10000000)')).toBe(EBUSY);
    expect(read(machine, 'memory32/valid_zones')).toBe('Movable');
  });

  it('a DIMM refused at unplugging has its blocks back by the policy', () => {
    const machine = hotplugMachine();
    sh(machine, 'dimm plug 256M', state(32, 'online_movable'), state(33, 'online_kernel'), 'inject unmovable memory33');
    expect(status(machine, 'dimm unplug dimm0')).toBe(EBUSY);
    expect(read(machine, 'memory32/valid_zones')).toBe('Normal');
    expect(machine.kernel.state.log.map((line) => line.text)).toContain('memory memory33: Offline failed.');
  });

  it('a DIMM unplugged leaves nothing but the raised max_pfn', () => {
    const machine = hotplugMachine();
    const before = [free(machine), readFile(machine.kernel, '/proc/iomem'), zone(machine, 3).spanned_pages];
    sh(machine, 'dimm plug 1G', ...[32, 33, 34, 35, 36, 37, 38, 39].map((id) => state(id, 'online_movable')));
    sh(machine, 'dimm unplug dimm0');
    expect([free(machine), readFile(machine.kernel, '/proc/iomem'), zone(machine, 3).spanned_pages]).toEqual(before);
    expect(machine.kernel.state.max_pfn).toBe(0x140000);
    expect(machine.kernel.state.memoryGroups).toHaveLength(0);
  });

  it('a DIMM brings its memory to the node it is plugged at', () => {
    const machine = boot('server-2n-pmem');
    const present = machine.kernel.node(1).node_present_pages;
    sh(machine, 'dimm plug 2G node=1 name=second', `echo online_movable > ${MEMORY}/auto_online_blocks`);
    const block = [...machine.kernel.state.memoryBlocks.values()].find((each) => each.state === 'offline');
    expect(block?.nodes).toEqual([1]);
    sh(machine, state(block?.id ?? -1, 'online_movable'));
    expect(machine.kernel.node(1).node_present_pages).toBe(present + machine.kernel.state.memoryBlockPages);
  });

  it.each([
    '',
    'plug',
    'plug 1X',
    'plug 0',
    'plug 1G node=9',
    'plug 1G nod=0',
    'plug 1G at=1000',
    'unplug',
    'unplug x',
    'list x',
    'plug 1G at=0x1000000',
    'plug 9999T',
  ])('dimm %s is refused and changes nothing', (line) => {
    const machine = hotplugMachine();
    const before = machine.canonical();
    expect(status(machine, `dimm ${line}`)).toBeLessThan(0);
    expect(machine.canonical()).toBe(before);
  });

  it('probe is there only where the kernel is configured so, and adds one block', () => {
    expect(status(hotplugMachine(), `echo 0x100000000 > ${MEMORY}/probe`)).toBe(-2);
    const machine = hotplugMachine({ config: { memoryProbe: true } });
    expect(status(machine, `echo 0x100000001 > ${MEMORY}/probe`)).toBe(EINVAL);
    expect(status(machine, `echo 0x100000000 > ${MEMORY}/probe`)).toBe(0);
    expect(read(machine, 'memory32/state')).toBe('offline');
    expect(status(machine, `cat ${MEMORY}/probe`)).toBe(-13);
  });
});

describe('memmap_on_memory', () => {
  it('a block holds its own 512 pages of struct pages: present counts them, managed does not, and RAM pays nothing', () => {
    const machine = hotplugMachine({ cmdline: 'memory_hotplug.memmap_on_memory=Y' });
    const before = free(machine);
    sh(machine, 'dimm plug 256M');
    expect(free(machine)).toBe(before);
    expect(machine.kernel.nodes[0]?.nr_memmap).toBe(1024);
    sh(machine, state(32, 'online_movable'));
    expect([zone(machine, 3).spanned_pages, zone(machine, 3).present_pages, zone(machine, 3).managed_pages]).toEqual([
      32768, 32768, 32256,
    ]);
    sh(machine, state(32, 'offline'));
    expect([zone(machine, 3).spanned_pages, zone(machine, 3).present_pages]).toEqual([0, 0]);
    sh(machine, 'dimm unplug dimm0');
    expect(machine.kernel.nodes[0]?.nr_memmap).toBe(0);
    expect(free(machine)).toBe(before);
  });

  it('is for those who ask: driver managed memory without the flag takes from RAM', () => {
    const machine = hotplugMachine({ cmdline: 'memory_hotplug.memmap_on_memory=Y' });
    const before = free(machine);
    sh(machine, 'add_memory_driver_managed(0, 0x100000000, 0x8000000, "System RAM (kmem)", 0)');
    expect(free(machine)).toBe(before - 512);
    sh(machine, 'add_memory_driver_managed(0, 0x108000000, 0x8000000, "System RAM (kmem)", 2)');
    expect(free(machine)).toBe(before - 512);
    // One block with its own memory map and one without cannot go together.
    expect(status(machine, 'remove_memory(0x100000000, 0x10000000)')).toBe(EINVAL);
  });

  it('was not there before 5.13', () => {
    const machine = hotplugMachine({ cmdline: 'memory_hotplug.memmap_on_memory=Y' }, '5.12');
    const before = free(machine);
    sh(machine, 'dimm plug 128M');
    expect(free(machine)).toBe(before - 512);
  });
});

describe('what is shown of blocks', () => {
  it('an offline block keeps the zone bits of its last zone in its stale struct pages', () => {
    const machine = hotplugMachine();
    sh(machine, 'dimm plug 128M', state(32, 'online_movable'), state(32, 'offline'));
    // The recorded word of such a page.
    expect(flagsWord(machine.kernel, 0x100000).word.toString(16)).toBe('1fffe000000000');
  });

  it('the page map names plugged memory as such, online or not, and each page names its block', () => {
    const machine = hotplugMachine();
    sh(machine, 'dimm plug 128M');
    const position = { revision: 0, step: 0, steps: 0, machine: '', release: '', lastStep: '' };
    expect(pagemapSnapshot(machine, position, undefined).extents.at(-1)?.label).toBe('hot-added RAM');
    expect(pageView(machine, 0x100000).block).toBe('memory32');
  });
});

describe('zonelists', () => {
  it('go back with the state: an undone onlining allocates as if it had not been', () => {
    const machine = hotplugMachine();
    sh(machine, 'dimm plug 256M');
    const at = machine.position;
    const first = machine.canonical();
    sh(machine, state(32, 'online_kernel'), 'dimm plug 1G at=0x200000000 name=x');
    machine.travel(at);
    sh(machine, 'dimm plug 1G at=0x200000000 name=x');
    // Normal was empty again: the memory map came from DMA32.
    expect(zone(machine, 2).nr_free).toBe(0);
    checkBlocks(machine);
    machine.travel(at);
    expect(machine.canonical()).toBe(first);
  });
});
