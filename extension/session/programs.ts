/** What can run on the reader's machine, as data: so that a session can be kept and made again. */
import {
  type Block,
  type BlockSource,
  blockProgram,
  evaluationProgram,
  type FileSource,
  fileProgram,
  type Machine,
  type ProgramSpec,
  type ScriptEntry,
  scriptProgram,
  shellProgram,
} from '../../sim/index.ts';
import { loadScenes } from '../docs/scenes.ts';
import type { ExampleRequest, ExampleState } from './types.ts';

export type ProgramSource =
  | { kind: 'line'; line: string }
  | { kind: 'block'; block: BlockSource }
  | { kind: 'script'; label: string; entries: readonly ScriptEntry[] }
  | { kind: 'file'; file: FileSource }
  | { kind: 'evaluation'; program: number; frame: number; text: string };

export function specOf(machine: Machine, source: ProgramSource): { spec: ProgramSpec; findings: Block['findings'] } {
  const { kernel } = machine;
  switch (source.kind) {
    case 'line':
      return { spec: shellProgram(kernel, source.line), findings: [] };
    case 'block':
      return blockProgram(kernel, source.block);
    case 'script':
      return { spec: scriptProgram(kernel, source.label, source.entries), findings: [] };
    case 'file':
      return fileProgram(kernel, source.file);
    case 'evaluation':
      return { spec: evaluationProgram(machine, source, source.text), findings: [] };
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
  example?: SavedExample;
}

/** The example that stood there, so that it can be continued. */
export interface SavedExample {
  program: number;
  state: ExampleState;
  /** Pauses that were taken already: offsets of its text. */
  shown: number[];
  /** Absent for the scene of a section, which has no block. */
  request?: Omit<ExampleRequest, 'toDocument'> & { places: readonly Place[] };
}

/** A place in a block's text, and the same in the document: one for each line, at its first character that is no blank. */
type Place = readonly [block: number, document: number];

export function placesOf({ text, toDocument }: ExampleRequest): Place[] {
  return [...text.matchAll(/^[ \t]*/gm)].map((indent) => {
    const at = indent.index + indent[0].length;
    return [at, toDocument(at)];
  });
}

/** The way from a block to its document, by the nearest place before. */
export function fromPlaces(places: readonly Place[]): (offset: number) => number {
  return (offset) => {
    const [block, document] = places.findLast(([at]) => at <= offset) ?? places[0] ?? [0, 0];
    return document + offset - block;
  };
}

export function keepExample(program: number, state: ExampleState, shown: Iterable<number>, request?: ExampleRequest) {
  const kept: SavedExample = { program, state, shown: [...shown] };
  if (request === undefined) return kept;
  const { toDocument: _, ...rest } = request;
  return { ...kept, request: { ...rest, places: placesOf(request) } };
}

/** Whether a kept example has the shape it was kept in; if not, its steps stay, but it cannot be continued. */
export function isExample(value: unknown): value is SavedExample {
  if (!isRecord(value) || typeof value.program !== 'number' || !isRecord(value.state)) return false;
  const { state, request } = value;
  if (typeof state.uri !== 'string' || typeof state.blockStart !== 'number' || typeof state.sceneId !== 'string')
    return false;
  if (typeof state.why !== 'string' || !Array.isArray(value.shown)) return false;
  if (request === undefined) return true;
  return (
    isRecord(request) &&
    typeof request.variant === 'string' &&
    typeof request.text === 'string' &&
    Array.isArray(request.places) &&
    loadScenes([request.scene]).problems.length === 0
  );
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
      isRecord(value.block.standIns) &&
      (value.block.setup === undefined || Array.isArray(value.block.setup)) &&
      (value.block.after === undefined || Array.isArray(value.block.after))
    );
  if (value.kind === 'file')
    return isRecord(value.file) && typeof value.file.text === 'string' && typeof value.file.label === 'string';
  if (value.kind === 'evaluation')
    return typeof value.program === 'number' && typeof value.frame === 'number' && typeof value.text === 'string';
  return value.kind === 'script' && typeof value.label === 'string' && Array.isArray(value.entries);
}
