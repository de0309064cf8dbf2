/** What C reads of struct page, struct folio and struct mem_section, and where the objects lie that it asks addresses of. */
import { describe, expect, it } from 'vitest';
import { Machine, type Release } from '../../sim/index.ts';
import { attempt, value } from '../support/devices.ts';
import { boot, preset, sh } from '../support/machines.ts';

const pmem = (release: Release): ReturnType<typeof boot> => {
  const machine = boot('qemu-2g', release);
  const range =
    release === '5.3'
      ? 'map.res.start = 0xf000000000; map.res.end = 0xf007ffffff'
      : 'map.range.start = 0xf000000000; map.range.end = 0xf007ffffff; map.nr_range = 1';
  sh(
    machine,
    'dev = root_device_register("pmem0")',
    'struct dev_pagemap map',
    'map.type = MEMORY_DEVICE_FS_DAX',
    range,
  );
  sh(machine, 'devm_memremap_pages(dev, &map)');
  return machine;
};

describe('members of a page', () => {
  it.each<Release>(['5.3', '6.12', '6.18', '7.3'])(
    '%s: the lru words of a device page lead to its pagemap',
    (release) => {
      const machine = pmem(release);
      expect(sh(machine, 'pfn_to_page(0xf000000)->lru.next == (struct list_head *)&map').valueText).toBe('1');
      const [of, other] = ['5.3', '6.12'].includes(release)
        ? ['pfn_to_page(0xf000000)->pgmap', undefined]
        : ['page_folio(pfn_to_page(0xf000000))->pgmap', 'pfn_to_page(0xf000000)->pgmap'];
      expect(sh(machine, `${of} == &map`).valueText).toBe('1');
      if (other !== undefined)
        expect(attempt(machine, other).program?.error?.message).toContain('it is folio.pgmap now');
    },
  );

  it('counts are atomic_t, and their addresses lead to what is there now', () => {
    const machine = boot('qemu-2g', '6.12');
    sh(machine, 'page = alloc_pages(GFP_KERNEL, 0)', 'atomic_t *count = &page->_refcount', 'before = count->counter');
    sh(machine, 'get_page(page)');
    expect(sh(machine, 'before').valueText).toBe('1');
    expect(sh(machine, 'count->counter').valueText).toBe('2');
    expect(sh(machine, 'page->_mapcount.counter').valueText).toBe('-1');
    expect(attempt(machine, 'count->counter = 7').program?.error).toBeDefined();
  });

  it('a folio is its first page', () => {
    const machine = boot('qemu-2g', '6.12');
    sh(machine, 'page = alloc_pages(GFP_KERNEL | __GFP_COMP, 2)', 'folio = page_folio(page + 3)');
    expect(sh(machine, '&folio->page == page').valueText).toBe('1');
    expect(sh(machine, 'folio->_refcount.counter').valueText).toBe('1');
    expect(attempt(boot('qemu-2g', '5.15'), 'page_folio(pfn_to_page(0x1000))').program?.error).toBeDefined();
  });

  it('an anonymous page has a mapping that is marked, a free one has none', () => {
    const machine = boot('qemu-2g', '6.12');
    sh(machine, 'p = proc new app', 'a = proc mmap p 1', 'proc write p a 1');
    const folio = [...machine.kernel.state.folios.values()].find(({ mapping }) => mapping !== undefined);
    expect(sh(machine, `(unsigned long)pfn_to_page(${folio?.pfn})->mapping & 3`).valueText).toBe('1');
    sh(machine, 'page = alloc_pages(GFP_KERNEL, 0)', '__free_pages(page, 0)');
    expect(sh(machine, 'page->mapping').valueText).toBe('NULL');
  });

  it('flags are a struct since 6.18', () => {
    expect(sh(boot('qemu-2g', '6.17'), 'pfn_to_page(0x1000)->flags >> 51 & 7').valueText).toBe('1');
    expect(sh(boot('qemu-2g', '6.18'), 'pfn_to_page(0x1000)->flags.f >> 51 & 7').valueText).toBe('1');
  });

  it('what is not simulated is said, not made up', () => {
    const machine = boot('qemu-2g', '6.12');
    expect(attempt(machine, 'pfn_to_page(0x1000)->lru').program?.error?.message).toContain('not simulated');
    expect(attempt(machine, 'pfn_to_page(0x1000)->private').program?.error?.message).toContain('not simulated');
    expect(attempt(machine, 'pfn_to_page(0xe000000)->_refcount').program?.error?.message).toContain('no struct page');
  });
});

describe('struct mem_section', () => {
  it.each([
    [true, '32'],
    [false, '16'],
  ])('with page extensions %s it has %s bytes', (pageExtension, size) => {
    const base = preset('qemu-2g');
    for (const release of ['4.14', '6.12'] as const) {
      const machine = new Machine({ ...base, config: { ...base.config, pageExtension } }, release);
      expect(sh(machine, 'sizeof(struct mem_section)').valueText).toBe(size);
    }
  });
});

describe('addresses of objects', () => {
  it('no two overlap, however large they are', () => {
    const machine = boot('qemu-2g', '6.12');
    sh(machine, 'unsigned long first[1024]', 'struct dev_pagemap maps[64]', 'int last[3]', 'struct range one');
    const at = (name: string): bigint => value(machine, `(unsigned long)&${name}[0]`);
    const [first, maps, last] = [at('first'), at('maps'), at('last')];
    expect(maps - first).toBeGreaterThanOrEqual(8192n);
    expect(last - maps).toBeGreaterThanOrEqual(value(machine, 'sizeof(maps)'));
  });

  it('an element lies its size behind the one before, a member where the layout has it', () => {
    const machine = boot('qemu-2g', '6.12');
    sh(machine, 'int a[4]', 'struct vm_fault fault');
    expect(sh(machine, '(unsigned long)&a[3] - (unsigned long)&a[0]').valueText).toBe('12');
    expect(
      sh(machine, '(unsigned long)&fault.page - (unsigned long)&fault == offsetof(struct vm_fault, page)').valueText,
    ).toBe('1');
  });

  it('are the same after going back and forth', () => {
    const machine = boot('qemu-2g', '6.12');
    sh(machine, 'unsigned long first[1024]', 'struct range one');
    const ask = (): (string | undefined)[] => ['&first[0]', '&one'].map((line) => sh(machine, line).valueText);
    const before = machine.kernel.mark();
    const known = ask();
    machine.kernel.store.travel(before);
    expect(ask()).toEqual(known);
  });
});
