/** The page allocator for C code and the shell: mm/page_alloc.c and the headers around it. */
import { addressPointer, BadAccess, type CallArgs, type CValue, integer, NULL, pagePointer, VOID } from '../c/value.ts';
import { orderOf, PG_HEAD, zoneOf } from '../include/mmzone.ts';
import { type ErrorCase, type FunctionRecord, fn, variant } from '../kernel/registry.ts';
import type { Release } from '../kernel/release.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { compound_head } from './compound_page.ts';
import { folioHead } from './folio.ts';
import { __free_pages, drain_all_pages, split_page } from './freePages.ts';
import { __GFP_HIGHMEM, __GFP_ZERO, gfpText } from './gfp.ts';
import { __alloc_pages } from './page_alloc.ts';
import { pageArg } from './page_arg.ts';
import { pfn_valid } from './sparse.ts';
import { numa_mem_id, numa_node_id } from './zonelist.ts';

/* Before 5.0 the flags had other values, which the engine does not know. */
const FLAGS_KNOWN: Release = '5.0';
const NO_MEMORY: readonly ErrorCase[] = [
  { returns: 'NULL', when: 'no zone that the flags allow has such a block above its watermark' },
];
const NO_ADDRESS: readonly ErrorCase[] = [
  { returns: '0', when: 'no zone that the flags allow has such a block above its watermark' },
];
const NUMA_NO_NODE = -1;

const unsigned = (args: CallArgs, index: number): number => Number(BigInt.asUintN(32, args.big(index)));
const signed = (args: CallArgs, index: number): number => Number(BigInt.asIntN(32, args.big(index)));

function alloc(kernel: Kernel, name: string, gfp: number, order: number, nid: number): number {
  return kernel.leaf(
    name,
    [gfpText(gfp), `order ${order}`, `nid ${nid}`],
    () => __alloc_pages(kernel, gfp, order, nid),
    (pfn) => (pfn < 0 ? 'NULL' : `pfn ${hex(pfn)}`),
  );
}
const pageOf = (pfn: number): CValue => (pfn < 0 ? NULL : pagePointer(pfn));

/** __get_free_pages: memory that the kernel addresses, so never high memory. */
function getFreePages(kernel: Kernel, name: string, gfp: number, order: number): CValue {
  const pfn = alloc(kernel, name, gfp & ~__GFP_HIGHMEM, order, numa_node_id(kernel));
  return integer(pfn < 0 ? 0n : addressOf(kernel, pfn), 'unsigned long');
}

const addressOf = (kernel: Kernel, pfn: number): bigint => kernel.arch.PAGE_OFFSET + (BigInt(pfn) << 12n);

function pfnOfAddress(kernel: Kernel, name: string, address: bigint): number {
  const offset = address - kernel.arch.PAGE_OFFSET;
  const pfn = offset < 0n || offset >> 12n > 2n ** 40n ? -1 : Number(offset >> 12n);
  if (pfn < 0 || !pfn_valid(kernel, pfn))
    throw new BadAccess(`${name}: ${hex(address)} is no address of the linear mapping`);
  return pfn;
}

function free(kernel: Kernel, name: string, pfn: number, order: number): CValue {
  kernel.leaf(
    name,
    [hex(pfn), `order ${order}`],
    () => __free_pages(kernel, pfn, order),
    () => '',
  );
  return VOID;
}

const freeAddress = (kernel: Kernel, name: string, address: bigint, order: number): CValue =>
  address === 0n ? VOID : free(kernel, name, pfnOfAddress(kernel, name, address), order);

const GFP_H = 'include/linux/gfp.h';
const PAGE_ALLOC = 'mm/page_alloc.c';

/** A variant for the releases before the flags are known, which does not run, and one for those after. */
const sinceFlags = (
  file: string,
  prototype: string,
  run: (kernel: Kernel, args: CallArgs) => CValue,
  errors: readonly ErrorCase[],
) => [variant('4.3', file, prototype, undefined, errors, '4.20'), variant(FLAGS_KNOWN, file, prototype, run, errors)];

export const PAGE_ALLOC_FUNCTIONS: readonly FunctionRecord[] = [
  fn(
    'alloc_pages',
    'Allocates 2^order pages, contiguous and naturally aligned, from the zones that the flags allow. ZONE_DEVICE is never among them.',
    sinceFlags(
      GFP_H,
      'struct page *alloc_pages(gfp_t gfp_mask, unsigned int order)',
      (kernel, args) =>
        pageOf(alloc(kernel, 'alloc_pages', unsigned(args, 0), unsigned(args, 1), numa_node_id(kernel))),
      NO_MEMORY,
    ),
  ),
  fn(
    'alloc_page',
    'Allocates one page.',
    sinceFlags(
      GFP_H,
      '#define alloc_page(gfp_mask)',
      (kernel, args) => pageOf(alloc(kernel, 'alloc_pages', unsigned(args, 0), 0, numa_node_id(kernel))),
      NO_MEMORY,
    ),
    { macro: true },
  ),
  fn(
    'alloc_pages_node',
    'alloc_pages with a node to begin with: NUMA_NO_NODE is the nearest one with memory. Other nodes follow by distance, unless the flags say __GFP_THISNODE.',
    sinceFlags(
      GFP_H,
      'struct page *alloc_pages_node(int nid, gfp_t gfp_mask, unsigned int order)',
      (kernel, args) => {
        const nid = signed(args, 0);
        const node = nid === NUMA_NO_NODE ? numa_mem_id(kernel) : nid;
        return pageOf(alloc(kernel, 'alloc_pages_node', unsigned(args, 1), unsigned(args, 2), node));
      },
      NO_MEMORY,
    ),
  ),
  fn('__alloc_pages', 'The heart of the page allocator: 2^order pages, with the node to begin with given.', [
    variant(
      '5.0',
      GFP_H,
      'struct page *__alloc_pages(gfp_t gfp_mask, unsigned int order, int preferred_nid)',
      (kernel, args) => pageOf(alloc(kernel, '__alloc_pages', unsigned(args, 0), unsigned(args, 1), signed(args, 2))),
      NO_MEMORY,
      '5.12',
    ),
    variant(
      '5.13',
      PAGE_ALLOC,
      'struct page *__alloc_pages(gfp_t gfp, unsigned int order, int preferred_nid, nodemask_t *nodemask)',
      (kernel, args) => {
        const mask = args.pointer(3).target;
        if (mask.kind !== 'address' || mask.address !== 0n)
          throw new BadAccess('__alloc_pages: the engine knows no nodemask; give NULL for all nodes');
        return pageOf(alloc(kernel, '__alloc_pages', unsigned(args, 0), unsigned(args, 1), signed(args, 2)));
      },
      NO_MEMORY,
    ),
  ]),
  fn(
    '__get_free_pages',
    'alloc_pages for those who want an address: that of the first page in the linear mapping.',
    sinceFlags(
      PAGE_ALLOC,
      'unsigned long __get_free_pages(gfp_t gfp_mask, unsigned int order)',
      (kernel, args) => getFreePages(kernel, '__get_free_pages', unsigned(args, 0), unsigned(args, 1)),
      NO_ADDRESS,
    ),
  ),
  fn(
    '__get_free_page',
    '__get_free_pages for one page.',
    sinceFlags(
      GFP_H,
      '#define __get_free_page(gfp_mask)',
      (kernel, args) => getFreePages(kernel, '__get_free_pages', unsigned(args, 0), 0),
      NO_ADDRESS,
    ),
    { macro: true },
  ),
  fn(
    'get_zeroed_page',
    'One page full of zeroes, by its address.',
    sinceFlags(
      PAGE_ALLOC,
      'unsigned long get_zeroed_page(gfp_t gfp_mask)',
      (kernel, args) => getFreePages(kernel, 'get_zeroed_page', unsigned(args, 0) | __GFP_ZERO, 0),
      NO_ADDRESS,
    ),
  ),
  fn(
    '__free_pages',
    'Drops the reference of an allocation of 2^order pages; the last one gives them back to the page allocator, which merges them with free neighbours.',
    [
      variant('4.3', PAGE_ALLOC, 'void __free_pages(struct page *page, unsigned int order)', (kernel, args) =>
        free(kernel, '__free_pages', pageArg(kernel, args), unsigned(args, 1)),
      ),
    ],
  ),
  fn(
    '__free_page',
    '__free_pages for one page.',
    [
      variant('4.3', GFP_H, '#define __free_page(page)', (kernel, args) =>
        free(kernel, '__free_pages', pageArg(kernel, args), 0),
      ),
    ],
    { macro: true },
  ),
  fn('free_pages', 'Gives 2^order pages back by the address that __get_free_pages gave; 0 is allowed.', [
    variant('4.3', PAGE_ALLOC, 'void free_pages(unsigned long addr, unsigned int order)', (kernel, args) =>
      freeAddress(kernel, 'free_pages', args.big(0), unsigned(args, 1)),
    ),
  ]),
  fn(
    'free_page',
    'free_pages for one page.',
    [
      variant('4.3', GFP_H, '#define free_page(addr)', (kernel, args) =>
        freeAddress(kernel, 'free_pages', args.big(0), 0),
      ),
    ],
    { macro: true },
  ),
  fn(
    'split_page',
    'Makes single pages, each with a reference of its own, of an allocation of 2^order pages that is not compound.',
    [
      variant('4.3', PAGE_ALLOC, 'void split_page(struct page *page, unsigned int order)', (kernel, args) => {
        kernel.leaf(
          'split_page',
          [hex(pageArg(kernel, args)), `order ${unsigned(args, 1)}`],
          () => split_page(kernel, pageArg(kernel, args), unsigned(args, 1)),
          () => '',
        );
        return VOID;
      }),
    ],
  ),
  fn(
    'drain_all_pages',
    'Gives the pages that CPUs keep for themselves back to their zones. The engine keeps none: its state is always that after this call.',
    [
      variant('4.3', PAGE_ALLOC, 'void drain_all_pages(struct zone *zone)', (kernel) => {
        drain_all_pages(kernel);
        return VOID;
      }),
    ],
  ),
  fn(
    'page_to_nid',
    'The node of a page, read from page->flags, or from a table by section where the flags have no room for it.',
    [
      variant('4.3', 'include/linux/mm.h', 'int page_to_nid(const struct page *page)', (kernel, args) =>
        integer(kernel.nodeAt(pageArg(kernel, args))),
      ),
    ],
  ),
  fn('page_zonenum', 'The number of the zone of a page, read from page->flags: ZONE_DMA is 0, ZONE_DEVICE 4.', [
    variant('4.3', 'include/linux/mm.h', 'enum zone_type page_zonenum(const struct page *page)', (kernel, args) =>
      integer(zoneOf(kernel.pages.state.get(pageArg(kernel, args))), 'unsigned int'),
    ),
  ]),
  fn(
    'compound_head',
    'The first page of the compound page that a page belongs to; the page itself if it belongs to none.',
    [
      variant('4.3', 'include/linux/page-flags.h', 'struct page *compound_head(struct page *page)', (kernel, args) =>
        pagePointer(compound_head(kernel, pageArg(kernel, args))),
      ),
    ],
  ),
  fn(
    'page_folio',
    'The folio that a page belongs to: a pointer to its first struct page, by the type that is never a tail.',
    [
      variant('5.16', 'include/linux/page-flags.h', '#define page_folio(page)', (kernel, args) => ({
        ...pagePointer(folioHead(kernel, pageArg(kernel, args))),
        to: 'struct folio',
      })),
    ],
    { macro: true },
  ),
  fn('compound_order', 'The order of the compound page that begins here; 0 for any other page.', [
    variant('4.3', 'include/linux/mm.h', 'unsigned int compound_order(struct page *page)', (kernel, args) => {
      const pfn = pageArg(kernel, args);
      const isHead = (kernel.pages.flags.get(pfn) & PG_HEAD) !== 0;
      return integer(isHead ? orderOf(kernel.pages.state.get(pfn)) : 0, 'unsigned int');
    }),
  ]),
  fn('page_address', 'The linear-map address of a page.', [
    variant('4.3', 'include/linux/mm.h', 'void *page_address(const struct page *page)', (kernel, args) =>
      addressPointer(addressOf(kernel, args.pfn(0))),
    ),
  ]),
  fn(
    'virt_to_page',
    'The struct page of an address of the linear mapping.',
    [
      variant('4.3', 'arch/x86/include/asm/page.h', '#define virt_to_page(kaddr)', (kernel, args) =>
        pagePointer(pfnOfAddress(kernel, 'virt_to_page', args.big(0))),
      ),
    ],
    { macro: true },
  ),
];
