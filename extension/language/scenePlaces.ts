/** Where the scenes stand in a text, and what each takes from it. */
import type { Release } from '../../sim/index.ts';
import { resolveAnchor } from '../docs/anchors.ts';
import { dedent } from '../docs/dedent.ts';
import type { LiteralBlock, Span } from '../docs/rst.ts';
import { type Scene, type SceneVariant, scenesFor } from '../docs/scenes.ts';
import type { ExampleRequest } from '../session/types.ts';
import type { KernelText } from './kernelTexts.ts';

/** A scene at its place in one version of a text. */
export interface PlacedScene {
  readonly scene: Scene;
  readonly span: Span;
  /** The code that runs, if the scene runs code of the text. */
  readonly block?: LiteralBlock;
  /** What the cursor can stand in to mean this scene: the block or sentence, or all of the section. */
  readonly extent: Span;
}

const RUN: SceneVariant = { id: 'run', title: 'Run' };

/** The ways to run a scene: at least one. */
export function variantsOf(scene: Scene): readonly SceneVariant[] {
  return scene.variants !== undefined && scene.variants.length > 0 ? scene.variants : [RUN];
}

/** The scenes of a text in a release that have a place in it, in the order of the text. */
export function placeScenes(all: readonly Scene[], text: KernelText, release: Release): PlacedScene[] {
  const placed = scenesFor(all, text.kind, release).flatMap((scene) => placeScene(scene, text) ?? []);
  return placed.sort((a, b) => a.span.start - b.span.start);
}

function placeScene(scene: Scene, text: KernelText): PlacedScene | undefined {
  const { section, words, ordinal } = scene.anchor;
  const place = resolveAnchor(text.rst, text.source, {
    document: text.kind === 'memory-model' ? 'memory-model' : 'hmm',
    section,
    words: words ?? [],
    ...(ordinal === undefined ? {} : { ordinal }),
  });
  if (place === undefined) return undefined;
  const block = place.kind === 'block' ? text.rst.blocks.find(({ start }) => start === place.span.start) : undefined;
  const isSection = place.kind === 'section' && place.section !== undefined;
  const extent = isSection ? { start: place.span.start, end: place.section.body.end } : place.span;
  const runsBlock = block !== undefined && (scene.run === undefined || scene.run.length === 0);
  return { scene, span: place.span, extent, ...(runsBlock ? { block } : {}) };
}

/** The smallest scene around an offset, else the last one that begins before it. */
export function sceneAt(placed: readonly PlacedScene[], offset: number): PlacedScene | undefined {
  const around = placed.filter(({ extent }) => extent.start <= offset && offset <= extent.end);
  return around.reduce<PlacedScene | undefined>(
    (best, one) => (best !== undefined && size(best.extent) <= size(one.extent) ? best : one),
    undefined,
  );
}

const size = ({ start, end }: Span): number => end - start;

/** What the session needs to run the block of a scene. */
export function exampleRequest(
  text: KernelText,
  { scene, block }: PlacedScene,
  variant: string,
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
    ...(Object.keys(holes).length === 0 ? {} : { holes: { ...holes } }),
  };
}
