/** /proc/PID/maps: fs/proc/task_mmu.c:show_map_vma. */
import { type Mm, VM_EXEC, VM_MAYSHARE, VM_READ, VM_SHARED, VM_WRITE, type Vma } from '../include/mm_types.ts';

/** A virtual address from its page number: eight digits at least. */
export const address = (vpn: number): string => `${vpn.toString(16)}000`.padStart(8, '0');

/** 25 + 6 * sizeof(void *) - 1: where the name begins, one further. */
const NAME_COLUMN = 72;

/** Major and minor number of what holds a file's pages: shmem's own mount, hugetlbfs, and the root file system. */
const DEVICE = { shmem: '00:01', hugetlb: '00:0f', file: '00:02', device: '00:06', dax: '103:00' } as const;

/** One line, the line's end included. */
export function mapLine(vma: Vma): string {
  const { flags, file } = vma;
  const flag = (bit: number, letter: string): string => ((flags & bit) !== 0 ? letter : '-');
  const shared = (flags & (VM_MAYSHARE | VM_SHARED)) !== 0 ? 's' : 'p';
  const offset = file ? `${vma.pgoff.toString(16)}000`.replace(/^0+(?=.)/, '') : '0';
  const head =
    `${address(vma.start)}-${address(vma.end)} ${flag(VM_READ, 'r')}${flag(VM_WRITE, 'w')}${flag(VM_EXEC, 'x')}${shared} ` +
    `${offset.padStart(8, '0')} ${file ? DEVICE[file.kind] : '00:00'} ${file ? file.id : 0} `;
  return file ? `${head.padEnd(NAME_COLUMN)} ${file.name}\n` : `${head}\n`;
}

export const maps = (mm: Mm): string => mm.vmas.map(mapLine).join('');
