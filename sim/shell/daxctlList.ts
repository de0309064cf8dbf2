/** `daxctl list`: the objects of daxctl/json.c (ndctl 76), fields in their order. */
import type { DaxRegion, DevDax } from '../drivers/dax/dax.ts';
import type { VirtualNode } from '../fs/files.ts';
import type { Kernel } from '../machine/kernel.ts';
import { isOnline, memblocks } from './daxctlMemory.ts';
import { ShellError } from './error.ts';
import { arrayText, hexJson, type JsonObject, sizeJson } from './jsonText.ts';
import { type Option, parseOptions } from './parseOptions.ts';

type FindNode = (kernel: Kernel, path: string) => VirtualNode | undefined;

export interface DaxFlags {
  human: boolean;
  mappings?: boolean;
  /** Where the memory blocks are; without it nothing is said of them. */
  find?: FindNode;
}

const lengthOf = (range: { start: bigint; end: bigint }): bigint => range.end - range.start + 1n;

/** json.c:util_daxctl_dev_to_json. */
export function devJson(kernel: Kernel, dev: DevDax, flags: DaxFlags): JsonObject {
  const isMemory = dev.driver === 'kmem';
  const blocks = isMemory && flags.find ? memblocks(kernel, flags.find, dev) : [];
  const online = blocks.filter(isOnline);
  return {
    chardev: dev.name,
    size: sizeJson(lengthOf(dev), flags.human),
    target_node: kernel.facts.daxBus ? dev.target_node : undefined,
    align: kernel.facts.daxDeviceAlign ? dev.align : undefined,
    mode: isMemory ? 'system-ram' : 'devdax',
    online_memblocks: blocks.length > 0 ? online.length : undefined,
    total_memblocks: blocks.length > 0 ? blocks.length : undefined,
    movable: online.length > 0 ? online.every(({ zones }) => zones.startsWith('Movable')) : undefined,
    state: dev.driver ? undefined : 'disabled',
    mappings: flags.mappings
      ? [
          {
            page_offset: hexJson(0n, flags.human),
            start: hexJson(dev.start, flags.human),
            end: hexJson(dev.end, flags.human),
            size: sizeJson(lengthOf(dev), flags.human),
          },
        ]
      : undefined,
  };
}

/** json.c:util_daxctl_region_to_json. */
export function daxRegionJson(
  kernel: Kernel,
  region: DaxRegion,
  flags: DaxFlags & { path: boolean; devices: boolean },
  wanted?: string,
): JsonObject {
  const devices = region.devices.filter((dev) => (wanted ?? dev.name) === dev.name);
  return {
    path: flags.path ? region.path : undefined,
    id: region.id,
    size: sizeJson(lengthOf(region), flags.human),
    align: region.align,
    devices: flags.devices && devices.length > 0 ? devices.map((dev) => devJson(kernel, dev, flags)) : undefined,
  };
}

const OPTIONS: readonly Option[] = [
  { short: 'r', long: 'region', value: 'region-id', help: 'only this region' },
  { short: 'd', long: 'dev', value: 'dev-id', help: 'only this device' },
  { short: 'D', long: 'devices', help: 'show devices' },
  { short: 'R', long: 'regions', help: 'show regions' },
  { short: 'M', long: 'mappings', help: 'show where devices lie' },
  { short: 'i', long: 'idle', help: 'also what is not in use' },
  { short: 'u', long: 'human', help: 'numbers for people' },
];

/** The regions as libdaxctl lists them: each one found goes to the head. */
export const daxRegions = (kernel: Kernel): DaxRegion[] => [...kernel.state.nvdimm.dax].reverse();

export const daxRegionFilter = (region: DaxRegion, wanted: string | undefined): boolean =>
  wanted === undefined || wanted === 'all' || wanted === String(region.id) || wanted === `region${region.id}`;

export function daxctlList(
  kernel: Kernel,
  find: FindNode,
  args: readonly string[],
  print: (text: string) => void,
): void {
  const line = 'daxctl list [<options>]';
  const parsed = parseOptions(args, OPTIONS, line);
  const [extra] = parsed.rest;
  if (extra !== undefined) throw new ShellError(`  Error: unknown parameter "${extra}"\n\n usage: ${line}`);
  const wanted = parsed.value('dev');
  const some = parsed.has('devices') || parsed.has('regions');
  const showRegions = parsed.has('regions') || (!some && parsed.value('region') !== undefined);
  const showDevices = parsed.has('devices') || (!some && (wanted !== undefined || !showRegions));
  const flags = { human: parsed.has('human'), mappings: parsed.has('mappings'), find };
  const regions = daxRegions(kernel).filter((region) => daxRegionFilter(region, parsed.value('region')));
  const list = showRegions
    ? regions.map((region) => daxRegionJson(kernel, region, { ...flags, path: true, devices: showDevices }, wanted))
    : regions.flatMap((region) =>
        region.devices.filter((dev) => (wanted ?? dev.name) === dev.name).map((dev) => devJson(kernel, dev, flags)),
      );
  const text = list.length > 0 ? arrayText(list, flags.human) : undefined;
  if (text !== undefined) print(text);
}
