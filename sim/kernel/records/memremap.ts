/** Names of mm/memremap.c (kernel/memremap.c to 5.2) and include/linux/memremap.h that the engine does not run as functions. */
import type { CallbackRecord, FunctionRecord } from '../registry.ts';

const HEADER = 'include/linux/memremap.h';

export const MEMREMAP_CALLBACKS: readonly CallbackRecord[] = [
  {
    kind: 'callback',
    name: 'page_fault',
    struct: 'dev_pagemap',
    file: HEADER,
    since: '4.14',
    until: '4.20',
    prototype:
      'int (*page_fault)(struct vm_area_struct *vma, unsigned long addr, const struct page *page, unsigned int flags, pmd_t *pmdp)',
    contract:
      'The CPU touched an address whose page is device-private: the driver must migrate it to system memory, or answer with VM_FAULT_SIGBUS or VM_FAULT_OOM.',
    replacedBy: 'migrate_to_ram',
  },
  {
    kind: 'callback',
    name: 'page_fault',
    struct: 'hmm_devmem',
    file: 'include/linux/hmm.h',
    since: '5.0',
    until: '5.2',
    prototype:
      'vm_fault_t (*page_fault)(struct vm_area_struct *vma, unsigned long addr, const struct page *page, unsigned int flags, pmd_t *pmdp)',
    contract:
      'The CPU touched an address whose page is device-private: the driver must migrate it to system memory, or answer with VM_FAULT_SIGBUS or VM_FAULT_OOM.',
    replacedBy: 'migrate_to_ram',
  },
  {
    kind: 'callback',
    name: 'page_free',
    struct: 'dev_pagemap',
    file: HEADER,
    since: '4.14',
    until: '5.2',
    prototype: 'void (*page_free)(struct page *page, void *data)',
    contract:
      'The last user of a device page is gone: its count fell from 2 to 1. The driver may hand the page out again; data is the word kept in the pagemap.',
    replacedBy: 'dev_pagemap_ops.page_free',
  },
  {
    kind: 'callback',
    name: 'page_free',
    struct: 'dev_pagemap_ops',
    file: HEADER,
    since: '5.3',
    until: '5.17',
    prototype: 'void (*page_free)(struct page *page)',
    contract:
      'The last user of a device page is gone: its count fell from 2 to 1. The driver may hand the page out again.',
    replacedBy: 'folio_free',
  },
  {
    kind: 'callback',
    name: 'page_free',
    struct: 'dev_pagemap_ops',
    file: HEADER,
    since: '5.18',
    until: '6.18',
    prototype: 'void (*page_free)(struct page *page)',
    contract:
      'The last user of a device page is gone: its count reached 0. The driver may hand the page out again. Required for private and coherent memory.',
    replacedBy: 'folio_free',
  },
  {
    kind: 'callback',
    name: 'folio_free',
    struct: 'dev_pagemap_ops',
    file: HEADER,
    since: '6.19',
    prototype: 'void (*folio_free)(struct folio *folio)',
    contract:
      'The last user of a device folio, of whatever size, is gone: its count reached 0. The driver may hand its pages out again.',
  },
  {
    kind: 'callback',
    name: 'folio_split',
    struct: 'dev_pagemap_ops',
    file: HEADER,
    since: '6.19',
    prototype: 'void (*folio_split)(struct folio *head, struct folio *tail)',
    contract:
      'A device-private huge folio is being split: the driver carries what it keeps for the head over to the new folio.',
  },
  {
    kind: 'callback',
    name: 'migrate_to_ram',
    struct: 'dev_pagemap_ops',
    file: HEADER,
    since: '5.3',
    prototype: 'vm_fault_t (*migrate_to_ram)(struct vm_fault *vmf)',
    contract:
      'The CPU touched an address whose page is device-private: the driver must bring the page back to system memory. Its VM_FAULT_* answer is passed on unchanged, so VM_FAULT_SIGBUS kills the process.',
  },
  {
    kind: 'callback',
    name: 'memory_failure',
    struct: 'dev_pagemap_ops',
    file: HEADER,
    since: '6.0',
    prototype:
      'int (*memory_failure)(struct dev_pagemap *pgmap, unsigned long pfn, unsigned long nr_pages, int mf_flags)',
    contract: 'Optional: a memory error hit pages of the mapping, and the driver tells whoever uses them.',
  },
  {
    kind: 'callback',
    name: 'kill',
    struct: 'dev_pagemap',
    file: HEADER,
    since: '4.19',
    until: '4.19',
    prototype: 'void (*kill)(struct percpu_ref *ref)',
    contract:
      'Ends the reference of the pagemap, so that no new ones can be taken. Stable 4.19.y kernels require it through a backport.',
  },
  {
    kind: 'callback',
    name: 'kill',
    struct: 'dev_pagemap',
    file: HEADER,
    since: '5.0',
    until: '5.2',
    prototype: 'void (*kill)(struct percpu_ref *ref)',
    contract: 'Ends the reference of the pagemap, so that no new ones can be taken. Mapping without it is -EINVAL.',
    replacedBy: 'dev_pagemap_ops.kill',
  },
  {
    kind: 'callback',
    name: 'cleanup',
    struct: 'dev_pagemap',
    file: HEADER,
    since: '5.2',
    until: '5.2',
    prototype: 'void (*cleanup)(struct percpu_ref *ref)',
    contract: 'Waits until the killed reference of the pagemap is really gone, and frees it.',
    replacedBy: 'dev_pagemap_ops.cleanup',
  },
  {
    kind: 'callback',
    name: 'kill',
    struct: 'dev_pagemap_ops',
    file: HEADER,
    since: '5.3',
    until: '5.16',
    prototype: 'void (*kill)(struct dev_pagemap *pgmap)',
    contract: 'Ends the reference of a pagemap that brings its own, so that no new ones can be taken.',
  },
  {
    kind: 'callback',
    name: 'cleanup',
    struct: 'dev_pagemap_ops',
    file: HEADER,
    since: '5.3',
    until: '5.16',
    prototype: 'void (*cleanup)(struct dev_pagemap *pgmap)',
    contract: 'Waits until the killed reference of a pagemap that brings its own is really gone.',
  },
];

const functions: readonly FunctionRecord[] = [
  {
    kind: 'function',
    name: 'put_devmap_managed_page',
    contract:
      'The special path of put_page for device pages whose driver wants to hear of the last user. True if it dealt with the page.',
    variants: [
      {
        since: '4.18',
        until: '6.14',
        file: 'include/linux/mm.h',
        prototype: 'bool put_devmap_managed_page(struct page *page)',
      },
    ],
  },
];

export const MEMREMAP_RECORDS = [...functions, ...MEMREMAP_CALLBACKS];
