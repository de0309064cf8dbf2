/** drivers/base/core.c:device_hotplug_lock: one change of memory at a time; an offlining that does not end keeps it. */
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';

/** Runs `body` under the lock. */
export function* lock_device_hotplug<T>(kernel: Kernel, who: string, body: KernelGenerator<T>): KernelGenerator<T> {
  const { state, store } = kernel;
  if (state.device_hotplug_lock !== '')
    yield {
      kind: 'wait',
      on: {
        what: 'device_hotplug_lock',
        ready: () => state.device_hotplug_lock === '',
        holders: () => [state.device_hotplug_lock],
      },
    };
  store.set(state, 'device_hotplug_lock', who);
  const value = yield* body;
  store.set(state, 'device_hotplug_lock', '');
  return value;
}
