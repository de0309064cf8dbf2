/** The virtual half: processes, faults, mirrors and migration, per page, as command lines with trace and journal. */
import { checkMachine, Machine, runShellLine } from '../../sim/index.ts';
import type { Row } from './engine.ts';

type Report = (row: Row) => void;

/** 12 GiB of memory, and room above it for what a device brings. */
export function roomyMachine(): Machine {
  const result = checkMachine({
    name: 'twelve-gib',
    physBits: 40,
    e820: [
      { start: '0x0', end: '0x9fbff', type: 'usable' },
      { start: '0x100000', end: '0x7fffffff', type: 'usable' },
      { start: '0x100000000', end: '0x37fffffff', type: 'usable' },
    ],
  });
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return new Machine(result.machine, '6.12');
}

/** A machine on which lines are run and timed. */
class Timed {
  readonly machine = roomyMachine();
  /** CPU of this thread and time on the clock of the last line, in ms. */
  cpu = 0;
  wall = 0;

  run(line: string): string[] {
    const cpu = process.threadCpuUsage();
    const start = performance.now();
    const program = runShellLine(this.machine, line);
    this.wall = performance.now() - start;
    const used = process.threadCpuUsage(cpu);
    this.cpu = (used.user + used.system) / 1000;
    if (program?.error) throw program.error;
    if (!program?.isOver) throw new Error(`${line}: ${program?.status}`);
    return program.output;
  }

  number(line: string): number {
    const text = this.run(line).join(' ');
    return Number(/0x[0-9a-f]+|\d+/.exec(text)?.[0]);
  }

  process(): number {
    return this.number('proc new');
  }

  mmap(pid: number, pages: number): string {
    return `0x${this.number(`proc mmap ${pid} ${pages} rw anon private`).toString(16)}`;
  }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
const SMALL = 4096;
const ROUNDS = 7;

/** The lines of one round over `pages` fresh pages, with the name under which each counts. */
const SCENARIO: readonly (readonly [name: string | undefined, line: string])[] = [
  [undefined, 'proc mmap PID PAGES rw anon private'],
  ['read faults on the page of zeros', 'proc read PID AT PAGES'],
  ['write faults that replace it', 'proc write PID AT PAGES i'],
  ['munmap', 'proc munmap PID AT PAGES'],
  [undefined, 'proc mmap PID PAGES rw anon private'],
  ['write faults on fresh memory', 'proc write PID AT PAGES i'],
  ['get_user_pages', 'proc gup PID AT PAGES'],
  ['put_page of each', 'proc gup-put PID AT PAGES'],
  ['snapshot by hmm_range_fault', 'gpu snapshot 0 PID AT PAGES'],
  ['hmm_range_fault and the device reads', 'gpu read 0 PID AT PAGES'],
  ['exclusive access', 'gpu exclusive 0 PID AT PAGES'],
  ['… CPU faults that take it back', 'proc write PID AT PAGES i'],
  ['migration to the device', 'gpu to-dev 0 PID AT PAGES'],
  ['migration back by command', 'gpu to-sys 0 PID AT PAGES'],
  [undefined, 'gpu to-dev 0 PID AT PAGES'],
  ['migration back by CPU faults', 'proc write PID AT PAGES i'],
  [undefined, 'gpu to-dev 0 PID AT PAGES'],
  ['munmap of device pages', 'proc munmap PID AT PAGES'],
  [undefined, 'proc mmap PID PAGES rw anon private'],
  ['hmm_range_fault that faults for writing', 'gpu write 0 PID AT PAGES i'],
  ['fork', 'proc fork PID'],
  ['write faults that copy', 'proc write PID AT PAGES i+1'],
  ['exit of the child', 'proc exit CHILD'],
  [undefined, 'proc munmap PID AT PAGES'],
  [undefined, 'proc mmap PID PAGES rw anon private'],
  ['migration of nothing to the device', 'gpu to-dev 0 PID AT PAGES'],
  [undefined, 'proc munmap PID AT PAGES'],
];

function perPage(report: Report): void {
  const world = new Timed();
  world.run('modprobe test_hmm');
  const pid = world.process();
  world.run(`gpu open 0 ${pid}`);
  const times = new Map<string, { cpu: number[]; wall: number[] }>();
  for (let round = 0; round < ROUNDS; round++) {
    let at = '';
    let child = '';
    for (const [name, line] of SCENARIO) {
      const text = line
        .replace('PID', String(pid))
        .replace('AT', at)
        .replace('PAGES', String(SMALL))
        .replace('CHILD', child);
      const output = world.run(text).join(' ');
      if (line.startsWith('proc mmap')) at = /0x[0-9a-f]+/.exec(output)?.[0] ?? '';
      if (line.startsWith('proc fork')) child = /\d+/.exec(output)?.[0] ?? '';
      if (name === undefined) continue;
      const entry = times.get(name) ?? { cpu: [], wall: [] };
      entry.cpu.push((world.cpu * 1000) / SMALL);
      entry.wall.push((world.wall * 1000) / SMALL);
      times.set(name, entry);
    }
  }
  for (const [name, { cpu, wall }] of times)
    report({ name: `${name} (wall ${median(wall).toFixed(2)})`, value: median(cpu), unit: 'µs/page', target: '<= 5' });
}

const MILLION = 1_000_000;

function million(report: Report): void {
  const world = new Timed();
  world.run('modprobe test_hmm');
  const pid = world.process();
  world.run(`gpu open 0 ${pid}`);
  const at = world.mmap(pid, MILLION);
  const timed = (name: string, line: string): number => {
    world.run(line);
    report({ name, value: world.wall / 1000, unit: 's' });
    return world.wall / 1000;
  };
  timed('1,000,000 pages written', `proc write ${pid} ${at} ${MILLION} i`);
  const to = timed('… to the device', `gpu to-dev 0 ${pid} ${at} ${MILLION}`);
  const back = timed('… and back', `gpu to-sys 0 ${pid} ${at} ${MILLION}`);
  report({ name: '… there and back', value: to + back, unit: 's', target: '< 20' });
  timed('… unmapped', `proc munmap ${pid} ${at} ${MILLION}`);
}

export function bench(report: Report): void {
  perPage(report);
  million(report);
}
