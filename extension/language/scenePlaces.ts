/** Where the scenes stand in a text, and what each takes from it. */
import type { Release } from '../../sim/index.ts';
import { findSection } from '../docs/anchors.ts';
import { dedent } from '../docs/dedent.ts';
import { placeExamples } from '../docs/examples.ts';
import type { DocExample } from '../docs/exampleTypes.ts';
import type { LiteralBlock, Span } from '../docs/rst.ts';
import type { PlacedStep } from '../docs/sceneSteps.ts';
import type { Scene } from '../docs/scenes.ts';
import type { ExampleRequest } from '../session/types.ts';
import type { KernelText } from './kernelTexts.ts';

/** A scene at its place in one version of a text. */
export interface PlacedScene {
  readonly scene: Scene;
  readonly span: Span;
  /** The code that runs, if the scene runs code of the text. */
  readonly block?: LiteralBlock;
  /** The same as an example, if it is C. */
  readonly example?: DocExample;
  /** What the cursor can stand in to mean this scene: the block or sentence, to the last of its steps, or all of the section. */
  readonly extent: Span;
  /** Those of its steps that the text has, in the order they run. */
  readonly steps: readonly PlacedStep[];
}

/** What was found in a version of a text, for the scenes and releases it was asked with last. */
const found = new WeakMap<KernelText, { scenes: readonly Scene[]; releases: string; placed: readonly PlacedScene[] }>();

/** The scenes of a text that have a place in it, in the order of the text; each block of C that none stands at has one of its own. */
export function scenesIn(text: KernelText, scenes: readonly Scene[], releases: readonly Release[]): PlacedScene[] {
  const known = found.get(text);
  const key = releases.join(' ');
  if (known?.scenes === scenes && known.releases === key) return [...known.placed];
  const { rst, source, kind } = text;
  const placed = placeExamples(scenes, kind, releases, rst, source).map((one): PlacedScene => {
    const { scene, span, anchor, isBlock, steps, example } = one;
    const runsBlock = isBlock && (scene.run === undefined || scene.run.length === 0);
    const block = example?.block ?? (runsBlock ? rst.blocks.find(({ start }) => start === span.start) : undefined);
    const isSection = anchor.words.length === 0 && example === undefined;
    const section = isSection ? findSection(rst, anchor.section) : undefined;
    const end = Math.max(span.end, section?.body.end ?? 0, ...steps.map((step) => step.extent.end));
    const start = Math.min(span.start, ...steps.map((step) => step.span.start));
    return { scene, span, extent: { start, end }, steps, ...(block ? { block } : {}), ...(example ? { example } : {}) };
  });
  found.set(text, { scenes, releases: key, placed });
  return [...placed];
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
  { scene, block, example }: PlacedScene,
  variant: string,
  releases: readonly Release[],
  holes: Readonly<Record<string, string>>,
): ExampleRequest | undefined {
  if (block === undefined) return undefined;
  const code = example ?? dedent(text.source, block);
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
