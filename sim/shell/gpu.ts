/** `gpu`: a process opens the test GPU and gives it commands: what the ioctls of lib/test_hmm.c do. */
import { type CValue, integer } from '../c/value.ts';
import { type Dmirror, type DmirrorDevice, mirrorOf } from '../drivers/dmirror/dmirror.ts';
import {
  type DmirrorCommand,
  type DmirrorResult,
  dmirror_ioctl,
  dmirror_mmap,
  knowsCommand,
} from '../drivers/dmirror/ioctl.ts';
import { dmirror_fops_open } from '../drivers/dmirror/mirror.ts';
import { protName } from '../drivers/dmirror/snapshot.ts';
import { type PageData, type Process, VM_READ, VM_WRITE } from '../include/mm_types.ts';
import { close_device, fget, fput, system_call } from '../kernel/exit.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Command, CommandContext } from './command.ts';
import { errnoText } from './errnoText.ts';
import { ShellError } from './error.ts';
import { describePages, type Pattern, parsePattern, patternPage } from './pattern.ts';
import { numberOf, pidOf, processOf, refuse } from './procArgs.ts';

const USAGE = [
  'gpu open|close N PID',
  'gpu read|write|to-dev|to-sys|snapshot|exclusive|check-exclusive N PID ADDR PAGES [VALUE]',
  'gpu read-unlocked N PID ADDR PAGES',
  'gpu mmap N PID PAGES [none|r|rw]',
  'gpu release N [PID]',
  'gpu flags N PID 0|1',
].join(' | ');

const DETAILS = [
  'N: 0 and 1 have private memory, 2 and 3 coherent memory (modprobe test_hmm with two addresses).',
  'Each command is an ioctl of lib/test_hmm.c: ret, cpages (pages done), faults (device faults), or its errno.',
  '  open, close               the process opens the device, which mirrors its address space from then on',
  '  read, write [VALUE]       through the page table of the device; write: word i of the range holds VALUE',
  '                            (N, i, i+N, -i, -i+N; without: i); read prints what the device saw',
  '  read-unlocked             hmm_range_fault_unlocked_timeout serves the faults (7.3)',
  '  to-dev, to-sys            migrate_vma to the memory of the device, and back',
  '  snapshot                  a byte a page of what the page table of the CPU holds; nothing is touched',
  '  exclusive                 make_device_exclusive: only the device may touch the pages (5.14)',
  '  check-exclusive           -EPERM while it may',
  '  release                   all memory of the device goes, and comes back when it is needed (6.1)',
  '  flags 1                   the next allocation of the device fails (6.19)',
  '  mmap                      maps pages of the driver into the process; prints the address',
].join('\n');

const EBADF = -9;
const ENODEV = -19;
const EINVAL = -22;
/** Pages of one command; a test takes 1024. */
const MOST_PAGES = 1n << 22n;

/** The line of one verb. */
function usageOf(verb: string): string {
  const line = USAGE.split(' | ').find((each) => each.split(' ')[1]?.split('|').includes(verb));
  if (line === undefined) return USAGE;
  const rest = line.split(' ').slice(2).join(' ');
  return `gpu ${verb} ${verb === 'write' ? rest : rest.replace(' [VALUE]', '')}`;
}
const usage = (verb: string): ShellError => new ShellError(`usage: ${usageOf(verb)}`);

/** A number as the ioctl's u64 gets it. */
const numeric = (kernel: Kernel, text: string | undefined, verb: string): bigint =>
  BigInt.asUintN(64, numberOf(kernel, text, `gpu ${verb}`, usageOf(verb)));

function deviceOf({ kernel }: CommandContext, text: string | undefined, verb: string): DmirrorDevice {
  const id = numberOf(kernel, text, `gpu ${verb}`, usageOf(verb));
  const found = kernel.state.dmirror?.devices.find((device) => BigInt(device.id) === id);
  const { devices, module } = kernel.state.dmirror ?? {};
  if (found && module === 'live') return found;
  const why =
    devices && module === 'live'
      ? `there are hmm_dmirror0 to hmm_dmirror${devices.at(-1)?.id ?? 0}`
      : 'test_hmm is not loaded; modprobe test_hmm';
  throw new ShellError(`gpu ${verb}: device ${id}: ${errnoText(ENODEV)}: ${why}`, ENODEV);
}

function openMirror(kernel: Kernel, mdevice: DmirrorDevice, process: Process, verb: string): Dmirror {
  const found = mirrorOf(kernel, mdevice.id, process);
  if (found) return found;
  throw new ShellError(
    `gpu ${verb}: process ${process.pid} has /dev/hmm_dmirror${mdevice.id} not open: ${errnoText(EBADF)}; gpu open ${mdevice.id} ${process.pid}`,
    EBADF,
  );
}

function* open(context: CommandContext, args: readonly string[]): KernelGenerator<CValue> {
  const { kernel, print } = context;
  if (args.length !== 2) throw usage('open');
  const mdevice = deviceOf(context, args[0], 'open');
  const process = processOf(kernel, args[1], 'gpu open', usageOf('open'));
  const result = yield* dmirror_fops_open(kernel, mdevice, process);
  if (typeof result === 'number')
    throw new ShellError(`gpu open: /dev/hmm_dmirror${mdevice.id}: ${errnoText(result)}`, result);
  print('ret 0');
  return integer(0);
}

function* close(context: CommandContext, args: readonly string[]): KernelGenerator<CValue> {
  const { kernel, print } = context;
  if (args.length !== 2) throw usage('close');
  const mdevice = deviceOf(context, args[0], 'close');
  const process = processOf(kernel, args[1], 'gpu close', usageOf('close'));
  const { file } = openMirror(kernel, mdevice, process, 'close');
  if (file) yield* close_device(kernel, process, file);
  print('ret 0');
  return integer(0);
}

/** Command words and those of the ioctl. */
const IOCTLS: ReadonlySet<string> = new Set<DmirrorCommand>([
  'read',
  'read-unlocked',
  'write',
  'to-dev',
  'to-sys',
  'snapshot',
  'exclusive',
  'check-exclusive',
]);

/** A call on an open file, which a close meanwhile leaves to its end. */
function* holding<T>(kernel: Kernel, { file }: Dmirror, call: KernelGenerator<T>): KernelGenerator<T> {
  if (file) fget(kernel, file);
  const result = yield* call;
  if (file) yield* fput(kernel, file);
  return result;
}

const COUNTED: Pattern = { base: 0, step: 1 };

function* ioctl(context: CommandContext, command: DmirrorCommand, args: readonly string[]): KernelGenerator<CValue> {
  const { kernel } = context;
  const [device, pid, addr, pages, value, ...more] = args;
  if (more.length > 0 || (value !== undefined && command !== 'write')) throw usage(command);
  const mdevice = deviceOf(context, device, command);
  const process = processOf(kernel, pid, `gpu ${command}`, usageOf(command));
  const dmirror = openMirror(kernel, mdevice, process, command);
  const pattern = value === undefined ? COUNTED : parsePattern(value);
  if (!pattern) return refuse('gpu write', EINVAL, `${value}: a number, i, i+N, -i or -i+N`);
  const address = numeric(kernel, addr, command);
  const npages = numeric(kernel, pages, command);
  // What overflows is refused by the kernel; what does not and is beyond reason, here.
  const overflows = address >= BigInt.asUintN(64, address + (npages << 12n));
  if (!overflows && npages > MOST_PAGES) refuse(`gpu ${command}`, EINVAL, `at most ${MOST_PAGES} pages at a time`);
  const buffer = (page: number): PageData => patternPage(pattern, page);
  const call = dmirror_ioctl(kernel, dmirror, command, address, npages, buffer);
  const result = yield* holding(kernel, dmirror, call);
  return report(context, command, result);
}

function report({ kernel, print }: CommandContext, command: DmirrorCommand, result: DmirrorResult): CValue {
  const { ret, cmd, data, perm } = result;
  if (ret !== 0) {
    const unknown = knowsCommand(kernel, command) ? '' : `: the device of ${kernel.release} has no such command`;
    throw new ShellError(`gpu ${command}: ${errnoText(ret)}${unknown}`, ret);
  }
  print(`ret ${ret} cpages ${cmd.cpages} faults ${cmd.faults}`);
  for (const line of describePages(data ?? [])) print(line);
  for (const line of snapshotLines(perm ?? [])) print(line);
  return integer(cmd.cpages);
}

/** A line for each run of equal bytes: `pages 2-3: 0x22 DEVPRIV_LOCAL|WRITE`. */
function snapshotLines(perm: readonly number[]): string[] {
  const lines: string[] = [];
  for (let from = 0; from < perm.length; ) {
    const byte = perm[from] ?? 0;
    let to = from + 1;
    while (perm[to] === byte) to++;
    lines.push(`${to - from === 1 ? `page ${from}` : `pages ${from}-${to - 1}`}: ${hex(byte)} ${protName(byte)}`);
    from = to;
  }
  return lines;
}

const PROTECTIONS: Readonly<Record<string, number>> = { none: 0, r: VM_READ, rw: VM_READ | VM_WRITE };

function* mmap(context: CommandContext, args: readonly string[]): KernelGenerator<CValue> {
  const { kernel, print } = context;
  const [device, pid, pages, prot = 'rw', ...more] = args;
  const protection = Object.hasOwn(PROTECTIONS, prot) ? PROTECTIONS[prot] : undefined;
  if (more.length > 0 || protection === undefined) throw usage('mmap');
  const mdevice = deviceOf(context, device, 'mmap');
  const process = processOf(kernel, pid, 'gpu mmap', usageOf('mmap'));
  const dmirror = openMirror(kernel, mdevice, process, 'mmap');
  const count = BigInt.asIntN(64, numeric(kernel, pages, 'mmap'));
  if (count <= 0n) throw new ShellError(`gpu mmap: ${errnoText(EINVAL)}`, EINVAL);
  if (count > MOST_PAGES) refuse('gpu mmap', EINVAL, `at most ${MOST_PAGES} pages at a time`);
  const start = yield* holding(kernel, dmirror, dmirror_mmap(kernel, dmirror, process.mm, Number(count), protection));
  if (start < 0) throw new ShellError(`gpu mmap: ${errnoText(start)}`, start);
  print(hex(start * 4096));
  return integer(start * 4096, 'unsigned long');
}

/** An ioctl without a range: the address has to pass the checks all the same. */
function* plain(context: CommandContext, command: DmirrorCommand, args: readonly string[]): KernelGenerator<CValue> {
  const { kernel } = context;
  const [device, pid, value, ...more] = args;
  if (more.length > 0 || (command === 'flags') !== (value !== undefined)) throw usage(command);
  const mdevice = deviceOf(context, device, command);
  const dmirror =
    pid === undefined
      ? anyMirror(kernel, mdevice, command)
      : openMirror(kernel, mdevice, processOf(kernel, pid, `gpu ${command}`, usageOf(command)), command);
  if (value !== undefined && value !== '0' && value !== '1') throw usage(command);
  const npages = command === 'flags' ? BigInt(value ?? 0) : 1n;
  // The kernel would refuse a length of nothing; flags are cleared with an address and a length all the same.
  const call = dmirror_ioctl(kernel, dmirror, command, 0n, npages, () => ({ base: 0, step: 0 }));
  const result = yield* holding(kernel, dmirror, call);
  return report(context, command, result);
}

/** The device as anybody has it open: not the mirror of a file whose last close is under way. */
function anyMirror(kernel: Kernel, mdevice: DmirrorDevice, verb: string): Dmirror {
  for (const process of kernel.state.processes.values()) {
    const found = mirrorOf(kernel, mdevice.id, process);
    if (found) return found;
  }
  throw new ShellError(`gpu ${verb}: nobody has /dev/hmm_dmirror${mdevice.id} open: ${errnoText(EBADF)}`, EBADF);
}

function dispatch(context: CommandContext, [verb, ...rest]: readonly string[]): KernelGenerator<CValue> {
  if (verb === 'open') return open(context, rest);
  if (verb === 'close') return close(context, rest);
  if (verb === 'mmap') return mmap(context, rest);
  if (verb === 'release' || verb === 'flags') return plain(context, verb, rest);
  if (verb !== undefined && IOCTLS.has(verb)) return ioctl(context, verb as DmirrorCommand, rest);
  throw new ShellError(`usage: ${USAGE.replaceAll(' | ', '\n       ')}`);
}

export const GPU: Command = {
  name: 'gpu',
  usage: USAGE,
  summary: 'the test GPU of the module test_hmm mirrors a process, reads and writes its memory, and takes its pages',
  details: DETAILS,
  run(context, args) {
    const { kernel } = context;
    const mm = kernel.state.processes.get(pidOf(kernel, args[2]))?.mm;
    const call = dispatch(context, args);
    return mm ? system_call(kernel, mm, call) : call;
  },
};
