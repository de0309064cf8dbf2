/** Device memory in whatever way a release wants it. */
import { blockProgram, type Machine, type Program, runShellLine, statusOf } from '../../sim/index.ts';
import { sh } from './machines.ts';

export interface DeviceRange {
  start?: string;
  /** Bytes, as C. */
  size?: string;
  /** `FS_DAX`, `PRIVATE` ...; releases without types ignore it. */
  type?: string;
  name?: string;
  /** Lines that set further fields of `NAME` before it is mapped. */
  more?: readonly string[];
}

/** Lines that prepare device `dNAME` and what devm_memremap_pages takes; the last one calls it. */
export function deviceLines(machine: Machine, range: DeviceRange = {}): string[] {
  const { start = '0xf000000000', size = '128UL << 20', type = 'FS_DAX', name = 'm', more = [] } = range;
  const { kernel } = machine;
  const device = `d${name} = root_device_register("${name}")`;
  const reference = [`struct percpu_ref r${name}`, `percpu_ref_init(&r${name}, NULL, 0, 0)`];
  const bounds = (member: string): string => `${member}.start = ${start}; ${member}.end = ${start} + (${size}) - 1`;
  if (!kernel.facts.pagemapArgument) {
    const hasPagemap = kernel.facts.devPagemap;
    const rest = hasPagemap ? `, &r${name}, ${more.length > 0 ? `&a${name}` : 'NULL'}` : '';
    return [
      device,
      ...(hasPagemap ? reference : []),
      `struct resource ${name}`,
      bounds(name),
      ...more,
      `devm_memremap_pages(d${name}, &${name}${rest})`,
    ];
  }
  const lines = [device, `struct dev_pagemap ${name}`];
  const hasType = kernel.facts.fsdaxType || type === 'PRIVATE' || type === 'PUBLIC';
  lines.push(`${name}.type = ${hasType ? `MEMORY_DEVICE_${type}` : '0'}`);
  lines.push(kernel.facts.pgmapRanges ? `${bounds(`${name}.range`)}; ${name}.nr_range = 1` : bounds(`${name}.res`));
  const isHanded = type === 'PRIVATE' || type === 'COHERENT';
  if (!kernel.facts.memremapPages) {
    lines.push(...reference, `${name}.ref = &r${name}`);
    if (kernel.facts.pagemapKillRequired) lines.push(`${name}.kill = percpu_ref_kill`);
    if (kernel.facts.pagemapCleanupRequired) lines.push(`${name}.cleanup = percpu_ref_exit`);
  } else if (isHanded) {
    const free = kernel.facts.folioFreeCallback ? 'folio_free' : 'page_free';
    lines.push(`struct dev_pagemap_ops o${name}`, `o${name}.${free} = unlock_page`);
    if (type === 'PRIVATE') lines.push(`o${name}.migrate_to_ram = unlock_page`);
    lines.push(`${name}.ops = &o${name}`);
    if (kernel.facts.devicePrivateOwnerRequired) lines.push(`${name}.owner = &o${name}`);
  }
  return [...lines, ...more, `devm_memremap_pages(d${name}, &${name})`];
}

/** Maps it; how devm_memremap_pages ended, and what the kernel said meanwhile. */
export function mapDevice(machine: Machine, range: DeviceRange = {}): { status: number; log: string[] } {
  const lines = deviceLines(machine, range);
  const last = lines.pop() ?? '';
  sh(machine, ...lines);
  return attempt(machine, last);
}

/** Status of a line, and what the kernel said meanwhile. */
export function attempt(machine: Machine, line: string): { status: number; log: string[]; program?: Program } {
  const before = machine.kernel.state.log.length;
  const program = runShellLine(machine, line);
  return {
    status: program ? statusOf(program) : 0,
    log: machine.kernel.state.log.slice(before).map(({ text }) => text),
    ...(program ? { program } : {}),
  };
}

/** The integer or address a line gives. */
export function value(machine: Machine, line: string): bigint {
  const result = sh(machine, line).value;
  if (result?.kind === 'integer') return result.value;
  if (result?.kind === 'pointer' && result.target.kind === 'address') return result.target.address;
  throw new Error(`${line}: no number`);
}

export const freePages = (machine: Machine): number =>
  machine.kernel.nodes.reduce((sum, node) => sum + node.node_zones.reduce((all, zone) => all + zone.nr_free, 0), 0);
export const deviceZone = (machine: Machine) => {
  const zone = machine.kernel.nodes[0]?.node_zones[4];
  if (!zone) throw new Error('no Device zone');
  return zone;
};

/** Runs a block of C with definitions of its own to its end, or until it waits. */
export function runC(machine: Machine, text: string, standIns: Readonly<Record<string, string>> = {}) {
  const { spec, findings } = blockProgram(machine.kernel, { label: 'test', text, holes: {}, standIns });
  const program = machine.start(spec);
  for (let stop: string = 'step'; stop === 'step' || stop === 'slice'; ) stop = machine.advance(program);
  return { program, findings };
}
