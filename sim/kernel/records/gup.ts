/** mm/gup.c: get_user_pages, pin_user_pages and giving back. Their code is in sim/mm/gupFunctions.ts. */
import type { ConstantRecord, FunctionRecord } from '../registry.ts';

const GUP_ERRORS = [
  { returns: '-EFAULT', when: 'the first address is not mapped, or its VMA holds I/O memory or bare page frames' },
  { returns: '-ENOMEM', when: 'the fault handler ran out of memory' },
] as const;

const GUP = 'mm/gup.c';
const TYPES = 'include/linux/mm_types.h';
const LONGTERM_ERRORS = [
  { returns: '-EOPNOTSUPP', when: 'a long-term pin of a file system DAX mapping is wanted' },
] as const;
const P2PDMA_ERRORS = [
  { returns: '-EREMOTEIO', when: 'the page is peer-to-peer memory and FOLL_PCI_P2PDMA is not given' },
] as const;
const RANGE = 'unsigned long start, unsigned long nr_pages';

export const GUP_RECORDS: readonly FunctionRecord[] = [
  {
    kind: 'function',
    name: 'get_user_pages',
    contract:
      'Faults in the pages behind user addresses and returns them with a reference each, so that the kernel or a device can use them. A device-private page is first brought back to system memory; pages of other device types are returned as they are.',
    variants: [
      {
        since: '4.3',
        until: '4.5',
        file: 'mm/gup.c',
        prototype:
          'long get_user_pages(struct task_struct *tsk, struct mm_struct *mm, unsigned long start, unsigned long nr_pages, int write, int force, struct page **pages, struct vm_area_struct **vmas)',
        errors: GUP_ERRORS,
      },
      {
        since: '4.6',
        until: '4.8',
        file: 'mm/gup.c',
        prototype:
          'long get_user_pages(unsigned long start, unsigned long nr_pages, int write, int force, struct page **pages, struct vm_area_struct **vmas)',
        errors: GUP_ERRORS,
      },
      {
        since: '4.9',
        until: '6.4',
        file: 'mm/gup.c',
        prototype:
          'long get_user_pages(unsigned long start, unsigned long nr_pages, unsigned int gup_flags, struct page **pages, struct vm_area_struct **vmas)',
        errors: GUP_ERRORS,
      },
      {
        since: '6.5',
        file: 'mm/gup.c',
        prototype:
          'long get_user_pages(unsigned long start, unsigned long nr_pages, unsigned int gup_flags, struct page **pages)',
        errors: [
          ...GUP_ERRORS,
          { returns: '-EOPNOTSUPP', when: 'a long-term pin of a file system DAX mapping is wanted' },
          { returns: '-EREMOTEIO', when: 'the page is peer-to-peer memory and FOLL_PCI_P2PDMA is not given' },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'get_user_pages_longterm',
    contract:
      'get_user_pages for pages that stay in use for long: files on DAX are refused, since their blocks could not be given to anyone else meanwhile.',
    replacedBy: 'FOLL_LONGTERM',
    variants: [
      {
        since: '4.15',
        until: '5.1',
        file: GUP,
        prototype: `long get_user_pages_longterm(${RANGE}, unsigned int gup_flags, struct page **pages, struct vm_area_struct **vmas)`,
        errors: [...GUP_ERRORS, ...LONGTERM_ERRORS],
      },
    ],
  },
  {
    kind: 'function',
    name: 'get_user_pages_fast',
    contract:
      'get_user_pages of the current process without the mmap lock: pages that are present are taken by a walk of the page tables alone, the rest the slow way.',
    variants: [
      {
        since: '4.3',
        until: '5.1',
        file: GUP,
        prototype: 'int get_user_pages_fast(unsigned long start, int nr_pages, int write, struct page **pages)',
        errors: GUP_ERRORS,
      },
      {
        since: '5.2',
        file: GUP,
        prototype:
          'int get_user_pages_fast(unsigned long start, int nr_pages, unsigned int gup_flags, struct page **pages)',
        errors: GUP_ERRORS,
      },
    ],
  },
  {
    kind: 'function',
    name: 'pin_user_pages',
    contract:
      'get_user_pages for whoever reads or writes the contents, as by DMA: a pin, which counts 1024 references on a small page and tells everybody that the page must stay and keep its contents. unpin_user_page gives it back.',
    variants: [
      {
        since: '5.6',
        until: '6.4',
        file: GUP,
        prototype: `long pin_user_pages(${RANGE}, unsigned int gup_flags, struct page **pages, struct vm_area_struct **vmas)`,
        errors: [...GUP_ERRORS, ...LONGTERM_ERRORS],
      },
      {
        since: '6.5',
        file: GUP,
        prototype: `long pin_user_pages(${RANGE}, unsigned int gup_flags, struct page **pages)`,
        errors: [...GUP_ERRORS, ...LONGTERM_ERRORS, ...P2PDMA_ERRORS],
      },
    ],
  },
  {
    kind: 'function',
    name: 'pin_user_pages_fast',
    contract: 'pin_user_pages of the current process without the mmap lock, as get_user_pages_fast does it.',
    variants: [
      {
        since: '5.6',
        file: GUP,
        prototype:
          'int pin_user_pages_fast(unsigned long start, int nr_pages, unsigned int gup_flags, struct page **pages)',
        errors: [...GUP_ERRORS, ...LONGTERM_ERRORS],
      },
    ],
  },
  {
    kind: 'function',
    name: 'unpin_user_page',
    contract: 'Gives one pin of pin_user_pages back.',
    variants: [{ since: '5.6', file: GUP, prototype: 'void unpin_user_page(struct page *page)' }],
  },
  {
    kind: 'function',
    name: 'unpin_user_pages',
    contract: 'Gives the pins of an array of pages back.',
    variants: [
      { since: '5.6', file: GUP, prototype: 'void unpin_user_pages(struct page **pages, unsigned long npages)' },
    ],
  },
];

const flag = (
  name: string,
  contract: string,
  values: readonly (readonly [
    bigint,
    FunctionRecord['variants'][number]['since'],
    FunctionRecord['variants'][number]['since']?,
  ])[],
): ConstantRecord => ({
  kind: 'constant',
  name,
  file: TYPES,
  contract,
  values: values.map(([value, since, until]) => ({ value, since, ...(until ? { until } : {}) })),
});

/** FOLL_* that callers give. In 6.3 they were numbered anew. */
export const FOLL_RECORDS: readonly ConstantRecord[] = [
  flag('FOLL_WRITE', 'The pages will be written: a fault as by a write, and VM_WRITE is asked of the VMA.', [
    [0x1n, '4.3'],
  ]),
  flag('FOLL_FORCE', 'Permissions of the VMA are overlooked, as for a debugger.', [
    [0x10n, '4.3', '6.2'],
    [0x8n, '6.3'],
  ]),
  flag('FOLL_LONGTERM', 'The pages stay in use for long: what is movable moves first, files on DAX are refused.', [
    [0x10000n, '5.2', '6.2'],
    [0x100n, '6.3'],
  ]),
  flag('FOLL_PCI_P2PDMA', 'The caller can handle peer-to-peer pages.', [
    [0x100000n, '6.2', '6.2'],
    [0x400n, '6.3'],
  ]),
];
