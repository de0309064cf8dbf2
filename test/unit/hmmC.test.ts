/** HMM and notifiers driven by C text and by the shell, in each family of releases. */
import { describe, expect, it } from 'vitest';
import { type Machine, type Program, type Release, runShellLine } from '../../sim/index.ts';
import { boot, sh } from '../support/machines.ts';

const value = (program: Program | undefined): bigint | undefined =>
  program?.value?.kind === 'integer' ? program.value.value : undefined;
const run = (machine: Machine, line: string): bigint | undefined => value(sh(machine, line));

/** A process of four pages, and `mm` for its address space. */
function start(release: Release, pages = 4): Machine {
  const machine = boot('qemu-2g', release);
  sh(machine, 'proc new', `a = proc mmap 100 ${pages} rw`, 'mm = get_task_mm(find_task_by_vpid(100))');
  return machine;
}

describe('from the shell', () => {
  it('an interval notifier counts and a range is faulted into the real words of 6.12', () => {
    const machine = start('6.12');
    sh(
      machine,
      'struct mmu_interval_notifier ni',
      'struct mmu_interval_notifier_ops ops',
      'unsigned long pfns[4]',
      'struct hmm_range range',
    );
    expect(run(machine, 'mmu_interval_notifier_insert(&ni, mm, a, 4 * 4096, &ops)')).toBe(0n);
    expect(run(machine, 'ni.invalidate_seq')).toBe(1n);
    expect(run(machine, 'ni.interval_tree.last - ni.interval_tree.start')).toBe(4n * 4096n - 1n);
    sh(
      machine,
      'range.notifier = &ni; range.start = a; range.end = a + 4 * 4096; range.hmm_pfns = pfns',
      'range.notifier_seq = mmu_interval_read_begin(&ni)',
    );
    // A snapshot of nothing.
    sh(machine, 'mmap_read_lock(mm)');
    expect(run(machine, 'hmm_range_fault(&range)')).toBe(0n);
    expect(run(machine, 'pfns[0]')).toBe(0n);
    sh(machine, 'range.default_flags = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE');
    expect(run(machine, 'hmm_range_fault(&range)')).toBe(0n);
    sh(machine, 'mmap_read_unlock(mm)');
    for (const i of [0, 1, 2, 3]) {
      expect((run(machine, `pfns[${i}]`) ?? 0n) >> 62n).toBe(3n);
      expect(run(machine, `hmm_pfn_to_map_order(pfns[${i}])`)).toBe(0n);
      const pfn = (run(machine, `pfns[${i}]`) ?? 0n) & 0xffffffffffffffn;
      expect(run(machine, `page_to_pfn(hmm_pfn_to_page(pfns[${i}]))`)).toBe(pfn);
    }
    expect(run(machine, 'mmu_interval_read_retry(&ni, range.notifier_seq)')).toBe(0n);
    expect(machine.kernel.state.log.filter(({ warn }) => warn)).toEqual([]);
  });

  it('a pointer to no address space, and an array that is too short, are bad accesses that change nothing', () => {
    const machine = start('6.12');
    sh(machine, 'struct mmu_interval_notifier ni', 'struct hmm_range range', 'unsigned long pfns[2]');
    const before = machine.canonical();
    for (const line of [
      'mmap_read_lock(NULL)',
      'mmu_interval_read_begin(&ni)',
      'hmm_range_fault(&range)',
      'hmm_range_fault(NULL)',
    ])
      expect(runShellLine(machine, line)?.error?.name, line).toBe('BadAccess');
    expect(machine.canonical()).toBe(before);
  });

  it('a task that is not there has no address space', () => {
    const machine = start('6.12');
    expect(sh(machine, 'get_task_mm(find_task_by_vpid(4711))').valueText).toMatch(/NULL|0x0|\(nil\)/);
  });
});
