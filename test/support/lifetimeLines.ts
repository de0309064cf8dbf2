/** How the numbers of a random operation become a line about the processes and devices that are there. */
import fc from 'fast-check';
import type { Machine } from '../../sim/index.ts';
import { type Model, READ, WRITE } from './lifetimeModel.ts';
import * as ops from './lifetimeOps.ts';
import { mirrorOf, type Op } from './lifetimeOps.ts';
import { at, type Numbers, pick } from './worldChoices.ts';

export interface Operation {
  readonly kind: string;
  readonly n: Numbers;
}

/** A window that crosses a page table and a 2 MiB border, so that edges meet. */
const BASE = 0x7f00001f8;
const WINDOW = 24;
export const MOST_PROCESSES = 4;
/** Which pages the next write gives: no two writes the same. */
export const VALUES = 1_000_003;

export interface Scene {
  readonly machine: Machine;
  readonly model: Model;
  /** Pages a unit: 1, or 64 where huge pages are wanted. */
  readonly scale: number;
  /** Grows with each line. */
  readonly count: number;
}

const pids = ({ model }: Scene): number[] => [...model.processes.keys()];
const devices = ({ machine }: Scene): number[] => (machine.kernel.state.dmirror?.devices ?? []).map(({ id }) => id);

/** What a process has mapped: pages that follow each other, and what may be done with them. */
function runsOf({ model }: Scene, pid: number, wanted: number): [start: number, pages: number][] {
  const runs: [number, number][] = [];
  const pages = [...(model.processes.get(pid)?.pages ?? [])].filter(([, { prot }]) => (prot & wanted) === wanted);
  for (const [vpn] of pages.sort(([one], [other]) => one - other)) {
    const last = runs.at(-1);
    if (last && last[0] + last[1] === vpn) last[1]++;
    else runs.push([vpn, 1]);
  }
  return runs;
}

/** In large, edges are a little off the borders of huge pages. */
const count = ({ scale }: Scene, n: Numbers, index: number): number => {
  const units = 1 + (at(n, index) % 9);
  return units * scale + (scale > 1 ? units % 3 : 0);
};

/** Mostly inside what is mapped and allows it; else anywhere in the window where all meet. */
function range(scene: Scene, pid: number, n: Numbers, index: number, wanted = 0): [vpn: number, pages: number] {
  const pages = count(scene, n, index + 1);
  const which = at(n, index);
  const run = which % 10 === 0 ? undefined : pick(runsOf(scene, pid, wanted), Math.floor(which / 10));
  if (!run) return [BASE + (Math.floor(which / 10) % WINDOW) * scene.scale, pages];
  const [start, length] = run;
  const offset = (Math.floor(which / 100) % 2) * (at(n, index + 1) % length);
  return [start + offset, which % 10 === 1 ? pages : Math.min(pages, length - offset)];
}
const value = (scene: Scene): number => 1 + ((scene.count * VALUES) % 0xfff00000);

type Make = (scene: Scene, pid: number, n: Numbers) => Op | undefined;

const gpuOp =
  (word: string): Make =>
  (scene, pid, n) => {
    const device = someDevice(scene, pid, n);
    if (device === undefined) return undefined;
    return ops.gpu(word, device, pid, ...range(scene, mirrorOf(scene.model, pid, device)?.pid ?? pid, n, 2, READ));
  };

/** One that the process has open; now and then another. */
function someDevice(scene: Scene, pid: number, n: Numbers): number | undefined {
  const open = (scene.model.processes.get(pid)?.fds ?? []).map(({ device }) => device);
  const all = devices(scene);
  if (all.length === 0) return undefined;
  return open.length > 0 && at(n, 7) % 10 > 0 ? pick(open, n[7]) : pick(all, n[7]);
}

const KINDS = ['anon', 'anon', 'anon', 'anon shared', 'file:data', 'file:data shared', 'file:more shared', 'hugetlb'];
const ADVICE = [
  ...['DONTNEED', 'DONTNEED', 'FREE', 'FREE', 'COLLAPSE', 'COLLAPSE', 'COLLAPSE'],
  ...['DONTFORK', 'DOFORK', 'HUGEPAGE', 'NOHUGEPAGE', 'POPULATE_READ', 'POPULATE_WRITE'],
];

const MAKERS: Readonly<Record<string, { weight: number; make: Make }>> = {
  mmap: {
    weight: 8,
    make(scene, pid, n) {
      const [what = 'anon', shared] = pick(KINDS, n[3]).split(' ');
      const prot = pick(['rw', 'rw', 'rw', 'rw', 'r', 'none'], n[4]);
      const isAt = at(n, 5) % 2 > 0;
      const where = BASE + (at(n, 1) % WINDOW) * scene.scale;
      return ops.mmap(pid, count(scene, n, 2), prot, what, shared !== undefined, isAt ? where : undefined);
    },
  },
  munmap: { weight: 3, make: (s, pid, n) => ops.munmap(pid, ...range(s, pid, n, 1)) },
  read: { weight: 9, make: (s, pid, n) => ops.read(pid, ...range(s, pid, n, 1, READ)) },
  write: {
    weight: 12,
    make: (s, pid, n) => ops.write(pid, ...range(s, pid, n, 1, WRITE), value(s), at(n, 5) % 5 > 0 ? 1 : 0),
  },
  add: { weight: 1, make: (s, pid, n) => ops.add(pid, ...range(s, pid, n, 1, WRITE), at(n, 5)) },
  mprotect: {
    weight: 3,
    make: (s, pid, n) => ops.mprotect(pid, ...range(s, pid, n, 1), pick(['rw', 'rw', 'r', 'none'], n[5])),
  },
  mremap: {
    weight: 3,
    make(s, pid, n) {
      const how = at(n, 6) % 6;
      const [vpn, old] = range(s, pid, n, 1);
      return ops.mremap(pid, vpn, at(n, 6) % 31 === 30 ? 0 : old, {
        ...(how < 4 ? { size: how === 3 ? old : count(s, n, 4) } : {}),
        ...(how > 2 ? { to: BASE + (at(n, 5) % WINDOW) * s.scale } : {}),
        dontunmap: how === 5,
      });
    },
  },
  madvise: {
    weight: 6,
    make: (s, pid, n) => ops.madvise(pid, ...range(s, pid, n, 1), pick(ADVICE, n[5])),
  },
  /** The way to swap, which needs a page that only one maps. */
  pageout: { weight: 4, make: (s, pid, n) => ops.madvise(pid, ...range(s, pid, n, 1), 'PAGEOUT') },
  mlock: {
    weight: 1,
    make: (s, pid, n) => ops.mlock(pid, ...range(s, pid, n, 1), at(n, 5) % 2 ? 'mlock' : 'munlock'),
  },
  gup: {
    weight: 2,
    make(s, pid, n) {
      const words = ['', ' write', ' write', ' write pin', ' pin', ' write pin longterm', ' fast', ' write fast'];
      return ops.gup(pid, ...range(s, pid, n, 1), pick(words, n[5]));
    },
  },
  put: {
    weight: 2,
    make({ machine }, _pid, n) {
      const { userPins } = machine.kernel.state;
      const [pid, held] = [...userPins][at(n, 1) % Math.max(1, userPins.size)] ?? [];
      const [vpn, pages] = [...(held ?? [])][at(n, 2) % Math.max(1, held?.size ?? 0)] ?? [];
      if (pid === undefined || vpn === undefined) return undefined;
      return ops.plain(`proc gup-put ${pid} ${ops.hexOf(vpn)} 1${pages?.at(-1)?.pin ? ' pin' : ''}`);
    },
  },
  born: {
    weight: 1,
    make: (s, _pid, n) => (pids(s).length < MOST_PROCESSES ? ops.born(pick(['', 'm0', 'm1'], n[1])) : undefined),
  },
  fork: { weight: 4, make: (s, pid) => (pids(s).length < MOST_PROCESSES ? ops.fork(pid) : undefined) },
  exit: {
    weight: 1,
    make: (s, pid, n) => (pids(s).length > 1 ? ops.exit(pid, pick(['', '', 'SIGKILL', 'SIGBUS'], n[1])) : undefined),
  },
  /* ---- devices ---- */
  modprobe: {
    weight: 0.5,
    make: (s, _pid, n) =>
      devices(s).length > 0 ? undefined : ops.plain(`modprobe test_hmm${at(n, 1) % 3 ? ` ${SPM}` : ''}`),
  },
  rmmod: { weight: 1, make: (_s, _pid, n) => (at(n, 1) % 3 ? undefined : ops.plain('rmmod test_hmm')) },
  open: {
    weight: 3,
    make(s, pid, n) {
      const device = pick(devices(s), n[1]);
      // Two mirrors of one process on one device: each takes the other's migrations for its own (test_hmm.c).
      const has = s.model.processes.get(pid)?.fds.some((fd) => fd.device === device && fd.pid === pid);
      return device === undefined || has ? undefined : ops.open(device, pid);
    },
  },
  close: {
    weight: 1,
    make: ({ model }, pid, n) => {
      const fds = model.processes.get(pid)?.fds ?? [];
      return fds.length > 0 ? ops.close(pick(fds, n[1]).device, pid) : undefined;
    },
  },
  'gpu read': { weight: 5, make: gpuOp('read') },
  'gpu unlocked': {
    weight: 1,
    make: (s, pid, n) => (s.machine.kernel.facts.hmmRangeFaultUnlocked ? gpuOp('read-unlocked')(s, pid, n) : undefined),
  },
  'gpu write': {
    weight: 9,
    make(s, pid, n) {
      const device = someDevice(s, pid, n);
      if (device === undefined) return undefined;
      return ops.gpuWrite(device, pid, ...range(s, mirrorOf(s.model, pid, device)?.pid ?? pid, n, 2, WRITE), value(s));
    },
  },
  'to-dev': { weight: 11, make: gpuOp('to-dev') },
  'to-sys': { weight: 3, make: gpuOp('to-sys') },
  snapshot: { weight: 2, make: gpuOp('snapshot') },
  exclusive: { weight: 4, make: gpuOp('exclusive') },
  'check-exclusive': { weight: 1, make: gpuOp('check-exclusive') },
  'gpu flags': {
    weight: 1,
    make(s, pid, n) {
      const device = someDevice(s, pid, n);
      return device === undefined || !mirrorOf(s.model, pid, device)
        ? undefined
        : ops.plain(`gpu flags ${device} ${pid} ${at(n, 1) % 2}`);
    },
  },
  release: {
    weight: 1,
    make: (s, _pid, n) =>
      devices(s).length > 0 && at(n, 2) % 4 === 0 ? ops.plain(`gpu release ${pick(devices(s), n[1])}`) : undefined,
  },
  'gpu mmap': {
    weight: 1,
    make(s, pid, n) {
      const device = someDevice(s, pid, n);
      return device === undefined
        ? undefined
        : ops.gpuMmap(device, pid, 1 + (at(n, 1) % 5), pick(['rw', 'rw', 'r'], n[2]));
    },
  },
  /* ---- what goes wrong, and the machine around ---- */
  inject: {
    weight: 2,
    make: (_s, _pid, n) =>
      ops.plain(`inject ${pick(['page', 'page', 'huge-page', 'migrate-to-ram', 'clear page', 'clear'], n[1])}`),
  },
  pin: {
    weight: 1,
    make: (s, pid, n) =>
      ops.plain(`inject ${pick(['pin', 'unpin'], n[3])} ${pid} ${ops.hexOf(range(s, pid, n, 1)[0])}`),
  },
  reap: { weight: 0.5, make: (_s, pid) => ops.reap(pid) },
  swap: {
    weight: 1,
    make: (s, _pid, n) =>
      ops.plain(pick([`swapon /swap ${40 * s.scale}`, 'swapoff /swap', 'swapon /more 9', 'swapoff /more'], n[1])),
  },
  limit: {
    weight: 1,
    make({ machine, scale }, _pid, n) {
      const name = pick(['m0', 'm1'], n[1]);
      if (!machine.kernel.state.memcgs.has(name)) return undefined;
      const max = pick(['max', 'max', String(4096 * scale * (at(n, 3) % 20))], n[2]);
      return ops.plain(`echo ${max} > /sys/fs/cgroup/${name}/memory.max`);
    },
  },
  thp: {
    weight: 1,
    make: (_s, _pid, n) =>
      ops.plain(`echo ${pick(['always', 'madvise', 'never'], n[1])} > /sys/kernel/mm/transparent_hugepage/enabled`),
  },
  pool: { weight: 1, make: (_s, _pid, n) => ops.plain(`echo ${at(n, 1) % 4} > /proc/sys/vm/nr_hugepages`) },
  block: {
    weight: 0.5,
    make({ machine }, _pid, n) {
      const ids = [...machine.kernel.state.memoryBlocks.keys()];
      const state = pick(['online', 'offline', 'online_movable'], n[2]);
      return ops.plain(`echo ${state} > /sys/devices/system/memory/memory${pick(ids, n[1])}/state`);
    },
  },
};

const SPM = 'spm_addr_dev0=0xf000000000 spm_addr_dev1=0xf010000000';

/** The line of an operation; undefined where it makes no sense now. */
export function opOf(scene: Scene, { kind, n }: Operation): Op | undefined {
  const processes = pids(scene);
  if (processes.length === 0 && kind !== 'modprobe') return ops.born(pick(['', 'm0', 'm1'], n[1]));
  return MAKERS[kind]?.make(scene, pick(processes, n[0]), n);
}

const repeated = (names: readonly string[]): string[] =>
  names.flatMap((name) => Array<string>(Math.max(1, Math.round((MAKERS[name]?.weight ?? 1) * 2))).fill(name));
const numbers = fc.array(fc.nat({ max: 9999 }), { minLength: 8, maxLength: 8 });

/** `@pause`: a line begins and stops in the middle; `@go`: one that did goes on; `@travel`: back in time and forth. */
const many = (name: string, count: number): string[] => Array<string>(count).fill(name);
const interleaved = (names: readonly string[]): string[] => [
  ...names,
  ...many('@pause', Math.ceil(names.length * 0.9)),
  ...many('@go', Math.ceil(names.length * 0.6)),
];
const among = (names: readonly string[], most: number): fc.Arbitrary<Operation[]> =>
  fc.array(fc.record({ kind: fc.constantFrom(...names), n: numbers }), { minLength: 10, maxLength: most, size: 'max' });

const ALL = Object.keys(MAKERS);
export const LINES = repeated(ALL);
/** Enough that something is there to work on. */
const BASIS = ['mmap', 'write', 'read', 'fork', 'open', 'to-dev', 'gpu write', 'pageout'];

/** Operations of all kinds, with and without interleavings, or of a few kinds, which then get further. */
export const operations: fc.Arbitrary<Operation[]> = fc.oneof(
  among(interleaved(LINES), 90),
  among([...LINES, ...many('@travel', 6)], 80),
  fc
    .subarray(ALL, { minLength: 3, maxLength: 8 })
    .chain((names) => among(interleaved(repeated([...names, ...BASIS])), 90)),
  fc.subarray(ALL, { minLength: 3, maxLength: 8 }).chain((names) => among(repeated([...names, ...BASIS]), 80)),
);
