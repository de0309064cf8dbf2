/** lib/fault-inject.c: failures that `inject` arms. */
import type { Kernel } from '../machine/kernel.ts';

/** True if `inject` armed this fault; it strikes once for each time. */
export function should_fail(kernel: Kernel, fault: string): boolean {
  const { injected } = kernel.state;
  if (injected.size === 0) return false;
  const left = injected.get(fault) ?? 0;
  if (left === 0) return false;
  if (left === 1) kernel.store.mapDelete(injected, fault);
  else kernel.store.mapSet(injected, fault, left - 1);
  return true;
}
