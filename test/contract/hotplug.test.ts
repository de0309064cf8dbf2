import { describe, expect, it } from 'vitest';
import { iomem, meminfo, zoneinfo } from '../../sim/fs/proc.ts';
import { vmstat } from '../../sim/fs/vmstat.ts';
import { type Machine, runShellLine, statusOf, zonesView } from '../../sim/index.ts';
import { readFile } from '../../sim/shell/commands.ts';
import { blockLines, MEMORY, recordedBlockLines } from '../support/blocks.ts';
import { hotplugMachine } from '../support/hotplugMachine.ts';
import { recordedSections, recordedZoneinfo, recordedZones, recording } from '../support/recording.ts';

/** The commands of script.log between the moments, and what a person did to the machine meanwhile. */
const MOMENTS: readonly { moment: string; lines: readonly (readonly [string, number])[] }[] = [
  { moment: '01-base', lines: [] },
  { moment: '02-plugged-offline', lines: [['dimm plug 1G', 0]] },
  {
    moment: '03-all-movable',
    lines: [32, 33, 34, 35, 36, 37, 38, 39].map((id) => [`echo online_movable > ${MEMORY}/memory${id}/state`, 0]),
  },
  { moment: '04-last-offline', lines: [[`echo offline > ${MEMORY}/memory39/state`, 0]] },
  { moment: '05-first-offline', lines: [[`echo offline > ${MEMORY}/memory32/state`, 0]] },
  { moment: '06-middle-offline', lines: [[`echo offline > ${MEMORY}/memory35/state`, 0]] },
  {
    moment: '07-all-offline',
    lines: [33, 34, 36, 37, 38].map((id) => [`echo offline > ${MEMORY}/memory${id}/state`, 0]),
  },
  {
    moment: '08-kernel33-movable34',
    lines: [
      [`echo online_kernel > ${MEMORY}/memory33/state`, 0],
      [`echo online_movable > ${MEMORY}/memory34/state`, 0],
    ],
  },
  {
    moment: '09-offline',
    lines: [
      // What the real kernel allocated there by itself.
      ['inject unmovable memory33', 0],
      [`echo offline > ${MEMORY}/memory33/state`, -16],
      [`echo offline > ${MEMORY}/memory34/state`, 0],
    ],
  },
  { moment: '10-unplug-refused', lines: [['dimm unplug dimm0', -16]] },
  { moment: '11-192M-dimm', lines: [['dimm plug 192M', -22]] },
];

const sectionsOf = (machine: Machine) =>
  zonesView(machine, { revision: 0, step: 0, steps: 0, machine: '', release: '', lastStep: '' }).sections.flatMap(
    (run) =>
      Array.from({ length: run.count }, (_, index) => ({
        section: run.first + index,
        raw: run.raw,
        flags: `${run.present ? 'P' : '-'}${run.hasMemMap ? 'M' : '-'}${run.online ? 'O' : '-'}${run.early ? 'E' : '-'}${run.taintZoneDevice ? 'T' : '-'}`,
        subsections: run.subsectionMap.map((word) => word.toString(16).padStart(8, '0')).join(','),
      })),
  );

/** present_early of every zone, which the shared reader leaves out. */
const early = (text: string): number[] => [...text.matchAll(/present_early=(\d+)/g)].map((match) => Number(match[1]));

describe('a 1 GiB DIMM in the recorded 3 GiB machine', () => {
  const machine = hotplugMachine();
  const { kernel } = machine;
  for (const { moment, lines } of MOMENTS)
    describe(moment, () => {
      const real = `e-hotplug_${moment}`;
      // Each claim below is about the state after these lines; tests of a file run in order.
      it('every command ends as the real one did', () => {
        for (const [line, status] of lines) {
          const program = runShellLine(machine, line);
          expect(program && statusOf(program), line).toBe(status);
        }
      });

      it('every zone has the recorded start, spanned, present and managed', () => {
        const ours = kernel.nodes.flatMap((node) =>
          node.node_zones.map((zone) => ({
            node: node.node_id,
            name: zone.name,
            start: zone.zone_start_pfn,
            spanned: zone.spanned_pages,
            present: zone.present_pages,
            managed: zone.managed_pages,
          })),
        );
        expect(ours).toEqual(recordedZones(real));
        const text = recording(real, 'zones');
        expect(kernel.nodes[0]?.node_zones.map((zone) => zone.present_early_pages)).toEqual(early(text));
        expect(kernel.nodes[0]?.node_zones.map((zone) => (zone.initialized ? 1 : 0))).toEqual(
          [...text.matchAll(/zone_is_initialized=(\d)/g)].map((match) => Number(match[1])),
        );
        const node = /^node 0 start_pfn=0x1 spanned=(\d+) present=(\d+)/m.exec(text);
        expect(kernel.nodes[0]?.node_spanned_pages).toBe(Number(node?.[1]));
        expect(kernel.nodes[0]?.node_present_pages).toBe(Number(node?.[2]));
      });

      it('watermarks, promo and lowmem reserve are the recorded ones', () => {
        expect(recordedZoneinfo(zoneinfo(kernel))).toEqual(recordedZoneinfo(recording(real, 'zoneinfo')));
      });

      it('every memory block has the recorded state, valid zones and other files', () => {
        const text = recording(real, 'memory_blocks');
        expect(blockLines(machine)).toEqual(recordedBlockLines(text));
        for (const file of ['block_size_bytes', 'auto_online_blocks'] as const) {
          const wanted = new RegExp(`^${file} (?:0x)?(\\S+)`, 'm').exec(text)?.[1];
          expect(readFile(kernel, `${MEMORY}/${file}`).trim()).toBe(wanted);
        }
      });

      it('every section has the recorded word, flags and sub-sections', () => {
        expect(sectionsOf(machine)).toEqual(recordedSections(real));
      });

      it('/proc/iomem is the recorded one, byte for byte', () => {
        expect(iomem(kernel)).toBe(recording(real, 'iomem'));
      });

      it('nr_memmap_pages, nr_memmap_boot_pages and MemTotal are the recorded ones', () => {
        const counters = vmstat(kernel)
          .split('\n')
          .filter((line) => line.startsWith('nr_memmap'));
        expect(counters).toEqual(recording(real, 'vmstat').trim().split('\n'));
        expect(meminfo(kernel).split('\n')[0]).toBe(recording(real, 'meminfo').trim());
      });
    });

  it('the commands and their ends are those of the recorded script', () => {
    const script = recording('e-hotplug', 'script.log');
    const real = [...script.matchAll(/^\+ echo (\w+) > (memory\d+)\/state\n(?:sh: .*\n)?(?:\[.*\n)*\s+rc=(\d)/gm)].map(
      ([, type, block, rc]) => `${type} ${block} ${rc}`,
    );
    const ours = MOMENTS.flatMap(({ lines }) => lines)
      .filter(([line]) => line.startsWith('echo'))
      .map(([line, status]) => line.replace(/^echo (\w+) > .*\/(memory\d+)\/state$/, `$1 $2 ${status ? 1 : 0}`));
    expect(ours).toEqual(real);
    expect(script).toContain('Device or resource busy');
  });

  it('the log says what the recorded one says of the refusals', () => {
    const log = kernel.state.log.map((line) => line.text);
    const script = recording('e-hotplug', 'script.log');
    const said = [...script.matchAll(/^\[ *[\d.]+\] (.*(?:unmovable page|Block size|PNP0C80).*)$/gm)].map(
      (match) => match[1],
    );
    expect(said).toHaveLength(4);
    for (const line of said) expect(log).toContain(line);
  });
});
