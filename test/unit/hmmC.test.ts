/** HMM and notifiers driven by C text and by the shell, in each family of releases. */
import { describe, expect, it } from 'vitest';
import type { CStruct } from '../../sim/c/value.ts';
import { blockProgram, type Machine, type Program, type Release, runShellLine } from '../../sim/index.ts';
import { put_c_notifier } from '../../sim/mm/cnotifier_get.ts';
import { mmu_interval_read_begin } from '../../sim/mm/mmu_notifier.ts';
import { subscriptionsOf } from '../../sim/mm/mmu_notifier_state.ts';
import { boot, sh } from '../support/machines.ts';
import { begin } from '../support/mirrors.ts';
import { run as onMachine } from '../support/testDevice.ts';

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

/** A block of C over file-level text: its program, run to its end or its first wait. */
function block(machine: Machine, text: string, file: string): Program {
  const { spec } = blockProgram(machine.kernel, { label: 'driver', text, holes: {}, standIns: { all: file } });
  const program = machine.start(spec);
  while (machine.advance(program) === 'step');
  machine.runReady();
  return program;
}
const logged = (machine: Machine): string[] =>
  machine.kernel.state.log.map(({ text }) => text).filter((text) => text.startsWith('driver: '));
const finish = (program: Program): void => {
  expect(program.error?.message).toBeUndefined();
  expect(program.status, program.waitsFor?.what).toBe('done');
};

describe('a driver in C', () => {
  const INTERVAL = `
static struct mmu_interval_notifier ni;
static bool invalidate(struct mmu_interval_notifier *sub, const struct mmu_notifier_range *range, unsigned long seq)
{
	mmu_interval_set_seq(sub, seq);
	pr_info("driver: event %d of %lu pages, seq %lu, %s", range->event,
		(range->end - range->start) >> 12, seq, mmu_notifier_range_blockable(range) ? "may sleep" : "must not sleep");
	pr_info("driver: done");
	return true;
}
static const struct mmu_interval_notifier_ops ops = { .invalidate = invalidate };
`;
  it('hears of munmap through its invalidate(), a frame of the task that unmaps', () => {
    const machine = start('6.12');
    finish(
      block(
        machine,
        `struct mm_struct *mm = get_task_mm(find_task_by_vpid(100));
         struct vm_area_struct *vma = find_vma(mm, 0);
         mmu_interval_notifier_insert(&ni, mm, vma->vm_start, vma->vm_end - vma->vm_start, &ops);
         mmput(mm);`,
        INTERVAL,
      ),
    );
    sh(machine, 'proc write 100 a 4', 'proc munmap 100 a 2');
    expect(logged(machine)).toEqual(['driver: event 0 of 2 pages, seq 3, may sleep', 'driver: done']);
  });

  it('its callback can be paused, while a reader of the interval waits for that task', () => {
    const machine = start('6.12');
    finish(
      block(
        machine,
        `struct mm_struct *mm = get_task_mm(find_task_by_vpid(100));
         mmu_interval_notifier_insert(&ni, mm, 0, 1UL << 46, &ops);
         mmput(mm);`,
        INTERVAL,
      ),
    );
    const { spec } = blockProgram(machine.kernel, {
      label: 'core',
      text: `struct mmu_notifier_range range = { .start = 0x1000, .end = 0x3000, .event = MMU_NOTIFY_CLEAR };
             range.mm = find_task_by_vpid(100)->mm;
             mmu_notifier_invalidate_range_start(&range);
             mmu_notifier_invalidate_range_end(&range);`,
      holes: {},
      standIns: {},
    });
    const core = machine.start(spec);
    let stop = '';
    do
      stop = machine.advance(core, {
        shouldPause: (point) =>
          point.kind === 'statement' && point.frame.name === 'invalidate' && logged(machine).length > 0,
      });
    while (stop === 'step');
    expect(stop).toBe('pause');
    expect(core.frames.map(({ name }) => name)).toContain('mmu_notifier_invalidate_range_start');
    const mm = machine.kernel.state.processes.get(100)?.mm;
    const [sub] = (mm && subscriptionsOf(mm)?.itree) ?? [];
    if (!sub) throw new Error('no subscription');
    const reader = begin(machine, 'reader', () => mmu_interval_read_begin(machine.kernel, sub)).program;
    expect(reader.waitsFor?.holderTasks?.()).toEqual([core.id]);
    while (machine.advance(core) === 'step');
    finish(core);
    machine.runReady();
    finish(reader);
    expect(logged(machine)).toHaveLength(2);
  });

  it.each([
    ['4.18', 'void', 'struct mm_struct *mm, unsigned long start, unsigned long end', 'start, end', ''],
    [
      '4.20',
      'int',
      'struct mm_struct *mm, unsigned long start, unsigned long end, bool blockable',
      'start, end',
      'return 0;',
    ],
    ['6.12', 'int', 'const struct mmu_notifier_range *range', 'range->start, range->end', 'return 0;'],
  ] as const)('has list notifiers with the arguments of %s', (release, type, parameters, bounds, last) => {
    const machine = start(release);
    finish(
      block(
        machine,
        `struct mm_struct *mm = get_task_mm(find_task_by_vpid(100));
         mmu_notifier_register(&mn, mm);
         mmput(mm);`,
        `static struct mmu_notifier_ops ops;
         static ${type} started(struct mmu_notifier *mn, ${parameters})
         { pr_info("driver: %lx-%lx", ${bounds}); ${last} }
         static void released(struct mmu_notifier *mn, struct mm_struct *mm) { pr_info("driver: release"); }
         static const struct mmu_notifier_ops mops = { .invalidate_range_start = started, .release = released };
         static struct mmu_notifier mn = { .ops = &mops };`,
      ),
    );
    sh(machine, 'proc write 100 a 4', 'proc munmap 100 a 2', 'mmput(mm)', 'proc exit 100');
    expect(logged(machine)[0]).toMatch(/^driver: [0-9a-f]+000-[0-9a-f]+000$/);
    expect(logged(machine).at(-1)).toBe('driver: release');
  });
});

describe('mmu_notifier_get and mmu_notifier_put', () => {
  const DRIVER = `
static struct mmu_notifier mine;
static int fails;
static struct mmu_notifier *alloc(struct mm_struct *mm)
{ pr_info("driver: alloc"); if (fails) return ERR_PTR(-EINVAL); return &mine; }
static void freed(struct mmu_notifier *mn) { pr_info("driver: free"); }
static int started(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{ pr_info("driver: start"); return 0; }
static const struct mmu_notifier_ops mops = { .alloc_notifier = alloc, .free_notifier = freed, .invalidate_range_start = started };`;
  const structOf = (machine: Machine): CStruct => {
    const [mm] = machine.kernel.state.mms.values();
    const struct = mm && subscriptionsOf(mm)?.list[0]?.c;
    if (!struct) throw new Error('no notifier');
    return struct;
  };
  const put = (machine: Machine, struct: CStruct): void =>
    onMachine(machine, (kernel) => put_c_notifier(kernel, struct));
  const mmCount = (machine: Machine): number | undefined => [...machine.kernel.state.mms.values()][0]?.mm_count;

  it('one notifier for all who ask; the last put frees it, and no release is called', () => {
    const machine = start('6.12');
    const before = mmCount(machine);
    finish(
      block(
        machine,
        `struct mm_struct *mm = current->mm;
         struct mmu_notifier *one = mmu_notifier_get(&mops, mm);
         struct mmu_notifier *two = mmu_notifier_get(&mops, mm);
         pr_info("driver: same %d users %u", one == two, one->users);
         mmu_notifier_put(two);`,
        DRIVER,
      ),
    );
    sh(machine, 'proc write 100 a 4', 'proc munmap 100 a 2');
    expect(mmCount(machine)).toBe((before ?? 0) + 1);
    put(machine, structOf(machine));
    sh(machine, 'proc munmap 100 a+0x2000 2');
    expect(logged(machine)).toEqual(['driver: alloc', 'driver: same 1 users 2', 'driver: start', 'driver: free']);
    expect(mmCount(machine)).toBe(before);
    sh(machine, 'mmput(mm)', 'proc exit 100');
    expect(machine.kernel.state.mms.size).toBe(0);
  });

  it('what alloc_notifier refuses is refused; a put behind the exit of the process frees, too', () => {
    const machine = start('5.4');
    finish(
      block(
        machine,
        `fails = 1;
         pr_info("driver: %ld", PTR_ERR(mmu_notifier_get(&mops, current->mm)));
         fails = 0;
         mmu_notifier_get(&mops, current->mm);`,
        DRIVER,
      ),
    );
    const struct = structOf(machine);
    sh(machine, 'mmput(mm)', 'proc exit 100');
    expect(machine.kernel.state.mms.size).toBe(1);
    put(machine, struct);
    expect(machine.kernel.state.mms.size).toBe(0);
    expect(logged(machine).filter((line) => line !== 'driver: start')).toEqual([
      'driver: alloc',
      'driver: -22',
      'driver: alloc',
      'driver: free',
    ]);
    put(machine, struct);
    expect(machine.kernel.state.log.at(-1)?.warn).toBe(true);
  });
});

describe('mirrors in C', () => {
  const MIRROR = (type: string, parameters: string, last: string): string => `
static struct hmm_mirror mirror;
static ${type} sync(struct hmm_mirror *m, ${parameters}) { pr_info("driver: sync"); ${last} }
static const struct hmm_mirror_ops ops = { .sync_cpu_device_pagetables = sync };
`;
  const REGISTER = `struct mm_struct *mm = get_task_mm(find_task_by_vpid(100));
    mirror.ops = &ops;
    down_write(&mm->mmap_sem);
    pr_info("driver: register %d", hmm_mirror_register(&mirror, mm));
    up_write(&mm->mmap_sem);`;

  it('4.16: fixed bits, bounds and array as arguments', () => {
    const machine = start('4.16');
    finish(
      block(
        machine,
        `${REGISTER}
         struct vm_area_struct *vma = find_vma(mm, 0);
         struct hmm_range range;
         hmm_pfn_t pfns[4];
         down_read(&mm->mmap_sem);
         pr_info("driver: %d", hmm_vma_fault(vma, &range, vma->vm_start, vma->vm_end, pfns, true, true));
         pr_info("driver: %lx", pfns[0] & 0x7f);
         pr_info("driver: %d", hmm_vma_range_done(vma, &range));
         up_read(&mm->mmap_sem);
         mmput(mm);`,
        MIRROR('void', 'enum hmm_update_type action, unsigned long start, unsigned long end', ''),
      ),
    );
    expect(logged(machine)).toEqual(['driver: register 0', 'driver: 0', 'driver: 7', 'driver: 1']);
    sh(machine, 'proc munmap 100 a 1');
    expect(logged(machine).at(-1)).toBe('driver: sync');
  });

  const FLAGS = `
static const uint64_t flags[] = { 1UL << 63, 1UL << 62, 1UL << 61 };
static const uint64_t values[] = { 0xfffffffffffffffe, 0, 0xfffffffffffffffc };
`;
  it('4.17: bits of the driver; a hole that one entry asks for is faulted as a whole', () => {
    const machine = start('4.17');
    finish(
      block(
        machine,
        `${REGISTER}
         struct hmm_range range;
         uint64_t pfns[4];
         range.vma = find_vma(mm, 0);
         range.start = range.vma->vm_start;
         range.end = range.vma->vm_end;
         range.pfns = pfns;
         range.flags = flags;
         range.values = values;
         range.pfn_shift = 0;
         pfns[0] = flags[0] | flags[1];
         pfns[1] = pfns[2] = pfns[3] = 0;
         down_read(&mm->mmap_sem);
         pr_info("driver: %d", hmm_vma_fault(&range, true));
         up_read(&mm->mmap_sem);
         pr_info("driver: %lx %lx", pfns[0] >> 60, pfns[3] >> 60);
         pr_info("driver: %d", hmm_vma_range_done(&range));
         hmm_mirror_unregister(&mirror);
         mmput(mm);`,
        `${FLAGS}${MIRROR('void', 'enum hmm_update_type action, unsigned long start, unsigned long end', '')}`,
      ),
    );
    expect(logged(machine)).toEqual(['driver: register 0', 'driver: 0', 'driver: c c', 'driver: 1']);
  });

  it.each([
    ['5.2', 'const struct hmm_update *update', 'hmm_range_register(&range, mm, start, end, 12)', 'true'],
    ['5.3', 'const struct hmm_update *update', 'hmm_range_register(&range, &mirror, start, end, 12)', 'true'],
    ['5.4', 'const struct mmu_notifier_range *update', 'hmm_range_register(&range, &mirror)', '0'],
  ] as const)('%s: register, wait, fault, look whether it is valid, unregister', (release, update, register, flag) => {
    const machine = start(release);
    finish(
      block(
        machine,
        `${REGISTER}
         struct hmm_range range;
         uint64_t pfns[4];
         unsigned long start = find_vma(mm, 0)->vm_start, end = start + 4 * 4096;
         range.start = start;
         range.end = end;
         range.pfns = pfns;
         range.flags = flags;
         range.values = values;
         range.pfn_shift = 0;
         range.default_flags = flags[0] | flags[1];
         range.pfn_flags_mask = 0;
         pr_info("driver: %d", ${register});
         pr_info("driver: %d", hmm_range_wait_until_valid(&range, HMM_RANGE_DEFAULT_TIMEOUT));
         down_read(&mm->mmap_sem);
         pr_info("driver: %ld", hmm_range_fault(&range, ${flag}));
         up_read(&mm->mmap_sem);
         pr_info("driver: %lx %d", pfns[3] >> 60, hmm_range_valid(&range));
         hmm_range_unregister(&range);
         hmm_mirror_unregister(&mirror);
         mmput(mm);`,
        `${FLAGS}${MIRROR('int', update, 'return 0;')}`,
      ),
    );
    expect(logged(machine)).toEqual(['driver: register 0', 'driver: 0', 'driver: 1', 'driver: 4', 'driver: c 1']);
  });

  it('5.4: mapped for DMA, a page has its physical address; unmapped, it is none', () => {
    const machine = start('5.4');
    finish(
      block(
        machine,
        `${REGISTER}
         struct device *dev = root_device_register("card");
         struct hmm_range range;
         uint64_t pfns[4];
         dma_addr_t daddrs[4];
         range.start = find_vma(mm, 0)->vm_start;
         range.end = range.start + 4 * 4096;
         range.pfns = pfns;
         range.flags = flags;
         range.values = values;
         range.pfn_shift = 8;
         range.default_flags = flags[0] | flags[1];
         range.pfn_flags_mask = 0;
         hmm_range_register(&range, &mirror);
         down_read(&mm->mmap_sem);
         pr_info("driver: %ld", hmm_range_dma_map(&range, dev, daddrs, 0));
         up_read(&mm->mmap_sem);
         pr_info("driver: %d", daddrs[1] == page_to_pfn(hmm_device_entry_to_page(&range, pfns[1])) << 12);
         pr_info("driver: %ld", hmm_range_dma_unmap(&range, dev, daddrs, true));
         pr_info("driver: %lx %lx", pfns[1], daddrs[1]);
         pr_info("driver: %ld", hmm_range_dma_unmap(&range, dev, NULL, true));
         hmm_range_unregister(&range);`,
        `static const uint64_t flags[] = { 1, 2, 4 };
         static const uint64_t values[] = { 0xe0, 0xa0, 0xc0 };
         ${MIRROR('int', 'const struct mmu_notifier_range *update', 'return 0;')}`,
      ),
    );
    expect(logged(machine).slice(1)).toEqual(['driver: 4', 'driver: 1', 'driver: 4', 'driver: a0 0', 'driver: -22']);
  });
});
