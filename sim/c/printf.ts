/** printk formats, lib/vsprintf.c: the conversions a driver's messages use. */
import { errnoName } from '../include/errno.ts';
import { BadAccess, type CPointer, type CStruct, type CValue, errorOf, isNull, stringOf, structAt } from './value.ts';

const CONVERSION =
  /%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?(hh|h|ll|l|L|z|t|q|j)?([diouxXcsp%]|n)(?:(?<=p)(e|[rR]|a[pd]?|K|x|S|s|B))?/g;
const MAX_WIDTH = 1000;
const BITS: Record<string, number> = { hh: 8, h: 16, l: 64, ll: 64, L: 64, z: 64, t: 64, q: 64, j: 64 };
const IORESOURCE = { io: 0x100n, mem: 0x200n, disabled: 0x1000_0000n, sizealign: 0x4_0000n };

/** The text of `format` with its arguments. `address` gives the number behind a pointer. */
export function formatKernel(format: string, args: readonly CValue[], address: (pointer: CPointer) => bigint): string {
  let next = 0;
  const take = (): CValue => {
    const value = args[next++];
    if (!value) throw new BadAccess(`The format "${format}" asks for more values than it is given.`);
    return value;
  };
  const number = (): bigint => {
    const value = take();
    if (value.kind === 'integer') return value.value;
    if (value.kind === 'pointer') return address(value);
    throw new BadAccess(`Value ${next} of the format "${format}" is not a number.`);
  };
  const size = (text: string | undefined): number | undefined => {
    const given = text === '*' ? Number(number()) : text === undefined ? undefined : Number(text);
    return given === undefined ? undefined : Math.min(Math.max(given, -MAX_WIDTH), MAX_WIDTH);
  };
  return format.replace(CONVERSION, (whole, flags: string, width, precision, length, conversion: string, extension) => {
    if (conversion === '%') return '%';
    const wide = size(width);
    const exact = size(precision);
    const text = (): string => {
      switch (conversion) {
        case 'c':
          return String.fromCharCode(Number(BigInt.asUintN(8, number())));
        case 's':
          return string(take()).slice(0, exact ?? undefined);
        case 'p':
          return pointer(take(), extension as string | undefined, address);
        case 'n':
          return '';
        default:
          return digits(number(), conversion, BITS[length as string] ?? 32, flags, exact);
      }
    };
    const body = whole.endsWith('n') ? '' : text();
    return pad(body, wide ?? 0, flags, conversion, exact);
  });
}

function pad(body: string, wide: number, flags: string, conversion: string, exact: number | undefined): string {
  if (flags.includes('-') || wide < 0) return body.padEnd(Math.abs(wide));
  const zeros = flags.includes('0') && exact === undefined && /[diouxX]/.test(conversion);
  if (!zeros || body.length >= wide) return body.padStart(wide);
  const sign = /^([-+ ]|0[xX])?/.exec(body)?.[0] ?? '';
  return sign + body.slice(sign.length).padStart(wide - sign.length, '0');
}

function digits(value: bigint, conversion: string, bits: number, flags: string, exact: number | undefined): string {
  if (conversion === 'd' || conversion === 'i') {
    const signed = BigInt.asIntN(bits, value);
    const body = (signed < 0n ? -signed : signed).toString().padStart(exact ?? 1, '0');
    return (signed < 0n ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '') + body;
  }
  const base = conversion === 'u' ? 10 : conversion === 'o' ? 8 : 16;
  const body = BigInt.asUintN(bits, value)
    .toString(base)
    .padStart(exact ?? 1, '0');
  const prefixed =
    flags.includes('#') && base === 16 ? `0x${body}` : flags.includes('#') && base === 8 ? `0${body}` : body;
  return conversion === 'X' ? prefixed.toUpperCase() : prefixed;
}

function string(value: CValue): string {
  if (isNull(value)) return '(null)';
  const error = errorOf(value);
  if (error !== undefined) return '(efault)';
  const text = stringOf(value);
  if (text === undefined) throw new BadAccess('A %s was given something that is no string.');
  return text;
}

function pointer(value: CValue, extension: string | undefined, address: (pointer: CPointer) => bigint): string {
  const plain = (): string => {
    const number = value.kind === 'integer' ? value.value : value.kind === 'pointer' ? address(value) : 0n;
    return BigInt.asUintN(64, number).toString(16).padStart(16, '0');
  };
  if (extension === 'e') {
    const error = errorOf(value);
    return error === undefined ? plain() : `-${errnoName(-error) ?? -error}`;
  }
  if (value.kind !== 'pointer') return plain();
  if (extension === 'R' || extension === 'r') return resource(structAt(value), extension === 'r');
  if (extension?.startsWith('a')) {
    const { target } = value;
    const slot = target.kind === 'slot' ? (target.object as CStruct)[target.key] : undefined;
    return `0x${(typeof slot === 'bigint' ? slot : address(value)).toString(16).padStart(16, '0')}`;
  }
  if ((extension === 's' || extension === 'S') && value.target.kind === 'function') return value.target.function.name;
  return plain();
}

/** lib/vsprintf.c:resource_string: `[mem 0x60000000-0x6fffffff]`. */
function resource(found: CStruct | undefined, raw: boolean): string {
  if (!found) return '(null)';
  const word = (name: string): bigint => {
    const slot = found[name];
    return typeof slot === 'bigint' ? slot : 0n;
  };
  const flags = word('flags');
  const io = (flags & IORESOURCE.io) !== 0n;
  const mem = (flags & IORESOURCE.mem) !== 0n;
  const hex = (value: bigint): string => `0x${value.toString(16).padStart(io && !mem ? 4 : 8, '0')}`;
  const kind = mem ? 'mem ' : io ? 'io  ' : '??? ';
  const range = word('start') === word('end') ? hex(word('start')) : `${hex(word('start'))}-${hex(word('end'))}`;
  const tail = raw || !(mem || io) ? ` flags 0x${flags.toString(16)}` : flags & IORESOURCE.disabled ? ' disabled' : '';
  return `[${kind}${range}${tail}]`;
}
