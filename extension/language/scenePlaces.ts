/** Where the scenes stand in a text, and what each takes from it. */
import type { Release } from '../../sim/index.ts';
import { findSection } from '../docs/anchors.ts';
import { dedent } from '../docs/dedent.ts';
import type { LiteralBlock, Span } from '../docs/rst.ts';
import type { PlacedStep } from '../docs/sceneSteps.ts';
import { placeScenes, type Scene } from '../docs/scenes.ts';
import type { ExampleRequest } from '../session/types.ts';
import type { KernelText } from './kernelTexts.ts';

/** A scene at its place in one version of a text. */
export interface PlacedScene {
  readonly scene: Scene;
  readonly span: Span;
  /** The code that runs, if the scene runs code of the text. */
  readonly block?: LiteralBlock;
  /** What the cursor can stand in to mean this scene: the block or sentence, to the last of its steps, or all of the section. */
  readonly extent: Span;
  /** Those of its steps that the text has, in the order they run. */
  readonly steps: readonly PlacedStep[];
}

/** The scenes of a text that have a place in it, in the order of the text. */
export function scenesIn(text: KernelText, scenes: readonly Scene[], releases: readonly Release[]): PlacedScene[] {
  const { rst, source, kind } = text;
  return placeScenes(scenes, kind, releases, rst, source).map(({ scene, span, anchor, isBlock, steps }) => {
    const runsBlock = isBlock && (scene.run === undefined || scene.run.length === 0);
    const block = runsBlock ? rst.blocks.find(({ start }) => start === span.start) : undefined;
    const section = anchor.words.length === 0 ? findSection(rst, anchor.section) : undefined;
    const end = Math.max(span.end, section?.body.end ?? 0, ...steps.map((step) => step.extent.end));
    const start = Math.min(span.start, ...steps.map((step) => step.span.start));
    return { scene, span, extent: { start, end }, steps, ...(block ? { block } : {}) };
  });
}

/** The smallest scene around an offset. */
export function sceneAt(placed: readonly PlacedScene[], offset: number): PlacedScene | undefined {
  const around = placed.filter(({ extent }) => extent.start <= offset && offset <= extent.end);
  return around.reduce<PlacedScene | undefined>(
    (best, one) => (best !== undefined && length(best.extent) <= length(one.extent) ? best : one),
    undefined,
  );
}

/** The step of a scene around an offset. */
export const stepAround = ({ steps }: PlacedScene, offset: number): PlacedStep | undefined =>
  steps.find(({ extent }) => extent.start <= offset && offset <= extent.end);

const length = ({ start, end }: Span): number => end - start;

/** What the session needs to run the block of a scene; undefined if it runs lines of its own. */
export function exampleRequest(
  text: KernelText,
  { scene, block }: PlacedScene,
  variant: string,
  releases: readonly Release[],
  holes: Readonly<Record<string, string>>,
): ExampleRequest | undefined {
  if (block === undefined) return undefined;
  const code = dedent(text.source, block);
  return {
    scene,
    variant,
    text: code.text,
    toDocument: (offset) => code.toSource(offset),
    uri: text.uri.toString(),
    releases,
    ...(Object.keys(holes).length === 0 ? {} : { holes: { ...holes } }),
  };
}
