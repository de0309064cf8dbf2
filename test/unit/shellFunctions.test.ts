/** Functions that a line of the shell defines: callbacks of a driver, given by hand. */
import { describe, expect, it } from 'vitest';
import { runShellLine } from '../../sim/index.ts';
import { boot, sh } from '../support/machines.ts';

const INVALIDATE =
  'static bool invalidate(struct mmu_interval_notifier *sub, const struct mmu_notifier_range *range, unsigned long seq) { heard = heard + 1; mmu_interval_set_seq(sub, seq); return true; }';

/** A process whose four pages an interval notifier watches by a callback in C. */
function watched() {
  const machine = boot('qemu-2g', '6.12');
  sh(machine, 'p = proc new', 'a = proc mmap p 4', 'proc write p a 4', 'mm = find_task_by_vpid(p)->mm');
  sh(machine, 'heard = 0', INVALIDATE, 'struct mmu_interval_notifier_ops ops = { .invalidate = invalidate }');
  sh(machine, 'struct mmu_interval_notifier ni', 'mmu_interval_notifier_insert(&ni, mm, a, 4 * PAGE_SIZE, &ops)');
  return machine;
}
const shown = (machine: ReturnType<typeof boot>, line: string): string | undefined => sh(machine, line).output.at(-1);

describe('a function defined at the shell', () => {
  it('is called back by the kernel and sees the variables of the shell', () => {
    const machine = watched();
    sh(machine, 'proc munmap p a 1');
    expect(shown(machine, 'heard')).toBe('1');
  });

  it('can be called by a later line, and replaced', () => {
    const machine = boot('qemu-2g', '6.12');
    sh(machine, 'int twice(int n) { return 2 * n; }');
    expect(shown(machine, 'twice(21)')).toBe('42');
    sh(machine, 'int twice(int n) { return n + n + 1; }');
    expect(shown(machine, 'twice(21)')).toBe('43');
  });

  it('is gone when time goes back to before it', () => {
    const machine = boot('qemu-2g', '6.12');
    sh(machine, 'x = 1', 'int one(void) { return x; }');
    expect(shown(machine, 'one()')).toBe('1');
    machine.travel(1);
    expect(runShellLine(machine, 'one()')?.error?.message).toMatch(/one/);
  });

  it('that does not parse is refused with a reason, and a statement is no definition', () => {
    const machine = boot('qemu-2g', '6.12');
    expect(runShellLine(machine, 'int broken(int n) { return (n; }')?.error).toBeDefined();
    sh(machine, 'n = 0');
    expect(shown(machine, 'if (n == 0) { n = 5; }')).not.toBe('0');
    expect(shown(machine, 'n')).toBe('5');
  });
});

it('an invalidation that one line begins another line ends, and who waited for it goes on', () => {
  const machine = watched();
  sh(machine, 'struct mmu_notifier_range change = { .mm = mm, .start = a, .end = a + PAGE_SIZE }');
  sh(machine, 'mmu_notifier_invalidate_range_start(&change)', 'seq = 0');
  const reader = runShellLine(machine, 'seq = mmu_interval_read_begin(&ni)');
  expect(reader?.status).toBe('waiting');
  sh(machine, 'mmu_notifier_invalidate_range_end(&change)');
  expect(reader?.status).toBe('done');
  expect(shown(machine, 'seq == ni.invalidate_seq')).toBe('1');
});

it('a variable that is called like a command has members', () => {
  const machine = boot('qemu-2g', '6.12');
  sh(machine, 'struct dev_pagemap pagemap = { .nr_range = 1 }', 'pagemap.nr_range = 2');
  expect(shown(machine, 'pagemap.nr_range')).toBe('2');
});
