/** Entries of page tables as the hardware has them, and the numbers of swap entries by release. */
import { describe, expect, it } from 'vitest';
import { arm64SwapWord, genericSwapWord, mkPte, PteKind, pteWord, swapTypes, x86SwapWord } from '../../sim/arch/pte.ts';
import type { Release } from '../../sim/index.ts';
import { boot, sh } from '../support/machines.ts';

const lines = (release: Release, ...typed: string[]): string =>
  sh(boot(undefined, release), ...typed).output.join('\n');

describe('swap types', () => {
  it.each([
    [
      '6.12',
      23,
      '27 SWP_DEVICE_WRITE\n28 SWP_DEVICE_READ\n29 SWP_DEVICE_EXCLUSIVE_WRITE\n30 SWP_DEVICE_EXCLUSIVE_READ\n31 SWP_PTE_MARKER',
    ],
    ['7.3', 24, '28 SWP_DEVICE_WRITE\n29 SWP_DEVICE_READ\n30 SWP_DEVICE_EXCLUSIVE\n31 SWP_PTE_MARKER'],
    [
      '4.14',
      27,
      '27 SWP_HWPOISON\n28 SWP_MIGRATION_READ\n29 SWP_MIGRATION_WRITE\n30 SWP_DEVICE_WRITE\n31 SWP_DEVICE_READ',
    ],
    [
      '5.15',
      25,
      '28 SWP_DEVICE_WRITE\n29 SWP_DEVICE_READ\n30 SWP_DEVICE_EXCLUSIVE_WRITE\n31 SWP_DEVICE_EXCLUSIVE_READ',
    ],
  ] as const)('of %s leave %i for swap files', (release, files, end) => {
    const text = lines(release, 'explain swap-types');
    expect(text).toMatch(new RegExp(`^MAX_SWAPFILES ${files}\n`));
    expect(text.endsWith(end)).toBe(true);
  });

  it('without DEVICE_PRIVATE are four fewer in 6.12', () => {
    const { kernel } = boot(undefined, '6.12');
    const { MAX_SWAPFILES } = swapTypes(kernel);
    kernel.options.devicePrivate = false;
    expect(swapTypes(kernel).MAX_SWAPFILES - MAX_SWAPFILES).toBe(4);
  });
});

describe('the words of swap entries', () => {
  it('of the top 256 MiB of a 46-bit machine are the known ones', () => {
    expect(x86SwapWord(27, 0x3ffff0000n)).toBe(0xdffff80001fffe00n);
    expect(x86SwapWord(28, 0x3ffff0000n)).toBe(0xe7fff80001fffe00n);
    expect(lines('7.3', 'explain swp_entry 28 0x3ffff0000')).toContain('x86_64      0xe7fff80001fffe00');
  });
  it('keep type and offset apart on arm64 and in swp_entry_t', () => {
    expect(arm64SwapWord(27, 0x3ffff0000n)).toBe((27n << 6n) | (0x3ffff0000n << 12n));
    expect(genericSwapWord(27, 0x3ffff0000n)).toBe((27n << 58n) + 0x3ffff0000n);
  });
  it('had the offset on top, as it is, before 4.19; the type moved in 4.8', () => {
    const offset = 0x3ffff0000n;
    const words = (release: Release): string => lines(release, 'explain swp_entry 30 0x3ffff0000');
    const at = (typeBit: bigint, offsetBit: bigint): string =>
      `x86_64      0x${((30n << typeBit) | (offset << offsetBit)).toString(16).padStart(16, '0')}`;
    expect(words('4.3')).toContain(at(1n, 9n));
    expect(words('4.14')).toContain(`${at(9n, 14n)}: type in bits 9-13, the offset in bits 14-63`);
    expect(words('4.18')).toContain(at(9n, 14n));
    expect(words('4.19')).toContain(`x86_64      0x${x86SwapWord(30, offset).toString(16)}`);
    expect(words('4.19')).toContain('type << 57');
    expect(words('4.20')).toContain('type << 58');
    expect(words('5.4')).not.toContain('arm64');
  });
  it.each([
    'explain swp_entry',
    'explain swp_entry 32 0',
    'explain swp_entry 1 0x4000000000000',
    'explain pte 100 0x1001',
  ])('%s is refused', (line) => {
    const machine = boot(undefined, '6.12');
    const before = machine.canonical();
    expect(() => sh(machine, line)).toThrow();
    expect(machine.canonical()).toBe(before);
  });
});

describe('explain pte', () => {
  const setUp = ['proc new p', 'a = proc mmap 100 2 rw'];
  it('shows none, a written page, and that page without access: its frame is inverted there', () => {
    expect(lines('6.12', ...setUp, 'explain pte 100 a')).toBe('PTE 0x0000000000000000: none');
    const machine = boot(undefined, '6.12');
    sh(machine, ...setUp, 'proc write 100 a 1');
    const [, word = '', pfn = ''] =
      /^PTE (0x\w+): pfn (0x\w+), bits PRESENT\|RW\|USER\|ACCESSED\|DIRTY\|NX$/.exec(
        sh(machine, 'explain pte 100 a').output.join(),
      ) ?? [];
    expect(BigInt(word)).toBe((1n << 63n) | (BigInt(pfn) << 12n) | 0x67n);
    sh(machine, 'proc mprotect 100 a 1 none');
    const [, none = ''] = /^PTE (0x\w+): .*PROTNONE/.exec(sh(machine, 'explain pte 100 a').output.join()) ?? [];
    expect((BigInt(none) >> 12n) & ((1n << 40n) - 1n)).toBe(~BigInt(pfn) & ((1n << 40n) - 1n));
    expect(BigInt(none) & 1n).toBe(0n);
  });
  it('without access keeps its frame as it is before 4.19', () => {
    const machine = boot(undefined, '4.14');
    sh(machine, ...setUp, 'proc write 100 a 1', 'proc mprotect 100 a 1 none');
    const [, none = '', pfn = ''] =
      /^PTE (0x\w+): pfn (0x\w+), .*PROTNONE/.exec(sh(machine, 'explain pte 100 a').output.join()) ?? [];
    expect((BigInt(none) >> 12n) & ((1n << 40n) - 1n)).toBe(BigInt(pfn));
  });
  it('shows a page of a device as an entry of swap', () => {
    const text = lines(
      '6.12',
      'modprobe test_hmm',
      ...setUp,
      'gpu open 0 100',
      'proc write 100 a 1',
      'gpu to-dev 0 100 a 1',
      'explain pte 100 a',
    );
    const word = x86SwapWord(27, 0xfcfffffn).toString(16);
    expect(text).toContain(`PTE 0x${word}: type 27 (SWP_DEVICE_WRITE), offset 0xfcfffff, pfn 0xfcfffff, bits none`);
  });
  it('keeps accessed and dirty of a page on the move above its frame, from 6.1', () => {
    const { kernel } = boot(undefined, '6.12');
    const entry = mkPte(PteKind.MigrationWrite, 0x1234, 0x60);
    expect(pteWord(kernel, entry)).toBe(x86SwapWord(26, 0x1234n | (3n << 34n)));
    const old = boot(undefined, '5.15').kernel;
    expect(pteWord(old, entry)).toBe(x86SwapWord(27, 0x1234n));
  });
});
