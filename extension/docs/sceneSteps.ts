/**
 * Scenes in steps: each step stands at a sentence of its own and has its own lens. To the session such a scene is one
 * script with a pause behind each step, so that whoever is paused there can look, do something else, and go on.
 */
import type { ScriptEntry } from '../../sim/index.ts';
import { type Anchor, resolveAnchor } from './anchors.ts';
import type { RstDocument, Span } from './rstTypes.ts';
import type { Scene, SceneExpectation } from './scenes.ts';

export interface SceneStep {
  /** Its sentence or numbered item; without a section, in that of the scene. */
  readonly anchor: Pick<Anchor, 'words' | 'ordinal'> & { readonly section?: string };
  /** Title of its lens. */
  readonly title: string;
  readonly run: readonly ScriptEntry[];
  /** What there is to see behind it: the reason of its pause. */
  readonly shows: string;
  /** What has to be so behind it. */
  readonly expect?: readonly Omit<SceneExpectation, 'pause'>[];
}

/** A step at its place in a text. */
export interface PlacedStep {
  /** Which one of the scene, counted from 0. */
  readonly index: number;
  readonly step: SceneStep;
  readonly span: Span;
  /** From its place to that of the next step; the last one's is its own paragraph. */
  readonly extent: Span;
}

/** What makes steps impossible to tell apart, in words. */
export function clashIn({ steps = [] }: Scene): string | undefined {
  const shown = new Set<string>();
  for (const { shows } of steps) {
    if (shown.has(shows)) return `two steps show the same: ${shows}`;
    shown.add(shows);
  }
  return undefined;
}

/** The scene as the session runs it: the lines of its steps, a pause behind each, and then its own. */
export function withSteps(scene: Scene): Scene {
  const { steps } = scene;
  if (steps === undefined) return scene;
  const run = steps.flatMap(({ run: lines, shows }): ScriptEntry[] => [...lines, { pause: shows }]);
  const expected = steps.flatMap(({ expect = [] }, index) => expect.map((each) => ({ ...each, pause: index + 1 })));
  return { ...scene, run: [...run, ...(scene.run ?? [])], expect: [...expected, ...(scene.expect ?? [])] };
}

export function placeSteps(scene: Scene, document: RstDocument, source: string): PlacedStep[] {
  const { document: kind, section } = scene.anchor;
  const found = (scene.steps ?? []).flatMap((step, index) => {
    const place = resolveAnchor(document, source, { document: kind, section, ...step.anchor });
    return place === undefined ? [] : [{ index, step, span: place.span }];
  });
  return found.map((one, at) => ({ ...one, extent: extentOf(one.span, found[at + 1]?.span, document) }));
}

function extentOf(span: Span, next: Span | undefined, { paragraphs }: RstDocument): Span {
  if (next !== undefined && next.start > span.start) return { start: span.start, end: next.start - 1 };
  const around = paragraphs.find(({ start, end }) => start <= span.start && span.end <= end);
  return { start: span.start, end: Math.max(span.end, around?.end ?? 0) };
}

/** The variant that means "run to this step". */
export const stepVariant = (index: number): string => `step-${index + 1}`;
/** The step that a variant means; undefined: it means the whole scene. */
export function stepOfVariant(scene: Scene, variant: string): number | undefined {
  const index = Number(/^step-(\d{1,2})$/.exec(variant)?.[1] ?? 0) - 1;
  return scene.steps?.[index] === undefined ? undefined : index;
}
