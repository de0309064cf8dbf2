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
    const filled = text.replace('PID', String(mm.owner.pid)).replaceAll('ADDR', `0x${(vma.start * 4096).toString(16)}UL`);
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
