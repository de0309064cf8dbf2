/** The stack of a program that stands, and what each frame is in: the document, a text of the scene, the kernel. */
import { type Frame, type FrameView, frameViews, lookup, variantOf, withProse } from '../../sim/index.ts';
import type { Debuggee } from '../session/types.ts';
import type { Source, StackFrame } from './protocol.ts';

export interface Places {
  /** A path as the client writes it, of a document. */
  pathOf(uri: string): string;
  nameOf(uri: string): string;
  /** Line and column, from 1, of an offset of the document as it was when it was started. */
  positionOf(uri: string, offset: number): { line: number; column: number };
}

/** Texts that are in no file: what a scene adds, the lines of a scene, what is known of a kernel function. */
export class VirtualTexts {
  private readonly texts: { readonly key: string; readonly name: string; readonly text: string }[] = [];

  source(name: string, text: string, key = `${name}\n${text}`): Source {
    let index = this.texts.findIndex((each) => each.key === key);
    if (index < 0) index = this.texts.push({ key, name, text }) - 1;
    return { name, sourceReference: index + 1, origin: 'Zonescope' };
  }
  text(reference: number): string | undefined {
    return this.texts[reference - 1]?.text;
  }
}

/** The frames, innermost first. A scene of shell lines has a frame of its own below those of the kernel. */
export function framesOf({ machine, program }: Debuggee): FrameView[] {
  const views = frameViews(machine, program);
  const { base } = program;
  if (base && !program.frames.includes(base)) views.unshift(baseView(base));
  return views.reverse();
}
const baseView = (base: Frame): FrameView => ({
  index: -1,
  name: base.name,
  kind: base.kind,
  args: [],
  ...(base.span ? { span: base.span } : {}),
});

export function stackFrame(
  view: FrameView,
  debuggee: Debuggee,
  places: Places,
  texts: VirtualTexts,
  lines: readonly string[] | undefined,
): StackFrame {
  const args = view.args.map(({ name, value }) => (name === '' ? value : `${name}=${value}`)).join(', ');
  const frame = {
    id: view.index + 2,
    name: view.kind === 'command' ? view.name : `${view.name}(${args})`,
    line: 0,
    column: 0,
    canRestart: view.index >= 0,
  };
  const { span } = view;
  if (view.kind === 'command' && lines !== undefined)
    return {
      ...frame,
      source: texts.source(`${view.name}.zonescope`, lines.join('\n')),
      line: (span?.start ?? 0) + 1,
      column: 1,
    };
  if (view.kind === 'kernel') {
    const { release } = debuggee.machine;
    const text = contractText(view.name, release);
    const source = text === undefined ? {} : { source: texts.source(`${view.name} (${release})`, text) };
    return {
      ...frame,
      ...source,
      line: text === undefined ? 0 : 1,
      column: text === undefined ? 0 : 1,
    };
  }
  if (!span) return frame;
  if (view.source === 'text' && debuggee.toDocument) {
    const { uri, toDocument } = debuggee;
    const from = places.positionOf(uri, toDocument(span.start));
    const to = places.positionOf(uri, toDocument(Math.max(span.start, span.end - 1)));
    return {
      ...frame,
      source: { name: places.nameOf(uri), path: places.pathOf(uri) },
      ...from,
      endLine: to.line,
      endColumn: to.column + 1,
    };
  }
  if (view.text === undefined) return frame;
  const at = positionIn(view.text, span.start);
  return { ...frame, source: texts.source('what the scene adds.c', view.text), ...at };
}

/** Line and column, from 1. */
export function positionIn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - start + 1 };
}

export interface Contract {
  readonly prototype: string;
  readonly file: string;
  readonly promise: string;
  readonly note?: string;
  readonly errors: readonly { readonly returns: string; readonly when: string }[];
}

/** What the registry knows of a function in a release. */
export function contractOf(name: string, release: Debuggee['machine']['release']): Contract | undefined {
  const record = lookup(name, release);
  const variant = record && variantOf(record, release);
  if (record?.kind !== 'function' || !variant) return undefined;
  const { prototype, file, note, errors = [] } = variant;
  return withProse({ prototype, file, promise: record.contract, errors, ...(note === undefined ? {} : { note }) });
}

/** The same as a text to show beside its frame. */
export function contractText(name: string, release: Debuggee['machine']['release']): string | undefined {
  const contract = contractOf(name, release);
  if (!contract) return undefined;
  const { prototype, file, promise, note, errors } = contract;
  return [
    `${prototype};`,
    '',
    `${file}, ${release}`,
    '',
    ...wrapped(promise),
    ...(note === undefined ? [] : ['', ...wrapped(note)]),
    ...(errors.length === 0 ? [] : ['', 'Returns']),
    ...errors.map(({ returns, when }) => `  ${returns}: ${when}`),
    '',
  ].join('\n');
}

function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line.length + word.length > 76) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, line];
}
