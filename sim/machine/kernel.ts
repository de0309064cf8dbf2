/** The running kernel of one machine: what every function of `mm/` gets as its first argument. */
import { type Arch, hasFiveLevels, x86_64 } from '../arch/x86_64.ts';
import { BadAccess } from '../c/value.ts';
import type { TaskRef } from '../include/mm_types.ts';
import { HOLE, nodeOf, type PageColumns, type Pglist, type Zone, zoneOf } from '../include/mmzone.ts';
import { type Facts, factsOf, type Release } from '../kernel/release.ts';
import type { Mark, Store } from '../store/store.ts';
import { createStore } from '../store/store.ts';
import { finished, isFinished, type KernelGenerator, type Point } from '../task/task.ts';
import type { MachineConfig } from './config.ts';
import { type Options, optionsOf } from './options.ts';
import { type CallBack, type KernelState, newState } from './state.ts';
import { beginOf, type CallArgs, type CallBody, endOf, type OpenCall, printed, stopped, Trace } from './trace.ts';

/** So many calls of one call are kept by name: a migration of a million pages makes millions. */
const MAX_CALLS = 200;
/** Once a statement has made so many calls, only the first few of each are kept. */
const MANY_CALLS = 1000;
const FEW_CALLS = 4;
/** Of the others every so manieth passes its points, so that whoever lets the program run can breathe. */
const BREATH = 512;

/** A traced call as data: of one that is made for every page nothing is printed, and nothing made, where nobody looks. */
export interface TracedCall<S, T> {
  readonly name: string;
  readonly args: (subject: S) => readonly string[];
  /** Gives a generator only if it has to wait. */
  readonly body: (kernel: Kernel, subject: S) => KernelGenerator<T>;
  readonly print: (value: T, subject: S) => string;
}

export class Kernel {
  readonly config: MachineConfig;
  readonly release: Release;
  readonly arch: Arch;
  /** Configuration options as this release resolves them. */
  readonly options: Options;
  readonly store: Store;
  readonly pages: PageColumns;
  readonly state: KernelState;
  /** What is true in this release and not in others. */
  readonly facts: Facts;
  /** The calls of the task that runs now; whoever runs a task puts its own here. */
  trace = new Trace();
  callBack: CallBack | undefined;
  /** The task that runs now; whoever runs a task puts its own here. */
  current: TaskRef = { id: 0, label: 'boot' };

  constructor(config: MachineConfig, release: Release) {
    this.config = config;
    this.release = release;
    // A release without 5-level page tables runs such a machine with four.
    const arch = x86_64(hasFiveLevels(release) ? (config.pageTableLevels ?? 4) : 4);
    this.options = optionsOf(config, release);
    this.arch = this.options.zoneDma ? arch : { ...arch, MAX_DMA_PFN: 0 };
    this.facts = factsOf(release);
    this.store = createStore();
    this.pages = {
      state: this.store.column('state', HOLE),
      flags: this.store.column('flags', 0),
      refcount: this.store.column('refcount', 0),
      mapcount: this.store.column('mapcount', 0xffffffff),
      pgmap: this.store.column('pgmap', 0),
      pageblock: this.store.column('pageblock', 1),
      section: this.store.column('section', 0),
    };
    this.state = newState(config);
  }

  get nodes(): readonly Pglist[] {
    return this.state.nodes;
  }

  node(id: number): Pglist {
    const near = this.nodes[id];
    const node = near?.node_id === id ? near : this.nodes.find((candidate) => candidate.node_id === id);
    if (!node)
      throw new BadAccess(`NODE_DATA(${id}): node ${id} does not exist; this machine has ${this.nodes.length} node(s)`);
    return node;
  }

  zone(node: number, index: number): Zone {
    const zone = this.node(node).node_zones[index];
    if (!zone) throw new RangeError(`zone ${index} of node ${node}`);
    return zone;
  }

  /** page_zone(pfn_to_page(pfn)). */
  zoneAt(pfn: number): Zone {
    const word = this.pages.state.get(pfn);
    return this.zone(nodeOf(word), zoneOf(word));
  }

  nodeAt(pfn: number): number {
    return nodeOf(this.pages.state.get(pfn));
  }

  /** The first 2^MAX_PHYSMEM_BITS - 1, or less where the CPU addresses less: PHYSMEM_END. */
  get physmemEnd(): bigint {
    return (1n << BigInt(this.arch.MAX_PHYSMEM_BITS)) - 1n;
  }

  /* ---- kernel log ---- */

  private print(level: number, text: string, warn: boolean): void {
    this.store.splice(this.state.log, this.state.log.length, 0, { level, text, warn });
  }
  pr_info(text: string): void {
    this.print(6, text, false);
  }
  pr_warn(text: string): void {
    this.print(4, text, false);
  }
  pr_err(text: string): void {
    this.print(3, text, false);
  }
  /** WARN(): the message and a backtrace; execution goes on. */
  WARN(text: string): void {
    this.print(4, text, true);
  }

  /* ---- trace ---- */

  /** Calls that are only counted, and run now. */
  private quiet = 0;

  /** Is what runs inside a call that is only counted? Then nothing it calls is told. */
  isQuiet(): boolean {
    return this.quiet > 0;
  }

  /**
   * Runs `body` as a traced call of `name`: it shows in the step's trace and as a frame of the task. One of very
   * many is only counted, and is a frame only if it comes to a point of its own: if it sleeps or runs C text.
   */
  call<T>(name: string, args: CallArgs, body: CallBody<T>, print: (value: T) => string): KernelGenerator<T> {
    return this.isOneOfMany() ? this.quietCall(name, args, body, print) : this.namedCall(name, args, body, print);
  }

  /** The same for a call that is data, at once: what it gives is over, or what is left to do. */
  run<S, T>(call: TracedCall<S, T>, subject: S): KernelGenerator<T> {
    // Inside a call that is only counted nothing needs to be counted, or to be ended where somebody throws.
    if (this.quiet > 0) {
      const running = call.body(this, subject);
      return isFinished(running) ? running : this.quietly(call, subject, running);
    }
    if (!this.isOneOfMany()) return this.named(call, subject);
    this.quiet++;
    let running: KernelGenerator<T>;
    try {
      running = call.body(this, subject);
    } finally {
      this.quiet--;
    }
    return isFinished(running) ? running : this.quietly(call, subject, running);
  }

  private quietly<S, T>(call: TracedCall<S, T>, subject: S, running: KernelGenerator<T>): KernelGenerator<T> {
    const { name, args, print } = call;
    return this.quietCall(
      name,
      () => args(subject),
      running,
      (value) => print(value, subject),
    );
  }

  /** A call with a name that makes a generator only if somebody wants to stop at its points, or it has to wait. */
  private named<S, T>(call: TracedCall<S, T>, subject: S): KernelGenerator<T> {
    const { trace } = this;
    const opened = this.enter(call.name, call.args(subject));
    const print = (value: T): string => call.print(value, subject);
    const begin = beginOf(opened);
    if (!trace.passes?.(begin)) return this.onwards(trace, opened, begin, () => call.body(this, subject), print);
    let running: KernelGenerator<T>;
    try {
      running = call.body(this, subject);
    } catch (error) {
      this.leave(trace, opened);
      throw error;
    }
    if (!isFinished(running)) return this.onwards(trace, opened, undefined, running, print);
    opened.node.result = print(running.value);
    const end = endOf(opened);
    if (!trace.passes(end)) return this.lastPoint(trace, opened, end, running.value);
    this.leave(trace, opened);
    return running;
  }

  private *namedCall<T>(
    name: string,
    args: CallArgs,
    body: CallBody<T>,
    print: (value: T) => string,
  ): KernelGenerator<T> {
    const { trace } = this;
    const opened = this.enter(name, printed(args));
    const begin = beginOf(opened);
    return yield* this.onwards(trace, opened, trace.passes?.(begin) ? undefined : begin, body, print);
  }

  /** A named call from its first point on, or behind it. */
  private *onwards<T>(
    trace: Trace,
    opened: OpenCall,
    begin: Point | undefined,
    body: CallBody<T>,
    print: (value: T) => string,
  ): KernelGenerator<T> {
    try {
      if (begin) yield begin;
      const value = yield* typeof body === 'function' ? body() : body;
      opened.node.result = print(value);
      const end = endOf(opened);
      if (!trace.passes?.(end)) yield end;
      return value;
    } finally {
      this.leave(trace, opened);
    }
  }

  private *lastPoint<T>(trace: Trace, opened: OpenCall, end: Point, value: T): KernelGenerator<T> {
    try {
      yield end;
      return value;
    } finally {
      this.leave(trace, opened);
    }
  }

  /** Runs at once, as far as it comes: mostly to its end, and then nothing is left to do. */
  private quietCall<T>(
    name: string,
    args: CallArgs,
    body: CallBody<T>,
    print: (value: T) => string,
  ): KernelGenerator<T> {
    this.quiet++;
    try {
      const running = typeof body === 'function' ? body() : body;
      if (isFinished(running)) return running;
      const first = running.next();
      return first.done ? finished(first.value) : stopped(name, args, running, first.value, print);
    } finally {
      this.quiet--;
    }
  }

  /** The same for a kernel function that neither sleeps nor calls back. */
  leaf<T>(name: string, args: CallArgs, body: () => T, print: (value: T) => string): T {
    if (this.isOneOfMany()) {
      this.quiet++;
      try {
        return body();
      } finally {
        this.quiet--;
      }
    }
    const call = this.enter(name, printed(args));
    try {
      const value = body();
      call.node.result = print(value);
      return value;
    } finally {
      this.leave(this.trace, call);
    }
  }

  /** Has the call that runs made so many calls that another would only be counted? Then it is, and need not be told. */
  isCrowded(): boolean {
    return this.isOneOfMany();
  }

  private isOneOfMany(): boolean {
    if (this.quiet > 0) return true;
    if (!this.hasManyCalls()) return false;
    const above = this.trace.open.at(-1);
    if (above) {
      above.made++;
      above.node.more = (above.node.more ?? 0) + 1;
    }
    return true;
  }

  /** Would the next call only be counted? */
  hasManyCalls(): boolean {
    if (this.quiet > 0) return true;
    const { open, made } = this.trace;
    const above = open[open.length - 1];
    return (
      above !== undefined && above.made >= (made > MANY_CALLS ? FEW_CALLS : MAX_CALLS) && above.made % BREATH !== 0
    );
  }

  private enter(name: string, args: readonly string[]): OpenCall {
    const frame = { name, kind: 'kernel', args } as const;
    const call: OpenCall = { node: { name, args, result: '', calls: [] }, frame, made: 0 };
    const { open, roots } = this.trace;
    const above = open.at(-1);
    this.trace.made++;
    if (above) above.made++;
    const calls = above?.node.calls ?? roots;
    if (above && calls.length >= MAX_CALLS) above.node.more = (above.node.more ?? 0) + 1;
    else calls.push(call.node);
    open.push(call);
    this.trace.watcher?.entered(call.node);
    return call;
  }
  private leave(trace: Trace, call: OpenCall): void {
    const depth = trace.open.lastIndexOf(call);
    if (depth >= 0) trace.open.length = depth;
    trace.watcher?.left(call.node);
  }

  /* ---- addresses ---- */

  /** A stable simulated address for a struct that the kernel would have kmalloc'ed: in the linear map. */
  addressOf(object: object): bigint {
    const known = this.state.addresses.get(object);
    if (known !== undefined) return known;
    const { addresses, addressEnd } = this.state;
    const address = this.arch.PAGE_OFFSET + ADDRESSES_START + BigInt(addressEnd.used);
    this.store.mapSet(addresses, object, address);
    this.store.set(addressEnd, 'used', addressEnd.used + Math.ceil(roomOf(object) / ADDRESSES_STEP) * ADDRESSES_STEP);
    return address;
  }

  /** Everything outside the page columns, for comparing and saving. */
  roots(): Record<string, unknown> {
    return { state: this.state };
  }

  mark(): Mark {
    return this.store.mark();
  }
}

const ADDRESSES_START = 0x4000000n;
const ADDRESSES_STEP = 0x400;

/** At least the bytes that an object has in any layout: a word for each number and pointer in it, or what a lock takes. */
function roomOf(slot: unknown, depth = 0): number {
  if (typeof slot !== 'object' || slot === null || 'kind' in slot || depth > 16) return 8;
  if ('$array' in slot && 'elements' in slot && Array.isArray(slot.elements))
    return slot.elements.length * roomOf(slot.elements[0], depth + 1);
  if (!('$struct' in slot)) return ADDRESSES_STEP;
  let bytes = 0;
  for (const [name, part] of Object.entries(slot)) if (!name.startsWith('$')) bytes += roomOf(part, depth + 1);
  return Math.max(bytes, LARGEST_OPAQUE);
}
/** Of structs that are opaque to programs the largest have 32 bytes. */
const LARGEST_OPAQUE = 32;

/** `0x1f` style, as %#lx prints. */
export const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
/** `[mem 0x0000000000001000-0x000000000009efff]`: what %pR and friends print. */
export const mem = (start: number | bigint, end: number | bigint): string =>
  `[mem 0x${start.toString(16).padStart(16, '0')}-0x${end.toString(16).padStart(16, '0')}]`;
