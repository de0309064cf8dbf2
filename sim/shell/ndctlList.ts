/** `ndctl list`: the objects of ndctl/json.c and ndctl/list.c (ndctl 76), fields in their order. */
import { bttSize, SECTOR_SIZES } from '../drivers/nvdimm/btt.ts';
import { availableSize, isActive, maxAvailableExtent } from '../drivers/nvdimm/namespace_devs.ts';
import type { NdBus, NdNamespace, NdRegion } from '../drivers/nvdimm/nd.ts';
import { SUPPORTED_ALIGNMENTS } from '../drivers/nvdimm/pfn_devs.ts';
import type { Kernel } from '../machine/kernel.ts';
import { daxRegionJson } from './daxctlList.ts';
import { ShellError } from './error.ts';
import { arrayText, hexJson, type Json, type JsonObject, jsonText, sizeJson } from './jsonText.ts';
import { blockDevice, modeOf, type NdMode, namespacesIn } from './ndctlLib.ts';
import { type Option, parseOptions } from './parseOptions.ts';

export interface ListFlags {
  human: boolean;
  verbose: boolean;
  /** Describe the DAX region instead of naming its device. */
  dax: boolean;
  capabilities: boolean;
}

/** json.c:util_namespace_to_json. */
export function namespaceJson(kernel: Kernel, namespace: NdNamespace, flags: ListFlags): JsonObject {
  const { claim, region } = namespace;
  const mode = modeOf(kernel, namespace);
  const sb = claim?.sb;
  const dax = claim?.kind === 'dax' ? claim : undefined;
  const map = claim ? { none: 'none', ram: 'mem', pmem: 'dev' }[claim.mode] : 'mem';
  const daxRegion = dax && kernel.state.nvdimm.dax.find(({ path }) => path.endsWith(`/${dax.name}`));
  const ownUuid = namespace.uuid === '' ? undefined : namespace.uuid;
  let size: bigint | undefined = namespace.size;
  if (sb?.signature === 'btt') size = claim?.bound ? bttSize(namespace.size, sb) : undefined;
  else if (sb) size = claim?.bound ? namespace.size - sb.start_pad - sb.end_trunc - sb.dataoff : undefined;
  return {
    dev: namespace.name,
    mode,
    map: mode === 'sector' || mode === 'raw' ? undefined : map,
    size: size === undefined ? undefined : sizeJson(size, flags.human),
    uuid: claim ? claim.uuid : region.labels ? (ownUuid ?? '00000000-0000-0000-0000-000000000000') : undefined,
    raw_uuid: claim && flags.verbose ? ownUuid : undefined,
    daxregion:
      daxRegion && flags.dax ? daxRegionJson(kernel, daxRegion, { ...flags, path: false, devices: true }) : undefined,
    chardev: daxRegion && !flags.dax ? daxRegion.devices[0]?.name : undefined,
    sector_size: dax ? undefined : sb?.signature === 'btt' ? sb.lbasize : 512,
    align: claim && claim.kind !== 'btt' ? claim.align : undefined,
    blockdev: blockDevice(namespace),
    state: isActive(namespace) ? undefined : 'disabled',
    name: namespace.alt_name === '' ? undefined : namespace.alt_name,
    numa_node: flags.verbose ? region.node : undefined,
    target_node: flags.verbose ? region.node : undefined,
  };
}

/** list.c:region_to_json. */
function regionJson(kernel: Kernel, region: NdRegion, flags: ListFlags): JsonObject {
  return {
    dev: region.name,
    size: sizeJson(region.size, flags.human),
    align: kernel.facts.memremapCompatAlign ? region.align : undefined,
    available_size: sizeJson(availableSize(region), flags.human),
    max_available_extent: sizeJson(maxAvailableExtent(region), flags.human),
    type: 'pmem',
    numa_node: flags.verbose ? region.node : undefined,
    target_node: flags.verbose ? region.node : undefined,
    iset_id: region.labels ? hexJson(isetCookie(region), flags.human) : undefined,
    capabilities: flags.capabilities
      ? [
          { mode: 'sector', sector_sizes: SECTOR_SIZES },
          { mode: 'fsdax', alignments: SUPPORTED_ALIGNMENTS },
          ...(region.seeds.dax ? [{ mode: 'devdax', alignments: SUPPORTED_ALIGNMENTS }] : []),
        ]
      : undefined,
    persistence_domain: region.labels ? 'memory_controller' : 'unknown',
  };
}

/** The cookie of an interleave set follows from its DIMMs; here from the place of the region. */
const isetCookie = (region: NdRegion): bigint =>
  BigInt.asUintN(63, (region.start + BigInt(region.id + 1)) * 0x9e3779b97f4a7c15n);

const busJson = (bus: NdBus): JsonObject => ({
  provider: bus.provider,
  dev: bus.name,
  scrub_state: bus.provider === 'ACPI.NFIT' ? 'idle' : undefined,
});

const OPTIONS: readonly Option[] = [
  { short: 'b', long: 'bus', value: 'bus-id', help: 'only this bus' },
  { short: 'r', long: 'region', value: 'region-id', help: 'only this region' },
  { short: 'n', long: 'namespace', value: 'namespace-id', help: 'only this namespace' },
  { short: 'm', long: 'mode', value: 'namespace-mode', help: 'only namespaces of this mode' },
  { short: 't', long: 'type', value: 'region-type', help: 'only regions of this type' },
  { short: 'B', long: 'buses', help: 'show buses' },
  { short: 'D', long: 'dimms', help: 'show DIMMs' },
  { short: 'R', long: 'regions', help: 'show regions' },
  { short: 'N', long: 'namespaces', help: 'show namespaces (default)' },
  { short: 'X', long: 'device-dax', help: 'describe device-dax' },
  { short: 'C', long: 'capabilities', help: 'show what regions can do' },
  { short: 'i', long: 'idle', help: 'also what is not in use' },
  { short: 'c', long: 'configured', help: 'also what is configured but disabled' },
  { short: 'u', long: 'human', help: 'numbers for people' },
  { short: 'v', long: 'verbose', help: 'more of everything; again for yet more' },
];

const MODE_NAMES: Readonly<Record<string, NdMode>> = {
  memory: 'fsdax',
  fsdax: 'fsdax',
  dax: 'devdax',
  devdax: 'devdax',
  safe: 'sector',
  sector: 'sector',
  raw: 'raw',
};
export const nsmode = (name: string): NdMode | undefined =>
  Object.hasOwn(MODE_NAMES, name) ? MODE_NAMES[name] : undefined;

/** A region by name or number, or any. */
export const regionFilter = (region: NdRegion, wanted: string | undefined): boolean =>
  wanted === undefined || wanted === 'all' || wanted === region.name || wanted === String(region.id);
export const busFilter = (bus: NdBus, wanted: string | undefined): boolean =>
  wanted === undefined ||
  wanted === 'all' ||
  wanted === bus.name ||
  wanted === bus.provider ||
  `ndbus${wanted}` === bus.name;

export function ndctlList(kernel: Kernel, args: readonly string[], print: (text: string) => void): void {
  const line = 'ndctl list [<options>]';
  const parsed = parseOptions(args, OPTIONS, line);
  const [extra] = parsed.rest;
  if (extra !== undefined) throw new ShellError(`  Error: unknown parameter "${extra}"\n\n usage: ${line}`);
  const type = parsed.value('type');
  if (type !== undefined && type !== 'pmem' && type !== 'blk')
    throw new ShellError(`  Error: unknown type "${type}" must be "pmem" or "blk"\n\n usage: ${line}`);
  const modeText = parsed.value('mode');
  const mode = modeText === undefined ? undefined : nsmode(modeText);
  if (modeText !== undefined && !mode) throw new ShellError(`  Error: invalid mode: '${modeText}'`);
  // Each -v adds what the one before did not show.
  const verbosity = args.reduce(
    (sum, word) => sum + (word === '--verbose' ? 1 : /^-[A-Za-z]+$/.test(word) ? word.split('v').length - 1 : 0),
    0,
  );
  const some = ['buses', 'dimms', 'regions', 'namespaces'].some((each) => parsed.has(each));
  const show = {
    buses: parsed.has('buses') || verbosity >= 2,
    regions: parsed.has('regions') || verbosity >= 2 || (!some && parsed.value('region') !== undefined),
    namespaces: parsed.has('namespaces') || verbosity >= 1 || (!some && parsed.value('region') === undefined),
  };
  const idle = parsed.has('idle') || parsed.has('configured') || verbosity >= 1;
  const flags: ListFlags = {
    human: parsed.has('human'),
    verbose: verbosity > 0,
    dax: parsed.has('device-dax') || verbosity >= 1,
    capabilities: parsed.has('capabilities') || verbosity >= 3,
  };
  const isShown = (namespace: NdNamespace): boolean =>
    (parsed.value('namespace') ?? namespace.name) === namespace.name &&
    (mode === undefined || mode === modeOf(kernel, namespace)) &&
    (idle || isActive(namespace)) &&
    (parsed.has('idle') || namespace.size > 0n);
  const namespacesOf = (region: NdRegion): JsonObject[] =>
    show.namespaces
      ? namespacesIn(region)
          .filter(isShown)
          .map((each) => namespaceJson(kernel, each, flags))
      : [];
  const buses: Json[] = [];
  const regions: Json[] = [];
  const namespaces: Json[] = [];
  for (const bus of kernel.state.nvdimm.buses) {
    if (!busFilter(bus, parsed.value('bus')) || type === 'blk') continue;
    const wanted = [...bus.regions].reverse().filter((region) => regionFilter(region, parsed.value('region')));
    const described = wanted.map((region): JsonObject => {
      const inside = namespacesOf(region);
      return { ...regionJson(kernel, region, flags), namespaces: inside.length > 0 ? inside : undefined };
    });
    const flat = wanted.flatMap(namespacesOf);
    if (show.buses)
      buses.push({
        ...busJson(bus),
        ...(show.regions
          ? { regions: described.length > 0 ? described : undefined }
          : { namespaces: flat.length > 0 ? flat : undefined }),
      });
    else if (show.regions) regions.push(...described);
    else namespaces.push(...flat);
  }
  const text = listText({ buses, regions, namespaces }, flags.human);
  if (text !== undefined) print(text);
}

/** util/filter.c:util_cmd_list_out: one kind alone is an array, regions with their namespaces stand in an object. */
function listText(
  lists: { buses: readonly Json[]; regions: readonly Json[]; namespaces: readonly Json[] },
  human: boolean,
): string | undefined {
  const { buses, regions, namespaces } = lists;
  if (buses.length > 0) return arrayText(buses, human);
  if (regions.length > 0) {
    const nested = regions.some((region) => typeof region === 'object' && 'namespaces' in region && region.namespaces);
    return nested ? jsonText({ regions }) : arrayText(regions, human);
  }
  return namespaces.length > 0 ? arrayText(namespaces, human) : undefined;
}
