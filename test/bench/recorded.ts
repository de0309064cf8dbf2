/** What the recorded kernel took for the same, in QEMU without acceleration on two cores (uptimes of its log), beside us. */
import { checkMachine, Machine, presets, runShellLine } from '../../sim/index.ts';
import type { Row } from './engine.ts';

/** Lines as the recording has them, with the recorded seconds. */
const LINES: readonly (readonly [line: string, seconds: number])[] = [
  ['ndctl disable-namespace namespace0.0', 0.19],
  ['ndctl enable-namespace namespace0.0', 0.07],
  ['ndctl create-namespace -f -e namespace0.0 -m fsdax -M mem', 0.18],
  ['ndctl create-namespace -f -e namespace0.0 -m fsdax -M dev', 0.33],
  ['ndctl create-namespace -f -e namespace0.0 -m devdax -M dev', 0.22],
  ['ndctl create-namespace -f -e namespace0.0 -m sector', 0.12],
];
const BOOT_SECONDS = 4.61;

function pmemMachine(): Machine {
  const result = checkMachine({
    name: 'one-pmem',
    physBits: 40,
    e820: [
      { start: '0x0', end: '0x9fbff', type: 'usable' },
      { start: '0x100000', end: '0xbffdcfff', type: 'usable' },
      { start: '0x100000000', end: '0x13fffffff', type: 'persistent (type 12)' },
      { start: '0x140000000', end: '0x1bfffffff', type: 'usable' },
    ],
  });
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return new Machine(result.machine, '6.12');
}

export function bench(report: (row: Row) => void): void {
  const pair = (name: string, ours: number, seconds: number): void => {
    report({ name, value: ours, unit: 'ms' });
    report({ name: '… the recorded kernel', value: seconds * 1000, unit: 'ms' });
  };
  const qemu = presets().find(({ name }) => name === 'qemu-2g');
  if (!qemu) throw new Error('no preset qemu-2g');
  const boot = performance.now();
  new Machine(qemu, '6.12');
  pair('boot of qemu-2g, the first time (to the shell)', performance.now() - boot, BOOT_SECONDS);
  const machine = pmemMachine();
  for (const [line, seconds] of LINES) {
    const start = performance.now();
    const program = runShellLine(machine, line);
    if (program?.error) throw program.error;
    pair(line, performance.now() - start, seconds);
  }
}
