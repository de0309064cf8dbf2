/** What of a document can be tested, by section: its claims, its examples, and its scenes with their steps. Free of vscode. */
import type { Release } from '../../sim/index.ts';
import { type Claim, placeClaims } from '../docs/claims.ts';
import { examplesOf } from '../docs/examples.ts';
import type { DocExample } from '../docs/exampleTypes.ts';
import type { KernelDocument } from '../docs/release.ts';
import type { RstDocument, Section, Span } from '../docs/rstTypes.ts';
import { placeScenes, type Scene, type SceneVariant } from '../docs/scenes.ts';

export type TestSubject =
  | { readonly kind: 'claim'; readonly claim: Claim }
  | { readonly kind: 'example'; readonly example: DocExample; readonly variant: SceneVariant }
  | { readonly kind: 'scene'; readonly scene: Scene }
  /** One step of the scene above it, counted from 1. */
  | { readonly kind: 'step'; readonly scene: Scene; readonly step: number };

export interface TestEntry {
  /** Unique in its document, and stable over edits elsewhere. */
  readonly id: string;
  readonly label: string;
  readonly description?: string;
  readonly span: Span;
  readonly subject: TestSubject;
  readonly steps?: readonly TestEntry[];
}

export interface TestSection {
  readonly id: string;
  readonly title: string;
  readonly span: Span;
  readonly entries: readonly TestEntry[];
}

export interface OutlineInput {
  readonly document: RstDocument;
  readonly source: string;
  readonly kind: KernelDocument;
  readonly release: Release;
  readonly releases: readonly Release[];
  readonly claims: readonly Claim[];
  readonly scenes: readonly Scene[];
}

/** The sections that have something to test, in the order of the text. */
export function outlineOf(input: OutlineInput): TestSection[] {
  const { document } = input;
  const entries = [...claimEntries(input), ...exampleEntries(input), ...sceneEntries(input)].sort(
    (a, b) => a.span.start - b.span.start,
  );
  const rooms = new Map<Section | undefined, TestEntry[]>();
  for (const entry of entries) {
    const section = document.sections.findLast(({ titleSpan }) => titleSpan.start <= entry.span.start);
    const room = rooms.get(section);
    if (room === undefined) rooms.set(section, [entry]);
    else room.push(entry);
  }
  const ids = new Set<string>();
  return [...rooms].map(([section, inside]) => {
    const title = section?.title ?? 'Before the first section';
    let id = `section ${title}`;
    for (let copy = 2; ids.has(id); copy++) id = `section ${title} ${copy}`;
    ids.add(id);
    return { id, title, span: section?.titleSpan ?? { start: 0, end: 0 }, entries: inside };
  });
}

function claimEntries({ claims, kind, release, document, source }: OutlineInput): TestEntry[] {
  return placeClaims(claims, kind, release, document, source).map(({ claim, place }) => ({
    id: `claim ${claim.id}`,
    label: claim.says,
    description: claim.id,
    span: place.span,
    subject: { kind: 'claim', claim },
  }));
}

function exampleEntries({ document, source, kind, releases, scenes }: OutlineInput): TestEntry[] {
  return examplesOf(document, source, kind, releases, scenes).flatMap((example) =>
    example.scene.variants.map((variant): TestEntry => {
      const isOnly = example.scene.variants.length === 1;
      return {
        id: `example ${example.id} ${variant.id}`,
        label: isOnly ? example.scene.title : `${example.scene.title}: ${variant.title}`,
        description: 'example',
        span: { start: example.block.start, end: example.block.end },
        subject: { kind: 'example', example, variant },
      };
    }),
  );
}

/** Scenes that run lines of their own. */
function sceneEntries({ document, source, kind, releases, scenes }: OutlineInput): TestEntry[] {
  return placeScenes(scenes, kind, releases, document, source).flatMap(({ scene, span, isBlock, steps }) => {
    if (isBlock && (scene.run ?? []).length === 0) return [];
    const id = `scene ${scene.id}`;
    const entry: TestEntry = {
      id,
      label: scene.title,
      description: 'scene',
      span,
      subject: { kind: 'scene', scene },
      ...(steps.length === 0
        ? {}
        : {
            steps: steps.map(({ index, step, span: place }) => ({
              id: `${id} step ${index + 1}`,
              label: step.title,
              span: place,
              subject: { kind: 'step' as const, scene, step: index + 1 },
            })),
          }),
    };
    return [entry];
  });
}
