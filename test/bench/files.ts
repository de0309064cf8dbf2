/** Text and files: what a reader waits for on the largest machine, and the import of a real one. */
import { readFileSync } from 'node:fs';
import { checkMachine, importMachine, Machine, runShellLine } from '../../sim/index.ts';
import { readFile } from '../../sim/shell/commands.ts';
import type { Row } from './engine.ts';

const NODES = 64;
const NODE_BYTES = (16n << 40n) / BigInt(NODES);
const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** 16 TiB on 64 nodes with 256 CPUs. */
function largest(): Machine {
  const result = checkMachine({
    name: 'sixty-four',
    physBits: 46,
    e820: [
      { start: '0x0', end: '0x9ffff', type: 'usable' },
      { start: '0x100000', end: '0x7fffffff', type: 'usable' },
      { start: '0x100000000', end: hex((16n << 40n) + (2n << 30n) - 1n), type: 'usable' },
    ],
    nodes: Array.from({ length: NODES }, (_, id) => ({
      id,
      ranges: [{ start: hex(BigInt(id) * NODE_BYTES), end: hex(BigInt(id + 1) * NODE_BYTES - 1n) }],
      cpus: [0, 1, 2, 3].map((cpu) => id * 4 + cpu),
    })),
  });
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return new Machine(result.machine, '6.12');
}

function time(runs: number, work: () => unknown): number {
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    work();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[runs >> 1] ?? 0;
}

export async function bench(report: (row: Row) => void): Promise<void> {
  const machine = largest();
  const { kernel } = machine;
  const text = readFile(kernel, '/proc/zoneinfo');
  report({
    name: `cat /proc/zoneinfo, 64 nodes, 256 CPUs, 16 TiB`,
    value: time(21, () => runShellLine(machine, 'cat /proc/zoneinfo')),
    unit: 'ms',
    target: '< 2',
  });
  report({ name: '… that is', value: text.length / 1024, unit: 'KiB' });
  for (const path of ['/proc/vmstat', '/proc/buddyinfo', '/proc/meminfo', '/sys/devices/system/node/node63/meminfo'])
    report({ name: `cat ${path}, the same machine`, value: time(21, () => readFile(kernel, path)), unit: 'ms' });
  report({ name: 'page-types of 16 TiB', value: time(9, () => runShellLine(machine, 'page-types')), unit: 'ms' });
  report({ name: 'boot of the same machine', value: time(5, largest), unit: 'ms', target: '< 50' });
  const files = new Map(
    Object.entries(
      JSON.parse(readFileSync(new URL('../fixtures/machines/6.12/b1-3G+3G.json', import.meta.url), 'utf8')) as Record<
        string,
        string
      >,
    ),
  );
  report({
    name: 'import of two nodes of 3 GiB, boot and comparison included',
    value: time(9, () => importMachine(files)),
    unit: 'ms',
  });
  files.delete('dmesg');
  report({ name: '… without the kernel log', value: time(9, () => importMachine(files)), unit: 'ms' });
}
