/** What drivers had made of persistent memory, as /proc/iomem shows it: ndctl lines, where there is only one way to it. */
import { SZ_2M, SZ_4K } from '../../drivers/nvdimm/nd.ts';
import { pfnLayout } from '../../drivers/nvdimm/pfn.ts';
import type { Kernel } from '../kernel.ts';
import type { Iomem, IomemEntry } from './iomem.ts';
import type { ImportNote } from './text.ts';

/** Where the data of a devdax namespace begins tells where its struct pages are. */
function mapOf(region: IomemEntry, dax: IomemEntry): string | undefined {
  const size = region.end - region.start + 1n;
  for (const align of [SZ_2M, SZ_4K])
    for (const [map, mode] of [
      ['mem', 'ram'],
      ['dev', 'pmem'],
    ] as const) {
      const layout = pfnLayout(region.start, size, mode, align);
      if (typeof layout === 'string' || region.start + layout.dataoff !== dax.start) continue;
      if (region.end - layout.end_trunc === dax.end) return `-m devdax -M ${map}${align === SZ_2M ? '' : ' -a 4K'}`;
    }
  return undefined;
}

/** Lines for the regions of the booted machine whose memory was used otherwise than it boots; what cannot be told is noted. */
export function pmemLines(kernel: Kernel, iomem: Iomem | undefined, notes: ImportNote[]): string[] {
  if (!iomem || iomem.hidden) return [];
  const lines: string[] = [];
  const left: string[] = [];
  for (const [index, entry] of iomem.entries.entries()) {
    if (entry.depth !== 0 || !/^(Persistent Memory|Soft Reserved|CXL )/.test(entry.name)) continue;
    const rest = iomem.entries.slice(index + 1, index + 1 + MAX_PARTS);
    const next = rest.findIndex(({ depth }) => depth === 0);
    const parts = next < 0 ? rest : rest.slice(0, next);
    const region = kernel.state.nvdimm.buses
      .flatMap(({ regions }) => regions)
      .find(({ start, size }) => start === entry.start && start + size - 1n === entry.end);
    const namespace = region?.namespaces[0];
    const [first, dax, ...more] = parts;
    if (!region || !namespace) left.push(...parts.map(({ name }) => name));
    else if (!first) {
      // A labelled region boots without a namespace, legacy memory with one.
      if (!region.labels) lines.push(`ndctl disable-namespace ${namespace.name}`);
    } else if (dax?.depth === 1 && /^dax\d/.test(dax.name) && more.every(({ depth }) => depth > 1)) {
      const options = mapOf(entry, dax);
      const where = region.labels ? `-r ${region.name}` : `-f -e ${namespace.name}`;
      if (options) lines.push(`ndctl create-namespace ${where} ${options}`);
      else left.push(first.name, dax.name);
    } else if (region.labels || first.start !== entry.start || first.end !== entry.end)
      left.push(...parts.map(({ name }) => name));
  }
  if (left.length > 0)
    notes.push({
      what: `what drivers made of persistent or soft reserved memory is not imported: ${left.slice(0, 4).join(', ').slice(0, 200)}`,
    });
  return lines;
}

const MAX_PARTS = 64;
