/** mm/vmstat.c: counters of node and events, under the names they have in /proc/vmstat. */
import type { Kernel } from '../machine/kernel.ts';

/** Adds to a counter: `nr_anon_pages`, `pgfault` ... */
export function mod_vm(kernel: Kernel, name: string, delta: number): void {
  kernel.store.mapAdd(kernel.state.vm, name, delta);
}

export const count_vm_event = (kernel: Kernel, name: string, count = 1): void => mod_vm(kernel, name, count);
