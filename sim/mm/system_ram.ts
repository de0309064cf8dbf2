/** The resource of hot-added memory: mm/memory_hotplug.c and kernel/resource.c (6.12). */
import { isNull, structAt } from '../c/value.ts';
import {
  __request_region,
  childrenOf,
  IORESOURCE_SYSRAM_DRIVER_MANAGED,
  IORESOURCE_SYSRAM_MERGEABLE,
  IORESOURCE_SYSTEM_RAM,
  type Resource,
  release_resource,
  request_resource,
} from '../kernel/resource.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { mhp_range_allowed } from './memory_hotplug.ts';

const E2BIG = -7;
const EEXIST = -17;

/** memory_hotplug.c:register_memory_resource: -E2BIG beyond what can be mapped, -EEXIST where something busy lies. */
export function register_memory_resource(kernel: Kernel, start: bigint, size: bigint, name: string): Resource | number {
  let result: Resource | number = EEXIST;
  kernel.leaf(
    'register_memory_resource',
    [hex(start), hex(size), JSON.stringify(name)],
    () => {
      if (kernel.facts.mhpRangeAllowed && !mhp_range_allowed(kernel, start, size)) {
        result = E2BIG;
        return 'ERR_PTR(-E2BIG)';
      }
      const flags = IORESOURCE_SYSTEM_RAM | (name === 'System RAM' ? 0n : IORESOURCE_SYSRAM_DRIVER_MANAGED);
      const got = __request_region(kernel.store, kernel.state.iomem, start, size, name, 0n, flags);
      if (!('resource' in got)) return 'ERR_PTR(-EEXIST)';
      result = got.resource;
      return `[mem ${hex(start)}-${hex(start + size - 1n)}]`;
    },
    String,
  );
  return result;
}

/** resource.c:merge_system_ram_resource: joins it with neighbours that may be merged too. */
export function merge_system_ram_resource(kernel: Kernel, entry: Resource): void {
  const { store } = kernel;
  const parent = isNull(entry.parent) ? undefined : (structAt(entry.parent) as Resource | undefined);
  if (!parent) return;
  store.set(entry, 'flags', entry.flags | IORESOURCE_SYSRAM_MERGEABLE);
  const mergeable = (other: Resource): boolean =>
    other !== entry &&
    other.flags === entry.flags &&
    other.name === entry.name &&
    isNull(other.child) &&
    isNull(entry.child);
  const siblings = [...childrenOf(parent)];
  const before = siblings.find((other) => other.end + 1n === entry.start && mergeable(other));
  const after = siblings.find((other) => other.start === entry.end + 1n && mergeable(other));
  for (const other of [before, after])
    if (other) {
      release_resource(store, other);
      release_resource(store, entry);
      store.set(entry, 'start', other.start < entry.start ? other.start : entry.start);
      store.set(entry, 'end', other.end > entry.end ? other.end : entry.end);
      request_resource(store, parent, entry);
    }
}
