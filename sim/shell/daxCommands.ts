/** `dax` and `gup`: a file of persistent memory in a process, and DMA to it. */
import { type DaxMapping, dax_map, dax_truncate, dax_unmap, PFN_DEV, PFN_MAP, pfnT, pteOf } from '../drivers/dax.ts';
import { errnoName } from '../include/errno.ts';
import { hex, type Kernel } from '../machine/kernel.ts';
import { compound_head } from '../mm/compound_page.ts';
import { get_user_pages, put_user_page } from '../mm/gup_dax.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Command, CommandContext } from './command.ts';
import { ShellError } from './error.ts';

const DAX = 'dax map NAME START SIZE [page-cache] | dax show NAME PAGE | dax truncate NAME | dax unmap NAME';
const GUP = 'gup get NAME PAGE [COUNT] [pin] [longterm] [p2pdma] | gup put NAME PAGE [COUNT] [pin]';
/** Pages of one call; a driver asks for as many at a time. */
const MOST_PAGES = 4096;
const MOST_MAPPINGS = 1024;

const usage = (text: string): ShellError => new ShellError(`usage: ${text}`);

function number(text: string | undefined, what: string, line: string): bigint {
  const match = /^(0x[0-9a-f]{1,16}|\d{1,19})([KMGT]?)$/i.exec(text ?? '');
  if (!match?.[1]) throw usage(line);
  const value = BigInt(match[1]) << BigInt({ K: 10, M: 20, G: 30, T: 40 }[match[2]?.toUpperCase() ?? ''] ?? 0);
  if (value >= 1n << 52n) throw new ShellError(`${what} ${text} is out of range`, -34);
  return value;
}

function mappingOf(kernel: Kernel, name: string | undefined, line: string): DaxMapping {
  if (name === undefined) throw usage(line);
  const found = kernel.state.dax.get(name);
  if (!found) throw new ShellError(`${name}: no such mapping; dax map makes one`, -2);
  return found;
}

function pageOf(mapping: DaxMapping, text: string | undefined, count: number, line: string): number {
  const page = Number(number(text, 'page', line));
  if (page + count > mapping.pages)
    throw new ShellError(`${mapping.name} has ${mapping.pages} page(s); page ${page + count - 1} is beyond`, -14);
  return page;
}

function mapFile({ kernel, print }: CommandContext, args: readonly string[]): void {
  const [name, from, length, cached, ...more] = args;
  if (name === undefined || more.length > 0 || (cached !== undefined && cached !== 'page-cache')) throw usage(DAX);
  const start = number(from, 'start', DAX);
  const size = number(length, 'size', DAX);
  if (start % 4096n !== 0n || size % 4096n !== 0n || size === 0n)
    throw new ShellError('dax map: start and size are whole pages of 4096 bytes');
  if (start + size - 1n > kernel.physmemEnd)
    throw new ShellError('dax map: the range ends beyond the physical limit', -34);
  if (kernel.state.dax.has(name)) throw new ShellError(`${name}: there is such a mapping already`, -17);
  if (kernel.state.dax.size >= MOST_MAPPINGS) throw new ShellError('dax map: too many mappings', -12);
  const mapping = dax_map(kernel, name, Number(start >> 12n), Number(size >> 12n), cached !== undefined);
  print(`${name}: ${mapping.pages} page(s), ${mapping.model}`);
}

function showPage({ kernel, print }: CommandContext, args: readonly string[]): void {
  const [name, text, ...more] = args;
  if (more.length > 0) throw usage(DAX);
  const mapping = mappingOf(kernel, name, DAX);
  const page = pageOf(mapping, text, 1, DAX);
  const pfn = mapping.faulted.get(page);
  if (pfn === undefined) {
    print(`page ${page}: not touched yet`);
    return;
  }
  if (mapping.model !== 'PMEM' && kernel.facts.pfnT) {
    const value = pfnT(mapping, pfn);
    const flags = [(value & PFN_DEV) !== 0n ? 'PFN_DEV' : '', (value & PFN_MAP) !== 0n ? 'PFN_MAP' : ''];
    print(`pfn_t ${hex(value)} ${flags.filter(Boolean).join('|')}`);
  }
  print(`pte ${hex(pteOf(kernel, mapping, pfn))}`);
  print(`pfn ${hex(pfn)} refcount ${kernel.pages.refcount.get(compound_head(kernel, pfn))}`);
}

function* runGup({ kernel, print }: CommandContext, args: readonly string[]): KernelGenerator<void> {
  const [verb, name, page, ...rest] = args;
  const counted = /^\d+$/.test(rest[0] ?? '') ? rest.shift() : undefined;
  const words = verb === 'get' ? ['pin', 'longterm', 'p2pdma'] : ['pin'];
  if (
    (verb !== 'get' && verb !== 'put') ||
    new Set(rest).size !== rest.length ||
    rest.some((word) => !words.includes(word))
  )
    throw usage(GUP);
  const mapping = mappingOf(kernel, name, GUP);
  const count = Number(number(counted ?? '1', 'count', GUP));
  if (count < 1 || count > MOST_PAGES) throw new ShellError(`gup: between 1 and ${MOST_PAGES} pages at a time`);
  const first = pageOf(mapping, page, count, GUP);
  const pin = rest.includes('pin');
  const longterm = rest.includes('longterm');
  const p2pdma = rest.includes('p2pdma');
  if (pin && !kernel.facts.pinUserPages) throw new ShellError(`gup: ${kernel.release} has no FOLL_PIN`);
  if (longterm && !kernel.facts.gupLongterm) throw new ShellError(`gup: ${kernel.release} has no FOLL_LONGTERM`);
  if (p2pdma && !kernel.facts.follPciP2pdma) throw new ShellError(`gup: ${kernel.release} has no FOLL_PCI_P2PDMA`);
  if (verb === 'get') {
    const result = yield* get_user_pages(kernel, mapping, first, count, { pin, longterm, p2pdma });
    if (result < 0) throw new ShellError(`get_user_pages: -${errnoName(-result) ?? -result}`, result);
    print(`${result} page(s)`);
    return;
  }
  const frames = Array.from({ length: count }, (_, i) => frameOf(mapping, first + i, pin));
  for (const pfn of frames) yield* put_user_page(kernel, mapping, pfn, pin);
}

/** The frame of a page that is held, wherever the file has it now. */
function frameOf(mapping: DaxMapping, page: number, pin: boolean): number {
  for (const [pfn, held] of mapping.held) if (held.page === page && (pin ? held.pin : held.get) > 0) return pfn;
  throw new ShellError(`gup put: nobody holds page ${page} of ${mapping.name} that way`);
}

export const DAX_COMMANDS: readonly Command[] = [
  {
    name: 'dax',
    usage: DAX,
    summary: 'map a file of persistent memory, through the page cache or directly',
    run(context, args) {
      const [verb, ...rest] = args;
      if (verb === 'map') mapFile(context, rest);
      else if (verb === 'show') showPage(context, rest);
      else if ((verb === 'truncate' || verb === 'unmap') && rest.length === 1) {
        const mapping = mappingOf(context.kernel, rest[0], DAX);
        if (!mapping.mapped) throw new ShellError(`${mapping.name}: unmapped; only gup put is left for it`, -14);
        return (verb === 'truncate' ? dax_truncate : dax_unmap)(context.kernel, mapping);
      } else throw usage(DAX);
      return undefined;
    },
  },
  { name: 'gup', usage: GUP, summary: 'get_user_pages on such a mapping, and giving pages back', run: runGup },
];
