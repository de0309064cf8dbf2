/** Memory blocks as the recordings gathered them from sysfs. */
import type { Machine } from '../../sim/index.ts';
import { readFile } from '../../sim/shell/commands.ts';

export const MEMORY = '/sys/devices/system/memory';
const FILES = ['phys_index', 'state', 'removable', 'phys_device', 'valid_zones'] as const;

/** One line a block: its files, read by path, and its links to nodes. */
export const blockLines = (machine: Machine): string[] => {
  const read = (file: string): string => readFile(machine.kernel, `${MEMORY}/${file}`).trim();
  return [...machine.kernel.state.memoryBlocks.values()].map((block) => {
    const files = FILES.map((file) => `${file}=${read(`memory${block.id}/${file}`).replaceAll(' ', ',')}`);
    return `memory${block.id} ${files.join(' ')} node=${block.nodes.map((nid) => `${nid},`).join('')}`;
  });
};
export const recordedBlockLines = (text: string): string[] =>
  text.split('\n').filter((line) => line.startsWith('memory'));
