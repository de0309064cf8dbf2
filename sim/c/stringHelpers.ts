/** Characters of a program: lib/string.c, and messages that are written into buffers. */
import { errnoName } from '../include/errno.ts';
import type { SourceSpan } from '../task/task.ts';
import type { Evaluating, Simple } from './builtins.ts';
import { numberAt, pointer } from './helperArguments.ts';
import { formatKernel } from './printf.ts';
import type { CType } from './types.ts';
import { type CPointer, type CValue, errorOf, integer, isNull, NULL, stringOf, stringPointer } from './value.ts';

const CHAR: CType = { kind: 'integer', type: 'char' };

function text(e: Evaluating, args: readonly CValue[], index: number, span: SourceSpan): string {
  const value = pointer(e, args, index, span);
  const found = stringOf(value);
  if (found !== undefined) return found;
  throw e.badAccess(
    isNull(value) || errorOf(value) !== undefined
      ? `Argument ${index + 1} is no string.`
      : `Argument ${index + 1} does not lead to characters.`,
    span,
  );
}
/** Writes characters and the NUL behind them, at most `room` of both. */
function writeText(e: Evaluating, to: CPointer, bytes: Uint8Array, room: number, span: SourceSpan): void {
  if (room <= 0) return;
  const taken = Math.min(bytes.length, room - 1);
  for (let i = 0; i <= taken; i++) {
    const place = e.dereference(e.advance({ ...to, to: 'char' }, BigInt(i), span), 'the buffer', span);
    e.store(place, integer(i < taken ? (bytes[i] ?? 0) : 0, 'char'), span);
  }
}
const encode = (of: string): Uint8Array => new TextEncoder().encode(of);
const UNBOUNDED = 1 << 20;

function formatted(e: Evaluating, args: readonly CValue[], from: number, span: SourceSpan): Uint8Array {
  return encode(formatKernel(text(e, args, from, span), args.slice(from + 1), (each) => e.address(each)));
}
const room = (e: Evaluating, args: readonly CValue[], index: number, span: SourceSpan): number =>
  Number(BigInt.asUintN(31, numberAt(e, args, index, span)));
function compared(a: Uint8Array, b: Uint8Array): CValue {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference) return integer(difference < 0 ? -1 : 1);
  }
  return integer(0);
}
function owned(e: Evaluating, bytes: Uint8Array, span: SourceSpan): CValue {
  const block = e.convert(e.allocated(BigInt(bytes.length + 1), false), { kind: 'pointer', to: CHAR }, span, true);
  if (block.kind === 'pointer') writeText(e, block, bytes, bytes.length + 1, span);
  return block;
}

export const STRINGS: readonly (readonly [string, Simple])[] = [
  ['strlen', (e, args, span) => integer(encode(text(e, args, 0, span)).length, 'unsigned long')],
  [
    'strnlen',
    (e, args, span) =>
      integer(Math.min(encode(text(e, args, 0, span)).length, room(e, args, 1, span)), 'unsigned long'),
  ],
  ['strcmp', (e, args, span) => compared(encode(text(e, args, 0, span)), encode(text(e, args, 1, span)))],
  [
    'strncmp',
    (e, args, span) => {
      const length = room(e, args, 2, span);
      const [a, b] = [encode(text(e, args, 0, span)), encode(text(e, args, 1, span))];
      return compared(a.slice(0, length), b.slice(0, length));
    },
  ],
  [
    'strcpy',
    (e, args, span) => {
      const to = pointer(e, args, 0, span);
      writeText(e, to, encode(text(e, args, 1, span)), UNBOUNDED, span);
      return to;
    },
  ],
  ...['strscpy', 'strlcpy'].map((name): [string, Simple] => [
    name,
    (e, args, span) => {
      const bytes = encode(text(e, args, 1, span));
      const size = args.length > 2 ? room(e, args, 2, span) : UNBOUNDED;
      writeText(e, pointer(e, args, 0, span), bytes, size, span);
      if (name === 'strlcpy') return integer(bytes.length, 'unsigned long');
      return integer(bytes.length < size ? bytes.length : -7, 'long');
    },
  ]),
  ...['snprintf', 'scnprintf'].map((name): [string, Simple] => [
    name,
    (e, args, span) => {
      const bytes = formatted(e, args, 2, span);
      const size = room(e, args, 1, span);
      if (size > 0) writeText(e, pointer(e, args, 0, span), bytes, size, span);
      return integer(name === 'snprintf' ? bytes.length : Math.min(bytes.length, Math.max(0, size - 1)));
    },
  ]),
  [
    'sprintf',
    (e, args, span) => {
      const bytes = formatted(e, args, 1, span);
      writeText(e, pointer(e, args, 0, span), bytes, UNBOUNDED, span);
      return integer(bytes.length);
    },
  ],
  ...['kstrdup', 'kstrdup_const'].map((name): [string, Simple] => [
    name,
    (e, args, span) => (isNull(pointer(e, args, 0, span)) ? NULL : owned(e, encode(text(e, args, 0, span)), span)),
  ]),
  ['kasprintf', (e, args, span) => owned(e, formatted(e, args, 1, span), span)],
  ['devm_kasprintf', (e, args, span) => owned(e, formatted(e, args, 2, span), span)],
  [
    'errname',
    (e, args, span) => {
      const name = errnoName(Math.abs(Number(BigInt.asIntN(32, numberAt(e, args, 0, span)))));
      return name === undefined ? NULL : stringPointer(name);
    },
  ],
];
