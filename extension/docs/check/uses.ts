/** How kernel functions want to be called, as far as a reader of code can check it: a companion of the records. */
import type { Release, Span } from '../../../sim/index.ts';

/** A call that takes something, and the calls that give it back. */
export interface TakeAndGive {
  readonly take: string;
  readonly gives: readonly string[];
  /** What is held, in our own words. */
  readonly what: string;
  /** What the call returns if it has taken it. */
  readonly taken: 'always' | 'zero' | 'nonzero';
}

const lock = (take: string, give: string, what: string): TakeAndGive => ({
  take,
  gives: [give],
  what,
  taken: 'always',
});

export const TAKE_AND_GIVE: readonly TakeAndGive[] = [
  { take: 'mmget_not_zero', gives: ['mmput', 'mmput_async'], what: 'a user of the mm', taken: 'nonzero' },
  { take: 'get_task_mm', gives: ['mmput', 'mmput_async'], what: 'a user of the mm', taken: 'nonzero' },
  { take: 'mmgrab', gives: ['mmdrop'], what: 'a reference on the mm', taken: 'always' },
  { take: 'get_dev_pagemap', gives: ['put_dev_pagemap'], what: 'a reference on the pagemap', taken: 'nonzero' },
  { take: 'hmm_range_register', gives: ['hmm_range_unregister'], what: 'the registration of the range', taken: 'zero' },
  { take: 'hmm_vma_get_pfns', gives: ['hmm_vma_range_done'], what: 'the range on the list of the mm', taken: 'zero' },
  { take: 'hmm_vma_fault', gives: ['hmm_vma_range_done'], what: 'the range on the list of the mm', taken: 'zero' },
  lock('mmap_read_lock', 'mmap_read_unlock', 'the mmap lock'),
  lock('mmap_write_lock', 'mmap_write_unlock', 'the mmap lock'),
  { take: 'mmap_read_lock_killable', gives: ['mmap_read_unlock'], what: 'the mmap lock', taken: 'zero' },
  { take: 'mmap_write_lock_killable', gives: ['mmap_write_unlock'], what: 'the mmap lock', taken: 'zero' },
  { take: 'mmap_read_trylock', gives: ['mmap_read_unlock'], what: 'the mmap lock', taken: 'nonzero' },
  lock('down_read', 'up_read', 'the semaphore'),
  lock('down_write', 'up_write', 'the semaphore'),
  { take: 'down_read_trylock', gives: ['up_read'], what: 'the semaphore', taken: 'nonzero' },
];

/** A field of a struct given by address that a function reads. */
export interface FieldsRead extends Span {
  readonly calls: readonly string[];
  readonly argument: number;
  readonly struct: string;
  readonly fields: readonly string[];
  /** A call with one of these among its arguments does not read them. */
  readonly unless?: readonly string[];
}

const between = (since: Release, until: Release | undefined): Span => (until ? { since, until } : { since });

const range = (since: Release, until: Release | undefined, calls: readonly string[], fields: string): FieldsRead => ({
  ...between(since, until),
  calls,
  argument: 0,
  struct: 'hmm_range',
  fields: fields.split(' '),
});
const policy = (since: Release, until: Release, argument: number): FieldsRead => ({
  ...range(since, until, ['hmm_range_fault'], 'default_flags pfn_flags_mask'),
  argument,
  unless: ['HMM_FAULT_SNAPSHOT', 'HMM_RANGE_SNAPSHOT'],
});
const pagemap = (since: Release, until: Release | undefined, fields: string): readonly FieldsRead[] =>
  [
    { calls: ['memremap_pages'], argument: 0 },
    { calls: ['devm_memremap_pages'], argument: 1 },
  ].map((at) => ({ ...between(since, until), ...at, struct: 'dev_pagemap', fields: fields.split(' ') }));

const OLD_ENTRIES = 'pfns flags values pfn_shift';
const RETRIED = 'notifier notifier_seq start end';
const NEW = 'hmm_pfns default_flags pfn_flags_mask dev_private_owner';

export const FIELDS_READ: readonly FieldsRead[] = [
  range('4.17', '5.1', ['hmm_vma_get_pfns', 'hmm_vma_fault'], `vma start end ${OLD_ENTRIES}`),
  range('5.2', '5.3', ['hmm_range_snapshot', 'hmm_range_fault'], OLD_ENTRIES),
  range('5.4', '5.4', ['hmm_range_register'], 'start end'),
  range('5.4', '5.4', ['hmm_range_fault'], OLD_ENTRIES),
  policy('5.2', '5.6', 0),
  range('5.5', '5.6', ['hmm_range_fault'], `${RETRIED} ${OLD_ENTRIES}`),
  range('5.7', '5.7', ['hmm_range_fault'], `${RETRIED} ${OLD_ENTRIES} default_flags pfn_flags_mask dev_private_owner`),
  range('5.8', undefined, ['hmm_range_fault'], `${RETRIED} ${NEW}`),
  range('7.3', undefined, ['hmm_range_fault_unlocked_timeout'], `notifier start end ${NEW}`),
  ...pagemap('5.3', '5.6', 'type res flags ref ops'),
  ...pagemap('5.7', '5.9', 'type res flags ref ops owner'),
  ...pagemap('5.10', '5.16', 'type nr_range range flags ref ops owner'),
  ...pagemap('5.17', undefined, 'type nr_range range flags vmemmap_shift ops owner'),
  ...(
    [
      ['5.4', '5.6', 'vma src dst start end'],
      ['5.7', '5.8', 'vma src dst start end src_owner'],
      ['5.9', '6.0', 'vma src dst start end pgmap_owner flags'],
      ['6.1', undefined, 'vma src dst start end pgmap_owner flags fault_page'],
    ] as const
  ).map(([since, until, fields]) => ({
    ...between(since, until),
    calls: ['migrate_vma_setup'],
    argument: 0,
    struct: 'migrate_vma',
    fields: fields.split(' '),
  })),
];

/** A field that has to be set or the call is refused. */
export interface FieldWanted extends Span {
  readonly calls: readonly string[];
  readonly argument: number;
  readonly field: string;
  /** It is wanted only where this field is set to one of these names. */
  readonly where: { readonly field: string; readonly is: readonly string[] };
  /** What happens without it, in our own words. */
  readonly otherwise: string;
}

const wanted = (since: Release, field: string, is: readonly string[], otherwise: string): readonly FieldWanted[] =>
  [
    { calls: ['memremap_pages'], argument: 0 },
    { calls: ['devm_memremap_pages'], argument: 1 },
  ].map((at) => ({ since, ...at, field, where: { field: 'type', is }, otherwise }));

export const FIELDS_WANTED: readonly FieldWanted[] = [
  ...wanted('5.7', 'owner', ['MEMORY_DEVICE_PRIVATE'], 'warns that the owner is missing and fails with -EINVAL'),
  ...wanted('6.0', 'owner', ['MEMORY_DEVICE_COHERENT'], 'warns that the owner is missing and fails with -EINVAL'),
  ...wanted('5.3', 'ops', ['MEMORY_DEVICE_PRIVATE'], 'warns that migrate_to_ram is missing and fails with -EINVAL'),
];

/** Functions that return an error number, or false, whose failure leaves nothing to go on with. */
export const MUST_CHECK: ReadonlySet<string> = new Set([
  'hmm_mirror_register',
  'hmm_range_register',
  'hmm_vma_get_pfns',
  'hmm_vma_fault',
  'hmm_range_fault',
  'hmm_range_fault_unlocked_timeout',
  'migrate_vma_setup',
  'mmget_not_zero',
  'mmu_interval_notifier_insert',
  'mmu_notifier_register',
]);

/** Functions whose success is a count, so that only a result below zero is an error. */
export const COUNTS: readonly (Span & { readonly call: string })[] = [
  { call: 'hmm_range_snapshot', since: '5.2', until: '5.3' },
  { call: 'hmm_range_fault', since: '5.2', until: '5.7' },
];

/** Calls that have to be given the same thing: what one begins the other asks about. */
export const SAME_ARGUMENT: readonly { readonly first: string; readonly later: string; readonly argument: number }[] = [
  { first: 'mmu_interval_read_begin', later: 'mmu_interval_read_retry', argument: 0 },
  { first: 'hmm_range_register', later: 'hmm_range_unregister', argument: 0 },
];

/** Structs whose records list every field that they ever had for their users. */
export const WHOLE_STRUCTS: ReadonlySet<string> = new Set([
  'dev_pagemap',
  'dev_pagemap_ops',
  'hmm_devmem_ops',
  'hmm_mirror_ops',
  'hmm_range',
  'hmm_update',
  'list_head',
  'migrate_vma',
  'migrate_vma_ops',
  'mmu_interval_notifier',
  'mmu_interval_notifier_ops',
  'mmu_notifier_range',
  'range',
  'vmem_altmap',
]);

/** Where a document of the kernel lies, by its path. */
export const DOCUMENT_PATHS: readonly (Span & { readonly path: string; readonly movedTo?: string })[] = [
  { path: 'Documentation/vm/hmm.txt', since: '4.14', until: '4.17', movedTo: 'Documentation/vm/hmm.rst' },
  { path: 'Documentation/vm/hmm.rst', since: '4.18', until: '5.19', movedTo: 'Documentation/mm/hmm.rst' },
  { path: 'Documentation/mm/hmm.rst', since: '6.0' },
  {
    path: 'Documentation/vm/memory-model.rst',
    since: '5.2',
    until: '5.19',
    movedTo: 'Documentation/mm/memory-model.rst',
  },
  { path: 'Documentation/mm/memory-model.rst', since: '6.0' },
  {
    path: 'Documentation/vm/page_migration.rst',
    since: '4.18',
    until: '5.19',
    movedTo: 'Documentation/mm/page_migration.rst',
  },
  { path: 'Documentation/mm/page_migration.rst', since: '6.0' },
];
