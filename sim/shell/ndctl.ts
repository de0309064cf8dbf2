/** ndctl: namespaces of persistent memory, as an administrator types it (ndctl 76). */
import type { NdNamespace } from '../drivers/nvdimm/nd.ts';
import type { VirtualNode } from '../fs/files.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Command } from './command.ts';
import { onlineBlocks } from './daxctlMemory.ts';
import { ShellError } from './error.ts';
import {
  type NdctlRun,
  namespace_create,
  namespace_delete,
  namespace_prep_reconfig,
  namespace_reconfig,
} from './ndctlCreate.ts';
import { namespacesIn, ndctl_namespace_disable_safe, ndctl_namespace_enable, strerror } from './ndctlLib.ts';
import { busFilter, ndctlList, nsmode, regionFilter } from './ndctlList.ts';
import { type Option, type Parsed, parseOptions, parseSize, usage } from './parseOptions.ts';

/** How the tools reach sysfs. */
export type FindNode = (kernel: Kernel, path: string) => VirtualNode | undefined;

const BASE: readonly Option[] = [
  { short: 'b', long: 'bus', value: 'bus-id', help: 'only namespaces of this bus' },
  { short: 'r', long: 'region', value: 'region-id', help: 'only namespaces of this region' },
  { short: 'v', long: 'verbose', help: 'tell more' },
];
const FORCE: Option = { short: 'f', long: 'force', help: 'even if it is active' };
const CREATE: readonly Option[] = [
  ...BASE,
  { short: 'e', long: 'reconfig', value: 'reconfig namespace', help: 'change this namespace' },
  { short: 'u', long: 'uuid', value: 'uuid', help: 'its uuid' },
  { short: 'n', long: 'name', value: 'name', help: 'a name for it' },
  { short: 's', long: 'size', value: 'size', help: 'bytes of it' },
  { short: 'm', long: 'mode', value: 'operation-mode', help: "'sector', 'fsdax', 'devdax' or 'raw'" },
  { short: 'M', long: 'map', value: 'memmap-location', help: "'mem' or 'dev': where struct pages are kept" },
  { short: 'l', long: 'sector-size', value: 'lba-size', help: 'bytes of a sector' },
  { short: 't', long: 'type', value: 'type', help: "'pmem'" },
  { short: 'a', long: 'align', value: 'align', help: 'alignment of its mappings (2M)' },
  FORCE,
  { short: 'L', long: 'autolabel', help: 'initialise labels' },
  { short: 'c', long: 'continue', help: 'go on in other regions' },
  { short: 'R', long: 'autorecover', help: 'clean up after a failure' },
];

type Action = 'enable' | 'disable' | 'destroy' | 'create';
const ACTIONS: Readonly<Record<Action, { options: readonly Option[]; line: string; past: string }>> = {
  enable: { options: BASE, line: 'ndctl enable-namespace <namespace> [<options>]', past: 'enabled' },
  disable: { options: BASE, line: 'ndctl disable-namespace <namespace> [<options>]', past: 'disabled' },
  destroy: { options: [...BASE, FORCE], line: 'ndctl destroy-namespace <namespace> [<options>]', past: 'destroyed' },
  create: { options: CREATE, line: 'ndctl create-namespace [<options>]', past: 'created' },
};

/** namespace.c:set_defaults: what is wrong before any namespace is looked at. */
function wrongWith(action: Action, parsed: Parsed): string[] {
  const wrong: string[] = [];
  const type = parsed.value('type');
  if (type !== undefined && type !== 'pmem' && type !== 'blk')
    wrong.push(`invalid type '${type}', must be either 'pmem' or 'blk'`);
  const mode = parsed.value('mode');
  if (mode !== undefined && !nsmode(mode)) wrong.push(`invalid mode '${mode}'`);
  const map = parsed.value('map');
  if (map !== undefined && map !== 'mem' && map !== 'dev') wrong.push(`invalid map location '${map}'`);
  const kind = mode === undefined ? undefined : nsmode(mode);
  if (map !== undefined && !parsed.has('reconfig') && kind && kind !== 'fsdax' && kind !== 'devdax')
    wrong.push('--map only valid for an devdax mode pmem namespace');
  const size = parsed.value('size');
  if (size !== undefined && !parseSize(size)) wrong.push(`failed to parse namespace size '${size}'`);
  const align = parsed.value('align');
  if (align !== undefined) {
    const bytes = parseSize(align)?.size;
    if (bytes === undefined) wrong.push(`failed to parse namespace alignment '${align}'`);
    else if (bytes < 4096n || (bytes & (bytes - 1n)) !== 0n) wrong.push('align must be a power-of-2 greater than 4096');
  }
  const uuid = parsed.value('uuid');
  if (uuid !== undefined && !/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(uuid))
    wrong.push(`failed to parse uuid: '${uuid}'`);
  const sector = parsed.value('sector-size');
  if (sector !== undefined && !parseSize(sector)) wrong.push(`invalid sector size: ${sector}`);
  if (action !== 'create' && parsed.rest.length === 0) wrong.push(`specify a namespace to ${action}, or "all"`);
  for (const extra of parsed.rest.slice(action === 'create' ? 0 : 1)) wrong.push(`unknown extra parameter "${extra}"`);
  return wrong;
}

/** namespace.c:do_xaction_namespace. */
function* act(run: NdctlRun, action: Action, target: string | undefined, options: Parsed): KernelGenerator<Outcome> {
  const { kernel } = run;
  let rc = target === 'all' ? 0 : -6;
  let processed = 0;
  for (const bus of kernel.state.nvdimm.buses) {
    if (!busFilter(bus, options.value('bus')) || options.value('type') === 'blk') continue;
    for (const region of [...bus.regions].reverse()) {
      if (!regionFilter(region, options.value('region'))) continue;
      if (action === 'create' && target === undefined) {
        rc = yield* namespace_create(run, region, options);
        if (rc === -11) continue;
        if (rc === 0) processed++;
        if (rc === 0 && options.has('continue')) continue;
        return { rc, processed };
      }
      for (const namespace of namespacesIn(region)) {
        if (target === 'all' ? namespace.size === 0n : target !== namespace.name) continue;
        if (action === 'create') {
          rc = yield* namespace_reconfig(run, namespace, options);
          return { rc, processed: rc === 0 ? 1 : 0 };
        }
        rc = yield* one(run, action, namespace);
        if (rc === 0) processed++;
        if (rc > 0) rc = 0;
      }
    }
  }
  if (action === 'create' && rc === -11) rc = options.has('continue') && processed > 0 ? 0 : -28;
  return { rc, processed };
}

interface Outcome {
  rc: number;
  processed: number;
}

function* one(
  run: NdctlRun,
  action: 'enable' | 'disable' | 'destroy',
  namespace: NdNamespace,
): KernelGenerator<number> {
  const { kernel } = run;
  if (action === 'disable') return yield* ndctl_namespace_disable_safe(kernel, namespace, run.onlineBlocks);
  if (action === 'enable') {
    const rc = yield* ndctl_namespace_enable(kernel, namespace, run.print);
    return rc > 0 ? 0 : rc;
  }
  const prepared = yield* namespace_prep_reconfig(run, namespace);
  if (prepared !== 2) return prepared;
  const had = namespace.size;
  namespace_delete(kernel, namespace);
  return had === 0n ? 1 : 0;
}

function* xaction(
  kernel: Kernel,
  action: Action,
  args: readonly string[],
  find: FindNode,
  print: (text: string) => void,
): KernelGenerator<void> {
  const { options, line, past } = ACTIONS[action];
  const parsed = parseOptions(args, options, line);
  const wrong = wrongWith(action, parsed);
  if (wrong.length > 0)
    throw new ShellError(`${wrong.map((text) => `  Error: ${text}\n`).join('\n')}\n${usage(line, options)}`);
  // What goes to stderr is part of the error if there is one.
  const lines: string[] = [];
  const run: NdctlRun = {
    kernel,
    command: `${action} namespace`,
    force: parsed.has('force'),
    onlineBlocks: (device) => onlineBlocks(kernel, find, device),
    print: (text) => void lines.push(text),
    errors: 0,
  };
  const target = action === 'create' ? parsed.value('reconfig') : parsed.rest[0];
  const { rc, processed } = yield* act(run, action, target, parsed);
  const hasFailed = rc < 0 || (action === 'create' && target === undefined && processed < 1);
  const says = (text: string): void => {
    if (hasFailed && run.errors === 0) lines.push(`${text}: ${strerror(rc)}`);
  };
  if (action === 'create') says(`failed to ${target === undefined ? 'create' : 'reconfigure'} namespace`);
  else says(`error ${action.replace(/e$/, '')}ing namespaces`);
  if (action !== 'create' || parsed.has('continue'))
    lines.push(`${past} ${processed} namespace${processed === 1 ? '' : 's'}`);
  const text = lines.join('\n');
  // A creation that found no room says so, and ends as if there were no device.
  if (hasFailed) throw new ShellError(text, action === 'create' && target === undefined && run.errors === 0 ? -19 : rc);
  if (text !== '') print(text);
}

/** Names that ndctl takes for the same command. */
const SUBCOMMANDS: Readonly<Record<string, Action>> = {
  'create-namespace': 'create',
  'enable-namespace': 'enable',
  'disable-namespace': 'disable',
  'destroy-namespace': 'destroy',
};

const HELP = ` usage: ndctl COMMAND [ARGS]

 What is simulated: list, create-namespace, enable-namespace, disable-namespace, destroy-namespace.
 ndctl COMMAND --help tells the options of one.`;

export const ndctlCommand = (find: FindNode): Command => ({
  name: 'ndctl',
  usage: 'ndctl COMMAND',
  summary: 'list and configure persistent memory: list, create-, enable-, disable-, destroy-namespace',
  run({ kernel, print }, [name, ...args]) {
    if (name === undefined || name === 'help' || name === '--help') {
      print(HELP);
      return undefined;
    }
    if (name === '--version' || name === 'version') {
      print('76.1');
      return undefined;
    }
    if (name === 'list') {
      ndctlList(kernel, args, print);
      return undefined;
    }
    const action = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
    if (!action) throw new ShellError(`Unknown command: '${name}'\n\n${HELP}`);
    return xaction(kernel, action, args, find, print);
  },
});
