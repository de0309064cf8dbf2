/**
 * Scenes: what can be run at a place of a document. Data under media/scenes, checked
 * here (and by editors against scene.schema.json); `session` runs them.
 */
import * as v from 'valibot';
import { compareReleases, RELEASES, type Release, type ScriptEntry } from '../../sim/index.ts';
import { type Anchor, resolveAnchor } from './anchors.ts';
import type { RstDocument, Span } from './rstTypes.ts';
import { clashIn, type PlacedStep, placeSteps, type SceneStep, withSteps } from './sceneSteps.ts';

/** One way to run a scene: one lens. */
export interface SceneVariant {
  readonly id: string;
  /** Title of the lens. */
  readonly title: string;
  /** C statements to run before the statement that contains the words; the reader sees that they are not in the text. */
  readonly insert?: readonly { readonly before: string; readonly text: string }[];
  /** Words of the block that other words run in place of, wherever they stand: what its release wants there. */
  readonly replace?: readonly { readonly words: string; readonly text: string }[];
  /** Pauses: before the first statement below the line that contains the words. */
  readonly pauseAfter?: readonly { readonly words: string; readonly why: string }[];
  /** It does not run to its end, and these words are in the reason; where releases differ, by span of releases. */
  readonly fails?: string | Readonly<Record<string, string>>;
  /** Words of what it prints, likewise. */
  readonly says?: string | Readonly<Record<string, string>>;
}

/** A shell line, or what it is by span of releases. */
export type SceneLine = Exclude<ScriptEntry, { readonly pause: string }>;

export interface Scene {
  readonly id: string;
  /** `6.12`, `5.10..`, `5.3..6.14`. */
  readonly release: string;
  /** The preset to run on; absent: the reader's machine, whatever it is. */
  readonly machine?: string;
  readonly anchor: Anchor;
  /** Places in other documents. */
  readonly also?: readonly Anchor[];
  readonly title: string;
  readonly teaches: string;
  /** Shell lines that come before those of `run`: what the machine needs. */
  readonly setup?: readonly SceneLine[];
  /** Shell lines that come behind the block: what it leaves to be given back. */
  readonly after?: readonly SceneLine[];
  /** Shell lines and pauses, where there is no block to run; a line of some releases only is `{span: line}`. */
  readonly run?: readonly ScriptEntry[];
  /** The scene in steps, each at its own sentence. As loaded, `run` holds their lines, with a pause behind each. */
  readonly steps?: readonly SceneStep[];
  /** What has to be so, for whoever checks the scene: what a line prints or, if it prints nothing, gives. */
  readonly expect?: readonly SceneExpectation[];
  /** What a hole stands for: by the comment in it, or by its place (`argument 2 of request_free_mem_region`). */
  readonly holes?: Readonly<Record<string, string>>;
  /** C definitions for names that the text leaves undefined; where releases differ, by span of releases. */
  readonly standIns?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly variants: readonly SceneVariant[];
}

export interface SceneExpectation {
  readonly line: string;
  /** All that the line prints or gives; where releases differ, by span of releases. One of this and `has`. */
  readonly is?: string | Readonly<Record<string, string>>;
  /** A part of it. */
  readonly has?: string | Readonly<Record<string, string>>;
  /** At which pause, counted from 1; absent: at the end. */
  readonly pause?: number;
  /** Only for one way to run it. */
  readonly variant?: string;
}

export interface Scenes {
  readonly scenes: readonly Scene[];
  readonly problems: readonly string[];
}

/** An object, which to valibot a list is too. */
const plain = v.custom<Record<string, unknown>>(
  (input) => typeof input === 'object' && input !== null && !Array.isArray(input),
  'must be an object',
);
const dictionary = <T extends v.GenericSchema>(value: T) => v.pipe(plain, v.record(v.string(), value));
const object = <T extends v.ObjectEntries>(entries: T) => v.pipe(plain, v.strictObject(entries));
const word = v.pipe(v.string(), v.minLength(1));
const id = v.pipe(v.string(), v.regex(/^[a-z0-9-]+$/));
const bySpan = v.union([v.string(), dictionary(v.string())]);
/** What holds of a line: all of what it prints, or a part. */
const oneTest = <T extends v.ObjectEntries>(entries: T) =>
  v.union([object({ ...entries, is: bySpan }), object({ ...entries, has: bySpan })]);
const spans = v.pipe(v.string(), v.regex(/^\d+\.\d+(\.\.(\d+\.\d+)?)?$/));
/** A shell line, or what it is by span of releases. */
const line = v.union([word, v.pipe(plain, v.record(spans, word))]);
const entry = v.union([word, object({ pause: word }), v.pipe(plain, v.record(spans, word))]);
const anchor = object({
  document: v.picklist(['memory-model', 'hmm', 'tour']),
  section: v.string(),
  words: v.pipe(v.array(word), v.maxLength(10)),
  ordinal: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1))),
});
const sceneSchema = object({
  $schema: v.exactOptional(v.string()),
  id,
  release: v.pipe(v.string(), v.regex(/^\d+\.\d+(\.\.(\d+\.\d+)?)?$/)),
  machine: v.exactOptional(v.string()),
  anchor,
  also: v.exactOptional(v.array(anchor)),
  title: word,
  teaches: word,
  setup: v.exactOptional(v.array(line)),
  after: v.exactOptional(v.array(line)),
  run: v.exactOptional(v.array(entry)),
  steps: v.exactOptional(
    v.pipe(
      v.array(
        object({
          anchor: object({
            section: v.exactOptional(v.string()),
            words: v.pipe(v.array(word), v.minLength(1), v.maxLength(10)),
            ordinal: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1))),
          }),
          title: word,
          run: v.pipe(v.array(line), v.minLength(1)),
          shows: word,
          expect: v.exactOptional(v.array(oneTest({ line: word }))),
        }),
      ),
      v.minLength(1),
      v.maxLength(20),
    ),
  ),
  expect: v.exactOptional(
    v.array(
      oneTest({
        line: word,
        pause: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1))),
        variant: v.exactOptional(id),
      }),
    ),
  ),
  holes: v.exactOptional(dictionary(v.string())),
  standIns: v.exactOptional(dictionary(bySpan)),
  variants: v.pipe(
    v.array(
      object({
        id,
        title: word,
        insert: v.exactOptional(v.array(object({ before: word, text: word }))),
        pauseAfter: v.exactOptional(v.array(object({ words: word, why: word }))),
        replace: v.exactOptional(v.array(object({ words: word, text: word }))),
        fails: v.exactOptional(bySpan),
        says: v.exactOptional(bySpan),
      }),
    ),
    v.minLength(1),
  ),
});

/**
 * Checks scenes as the build collected them. A wrong one is left out and named; the others stay. Of those that came
 * with the program (`isOurs`) tests have checked the form already.
 */
export function loadScenes(json: unknown, { isOurs = false } = {}): Scenes {
  if (!Array.isArray(json)) return { scenes: [], problems: ['scenes: not a list'] };
  const scenes: Scene[] = [];
  const problems: string[] = [];
  for (const entry of json) {
    const name =
      typeof entry === 'object' && entry !== null && 'id' in entry ? String(entry.id) : 'a scene without an id';
    const wrong = isOurs ? undefined : wrongWith(sceneSchema, entry);
    if (wrong !== undefined) problems.push(`${name}: ${wrong}`);
    else if (!releasesOf((entry as Scene).release))
      problems.push(`${name}: ${(entry as Scene).release} is no span of known releases`);
    else if (clashIn(entry as Scene) !== undefined) problems.push(`${name}: ${clashIn(entry as Scene)}`);
    else if (scenes.some((scene) => scene.id === name)) problems.push(`${name}: there are two scenes of this id`);
    else scenes.push(withSteps(entry as Scene));
  }
  return { scenes, problems };
}

/** What is wrong with the form of an entry: where, and what. */
export function wrongWith(schema: v.GenericSchema, entry: unknown): string | undefined {
  const { success, issues } = v.safeParse(schema, entry);
  if (success) return undefined;
  const [first] = issues;
  return `/${(first.path ?? []).map((part) => String(part.key)).join('/')} ${first.message}`;
}

const readSpans = new Map<string, readonly Release[] | undefined>();
/** The data has some dozens of them; what is typed may be anything. */
const MOST_SPANS = 1000;

/** `5.10..6.14`, `5.10..`, `6.12`. */
export function releasesOf(span: string): readonly Release[] | undefined {
  if (readSpans.has(span)) return readSpans.get(span);
  const releases = releasesIn(span);
  if (readSpans.size < MOST_SPANS) readSpans.set(span, releases);
  return releases;
}

function releasesIn(span: string): readonly Release[] | undefined {
  const match = /^(\d+\.\d+)(\.\.(\d+\.\d+)?)?$/.exec(span);
  if (!match) return undefined;
  const since = match[1] as Release;
  const until =
    match[2] === undefined ? since : match[3] === undefined ? RELEASES[RELEASES.length - 1] : (match[3] as Release);
  const all: readonly Release[] = RELEASES;
  if (until === undefined || !all.includes(since) || !all.includes(until)) return undefined;
  return all.filter((release) => compareReleases(since, release) <= 0 && compareReleases(release, until) <= 0);
}

/** The scene's definitions as `release` needs them. */
export function standInsFor(scene: Scene, release: Release): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, text] of Object.entries(scene.standIns ?? {})) {
    const held = textFor(text, release);
    if (held !== undefined) found[name] = held;
  }
  return found;
}

/** Lines as `release` needs them. */
export const linesFor = (lines: readonly SceneLine[] | undefined, release: Release): string[] =>
  (lines ?? []).flatMap((line) => textFor(line, release) ?? []);

/** The text of a release, where there may be several. */
export function textFor(text: string | Readonly<Record<string, string>>, release: Release): string | undefined {
  if (typeof text === 'string') return text;
  return Object.entries(text).findLast(([span]) => releasesOf(span)?.includes(release))?.[1];
}

/** A scene at its place in a text. */
export interface PlacedScene {
  readonly scene: Scene;
  readonly span: Span;
  /** The one of its anchors that is of this document. */
  readonly anchor: Anchor;
  /** Whether the place is a block of C. */
  readonly isBlock: boolean;
  /** Those of its steps that the text has a place for, in the order they run. */
  readonly steps: readonly PlacedStep[];
}

/** The scenes of a document in a text of any of `releases`, in the order of the text. Those whose place is not found are left out. */
export function placeScenes(
  scenes: readonly Scene[],
  kind: Anchor['document'],
  releases: readonly Release[],
  document: RstDocument,
  source: string,
): PlacedScene[] {
  const placed: PlacedScene[] = [];
  for (const scene of scenes) {
    const anchor = [scene.anchor, ...(scene.also ?? [])].find((each) => each.document === kind);
    if (!anchor) continue;
    const held = releasesOf(scene.release) ?? [];
    if (releases.length > 0 && !releases.some((release) => held.includes(release))) continue;
    const found = resolveAnchor(document, source, anchor);
    if (!found) continue;
    const steps = anchor === scene.anchor ? placeSteps(scene, document, source) : [];
    placed.push({ scene, anchor, span: found.span, isBlock: found.kind === 'block', steps });
  }
  return placed.sort((a, b) => a.span.start - b.span.start);
}
