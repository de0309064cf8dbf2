/**
 * Drivers in C, as their authors wrote them, with device memory that processes use: hmm_devmem and migrate_vma of
 * 4.14 to 5.2, dev_pagemap_ops and migrate_vma_setup from 6.1. One block maps the memory and takes a range to it.
 */
import { expect } from 'vitest';
import type { Machine } from '../../sim/index.ts';
import { runC } from './devices.ts';

/** What the driver does when the CPU touches a page of its. */
export interface Serving {
  /** C of the callback, before it does anything: `return VM_FAULT_SIGBUS;`. */
  readonly first?: string;
  /** Pages that go home: the one that is touched, or all of the range with that one first. */
  readonly home?: 'one' | 'all';
  /** The driver finds so many pages of system memory in all. */
  readonly room?: number;
}

interface Range {
  readonly pid: number;
  /** C. */
  readonly addr: string;
  readonly pages: number;
}

function oldFile(machine: Machine, { first = '', home = 'one', room = 1000 }: Serving, { addr, pages }: Range): string {
  const result = machine.kernel.release === '5.2' || machine.kernel.release === '5.1' ? 'vm_fault_t' : 'int';
  return `
static unsigned long next;
static struct hmm_devmem *devmem;
static struct hmm_devmem_ops ops;
static struct migrate_vma_ops away;
static struct migrate_vma_ops home;
static int room = ${room};

static void gpu_free(struct hmm_devmem *devmem, struct page *page)
{
	pr_info("driver: page_free at %d", page_count(page));
}
static void to_gpu(struct vm_area_struct *vma, const unsigned long *src, unsigned long *dst,
                   unsigned long start, unsigned long end, void *private)
{
	unsigned long addr;
	int i = 0;
	for (addr = start; addr < end; addr += PAGE_SIZE) {
		if (src[i] & MIGRATE_PFN_MIGRATE) {
			struct page *dpage = pfn_to_page(next);
			next = next + 1;
			get_page(dpage);
			lock_page(dpage);
			if (migrate_pfn_to_page(src[i]))
				copy_highpage(dpage, migrate_pfn_to_page(src[i]));
			dst[i] = migrate_pfn(page_to_pfn(dpage)) | MIGRATE_PFN_LOCKED;
		}
		i++;
	}
}
static void one_home(struct vm_area_struct *vma, const unsigned long *src, unsigned long *dst, int i, unsigned long a)
{
	struct page *page;
	if (dst[i] || !(src[i] & MIGRATE_PFN_MIGRATE) || room == 0)
		return;
	room--;
	page = hmm_vma_alloc_locked_page(vma, a);
	if (!page)
		return;
	copy_highpage(page, migrate_pfn_to_page(src[i]));
	dst[i] = migrate_pfn(page_to_pfn(page)) | MIGRATE_PFN_LOCKED;
}
static void to_ram(struct vm_area_struct *vma, const unsigned long *src, unsigned long *dst,
                   unsigned long start, unsigned long end, void *private)
{
	unsigned long addr = *(unsigned long *)private;
	unsigned long a;
	int i = 0;
	for (a = start; a < end; a += PAGE_SIZE)
		dst[i++] = 0;
	one_home(vma, src, dst, (addr - start) / PAGE_SIZE, addr);
	i = 0;
	for (a = start; a < end; a += PAGE_SIZE) {
		one_home(vma, src, dst, i, a);
		i++;
	}
}
static void done(struct vm_area_struct *vma, const unsigned long *src, const unsigned long *dst,
                 unsigned long start, unsigned long end, void *private) { }

static ${result} gpu_fault(struct hmm_devmem *devmem, struct vm_area_struct *vma, unsigned long addr,
                     const struct page *page, unsigned int flags, pmd_t *pmdp)
{
	unsigned long src[${pages}], dst[${pages}];
	pr_info("driver: page_fault at +%lu", (addr - ${addr}) / PAGE_SIZE);
	${first}
	home.alloc_and_copy = to_ram;
	home.finalize_and_map = done;
	if (migrate_vma(&home, vma, ${home === 'one' ? 'addr, addr + PAGE_SIZE' : `${addr}, ${addr} + ${pages} * PAGE_SIZE`}, src, dst, &addr))
		return VM_FAULT_SIGBUS;
	return dst[${home === 'one' ? '0' : `(addr - ${addr}) / PAGE_SIZE`}] ? 0 : VM_FAULT_OOM;
}
`;
}

const oldMain = ({ pid, addr, pages }: Range): string => `
  ops.free = gpu_free;
  ops.fault = gpu_fault;
  devmem = hmm_devmem_add(&ops, root_device_register("gpu"), 128UL << 20);
  next = devmem->pfn_first;
  struct mm_struct *mm = get_task_mm(find_task_by_vpid(${pid}));
  unsigned long src[${pages}], dst[${pages}];
  away.alloc_and_copy = to_gpu;
  away.finalize_and_map = done;
  down_read(&mm->mmap_sem);
  migrate_vma(&away, find_vma(mm, ${addr}), ${addr}, ${addr} + ${pages} * PAGE_SIZE, src, dst, NULL);
  up_read(&mm->mmap_sem);
  mmput(mm);
`;

const newFile = (
  machine: Machine,
  { first = '', home = 'one', room = 1000 }: Serving,
  { addr, pages }: Range,
): string => `
static struct dev_pagemap pgmap;
static struct dev_pagemap_ops ops;
static int owner;
static int room = ${room};

static void gpu_free(${machine.kernel.facts.folioFreeCallback ? 'struct folio *folio' : 'struct page *page'})
{
	pr_info("driver: page_free");
}
static void one_home(struct migrate_vma *args, int i)
{
	struct page *dpage;
	if (args->dst[i] || !(args->src[i] & MIGRATE_PFN_MIGRATE) || room == 0)
		return;
	room--;
	dpage = alloc_page_vma(GFP_HIGHUSER, args->vma, args->start + i * PAGE_SIZE);
	if (!dpage)
		return;
	lock_page(dpage);
	copy_highpage(dpage, migrate_pfn_to_page(args->src[i]));
	args->dst[i] = migrate_pfn(page_to_pfn(dpage));
}
static vm_fault_t gpu_fault(struct vm_fault *vmf)
{
	unsigned long src[${pages}], dst[${pages}];
	unsigned long addr = vmf->address;
	struct migrate_vma args;
	int i;
	pr_info("driver: migrate_to_ram at +%lu", (addr - ${addr}) / PAGE_SIZE);
	${first}
	args.vma = vmf->vma;
	args.start = ${home === 'one' ? 'addr' : addr};
	args.end = args.start + ${home === 'one' ? 1 : pages} * PAGE_SIZE;
	args.src = src;
	args.dst = dst;
	args.pgmap_owner = &owner;
	args.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
	args.fault_page = vmf->page;
	if (migrate_vma_setup(&args))
		return VM_FAULT_SIGBUS;
	one_home(&args, (addr - args.start) / PAGE_SIZE);
	for (i = 0; i < args.npages; i++)
		one_home(&args, i);
	migrate_vma_pages(&args);
	migrate_vma_finalize(&args);
	return dst[(addr - args.start) / PAGE_SIZE] ? 0 : VM_FAULT_OOM;
}
`;

const newMain = (machine: Machine, { pid, addr, pages }: Range): string => `
  struct resource *res = request_free_mem_region(&iomem_resource, 128UL << 20, "gpu");
  unsigned long next = res->start >> PAGE_SHIFT;
  unsigned long src[${pages}], dst[${pages}];
  struct migrate_vma args;
  struct mm_struct *mm;
  int i;
  pgmap.type = MEMORY_DEVICE_PRIVATE;
  pgmap.range.start = res->start;
  pgmap.range.end = res->end;
  pgmap.nr_range = 1;
  ops.${machine.kernel.facts.folioFreeCallback ? 'folio_free' : 'page_free'} = gpu_free;
  ops.migrate_to_ram = gpu_fault;
  pgmap.ops = &ops;
  pgmap.owner = &owner;
  memremap_pages(&pgmap, 0);
  mm = get_task_mm(find_task_by_vpid(${pid}));
  mmap_read_lock(mm);
  args.vma = find_vma(mm, ${addr});
  args.start = ${addr};
  args.end = ${addr} + ${pages} * PAGE_SIZE;
  args.src = src;
  args.dst = dst;
  args.pgmap_owner = &owner;
  args.flags = MIGRATE_VMA_SELECT_SYSTEM;
  args.fault_page = NULL;
  migrate_vma_setup(&args);
  for (i = 0; i < ${pages}; i++) {
    struct page *dpage = pfn_to_page(next + i);
    if (!(src[i] & MIGRATE_PFN_MIGRATE))
      continue;
    zone_device_page_init(dpage);
    if (migrate_pfn_to_page(src[i]))
      copy_highpage(dpage, migrate_pfn_to_page(src[i]));
    dst[i] = migrate_pfn(page_to_pfn(dpage));
  }
  migrate_vma_pages(&args);
  migrate_vma_finalize(&args);
  mmap_read_unlock(mm);
  mmput(mm);
`;

/** Maps 128 MiB of device memory and takes `pages` pages of a process to it. */
export function driverTakes(
  machine: Machine,
  pid: number,
  address: bigint,
  pages: number,
  serving: Serving = {},
): void {
  const range = { pid, addr: `0x${address.toString(16)}UL`, pages };
  const isOld = machine.kernel.facts.hmmDevmem;
  const { program } = runC(machine, isOld ? oldMain(range) : newMain(machine, range), {
    all: isOld ? oldFile(machine, serving, range) : newFile(machine, serving, range),
  });
  expect(program.error?.message).toBeUndefined();
  expect(program.status, program.waitsFor?.what).toBe('done');
}

/** What the driver was told, in order. */
export const heard = (machine: Machine): string[] =>
  machine.kernel.state.log.flatMap(({ text }) => (text.startsWith('driver: ') ? [text.slice(8).trim()] : []));
