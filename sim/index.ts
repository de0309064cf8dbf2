/** The only door to the engine. */
export type { CValue } from './c/value.ts';
export type { MachineConfig, MachineProblem, MachineResult } from './machine/config.ts';
export { checkMachine, readMachine } from './machine/config.ts';
export { Machine, type Step } from './machine/machine.ts';
export { presets } from './machine/presets.ts';
export type { KernelRecord } from './kernel/registry.ts';
export { ALL_RECORDS, lookup, recordsOf, variantOf } from './kernel/names.ts';
export * from './kernel/release.ts';
export { PageKind } from './include/types.ts';
export { hex } from './machine/kernel.ts';
export { errorText, printValue, runShellLine, shellProgram, statusOf, stripComment } from './shell/shell.ts';
export type * from './view/types.ts';
export { TILE_CELLS } from './view/types.ts';
