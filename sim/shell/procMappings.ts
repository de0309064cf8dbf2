/** `proc mmap|munmap|mprotect|mremap|madvise|mlock|munlock`: the calls that change mappings. */
import { type CValue, integer } from '../c/value.ts';
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

const MMAP = 'proc mmap PID PAGES [none|r|rw] [anon|file:NAME|hugetlb] [private|shared] [at=ADDR]';
const MREMAP = 'proc mremap PID ADDR PAGES [new=PAGES] [to=ADDR] [dontunmap]';
const MADVISE = 'proc madvise PID ADDR PAGES ADVICE';

const EACCES = -13;
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
  kind: 'anon' | 'hugetlb' | 'file';
  name: string;
  shared: boolean;
  at: number | undefined;
}

function mmapWords(kernel: Kernel, words: readonly string[]): MmapWords {
  const found: MmapWords = { prot: VM_READ | VM_WRITE, kind: 'anon', name: '', shared: false, at: undefined };
  for (const word of words) {
    const prot = protOf(word);
    const [, file] = /^file:([\w.][\w./-]{0,63})$/.exec(word) ?? [];
    if (prot !== undefined) found.prot = prot;
    else if (word === 'anon' || word === 'hugetlb') found.kind = word;
    else if (file !== undefined) {
      found.kind = 'file';
      found.name = file;
    } else if (word === 'private' || word === 'shared') found.shared = word === 'shared';
    else if (word.startsWith('at=')) found.at = addressOf(kernel, word.slice(3), 'proc mmap', MMAP);
    else throw new ShellError(`usage: ${MMAP}`);
  }
  return found;
}

function* mmap({ kernel, print }: CommandContext, args: readonly string[]): KernelGenerator<CValue> {
  const [pid, count, ...words] = args;
  const { mm } = processOf(kernel, pid, 'proc mmap', MMAP);
  const pages = pagesOf(kernel, count, 'proc mmap', MMAP);
  const { prot, kind, name, shared, at } = mmapWords(kernel, words);
  const flags = (shared ? VM_SHARED : 0) | (kind === 'hugetlb' ? VM_HUGETLB : 0);
  yield* down_write(kernel, mm.mmap_lock);
  const request = { pages, prot, flags, pgoff: 0, at };
  const named = kind === 'file' ? name : undefined;
  const start = yield* kernel.call('do_mmap', [`${pages} page(s)`], call(kernel, mm, request, named), (vpn) =>
    vpn < 0 ? String(vpn) : hex(BigInt(vpn) << 12n),
  );
  up_write(kernel, mm.mmap_lock);
  if (start < 0) refuse('proc mmap', start);
  print(hex(BigInt(start) << 12n));
  return pointer(start);
}

/** A file that is not there yet is made with the size of the mapping, but only for one that comes about. */
// biome-ignore lint/correctness/useYield: nobody comes between the file and its mapping
function* call(
  kernel: Kernel,
  mm: Mm,
  request: Omit<MmapRequest, 'file'>,
  name: string | undefined,
): KernelGenerator<number> {
  const known = name === undefined ? undefined : kernel.state.files.get(name);
  const file: AddressSpace | undefined =
    name === undefined ? undefined : (known ?? open_file(kernel, name, request.pages));
  const start = do_mmap(kernel, mm, { ...request, file });
  if (name !== undefined && !known && start < 0) forget_file(kernel, name);
  return start;
}

/* ---- a range and a result of 0 ---- */

/** Words of a line that take a range, and the call: 0 or an errno. */
type RangeCall = (kernel: Kernel, range: Range) => KernelGenerator<number>;

function rangeCommand(name: string, tail: string, summary: string, count: number, act: RangeCall): ProcCommand {
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
  const prot = protOf(more[0] ?? '');
  if (prot === undefined) throw new ShellError(`proc mprotect: ${more[0]}: one of none, r, rw`);
  return yield* do_mprotect(kernel, mm, start, pages, prot);
}

function* madvise(kernel: Kernel, { mm, start, pages, more }: Range): KernelGenerator<number> {
  const name = (more[0] ?? '').toUpperCase().replace(/^MADV_/, '');
  if (!Object.hasOwn(ADVICE, name))
    throw new ShellError(`proc madvise: ${more[0]}: one of ${Object.keys(ADVICE).join(', ')}`);
  return yield* do_madvise(kernel, mm, start, pages, name);
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
  rangeCommand('mprotect', ' none|r|rw', 'the range gets another protection', 1, mprotect),
  {
    name: 'mremap',
    usage: MREMAP,
    summary: 'moves, grows or shrinks a mapping (MREMAP_MAYMOVE is given); prints its address',
    run: mremap,
  },
  {
    ...rangeCommand('madvise', ' ADVICE', `advice about the range: ${Object.keys(ADVICE).join(', ')}`, 1, madvise),
    usage: MADVISE,
  },
  rangeCommand('mlock', '', 'faults the range in and keeps it in memory', 0, (kernel, { mm, start, pages }) =>
    do_mlock(kernel, mm, start, pages),
  ),
  rangeCommand('munlock', '', 'lets it go again', 0, (kernel, { mm, start, pages }) =>
    do_munlock(kernel, mm, start, pages),
  ),
];
