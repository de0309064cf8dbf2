/** Device-DAX objects: drivers/dax/dax-private.h (6.12). */
import type { CStruct } from '../../c/value.ts';
import type { Resource } from '../../kernel/resource.ts';
import type { Kernel } from '../../machine/kernel.ts';
import type { DeviceState } from '../../machine/state.ts';

export interface DaxRegion {
  readonly id: number;
  /** Below /sys/devices: the device that brought it. */
  readonly path: string;
  readonly start: bigint;
  /** Inclusive. */
  readonly end: bigint;
  readonly align: bigint;
  readonly node: number;
  readonly devices: DevDax[];
}

export type DaxDriver = 'device_dax' | 'kmem';

export interface DevDax {
  readonly name: string;
  readonly region: DaxRegion;
  readonly start: bigint;
  readonly end: bigint;
  readonly align: bigint;
  readonly target_node: number;
  readonly device: DeviceState;
  /** What dax_pmem prepared: it covers the whole namespace. */
  readonly pgmap: CStruct;
  driver: DaxDriver | undefined;
  /** Matched by name to kmem (its new_id file). */
  kmem_id: boolean;
  /** The memory that kmem added, or could not remove again. */
  kmem: Resource | undefined;
}

export function findDevDax(kernel: Kernel, name: string): DevDax | undefined {
  for (const region of kernel.state.nvdimm.dax)
    for (const device of region.devices) if (device.name === name) return device;
  return undefined;
}
