import { describe, expect, it } from 'vitest';
import {
  Machine,
  namesOf,
  partsOf,
  presets,
  type Release,
  readMemory,
  runShellLine,
  type Shown,
  textOf,
  watched,
} from '../../sim/index.ts';
import { hmmEntryText, migrateEntryText } from '../../sim/view/values.ts';

function boot(release: Release): Machine {
  const config = presets().find(({ name }) => name === 'qemu-2g');
  if (!config) throw new Error('no such machine');
  return new Machine(config, release);
}

const hmmRange = (more: object = {}) => ({ $struct: 'hmm_range', ...more });

describe('a pointer in words', () => {
  const machine = boot('6.12');
  const pfns = { $array: 'unsigned long', elements: [1n, 2n, 3n, 4n] };
  const range = hmmRange();
  const to = (target: object) => ({ kind: 'pointer', to: 'void', target }) as Shown['slot'];
  const names = namesOf([
    ['pfns', pfns],
    ['again', pfns],
    ['range', range],
  ]);
  const text = (target: object) => textOf(machine, { slot: to(target), type: 'void *' }, names);

  it('says what C calls that it leads to, by the nearest name', () => {
    expect(text({ kind: 'slot', object: pfns, key: 2 })).toBe('&pfns[2]');
    expect(text({ kind: 'object', object: range })).toBe('&range');
    expect(text({ kind: 'slot', object: range, key: 'start' })).toBe('&range.start');
    expect(text({ kind: 'slot', object: { $struct: 'frame of the file' }, key: 'owner' })).toBe('&owner');
  });
  it('says what it is where it has no name', () => {
    expect(text({ kind: 'object', object: { $struct: 'mm_struct' } })).toBe('→ struct mm_struct');
    expect(text({ kind: 'slot', object: { ...pfns }, key: 0 })).toBe('→ unsigned long[4]');
    expect(text({ kind: 'slot', object: { ...pfns }, key: 2 })).toBe('→ unsigned long[4], at [2]');
  });
});

describe('a value in words', () => {
  it('says of an entry of hmm_pfns what it asks for, or which page it is', () => {
    const { kernel } = boot('6.12');
    const range = hmmRange();
    expect(hmmEntryText(kernel, 0n, range)).toBe('0: no page, nothing asked for');
    expect(hmmEntryText(kernel, 3n << 62n, range)).toBe('0xc000000000000000: REQ_FAULT|REQ_WRITE');
    expect(hmmEntryText(kernel, (1n << 63n) | (9n << 56n) | 0x1200n, range)).toBe(
      '0x8900000000001200: VALID, pfn 0x1200, order 9',
    );
    expect(hmmEntryText(kernel, 1n << 61n, range)).toBe('0x2000000000000000: ERROR');
  });

  it('reads the order elsewhere since 6.17, where entries also say that they are mapped for DMA', () => {
    const { kernel } = boot('6.17');
    expect(hmmEntryText(kernel, (1n << 63n) | (1n << 60n) | (9n << 53n) | 0x1200n, hmmRange())).toBe(
      '0x9120000000001200: VALID|DMA_MAPPED, pfn 0x1200, order 9',
    );
    expect(hmmEntryText(kernel, (1n << 63n) | (7n << 58n) | 0x1200n, hmmRange())).toBe(
      '0x9c00000000001200: VALID|DMA_MAPPED|P2PDMA|P2PDMA_BUS, pfn 0x1200, order 0',
    );
  });

  it('reads the fixed bits of 4.14, and the bits that a driver of 5.4 brings along', () => {
    expect(hmmEntryText(boot('4.14').kernel, (0x1200n << 7n) | 5n, hmmRange())).toBe(
      '0x90005: VALID|WRITE, pfn 0x1200',
    );
    expect(hmmEntryText(boot('4.14').kernel, 16n, hmmRange())).toBe('0x10: EMPTY');
    expect(hmmEntryText(boot('5.8').kernel, (1n << 63n) | 0x1200n, hmmRange())).toBe(
      '0x8000000000001200: VALID, pfn 0x1200',
    );
    const words = (...elements: bigint[]) => ({
      kind: 'pointer' as const,
      to: 'unsigned long long',
      target: { kind: 'slot' as const, object: { $array: 'unsigned long long', elements }, key: 0 },
    });
    const range = hmmRange({ flags: words(1n, 2n, 4n), values: words(0xf0n, 0n, 0xf1n), pfn_shift: 8n });
    const { kernel } = boot('5.4');
    expect(hmmEntryText(kernel, 0x120003n, range)).toBe('0x120003: VALID|WRITE, pfn 0x1200');
    expect(hmmEntryText(kernel, 0xf0n, range)).toBe('0xf0: ERROR');
  });

  it('reads entries of migrate_vma by the bits of their release', () => {
    expect(migrateEntryText(boot('6.12').kernel, (0x1200n << 6n) | 3n)).toBe('0x48003: VALID|MIGRATE, pfn 0x1200');
    expect(migrateEntryText(boot('5.4').kernel, (0x1200n << 6n) | 5n)).toBe('0x48005: VALID|LOCKED, pfn 0x1200');
    expect(migrateEntryText(boot('6.12').kernel, 0n)).toBe('0: nothing moves');
  });

  it('names enums, flags and errors', () => {
    const machine = boot('6.12');
    const shown = (slot: bigint, member: string): string => textOf(machine, { slot, type: 'unsigned long', member });
    expect(shown(1n, 'dev_pagemap.type')).toBe('1: MEMORY_DEVICE_PRIVATE');
    expect(shown(3n, 'migrate_vma.flags')).toBe('3: MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_DEVICE_PRIVATE');
    expect(textOf(machine, { slot: -16n, type: 'int' })).toBe('-16: -EBUSY');
    expect(textOf(machine, { slot: -7777n, type: 'int' })).toBe('-7777');
    expect(textOf(machine, { slot: 500000n, type: 'int' })).toBe('500000');
    expect(textOf(machine, { slot: 500000n, type: 'unsigned long' })).toBe('0x7a120');
  });

  it('shows a page pointer as its page, and what can be watched of it', () => {
    const machine = boot('6.12');
    const slot = { kind: 'pointer' as const, to: 'struct page', target: { kind: 'page' as const, pfn: 0x1000 } };
    expect(textOf(machine, { slot, type: 'struct page *' })).toMatch(
      /^pfn 0x1000: .*, zone DMA32, refcount \d+, mapcount 0$/,
    );
    const parts = partsOf(machine, { slot, type: 'struct page *' });
    const key = parts.find(({ name }) => name === '_refcount')?.watch ?? '';
    const before = Number(watched(machine, key));
    runShellLine(machine, 'get_page(pfn_to_page(0x1000))');
    expect(Number(watched(machine, key))).toBe(before + 1);
  });

  it('shows a page table entry as its kind, also one that is none', () => {
    const machine = boot('6.12');
    for (const line of ['p = proc new app', 'a = proc mmap p 2', 'proc write p a 1']) runShellLine(machine, line);
    const { processes } = machine.kernel.state;
    const [pid] = processes.keys();
    const start = processes.get(pid ?? 0)?.mm?.vmas[0]?.start ?? 0;
    expect(watched(machine, `pte:${pid}:${start * 4096}`)).toMatch(/^present, pfn 0x[0-9a-f]+, /);
    expect(watched(machine, `pte:${pid}:${(start + 1) * 4096}`)).toBe('none');
    for (const key of [
      'pte:99:0',
      'pte:x:y',
      'page:-1:refcount',
      'page:0x1000:colour',
      'zone:0:Nowhere:free',
      'zone:0:DMA:x',
      '',
    ])
      expect(watched(machine, key)).toBeUndefined();
  });

  it('looks without writing anything', () => {
    const machine = boot('6.12');
    runShellLine(machine, 'struct resource *res = request_free_mem_region(&iomem_resource, 1 << 28, "x")');
    const before = machine.canonical();
    const mark = machine.kernel.mark();
    const { shell } = machine.kernel.state;
    for (const slot of Object.values(shell)) {
      textOf(machine, { slot, type: '' });
      for (const part of partsOf(machine, { slot, type: '' })) partsOf(machine, part);
    }
    expect(machine.kernel.mark()).toBe(mark);
    expect(machine.canonical()).toBe(before);
  });
});

describe('memory of a device', () => {
  it('is read by the linear map where the CPU reaches it: a coherent page in use, not a private one', () => {
    const machine = boot('6.12');
    for (const line of [
      'modprobe test_hmm spm_addr_dev0=0x200000000 spm_addr_dev1=0x210000000',
      'p = proc new app',
      'gpu open 0 p',
      'gpu open 2 p',
      'a = proc mmap p 4',
      'proc write p a 4 7',
      'gpu to-dev 2 p a 2',
      'gpu to-dev 0 p a+0x2000 2',
    ])
      expect(runShellLine(machine, line)?.error?.message, line).toBeUndefined();
    const { kernel } = machine;
    const at = (pfn: number): Uint8Array => readMemory(kernel, kernel.arch.PAGE_OFFSET + BigInt(pfn) * 4096n, 4);
    expect([...at(0x21ffff)]).toEqual([7, 0, 0, 0]);
    expect(at(0xfcfffff)).toHaveLength(0);
  });
});
