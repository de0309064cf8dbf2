/** `proc mmap|munmap|mprotect|mremap|madvise|mlock|munlock`: the calls that change mappings. */
import { type CValue, integer } from '../c/value.ts';
import { type DaxMapping, dax_file } from '../drivers/dax.ts';
import type { PciDev } from '../drivers/p2pdma.ts';
import { p2pmem_alloc_mmap } from '../drivers/p2pmem_mmap.ts';
import { type AddressSpace, type Mm, VM_HUGETLB, VM_READ, VM_SHARED, VM_WRITE } from '../include/mm_types.ts';
import { down_write, up_write } from '../kernel/locking.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { ADVICE, do_madvise } from '../mm/madvise.ts';
import { do_mlock, do_munlock } from '../mm/mlock.ts';
import { do_mmap, do_munmap, type MmapRequest } from '../mm/mmap.ts';
import { do_mprotect } from '../mm/mprotect.ts';
import { do_mremap } from '../mm/mremap.ts';
import { forget_file, open_file } from '../mm/truncate.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { CommandContext } from './command.ts';
import { ShellError } from './error.ts';
import type { ProcCommand } from './proc.ts';
import { addressOf, pagesOf, processOf, protOf, refuse } from './procArgs.ts';

const MMAP =
  'proc mmap PID PAGES [none|r|rw] [anon|file:NAME|hugetlb|dax:NAME|p2pmem:DEVICE] [private|shared] [off=PAGES] [at=ADDR]';
const MREMAP = 'proc mremap PID ADDR PAGES [new=PAGES] [to=ADDR] [dontunmap]';
const MADVISE = 'proc madvise PID ADDR PAGES ADVICE';

const ENOENT = -2;
const EACCES = -13;
const ENODEV = -19;
const EINVAL = -22;
const pointer = (vpn: number): CValue => integer(BigInt(vpn) << 12n, 'unsigned long');
const zero = integer(0);

interface Range {
  readonly mm: Mm;
  readonly start: number;
  readonly pages: number;
  readonly more: readonly string[];
}

function rangeOf(kernel: Kernel, args: readonly string[], what: string, usage: string): Range {
  const [pid, address, count, ...more] = args;
  const { mm } = processOf(kernel, pid, what, usage);
  return { mm, start: addressOf(kernel, address, what, usage), pages: pagesOf(kernel, count, what, usage), more };
}

/* ---- mmap ---- */

interface MmapWords {
  prot: number;
  kind: 'anon' | 'hugetlb' | 'file' | 'dax' | 'p2pmem';
  name: string;
  /** Undefined: whatever is usual, which is private but for what is on a device. */
  shared: boolean | undefined;
  pgoff: number;
  at: number | undefined;
}

function mmapWords(kernel: Kernel, words: readonly string[]): MmapWords {
  const found: MmapWords = {
    prot: VM_READ | VM_WRITE,
    kind: 'anon',
    name: '',
    shared: undefined,
    pgoff: 0,
    at: undefined,
  };
  for (const word of words) {
    const prot = protOf(word);
    const [, scheme, name] = /^(file|dax|p2pmem):([\w./][\w./:-]{0,63})$/.exec(word) ?? [];
    if (prot !== undefined) found.prot = prot;
    else if (word === 'anon' || word === 'hugetlb') found.kind = word;
    else if (name !== undefined) {
      found.kind = scheme as 'file' | 'dax' | 'p2pmem';
      found.name = name;
    } else if (word === 'private' || word === 'shared') found.shared = word === 'shared';
    else if (word.startsWith('off=')) found.pgoff = pagesOf(kernel, word.slice(4), 'proc mmap', MMAP);
    else if (word.startsWith('at=')) found.at = addressOf(kernel, word.slice(3), 'proc mmap', MMAP);
    else throw new ShellError(`usage: ${MMAP}`);
  }
  return found;
}

/** The storage or the provider that a word names. */
function backingOf(kernel: Kernel, { kind, name }: MmapWords): DaxMapping | PciDev | undefined {
  if (kind === 'p2pmem')
    return (
      kernel.state.pci.get(name) ??
      refuse('proc mmap', ENODEV, `${name}: nobody has looked such a device up, like 0000:03:00.0`)
    );
  if (kind !== 'dax') return undefined;
  const mapping = kernel.state.dax.get(name);
  if (!mapping?.mapped) return refuse('proc mmap', ENOENT, `dax:${name}: dax map makes one`);
  if (mapping.model === 'PMEM') return refuse('proc mmap', EINVAL, `${name} goes through the page cache: file:NAME`);
  return mapping;
}

const addressText = (vpn: number): string => (vpn < 0 ? String(vpn) : hex(BigInt(vpn) << 12n));

function* mmap({ kernel, print }: CommandContext, args: readonly string[]): KernelGenerator<CValue> {
  const [pid, count, ...rest] = args;
  const { mm } = processOf(kernel, pid, 'proc mmap', MMAP);
  const pages = pagesOf(kernel, count, 'proc mmap', MMAP);
  const words = mmapWords(kernel, rest);
  const { prot, kind, name, pgoff, at } = words;
  const shared = words.shared ?? (kind === 'dax' || kind === 'p2pmem');
  const backing = backingOf(kernel, words);
  if (kind === 'anon' || kind === 'hugetlb') {
    if (pgoff !== 0) refuse('proc mmap', EINVAL, 'off= is an offset in a file');
  } else if (kind === 'dax' && !shared) refuse('proc mmap', EINVAL, 'a private mapping of DAX is not modelled');
  const flags = (shared ? VM_SHARED : 0) | (kind === 'hugetlb' ? VM_HUGETLB : 0);
  yield* down_write(kernel, mm.mmap_lock);
  const request = { pages, prot, flags, pgoff, at };
  const body =
    backing && 'pdev' in backing
      ? p2pmem_alloc_mmap(kernel, mm, backing, { pages, prot, shared, pgoff, at })
      : call(kernel, mm, request, backing ?? (kind === 'file' ? name : undefined));
  const what = backing && 'pdev' in backing ? 'p2pmem_alloc_mmap' : 'do_mmap';
  const start = yield* kernel.call(what, [`${pages} page(s)`], body, addressText);
  up_write(kernel, mm.mmap_lock);
  const noPool = kind === 'hugetlb' && kernel.state.hugetlb.heads.size === 0;
  if (start < 0)
    refuse('proc mmap', start, noPool ? 'no huge pages; echo 8 > /proc/sys/vm/nr_hugepages makes some' : '');
  print(hex(BigInt(start) << 12n));
  return pointer(start);
}

/** A file that is not there yet is made with the size of the mapping, but only for one that comes about. */
// biome-ignore lint/correctness/useYield: nobody comes between the file and its mapping
function* call(
  kernel: Kernel,
  mm: Mm,
  request: Omit<MmapRequest, 'file'>,
  from: DaxMapping | string | undefined,
): KernelGenerator<number> {
  const { nextFile } = kernel.state;
  const file = fileOf(kernel, from, request.pgoff + request.pages);
  const start = do_mmap(kernel, mm, { ...request, file });
  if (file && kernel.state.nextFile !== nextFile && start < 0) forget_file(kernel, file.name);
  return start;
}

function fileOf(kernel: Kernel, from: DaxMapping | string | undefined, pages: number): AddressSpace | undefined {
  if (from === undefined) return undefined;
  if (typeof from !== 'string') return dax_file(kernel, from);
  return kernel.state.files.get(from) ?? open_file(kernel, from, pages);
}

/* ---- a range and a result of 0 ---- */

/** Words of a line that take a range, and the call: 0 or an errno. */
type RangeCall = (kernel: Kernel, range: Range) => KernelGenerator<number>;

function rangeCommand(
  name: string,
  tail: string,
  summary: string,
  count: number,
  act: RangeCall,
  check: (word: string) => unknown = () => undefined,
): ProcCommand {
  const what = `proc ${name}`;
  const usage = `${what} PID ADDR PAGES${tail}`;
  return {
    name,
    usage,
    summary,
    *run({ kernel, print }, args) {
      const range = rangeOf(kernel, args, what, usage);
      if (range.more.length !== count) throw new ShellError(`usage: ${usage}`);
      const { start, pages, more } = range;
      check(more[0] ?? '');
      const words = [hex(BigInt(start) << 12n), `${pages} page(s)`, ...more];
      const result = yield* kernel.call(name, words, act(kernel, range), String);
      if (result < 0) refuse(what, result, result === EACCES ? 'the file does not allow it' : '');
      print(String(result));
      return zero;
    },
  };
}

function* munmap(kernel: Kernel, { mm, start, pages }: Range): KernelGenerator<number> {
  yield* down_write(kernel, mm.mmap_lock);
  const result = yield* do_munmap(kernel, mm, start, pages);
  up_write(kernel, mm.mmap_lock);
  return result;
}

function* mprotect(kernel: Kernel, { mm, start, pages, more }: Range): KernelGenerator<number> {
  return yield* do_mprotect(kernel, mm, start, pages, protection(more[0] ?? ''));
}

function protection(word: string): number {
  return protOf(word) ?? refuse('proc mprotect', EINVAL, `${word}: one of none, r, rw`);
}

function* madvise(kernel: Kernel, { mm, start, pages, more }: Range): KernelGenerator<number> {
  return yield* do_madvise(kernel, mm, start, pages, advice(more[0] ?? ''));
}

function advice(word: string): string {
  const name = word.toUpperCase().replace(/^MADV_/, '');
  return Object.hasOwn(ADVICE, name)
    ? name
    : refuse('proc madvise', EINVAL, `${word}: one of ${Object.keys(ADVICE).join(', ')}`);
}

/* ---- mremap ---- */

function* mremap({ kernel, print }: CommandContext, args: readonly string[]): KernelGenerator<CValue> {
  const what = 'proc mremap';
  const { mm, start, pages, more } = rangeOf(kernel, args, what, MREMAP);
  let newPages = pages;
  let to: number | undefined;
  let dontUnmap = false;
  for (const word of more) {
    if (word === 'dontunmap') dontUnmap = true;
    else if (word.startsWith('new=')) newPages = pagesOf(kernel, word.slice(4), what, MREMAP);
    else if (word.startsWith('to=')) to = addressOf(kernel, word.slice(3), what, MREMAP);
    else throw new ShellError(`usage: ${MREMAP}`);
  }
  const request = { start, oldPages: pages, newPages, to, dontUnmap };
  const words = [hex(BigInt(start) << 12n), `${pages} page(s)`, `${newPages} page(s)`];
  const result = yield* kernel.call('mremap', words, do_mremap(kernel, mm, request), (vpn) =>
    vpn < 0 ? String(vpn) : hex(BigInt(vpn) << 12n),
  );
  if (result < 0) refuse(what, result);
  print(hex(BigInt(result) << 12n));
  return pointer(result);
}

export const PROC_MAPPINGS: readonly ProcCommand[] = [
  { name: 'mmap', usage: MMAP, summary: 'a new mapping; prints its address', run: mmap },
  rangeCommand('munmap', '', 'the range is mapped no more', 0, munmap),
  rangeCommand('mprotect', ' none|r|rw', 'the range gets another protection', 1, mprotect, protection),
  {
    name: 'mremap',
    usage: MREMAP,
    summary: 'moves, grows or shrinks a mapping (MREMAP_MAYMOVE is given); prints its address',
    run: mremap,
  },
  {
    ...rangeCommand(
      'madvise',
      ' ADVICE',
      `advice about the range: ${Object.keys(ADVICE).join(', ')}`,
      1,
      madvise,
      advice,
    ),
    usage: MADVISE,
  },
  rangeCommand('mlock', '', 'faults the range in and keeps it in memory', 0, (kernel, { mm, start, pages }) =>
    do_mlock(kernel, mm, start, pages),
  ),
  rangeCommand('munlock', '', 'lets it go again', 0, (kernel, { mm, start, pages }) =>
    do_munlock(kernel, mm, start, pages),
  ),
];
