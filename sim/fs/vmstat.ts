/** /proc/vmstat: mm/vmstat.c (6.12), for every release. Events the simulator does not count are 0. */
import type { Pglist, Zone } from '../include/mmzone.ts';
import type { Kernel } from '../machine/kernel.ts';
import { globalCounter, recount, sumOf } from './counters.ts';
import { fixedFiles } from './files.ts';
import { NODE_STATS, totalreserve_pages, ZONE_STATS } from './proc.ts';

/** Counters of events, behind those of zones and nodes. The last one, no longer counted, is kept for old readers. */
const EVENTS: readonly string[] = [
  'pgpgin',
  'pgpgout',
  'pswpin',
  'pswpout',
  'pgalloc_dma',
  'pgalloc_dma32',
  'pgalloc_normal',
  'pgalloc_movable',
  'pgalloc_device',
  'allocstall_dma',
  'allocstall_dma32',
  'allocstall_normal',
  'allocstall_movable',
  'allocstall_device',
  'pgskip_dma',
  'pgskip_dma32',
  'pgskip_normal',
  'pgskip_movable',
  'pgskip_device',
  'pgfree',
  'pgactivate',
  'pgdeactivate',
  'pglazyfree',
  'pgfault',
  'pgmajfault',
  'pglazyfreed',
  'pgrefill',
  'pgreuse',
  'pgsteal_kswapd',
  'pgsteal_direct',
  'pgsteal_khugepaged',
  'pgscan_kswapd',
  'pgscan_direct',
  'pgscan_khugepaged',
  'pgscan_direct_throttle',
  'pgscan_anon',
  'pgscan_file',
  'pgsteal_anon',
  'pgsteal_file',
  'zone_reclaim_success',
  'zone_reclaim_failed',
  'pginodesteal',
  'slabs_scanned',
  'kswapd_inodesteal',
  'kswapd_low_wmark_hit_quickly',
  'kswapd_high_wmark_hit_quickly',
  'pageoutrun',
  'pgrotated',
  'drop_pagecache',
  'drop_slab',
  'oom_kill',
  'numa_pte_updates',
  'numa_huge_pte_updates',
  'numa_hint_faults',
  'numa_hint_faults_local',
  'numa_pages_migrated',
  'pgmigrate_success',
  'pgmigrate_fail',
  'thp_migration_success',
  'thp_migration_fail',
  'thp_migration_split',
  'compact_migrate_scanned',
  'compact_free_scanned',
  'compact_isolated',
  'compact_stall',
  'compact_fail',
  'compact_success',
  'compact_daemon_wake',
  'compact_daemon_migrate_scanned',
  'compact_daemon_free_scanned',
  'htlb_buddy_alloc_success',
  'htlb_buddy_alloc_fail',
  'unevictable_pgs_culled',
  'unevictable_pgs_scanned',
  'unevictable_pgs_rescued',
  'unevictable_pgs_mlocked',
  'unevictable_pgs_munlocked',
  'unevictable_pgs_cleared',
  'unevictable_pgs_stranded',
  'thp_fault_alloc',
  'thp_fault_fallback',
  'thp_fault_fallback_charge',
  'thp_collapse_alloc',
  'thp_collapse_alloc_failed',
  'thp_file_alloc',
  'thp_file_fallback',
  'thp_file_fallback_charge',
  'thp_file_mapped',
  'thp_split_page',
  'thp_split_page_failed',
  'thp_deferred_split_page',
  'thp_underused_split_page',
  'thp_split_pmd',
  'thp_scan_exceed_none_pte',
  'thp_scan_exceed_swap_pte',
  'thp_scan_exceed_share_pte',
  'thp_split_pud',
  'thp_zero_page_alloc',
  'thp_zero_page_alloc_failed',
  'thp_swpout',
  'thp_swpout_fallback',
  'swap_ra',
  'swap_ra_hit',
  'swpin_zero',
  'swpout_zero',
  'ksm_swpin_copy',
  'cow_ksm',
  'direct_map_level2_splits',
  'direct_map_level3_splits',
  'nr_unstable',
];

const allZones = (kernel: Kernel): Zone[] => kernel.nodes.flatMap((node) => [...node.node_zones]);
export const freePages = (zones: readonly Zone[]): number => zones.reduce((sum, zone) => sum + zone.nr_free, 0);

/** mm/page-writeback.c:global_dirty_limits with the default ratios of 20 and 10 percent. */
function global_dirty_limits(kernel: Kernel): { thresh: number; background: number } {
  const free = freePages(allZones(kernel));
  const available = free - Math.min(free, totalreserve_pages(kernel)) + 1;
  const share = (percent: number): number => Math.floor((Math.floor((percent * 4096) / 100) * available) / 4096);
  return { thresh: share(20), background: share(10) };
}

/** mm/vmstat.c:vmstat_start, vmstat_show. */
export function vmstat(kernel: Kernel): string {
  const { thresh, background } = global_dirty_limits(kernel);
  const memmap = (pick: (node: Pglist) => number): number => kernel.nodes.reduce((sum, node) => sum + pick(node), 0);
  const counted: [string, number][] = [
    ['nr_free_pages', freePages(allZones(kernel))],
    ...[...ZONE_STATS, ...NODE_STATS].map((name): [string, number] => [name, globalCounter(kernel, name)]),
    ['nr_dirty_threshold', thresh],
    ['nr_dirty_background_threshold', background],
    ['nr_memmap_pages', memmap((node) => node.nr_memmap)],
    ['nr_memmap_boot_pages', memmap((node) => node.nr_memmap_boot)],
    ...EVENTS.map((name): [string, number] => [name, kernel.state.vm.get(name) ?? 0]),
  ];
  return lines(counted);
}

/** drivers/base/node.c:node_read_vmstat: the counters of one node's zones, then its own. */
export function nodeVmstat(kernel: Kernel, node: Pglist): string {
  const counter = sumOf(recount(kernel), (zone) => zone.node === node.node_id);
  return lines([
    ['nr_free_pages', freePages(node.node_zones)],
    ...[...ZONE_STATS, ...NODE_STATS].map((name): [string, number] => [name, counter(name)]),
  ]);
}

/** drivers/base/node.c:node_read_numastat: where allocations went, which are not counted here. */
export const nodeNumastat = (): string =>
  lines(
    ['numa_hit', 'numa_miss', 'numa_foreign', 'interleave_hit', 'local_node', 'other_node'].map((name) => [name, 0]),
  );

const lines = (values: readonly (readonly [string, number])[]): string =>
  values.map(([name, value]) => `${name} ${value}\n`).join('');

export const VMSTAT = fixedFiles('/proc', { vmstat });
