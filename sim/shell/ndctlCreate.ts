/** `ndctl create-namespace`: ndctl/namespace.c (ndctl 76), its checks in their order. */
import { SECTOR_SIZES } from '../drivers/nvdimm/btt.ts';
import { nd_attach_ndns, nd_detach_and_reset } from '../drivers/nvdimm/claim.ts';
import { isActive, maxAvailableExtent, namespace_size_store } from '../drivers/nvdimm/namespace_devs.ts';
import {
  EINVAL,
  ENODEV,
  ENXIO,
  type NdClaim,
  type NdNamespace,
  type NdRegion,
  SZ_4K,
  SZ_16M,
  uuid_generate,
} from '../drivers/nvdimm/nd.ts';
import { SUPPORTED_ALIGNMENTS } from '../drivers/nvdimm/pfn_devs.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import { jsonText } from './jsonText.ts';
import {
  modeOf,
  type NdMode,
  namespacesIn,
  ndctl_claim_enable,
  ndctl_namespace_disable_invalidate,
  ndctl_namespace_disable_safe,
  ndctl_namespace_enable,
  strerror,
} from './ndctlLib.ts';
import { namespaceJson, nsmode } from './ndctlList.ts';
import { type Parsed, parseSize } from './parseOptions.ts';

const EAGAIN = -11;
const ENOTTY = -25;

/** One run of ndctl: what it prints, and how many errors it has named itself. */
export interface NdctlRun {
  readonly kernel: Kernel;
  readonly command: string;
  readonly force: boolean;
  readonly onlineBlocks: (device: string) => number;
  print(text: string): void;
  errors: number;
}

/** error(): said and left to the end to be counted by its errno. */
export const error = (run: NdctlRun, text: string): void => run.print(`  Error: ${text}\n`);
/** err(): said under the command's name, so that no general message follows. */
export const err = (run: NdctlRun, text: string): void => {
  run.errors++;
  error(run, `${run.command}: ${text}`);
};

interface Plan {
  mode: NdMode;
  map: 'ram' | 'pmem' | undefined;
  size: bigint;
  align: bigint;
  sectorSize: bigint | undefined;
  uuid: string | undefined;
  name: string;
}

/** namespace.c:do_setup_pfn: does fsdax need a pfn device? Legacy memory with its memmap in RAM does not. */
const needsPfn = (kernel: Kernel, namespace: NdNamespace | undefined, plan: Plan): boolean =>
  plan.mode === 'fsdax' && (!namespace || modeOf(kernel, namespace) !== 'fsdax' || plan.map === 'pmem');

/** namespace.c:validate_namespace_options. -EAGAIN: another region may do. */
function plan(run: NdctlRun, region: NdRegion, namespace: NdNamespace | undefined, options: Parsed): Plan | number {
  const { kernel } = run;
  const sizeText = options.value('size');
  const asked = sizeText === undefined ? undefined : parseSize(sizeText);
  let size = asked ? asked.size : (namespace?.size ?? 0n);
  const unit = asked?.unit ?? 1n;
  if (!namespace) {
    const available = region.labels ? maxAvailableExtent(region) : region.size;
    if (available === 0n || size > available) return EAGAIN;
    if (size === 0n) size = available;
  }
  if (!region.labels && size !== region.size) {
    error(run, 'Legacy / label-less namespaces do not support sub-dividing a region');
    error(run, 'Retry without -s/--size=');
    return EINVAL;
  }
  const modeText = options.value('mode');
  const mode = modeText === undefined ? (namespace ? modeOf(kernel, namespace) : 'fsdax') : (nsmode(modeText) ?? 'raw');
  const seed = mode === 'fsdax' ? region.seeds.pfn : mode === 'devdax' ? region.seeds.dax : undefined;
  if (mode === 'devdax' && !seed) {
    error(run, 'Kernel does not support devdax mode');
    return ENODEV;
  }
  const align = alignment(run, region, namespace, mode, seed, options.value('align'));
  if (typeof align === 'number') return align;
  if (size % region.align !== 0n) {
    err(
      run,
      `${region.name}: align setting is 0x${region.align.toString(16)} size 0x${size.toString(16)} is misaligned`,
    );
    return EINVAL;
  }
  if (size % align !== 0n) {
    const step = unit > align ? unit : align;
    const better = ((size / step + 1n) * step) / unit;
    err(
      run,
      `'--size=' must align to interleave-width: 1 and alignment: ${align}\ndid you intend --size=${better}${asked?.suffix ?? ''}?`,
    );
    return EINVAL;
  }
  if (size < SZ_16M && mode !== 'raw') {
    if (!asked && !namespace) return EAGAIN;
    error(run, `'--size=' must be >= 16MiB for '${mode}' mode`);
    return EINVAL;
  }
  const sectorSize = sectors(run, region, namespace, mode, options.value('sector-size'));
  if (typeof sectorSize === 'number') return sectorSize;
  const mapText = options.value('map') ?? (options.value('reconfig') === undefined ? 'dev' : undefined);
  if (mapText !== undefined && namespace && mode !== 'fsdax' && mode !== 'devdax') {
    err(run, `${namespace.name}: --map= only valid for fsdax mode namespace`);
    return EINVAL;
  }
  const map = mode === 'fsdax' || mode === 'devdax' ? (mapText === 'mem' ? 'ram' : 'pmem') : undefined;
  const result: Plan = {
    mode,
    map,
    size,
    align,
    sectorSize,
    uuid: options.value('uuid'),
    name: options.value('name') ?? namespace?.alt_name ?? '',
  };
  if (needsPfn(kernel, namespace, result) && !region.seeds.pfn) {
    error(run, `operation failed, ${region.name} cannot support requested mode`);
    return EINVAL;
  }
  return result;
}

function alignment(
  run: NdctlRun,
  region: NdRegion,
  namespace: NdNamespace | undefined,
  mode: NdMode,
  seed: NdClaim | undefined,
  text: string | undefined,
): bigint | number {
  if (text !== undefined) {
    if (mode !== 'fsdax' && mode !== 'devdax') {
      error(run, `${mode} mode does not support setting an alignment`);
      return ENXIO;
    }
    const align = parseSize(text)?.size ?? 0n;
    if (SUPPORTED_ALIGNMENTS.includes(align)) return align;
    error(run, `unsupported align: ${text}`);
    return ENXIO;
  }
  // The same mode again keeps its alignment; a new one takes the seed's.
  const { claim } = namespace ?? {};
  const same = namespace !== undefined && modeOf(run.kernel, namespace) === mode;
  const align = same ? (claim && claim.kind !== 'btt' ? claim.align : SZ_4K) : (seed?.align ?? SZ_4K);
  return region.start % align === 0n ? align : SZ_4K;
}

function sectors(
  run: NdctlRun,
  region: NdRegion,
  namespace: NdNamespace | undefined,
  mode: NdMode,
  text: string | undefined,
): bigint | undefined | number {
  if (mode === 'sector') {
    const size =
      text === undefined ? (namespace?.claim?.kind === 'btt' ? namespace.claim.lbasize : 4096n) : parseSize(text)?.size;
    if (size !== undefined && SECTOR_SIZES.includes(size)) return size;
    err(run, `${region.name}: does not support btt sector_size ${size ?? text}`);
    return EINVAL;
  }
  if (text === undefined) return undefined;
  const size = parseSize(text)?.size ?? 0n;
  // Labels of version 1.2 know two sizes; memory without labels knows none.
  if (region.labels && (size === 512n || size === 4096n)) return size;
  err(run, `${region.name}: does not support namespace sector_size ${size}`);
  return EINVAL;
}

/** namespace.c:check_dax_align. */
function misaligned(run: NdctlRun, namespace: NdNamespace): boolean {
  if (namespace.start % SZ_16M === 0n || run.force) return false;
  error(run, `${namespace.name} misaligned to 16M, adjust region alignment and retry`);
  return true;
}

/** namespace.c:setup_namespace: labels, then the device that will claim it, then its driver. */
function* setup_namespace(run: NdctlRun, region: NdRegion, namespace: NdNamespace, p: Plan): KernelGenerator<number> {
  const { kernel } = run;
  const { store } = kernel;
  const tell = run.print;
  if (region.labels) {
    store.set(namespace, 'uuid', p.uuid ?? uuid_generate(kernel));
    store.set(namespace, 'alt_name', p.name);
    if (namespace.size !== p.size) {
      const failed = namespace_size_store(kernel, namespace, p.size);
      if (failed) {
        err(run, `${namespace.name}: set_size failed: ${strerror(failed)}`);
        return failed;
      }
    }
  }
  const enforce = ({ fsdax: 'pfn', devdax: 'dax', sector: 'btt', raw: '' } as const)[p.mode];
  if (region.labels) store.set(namespace, 'claim_class', enforce);
  const kind =
    p.mode === 'devdax' ? 'dax' : p.mode === 'sector' ? 'btt' : needsPfn(kernel, namespace, p) ? 'pfn' : undefined;
  let failed: number;
  if (kind) {
    const seed = region.seeds[kind];
    if (!seed) return ENXIO;
    if (kind !== 'btt' && misaligned(run, namespace)) return EINVAL;
    store.set(seed, 'uuid', uuid_generate(kernel));
    if (kind === 'btt') store.set(seed, 'lbasize', p.sectorSize ?? 4096n);
    else {
      // pfn_devs.c:mode_store: a namespace cannot hold its own struct pages before there is an altmap.
      if (p.map !== 'ram' && !kernel.facts.vmemAltmap) {
        err(run, `${seed.name}: set_location failed: ${strerror(ENOTTY)}`);
        return ENOTTY;
      }
      store.set(seed, 'mode', p.map ?? 'pmem');
      if (kernel.facts.pfnAlign) store.set(seed, 'align', p.align);
    }
    nd_attach_ndns(kernel, seed, namespace);
    failed = yield* ndctl_claim_enable(kernel, seed, tell);
    if (failed) nd_detach_and_reset(kernel, seed);
  } else failed = yield* ndctl_namespace_enable(kernel, namespace, tell);
  if (failed < 0) {
    error(run, `${namespace.name}: failed to enable`);
    return failed;
  }
  run.print(
    jsonText(namespaceJson(kernel, namespace, { human: false, verbose: false, dax: true, capabilities: false })),
  );
  return 0;
}

/** namespace.c:zero_info_block through the raw block device. 0: zeroed; 1: there was nothing. */
function* zero_info_block(run: NdctlRun, namespace: NdNamespace): KernelGenerator<number> {
  const { kernel } = run;
  const { store } = kernel;
  if (namespace.size === 0n) return 1;
  store.set(namespace, 'force_raw', true);
  let result = 1;
  if ((yield* ndctl_namespace_enable(kernel, namespace, run.print)) < 0)
    err(run, `${namespace.name} failed to enable for zeroing, continuing`);
  else if (namespace.info) {
    store.set(namespace, 'info', undefined);
    result = 0;
  }
  store.set(namespace, 'force_raw', false);
  yield* ndctl_namespace_disable_invalidate(kernel, namespace);
  return result;
}

/** namespace.c:namespace_prep_reconfig. 0: zeroed, 1: nothing to do, 2: its label is to go, or an errno. */
export function* namespace_prep_reconfig(run: NdctlRun, namespace: NdNamespace): KernelGenerator<number> {
  const { kernel } = run;
  if (isActive(namespace) && !run.force) {
    error(run, `${namespace.name} is active, specify --force for re-configuration`);
    return -16;
  }
  const failed = yield* ndctl_namespace_disable_safe(kernel, namespace, run.onlineBlocks);
  if (failed < 0) return failed;
  kernel.store.set(namespace, 'claim_class', '');
  const zeroed = yield* zero_info_block(run, namespace);
  return zeroed < 0 ? zeroed : namespace.region.labels ? 2 : zeroed;
}

/** namespace.c:namespace_reconfig. */
export function* namespace_reconfig(run: NdctlRun, namespace: NdNamespace, options: Parsed): KernelGenerator<number> {
  const { region } = namespace;
  const p = plan(run, region, namespace, options);
  if (typeof p === 'number') return p;
  const prepared = yield* namespace_prep_reconfig(run, namespace);
  if (prepared < 0) return prepared;
  if (region.labels && p.size !== namespace.size) namespace_size_store(run.kernel, namespace, 0n);
  return yield* setup_namespace(run, region, namespace, p);
}

/** Nothing configured: ndctl_namespace_is_configuration_idle. */
const isIdle = (namespace: NdNamespace): boolean =>
  !isActive(namespace) && !namespace.claim && (!namespace.region.labels || namespace.size === 0n);

/** namespace.c:namespace_create: in the space of one region. */
export function* namespace_create(run: NdctlRun, region: NdRegion, options: Parsed): KernelGenerator<number> {
  const p = plan(run, region, undefined, options);
  if (typeof p === 'number') return p;
  const idle = namespacesIn(region).filter(isIdle);
  const namespace = idle.find(({ id }) => id === 0) ?? idle[0];
  if (!namespace) return EAGAIN;
  const failed = yield* setup_namespace(run, region, namespace, p);
  if (failed < 0 && region.labels) namespace_delete(run.kernel, namespace);
  return failed;
}

/** ndctl_namespace_delete: the label goes; the one without a size stays as the seed. */
export function namespace_delete(kernel: Kernel, namespace: NdNamespace): void {
  const { store } = kernel;
  const { namespaces } = namespace.region;
  namespace_size_store(kernel, namespace, 0n);
  store.set(namespace, 'uuid', '');
  store.set(namespace, 'alt_name', '');
  store.set(namespace, 'claim_class', '');
  const empty = namespaces.filter((each) => each.size === 0n);
  if (empty.length > 1) store.splice(namespaces, namespaces.indexOf(namespace), 1);
}
