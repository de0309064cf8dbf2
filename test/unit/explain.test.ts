import { describe, expect, it } from 'vitest';
import { type Machine, pageView, runShellLine } from '../../sim/index.ts';
import { boot, mapLines, sh } from '../support/machines.ts';
import { short } from '../support/same.ts';

const machine = boot();
const lines = (line: string, on: Machine = machine): string[] => sh(on, line).output.join('\n').split('\n');
const plain = (text: string): string => text.replace(/ +/g, ' ').trim();

describe('explain pfn_to_page', () => {
  it('shows every step with its expression, its numbers and its value, in columns', () => {
    const [head, ...rest] = lines('explain pfn_to_page 0x12345');
    expect(head).toBe(
      'pfn_to_page(0x12345): SPARSEMEM_VMEMMAP, x86_64 (4-level page tables), 6.12, the RAM of qemu-2g as it runs now',
    );
    const steps = rest.filter((line) => !line.startsWith('  #'));
    expect(steps.map(plain)).toEqual([
      'vmemmap = VMEMMAP_START = 0xffffea0000000000',
      'bytes = pfn * sizeof(struct page) = 0x12345 * 64 = 0x48d140',
      'page = vmemmap + pfn = 0xffffea0000000000 + 0x48d140 = 0xffffea000048d140',
    ]);
    expect(new Set(steps.map((line) => line.lastIndexOf(' = '))).size).toBe(1);
    expect(rest.map(plain)).toContain('# the struct page lies in page frame 0x7da8d (reserved at boot)');
  });

  it('all: the same page in every model, one under the other', () => {
    const heads = lines('explain pfn_to_page 0x12345 all').filter((line) => line.startsWith('pfn_to_page'));
    expect(heads.map((head) => /: (.*?), x86_64/.exec(head)?.[1])).toEqual([
      'FLATMEM',
      'DISCONTIGMEM',
      'SPARSEMEM, static table',
      'SPARSEMEM_EXTREME',
      'SPARSEMEM_VMEMMAP',
    ]);
  });

  it('says which release dropped DISCONTIGMEM, and of a model that an architecture lacks, that it does', () => {
    expect(lines('explain pfn_to_page 1 model=discontigmem').join()).toContain('removed in 5.14');
    expect(lines('explain pfn_to_page 1 arch=alpha model=discontigmem release=5.13').join()).not.toContain('removed');
    expect(lines('explain pfn_to_page 1 arch=x86_32 all').join('\n')).toContain(
      'not here: x86_32 has no SPARSEMEM_VMEMMAP',
    );
  });

  it('sparsemem is the classic kind that the architecture chooses', () => {
    expect(lines('explain pfn_to_page 1 model=sparsemem')[0]).toContain('SPARSEMEM_EXTREME');
    expect(lines('explain pfn_to_page 1 model=sparsemem arch=x86_32')[0]).toContain('SPARSEMEM, static table');
  });

  it('follows the running machine: a device page is valid while it is mapped, and from which frame its struct page is', () => {
    const own = boot();
    const line = 'explain pfn_to_page 0xfcf0000';
    expect(lines(line, own).join('\n')).toContain('pfn_valid: false');
    sh(
      own,
      'struct dev_pagemap_ops ops',
      'ops.page_free = put_page; ops.migrate_to_ram = put_page',
      ...mapLines('MEMORY_DEVICE_PRIVATE'),
      'm.ops = &ops; m.owner = &ops',
      'memremap_pages(&m, 0)',
    );
    expect(lines(line, own).join('\n')).toMatch(/pfn_valid: true\n.*page frame 0x[0-9a-f]+ \(a PMD block from RAM\)/);
    expect(lines('explain sections', own).map(plain)).toContain(
      'sec=8094-8095 phys=0xfcf0000000 raw=0xffffea0000000003 PM--- subsection_map=ffffffff,ffffffff',
    );
    own.travel(0);
    expect(lines(line, own).join('\n')).toContain('pfn_valid: false');
  });
});

describe('explain page_to_pfn', () => {
  it('classic SPARSEMEM reads the section out of page->flags', () => {
    const forward = lines('explain pfn_to_page 0x12345 model=sparsemem-extreme').map(plain);
    const page = /= (0x[0-9a-f]+)$/.exec(forward.find((line) => line.startsWith('page =')) ?? '')?.[1];
    const back = lines(`explain page_to_pfn ${page} model=sparsemem-extreme`).map(plain);
    expect(back.find((line) => line.startsWith('section ='))).toMatch(/\(0x[0-9a-f]+ >> 45\) & 0x7ffff = 2$/);
    expect(back.find((line) => line.startsWith('pfn ='))).toMatch(/= 0x12345$/);
  });
});

describe('explain page-flags and sections', () => {
  it('prints the recorded layout, and what no longer fits with its new place', () => {
    const own = lines('explain page-flags').map(plain);
    expect(own).toContain('NODE 10 54 63-54');
    expect(own).toContain('LAST_CPUPID 14 37 50-37');
    const classic = lines('explain page-flags model=sparsemem cpus=8192 lru_gen=on levels=5 nodes=1024').map(plain);
    expect(classic).toContain('SECTION 25 39 63-39');
    expect(classic.join()).toContain('_last_cpupid');
    const full = lines('explain page-flags arch=arm64 model=sparsemem nodes=1024 kasan=on release=5.4').map(plain);
    expect(full).toContain('KASAN_TAG 8 26 33-26');
  });

  it('an old release has no sub-section map', () => {
    const rows = (release: '5.2' | '5.3') =>
      lines('explain sections', boot('qemu-2g', release)).filter((line) => line.includes('sec='));
    expect(rows('5.2')[0]).not.toContain('subsection_map');
    expect(rows('5.3')[0]).toContain('subsection_map');
    expect(pageView(boot('qemu-2g', '5.2'), 0x1000).sectionState).not.toContain('sub-section');
    expect(pageView(boot('qemu-2g', '5.3'), 0x1000).sectionState).toContain('sub-section');
  });
});

describe('a wrong line', () => {
  it.each([
    'explain',
    'explain nothing',
    'explain pfn_to_page',
    'explain pfn_to_page all',
    'explain pfn_to_page 12x',
    'explain pfn_to_page -1',
    'explain pfn_to_page 0x1 0x2',
    'explain pfn_to_page 0x1 colour=red',
    'explain pfn_to_page 0x1 model=flat',
    'explain pfn_to_page 0x1 model=flatmem all',
    'explain pfn_to_page 0x1 arch=vax',
    'explain pfn_to_page 0x1 release=9.9',
    'explain pfn_to_page 0x1 pae=on',
    'explain pfn_to_page 0x1 levels=5 release=4.9',
    'explain pfn_to_page 0x1 nodes=2000',
    'explain pfn_to_page 0x1 nodes=0',
    'explain pfn_to_page 0x1 mem=0x0-0xffff',
    'explain pfn_to_page 0x1 mem=0x0-0xfffffff,0x1000-0xfffffff',
    `explain pfn_to_page 0x1 mem=${Array.from({ length: 65 }, () => '0x0-0x1').join(',')}`,
    'explain pfn_to_page 0x1 mem=0x0-0xffffffffffffffff',
    'explain sections 5',
  ])('%s answers with the usage', (line) => {
    const program = runShellLine(machine, line);
    expect(program?.error?.message).toContain('explain pfn_to_page PFN');
  });

  it('a pfn or address that the architecture does not have is refused by its limit', () => {
    expect(runShellLine(machine, 'explain pfn_to_page 0x400000000')?.error?.message).toContain('0x3ffffffff');
    expect(runShellLine(machine, 'explain page_to_pfn 0x100000000 arch=x86_32')?.error?.message).toContain('32 bits');
    expect(runShellLine(machine, 'explain sections model=flatmem')?.error?.message).toContain('no sections');
    expect(runShellLine(machine, 'explain pfn_to_page 1 arch=arm model=sparsemem-vmemmap')?.error?.message).toContain(
      'arm',
    );
  });

  it('the largest tables asked for take a moment, not minutes', () => {
    const started = performance.now();
    lines('explain pfn_to_page 0x1 all levels=5 mem=0x0-0xfffffffffffff');
    lines('explain sections all levels=5 mem=0x0-0xfffffffffffff');
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('neither it nor a right one is a step or changes anything', () => {
    const own = boot();
    const before = [short(own.canonical()), own.steps.length];
    for (const line of [
      'explain',
      'explain pfn_to_page 0x1000 all',
      'explain sections',
      'explain page-flags all',
      'explain pfn_to_page x',
    ])
      runShellLine(own, line);
    expect([short(own.canonical()), own.steps.length]).toEqual(before);
  });
});
