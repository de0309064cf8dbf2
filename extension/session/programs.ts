/** What can run on the reader's machine, as data: so that a session can be kept and made again. */
import {
  type Block,
  type BlockSource,
  blockProgram,
  type Machine,
  type ProgramSpec,
  type ScriptEntry,
  scriptProgram,
  shellProgram,
} from '../../sim/index.ts';

export type ProgramSource =
  | { kind: 'line'; line: string }
  | { kind: 'block'; block: BlockSource }
  | { kind: 'script'; label: string; entries: readonly ScriptEntry[] };

export function specOf(machine: Machine, source: ProgramSource): { spec: ProgramSpec; findings: Block['findings'] } {
  const { kernel } = machine;
  switch (source.kind) {
    case 'line':
      return { spec: shellProgram(kernel, source.line), findings: [] };
    case 'block':
      return blockProgram(kernel, source.block);
    case 'script':
      return { spec: scriptProgram(kernel, source.label, source.entries), findings: [] };
  }
}

/** What is kept of a session. */
export interface SavedSession {
  version: 1;
  machine: { preset: string } | { json: string; name: string };
  release: string;
  programs: { id: number; source: ProgramSource }[];
  steps: { program: number; points: number; label: string }[];
  position: number;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reads what was kept; anything that does not look like it is `undefined`, and a fresh session begins. */
export function readSaved(text: string | undefined): SavedSession | undefined {
  if (!text) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(json) || json.version !== 1 || !isRecord(json.machine) || typeof json.release !== 'string')
    return undefined;
  if (!Array.isArray(json.programs) || !Array.isArray(json.steps) || typeof json.position !== 'number')
    return undefined;
  const programsFine = json.programs.every(
    (entry) => isRecord(entry) && typeof entry.id === 'number' && isSource(entry.source),
  );
  const stepsFine = json.steps.every(
    (step) =>
      isRecord(step) &&
      typeof step.program === 'number' &&
      typeof step.points === 'number' &&
      typeof step.label === 'string',
  );
  return programsFine && stepsFine ? (json as unknown as SavedSession) : undefined;
}

function isSource(value: unknown): value is ProgramSource {
  if (!isRecord(value)) return false;
  if (value.kind === 'line') return typeof value.line === 'string';
  if (value.kind === 'block')
    return (
      isRecord(value.block) &&
      typeof value.block.text === 'string' &&
      isRecord(value.block.holes) &&
      isRecord(value.block.standIns)
    );
  return value.kind === 'script' && typeof value.label === 'string' && Array.isArray(value.entries);
}
