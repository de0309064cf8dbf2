/** mm/oom_kill.c: the OOM reaper, which takes the memory of a dying process and must not sleep. */
import { type Mm, VM_HUGETLB, VM_PFNMAP, VM_SHARED } from '../include/mm_types.ts';
import { down_read_trylock, up_read } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { unmap_vmas } from './memory_zap.ts';
import {
  MMU_NOTIFY_CLEAR,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
} from './mmu_notifier.ts';

/** __oom_reap_task_mm: false where someone would have slept: the mmap lock, or who was to be told. */
export function* oom_reap_task_mm(kernel: Kernel, mm: Mm): KernelGenerator<boolean> {
  return yield* kernel.call('oom_reap_task_mm', [hex(mm.id)], reap(kernel, mm), String);
}

function* reap(kernel: Kernel, mm: Mm): KernelGenerator<boolean> {
  if (!down_read_trylock(kernel, mm.mmap_lock)) return false;
  let isDone = true;
  for (const vma of [...mm.vmas]) {
    if ((vma.flags & (VM_HUGETLB | VM_PFNMAP)) !== 0) continue;
    if (vma.file && (vma.flags & VM_SHARED) !== 0) continue;
    const range = mmu_notifier_range(MMU_NOTIFY_CLEAR, mm, vma.start, vma.end, undefined, false);
    if ((yield* mmu_notifier_invalidate_range_start(kernel, range)) !== 0) {
      isDone = false;
      continue;
    }
    yield* unmap_vmas(kernel, vma, vma.start, vma.end);
    yield* mmu_notifier_invalidate_range_end(kernel, range);
  }
  up_read(kernel, mm.mmap_lock);
  return isDone;
}
