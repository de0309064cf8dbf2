/**
 * /proc files in the kernel's own format: mm/vmstat.c, fs/proc/meminfo.c and
 * kernel/resource.c as of 6.12, for every release. What the simulator has none of
 * (slab) is 0, as on a machine that has none; the kernel's per-CPU lists are empty.
 */
import type { Zone } from '../include/mmzone.ts';
import { walk } from '../kernel/resource.ts';
import type { Kernel } from '../machine/kernel.ts';
import { globalCounter, recount, sumOf } from './counters.ts';
import { fixedFiles } from './files.ts';
import { hugetlbLines, machineCounters } from './memoryCounters.ts';

export const NODE_STATS = [
  'nr_inactive_anon',
  'nr_active_anon',
  'nr_inactive_file',
  'nr_active_file',
  'nr_unevictable',
  'nr_slab_reclaimable',
  'nr_slab_unreclaimable',
  'nr_isolated_anon',
  'nr_isolated_file',
  'workingset_nodes',
  'workingset_refault_anon',
  'workingset_refault_file',
  'workingset_activate_anon',
  'workingset_activate_file',
  'workingset_restore_anon',
  'workingset_restore_file',
  'workingset_nodereclaim',
  'nr_anon_pages',
  'nr_mapped',
  'nr_file_pages',
  'nr_dirty',
  'nr_writeback',
  'nr_writeback_temp',
  'nr_shmem',
  'nr_shmem_hugepages',
  'nr_shmem_pmdmapped',
  'nr_file_hugepages',
  'nr_file_pmdmapped',
  'nr_anon_transparent_hugepages',
  'nr_vmscan_write',
  'nr_vmscan_immediate_reclaim',
  'nr_dirtied',
  'nr_written',
  'nr_throttled_written',
  'nr_kernel_misc_reclaimable',
  'nr_foll_pin_acquired',
  'nr_foll_pin_released',
  'nr_kernel_stack',
  'nr_page_table_pages',
  'nr_sec_page_table_pages',
  'nr_swapcached',
  'pgpromote_success',
  'pgpromote_candidate',
  'pgdemote_kswapd',
  'pgdemote_direct',
  'pgdemote_khugepaged',
] as const;
export const ZONE_STATS = [
  'nr_zone_inactive_anon',
  'nr_zone_active_anon',
  'nr_zone_inactive_file',
  'nr_zone_active_file',
  'nr_zone_unevictable',
  'nr_zone_write_pending',
  'nr_mlock',
  'nr_bounce',
  'nr_free_cma',
  'numa_hit',
  'numa_miss',
  'numa_foreign',
  'numa_interleave',
  'numa_local',
  'numa_other',
] as const;

const stat = (name: string, value: number): string => `      ${name.padEnd(12)} ${value}\n`;
const statText = (names: readonly string[], counter: (name: string) => number): string =>
  names.map((name) => stat(name, counter(name))).join('');

/** mm/vmstat.c:zoneinfo_show. */
export function zoneinfo(kernel: Kernel): string {
  const cpus = kernel.nodes.flatMap((node) => node.cpus);
  // On large machines this is most of the text: a line of each CPU for each zone.
  const heads = cpus.map(
    (cpu) => `    cpu: ${cpu}\n              count: 0\n              high:  0\n              batch: `,
  );
  const pagesets = new Map<string, string>();
  const pagesetsOf = (zone: Zone): string => {
    const tail = `${batchOf(zone)}\n  vm stats threshold: ${thresholdOf(zone, cpus.length)}\n`;
    const known = pagesets.get(tail) ?? (heads.length > 0 ? heads.join(tail) + tail : '');
    pagesets.set(tail, known);
    return known;
  };
  const parts: string[] = [];
  const counted = recount(kernel);
  for (const node of kernel.nodes) {
    const firstPopulated = node.node_zones.find((zone) => zone.present_pages > 0);
    for (const zone of node.node_zones) {
      parts.push(`Node ${node.node_id}, zone ${zone.name.padStart(8)}\n`);
      if (zone === firstPopulated)
        parts.push(
          '  per-node stats\n',
          statText(
            NODE_STATS,
            sumOf(counted, (part) => part.node === node.node_id),
          ),
        );
      parts.push(
        `  pages free     ${zone.nr_free}\n        boost    ${zone.watermark_boost}\n        min      ${zone.watermark.min + zone.watermark_boost}\n` +
          `        low      ${zone.watermark.low + zone.watermark_boost}\n        high     ${zone.watermark.high + zone.watermark_boost}\n` +
          `        promo    ${zone.watermark.promo + zone.watermark_boost}\n        spanned  ${zone.spanned_pages}\n` +
          `        present  ${zone.present_pages}\n        managed  ${zone.managed_pages}\n        cma      0\n` +
          `        protection: (${zone.lowmem_reserve.slice(0, node.node_zones.length).join(', ')})\n`,
      );
      if (zone.present_pages === 0) continue;
      const counter = sumOf(counted, (part) => part.node === node.node_id && part.zone === zone.index);
      parts.push(stat('nr_free_pages', zone.nr_free), statText(ZONE_STATS, counter), '  pagesets\n', pagesetsOf(zone));
      parts.push(`  node_unreclaimable:  0\n  start_pfn:           ${zone.zone_start_pfn}\n`);
    }
  }
  return parts.join('');
}

const log2 = (value: number): number => 31 - Math.clz32(value);

/** page_alloc.c:zone_batchsize. */
function batchOf(zone: Zone): number {
  const batch = Math.max(1, Math.min(zone.managed_pages >>> 12, 64));
  return Math.max(1, 2 ** log2(batch + (batch >>> 1)) - 1);
}

/** vmstat.c:calculate_normal_threshold. */
function thresholdOf(zone: Zone, cpus: number): number {
  const fls = (value: number): number => (value === 0 ? 0 : log2(value) + 1);
  return Math.min(125, 2 * fls(cpus) * (1 + fls(zone.managed_pages >>> 15)));
}

/** mm/vmstat.c:frag_show: populated zones, free blocks by order. */
export function buddyinfo(kernel: Kernel): string {
  let text = '';
  for (const node of kernel.nodes)
    for (const zone of node.node_zones)
      if (zone.present_pages > 0)
        text += `Node ${node.node_id}, zone ${zone.name.padStart(8)} ${zone.free_area.map((area) => `${String(area.nr_free).padStart(6)} `).join('')}\n`;
  return text;
}

/** kernel/resource.c:r_show as root sees it: five levels, addresses at least eight digits wide. */
export function iomem(kernel: Kernel): string {
  const { iomem: root } = kernel.state;
  const width = root.end < 0x10000n ? 4 : 8;
  const digits = (value: bigint): string => value.toString(16).padStart(width, '0');
  let text = '';
  for (const { resource, depth } of walk(root))
    text += `${'  '.repeat(Math.min(depth, 4))}${digits(resource.start)}-${digits(resource.end)} : ${resource.name}\n`;
  return text;
}

/** mm/page_alloc.c:calculate_totalreserve_pages. */
export function totalreserve_pages(kernel: Kernel): number {
  let sum = 0;
  for (const node of kernel.nodes)
    for (const zone of node.node_zones) {
      const reserve = Math.max(0, ...zone.lowmem_reserve.slice(zone.index));
      sum += Math.min(zone.managed_pages, reserve + zone.watermark.high);
    }
  return sum;
}

/** mm/show_mem.c:si_mem_available: free memory and what of the page cache could go, less what must stay. */
function si_mem_available(kernel: Kernel, zones: readonly Zone[], free: number): number {
  const low = zones.reduce((sum, zone) => sum + zone.watermark.low + zone.watermark_boost, 0);
  const cache = globalCounter(kernel, 'nr_active_file') + globalCounter(kernel, 'nr_inactive_file');
  return Math.max(0, free - totalreserve_pages(kernel) + cache - Math.min(Math.floor(cache / 2), low));
}

/** The lines behind MemAvailable. */
const MEMINFO = [
  'Buffers',
  'Cached',
  'SwapCached',
  'Active',
  'Inactive',
  'Active(anon)',
  'Inactive(anon)',
  'Active(file)',
  'Inactive(file)',
  'Unevictable',
  'Mlocked',
  'SwapTotal',
  'SwapFree',
  'Dirty',
  'Writeback',
  'AnonPages',
  'Mapped',
  'Shmem',
  'KReclaimable',
  'Slab',
  'SReclaimable',
  'SUnreclaim',
  'KernelStack',
  'PageTables',
  'SecPageTables',
  'NFS_Unstable',
  'Bounce',
  'WritebackTmp',
  'CommitLimit',
  'Committed_AS',
  'VmallocTotal',
  'VmallocUsed',
  'VmallocChunk',
  'Percpu',
  'HardwareCorrupted',
  'AnonHugePages',
  'ShmemHugePages',
  'ShmemPmdMapped',
  'FileHugePages',
  'FilePmdMapped',
];

/** fs/proc/meminfo.c:meminfo_proc_show, without the lines on how the CPU maps memory. */
export function meminfo(kernel: Kernel): string {
  const zones = kernel.nodes.flatMap((node) => node.node_zones);
  const free = zones.reduce((sum, zone) => sum + zone.nr_free, 0);
  const total = kernel.state.totalram_pages;
  const counters = machineCounters(kernel, (name) => globalCounter(kernel, name));
  const lines: [string, number][] = [
    ['MemTotal', total],
    ['MemFree', free],
    ['MemAvailable', si_mem_available(kernel, zones, free)],
    ...MEMINFO.map((name): [string, number] => [name, counters(name)]),
  ];
  let text = '';
  for (const [name, pages] of lines) {
    // The kernel prints this one with its own width.
    const label = name === 'HardwareCorrupted' ? 'HardwareCorrupted: '.padEnd(19) : `${name}:`.padEnd(16);
    text += `${label}${String(pages * 4).padStart(name === 'HardwareCorrupted' ? 5 : 8)} kB\n`;
  }
  return text + hugetlbLines(kernel);
}

export const PROC = fixedFiles('/proc', {
  zoneinfo,
  buddyinfo,
  iomem,
  meminfo,
  cmdline: (kernel) => `${kernel.config.cmdline}\n`,
  version: (kernel) => `Linux version ${kernel.release} (simulated)\n`,
});
