/** Names of hmm_devmem (mm/hmm.c, 4.14 to 5.2). Their code is in sim/mm/hmmDevmemFunctions.ts. */
import type { FunctionRecord } from '../registry.ts';

const FILE = 'mm/hmm.c';
const HEADER = 'include/linux/hmm.h';

export const HMM_DEVMEM_FUNCTION_RECORDS: readonly FunctionRecord[] = [
  {
    kind: 'function',
    name: 'hmm_devmem_add',
    contract:
      'Finds a free physical range for unaddressable device memory, makes private device pages for it and returns their descriptor. The size is rounded up to whole sections; the search goes down from the top of the physical address space.',
    replacedBy: 'devm_memremap_pages',
    variants: [
      {
        since: '4.14',
        until: '5.2',
        file: FILE,
        prototype:
          'struct hmm_devmem *hmm_devmem_add(const struct hmm_devmem_ops *ops, struct device *device, unsigned long size)',
        errors: [
          { returns: 'ERR_PTR(-ENOMEM)', when: 'memory or the resource could not be had' },
          { returns: 'ERR_PTR(-ERANGE)', when: 'no free range of that size' },
        ],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_devmem_add_resource',
    contract: 'Makes public device pages over a resource that the caller already owns.',
    replacedBy: 'devm_memremap_pages',
    variants: [
      {
        since: '4.14',
        until: '5.2',
        file: FILE,
        prototype:
          'struct hmm_devmem *hmm_devmem_add_resource(const struct hmm_devmem_ops *ops, struct device *device, struct resource *res)',
        errors: [{ returns: 'ERR_PTR(-EINVAL)', when: 'the resource is not described as public device memory' }],
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_devmem_remove',
    contract:
      'Takes device memory away again: kills its reference, waits until it is gone, and removes pages and resource. Unbinding the device does the same. The stable 4.19.y kernels lost it through a backport and leave all of it to unbinding.',
    replacedBy: 'memunmap_pages',
    variants: [
      { since: '4.14', until: '4.18', file: FILE, prototype: 'void hmm_devmem_remove(struct hmm_devmem *devmem)' },
      { since: '4.20', until: '4.20', file: FILE, prototype: 'void hmm_devmem_remove(struct hmm_devmem *devmem)' },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_devmem_page_set_drvdata',
    contract:
      'Keeps one word of the driver in the struct page of a device page. Nothing clears it when the page is freed.',
    variants: [
      {
        since: '4.14',
        until: '5.2',
        file: HEADER,
        prototype: 'void hmm_devmem_page_set_drvdata(struct page *page, unsigned long data)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_devmem_page_get_drvdata',
    contract: 'Reads back the word that hmm_devmem_page_set_drvdata kept in a device page.',
    variants: [
      {
        since: '4.14',
        until: '4.15',
        file: HEADER,
        prototype: 'unsigned long hmm_devmem_page_get_drvdata(struct page *page)',
      },
      {
        since: '4.16',
        until: '5.2',
        file: HEADER,
        prototype: 'unsigned long hmm_devmem_page_get_drvdata(const struct page *page)',
      },
    ],
  },
  {
    kind: 'function',
    name: 'hmm_vma_alloc_locked_page',
    contract: 'Allocates a system page fit for an address of a VMA and returns it locked, or NULL.',
    variants: [
      {
        since: '4.14',
        until: '5.2',
        file: FILE,
        prototype: 'struct page *hmm_vma_alloc_locked_page(struct vm_area_struct *vma, unsigned long addr)',
        errors: [{ returns: 'NULL', when: 'no page could be allocated' }],
      },
    ],
  },
];
