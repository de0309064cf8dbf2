/** What people type at a simulated machine, well or badly: every room of the engine, in the interface of its release. */
import fc from 'fast-check';
import { type Machine, runShellLine } from '../../sim/index.ts';
import { at, hex, type Make, type Numbers, pick } from './worldChoices.ts';
import { DEVICE_LINES } from './worldDevices.ts';
import { MEMORY_LINES } from './worldMemory.ts';
import { PROCESS_LINES } from './worldProcesses.ts';

export interface Operation {
  readonly kind: string;
  readonly n: Numbers;
}

/** Walks down the files of the machine. */
function somePath(machine: Machine, n: Numbers): string {
  let path = pick(['/proc', '/sys', '/sys', '/sys/devices/system/node', '/sys/bus'], n[0]);
  for (let depth = 0; depth < 8; depth++) {
    const names = runShellLine(machine, `ls ${path}`)?.output.join('\n').split('\n') ?? [];
    if (names.length === 1 && names[0] === path) return path;
    const name = pick(names, at(n, 1 + (depth % 5)) + depth);
    if (!name) return path;
    path = `${path}/${name}`;
  }
  return path;
}
const VALUES = ['1', '0', '-1', 'online', 'offline', '0x100000000', '99999999999999999999999', '""', 'x y', 'Y'];

const PAGE_TYPES = ['', '-r', '-l', '-N', '-L -a 0x100,+4', '-b buddy', '-b reserved,~buddy -r', '-a 0x100000,'];
const EXPLAIN = ['explain flags', 'explain sections', 'dmesg', 'help', 'dimm list'];

const FILE_LINES: Readonly<Record<string, { weight: number; make: Make }>> = {
  read: { weight: 5, make: (machine, n) => [`cat ${somePath(machine, n)}`] },
  write: { weight: 3, make: (machine, n) => [`echo ${pick(VALUES, n[6])} > ${somePath(machine, n)}`] },
  pageTypes: { weight: 1, make: (_machine, n) => [`page-types ${pick(PAGE_TYPES, n[0])}`] },
  explain: { weight: 1, make: (_machine, n) => [pick([`explain pfn ${hex(at(n, 1) * 512)}`, ...EXPLAIN], n[2])] },
};

const WRONG = [
  'cat',
  'cat /nowhere',
  'cat /proc',
  'echo 1 > /proc/zoneinfo',
  'echo 1 >',
  'ls /x',
  'dimm',
  'dimm plug',
  'dimm plug 1X',
  'dimm plug 3K',
  'dimm plug 1G node=77',
  'dimm plug 1G at=zero',
  'dimm unplug nothing',
  'inject',
  'inject unmovable memory99999',
  'inject movable memory0 0',
  'occupy',
  'occupy 9 Normal 0 0 0 0 0 0 0 0 0 0 0',
  'occupy 0 DMA32 1 2 3',
  'ndctl',
  'ndctl create-namespace -m nonsense',
  'ndctl destroy-namespace',
  'daxctl reconfigure-device',
  'daxctl frobnicate',
  'dax map',
  'gup get nobody 0',
  'page-types -b nonsense',
  'page-types -a 5,3',
  'page-types --what',
  'explain',
  'explain pfn 99999999999999999999',
  'help nothing',
  "echo 'unfinished",
  'memremap_pages(',
  'memremap_pages()',
  'no_such_function(1)',
  '1 +',
  '*(int *)0',
  '((((',
  'x = = 3',
  '\u0000\u0001',
] as const;

/** Bits of a good line: cut off, or with a letter changed. */
function spoil(line: string, n: Numbers): string {
  const where = at(n, 6) % Math.max(1, line.length);
  if (at(n, 7) % 2) return line.slice(0, where);
  return `${line.slice(0, where)}${pick(['(', '0', '-', ' ', ';', '"'], n[5])}${line.slice(where + 1)}`;
}

const MAKERS = { ...MEMORY_LINES, ...DEVICE_LINES, ...PROCESS_LINES, ...FILE_LINES };
const repeated = (weights: Readonly<Record<string, { weight: number }>>): string[] =>
  Object.entries(weights).flatMap(([kind, { weight }]) => Array<string>(weight).fill(kind));
const KINDS = repeated(MAKERS);

/** The lines of an operation on a machine as it stands. `@` begins what is done with the timeline. */
export function linesOf(machine: Machine, { kind, n }: Operation): readonly string[] {
  switch (kind) {
    case 'wrong':
      return [pick(WRONG, n[0])];
    case 'back':
      return [`@travel ${-(at(n, 0) % 12)}`];
    case 'forward':
      return [`@travel ${at(n, 0) % 12}`];
    case 'spoilt': {
      const lines = linesOf(machine, { kind: pick(KINDS, n[7]), n });
      return lines.length === 0 ? [] : [spoil(pick(lines, n[0]), n)];
    }
    case 'script': {
      const parts = [0, 3, 6].flatMap((from) => {
        const numbers = [...n.slice(from), ...n.slice(0, from)];
        return linesOf(machine, { kind: pick(KINDS, numbers[7]), n: numbers });
      });
      return [`@script ${JSON.stringify(parts)}`];
    }
    case 'advance':
      return [`@advance ${at(n, 0)}`];
    default:
      return MAKERS[kind]?.make(machine, n) ?? [];
  }
}

const ALWAYS = repeated({
  wrong: { weight: 2 },
  back: { weight: 4 },
  forward: { weight: 2 },
  spoilt: { weight: 1 },
  script: { weight: 1 },
  advance: { weight: 2 },
  read: { weight: 1 },
});
const numbers = fc.array(fc.nat({ max: 9999 }), { minLength: 8, maxLength: 8 });
const among = (kinds: readonly string[]) =>
  fc.array(fc.record({ kind: fc.constantFrom(...kinds), n: numbers }), { minLength: 1, maxLength: 60, size: 'max' });

/** Operations of all rooms, or of a few of them, which then get further. */
export const operations: fc.Arbitrary<Operation[]> = fc.oneof(
  among([...KINDS, ...ALWAYS]),
  fc
    .subarray(Object.keys(MAKERS), { minLength: 1, maxLength: 5 })
    .chain((rooms) =>
      among([...rooms.flatMap((room) => Array<string>(MAKERS[room]?.weight ?? 1).fill(room)), ...ALWAYS.slice(0, 12)]),
    ),
  among([...repeated(DEVICE_LINES), ...ALWAYS.slice(0, 10)]),
  among([...repeated(MEMORY_LINES), ...ALWAYS.slice(0, 10)]),
);
