/** What `zonescope run FILE:LINE` means: a scene, or a step of one. */

import type { Span } from '../docs/rst.ts';
import type { PlacedScene } from '../docs/scenes.ts';
import type { Session } from '../session/types.ts';

export interface Runnable {
  readonly placed: PlacedScene;
  /** Run to this step of it. */
  readonly step?: number;
}

/** What stands at a line: the scene or the step with the smallest place around it; behind those, the step above it. */
export function runnableAt(all: readonly PlacedScene[], line: Span): Runnable | undefined {
  const touches = ({ start, end }: Span): boolean => start <= line.end && end >= line.start;
  const places = all.flatMap((placed): (Runnable & { span: Span })[] => [
    { placed, span: placed.span },
    ...placed.steps.map(({ index, span }) => ({ placed, step: index, span })),
  ]);
  const extents = all.flatMap((placed) =>
    placed.steps.map(({ index, extent }) => ({ placed, step: index, span: extent })),
  );
  return smallest(places.filter(({ span }) => touches(span))) ?? smallest(extents.filter(({ span }) => touches(span)));
}

function smallest<T extends { span: Span }>(all: readonly T[]): T | undefined {
  const length = ({ span }: T): number => span.end - span.start;
  return all.reduce<T | undefined>((best, one) => (best && length(best) <= length(one) ? best : one), undefined);
}

/** What there is to run, a line each in the order of the text: `300:   Step 2: collect and unmap`. */
export function listRunnable(all: readonly PlacedScene[], source: string): string[] {
  const places = all.flatMap(({ scene, span, steps }) => [
    { start: span.start, title: scene.title },
    ...steps.map(({ step, span: at }) => ({ start: at.start, title: `  ${step.title}` })),
  ]);
  return places
    .sort((a, b) => a.start - b.start)
    .map(({ start, title }) => `${source.slice(0, start).split('\n').length}: ${title}`);
}

/** What was found in the text while it ran, each once, in its order. */
export function findingsOf({ debuggee }: Session, source: string) {
  const { findings = [], toDocument } = debuggee ?? {};
  if (!toDocument) return [];
  const said = new Map<string, { line: number; column: number; severity: string; message: string }>();
  for (const { message, severity, span } of [...findings].sort((a, b) => a.span.start - b.span.start)) {
    const before = source.slice(0, toDocument(span.start)).split('\n');
    const found = { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, severity, message };
    if (severity !== 'information') said.set(`${found.line}:${found.column} ${message}`, found);
  }
  return said.values();
}
