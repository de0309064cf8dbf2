/** mm/vmstat.c: counters of node and events, under the names they have in /proc/vmstat. */
import type { Kernel } from '../machine/kernel.ts';

/** Adds to a counter: `nr_anon_pages`, `pgfault` ... */
export function mod_vm(kernel: Kernel, name: string, delta: number): void {
  kernel.store.mapAdd(kernel.state.vm, name, delta);
}

export const count_vm_event = (kernel: Kernel, name: string, count = 1): void => mod_vm(kernel, name, count);

export const global_stat = (kernel: Kernel, name: string): number => kernel.state.vm.get(name) ?? 0;

/** True if `inject` armed this fault; it strikes once for each time. */
export function should_fail(kernel: Kernel, fault: string): boolean {
  const { injected } = kernel.state;
  const left = injected.get(fault) ?? 0;
  if (left === 0) return false;
  if (left === 1) kernel.store.mapDelete(injected, fault);
  else kernel.store.mapSet(injected, fault, left - 1);
  return true;
}
