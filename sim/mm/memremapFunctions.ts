/** Device memory for C code and the shell: mm/memremap.c, kernel/resource.c and what drivers need around them. */
import { PAGES_PER_SECTION } from '../arch/x86_64.ts';
import {
  addressPointer,
  type CallArgs,
  type CStruct,
  ERR_PTR,
  integer,
  isNull,
  NULL,
  objectPointer,
  pagePointer,
  stringOf,
  VOID,
} from '../c/value.ts';
import { deviceArg, devres_release_all, dropAction, release_mem_region } from '../drivers/base/devres.ts';
import { folio_unlock } from '../kernel/locking.ts';
import { type ErrorCase, type FunctionRecord, fn, variant } from '../kernel/registry.ts';
import {
  __request_region,
  IORES_DESC_DEVICE_PRIVATE_MEMORY,
  IORES_DESC_NONE,
  type Resource,
  region_busy,
  region_intersects,
} from '../kernel/resource.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { removeItem } from '../store/remove.ts';
import { compound_head } from './compound_page.ts';
import { devm_memremap_pages, memremap_pages, memunmap_pages } from './memremap.ts';
import { devm_memremap_pages_pgmap, devm_memremap_pages_release, devm_memremap_pages_res } from './memremap-old.ts';
import { pageArg } from './page_arg.ts';
import { get_dev_pagemap, get_dev_pagemap_cached, put_dev_pagemap_call, range_len } from './pagemap.ts';
import { pfn_is_online, pfn_valid } from './sparse.ts';
import type { VmemAltmap } from './sparse-vmemmap.ts';
import { get_page, put_page, zone_device_page_init } from './zone_device_page.ts';
import { numa_node_id } from './zonelist.ts';

const MEMREMAP_ERRORS: readonly ErrorCase[] = [
  {
    returns: '-EINVAL',
    when: 'no range, a PRIVATE or COHERENT pagemap without its methods or owner, a range not aligned to 2 MiB or beyond the physical limit',
  },
  { returns: '-ENXIO', when: 'System RAM lies in the range' },
  {
    returns: '-ENOMEM',
    when: 'another live pagemap holds the first or last page, or there is no memory for struct pages',
  },
];

const OLD_MEMREMAP_ERRORS: readonly ErrorCase[] = [
  { returns: '-ENXIO', when: 'part of the range is System RAM, or the kernel has no CONFIG_ZONE_DEVICE' },
  { returns: '__va(start)', when: 'all of the range is System RAM, to 4.18 and in 4.20: nothing is done' },
  { returns: '-EINVAL', when: 'the reference, or from 4.19 the kill callback, is missing, or the altmap does not fit' },
  { returns: '-EBUSY', when: 'to 4.15, another mapping is in the way; to 4.13 anywhere in the same sections' },
  { returns: '-EEXIST', when: 'from 4.16, another mapping has pages of the range' },
  { returns: '-ENOMEM', when: 'from 4.18, another live mapping in the first or last section; or no memory' },
];

/** Pagemaps passed by pointer; a stray pointer is a bad access, as in the kernel. */
const pgmapArg = (args: CallArgs, index: number): CStruct => args.struct(index, 'dev_pagemap');

const stringArg = (args: CallArgs, index: number): string => stringOf(args.pointer(index)) ?? '';

const resourceArg = (args: CallArgs, index: number): Resource => args.struct(index, 'resource') as Resource;

/** kernel/resource.c:get_free_mem_region as request_free_mem_region uses it. */
export function request_free_mem_region(kernel: Kernel, base: Resource, size: bigint, name: string) {
  const align = BigInt(PAGES_PER_SECTION) << 12n;
  const wanted = ((size + align - 1n) / align) * align;
  const top = base.end < kernel.physmemEnd ? base.end : kernel.physmemEnd;
  if (wanted > 0n)
    for (let start = top - wanted + 1n; start > align && start >= base.start; start -= align) {
      if (region_busy(kernel.state.iomem, start, wanted)) continue;
      const got = __request_region(
        kernel.store,
        kernel.state.iomem,
        start,
        wanted,
        name,
        IORES_DESC_DEVICE_PRIVATE_MEMORY,
      );
      if ('resource' in got) return got.resource;
      break;
    }
  return undefined;
}

function doRequestFree(kernel: Kernel, base: Resource, size: bigint, name: string) {
  return kernel.leaf(
    'request_free_mem_region',
    ['&iomem_resource', hex(size), JSON.stringify(name)],
    () => request_free_mem_region(kernel, base, size, name),
    (found) => (found ? `[mem ${hex(found.start)}-${hex(found.end)}]` : 'ERR_PTR(-ERANGE)'),
  );
}

/** numa node of a new device: the node of the CPU that registers it, 0. */
const NO_NODE = -1;

export const MEMREMAP_FUNCTIONS: readonly FunctionRecord[] = [
  fn(
    'memremap_pages',
    'Gives a range of device memory struct pages in ZONE_DEVICE and returns where the linear map would have it. A MEMORY_DEVICE_PRIVATE range gets struct pages only: the CPU has no mapping of it.',
    [
      variant(
        '5.3',
        'mm/memremap.c',
        'void *memremap_pages(struct dev_pagemap *pgmap, int nid)',
        (kernel, args) => memremap_pages(kernel, pgmapArg(args, 0), args.num(1)),
        MEMREMAP_ERRORS,
      ),
    ],
  ),
  fn(
    'devm_memremap_pages',
    'memremap_pages on the node of a device, undone by the driver core when the driver is unbound.',
    [
      variant(
        '4.3',
        'kernel/memremap.c',
        'void *devm_memremap_pages(struct device *dev, struct resource *res)',
        (kernel, args) => devm_memremap_pages_res(kernel, deviceArg(kernel, args, 0), resourceArg(args, 1)),
        OLD_MEMREMAP_ERRORS.slice(0, 2),
        '4.4',
      ),
      variant(
        '4.5',
        'kernel/memremap.c',
        'void *devm_memremap_pages(struct device *dev, struct resource *res, struct percpu_ref *ref, struct vmem_altmap *altmap)',
        (kernel, args) =>
          devm_memremap_pages_res(
            kernel,
            deviceArg(kernel, args, 0),
            resourceArg(args, 1),
            args.pointer(2),
            isNull(args.pointer(3)) ? undefined : (args.struct(3, 'vmem_altmap') as VmemAltmap),
          ),
        OLD_MEMREMAP_ERRORS,
        '4.15',
      ),
      variant(
        '4.16',
        'kernel/memremap.c',
        'void *devm_memremap_pages(struct device *dev, struct dev_pagemap *pgmap)',
        (kernel, args) => devm_memremap_pages_pgmap(kernel, deviceArg(kernel, args, 0), pgmapArg(args, 1)),
        OLD_MEMREMAP_ERRORS,
        '5.2',
      ),
      variant(
        '5.3',
        'mm/memremap.c',
        'void *devm_memremap_pages(struct device *dev, struct dev_pagemap *pgmap)',
        (kernel, args) => devm_memremap_pages(kernel, deviceArg(kernel, args, 0), pgmapArg(args, 1)),
        MEMREMAP_ERRORS,
      ),
    ],
  ),
  fn(
    'memunmap_pages',
    'Takes a mapping of memremap_pages down again: no new references from now on, then it sleeps until every page handed out has come back. ZONE_DEVICE keeps its span.',
    [
      variant('5.3', 'mm/memremap.c', 'void memunmap_pages(struct dev_pagemap *pgmap)', function* (kernel, args) {
        yield* memunmap_pages(kernel, pgmapArg(args, 0));
        return VOID;
      }),
    ],
  ),
  fn('devm_memunmap_pages', 'memunmap_pages now, for a mapping that devm_memremap_pages made.', [
    variant(
      '4.18',
      'kernel/memremap.c',
      'void devm_memunmap_pages(struct device *dev, struct dev_pagemap *pgmap)',
      function* (kernel, args) {
        dropAction(kernel, deviceArg(kernel, args, 0), pgmapArg(args, 1));
        yield* devm_memremap_pages_release(kernel, pgmapArg(args, 1));
        return VOID;
      },
      [],
      '5.2',
    ),
    variant(
      '5.3',
      'mm/memremap.c',
      'void devm_memunmap_pages(struct device *dev, struct dev_pagemap *pgmap)',
      function* (kernel, args) {
        dropAction(kernel, deviceArg(kernel, args, 0), pgmapArg(args, 1));
        yield* memunmap_pages(kernel, pgmapArg(args, 1));
        return VOID;
      },
    ),
  ]),
  fn(
    'request_free_mem_region',
    'Finds physical address space that nobody uses, from the top down in steps of a section (128 MiB), and claims it as device private memory in the resource tree.',
    [
      variant(
        '5.3',
        'kernel/resource.c',
        'struct resource *request_free_mem_region(struct resource *base, unsigned long size, const char *name)',
        (kernel, args) => {
          const found = doRequestFree(kernel, resourceArg(args, 0), args.big(1), stringArg(args, 2));
          return found ? objectPointer(found) : ERR_PTR(-34, 'struct resource');
        },
        [
          { returns: '-ERANGE', when: 'no free slot of that size is left below the end of the base resource' },
          { returns: '-ENOMEM', when: 'no memory for the struct resource' },
        ],
      ),
    ],
  ),
  fn(
    'devm_request_free_mem_region',
    'request_free_mem_region in the name of a device; released when its driver is unbound.',
    [
      variant(
        '5.3',
        'kernel/resource.c',
        'struct resource *devm_request_free_mem_region(struct device *dev, struct resource *base, unsigned long size)',
        (kernel, args) => {
          const device = deviceArg(kernel, args, 0);
          const found = doRequestFree(kernel, resourceArg(args, 1), args.big(2), device.name);
          if (!found) return ERR_PTR(-34, 'struct resource');
          kernel.store.splice(device.actions, device.actions.length, 0, { what: 'release_mem_region', subject: found });
          return objectPointer(found);
        },
        [{ returns: '-ERANGE', when: 'no free slot of that size is left' }],
      ),
    ],
  ),
  fn(
    'release_mem_region',
    'Gives a busy region of the physical address space back. It must be exactly the region that was requested.',
    [
      variant('4.3', 'include/linux/ioport.h', '#define release_mem_region(start, n)', (kernel, args) => {
        release_mem_region(kernel, args.big(0), args.big(1));
        return VOID;
      }),
    ],
    { macro: true },
  ),
  fn(
    'devm_release_mem_region',
    'release_mem_region for a region that belongs to a device, before its driver is unbound.',
    [
      variant('4.3', 'include/linux/ioport.h', '#define devm_release_mem_region(dev, start, n)', (kernel, args) => {
        const device = deviceArg(kernel, args, 0);
        const owned = device.actions.find(
          (action) => action.what === 'release_mem_region' && (action.subject as Resource).start === args.big(1),
        );
        if (owned) dropAction(kernel, device, owned.subject);
        release_mem_region(kernel, args.big(1), args.big(2));
        return VOID;
      }),
    ],
    { macro: true },
  ),
  fn(
    'request_mem_region',
    'Claims a region of the physical address space under a name.',
    [
      variant(
        '4.3',
        'include/linux/ioport.h',
        '#define request_mem_region(start, n, name)',
        (kernel, args) => {
          if (args.big(1) <= 0n) return NULL;
          const got = __request_region(kernel.store, kernel.state.iomem, args.big(0), args.big(1), stringArg(args, 2));
          if ('resource' in got) return objectPointer(got.resource);
          if (got.conflict.desc === IORES_DESC_DEVICE_PRIVATE_MEMORY)
            kernel.pr_warn(
              `Unaddressable device ${got.conflict.name} ${hex(got.conflict.start)}-${hex(got.conflict.end)} conflicts with ${stringArg(args, 2)}`,
            );
          return NULL;
        },
        [{ returns: 'NULL', when: 'something busy is in the way' }],
      ),
    ],
    { macro: true },
  ),
  fn(
    'get_dev_pagemap',
    'Looks up the pagemap whose struct pages cover a page frame and takes a reference on it, unless it is being torn down.',
    [
      variant(
        '4.5',
        'include/linux/memremap.h',
        'struct dev_pagemap *get_dev_pagemap(unsigned long pfn, struct dev_pagemap *pgmap)',
        function* (kernel, args) {
          const found =
            args.pointer(1).target.kind === 'address'
              ? get_dev_pagemap(kernel, args.num(0))?.pgmap
              : yield* get_dev_pagemap_cached(kernel, args.num(0), pgmapArg(args, 1));
          return found ? objectPointer(found) : NULL;
        },
        [{ returns: 'NULL', when: 'no pagemap covers the page, or it is dying' }],
        '6.17',
      ),
      variant(
        '6.18',
        'include/linux/memremap.h',
        'struct dev_pagemap *get_dev_pagemap(unsigned long pfn)',
        (kernel, args) => {
          const found = get_dev_pagemap(kernel, args.num(0));
          return found ? objectPointer(found.pgmap) : NULL;
        },
        [{ returns: 'NULL', when: 'no pagemap covers the page, or it is dying' }],
      ),
    ],
  ),
  fn('put_dev_pagemap', 'Drops a reference that get_dev_pagemap took; NULL is allowed.', [
    variant(
      '4.5',
      'include/linux/memremap.h',
      'void put_dev_pagemap(struct dev_pagemap *pgmap)',
      function* (kernel, args) {
        if (args.pointer(0).target.kind !== 'address') yield* put_dev_pagemap_call(kernel, pgmapArg(args, 0));
        return VOID;
      },
    ),
  ]),
  fn(
    'pfn_to_page',
    'The struct page of a page frame. With SPARSEMEM_VMEMMAP it is vmemmap plus the pfn, and nothing checks that a struct page is really there.',
    [
      variant('4.3', 'include/asm-generic/memory_model.h', '#define pfn_to_page(pfn)', (_kernel, args) =>
        pagePointer(args.num(0)),
      ),
    ],
    { macro: true },
  ),
  fn(
    'page_to_pfn',
    'The page frame number of a struct page: with SPARSEMEM_VMEMMAP its distance from vmemmap.',
    [
      variant('4.3', 'include/asm-generic/memory_model.h', '#define page_to_pfn(page)', (_kernel, args) =>
        integer(args.pfn(0), 'unsigned long'),
      ),
    ],
    { macro: true },
  ),
  fn(
    'pfn_valid',
    'Whether a page frame has a struct page. True for all of a section that was there at boot, for each populated 2 MiB of one added later.',
    [
      variant('4.3', 'include/linux/mmzone.h', 'int pfn_valid(unsigned long pfn)', (kernel, args) =>
        integer(pfn_valid(kernel, args.num(0)) ? 1 : 0),
      ),
    ],
  ),
  fn(
    'pfn_to_online_page',
    'The struct page of a page frame that belongs to online memory; NULL for holes, offline blocks and everything in ZONE_DEVICE.',
    [
      variant('4.14', 'mm/memory_hotplug.c', 'struct page *pfn_to_online_page(unsigned long pfn)', (kernel, args) =>
        pfn_is_online(kernel, args.num(0)) ? pagePointer(args.num(0)) : NULL,
      ),
    ],
  ),
  fn('range_len', 'Length in bytes of a struct range; its end is inclusive.', [
    variant('5.10', 'include/linux/range.h', 'u64 range_len(const struct range *range)', (_kernel, args) => {
      const range = args.struct(0, 'range');
      return integer(range_len({ start: range.start as bigint, end: range.end as bigint }), 'unsigned long long');
    }),
  ]),
  fn('resource_size', 'Length in bytes of a struct resource; its end is inclusive.', [
    variant(
      '4.3',
      'include/linux/ioport.h',
      'resource_size_t resource_size(const struct resource *res)',
      (_kernel, args) => {
        const resource = resourceArg(args, 0);
        return integer(resource.end - resource.start + 1n, 'unsigned long long');
      },
    ),
  ]),
  fn(
    'region_intersects',
    'Whether a physical range is of one kind in the resource tree: REGION_INTERSECTS (0), REGION_DISJOINT (1) or REGION_MIXED (2).',
    [
      variant(
        '4.3',
        'kernel/resource.c',
        'int region_intersects(resource_size_t offset, size_t size, unsigned long flags, unsigned long desc)',
        (kernel, args) =>
          integer(
            region_intersects(
              kernel.state.iomem,
              args.big(0),
              args.big(1),
              args.big(2),
              args.values.length > 3 ? args.big(3) : IORES_DESC_NONE,
            ),
          ),
      ),
    ],
  ),
  fn('numa_node_id', 'The node of the CPU that runs this code.', [
    variant('4.3', 'include/linux/topology.h', 'int numa_node_id(void)', (kernel) => integer(numa_node_id(kernel))),
  ]),
  fn('get_page', 'Takes one more reference on a page that has at least one.', [
    variant('4.3', 'include/linux/mm.h', 'void get_page(struct page *page)', (kernel, args) => {
      get_page(kernel, pageArg(kernel, args));
      return VOID;
    }),
  ]),
  fn(
    'put_page',
    'Drops a reference. For a page of ZONE_DEVICE the count at which it is free tells its driver instead of the page allocator.',
    [
      variant('4.3', 'include/linux/mm.h', 'void put_page(struct page *page)', function* (kernel, args) {
        yield* put_page(kernel, pageArg(kernel, args));
        return VOID;
      }),
    ],
  ),
  fn(
    'zone_device_page_init',
    'What a driver calls before it hands a free page of its memory out: takes a reference on the pagemap, sets the refcount to 1 and locks the page.',
    [
      variant(
        '6.1',
        'mm/memremap.c',
        'void zone_device_page_init(struct page *page)',
        (kernel, args) => {
          zone_device_page_init(kernel, pageArg(kernel, args));
          return VOID;
        },
        [],
        '6.18',
      ),
      variant(
        '6.19',
        'mm/memremap.c',
        'void zone_device_page_init(struct page *page, struct dev_pagemap *pgmap, unsigned int order)',
        (kernel, args) => {
          zone_device_page_init(kernel, pageArg(kernel, args), Math.min(args.num(2), 9));
          return VOID;
        },
      ),
    ],
  ),
  fn('unlock_page', 'Releases the page lock.', [
    variant('4.3', 'mm/filemap.c', 'void unlock_page(struct page *page)', (kernel, args) => {
      folio_unlock(kernel, compound_head(kernel, pageArg(kernel, args)));
      return VOID;
    }),
  ]),
  fn('page_count', 'The reference count of a page.', [
    variant('4.3', 'include/linux/page_ref.h', 'int page_count(struct page *page)', (kernel, args) =>
      integer(kernel.pages.refcount.get(compound_head(kernel, pageArg(kernel, args)))),
    ),
  ]),
  fn(
    'root_device_register',
    'Registers a device without a bus, to have something that devm_ functions can hang on.',
    [
      variant('4.3', 'drivers/base/core.c', '#define root_device_register(name)', (kernel, args) => {
        const name = stringArg(args, 0);
        const device: CStruct = { $struct: 'device', numa_node: BigInt(NO_NODE), driver_data: NULL };
        kernel.store.splice(kernel.state.devices, kernel.state.devices.length, 0, {
          name,
          device,
          node: NO_NODE,
          actions: [],
        });
        return objectPointer(device);
      }),
    ],
    { macro: true },
  ),
  fn(
    'root_device_unregister',
    'Unregisters such a device; whatever devm_ functions did for it is undone, newest first.',
    [
      variant(
        '4.3',
        'drivers/base/core.c',
        'void root_device_unregister(struct device *dev)',
        function* (kernel, args) {
          const device = deviceArg(kernel, args, 0);
          yield* devres_release_all(kernel, device);
          removeItem(kernel.store, kernel.state.devices, device);
          return VOID;
        },
      ),
    ],
  ),
  fn(
    '__va',
    'The linear-map address of a physical address.',
    [
      variant('4.3', 'arch/x86/include/asm/page.h', '#define __va(x)', (kernel, args) =>
        addressPointer(kernel.arch.PAGE_OFFSET + args.big(0)),
      ),
    ],
    { macro: true },
  ),
];
