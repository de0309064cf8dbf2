/** Configuration options that depend on each other and on the release: mm/Kconfig, include/linux/mmzone.h. */
import { factsOf, type Release } from '../kernel/release.ts';
import type { MachineConfig } from './config.ts';
import type { Kernel } from './kernel.ts';

/** What a machine's options give in a release, or why they give no kernel. */
export interface Options {
  zoneDma: boolean;
  zoneDevice: boolean;
  devicePrivate: boolean;
  problems: string[];
}

/**
 * Both zones are on where both can be. To 4.5 they exclude each other: what the machine file asks for decides,
 * ZONE_DEVICE's default being the opposite of ZONE_DMA; a file that asks for neither gets ZONE_DEVICE.
 */
export function optionsOf({ config }: Pick<MachineConfig, 'config'>, release: Release): Options {
  const facts = factsOf(release);
  const problems: string[] = [];
  const lacksMap = facts.zoneDeviceNeedsVmemmap && !config.vmemmap;
  const isExclusive = facts.zoneDeviceExcludesZoneDma;
  const wanted = config.zoneDevice ?? !(isExclusive && config.zoneDma === true);
  const zoneDevice = facts.zoneDevice && wanted && !lacksMap;
  const zoneDma = config.zoneDma ?? !(isExclusive && zoneDevice);
  if (isExclusive && zoneDevice && zoneDma)
    problems.push(
      `config: zoneDevice and zoneDma are both on, which ${release} cannot build: five zones do not fit the two bits of ZONES_SHIFT; switch zoneDma off`,
    );
  if (config.zoneDevice === true && lacksMap)
    problems.push(`config: zoneDevice needs vmemmap in ${release}; switch vmemmap on or zoneDevice off`);
  const devicePrivate = facts.devicePrivate && zoneDevice && (config.devicePrivate ?? true);
  return { zoneDma, zoneDevice, devicePrivate, problems };
}

/** include/linux/page-flags-layout.h: the bits a zone number takes in page->flags; an array of zones beyond that does not build. */
export function ZONES_SHIFT(zones: number, release: Release): number | undefined {
  if (zones < 2) return 0;
  if (zones <= 2) return 1;
  if (zones <= 4) return 2;
  return zones <= 8 && factsOf(release).threeZoneBits ? 3 : undefined;
}

export const zoneDeviceIsOn = (kernel: Kernel): boolean => kernel.options.zoneDevice;
