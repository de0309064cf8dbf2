/** `inject`: makes something go wrong that on a real machine takes luck: out of memory, a device that cannot, a pin. */
import { is_device_private_entry, pte_pfn, pte_present, pte_special } from '../arch/pte.ts';
import type { Mm } from '../include/mm_types.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import type { KernelState } from '../machine/state.ts';
import { folio_get, folio_put, folioOf } from '../mm/folio.ts';
import { oom_reap_task_mm } from '../mm/oom_reaper.ts';
import { hugePmdAt, pteAt } from '../mm/pgtable.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Command, CommandContext } from './command.ts';
import { INJECT_BLOCK } from './dimm.ts';
import { errnoText } from './errnoText.ts';
import { ShellError } from './error.ts';
import { addressOf, processOf, refuse } from './procArgs.ts';

/** What should_fail is asked for. */
const FAULTS: ReadonlyMap<string, string> = new Map([
  ['page', 'the next allocation of a page for a process or a device fails'],
  ['huge-page', 'the next allocation of a huge page fails'],
  ['migrate-to-ram', 'the device cannot bring a page back: the CPU that touched it gets SIGBUS'],
]);
const USAGE = [
  `inject ${[...FAULTS.keys()].join('|')} [TIMES]`,
  'inject non-blockable PID',
  'inject pin|unpin PID ADDR',
  INJECT_BLOCK.usage,
  'inject list',
  'inject clear [FAULT]',
].join(' | ');
const DETAILS = [
  ...[...FAULTS].map(([name, what]) => `  ${name.padEnd(20)} ${what}`),
  '  non-blockable        the OOM reaper takes the memory of a process; whoever would have to sleep is refused',
  '  pin, unpin           someone else holds the page at an address, or lets it go',
  '  unmovable, movable   pages of a memory block are in use by the kernel, or by programs',
  '  list, clear          what is armed and held; clear disarms, and lets go of pinned pages',
].join('\n');
const MOST = 1_000_000;

const addressSpace = (kernel: Kernel, pid: string | undefined, fault: string): Mm =>
  processOf(kernel, pid, `inject ${fault}`, USAGE).mm;

/** The OOM reaper goes over the process: its notifier calls may not sleep. */
function* reap({ kernel, print }: CommandContext, pid: string | undefined): KernelGenerator<void> {
  if (!(yield* oom_reap_task_mm(kernel, addressSpace(kernel, pid, 'non-blockable'))))
    throw new ShellError(`inject non-blockable: ${errnoText(-11)}: someone would have to sleep`, -11);
  print('reaped');
}

/** The folio that is mapped at an address, present or on a device. */
function folioAt(kernel: Kernel, mm: Mm, address: string | undefined, fault: string): number {
  const vpn = addressOf(kernel, address, `inject ${fault}`, USAGE);
  const pte = hugePmdAt(mm, vpn)?.entry ?? pteAt(mm, vpn);
  const folio =
    (pte_present(pte) && !pte_special(pte)) || is_device_private_entry(pte) ? folioOf(kernel, pte_pfn(pte)) : undefined;
  if (folio) return folio.pfn;
  return refuse(`inject ${fault}`, -14, `there is no page at ${address}`);
}

/** Someone else takes a reference, or drops it. */
function* pin(
  context: CommandContext,
  isPin: boolean,
  pid: string | undefined,
  address: string | undefined,
): KernelGenerator<void> {
  const { kernel, print } = context;
  const { injectedPins } = kernel.state;
  const fault = isPin ? 'pin' : 'unpin';
  const pfn = folioAt(kernel, addressSpace(kernel, pid, fault), address, fault);
  const count = injectedPins.get(pfn) ?? 0;
  if (isPin) {
    folio_get(kernel, pfn);
    kernel.store.mapSet(injectedPins, pfn, count + 1);
  } else {
    if (count === 0) throw new ShellError(`inject unpin: page ${hex(pfn)} is not pinned by inject`, -22);
    yield* drop(kernel, pfn, 1);
  }
  print(`page ${hex(pfn)}: refcount ${kernel.pages.refcount.get(pfn)}`);
}

/** The pin goes first, so that a page which ends with it is held by nobody. */
function* drop(kernel: Kernel, pfn: number, times: number): KernelGenerator<void> {
  const { injectedPins } = kernel.state;
  const left = (injectedPins.get(pfn) ?? 0) - times;
  if (left > 0) kernel.store.mapSet(injectedPins, pfn, left);
  else kernel.store.mapDelete(injectedPins, pfn);
  for (let i = 0; i < times; i++) yield* folio_put(kernel, pfn);
}

function arm({ kernel, print }: CommandContext, fault: string, times: string): void {
  if (!/^[1-9]\d{0,6}$/.test(times) || Number(times) > MOST)
    throw new ShellError(`inject ${fault}: ${times}: ${errnoText(-22)}: between 1 and ${MOST} times`);
  const { injected } = kernel.state;
  const count = (injected.get(fault) ?? 0) + Number(times);
  kernel.store.mapSet(injected, fault, count);
  print(`${fault}: strikes ${count} time(s)`);
}

const list = ({ injected, injectedPins }: KernelState): string[] => [
  ...[...injected].map(([fault, left]) => `${fault}: ${left} time(s)`),
  ...[...injectedPins].map(([pfn, count]) => `pin: page ${hex(pfn)}, ${count} reference(s)`),
];

function* clear(kernel: Kernel, fault: string | undefined): KernelGenerator<void> {
  const { injected, injectedPins } = kernel.state;
  if (fault !== undefined && fault !== 'pin' && !FAULTS.has(fault)) throw new ShellError(`usage: ${USAGE}`);
  for (const name of fault === undefined ? [...injected.keys()] : [fault]) kernel.store.mapDelete(injected, name);
  if (fault === undefined || fault === 'pin')
    for (const [pfn, count] of [...injectedPins]) yield* drop(kernel, pfn, count);
}

export const INJECT: Command = {
  name: 'inject',
  usage: USAGE,
  summary: 'lets something go wrong that takes luck on a real machine',
  details: DETAILS,
  run(context, args) {
    const [fault, value, extra, ...more] = args;
    if (fault === 'unmovable' || fault === 'movable') return INJECT_BLOCK.run(context, args);
    if (fault === undefined || more.length > 0) throw new ShellError(`usage: ${USAGE}`);
    if (fault === 'pin' || fault === 'unpin') return pin(context, fault === 'pin', value, extra);
    if (extra !== undefined) throw new ShellError(`usage: ${USAGE}`);
    if (fault === 'non-blockable') return reap(context, value);
    if (fault === 'clear') return clear(context.kernel, value);
    if (fault === 'list' && value === undefined) for (const line of list(context.kernel.state)) context.print(line);
    else if (FAULTS.has(fault)) arm(context, fault, value ?? '1');
    else throw new ShellError(`usage: ${USAGE}`);
    return undefined;
  },
};
