import { describe, expect, it } from 'vitest';
import { type Block, blockProgram, type Machine, type Program, pageView } from '../../sim/index.ts';
import { boot, mapLines, sh } from '../support/machines.ts';
import { short } from '../support/same.ts';

const FREE_CALLBACK = `
static unsigned long freed;
static void on_free(struct page *page)
{
	freed = page_to_pfn(page);
	pr_info("on_free: first\\n");
	pr_info("on_free: second\\n");
}
static const struct dev_pagemap_ops ops = { .page_free = on_free, .migrate_to_ram = on_free };
static int owner;
`;
const TEXT = `struct dev_pagemap map;
struct resource *res;
struct page *page;

res = request_free_mem_region(&iomem_resource, 128 << 20, "card");
map.type = MEMORY_DEVICE_PRIVATE;
map.range.start = res->start;
map.range.end = res->end;
map.nr_range = 1;
map.ops = &ops;
map.owner = &owner;
memremap_pages(&map, 0);
page = pfn_to_page(res->start >> 12);
zone_device_page_init(page);
unlock_page(page);
put_page(page);
memunmap_pages(&map);
release_mem_region(map.range.start, range_len(&map.range));`;

const block = (machine: Machine): Block =>
  blockProgram(machine.kernel, { label: 'card', text: TEXT, holes: {}, standIns: { all: FREE_CALLBACK } });
const runAll = (machine: Machine, program: Program): void => {
  while (machine.advance(program) === 'step');
};
const logOf = (machine: Machine): string[] =>
  machine.kernel.state.log.map((line) => line.text).filter((line) => line.startsWith('on_free'));

describe('a C callback of the engine is a frame of the calling task', () => {
  it('page_free can be paused between its statements, undone, and run again to the same bytes', () => {
    const straight = boot();
    const whole = straight.start(block(straight).spec);
    runAll(straight, whole);
    expect(whole.error).toBeUndefined();
    const end = short(straight.canonical());

    const machine = boot();
    const before = short(machine.canonical());
    const program = machine.start(block(machine).spec);
    // Stop before the second pr_info inside the callback.
    let stop = '';
    do
      stop = machine.advance(program, {
        shouldPause: (point) =>
          point.kind === 'statement' && point.frame.name === 'on_free' && logOf(machine).length === 1,
      });
    while (stop === 'step');
    expect(stop).toBe('pause');
    expect(program.frames.map((frame) => frame.name)).toEqual([
      'block',
      'put_page',
      'free_zone_device_folio',
      'on_free',
    ]);
    expect(logOf(machine)).toEqual(['on_free: first']);
    const paused = short(machine.canonical());
    const at = machine.position;

    machine.travel(0);
    expect(short(machine.canonical())).toBe(before);
    machine.travel(at);
    expect(short(machine.canonical())).toBe(paused);

    // Going back past the callback and on again replays it to the yield it stood at.
    machine.travel(at - 2);
    machine.travel(at);
    const again = machine.current(program.id);
    if (!again) throw new Error('gone');
    runAll(machine, again);
    expect(again.status).toBe('done');
    expect(logOf(machine)).toEqual(['on_free: first', 'on_free: second']);
    expect(short(machine.canonical())).toBe(end);
  });

  it('while it is paused other commands run on the same machine', () => {
    const machine = boot();
    const program = machine.start(block(machine).spec);
    while (
      machine.advance(program, {
        shouldPause: (point) => point.kind === 'statement' && point.frame.name === 'on_free',
      }) === 'step'
    );
    expect(sh(machine, 'page_count(pfn_to_page(0xfcf8000))').output).toEqual(['0']);
    sh(machine, 'request_mem_region(0xf000000000, 4096, "other")');
    runAll(machine, program);
    expect(program.status).toBe('done');
    expect(machine.steps.at(-1)?.label).toMatch(/release_mem_region/);
  });
});

describe('the timeline', () => {
  it('has one step a statement, labelled with it', () => {
    const machine = boot();
    runAll(machine, machine.start(block(machine).spec));
    expect(machine.steps.map((step) => step.label)).toContain('memremap_pages(&map, 0);');
    expect(machine.steps.at(-1)?.label).toBe('release_mem_region(map.range.start, range_len(&map.range));');
  });

  it('goes back and forth over every step to the same bytes', () => {
    const machine = boot();
    const states = [short(machine.canonical())];
    const program = machine.start(block(machine).spec);
    for (;;) {
      const steps = machine.steps.length;
      const stop = machine.advance(program);
      if (machine.steps.length > steps) states.push(short(machine.canonical()));
      if (stop !== 'step') break;
    }
    expect(states.length).toBe(machine.steps.length + 1);
    for (let position = states.length - 1; position >= 0; position--) {
      machine.travel(position);
      expect(short(machine.canonical()), `back at ${position}`).toBe(states[position]);
    }
    for (let position = 0; position < states.length; position++) {
      machine.travel(position);
      expect(short(machine.canonical()), `forward at ${position}`).toBe(states[position]);
    }
  });

  it('something new after going back takes the place of what lay ahead', () => {
    const machine = boot();
    sh(machine, 'a = 1', 'b = 2', 'c = 3');
    machine.travel(1);
    sh(machine, 'b = 5');
    expect(machine.steps.map((step) => step.label)).toEqual(['a = 1', 'b = 5']);
    expect(sh(machine, 'a + b').output).toEqual(['6']);
  });

  it('a program that was overtaken by going back runs on from there', () => {
    const machine = boot();
    const program = machine.start(block(machine).spec);
    runAll(machine, program);
    const end = short(machine.canonical());
    const mapped = machine.steps.findIndex((step) => step.label.startsWith('memremap_pages')) + 1;
    machine.travel(mapped);
    expect(machine.kernel.state.pgmaps).toHaveLength(1);
    const again = machine.current(program.id);
    if (!again) throw new Error('gone');
    expect(again.status).toBe('paused');
    runAll(machine, again);
    expect(short(machine.canonical())).toBe(end);
  });

  it('replays what other commands did in between', () => {
    const machine = boot();
    const program = machine.start(block(machine).spec);
    while (machine.lastStep?.label.startsWith('memremap_pages') !== true) machine.advance(program);
    sh(machine, 'held = get_dev_pagemap(0xfcf8000, NULL)');
    while (machine.advance(program) === 'step');
    expect(program.status).toBe('waiting');
    const waiting = short(machine.canonical());
    const at = machine.position;
    machine.travel(at - 1);
    machine.travel(at);
    expect(short(machine.canonical())).toBe(waiting);
    machine.travel(at - 2);
    const again = machine.current(program.id);
    if (!again) throw new Error('gone');
    runAll(machine, again);
    expect(short(machine.canonical())).toBe(waiting);
    sh(machine, 'put_dev_pagemap(held)');
    // Freed, it ended the statement it was in; the rest is the reader's to continue.
    expect(machine.program(program.id)?.status).toBe('paused');
    runAll(machine, again);
    expect(again.status).toBe('done');
  });

  it('a command that only looks is no step', () => {
    const machine = boot();
    sh(machine, 'cat /proc/buddyinfo', 'ls', 'help');
    expect(machine.steps).toHaveLength(0);
  });

  it('says which page frames and objects the last step changed', () => {
    const machine = boot();
    sh(machine, ...mapLines('MEMORY_DEVICE_GENERIC'), 'memremap_pages(&m, 0)');
    const changes = machine.lastChanges();
    expect(changes.pages.some((run) => run.start === 0xfcf0000 && run.end === 0xfd00000)).toBe(true);
    const zone = machine.kernel.nodes[0]?.node_zones[4];
    expect(zone && [...(changes.objects.get(zone) ?? [])]).toContain('spanned_pages');
  });
});

describe('a step larger than the journal', () => {
  it('still has its pages decoded: what they were before is told as far as it is known', () => {
    const machine = boot('server-2n-pmem', '5.17');
    sh(machine, 'ndctl create-namespace -m devdax -M mem');
    sh(machine, 'ndctl create-namespace -f -e all -m fsdax -M mem');
    expect(machine.lastStep?.from).toBeLessThan(machine.kernel.store.oldest);
    const pfn = machine.lastChanges().pages[0]?.start ?? -1;
    expect(pageView(machine, pfn)).toMatchObject({ pfn });
  });
});
