/** DISCONTIGMEM: an array for each node (include/asm-generic/memory_model.h until 5.13, mm/page_alloc.c:alloc_node_mem_map). */
import { bytesPerPage, maxOrderPages, type ValidRule } from '../arch/layout.ts';
import { factHolds } from '../kernel/release.ts';
import { TOP_DOWN_RULE, TopDown } from './model_alloc.ts';
import { pfnToNid } from './model_nid.ts';
import {
  flagsOf,
  hx,
  isRam,
  type ModelInstance,
  type ModelSetup,
  maxPfn,
  NoModel,
  pointerIn,
  StepList,
  virtualOf,
  zoneAt,
} from './model_setup.ts';
import { encodePageFlags, fieldOf } from './page_flags_layout.ts';

interface NodeMap {
  nid: number;
  /** node_start_pfn and the end of the span. */
  start: number;
  end: number;
  /** The same, rounded outwards to the largest block: what the array covers. */
  from: number;
  to: number;
  physical: bigint;
  /** Address of the struct page of `from`, and of `start`. */
  map: bigint;
  node_mem_map: bigint;
}

export function discontigmem(setup: ModelSetup): ModelInstance {
  const { layout } = setup;
  const flags = flagsOf(setup, 'discontigmem');
  const size = BigInt(flags.sizeofPage);
  const page = bytesPerPage(layout);
  const nodes = nodeMaps(setup, size);
  const byId = new Map(nodes.map((node) => [node.nid, node]));

  const isValid = (pfn: number): boolean => {
    const list = new StepList();
    if (layout.valid === 'high_memory') return pfn >= (nodes[0]?.start ?? 0) && pfn < maxPfn(setup);
    const node = byId.get(pfnToNid(setup, pfn, list) ?? -1);
    if (!node) return false;
    if (layout.valid === 'node span') return pfn >= node.start && pfn < node.end;
    return layout.valid === 'node end inclusive' ? pfn <= node.end : pfn < node.end;
  };
  const remark = (list: StepList, pfn: number, node: NodeMap): void => {
    list.notes.push(`pfn_valid (${VALID_TEXT[layout.valid]}): ${isValid(pfn)}`);
    if (pfn < node.from || pfn >= node.to)
      list.notes.push(
        `the array of node ${node.nid} covers ${hx(node.from)}-${hx(node.to - 1)}: this address is outside`,
      );
    else if (!isRam(setup, pfn)) list.notes.push('a hole of the node: it has a struct page and no memory');
  };

  return {
    model: 'discontigmem',
    setup,
    flags,
    rule: TOP_DOWN_RULE,
    facts: nodes.map(
      (node) =>
        `node ${node.nid}: node_start_pfn ${hx(node.start)}, spanned ${node.end - node.start}, node_mem_map ${hx(node.node_mem_map)} for ${node.to - node.from} page frames`,
    ),
    maps: nodes.map((node) => ({
      start: node.from,
      pages: node.to - node.from,
      address: node.map,
      what: `node_mem_map of node ${node.nid}`,
      frame: Number(node.physical / page),
    })),
    freed: [],
    remarks: factHolds('discontigmem', setup.release)
      ? []
      : [`DISCONTIGMEM was removed in 5.14; ${setup.release} does not have it`],
    pfnToPage(pfn) {
      const list = new StepList();
      const node = byId.get(pfnToNid(setup, pfn, list) ?? -1);
      if (!node) return list.end(false);
      list.add('node_start_pfn', 'NODE_DATA(nid)->node_start_pfn', '', node.start);
      list.add('node_mem_map', 'NODE_DATA(nid)->node_mem_map', '', node.node_mem_map);
      const index = list.add('index', 'pfn - node_start_pfn', `${hx(pfn)} - ${hx(node.start)}`, pfn - node.start);
      const bytes = list.add('bytes', 'index * sizeof(struct page)', `${hx(index)} * ${size}`, index * size);
      const value = list.add(
        'page',
        'node_mem_map + index',
        `${hx(node.node_mem_map)} + ${hx(bytes)}`,
        pointerIn(setup, node.node_mem_map + bytes),
      );
      remark(list, pfn, node);
      return list.end(isValid(pfn), value);
    },
    pageToPfn(address) {
      const list = new StepList();
      const own = nodes.find(
        (node) =>
          address >= node.map &&
          address < node.map + BigInt(node.to - node.from) * size &&
          (address - node.map) % size === 0n,
      );
      if (!own) {
        list.notes.push('the address is not that of a struct page of any node: page->flags cannot be read there');
        return list.end(false);
      }
      const at = own.from + Number((address - own.map) / size);
      const word = list.add(
        'page->flags',
        'its NODE and ZONE fields',
        '',
        encodePageFlags(flags, { NODE: own.nid, ZONE: zoneAt(setup, at) }, 0),
      );
      const nid = fieldOf(flags, word, 'NODE');
      const mask = (1n << BigInt(flags.width.NODE)) - 1n;
      list.add(
        'nid',
        '(flags >> NODES_PGSHIFT) & NODES_MASK',
        `(${hx(word)} >> ${flags.shift.NODE}) & ${hx(mask)}`,
        nid,
        String(nid),
      );
      list.add('node_mem_map', 'NODE_DATA(nid)->node_mem_map', '', own.node_mem_map);
      const bytes = list.add(
        'bytes',
        'page - node_mem_map',
        `${hx(address)} - ${hx(own.node_mem_map)}`,
        address - own.node_mem_map,
      );
      const index = list.add('index', 'bytes / sizeof(struct page)', `${hx(bytes)} / ${size}`, bytes / size);
      const pfn = list.add(
        'pfn',
        'index + node_start_pfn',
        `${hx(index)} + ${hx(own.start)}`,
        index + BigInt(own.start),
      );
      remark(list, Number(pfn), own);
      return list.end(isValid(Number(pfn)), pfn);
    },
  };
}

const NODE_END = 'nid >= 0 and pfn < node_end_pfn(nid)';
const VALID_TEXT: Readonly<Record<ValidRule, string>> = {
  'node span': 'pfn - node_start_pfn < node_spanned_pages',
  'node end': NODE_END,
  max_mapnr: NODE_END,
  memblock: NODE_END,
  'memblock pageblock': NODE_END,
  'node end inclusive': 'pfn <= node_end_pfn(nid), one too many',
  high_memory: 'the kernel address lies below high_memory',
};

function nodeMaps(setup: ModelSetup, size: bigint): NodeMap[] {
  const unit = maxOrderPages(setup.layout);
  const alloc = new TopDown(setup);
  const nodes: NodeMap[] = [];
  for (const nid of [...new Set(setup.memory.map((range) => range.nid))].sort((a, b) => a - b)) {
    const own = setup.memory.filter((range) => range.nid === nid);
    const start = Math.min(...own.map((range) => range.start));
    const end = Math.max(...own.map((range) => range.end));
    const from = Math.floor(start / unit) * unit;
    const to = Math.ceil(end / unit) * unit;
    const bytes = BigInt(to - from) * size;
    const physical = alloc.alloc(bytes, 64n, nid);
    if (physical === undefined)
      throw new NoModel(
        `node_mem_map of node ${nid} would take ${bytes} bytes, and no permanently mapped range has room`,
      );
    const map = virtualOf(setup, physical);
    nodes.push({
      nid,
      start,
      end,
      from,
      to,
      physical,
      map,
      node_mem_map: pointerIn(setup, map + BigInt(start - from) * size),
    });
  }
  return nodes;
}
