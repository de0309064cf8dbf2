import { describe, expect, it } from 'vitest';
import { formatValue } from '../../sim/c/print.ts';
import { formatKernel } from '../../sim/c/printf.ts';
import { commonType, parseTypeName, spell } from '../../sim/c/types.ts';
import {
  addressPointer,
  BadAccess,
  CallArgs,
  ERR_PTR,
  integer,
  objectPointer,
  pagePointer,
  stringPointer,
} from '../../sim/c/value.ts';
import { errnoName } from '../../sim/include/errno.ts';
import { caught, FakeMachine, runNumber, shell, struct } from './cFakeMachine.ts';

describe('integer expressions follow the conversions of the C standard', () => {
  // Worked out by hand from C11 6.3.1 and 6.5 for LP64.
  it.each([
    ['1 + 2 * 3', 7n],
    ['7 / -2', -3n],
    ['7 % -2', 1n],
    ['-7 % 2', -1n],
    ['-7 / 2', -3n],
    ['2147483647 + 1', -2147483648n],
    ['2147483647u + 1', 2147483648n],
    ['4294967295u + 1', 0n],
    ['0xffffffff + 1', 0n],
    ['4294967295 + 1', 4294967296n],
    ['-1 > 0u', 1n],
    ['-1 > 0L', 0n],
    ['-1L > 0u', 0n],
    ['-1L > 0UL', 1n],
    ['(u8)300', 44n],
    ['(s8)200', -56n],
    ['(u8)255 + (u8)1', 256n],
    ['(u16)-1 * (u16)-1', -131071n],
    ['(u32)-1', 4294967295n],
    ['(u64)-1', 18446744073709551615n],
    ['(u64)(u32)-1', 4294967295n],
    ['(long)(unsigned int)-1', 4294967295n],
    ['(bool)256', 1n],
    ['!5', 0n],
    ['!0', 1n],
    ['!!7', 1n],
    ['~0', -1n],
    ['~0u', 4294967295n],
    ['~0UL', 18446744073709551615n],
    ['-1 >> 1', -1n],
    ['-1u >> 1', 2147483647n],
    ['1 << 31', -2147483648n],
    ['1UL << 63', 9223372036854775808n],
    ['(u8)1 << 10', 1024n],
    ['6 & 3', 2n],
    ['6 | 3', 7n],
    ['6 ^ 3', 5n],
    ['-1 & 0xffu', 255n],
    ['1 ? -1 : 0u', 4294967295n],
    ['0 ? 1 : 2', 2n],
    ['3 ?: 4', 3n],
    ['0 || 0', 0n],
    ['2 && 3', 1n],
    ['(1, 2, 3)', 3n],
    ['010 + 0x10 + 0b11', 27n],
    ["'A'", 65n],
    ["'\\n'", 10n],
    ["'\\xff'", -1n],
    ['sizeof(int)', 4n],
    ['sizeof(unsigned long)', 8n],
    ['sizeof(void *)', 8n],
    ['sizeof(struct page)', 64n],
    ["sizeof('a')", 4n],
    ['sizeof("abc")', 4n],
    ['sizeof(1UL + 1)', 8n],
    ['-5 < 3 == 1', 1n],
    ['5 - 3 - 1', 1n],
    ['GENMASK(7, 4)', 240n],
    ['BIT(12)', 4096n],
    ['min(3, 5) + max(3, 5)', 8n],
    ['min_t(u8, 300, 50)', 44n],
    ['DIV_ROUND_UP(10, 4)', 3n],
    ['ALIGN(13, 8)', 16n],
    ['PAGE_ALIGN(4097)', 8192n],
    ['PFN_DOWN(0x12345678)', 0x12345n],
    ['upper_32_bits(0x123456789abcUL)', 0x1234n],
    ['EINVAL', 22n],
  ])('%s', (text, expected) => {
    expect(runNumber(`return ${text};`)).toBe(expected);
  });

  it('the common type of two integers does not depend on their order', () => {
    const types = [
      'bool',
      'char',
      'unsigned short',
      'int',
      'unsigned int',
      'long',
      'unsigned long',
      'long long',
      'unsigned long long',
    ] as const;
    for (const a of types) for (const b of types) expect(commonType(a, b)).toBe(commonType(b, a));
    expect(commonType('unsigned long', 'long long')).toBe('unsigned long long');
    expect(commonType('unsigned int', 'long')).toBe('long');
    expect(commonType('char', 'unsigned char')).toBe('int');
  });
  it('division by zero is a bad access with its place, and so is the division that overflows', () => {
    for (const text of ['5 / 0', '5 % 0', '(-2147483647 - 1) / -1']) {
      const error = caught(() => shell(text));
      expect(error).toBeInstanceOf(BadAccess);
      expect((error as BadAccess).span).toEqual({ start: 0, end: text.length });
    }
  });
  it('compound assignment converts to the type of its left side', () => {
    expect(runNumber('u8 a = 250; a += 10; return a;')).toBe(4n);
    expect(runNumber('int i = 5; i <<= 2; i |= 1; i ^= 3; i %= 6; i -= 9; return i;')).toBe(-5n);
    expect(runNumber('u8 a = 255; a++; return a;')).toBe(0n);
    expect(runNumber('int i = 3; return i++ + ++i;')).toBe(8n);
  });
});

describe('type names', () => {
  it.each([
    ['const struct box *', 'struct box *'],
    ['unsigned long long', 'unsigned long long'],
    ['resource_size_t', 'unsigned long long'],
    ['enum kind', 'int'],
    ['void (*done)(struct page *page)', 'function *'],
    ['u8 [4]', 'unsigned char[4]'],
    ['struct a **', 'struct a **'],
    ['spinlock_t', 'spinlock_t'],
  ])('%s is %s', (text, expected) => {
    expect(spell(parseTypeName(text))).toBe(expected);
  });
});

describe('values print as a kernel person writes them', () => {
  it.each([
    [integer(42), '42'],
    [integer(0x140000), '1310720 (0x140000)'],
    [integer(1, 'bool'), 'true'],
    [ERR_PTR(-22), 'ERR_PTR(-EINVAL)'],
    [addressPointer(0n), 'NULL'],
    [addressPointer(0xffff888000001000n), '0xffff888000001000'],
    [stringPointer('gpu "0"'), '"gpu \\"0\\""'],
    [pagePointer(0x140000), 'page of pfn 0x140000'],
    [
      { kind: 'aggregate' as const, object: struct('range', { start: 0x100000000n, end: 7n }) },
      '{ .start = 0x100000000, .end = 7 }',
    ],
  ])('%#', (value, expected) => {
    expect(formatValue(value)).toBe(expected);
  });
  it('a page pointer has its address and its pfn where addresses are known', () => {
    const machine = new FakeMachine();
    expect(formatValue(pagePointer(5), { addressOf: (target) => machine.addressOf(target) })).toBe(
      '0xffffea0000000140 (pfn 0x5)',
    );
  });
  it('structs within structs are opened to a depth only', () => {
    const deep = struct('a', { b: struct('b', { c: struct('c', { d: struct('d', { e: 1n }) }) }) });
    expect(formatValue({ kind: 'aggregate', object: deep })).toBe('{ .b = { .c = { .d = { … } } } }');
  });
});

describe('printk formats', () => {
  const format = (text: string, ...args: Parameters<typeof formatKernel>[1]) =>
    formatKernel(text, args, (p) => (p.target.kind === 'address' ? p.target.address : 0x1234n));
  it('numbers, widths, flags and strings', () => {
    expect(format('%d %u %x %#lx', integer(-1), integer(-1), integer(255), integer(255, 'unsigned long'))).toBe(
      '-1 4294967295 ff 0xff',
    );
    expect(format('[%5d|%-5d|%05d]', integer(42), integer(42), integer(42))).toBe('[   42|42   |00042]');
    expect(format('%#010x %zu %%', integer(255), integer(7, 'unsigned long'))).toBe('0x000000ff 7 %');
    expect(format('%s|%.2s|%5s', stringPointer('abc'), stringPointer('abc'), stringPointer('abc'))).toBe(
      'abc|ab|  abc',
    );
  });
  it('pointers, errors and resources', () => {
    expect(format('%p', addressPointer(0x1000n))).toBe('0000000000001000');
    expect(format('%pe', ERR_PTR(-12))).toBe('-ENOMEM');
    const res = struct('resource', { start: 0x60000000n, end: 0x6fffffffn, flags: 0x200n });
    expect(format('%pR', objectPointer(res))).toBe('[mem 0x60000000-0x6fffffff]');
  });
  it('too few values are a bad access', () => {
    expect(() => format('%d %d', integer(1))).toThrow(BadAccess);
  });
});

it('a kernel function can ask for a text argument', () => {
  expect(new CallArgs('f', [stringPointer('höhe')]).string(0)).toBe('höhe');
  expect(() => new CallArgs('f', [integer(1)]).string(0)).toThrow(BadAccess);
});
it('error numbers have their names', () => {
  expect([12, 16, 22, 517, 9999].map(errnoName)).toEqual(['ENOMEM', 'EBUSY', 'EINVAL', 'EPROBE_DEFER', undefined]);
});
