/** How the numbers of a random operation choose among what a machine has. */
import { compareReleases, type Machine, type Release } from '../../sim/index.ts';

/** Random numbers of one operation; each is taken modulo what there is to choose from. */
export type Numbers = readonly number[];
/** The lines of an operation on a machine as it stands. */
export type Make = (machine: Machine, n: Numbers) => readonly string[];

export const MEMORY = '/sys/devices/system/memory';
export const MIB2 = 0x200000;

export const at = (n: Numbers, index: number): number => n[index] ?? 0;
export const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
export const pick = <T>(list: readonly T[], n: number | undefined): T => list[(n ?? 0) % list.length] as T;
/** Mostly one of those that are there; now and then, and where there is none, another. */
export const known = <T>(list: readonly T[], n: number | undefined, other: T): T =>
  list.length === 0 || (n ?? 0) % 13 === 12 ? other : pick(list, n);
export const optional = (text: string, n: number | undefined): string => ((n ?? 0) % 2 ? '' : text);
export const since = ({ release }: Machine, first: Release): boolean => compareReleases(release, first) >= 0;
/** Of the variables `names`, one that the shell has. */
export const variable = ({ kernel }: Machine, names: readonly string[], n: number | undefined): string =>
  known(
    names.filter((name) => Object.hasOwn(kernel.state.shell, name)),
    n,
    names[0] ?? 'nothing',
  );

/** Addresses where things happen: behind RAM, far away, ends of RAM, holes, persistent memory, devices. */
export function places({ kernel, config }: Machine): number[] {
  const limit = 2 ** config.physBits;
  const edges = config.e820.flatMap(({ start, end }) => [Number(start), Number(end) + 1]);
  const top = Math.ceil(Math.max(...edges) / 2 ** 27) * 2 ** 27;
  const blocks = [...kernel.state.memoryBlocks.keys()].slice(-2).map((id) => id * kernel.state.memoryBlockPages * 4096);
  return [
    0xe000000000,
    top + 2 ** 34,
    top,
    0xe000000000,
    top + 2 ** 34,
    ...edges.filter((edge) => edge > 2 ** 24),
    ...config.devices.slice(0, 6).map(({ start }) => Number(start)),
    ...blocks,
    limit - 2 ** 30,
  ].filter((place) => place < limit);
}

/** Whole memory blocks, most of them where nothing is yet. */
export function freeBlock(machine: Machine, n: Numbers): number {
  const size = machine.kernel.state.memoryBlockPages * 4096;
  return (Math.ceil(pick(places(machine), n[0]) / size) + (at(n, 1) % 8)) * size;
}

/** A memory block that exists, often one of the newest; now and then one that does not. */
export function block({ kernel }: Machine, n = 0, wanted?: 'online' | 'offline'): number {
  const { memoryBlocks } = kernel.state;
  const ids = [...memoryBlocks.keys()].reverse();
  const fitting = wanted ? ids.filter((id) => memoryBlocks.get(id)?.state === wanted) : ids;
  const list = fitting.length > 0 && n % 5 < 4 ? fitting : ids;
  return known(n % 2 ? list.slice(0, 8) : list, Math.floor(n / 7), n);
}

export const node = ({ kernel }: Machine, n = 0): number => n % (kernel.nodes.length + (n % 19 === 18 ? 1 : 0));

/** Whether the shell has one of the variables. */
export const has = ({ kernel }: Machine, names: readonly string[]): boolean =>
  names.some((name) => Object.hasOwn(kernel.state.shell, name));
/** `make`, or what it needs where that is missing; now and then `make` anyway. */
export const after =
  (isThere: (machine: Machine) => boolean, first: Make, make: Make): Make =>
  (machine, n) =>
    isThere(machine) || at(n, 7) % 11 === 10 ? make(machine, n) : first(machine, n);
