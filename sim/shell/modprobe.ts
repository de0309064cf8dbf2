/** `modprobe`, `rmmod`, `lsmod`: the modules this machine can load: the kernel's own test device. */
import { hmm_dmirror_exit, hmm_dmirror_init } from '../drivers/dmirror/module.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Command, CommandContext } from './command.ts';
import { strerror } from './errnoText.ts';
import { ShellError } from './error.ts';

const MODPROBE = 'modprobe test_hmm [spm_addr_dev0=ADDR spm_addr_dev1=ADDR]';
const RMMOD = 'rmmod test_hmm';
const ENOENT = -2;
const EBUSY = -16;

/** module_param(spm_addr_dev0, long): kstrtol reads what C would. */
function parameter(args: readonly string[], name: string): bigint {
  const found = args.findLast((arg) => arg.startsWith(`${name}=`))?.slice(name.length + 1);
  if (found === undefined) return 0n;
  if (!/^(0x[0-9a-f]{1,16}|\d{1,19})$/i.test(found))
    throw new ShellError("modprobe: ERROR: could not insert 'test_hmm': Invalid argument", -22);
  return BigInt(found);
}

/** Parameters the module does not have are told and left out, as the kernel does. */
function warnUnknown(kernel: Kernel, args: readonly string[], known: readonly string[]): void {
  for (const arg of args) {
    const name = arg.split('=')[0] ?? arg;
    if (!known.includes(name)) kernel.pr_warn(`test_hmm: unknown parameter '${name}' ignored`);
  }
}

/** module/main.c:add_unformed_module: whoever loads it waits for one that comes or goes. */
function* settled({ state }: Kernel): KernelGenerator<void> {
  const { dmirror } = state;
  if (!dmirror || dmirror.module === 'live') return;
  yield {
    kind: 'wait',
    on: {
      what: `the module test_hmm, which is ${dmirror.module}`,
      ready: () => !state.dmirror || state.dmirror.module === 'live',
      holders: () => (state.dmirror ? [state.dmirror.task.label] : []),
      holderTasks: () => (state.dmirror ? [state.dmirror.task.id] : []),
    },
  };
}

function* modprobe({ kernel }: CommandContext, args: readonly string[]): KernelGenerator<void> {
  const [name, ...parameters] = args;
  if (name === undefined || name.startsWith('-')) throw new ShellError(`usage: ${MODPROBE}`);
  if (name.replaceAll('-', '_') !== 'test_hmm' || !kernel.facts.testHmm || !kernel.options.devicePrivate)
    throw new ShellError(
      `modprobe: FATAL: Module ${name} not found in directory /lib/modules/${kernel.release}`,
      ENOENT,
    );
  yield* settled(kernel);
  if (kernel.state.dmirror) return;
  const hasCoherent = kernel.facts.deviceCoherent;
  const addresses = [parameter(parameters, 'spm_addr_dev0'), parameter(parameters, 'spm_addr_dev1')] as const;
  warnUnknown(kernel, parameters, hasCoherent ? ['spm_addr_dev0', 'spm_addr_dev1'] : []);
  const isGiven = hasCoherent && addresses[0] !== 0n && addresses[1] !== 0n;
  const error = yield* hmm_dmirror_init(kernel, isGiven ? [addresses[0], addresses[1]] : undefined);
  if (error !== 0) throw new ShellError(`modprobe: ERROR: could not insert 'test_hmm': ${strerror(error)}`, error);
}

/** How many files of the module's devices are open or mapped. */
const users = (kernel: Kernel): number => {
  const mapped = [...kernel.state.files.values()].filter(
    (file) => file.kind === 'device' && file.name.startsWith('/dev/hmm_dmirror'),
  );
  return (kernel.state.dmirror?.mirrors.length ?? 0) + mapped.reduce((sum, file) => sum + file.vmas.length, 0);
};

function* rmmod({ kernel }: CommandContext, args: readonly string[]): KernelGenerator<void> {
  const [name, ...more] = args;
  if (name === undefined || more.length > 0) throw new ShellError(`usage: ${RMMOD}`);
  if (name.replaceAll('-', '_') !== 'test_hmm' || !kernel.state.dmirror)
    throw new ShellError(`rmmod: ERROR: Module ${name} is not currently loaded`, ENOENT);
  if (users(kernel) > 0 || kernel.state.dmirror.module !== 'live')
    throw new ShellError('rmmod: ERROR: Module test_hmm is in use', EBUSY);
  yield* hmm_dmirror_exit(kernel);
}

export const MODULE_COMMANDS: readonly Command[] = [
  {
    name: 'modprobe',
    usage: MODPROBE,
    summary: 'load a module: test_hmm, the test GPU; with two addresses two of its devices have coherent memory there',
    run: modprobe,
  },
  { name: 'rmmod', usage: RMMOD, summary: 'unload it: what is on the devices moves home first', run: rmmod },
  {
    name: 'lsmod',
    usage: 'lsmod',
    summary: 'list modules and their users',
    run({ kernel, print }) {
      print('Module                  Used by');
      if (kernel.state.dmirror) print(`${'test_hmm'.padEnd(23)} ${users(kernel)}`);
      return undefined;
    },
  },
];
