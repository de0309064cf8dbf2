/** The only door to the engine. */
export type * from './c/ast.ts';
export {
  type Effects,
  type Evaluation,
  evaluateInFrame,
  evaluationProgram,
  type FrameVariable,
  type FrameView,
  frameViews,
  globalsOf,
  setVariable,
  variablesOf,
} from './c/inspect.ts';
export { parseC } from './c/parse.ts';
export { argumentNames } from './c/prototypes.ts';
export type { CValue } from './c/value.ts';
export { ERRNO, errnoName } from './include/errno.ts';
export { PageKind } from './include/types.ts';
export { ALL_RECORDS, lookup, recordsOf, spansOf, variantOf } from './kernel/names.ts';
export { provideProse, withProse } from './kernel/prose.ts';
export type { FieldRecord, KernelRecord, StructRecord } from './kernel/registry.ts';
export * from './kernel/release.ts';
export { type Block, type BlockSource, blockProgram, holesOf, type OpenHole } from './machine/block.ts';
export type { MachineConfig, MachineProblem, MachineResult } from './machine/config.ts';
export { checkMachine, readMachine } from './machine/config.ts';
export { type FileFunction, type FileSource, fileProgram, functionsOf } from './machine/file.ts';
export {
  type ImportedMachine,
  type ImportFiles,
  type ImportResult,
  importMachine,
  importPaths,
  noteText,
} from './machine/import/import.ts';
export { hex } from './machine/kernel.ts';
export { Machine, type Step, type Stop } from './machine/machine.ts';
export { presets } from './machine/presets.ts';
export type { TraceNode } from './machine/trace.ts';
export { type ScriptEntry, scriptProgram } from './shell/script.ts';
export {
  commandNames,
  errorText,
  isShellLine,
  runShellLine,
  shellProgram,
  statusOf,
  stripComment,
} from './shell/shell.ts';
export type { Program, ProgramSpec } from './task/program.ts';
export type { Frame, Point, SourceSpan } from './task/task.ts';
export { objectBytes, readMemory } from './view/bytes.ts';
export { KIND_TEXT, pagemapSnapshot, pageView, tile } from './view/pagemap.ts';
export { liveValue, stateTree } from './view/tree.ts';
export type * from './view/types.ts';
export { TILE_CELLS } from './view/types.ts';
export {
  countsOf,
  type Names,
  namesOf,
  type Part,
  partsOf,
  type Role,
  rolesOf,
  type Shown,
  textOf,
} from './view/values.ts';
export { entryText, vmaAt, watched, watchTitle } from './view/watches.ts';
export { zonesView } from './view/zones.ts';
