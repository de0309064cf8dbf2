/**
 * Lives through a history of processes and devices: every invariant after each line at rest, what everyone reads,
 * programs that are stopped in the middle while others run, and in the end undo, redo, a saved copy, and nothing left.
 */
import { expect } from 'vitest';
import type { ProgramSource } from '../../extension/session/programs.ts';
import { specOf } from '../../extension/session/programs.ts';
import { VM_SHARED } from '../../sim/include/mm_types.ts';
import { Machine, type Program, type Release, shellProgram } from '../../sim/index.ts';
import { checkAddressSpaces } from './addressSpaces.ts';
import { check } from './invariants.ts';
import { checkDevicesAtRest, expectNothingLeft, usedPages } from './lifetimeDevices.ts';
import { foresee, isKnown, mayMislead } from './lifetimeExcuses.ts';
import { LINES, type Operation, opOf } from './lifetimeLines.ts';
import { fresh, type Kind, type MirrorModel, Model, type ProcessModel, READ, WRITE } from './lifetimeModel.ts';
import { exit, fileAt, isBehindEnd, type Op, plain, read } from './lifetimeOps.ts';
import { preset } from './machines.ts';
import { short } from './same.ts';
import { at, pick } from './worldChoices.ts';
import { look } from './worldState.ts';

export interface History {
  readonly machine: string;
  readonly release: Release;
  /** Lines before, which must succeed. */
  readonly prepare: readonly string[];
  readonly scale: number;
  readonly operations: readonly Operation[];
}

export class LifetimeError extends Error {
  override readonly name = 'LifetimeError';
}

/** What a line may fail with: words for the person who typed. */
const ANSWERS: ReadonlySet<string> = new Set(['ShellError']);
/** Programs in the middle of something at a time. */
const MOST_OPEN = 3;
/** Most lines have few points to stop at, some have very many. */
const DEPTHS = [3, 6, 6, 12, 40, 200];

export interface Totals {
  lines: number;
  paused: number;
  waited: number;
  deadlocks: number;
  compared: number;
  /** Lives in which a device mapped what was no longer there. */
  stale: number;
}
export const totals: Totals = { lines: 0, paused: 0, waited: 0, deadlocks: 0, compared: 0, stale: 0 };

export class Life {
  readonly machine: Machine;
  model = new Model();
  readonly typed: string[] = [];
  private readonly scale: number;
  private readonly sources = new Map<number, ProgramSource>();
  private readonly open = new Map<number, Op>();
  /** States and models at rest, by position. */
  private readonly seen = new Map<number, { state: string; model: Model }>();
  private readonly keepsModels: boolean;
  private turn = 0;
  private warned = 0;
  /** A program gave up in the middle: what it held is lost, as at the death of a task. */
  private isTorn = false;

  constructor(machine: Machine, scale: number, keepsModels: boolean) {
    this.machine = machine;
    this.scale = scale;
    this.keepsModels = keepsModels;
  }

  private get isAtRest(): boolean {
    return this.open.size === 0;
  }

  step({ kind, n }: Operation): void {
    const { machine, model, scale } = this;
    if (kind === '@travel') this.travel(at(n, 0));
    else if (kind === '@go') this.go(at(n, 0), at(n, 1) % 3 === 0 ? at(n, 2) % 40 : undefined);
    else {
      const isPaused = kind === '@pause';
      const scene = { machine, model, scale, count: this.typed.length };
      const op = opOf(scene, isPaused ? { kind: pick(LINES, n[7]), n } : { kind, n });
      const isUnderWay = [...this.open.values()].some(({ line }) => line === op?.line);
      if (op && !isUnderWay && this.open.size < MOST_OPEN)
        this.run(op, isPaused ? at(n, 6) % pick(DEPTHS, n[5]) : undefined);
    }
  }

  /* ---- running ---- */

  /** Runs a line, to its end or to a point in the middle. */
  run(op: Op, pauseAt?: number): Program {
    const { machine, model } = this;
    this.typed.push(pauseAt === undefined ? op.line : `${op.line}   # pause at ${pauseAt}`);
    totals.lines++;
    const excused = this.isExcused();
    const promise = op.promise?.(model) ?? 'any';
    if (pauseAt !== undefined) {
      model.flux = true;
    }
    const program = machine.start(shellProgram(machine.kernel, op.line));
    this.sources.set(program.id, { kind: 'line', line: op.line });
    let left = pauseAt ?? Number.POSITIVE_INFINITY;
    foresee(machine, this.model);
    machine.advance(program, { shouldPause: () => left-- <= 0 });
    this.open.set(program.id, op);
    this.overlap();
    if (!program.isOver) {
      if (program.status === 'waiting') totals.waited++;
      else totals.paused++;
      model.flux = true;
      this.beginning(op);
    }
    machine.runReady();
    this.collect();
    if (program.isOver && pauseAt === undefined && !model.flux) {
      const failed = program.error !== undefined;
      if (promise === 'fail' && !failed) throw new Error(`${op.line} succeeds`);
      const isWarned = machine.kernel.state.log.slice(this.warned).some(({ warn }) => warn);
      if (promise === 'ok' && failed && !excused && !isWarned && !this.isTooLate(op, program))
        throw new Error(`${op.line} fails: ${program.error?.message}`);
    }
    this.rest();
    return program;
  }

  private overlap(): void {
    const isHuge = this.scale > 1 && this.machine.kernel.facts.devicePrivateThp;
    if (mayMislead([...this.open.values()], isHuge)) this.model.mayBeStale = true;
  }

  /** What the devices map and what was read through them; where it is wrong and may be, nobody looks any more. */
  private excused(look: () => void): void {
    const { model } = this;
    try {
      look();
    } catch (error) {
      if (!model.mayBeStale && !model.stale) throw error;
      if (!model.stale) totals.stale++;
      model.stale = true;
    }
  }

  private beginning(op: Op): void {
    for (const pid of op.changes ?? []) {
      const process = this.model.processes.get(pid);
      if (process) process.unsettled = true;
    }
    op.begin?.(this.model);
  }

  /** A page that somebody holds cannot leave another device: whoever needs it gives up when its time is over. */
  private isTooLate({ line }: Op, { error }: Program): boolean {
    const { injectedPins, userPins } = this.machine.kernel.state;
    return line.startsWith('gpu ') && /-EBUSY/.test(error?.message ?? '') && injectedPins.size + userPins.size > 0;
  }

  /** Injected faults and limits let anything fail. */
  private isExcused(): boolean {
    const { injected, memcgs, dmirror } = this.machine.kernel.state;
    return (
      this.model.flux ||
      injected.size > 0 ||
      (dmirror?.mirrors ?? []).some(({ flags }) => flags !== 0) ||
      [...memcgs.values()].some(({ max }) => Number.isFinite(max))
    );
  }

  /** A program that stands in the middle goes on, all the way or so many points. */
  private go(which: number, points?: number): void {
    const { machine } = this;
    const ids = [...this.open.keys()];
    const id = ids[which % Math.max(1, ids.length)];
    const program = id === undefined ? undefined : machine.current(id);
    if (!program) return;
    this.typed.push(`@go ${program.spec.label}${points === undefined ? '' : ` ${points}`}`);
    let left = points ?? Number.POSITIVE_INFINITY;
    foresee(machine, this.model);
    machine.advance(program, { shouldPause: () => left-- <= 0 });
    machine.runReady();
    this.collect();
    this.rest();
  }

  /** What the programs that are over came out with. */
  private collect(): void {
    const { machine, model } = this;
    for (const [id, op] of [...this.open]) {
      const program = machine.program(id);
      if (!program?.isOver) continue;
      this.open.delete(id);
      const { error } = program;
      if (error?.name === 'Deadlock') {
        totals.deadlocks++;
        this.isTorn = true;
        if (!model.flux) throw error;
      } else if (error && !ANSWERS.has(error.name)) throw new Error(`${op.line}: ${error.stack}`);
      this.excused(() => op.done?.(model, program, machine));
    }
  }

  /** Where nobody is in the middle of anything, everything is checked. */
  private rest(): void {
    const { machine } = this;
    check(machine);
    const warning = machine.kernel.state.log.slice(this.warned).find(({ warn, text }) => warn && !isKnown(text));
    this.warned = machine.kernel.state.log.length;
    if (warning) throw new Error(`the kernel warns: ${warning.text}`);
    if (!this.isAtRest) return;
    this.settle();
    if (!this.isTorn) checkAddressSpaces(machine);
    checkDevicesAtRest(machine, true);
    this.excused(() => checkDevicesAtRest(machine, this.model.stale));
    this.model.mayBeStale = false;
    this.checkMappings();
    this.checkLooking();
    this.remember();
  }

  private checkLooking(): void {
    const { machine } = this;
    const { store } = machine.kernel;
    this.turn++;
    if (this.turn % 7 !== 0) return;
    const before = [store.mark(), store.newest];
    look(machine, this.turn / 7);
    expect([store.mark(), store.newest], 'looking changed something').toEqual(before);
  }

  /* ---- the model ---- */

  /** Where mappings changed at a time, the engine says how; what private pages hold is not known then. */
  private settle(): void {
    const { machine, model } = this;
    if (model.flux) this.learnFiles();
    model.flux = false;
    const living = machine.kernel.state.processes;
    for (const pid of [...model.processes.keys()]) if (!living.get(pid)?.mm) model.processes.delete(pid);
    for (const process of model.processes.values()) if (process.unsettled) this.resettle(process);
  }

  /** Who has which device open after forks, opens and closes that overlapped. */
  private learnFiles(): void {
    const { processes, dmirror } = this.machine.kernel.state;
    const known = new Map<unknown, MirrorModel>();
    for (const { file, mdevice, process } of dmirror?.mirrors ?? [])
      known.set(file, { device: mdevice.id, pid: process.pid });
    for (const { pid, fds } of this.model.processes.values()) {
      const open = (processes.get(pid)?.fds ?? []).flatMap((file) => known.get(file) ?? []);
      fds.splice(0, fds.length, ...open);
    }
  }

  private resettle(process: ProcessModel): void {
    const { machine, model } = this;
    const mm = machine.kernel.state.processes.get(process.pid)?.mm;
    process.unsettled = false;
    process.pages.clear();
    for (const vma of mm?.vmas ?? []) {
      const shared = (vma.flags & VM_SHARED) !== 0;
      const from = vma.file?.kind;
      const kind: Kind = from === 'hugetlb' || from === 'device' || from === 'file' ? from : 'anon';
      const file = kind === 'hugetlb' && !shared ? undefined : fileAt(model, machine, process.pid, vma.start, false);
      for (let vpn = vma.start; vpn < vma.end; vpn++) {
        const index = vma.pgoff + (vpn - vma.start);
        const page = fresh(kind, shared, file, index, vma.flags & (READ | WRITE));
        if (!shared) page.own = { cell: undefined };
        page.maybe = !shared && file !== undefined;
        page.mayBus = kind === 'hugetlb' || kind === 'device';
        // Who knows what was advised of it: a device's write to it may be forgotten.
        page.clean = true;
        page.lazy = !shared && kind === 'anon';
        process.pages.set(vpn, page);
      }
    }
  }

  /** The engine's mappings are what the calls promised. */
  private checkMappings(): void {
    const { machine, model } = this;
    for (const { pid, pages } of model.processes.values()) {
      let count = 0;
      for (const vma of machine.kernel.state.processes.get(pid)?.mm?.vmas ?? []) {
        count += vma.end - vma.start;
        const shared = (vma.flags & VM_SHARED) !== 0;
        for (let vpn = vma.start; vpn < vma.end; vpn++) {
          const page = pages.get(vpn);
          const isSame =
            page &&
            page.shared === shared &&
            page.prot === (vma.flags & (READ | WRITE)) &&
            (!page.file || page.index === vma.pgoff + (vpn - vma.start));
          if (!isSame)
            throw new Error(
              `pid ${pid}: page ${vpn.toString(16)} is mapped ${vma.flags & 3} shared ${shared} pgoff ${vma.pgoff + vpn - vma.start}, not ${JSON.stringify(page && { ...page, file: page.file?.name })}`,
            );
        }
      }
      if (count !== pages.size) throw new Error(`pid ${pid} has ${count} pages mapped, not ${pages.size}`);
    }
  }

  /** Every process reads everything it may. */
  private readAll(): void {
    for (const { pid, pages } of [...this.model.processes.values()]) {
      const readable = [...pages]
        .filter(([, page]) => (page.prot & READ) !== 0 && !page.mayBus && !isBehindEnd(page))
        .map(([vpn]) => vpn);
      readable.sort((a, b) => a - b);
      for (let i = 0; i < readable.length; ) {
        let end = i + 1;
        while (readable[end] === (readable[i] as number) + (end - i)) end++;
        const vpn = readable[i] as number;
        totals.compared += end - i;
        this.run(read(pid, vpn, end - i));
        i = end;
      }
    }
  }

  /* ---- time ---- */

  private state(): string {
    return short(this.machine.canonical());
  }

  /** Keeps what stands here; where it stood here before, it is the same. */
  private remember(): void {
    const { machine, model } = this;
    const { position } = machine;
    for (const known of this.seen.keys()) if (known > machine.steps.length) this.seen.delete(known);
    if (machine.steps.length !== position) return;
    if (!this.keepsModels && this.turn % 8 > 0) return;
    this.seen.set(position, {
      state: this.turn % 8 === 0 ? this.state() : '',
      model: this.keepsModels ? model.clone() : model,
    });
  }

  private travel(far: number): void {
    const { machine } = this;
    if (!this.isAtRest || !this.keepsModels) return;
    const places = [...this.seen.keys()].filter((position) => position >= machine.oldest).slice(-12);
    const position = places[far % Math.max(1, places.length)];
    const known = position === undefined ? undefined : this.seen.get(position);
    if (position === undefined || !known || position === machine.position) return;
    this.typed.push(`@travel ${position}`);
    machine.travel(position);
    if (known.state !== '') expect(this.state(), `the state at step ${position}`).toBe(known.state);
    this.model = known.model.clone();
    // What lay ahead is forgotten with the next line.
    for (const later of this.seen.keys()) if (later > position) this.seen.delete(later);
    this.warned = machine.kernel.state.log.length;
  }

  /** Everybody who is in the middle of something comes to an end; who waits for a pin is given it. */
  drain(): void {
    const { machine } = this;
    for (let round = 0; this.open.size > 0; round++) {
      if (round > 200) throw new Error(`still under way: ${this.waiting()}`);
      for (const id of [...this.open.keys()]) {
        const program = machine.current(id);
        foresee(machine, this.model);
        if (program && !program.isOver) machine.advance(program);
        machine.runReady();
      }
      this.collect();
      if (this.open.size > 0 && round % 3 === 2) {
        const isHelped = this.letGo() || this.leave();
        if (!isHelped && round > 10) throw new Error(`nobody can end the wait: ${this.waiting()}`);
      }
    }
    this.rest();
  }

  private waiting(): string {
    return [...this.open.keys()]
      .map((id) => this.machine.program(id))
      .map(
        (program) =>
          `"${program?.spec.label}" ${program?.status} for ${program?.waitsFor?.what} (${program?.waitsFor?.holders().join(', ')})`,
      )
      .join('; ');
  }

  /** Gives back what gup and inject hold. */
  private letGo(): boolean {
    const { state } = this.machine.kernel;
    const lines: string[] = [];
    if (state.injectedPins.size + state.injected.size > 0) lines.push('inject clear');
    for (const [pid, held] of state.userPins)
      for (const [vpn, pages] of held)
        for (const { pin, count } of pages)
          for (let i = 0; i < count; i++)
            lines.push(`proc gup-put ${pid} 0x${(vpn * 4096).toString(16)} 1${pin ? ' pin' : ''}`);
    for (const line of lines) this.quietly(line);
    return lines.length > 0;
  }

  /** The end of a process gives back what is on a device that goes. */
  private leave(): boolean {
    const leaving = new Set([...this.open.values()].map(({ line }) => line));
    const [pid] = [...this.model.processes.values()]
      .filter((process) => !leaving.has(exit(process.pid).line))
      .sort((one, other) => Number(one.unsettled) - Number(other.unsettled))
      .map((each) => each.pid);
    if (pid === undefined) return false;
    const op = exit(pid);
    this.beginning(op);
    this.quietly(op.line, op);
    return true;
  }

  private quietly(line: string, op: Op = plain(line)): void {
    const { machine } = this;
    this.typed.push(line);
    const program = machine.start(shellProgram(machine.kernel, line));
    this.sources.set(program.id, { kind: 'line', line });
    machine.advance(program);
    machine.runReady();
    this.open.set(program.id, op);
    if (program.error) throw new Error(`${line}: ${program.error.message}`);
    this.collect();
  }

  /** Back to the beginning, forward again, and made again from what a session keeps. */
  again(first: string): void {
    const { machine } = this;
    const end = this.state();
    const position = machine.position;
    if (machine.oldest === 0) {
      machine.travel(0);
      expect(this.state(), 'after undoing everything').toBe(first);
      machine.travel(position);
      expect(this.state(), 'after undoing and redoing everything').toBe(end);
    }
    const used = new Set(machine.steps.map((step) => step.program));
    const copy = new Machine(machine.config, machine.release);
    copy.restore(
      [...this.sources].filter(([id]) => used.has(id)).map(([id, source]) => ({ id, spec: specOf(copy, source).spec })),
      machine.steps.map(({ program, points, label }) => ({ program, points, label })),
      position,
    );
    expect(short(copy.canonical()), 'saved, loaded and run again').toBe(end);
  }

  /** All processes end, the devices go, and the machine is what it was but for the page cache. */
  end(before: Record<string, number>): void {
    const { machine } = this;
    this.drain();
    this.readAll();
    this.letGo();
    for (const pid of [...machine.kernel.state.processes.keys()])
      if (machine.kernel.state.processes.get(pid)?.mm) this.run(exit(pid));
    this.drain();
    if (machine.kernel.state.dmirror) this.run(plain('rmmod test_hmm'));
    for (const { name } of [...machine.kernel.state.swap.values()]) this.run(plain(`swapoff ${name}`));
    this.run(plain('echo 0 > /proc/sys/vm/nr_hugepages'));
    for (const [id, block] of machine.kernel.state.memoryBlocks)
      if (block.state === 'offline') this.run(plain(`echo online > /sys/devices/system/memory/memory${id}/state`));
    // The end of a process drains the batch of pages that wait for their list.
    const pid = Number(this.run(plain('proc new last')).output[0]);
    this.run(plain(`proc mmap ${pid} 1`));
    this.run(exit(pid));
    if (this.isTorn) return;
    expectNothingLeft(machine);
    expect(usedPages(machine), 'pages in use').toEqual(before);
  }
}

/** Lives through a history; how many lines it had. */
export function live({ machine: name, release, prepare, scale, operations }: History): number {
  const machine = new Machine(preset(name), release);
  const first = short(machine.canonical());
  const before = usedPages(machine);
  const life = new Life(
    machine,
    scale,
    operations.some(({ kind }) => kind === '@travel'),
  );
  try {
    for (const line of prepare) life.run(plain(line));
    for (const operation of operations) life.step(operation);
    life.end(before);
    life.again(first);
  } catch (error) {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    const where = (stack ?? '')
      .split('\n')
      .filter((line) => /\/(sim|test)\//.test(line))
      .slice(0, 8);
    throw new LifetimeError(
      [message, ...where, `${name} ${release} scale ${scale}`, ...life.typed.map((line) => `  ${line}`)].join('\n'),
    );
  }
  return life.typed.length;
}
