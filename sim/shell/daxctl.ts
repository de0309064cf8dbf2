/** daxctl: DAX devices and their use as memory, as an administrator types it (ndctl 76). */
import { dax_bind, dax_id_store, dax_unbind } from '../drivers/dax/bus.ts';
import type { DevDax } from '../drivers/dax/dax.ts';
import type { VirtualNode } from '../fs/files.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Command } from './command.ts';
import { daxctlList, daxRegionFilter, daxRegions, devJson } from './daxctlList.ts';
import { isOnline, memblocks, setBlocks } from './daxctlMemory.ts';
import { ShellError } from './error.ts';
import { arrayText, type Json } from './jsonText.ts';
import { strerror } from './ndctlLib.ts';
import { type Option, type Parsed, parseOptions, usage } from './parseOptions.ts';

type FindNode = (kernel: Kernel, path: string) => VirtualNode | undefined;
const EBUSY = -16;
const EINVAL = -22;
const ENXIO = -6;
const EOPNOTSUPP = -95;

const BASE: readonly Option[] = [
  { short: 'r', long: 'region', value: 'region-id', help: 'only devices of this region' },
  { short: 'u', long: 'human', help: 'numbers for people' },
  { short: 'v', long: 'verbose', help: 'tell more' },
];
const ZONE: Option = { long: 'no-movable', help: 'online the memory in ZONE_NORMAL' };
const RECONFIGURE: readonly Option[] = [
  ...BASE,
  { short: 'm', long: 'mode', value: 'mode', help: "'devdax' or 'system-ram'" },
  { short: 's', long: 'size', value: 'size', help: 'bytes of it' },
  { short: 'N', long: 'no-online', help: 'leave the memory offline' },
  { short: 'f', long: 'force', help: 'offline the memory first' },
  ZONE,
];

type Action = 'reconfigure-device' | 'online-memory' | 'offline-memory' | 'enable-device' | 'disable-device';
interface ActionText {
  options: readonly Option[];
  line: string;
  /** specify a device to ... */
  verb: string;
  /** error ... */
  doing: string;
  /** ... 1 device */
  done: string;
}
const ACTIONS: Readonly<Record<Action, ActionText>> = {
  'reconfigure-device': {
    options: RECONFIGURE,
    line: 'daxctl reconfigure-device <device> [<options>]',
    verb: 'reconfigure',
    doing: 'reconfiguring devices',
    done: 'reconfigured',
  },
  'online-memory': {
    options: [...BASE, ZONE],
    line: 'daxctl online-memory <device> [<options>]',
    verb: 'online memory for',
    doing: 'onlining memory',
    done: 'onlined memory for',
  },
  'offline-memory': {
    options: BASE,
    line: 'daxctl offline-memory <device> [<options>]',
    verb: 'offline memory for',
    doing: 'offlining memory',
    done: 'offlined memory for',
  },
  'enable-device': {
    options: BASE,
    line: 'daxctl enable-device <device>',
    verb: 'enable',
    doing: 'enabling device',
    done: 'enabled',
  },
  'disable-device': {
    options: BASE,
    line: 'daxctl disable-device <device>',
    verb: 'disable',
    doing: 'disabling device',
    done: 'disabled',
  },
};

interface Run {
  readonly kernel: Kernel;
  readonly find: FindNode;
  readonly options: Parsed;
  readonly devices: Json[];
  print(text: string): void;
}

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
const hasMemory = (dev: DevDax): boolean => dev.driver === 'kmem';

/** device.c:dev_online_memory. 1: there was nothing to do. */
function* dev_online_memory(run: Run, dev: DevDax): KernelGenerator<number> {
  const { kernel, find, print } = run;
  const before = memblocks(kernel, find, dev);
  if (before.length === 0) {
    print(`${dev.name}: failed to get number of memory sections`);
    return ENXIO;
  }
  const online = before.filter(isOnline).length;
  if (online > 0)
    print(
      `${dev.name}:\n  WARNING: detected a race while onlining memory\n  Some memory may not be in the expected zone. It is\n  recommended to disable any other onlining mechanisms,\n  and retry. If onlining is to be left to other agents,\n  use the --no-online option to suppress this warning`,
    );
  if (online === before.length) {
    print(`${dev.name}: all memory sections (${online}) already online`);
    return 1;
  }
  if (online > 0) print(`${dev.name}: ${plural(online, 'memory section')} already online`);
  const action = run.options.has('no-movable') ? 'online_kernel' : 'online_movable';
  const changed = yield* setBlocks(kernel, find, dev, action);
  if (changed < 0) {
    print(`${dev.name}: failed to online memory: ${strerror(changed)}`);
    return changed;
  }
  if (run.options.has('verbose')) print(`${dev.name}: ${plural(changed, 'memory section')} onlined`);
  return 0;
}

/** device.c:dev_offline_memory. */
function* dev_offline_memory(run: Run, dev: DevDax): KernelGenerator<number> {
  const { kernel, find, print } = run;
  const before = memblocks(kernel, find, dev);
  if (before.length === 0) {
    print(`${dev.name}: failed to get number of memory sections`);
    return ENXIO;
  }
  const offline = before.filter((block) => !isOnline(block)).length;
  if (offline === before.length) {
    print(`${dev.name}: all memory sections (${offline}) already offline`);
    return 1;
  }
  if (offline > 0) print(`${dev.name}: ${plural(offline, 'memory section')} already offline`);
  const changed = yield* setBlocks(kernel, find, dev, 'offline');
  if (changed < 0) {
    print(`${dev.name}: failed to offline memory: ${strerror(changed)}`);
    return changed;
  }
  if (run.options.has('verbose')) print(`${dev.name}: ${plural(changed, 'memory section')} offlined`);
  return 0;
}

/** libdaxctl's daxctl_dev_enable and daxctl_dev_disable, where DAX devices are of a class: there is no driver to change. */
function isOfClass({ kernel, print }: Run, dev: DevDax, verb: 'enable' | 'disable'): boolean {
  if (kernel.facts.daxBus) return false;
  for (const text of ['error: device model is dax-class', 'see man daxctl-migrate-device-model'])
    print(`libdaxctl: daxctl_dev_${verb}: ${dev.name}: ${text}`);
  return true;
}

/** device.c:reconfig_mode_system_ram; libdaxctl names the device to kmem and binds it. */
function* to_system_ram(run: Run, dev: DevDax): KernelGenerator<number> {
  const { kernel, print } = run;
  if (hasMemory(dev)) print(`${dev.name} was already in system-ram mode`);
  else if (isOfClass(run, dev, 'disable')) {
    print(`${dev.name}: disable failed: ${strerror(EOPNOTSUPP)}`);
    return EOPNOTSUPP;
  } else {
    if (!kernel.facts.daxKmem) {
      print(`libdaxctl: daxctl_insert_kmod_for_mode: ${dev.name}: insert failure: -2`);
      return -2;
    }
    if (dev.driver) yield* dax_unbind(kernel, dev);
    yield* dax_id_store(kernel, 'kmem', dev.name, 'add');
    if (!hasMemory(dev)) {
      print(`libdaxctl: daxctl_dev_enable: ${dev.name}: failed to enable`);
      return ENXIO;
    }
  }
  return run.options.has('no-online') ? 0 : yield* dev_online_memory(run, dev);
}

/** device.c:reconfig_mode_devdax: refused while any block is online. */
function* to_devdax(run: Run, dev: DevDax): KernelGenerator<number> {
  const { kernel, find, print } = run;
  if (dev.driver === 'device_dax') {
    print(`${dev.name} was already in devdax mode`);
    return 1;
  }
  if (hasMemory(dev)) {
    if (run.options.has('force')) {
      const failed = yield* dev_offline_memory(run, dev);
      if (failed < 0) return failed;
    }
    const online = memblocks(kernel, find, dev).filter(isOnline).length;
    if (online > 0) {
      if (run.options.has('verbose'))
        print(`${dev.name}: found ${online} memory sections online\n${dev.name}: refusing to change modes`);
      return EBUSY;
    }
    yield* dax_unbind(kernel, dev);
  }
  return yield* enable(run, dev);
}

function* enable(run: Run, dev: DevDax): KernelGenerator<number> {
  const { kernel } = run;
  yield* dax_id_store(kernel, 'kmem', dev.name, 'remove');
  if (!dev.driver) yield* dax_bind(kernel, dev, 'device_dax');
  if (dev.driver === 'device_dax') return 0;
  run.print(`libdaxctl: daxctl_dev_enable: ${dev.name}: failed to enable`);
  return ENXIO;
}

function* one(run: Run, action: Action, dev: DevDax): KernelGenerator<number> {
  const { kernel, print, options } = run;
  if (action === 'reconfigure-device') {
    const mode = options.value('mode');
    if (options.value('size') !== undefined) return EBUSY;
    const rc =
      mode === 'system-ram' ? yield* to_system_ram(run, dev) : mode === 'devdax' ? yield* to_devdax(run, dev) : EINVAL;
    if (rc === EINVAL && mode !== 'system-ram' && mode !== 'devdax') print(`${dev.name}: unknown mode requested: 0`);
    if (rc >= 0) run.devices.push(devJson(kernel, dev, { human: options.has('human'), find: run.find }));
    return rc < 0 ? rc : 0;
  }
  if (action === 'enable-device' || action === 'disable-device') {
    if (hasMemory(dev)) {
      print(`${dev.name}: status operations are only applicable in devdax mode`);
      return ENXIO;
    }
    if (isOfClass(run, dev, action === 'enable-device' ? 'enable' : 'disable')) return EOPNOTSUPP;
    if (action === 'enable-device') return yield* enable(run, dev);
    if (dev.driver) yield* dax_unbind(kernel, dev);
    return 0;
  }
  if (!hasMemory(dev)) {
    print(`${dev.name}: memory operations are not applicable in devdax mode`);
    return ENXIO;
  }
  return yield* action === 'online-memory' ? dev_online_memory(run, dev) : dev_offline_memory(run, dev);
}

/** device.c:parse_device_options: what is wrong with the line. */
function check(action: Action, parsed: Parsed): string | undefined {
  const { verb, options, line } = ACTIONS[action];
  const fail = (text: string): string => `${text}\n${usage(line, options)}`;
  if (parsed.rest.length === 0) return fail(`specify a device to ${verb}, or "all"`);
  const [, extra] = parsed.rest;
  if (extra !== undefined) return fail(`unknown extra parameter "${extra}"`);
  if (action !== 'reconfigure-device') return undefined;
  const mode = parsed.value('mode');
  if (mode === undefined && parsed.value('size') === undefined)
    return fail("error: a 'mode' or 'size' option is required");
  if (mode === 'devdax' && parsed.has('no-online')) return fail('--no-online is incompatible with --mode=devdax');
  return undefined;
}

function* xaction(
  kernel: Kernel,
  find: FindNode,
  action: Action,
  args: readonly string[],
  print: (text: string) => void,
): KernelGenerator<void> {
  const { options, line, doing, done } = ACTIONS[action];
  const parsed = parseOptions(args, options, line);
  const wrong = check(action, parsed);
  if (wrong !== undefined) throw new ShellError(wrong);
  const lines: string[] = [];
  const run: Run = { kernel, find, options: parsed, devices: [], print: (text) => void lines.push(text) };
  const [wanted] = parsed.rest;
  let rc = ENXIO;
  let processed = 0;
  for (const region of daxRegions(kernel)) {
    if (!daxRegionFilter(region, parsed.value('region'))) continue;
    for (const dev of [...region.devices].reverse()) {
      if (wanted !== 'all' && wanted !== dev.name) continue;
      rc = yield* one(run, action, dev);
      if (rc === 0) processed++;
    }
  }
  const devices = run.devices.length > 0 ? arrayText(run.devices, parsed.has('human')) : undefined;
  if (devices !== undefined) lines.push(devices);
  if (rc < 0) lines.push(`error ${doing}: ${strerror(rc)}`);
  lines.push(`${done} ${plural(processed, 'device')}`);
  if (rc < 0) throw new ShellError(lines.join('\n'), rc);
  print(lines.join('\n'));
}

const HELP = ` usage: daxctl COMMAND [ARGS]

 What is simulated: list, reconfigure-device, online-memory, offline-memory, enable-device, disable-device.
 daxctl COMMAND --help tells the options of one.`;

const isAction = (name: string): name is Action => Object.hasOwn(ACTIONS, name);

export const daxctlCommand = (find: FindNode): Command => ({
  name: 'daxctl',
  usage: 'daxctl COMMAND',
  summary: 'list DAX devices and use them as memory: list, reconfigure-device, online-, offline-memory',
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
      daxctlList(kernel, find, args, print);
      return undefined;
    }
    if (!isAction(name)) throw new ShellError(`Unknown command: '${name}'\n\n${HELP}`);
    return xaction(kernel, find, name, args, print);
  },
});
