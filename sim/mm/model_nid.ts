/** pfn_to_nid of the architectures that had DISCONTIGMEM, step by step. */
import { bytesPerPage } from '../arch/layout.ts';
import { hx, type ModelSetup, pfnOffset, pointerIn, type StepList, virtualOf } from './model_setup.ts';

/** The entries of a table by unit; what a later range writes stays. */
function unitTable(setup: ModelSetup, unitPages: number): Map<number, number> {
  const table = new Map<number, number>();
  for (const range of setup.memory)
    for (let unit = Math.floor(range.start / unitPages); unit * unitPages < range.end; unit++)
      table.set(unit, range.nid);
  return table;
}

const fls = (value: bigint): number => (value <= 0n ? 0 : value.toString(2).length);

/** m68k_virt_to_node_shift: so many bits that the whole of RAM takes at most 2^slotBits slots. */
function virtualShift(setup: ModelSetup, slotBits: number): number {
  const page = bytesPerPage(setup.layout);
  const low = setup.memory.reduce((min, range) => Math.min(min, range.start), Number.MAX_SAFE_INTEGER);
  const high = setup.memory.reduce((max, range) => Math.max(max, range.end), 0);
  return Math.max(0, fls(BigInt(high - low) * page - 1n) - slotBits);
}

/** Adds the steps that find the node; undefined where the kernel would use an entry that is not there. */
export function pfnToNid(setup: ModelSetup, pfn: number, list: StepList): number | undefined {
  const { layout } = setup;
  const rule = layout.nid ?? { kind: 'ranges', name: 'the ranges of each node' };
  const PAGE_SHIFT = layout.PAGE_SHIFT;
  switch (rule.kind) {
    case 'table': {
      const shift = rule.unitBits - PAGE_SHIFT;
      const index = Number(list.add('i', `pfn >> ${shift}`, `${hx(pfn)} >> ${shift}`, Math.floor(pfn / 2 ** shift)));
      if (index >= rule.entries) {
        list.notes.push(`${rule.name} has ${rule.entries} entries: entry ${index} lies beyond it`);
        return undefined;
      }
      const nid = unitTable(setup, 2 ** shift).get(index) ?? -1;
      list.add('nid', `${rule.name}[i]`, `${rule.name}[${index}]`, nid, String(nid));
      return known(setup, nid, list);
    }
    case 'bits': {
      const address = list.add(
        'pa',
        'pfn << PAGE_SHIFT',
        `${hx(pfn)} << ${PAGE_SHIFT}`,
        BigInt(pfn) << BigInt(PAGE_SHIFT),
      );
      const nid = Number((address >> BigInt(rule.shift)) & BigInt.asUintN(64, rule.mask));
      const masked = rule.mask === ~0n ? '' : ` & ${hx(rule.mask)}`;
      list.add('nid', `${rule.name}(pa)`, `${hx(address)} >> ${rule.shift}${masked}`, nid, String(nid));
      return known(setup, nid, list);
    }
    case 'arc': {
      const low = pfnOffset(setup);
      const high = Number(rule.lowEnd >> BigInt(PAGE_SHIFT));
      const nid = pfn >= low && pfn <= high ? 0 : 1;
      list.add(
        'nid',
        'pfn in lowmem ? 0 : 1',
        `${hx(low)} <= ${hx(pfn)} <= ${hx(high)} is ${nid === 0}`,
        nid,
        String(nid),
      );
      return known(setup, nid, list);
    }
    case 'virtual-table': {
      const shift = virtualShift(setup, rule.slotBits);
      const page = bytesPerPage(layout);
      const address = list.add(
        'addr',
        'pfn_to_virt(pfn)',
        `__va(${hx(BigInt(pfn) * page)})`,
        virtualOf(setup, BigInt(pfn) * page),
      );
      const slot = list.add('slot', `addr >> ${shift}`, `${hx(address)} >> ${shift}`, address >> BigInt(shift));
      let nid = -1;
      for (const range of setup.memory) {
        const first = virtualOf(setup, BigInt(range.start) * page) >> BigInt(shift);
        const last = pointerIn(setup, virtualOf(setup, BigInt(range.end) * page) - 1n) >> BigInt(shift);
        if (slot >= first && slot <= last) nid = range.nid;
      }
      list.add('pgdat', `${rule.name}[slot]`, `${rule.name}[${slot}]`, nid, nid < 0 ? 'NULL' : `&pg_data_map[${nid}]`);
      return known(setup, nid, list);
    }
    case 'ranges': {
      const nid = setup.memory.find((range) => pfn >= range.start && pfn < range.end)?.nid ?? -1;
      list.add('nid', `${rule.name}: pfn_to_nid(pfn)`, hx(pfn), nid, String(nid));
      return known(setup, nid, list);
    }
  }
}

function known(setup: ModelSetup, nid: number, list: StepList): number | undefined {
  if (setup.memory.some((range) => range.nid === nid)) return nid;
  list.notes.push(
    nid < 0
      ? 'no node has this page frame: NODE_DATA(-1) is a bad access, pfn_to_page does not check'
      : `node ${nid} does not exist: NODE_DATA(${nid}) is a bad access, pfn_to_page does not check`,
  );
  return undefined;
}
