/** Command lines about processes and devices, with what each promises: lifetimeModel.ts keeps it. */

import { VM_DONTCOPY } from '../../sim/include/mm_types.ts';
import type { Machine, Program } from '../../sim/index.ts';
import { statusOf } from '../../sim/index.ts';
import { vma_lookup } from '../../sim/mm/vma.ts';
import {
  type Cell,
  copyOf,
  type FileModel,
  fresh,
  type Kind,
  type MirrorModel,
  type Model,
  type Page,
  type ProcessModel,
  pageOf,
  READ,
  WRITE,
} from './lifetimeModel.ts';
import { lines } from './lifetimeText.ts';

/** What a line must give where nothing is injected and nobody is in between. */
export type Promise = 'ok' | 'fail' | 'any';

export interface Op {
  readonly line: string;
  /** Processes whose mappings it changes. */
  readonly changes?: readonly number[];
  promise?(model: Model): Promise;
  /** What may come out of it, when it is under way. */
  begin?(model: Model): void;
  /** What came out. Throws where that cannot be. */
  done?(model: Model, program: Program, machine: Machine): void;
}

export const hexOf = (vpn: number): string => `0x${(BigInt(vpn) << 12n).toString(16)}`;
const PROTS: Readonly<Record<string, number>> = { none: 0, r: READ, rw: READ | WRITE };

export function* pagesOf(model: Model, pid: number, vpn: number, pages: number): Generator<[Page, number]> {
  const found = model.processes.get(pid);
  for (let i = 0; i < pages; i++) {
    const page = found?.pages.get(vpn + i);
    if (page) yield [page, i];
  }
}

/** A file or a shared object has the size it was made with; behind it there is a bus error. */
export const isBehindEnd = ({ kind, file, index }: Page): boolean =>
  kind !== 'hugetlb' && file !== undefined && index >= file.size;

/** Whether an access must succeed, as the mappings say. */
function access(model: Model, pid: number, vpn: number, pages: number, write: boolean): Promise {
  const process = model.processes.get(pid);
  if (!process || process.unsettled) return 'any';
  let result: Promise = 'ok';
  for (let i = 0; i < pages; i++) {
    const page = process.pages.get(vpn + i);
    if (!page || (page.prot & (write ? WRITE : READ | WRITE)) === 0) return 'fail';
    if (isBehindEnd(page)) return 'fail';
    if (page.mayBus) result = 'any';
  }
  return result;
}

/** The same of a device. To 5.16 hmm_range_fault refuses mappings that a driver filled (VM_MIXEDMAP). */
function mirrored(model: Model, pid: number, vpn: number, pages: number, write: boolean): Promise {
  const promise = access(model, pid, vpn, pages, write);
  const isFilled = [...pagesOf(model, pid, vpn, pages)].some(([{ kind }]) => kind === 'device');
  return isFilled && promise === 'ok' ? 'any' : promise;
}

/** A write into memory whose mapping is not known now: any shared memory may have got it. */
function poison(model: Model): void {
  for (const file of model.files.values()) for (let i = 0; i < file.size; i++) file.cells.set(i, undefined);
}

type Change = (page: Page, index: number) => void;

function change(model: Model, pid: number, vpn: number, pages: number, act: Change): void {
  if (model.processes.get(pid)?.unsettled) poison(model);
  for (const [page, index] of pagesOf(model, pid, vpn, pages)) act(page, index);
}

/** Compares what was read with what may be there. */
function compare(model: Model, pid: number, vpn: number, values: readonly (number | undefined)[]): void {
  if (model.processes.get(pid)?.unsettled || model.stale) return;
  for (const [page, i] of pagesOf(model, pid, vpn, values.length)) {
    const value = values[i];
    const wrong = value === undefined ? 'is mixed' : model.see(page, value);
    if (wrong) throw new Error(`pid ${pid}: page ${hexOf(vpn + i)} ${wrong}`);
  }
}

/* ---- memory ---- */

export const read = (pid: number, vpn: number, pages: number): Op => ({
  line: `proc read ${pid} ${hexOf(vpn)} ${pages}`,
  promise: (model) => access(model, pid, vpn, pages, false),
  done(model, program) {
    if (statusOf(program) >= 0 && !program.error) compare(model, pid, vpn, lines.read(program.output, vpn, pages));
  },
});

export const write = (pid: number, vpn: number, pages: number, base: number, step: number): Op => ({
  line: `proc write ${pid} ${hexOf(vpn)} ${pages} ${step ? `i+${base}` : base}`,
  promise: (model) => access(model, pid, vpn, pages, true),
  begin: (model) => change(model, pid, vpn, pages, (page, i) => model.write(page, pageOf(base, step, i), false)),
  done: (model, { error }) => {
    // What no VMA allows is refused before anything is written.
    if (error && !model.flux && access(model, pid, vpn, pages, true) === 'fail') return;
    change(model, pid, vpn, pages, (page, i) => model.write(page, pageOf(base, step, i), !error));
  },
});

export const add = (pid: number, vpn: number, pages: number, by: number): Op => ({
  line: `proc write ${pid} ${hexOf(vpn)} ${pages} +${by}`,
  promise: (model) => access(model, pid, vpn, pages, true),
  begin: (model) => change(model, pid, vpn, pages, (page) => void forget(model, page)),
  done: (model, { error }) => {
    if (error && !model.flux && access(model, pid, vpn, pages, true) === 'fail') return;
    change(model, pid, vpn, pages, (page) => (model.flux ? forget(model, page) : model.add(page, by, !error)));
  },
});

/** Nobody knows what a page holds that two write at a time, one of them by adding. */
function forget(_model: Model, page: Page): void {
  if (page.shared) page.file?.cells.set(page.index, undefined);
  else page.own = { cell: undefined };
}

/* ---- mappings ---- */

const overlaps = (model: Model, pid: number, vpn: number, pages: number): boolean =>
  !pagesOf(model, pid, vpn, pages).next().done;

const hasKind = (model: Model, pid: number, kind: Kind): boolean =>
  [...(model.processes.get(pid)?.pages.values() ?? [])].some((page) => page.kind === kind);

const settled = (model: Model, pid: number): ProcessModel | undefined => {
  const process = model.processes.get(pid);
  if (!process || process.unsettled) return undefined;
  if (!model.flux) return process;
  process.unsettled = true;
  return undefined;
};

/** The file behind a mapping, as the engine has it. */
export function fileAt(model: Model, machine: Machine, pid: number, vpn: number, isNew = true): FileModel | undefined {
  const mm = machine.kernel.state.processes.get(pid)?.mm;
  const file = mm && vma_lookup(mm, vpn)?.file;
  if (!file || file.kind === 'device') return undefined;
  const key = `${file.name} ${file.id}`;
  const known = model.files.get(key);
  if (known) return known;
  // Of one that came about between others nobody knows what was written.
  const cells = isNew ? [] : Array.from({ length: file.size }, (_, i): [number, Cell] => [i, undefined]);
  const found: FileModel = { name: key, size: file.size, cells: new Map(cells) };
  model.files.set(key, found);
  return found;
}

export function mmap(pid: number, count: number, prot: string, what: string, shared: boolean, at?: number): Op {
  const place = at === undefined ? '' : ` at=${hexOf(at)}`;
  const isHuge = what === 'hugetlb';
  const pages = isHuge ? Math.ceil(count / 512) * 512 : count;
  return {
    line: `proc mmap ${pid} ${count} ${prot} ${what} ${shared ? 'shared' : 'private'}${place}`,
    changes: [pid],
    promise(model) {
      if (isHuge || at === undefined || model.processes.get(pid)?.unsettled) return 'any';
      return overlaps(model, pid, at, pages) ? 'any' : 'ok';
    },
    done(model, program, machine) {
      const process = settled(model, pid);
      if (program.error || !process || program.value?.kind !== 'integer') return;
      const vpn = Number(BigInt.asUintN(64, program.value.value) >> 12n);
      if (overlaps(model, pid, vpn, pages)) throw new Error(`mmap gave ${hexOf(vpn)}, where something is`);
      const found = fileAt(model, machine, pid, vpn);
      const file = isHuge && !shared ? undefined : found;
      const kind: Kind = isHuge ? 'hugetlb' : what === 'anon' ? 'anon' : 'file';
      for (let i = 0; i < pages; i++) {
        process.pages.set(vpn + i, fresh(kind, shared, file, i, PROTS[prot] ?? 0));
      }
    },
  };
}

export const munmap = (pid: number, vpn: number, pages: number): Op => ({
  line: `proc munmap ${pid} ${hexOf(vpn)} ${pages}`,
  changes: [pid],
  promise: (model) => (hasKind(model, pid, 'hugetlb') ? 'any' : pages > 0 ? 'ok' : 'fail'),
  done(model, { error }) {
    const process = settled(model, pid);
    if (error || !process) return;
    for (let i = 0; i < pages; i++) process.pages.delete(vpn + i);
  },
});

export const mprotect = (pid: number, vpn: number, pages: number, prot: string): Op => ({
  line: `proc mprotect ${pid} ${hexOf(vpn)} ${pages} ${prot}`,
  changes: [pid],
  promise(model) {
    if (hasKind(model, pid, 'hugetlb')) return 'any';
    return [...pagesOf(model, pid, vpn, pages)].length === pages ? 'ok' : 'fail';
  },
  done(model, { error }, machine) {
    if (!settled(model, pid)) return;
    const wanted = PROTS[prot] ?? 0;
    for (const [page, i] of pagesOf(model, pid, vpn, pages)) {
      if (wanted & WRITE) model.mayCopy(page);
      // A call that fails changed what lay before.
      if (!error || protAt(machine, pid, vpn + i) === wanted) page.prot = wanted;
    }
  },
});

function protAt({ kernel }: Machine, pid: number, vpn: number): number | undefined {
  const mm = kernel.state.processes.get(pid)?.mm;
  const vma = mm && vma_lookup(mm, vpn);
  return vma && vma.flags & (READ | WRITE);
}

export interface MremapWords {
  readonly to?: number;
  readonly size?: number;
  readonly dontunmap?: boolean;
}

export function mremap(pid: number, vpn: number, old: number, { to, size = old, dontunmap }: MremapWords): Op {
  const words = `${size === old ? '' : ` new=${size}`}${to === undefined ? '' : ` to=${hexOf(to)}`}`;
  return {
    line: `proc mremap ${pid} ${hexOf(vpn)} ${old}${words}${dontunmap ? ' dontunmap' : ''}`,
    changes: [pid],
    done(model, program, machine) {
      const process = settled(model, pid);
      if (!process) return;
      const { pages } = process;
      // Also of a call that fails: the target is unmapped first, and the end of a mapping that shrinks.
      const gone = (from: number, count: number): void => {
        for (let i = 0; i < count; i++)
          if (!program.error || protAt(machine, pid, from + i) === undefined) pages.delete(from + i);
      };
      const target = program.value?.kind === 'integer' ? Number(program.value.value >> 12n) : -1;
      const moves = Math.min(old, size);
      const first = pages.get(vpn);
      if (program.error || !first) {
        if (to !== undefined) gone(to, size);
        if (size < old) gone(vpn + size, old - size);
        return;
      }
      const moved = Array.from({ length: moves }, (_, i) => pages.get(vpn + i));
      gone(vpn + size, old - size);
      if (target !== vpn || dontunmap) {
        if (to !== undefined) gone(to, size);
        if (old > 0)
          for (const [i, page] of moved.entries()) {
            if (!page) continue;
            if (!dontunmap) {
              pages.delete(vpn + i);
              pages.set(target + i, page);
            } else {
              pages.set(target + i, copyOf(page));
              model.drop(page, true);
            }
          }
      }
      for (let i = moves; i < size; i++)
        pages.set(target + i, fresh(first.kind, first.shared, first.file, first.index + i, first.prot));
    },
  };
}

const DROPS: ReadonlySet<string> = new Set(['DONTNEED']);

export function madvise(pid: number, vpn: number, pages: number, advice: string): Op {
  const act = (model: Model, sure: boolean): void =>
    change(model, pid, vpn, pages, (page) => {
      if (DROPS.has(advice)) model.drop(page, sure);
      else if (advice === 'FREE' && page.kind === 'anon' && !page.shared) page.lazy = true;
      else if (advice === 'PAGEOUT') page.clean = true;
      else if (advice === 'POPULATE_WRITE') model.mayCopy(page);
    });
  return {
    line: `proc madvise ${pid} ${hexOf(vpn)} ${pages} ${advice}`,
    begin: (model) => act(model, false),
    done: (model, { error }) => act(model, !error),
  };
}

export const mlock = (pid: number, vpn: number, pages: number, word: 'mlock' | 'munlock'): Op => ({
  line: `proc ${word} ${pid} ${hexOf(vpn)} ${pages}`,
  begin: (model) => change(model, pid, vpn, pages, (page) => model.mayCopy(page)),
  done: (model) => change(model, pid, vpn, pages, (page) => model.mayCopy(page)),
});

export const gup = (pid: number, vpn: number, pages: number, words: string): Op => ({
  line: `proc gup ${pid} ${hexOf(vpn)} ${pages}${words}`,
  begin: (model) => change(model, pid, vpn, pages, (page) => model.mayCopy(page)),
  done: (model) => change(model, pid, vpn, pages, (page) => model.mayCopy(page)),
});

/* ---- processes ---- */

export const born = (name: string): Op => ({
  line: `proc new ${name}`.trimEnd(),
  promise: () => 'ok',
  done(model, { value }) {
    const pid = value?.kind === 'integer' ? Number(value.value) : 0;
    model.processes.set(pid, { pid, pages: new Map(), fds: [], unsettled: false });
  },
});

export function fork(pid: number): Op {
  return {
    line: `proc fork ${pid}`,
    promise: () => 'ok',
    begin: (model) => change(model, pid, 0, 0, () => {}),
    done(model, { value, error }, machine) {
      const parent = model.processes.get(pid);
      if (error || value?.kind !== 'integer' || !parent) return;
      const child = Number(value.value);
      const mm = machine.kernel.state.processes.get(pid)?.mm;
      const pages = new Map<number, Page>();
      for (const [vpn, page] of parent.pages) {
        const vma = mm && vma_lookup(mm, vpn);
        if (!vma || (vma.flags & VM_DONTCOPY) !== 0) continue;
        if (page.kind === 'hugetlb' && !page.shared) page.mayBus = true;
        pages.set(vpn, copyOf(page));
      }
      model.processes.set(child, { pid: child, pages, fds: [...parent.fds], unsettled: model.flux });
    },
  };
}

export const exit = (pid: number, signal = ''): Op => ({
  line: `proc exit ${pid} ${signal}`.trimEnd(),
  changes: [pid],
  promise: () => 'ok',
  done: (model) => void model.processes.delete(pid),
});

/** The OOM reaper goes over it. */
export function reap(pid: number): Op {
  const act = (model: Model, sure: boolean): void => {
    for (const page of model.processes.get(pid)?.pages.values() ?? [])
      if (page.kind !== 'hugetlb') model.drop(page, sure);
  };
  return {
    line: `inject non-blockable ${pid}`,
    begin: (model) => act(model, false),
    done: (model, { error }) => act(model, !error),
  };
}

/* ---- devices ---- */

/** Whose memory a process sees through a device: of whoever opened it. */
export const mirrorOf = (model: Model, pid: number, device: number): MirrorModel | undefined =>
  model.processes.get(pid)?.fds.findLast((fd) => fd.device === device);

export const open = (device: number, pid: number): Op => ({
  line: `gpu open ${device} ${pid}`,
  done: (model, { error }) => void (error || model.processes.get(pid)?.fds.push({ device, pid })),
});

export const close = (device: number, pid: number): Op => ({
  line: `gpu close ${device} ${pid}`,
  done(model, { error }) {
    const fds = model.processes.get(pid)?.fds;
    const fd = mirrorOf(model, pid, device);
    if (!error && fds && fd) fds.splice(fds.lastIndexOf(fd), 1);
  },
});

const target = (model: Model, pid: number, device: number): number => mirrorOf(model, pid, device)?.pid ?? -1;

/** `read`, `to-dev`, `exclusive`: what the device saw. `to-sys`, `snapshot`, `check-exclusive`: nothing to compare. */
export function gpu(word: string, device: number, pid: number, vpn: number, pages: number): Op {
  const shows = word.startsWith('read') || word === 'to-dev' || word === 'exclusive';
  const copy = (model: Model): void => {
    if (word === 'exclusive') change(model, target(model, pid, device), vpn, pages, (page) => model.mayCopy(page));
  };
  return {
    line: `gpu ${word} ${device} ${pid} ${hexOf(vpn)} ${pages}`,
    promise(model) {
      const mirror = mirrorOf(model, pid, device);
      if (!mirror) return 'fail';
      if (!word.startsWith('read')) return 'any';
      if (!model.processes.has(mirror.pid)) return 'fail';
      return word === 'read' ? mirrored(model, mirror.pid, vpn, pages, false) : 'any';
    },
    begin: copy,
    done(model, { output, error }) {
      copy(model);
      if (shows && !error) compare(model, target(model, pid, device), vpn, lines.buffer(output.slice(1), pages));
    },
  };
}

export function gpuWrite(device: number, pid: number, vpn: number, pages: number, base: number): Op {
  const act = (model: Model, sure: boolean): void =>
    change(model, target(model, pid, device), vpn, pages, (page, i) => {
      // A device does not write what no VMA allows; what came before is written.
      if ((page.prot & WRITE) !== 0 || model.flux) model.writeByDevice(page, pageOf(base, 1, i), sure);
    });
  return {
    line: `gpu write ${device} ${pid} ${hexOf(vpn)} ${pages} i+${base}`,
    promise(model) {
      const mirror = mirrorOf(model, pid, device);
      if (!mirror || !model.processes.has(mirror.pid)) return 'fail';
      return mirrored(model, mirror.pid, vpn, pages, true);
    },
    begin: (model) => act(model, false),
    done: (model, { error }) => act(model, !error),
  };
}

export const gpuMmap = (device: number, pid: number, pages: number, prot: string): Op => ({
  line: `gpu mmap ${device} ${pid} ${pages} ${prot}`,
  changes: [pid],
  done(model, { error, value }) {
    // In the memory of whoever asks, whatever the device mirrors.
    const process = mirrorOf(model, pid, device) && settled(model, pid);
    if (!process) return;
    if (error || value?.kind !== 'integer') {
      // A mapping that could not be filled stays.
      process.unsettled = true;
      return;
    }
    const vpn = Number(value.value >> 12n);
    for (let i = 0; i < pages; i++) process.pages.set(vpn + i, fresh('device', false, undefined, i, PROTS[prot] ?? 0));
  },
});

/** A line that changes nothing that anybody reads. */
export const plain = (line: string): Op => ({ line });
