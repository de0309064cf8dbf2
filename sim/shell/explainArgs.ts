/** The arguments of `explain`: what they may be, and the configuration they ask for. */

import { type ArchLayout, type ArchName, type ArchOptions, MEMORY_MODELS, type MemoryModel } from '../arch/layout.ts';
import { ARCH_NAMES, archLayout } from '../arch/layouts.ts';
import { hasFiveLevels } from '../arch/x86_64.ts';
import { factHolds, RELEASES, type Release } from '../kernel/release.ts';
import type { Kernel } from '../machine/kernel.ts';
import { type Bank, modelSetup } from '../mm/model_machines.ts';
import type { ModelSetup } from '../mm/model_setup.ts';
import { pageFlagsConfig } from '../mm/page_flags.ts';
import { lastCpupidShift, type PageFlagsConfig } from '../mm/page_flags_layout.ts';
import { ShellError } from './error.ts';

export const USAGE = `explain pfn_to_page PFN [all] [OPTION=VALUE]...
explain page_to_pfn ADDRESS [all] [OPTION=VALUE]...
explain page-flags [all] [OPTION=VALUE]...
explain sections [all] [OPTION=VALUE]...
  model=${MEMORY_MODELS.join('|')}|sparsemem
  arch=${ARCH_NAMES.join('|')} release=X.Y
  levels=4|5 (x86_64)  pae=on|off (x86_32)  pages=4k|16k|64k pa=48|52 (arm64)
  mem=START-END[@NODE],...  nodes=N cpus=N balancing=on|off kasan=on|off lru_gen=on|off page_ext=on|off`;

const usage = (why: string): ShellError => new ShellError(`explain: ${why}\nusage: ${USAGE}`);

const OPTIONS = [
  'model',
  'arch',
  'release',
  'levels',
  'pae',
  'pages',
  'pa',
  'mem',
  'nodes',
  'cpus',
  'balancing',
  'kasan',
  'lru_gen',
  'page_ext',
] as const;
type Option = (typeof OPTIONS)[number];
const MAX_BANKS = 64;
const MAX_NODES = 1024;
const MAX_CPUS = 8192;

export interface ExplainRequest {
  readonly setup: ModelSetup;
  readonly models: readonly MemoryModel[];
  /** `all`: a model that is not there is said to be missing instead of refused. */
  readonly all: boolean;
  /** What stood before the options: the pfn or address. */
  readonly operand: bigint | undefined;
}

/** Reads the arguments behind the subcommand. */
export function readExplain(kernel: Kernel, args: readonly string[], operandName: string | undefined): ExplainRequest {
  const given = new Map<Option, string>();
  let all = false;
  let operand: bigint | undefined;
  for (const arg of args) {
    const at = arg.indexOf('=');
    if (at < 0) {
      if (arg === 'all') all = true;
      else if (operandName !== undefined && operand === undefined) operand = numberOf(arg, operandName);
      else throw usage(`${arg}: unknown argument`);
      continue;
    }
    const name = OPTIONS.find((option) => option === arg.slice(0, at));
    if (!name) throw usage(`${arg.slice(0, at)}: unknown option`);
    if (given.has(name)) throw usage(`${name} is given twice`);
    given.set(name, arg.slice(at + 1));
  }
  if (operandName !== undefined && operand === undefined) throw usage(`name a ${operandName}`);
  if (all && given.has('model')) throw usage('all and model= exclude each other');

  const arch = choice(given, 'arch', ARCH_NAMES) ?? kernel.arch.name;
  const release = choice(given, 'release', RELEASES) ?? kernel.release;
  const layout = archLayout(arch, release, archOptions(kernel, arch, release, given));
  const banks = given.has('mem') ? readBanks(given.get('mem') ?? '', layout.MAX_PHYSMEM_BITS ?? 52) : undefined;
  const setup = modelSetup(kernel, {
    layout,
    release,
    flags: flagsConfig(kernel, layout, zoneCount(kernel, layout, release), given),
    pageExtension: onOff(given, 'page_ext') ?? (arch === kernel.arch.name && kernel.config.config.pageExtension),
    ...(banks ? { banks } : {}),
  });
  return { setup, models: modelsOf(given, all, layout.models), all, operand };
}

function modelsOf(
  given: ReadonlyMap<Option, string>,
  all: boolean,
  own: readonly MemoryModel[],
): readonly MemoryModel[] {
  if (all) return MEMORY_MODELS;
  const wanted = choice(given, 'model', [...MEMORY_MODELS, 'sparsemem']);
  // Classic sparsemem in the shape that the architecture chooses.
  if (wanted === 'sparsemem') return [own.includes('sparsemem-static') ? 'sparsemem-static' : 'sparsemem-extreme'];
  return [wanted ?? own[0] ?? 'flatmem'];
}

function archOptions(
  kernel: Kernel,
  arch: ArchName,
  release: Release,
  given: ReadonlyMap<Option, string>,
): ArchOptions {
  const only = (option: Option, owner: ArchName): void => {
    if (given.has(option) && arch !== owner) throw usage(`${option}= is for arch=${owner}`);
  };
  only('levels', 'x86_64');
  only('pae', 'x86_32');
  only('pages', 'arm64');
  only('pa', 'arm64');
  const levels = choice(given, 'levels', ['4', '5']);
  if (levels === '5' && !hasFiveLevels(release))
    throw usage(`${release} has no 5-level page tables; 4.14 brought them`);
  const pae = onOff(given, 'pae');
  const pages = choice(given, 'pages', ['4k', '16k', '64k']);
  const physBits = choice(given, 'pa', ['48', '52']);
  return {
    pageTableLevels: levels ? (levels === '5' ? 5 : 4) : (kernel.config.pageTableLevels ?? 4),
    ...(pae === undefined ? {} : { pae }),
    ...(pages ? { pageKiB: pages === '4k' ? 4 : pages === '16k' ? 16 : 64 } : {}),
    ...(physBits ? { physBits: physBits === '52' ? 52 : 48 } : {}),
  };
}

/** The zones of the running kernel, or those an ordinary configuration has: ZONE_DMA leaves no bits for ZONE_DEVICE until 4.5. */
function zoneCount(kernel: Kernel, layout: ArchLayout, release: Release): number {
  if (layout.name === kernel.arch.name && release === kernel.release) return kernel.nodes[0]?.node_zones.length ?? 0;
  return layout.zones.length + (layout.zoneDevice && factHolds('threeZoneBits', release) ? 1 : 0);
}

function flagsConfig(
  kernel: Kernel,
  layout: ArchLayout,
  zones: number,
  given: ReadonlyMap<Option, string>,
): PageFlagsConfig {
  const own = pageFlagsConfig(kernel.config, zones);
  const base: PageFlagsConfig =
    layout.name === kernel.arch.name
      ? own
      : {
          NODES_SHIFT: layout.NODES_SHIFT,
          LAST_CPUPID_SHIFT: layout.numaBalancing ? lastCpupidShift(layout.NR_CPUS_BITS) : 0,
          zones,
          kasanTags: false,
          lruGen: false,
          flags: {
            memoryFailure: layout.BITS_PER_LONG === 64,
            pageIdle: false,
            pat: false,
            transparentHugepage: layout.BITS_PER_LONG === 64,
          },
        };
  const nodes = count(given, 'nodes', MAX_NODES);
  const cpus = count(given, 'cpus', MAX_CPUS);
  const balancing = onOff(given, 'balancing');
  const cpuBits = cpus === undefined ? layout.NR_CPUS_BITS : orderBase2(cpus);
  const cpupid =
    cpus !== undefined || (balancing && base.LAST_CPUPID_SHIFT === 0) ? lastCpupidShift(cpuBits) : undefined;
  return {
    ...base,
    NODES_SHIFT: nodes === undefined ? base.NODES_SHIFT : orderBase2(nodes),
    LAST_CPUPID_SHIFT: balancing === false ? 0 : (cpupid ?? base.LAST_CPUPID_SHIFT),
    kasanTags: onOff(given, 'kasan') ?? base.kasanTags,
    lruGen: onOff(given, 'lru_gen') ?? base.lruGen,
  };
}

const orderBase2 = (value: number): number => Math.ceil(Math.log2(value));

function numberOf(text: string, what: string): bigint {
  if (!/^(0x[0-9a-f]{1,16}|\d{1,19})$/i.test(text))
    throw usage(`${text}: no ${what}; write it as 0x140000 or in decimal`);
  return BigInt(text);
}

function choice<T extends string>(given: ReadonlyMap<Option, string>, name: Option, from: readonly T[]): T | undefined {
  const text = given.get(name);
  if (text === undefined) return undefined;
  const found = from.find((one) => one === text);
  if (found === undefined)
    throw usage(
      `${name}=${text}: ${from.length > 20 ? `not one from ${from[0]} to ${from.at(-1)}` : `one of ${from.join(', ')}`}`,
    );
  return found;
}

function onOff(given: ReadonlyMap<Option, string>, name: Option): boolean | undefined {
  const text = choice(given, name, ['on', 'off']);
  return text === undefined ? undefined : text === 'on';
}

function count(given: ReadonlyMap<Option, string>, name: Option, most: number): number | undefined {
  const text = given.get(name);
  if (text === undefined) return undefined;
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > most) throw usage(`${name}=${text}: a number from 1 to ${most}`);
  return value;
}

/** `0x0-0x7fffffff@0,...`: addresses of the first and the last byte, and the node. */
function readBanks(text: string, bits: number): Bank[] {
  const parts = text.split(',');
  if (parts.length > MAX_BANKS) throw usage(`mem= has ${parts.length} ranges; ${MAX_BANKS} are the limit`);
  const banks = parts.map((part) => {
    const match = /^(0x[0-9a-f]{1,16}|\d{1,19})-(0x[0-9a-f]{1,16}|\d{1,19})(?:@(\d{1,4}))?$/i.exec(part);
    if (!match) throw usage(`mem=${part}: write START-END or START-END@NODE, both bytes included`);
    const own = { start: BigInt(match[1] ?? 0), end: BigInt(match[2] ?? 0), nid: Number(match[3] ?? 0) };
    if (own.end < own.start) throw usage(`mem=${part}: ends before its start`);
    if (own.end >= 1n << BigInt(bits)) throw usage(`mem=${part}: beyond the ${bits}-bit physical limit`);
    if (own.nid >= MAX_NODES) throw usage(`mem=${part}: nodes go from 0 to ${MAX_NODES - 1}`);
    return own;
  });
  const sorted = [...banks].sort((a, b) => (a.start < b.start ? -1 : 1));
  for (const [i, own] of sorted.entries()) {
    const next = sorted[i + 1];
    if (next && next.start <= own.end) throw usage('mem= has ranges that overlap');
  }
  if (!banks.some((own) => own.end - own.start >= 0xffffffn)) throw usage('mem= has no range of 16 MiB or more');
  return banks;
}
