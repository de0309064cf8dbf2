/** What the command line says about memory hotplug: the parameters of mm/memory_hotplug.c and drivers/base/memory.c (6.12). */
import { MMOP_OFFLINE, type Mmop, ONLINE_TYPES } from '../include/memory.ts';
import { kstrtobool } from '../lib/kstrtox.ts';
import type { Kernel } from '../machine/kernel.ts';

/** The last `name=value` of the command line; dashes and underscores in names are the same, as the kernel has it. */
function parameter(kernel: Kernel, name: string): string | undefined {
  let value: string | undefined;
  for (const word of kernel.config.cmdline.split(/\s+/)) {
    const at = word.indexOf('=');
    const key = (at < 0 ? word : word.slice(0, at)).replace(/-/g, '_');
    if (key === name) value = at < 0 ? '' : word.slice(at + 1).replace(/^"(.*)"$/, '$1');
  }
  return value;
}

/** The type whose name `text` is (mhp_online_type_from_str, with sysfs_streq: one newline may follow). */
export function mhp_online_type_from_str(text: string): Mmop | undefined {
  const index = (ONLINE_TYPES as readonly string[]).indexOf(text.replace(/\n$/, ''));
  return index < 0 ? undefined : (index as Mmop);
}

export interface HotplugParams {
  memmap_on_memory: 'N' | 'Y' | 'force';
  online_policy: 'contig-zones' | 'auto-movable';
  auto_movable_ratio: number;
  auto_movable_numa_aware: boolean;
}

/** The parameters of the memory_hotplug module; what makes no sense keeps its default, as at boot. */
export function hotplugParams(kernel: Kernel): HotplugParams {
  const of = (name: string): string | undefined => parameter(kernel, `memory_hotplug.${name}`);
  const memmap = of('memmap_on_memory');
  const ratio = of('auto_movable_ratio');
  const aware = of('auto_movable_numa_aware');
  const isForce = memmap === 'force' && kernel.facts.memmapOnMemoryForce;
  return {
    memmap_on_memory: !kernel.facts.memmapOnMemory
      ? 'N'
      : isForce
        ? 'force'
        : memmap !== undefined && (memmap === '' || kstrtobool(memmap))
          ? 'Y'
          : 'N',
    online_policy:
      of('online_policy') === 'auto-movable' && kernel.facts.memoryGroups ? 'auto-movable' : 'contig-zones',
    auto_movable_ratio: ratio !== undefined && /^\d{1,9}$/.test(ratio) ? Number(ratio) : 301,
    auto_movable_numa_aware: aware === undefined ? true : (kstrtobool(aware) ?? true),
  };
}

/** memhp_default_state=: how memory comes online by itself; offline without it, as on the recorded machine. */
export function defaultOnlineType(kernel: Kernel): Mmop {
  return mhp_online_type_from_str(parameter(kernel, 'memhp_default_state') ?? '') ?? MMOP_OFFLINE;
}

/** mm/memory_hotplug.c:movable_node_enabled. */
export const movable_node_enabled = (kernel: Kernel): boolean => parameter(kernel, 'movable_node') !== undefined;
