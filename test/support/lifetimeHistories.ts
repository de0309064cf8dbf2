/** Which machine, release and operations a random history has. */
import fc from 'fast-check';
import { RELEASES } from '../../sim/index.ts';
import { LINES, type Operation, operations } from './lifetimeLines.ts';

const release = fc.oneof(fc.constantFrom('6.12' as const, '7.3' as const), fc.constantFrom(...RELEASES));
const swap = fc.constantFrom<readonly string[]>(
  [],
  ['swapon /swap 40'],
  ['modprobe test_hmm'],
  ['swapon /swap 40', 'modprobe test_hmm'],
  ['swapon /swap 40', 'modprobe test_hmm'],
);
/** A process with memory that two devices mirror; half of all histories begin with less. */
const of = (kind: string, ...n: number[]): Operation => ({ kind, n: [...n, 0, 0, 0, 0, 0, 0, 0, 0].slice(0, 8) });
const BEGINNING = [of('born'), of('mmap', 0, 0, 8, 0, 0, 1), of('write', 0, 11, 8), of('open', 0, 0), of('open', 0, 1)];
const lives = fc
  .tuple(fc.boolean(), operations)
  .map(([hasBeginning, all]) => (hasBeginning ? [...BEGINNING, ...all] : all));

/** Two and three at a time, again and again with the same few pages: of one process, or two that share them. */
const WHOLE = [2, 8, 8] as const;
const RACERS = [
  ...['read', 'write', 'madvise', 'pageout', 'mprotect', 'munmap', 'mremap', 'mlock', 'gup', 'put', 'fork', 'exit'],
  ...['gpu read', 'gpu write', 'to-dev', 'to-dev', 'to-sys', 'exclusive', 'close', 'release', 'inject', 'swap'],
];
const number = fc.nat({ max: 9999 });
const whole = (kind: string, last = number): fc.Arbitrary<Operation> =>
  fc.tuple(number, number, number, number, last).map(([pid, ...rest]) => of(kind, pid, ...WHOLE, ...rest));
const racer = fc.constantFrom(...RACERS);
const paused = racer.chain((kind) => whole('@pause', fc.constant(LINES.indexOf(kind))));
const ROUND = fc.tuple(
  paused,
  fc.oneof(
    paused,
    racer.chain((kind) => whole(kind)),
  ),
  paused,
  whole('@go'),
  whole('@go'),
);
const races = fc
  .tuple(fc.subarray(['fork', 'to-dev', 'pageout', 'exclusive', 'gpu write']), fc.array(ROUND, { maxLength: 20 }))
  .map(([before, rounds]) => [...BEGINNING, ...before.map((kind) => of(kind, 0, ...WHOLE)), ...rounds.flat()]);
const machine = fc.constantFrom('qemu-2g', 'qemu-2g', 'qemu-2g', 'laptop-16g', 'server-2n-pmem');
const THP = 'echo always > /sys/kernel/mm/transparent_hugepage/enabled';

export const history = fc.oneof(
  { weight: 6, arbitrary: fc.record({ machine, release, prepare: swap, scale: fc.constant(1), operations: lives }) },
  { weight: 3, arbitrary: fc.record({ machine, release, prepare: swap, scale: fc.constant(1), operations: races }) },
  {
    weight: 1,
    arbitrary: fc.record({
      machine: fc.constant('qemu-2g'),
      release,
      prepare: swap.map((lines) => [THP, ...lines]),
      scale: fc.constant(64),
      operations: lives.map((all) => all.slice(0, 40)),
    }),
  },
);
