/** A few lines of processes, so that memory which comes and goes has somebody in it. */
import { at, hex, type Make, pick } from './worldChoices.ts';

const BASE = 0x7f0000000000;

const process: Make = ({ kernel }, n) => {
  const pids = [...kernel.state.processes.values()].filter(({ mm }) => mm).map(({ pid }) => pid);
  if (pids.length === 0) return ['proc new', `proc mmap ${kernel.state.nextPid} 40 rw anon at=${hex(BASE)}`];
  const pid = pick(pids, n[0]);
  const place = `${hex(BASE + (at(n, 1) % 40) * 4096)} ${1 + (at(n, 2) % 20)}`;
  const file = `file:data ${pick(['shared', 'private'], n[3])}`;
  const words = pick(['to-dev', 'to-dev', 'read', 'write', 'to-sys', 'exclusive'], n[3]);
  return [
    pick(
      [
        `proc write ${pid} ${place} i+${at(n, 4)}`,
        `proc write ${pid} ${place} ${at(n, 4)}`,
        `proc read ${pid} ${place}`,
        `proc mmap ${pid} ${1 + (at(n, 2) % 20)} rw ${pick(['anon shared', 'anon', file, 'hugetlb'], n[5])}`,
        `proc munmap ${pid} ${place}`,
        `proc madvise ${pid} ${place} ${pick(['DONTNEED', 'PAGEOUT', 'FREE'], n[5])}`,
        `proc gup ${pid} ${place}${pick(['', ' write', ' write pin longterm'], n[5])}`,
        `inject clear`,
        pids.length < 4 ? `proc fork ${pid}` : `proc exit ${pid}`,
        'modprobe test_hmm',
        `gpu open ${at(n, 4) % 2} ${pid}`,
        `gpu ${words} ${at(n, 4) % 2} ${pid} ${place}`,
        `gpu ${words} ${at(n, 4) % 2} ${pid} ${place}`,
        'rmmod test_hmm',
      ],
      n[6],
    ),
  ];
};

export const PROCESS_LINES: Readonly<Record<string, { weight: number; make: Make }>> = {
  process: { weight: 6, make: process },
};
