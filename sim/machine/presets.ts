/** The machines that ship with the engine: presets/*.json, read by the same reader as anybody's. */
import { checkMachine, type MachineConfig } from './config.ts';
import laptop16g from './presets/laptop-16g.json' with { type: 'json' };
import p2pSwitch from './presets/p2p-switch.json' with { type: 'json' };
import qemu2g from './presets/qemu-2g.json' with { type: 'json' };
import server2nPmem from './presets/server-2n-pmem.json' with { type: 'json' };
import workstationGpu from './presets/workstation-gpu.json' with { type: 'json' };

const FILES: readonly unknown[] = [laptop16g, server2nPmem, workstationGpu, qemu2g, p2pSwitch];

let machines: MachineConfig[] | undefined;

/** All presets, the default first. Read on first use. */
export function presets(): readonly MachineConfig[] {
  machines ??= FILES.map((file) => {
    const result = checkMachine(file);
    if ('problems' in result) throw new Error(`a preset is wrong: ${JSON.stringify(result.problems)}`);
    return result.machine;
  });
  return machines;
}
