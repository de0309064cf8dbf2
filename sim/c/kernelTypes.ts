/** Small types of the kernel that programs use and the engine has no record of: what a program can see of them. */
import { type CType, INT, integerType, structType } from './types.ts';

const LONG = integerType('long');
const named = (name: string): CType => ({ kind: 'struct', tag: name, name });
const lock: ReadonlyMap<string, CType> = new Map();

export const KERNEL_STRUCTS: ReadonlyMap<string, ReadonlyMap<string, CType>> = new Map<
  string,
  ReadonlyMap<string, CType>
>([
  ['atomic_t', new Map([['counter', INT]])],
  ['atomic64_t', new Map([['counter', integerType('long long')]])],
  ['atomic_long_t', new Map([['counter', LONG]])],
  ['memdesc_flags_t', new Map([['f', integerType('unsigned long')]])],
  ['refcount_t', new Map([['refs', named('atomic_t')]])],
  ['kref', new Map([['refcount', named('refcount_t')]])],
  [
    'list_head',
    new Map<string, CType>([
      ['next', { kind: 'pointer', to: structType('list_head') }],
      ['prev', { kind: 'pointer', to: structType('list_head') }],
    ]),
  ],
  ['spinlock_t', lock],
  ['raw_spinlock_t', lock],
  ['rwlock_t', lock],
  ['mutex', lock],
  ['completion', new Map([['done', integerType('unsigned int')]])],
  ['module', new Map()],
]);

/** Bytes, without debugging options. */
export const KERNEL_SIZES: ReadonlyMap<string, number> = new Map([
  ['spinlock_t', 4],
  ['raw_spinlock_t', 4],
  ['rwlock_t', 8],
  ['mutex', 32],
  ['completion', 32],
]);
