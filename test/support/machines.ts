/** Machines and programs for tests. */
import { expect } from 'vitest';
import {
  checkMachine,
  Machine,
  type MachineConfig,
  type Program,
  presets,
  type Release,
  runShellLine,
} from '../../sim/index.ts';

export function preset(name: string): MachineConfig {
  const found = presets().find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no preset ${name}`);
  return found;
}
export const boot = (name = 'qemu-2g', release: Release = '6.12'): Machine => new Machine(preset(name), release);

export function machineOf(json: unknown, release: Release = '6.12'): Machine {
  const result = checkMachine(json);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return new Machine(result.machine, release);
}

/** Runs lines that must succeed; the last program. */
export function sh(machine: Machine, ...lines: string[]): Program {
  let last: Program | undefined;
  for (const line of lines) {
    last = runShellLine(machine, line);
    expect(last?.error?.message, line).toBeUndefined();
  }
  if (!last) throw new Error('no line');
  return last;
}

/** Lines that declare a pagemap `m` over `size` bytes of free address space. */
export const mapLines = (type: string, size = '256UL << 20', name = 'm'): string[] => [
  `${name}_res = request_free_mem_region(&iomem_resource, ${size}, "test")`,
  `struct dev_pagemap ${name}`,
  `${name}.type = ${type}`,
  `${name}.range.start = ${name}_res->start; ${name}.range.end = ${name}_res->end; ${name}.nr_range = 1`,
];
