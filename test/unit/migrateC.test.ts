/** Drivers written in C that move pages of a process: by the calls of their release, with their callbacks called back. */
import { describe, expect, it } from 'vitest';
import { PteKind, pte_pfn, pteKind } from '../../sim/arch/pte.ts';
import { MM_ANONPAGES } from '../../sim/include/mm_types.ts';
import type { Release } from '../../sim/index.ts';
import { pageData, setPageData } from '../../sim/mm/contents.ts';
import { device_private_fault } from '../../sim/mm/device_private.ts';
import { pteAt } from '../../sim/mm/pgtable.ts';
import { runC } from '../support/devices.ts';
import { bootWith, change, newSpace, run } from '../support/testDevice.ts';

/** A driver of 5.10 and later. Copies are left to the test: pages of the engine hold what they are given. */
const DRIVER = (free: string): string => `
static void gpu_free(${free}) { unsigned long pfn = page_to_pfn(page); }

static vm_fault_t gpu_fault(struct vm_fault *vmf)
{
  unsigned long src = 0, dst = 0;
  struct migrate_vma args;
  struct page *dpage;
  args.vma = vmf->vma;
  args.start = vmf->address;
  args.end = vmf->address + PAGE_SIZE;
  args.src = &src;
  args.dst = &dst;
  args.pgmap_owner = vmf->page->pgmap->owner;
  args.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
  args.fault_page = vmf->page;
  if (migrate_vma_setup(&args))
    return VM_FAULT_SIGBUS;
  if (args.cpages == 0)
    return 0;
  dpage = alloc_page_vma(GFP_HIGHUSER, vmf->vma, vmf->address);
  lock_page(dpage);
  dst = migrate_pfn(page_to_pfn(dpage));
  migrate_vma_pages(&args);
  migrate_vma_finalize(&args);
  return 0;
}
`;

const MAIN = (member: string): string => `
  int owner = 1;
  struct dev_pagemap pgmap;
  struct dev_pagemap_ops ops;
  unsigned long next_pfn;
  struct resource *res = request_free_mem_region(&iomem_resource, 128UL << 20, "gpu");
  pgmap.type = MEMORY_DEVICE_PRIVATE;
  pgmap.range.start = res->start;
  pgmap.range.end = res->end;
  pgmap.nr_range = 1;
  ops.${member} = gpu_free;
  ops.migrate_to_ram = gpu_fault;
  pgmap.ops = &ops;
  pgmap.owner = &owner;
  memremap_pages(&pgmap, 0);
  next_pfn = res->start >> PAGE_SHIFT;

  struct mm_struct *mm = get_task_mm(find_task_by_vpid(PID));
  unsigned long src[4], dst[4];
  struct migrate_vma args;
  int i;
  mmap_read_lock(mm);
  args.vma = find_vma(mm, ADDR);
  args.start = ADDR;
  args.end = ADDR + 4 * PAGE_SIZE;
  args.src = src;
  args.dst = dst;
  args.pgmap_owner = &owner;
  args.flags = MIGRATE_VMA_SELECT_SYSTEM;
  args.fault_page = NULL;
  int error = migrate_vma_setup(&args);
  for (i = 0; i < 4; i++) {
    struct page *dpage = pfn_to_page(next_pfn);
    if (!(src[i] & MIGRATE_PFN_MIGRATE))
      continue;
    next_pfn = next_pfn + 1;
    zone_device_page_init(dpage);
    dst[i] = migrate_pfn(page_to_pfn(dpage));
  }
  migrate_vma_pages(&args);
  migrate_vma_finalize(&args);
  mmap_read_unlock(mm);
  mmput(mm);
`;

describe('a driver in C', () => {
  it.each<[Release, string, string]>([
    ['6.1', 'page_free', 'struct page *page'],
    ['6.12', 'page_free', 'struct page *page'],
  ])('%s: moves four pages, and its migrate_to_ram brings one home', (release, member, free) => {
    const machine = bootWith(release);
    const { kernel } = machine;
    const { mm, vma } = newSpace(machine, 4, 3);
    change(machine, () => setPageData(kernel, pte_pfn(pteAt(mm, vma.start)), { base: 5, step: 0 }));
    const text = DRIVER(free) + MAIN(member);
    const filled = text
      .replace('PID', String(mm.owner.pid))
      .replaceAll('ADDR', `0x${(vma.start * 4096).toString(16)}UL`);
    const { program } = runC(machine, filled);
    expect(program.error?.message).toBeUndefined();
    for (let i = 0; i < 4; i++) expect(pteKind(pteAt(mm, vma.start + i))).toBe(PteKind.DeviceWrite);
    expect(mm.rss[MM_ANONPAGES]).toBe(4);
    expect(mm.mmap_lock.readers).toEqual([]);
    const page = pte_pfn(pteAt(mm, vma.start));
    expect(run(machine, () => device_private_fault(kernel, { vma, vpn: vma.start, flags: 0 }, page))).toBe(0);
    expect(pteKind(pteAt(mm, vma.start))).toBe(PteKind.Present);
    expect(kernel.pages.refcount.get(page)).toBe(0);
    expect(pageData(kernel, pte_pfn(pteAt(mm, vma.start)))).toBeDefined();
  });
});

/** hmm_devmem and migrate_vma with its two callbacks, as in 4.14 to 5.2. `private` carries the first free frame. */
const OLD_DRIVER = (result: string): string => `
static void gpu_free(struct hmm_devmem *devmem, struct page *page) { unsigned long pfn = page_to_pfn(page); }

static void to_gpu(struct vm_area_struct *vma, const unsigned long *src, unsigned long *dst,
                   unsigned long start, unsigned long end, void *private)
{
  unsigned long *next = private;
  unsigned long addr;
  int i = 0;
  for (addr = start; addr < end; addr += PAGE_SIZE) {
    if (src[i] & MIGRATE_PFN_MIGRATE) {
      struct page *dpage = pfn_to_page(*next);
      *next = *next + 1;
      get_page(dpage);
      lock_page(dpage);
      dst[i] = migrate_pfn(page_to_pfn(dpage)) | MIGRATE_PFN_LOCKED;
    }
    i++;
  }
}
static void to_ram(struct vm_area_struct *vma, const unsigned long *src, unsigned long *dst,
                   unsigned long start, unsigned long end, void *private)
{
  struct page *page = hmm_vma_alloc_locked_page(vma, start);
  dst[0] = migrate_pfn(page_to_pfn(page)) | MIGRATE_PFN_LOCKED;
}
static void done(struct vm_area_struct *vma, const unsigned long *src, const unsigned long *dst,
                 unsigned long start, unsigned long end, void *private) { }

static ${result} gpu_fault(struct hmm_devmem *devmem, struct vm_area_struct *vma, unsigned long addr,
                     const struct page *page, unsigned int flags, pmd_t *pmdp)
{
  unsigned long src = 0, dst = 0;
  struct migrate_vma_ops home;
  home.alloc_and_copy = to_ram;
  home.finalize_and_map = done;
  if (migrate_vma(&home, vma, addr, addr + PAGE_SIZE, &src, &dst, NULL))
    return VM_FAULT_SIGBUS;
  return 0;
}

  struct hmm_devmem_ops ops;
  ops.free = gpu_free;
  ops.fault = gpu_fault;
  struct device *dev = root_device_register("gpu");
  struct hmm_devmem *devmem = hmm_devmem_add(&ops, dev, 128UL << 20);
  unsigned long next = devmem->pfn_first;
  hmm_devmem_page_set_drvdata(pfn_to_page(next), 42);

  struct mm_struct *mm = get_task_mm(find_task_by_vpid(PID));
  unsigned long src[4], dst[4];
  struct migrate_vma_ops away;
  away.alloc_and_copy = to_gpu;
  away.finalize_and_map = done;
  down_read(&mm->mmap_sem);
  int error = migrate_vma(&away, find_vma(mm, ADDR), ADDR, ADDR + 4 * PAGE_SIZE, src, dst, &next);
  up_read(&mm->mmap_sem);
  mmput(mm);
`;

describe('a driver in C before 5.3', () => {
  it.each<[Release, string]>([
    ['4.14', 'int'],
    ['5.0', 'int'],
    ['5.2', 'vm_fault_t'],
  ])('%s: hmm_devmem and migrate_vma take four pages away, and a fault brings one home', (release, result) => {
    const machine = bootWith(release);
    const { kernel } = machine;
    const { mm, vma } = newSpace(machine, 4, 3);
    const text = OLD_DRIVER(result)
      .replace('PID', String(mm.owner.pid))
      .replaceAll('ADDR', `0x${(vma.start * 4096).toString(16)}UL`);
    const { program } = runC(machine, text);
    expect(program.error?.message).toBeUndefined();
    for (let i = 0; i < 4; i++) expect(pteKind(pteAt(mm, vma.start + i))).toBe(PteKind.DeviceWrite);
    const page = pte_pfn(pteAt(mm, vma.start));
    expect(kernel.pages.refcount.get(page)).toBe(2);
    expect(kernel.state.hmm_data.get(page)).toBe(42n);
    expect(run(machine, () => device_private_fault(kernel, { vma, vpn: vma.start, flags: 0 }, page))).toBe(0);
    expect(pteKind(pteAt(mm, vma.start))).toBe(PteKind.Present);
    expect(kernel.pages.refcount.get(page)).toBe(1);
    expect(mm.rss[MM_ANONPAGES]).toBe(4);
  });
});
