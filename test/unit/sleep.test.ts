/** Simulated time: sleep at the shell lets it pass, and waits with a limit end when it is over. */
import { describe, expect, it } from 'vitest';
import type { Release } from '../../sim/index.ts';
import { boot, sh } from '../support/machines.ts';

type Booted = ReturnType<typeof boot>;
const shown = (machine: Booted, line: string): string | undefined => sh(machine, line).output.at(-1);

/** A process of four pages with a range of an interval notifier over them. */
function ranged(release: Release = '7.3'): Booted {
  const machine = boot('qemu-2g', release);
  sh(machine, 'p = proc new', 'a = proc mmap p 4', 'mm = find_task_by_vpid(p)->mm');
  sh(machine, 'struct mmu_interval_notifier_ops ops', 'struct mmu_interval_notifier ni');
  sh(machine, 'mmu_interval_notifier_insert(&ni, mm, a, 4 * PAGE_SIZE, &ops)');
  sh(machine, 'unsigned long pfns[4] = { 0 }');
  sh(machine, 'struct hmm_range range = { .notifier = &ni, .start = a, .end = a + 4 * PAGE_SIZE, .hmm_pfns = pfns }');
  return machine;
}

describe('sleep', () => {
  it.each([
    ['5', 1250],
    ['0.5', 125],
    ['20ms', 5],
    ['1ms', 1],
    ['3j', 3],
    ['1m', 15_000],
    ['0', 0],
  ])('%s lets %i jiffies pass', (time, jiffies) => {
    const machine = boot('qemu-2g', '6.12');
    sh(machine, 'before = jiffies', `sleep ${time}`);
    expect(shown(machine, 'jiffies - before')).toBe(String(jiffies));
  });

  it.each(['', 'five', '-1', '1 2', '5x', '1e9', '99999999999'])('%s is refused, and no time passes', (time) => {
    const machine = boot('qemu-2g', '6.12');
    const before = machine.kernel.state.jiffies;
    expect(() => sh(machine, `sleep ${time}`)).toThrow(/usage: sleep|at most a year/);
    expect(machine.kernel.state.jiffies).toBe(before);
  });

  it('is undone by going back', () => {
    const machine = boot('qemu-2g', '6.12');
    const before = machine.kernel.state.jiffies;
    sh(machine, 'sleep 1');
    machine.travel(0);
    expect(machine.kernel.state.jiffies).toBe(before);
  });
});

describe('time in C', () => {
  it('passes in msleep(), and is compared as the kernel does', () => {
    const machine = boot('qemu-2g', '6.12');
    sh(machine, 'end = jiffies + msecs_to_jiffies(20)');
    expect(shown(machine, 'time_after(jiffies, end) + 2 * time_before(jiffies, end)')).toBe('2');
    sh(machine, 'msleep(10)');
    expect(shown(machine, 'jiffies_to_msecs(end - jiffies)')).toBe('4');
    sh(machine, 'int poll(void) { int n = 0; while (time_before_eq(jiffies, end)) { msleep(4); n++; } return n; }');
    expect(shown(machine, 'poll()')).toBe('1');
    expect(shown(machine, 'time_after_eq(jiffies, end)')).toBe('1');
  });
});

describe('hmm_range_fault_unlocked_timeout of 7.3', () => {
  it.each([
    ['a longer sleep', 'sleep 21ms', '-16'],
    ['a shorter one', 'sleep 20ms', '0'],
  ])('whose lock comes after %s', (_, line, result) => {
    const machine = ranged();
    sh(machine, 'mmap_write_lock(mm)', 'result = hmm_range_fault_unlocked_timeout(&range, msecs_to_jiffies(20))');
    sh(machine, line, 'mmap_write_unlock(mm)');
    expect(shown(machine, 'result')).toBe(result);
    expect(sh(machine, 'mmap_write_lock(mm)').status).toBe('done');
  });
});

describe('hmm_range_wait_until_valid', () => {
  const SYNC =
    'int sync(struct hmm_mirror *mirror, const struct mmu_notifier_range *update) { waited = hmm_range_wait_until_valid(&range, 40); return 0; }';
  const mirrored = (sync: string): Booted => {
    const machine = boot('qemu-2g', '5.4');
    sh(machine, 'p = proc new', 'a = proc mmap p 4', 'mm = find_task_by_vpid(p)->mm', 'bool waited = true');
    sh(machine, 'unsigned long pfns[4]', 'unsigned long flags[3]', 'unsigned long values[3]');
    sh(machine, 'struct hmm_range range', sync, 'struct hmm_mirror_ops ops', 'struct hmm_mirror mirror');
    sh(machine, 'ops.sync_cpu_device_pagetables = sync', 'mirror.ops = &ops', 'down_write(&mm->mmap_sem)');
    sh(machine, 'hmm_mirror_register(&mirror, mm)', 'up_write(&mm->mmap_sem)', 'proc write p a 4');
    sh(machine, 'range.start = a; range.end = a + 4 * PAGE_SIZE; range.pfns = pfns; range.flags = flags;');
    sh(machine, 'range.values = values');
    sh(machine, 'hmm_range_register(&range, &mirror)');
    return machine;
  };

  it('gives up when its time is over', () => {
    const machine = mirrored(
      'int sync(struct hmm_mirror *mirror, const struct mmu_notifier_range *update) { return 0; }',
    );
    sh(machine, 'struct mmu_notifier_range change = { .mm = mm, .start = a, .end = a + PAGE_SIZE }');
    sh(machine, 'mmu_notifier_invalidate_range_start(&change)');
    sh(machine, 'waited = hmm_range_wait_until_valid(&range, 40)', 'sleep 36ms');
    expect(machine.alive).toHaveLength(1);
    sh(machine, 'sleep 4ms');
    expect([machine.alive, shown(machine, 'waited')]).toEqual([[], 'false']);
  });

  it('that waits for itself is no deadlock: its time passes', () => {
    const machine = mirrored(SYNC);
    const before = machine.kernel.state.jiffies;
    expect(sh(machine, 'proc munmap p a 1').status).toBe('done');
    expect(shown(machine, 'waited')).toBe('false');
    expect(machine.kernel.state.jiffies - before).toBe(10);
    const end = machine.canonical();
    machine.travel(0);
    machine.travel(machine.steps.length);
    expect(machine.canonical()).toBe(end);
  });
});
