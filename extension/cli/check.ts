/** `zonescope check`: rules, claims and examples of documents, on machines of their own. */
import type { Release } from '../../sim/index.ts';
import { checkDocument } from '../docs/check/check.ts';
import type { DocFinding } from '../docs/check/types.ts';
import { type Claim, type ClaimVerdict, claimFinding, isToldByRule, loadClaims, placeClaims } from '../docs/claims.ts';
import { examplesOf } from '../docs/examples.ts';
import type { DocExample } from '../docs/exampleTypes.ts';
import { kernelTreeOf, releaseOfPlace } from '../docs/kernelTree.ts';
import { recognise } from '../docs/release.ts';
import { parseDocument, type RstDocument } from '../docs/rst.ts';
import { loadScenes, releasesOf, type Scene } from '../docs/scenes.ts';
import { Judge } from '../session/claims.ts';
import { endsAsSaid } from '../session/expectations.ts';
import { createSession } from '../session/session.ts';
import type { ExampleState, Session } from '../session/types.ts';
import { type CheckRequest, UsageError } from './args.ts';
import { filesOf, presence, textOf } from './checkFiles.ts';
import {
  asJson,
  asSarif,
  asText,
  type CheckedClaim,
  type CheckedExample,
  type CheckedFile,
  Places,
} from './checkReport.ts';
import { KeptVerdicts } from './keptVerdicts.ts';
import type { Surroundings } from './surroundings.ts';

/** An example that runs longer has no end. */
const EXAMPLE_MS = 2000;
const PAUSES = 50;
const NOTHING: ExampleState = { sceneId: '', uri: '', blockStart: 0, status: 'stopped', why: 'it was stopped' };
const DEFAULT_MACHINE = 'qemu-2g';

export async function check(request: CheckRequest, around: Surroundings): Promise<number> {
  const files: CheckedFile[] = [];
  const runner = request.rulesOnly ? undefined : await Runner.make(around, request.fresh);
  try {
    for (const file of await filesOf(request.files, around.files))
      files.push(await checkFile(file, request, runner, around));
    await runner?.save();
  } finally {
    runner?.dispose();
  }
  if (request.format === 'json') around.print(asJson(files));
  else if (request.format === 'sarif') around.print(asSarif(files, await around.findings(), around.version));
  else for (const line of asText(files)) around.print(line);
  const isWrong = files.some(({ findings }) => findings.some(({ severity }) => severity === 'error'));
  return isWrong ? 1 : 0;
}

async function checkFile(
  file: string,
  request: CheckRequest,
  runner: Runner | undefined,
  around: Surroundings,
): Promise<CheckedFile> {
  const source = await textOf(file, around.files);
  const { document: kind, releases: recognised, by } = await recognise(file, source);
  const releases = request.release === undefined ? recognised : [request.release];
  if (kind === undefined || releases.length === 0)
    throw new UsageError(
      kind === undefined
        ? `${file} is neither memory-model nor hmm, by its name or by its text`
        : `${file}: nothing in the text says of which release it is; say so with --release`,
    );
  const document = parseDocument(file, source);
  const tree = await kernelTreeOf(around.files, file);
  const placed = request.release === undefined ? releaseOfPlace(tree, file, releases) : undefined;
  const against = request.against ?? placed;
  const findings = checkDocument({
    document,
    source,
    kind,
    releases,
    ...(against === undefined ? {} : { against }),
    hasFile: await presence(tree, source, around.files),
  });
  const shown = { file, source, recognised: { releases, by } };
  const release = against ?? releases.at(-1);
  if (runner === undefined || release === undefined) return { ...shown, examples: [], claims: [], findings };
  const of = { document, source, kind, release, releases };
  const claims = runner.claims(of, findings);
  const examples = await runner.examples(of, findings);
  const all = [...findings, ...claims.findings, ...examples.findings].sort((a, b) => a.start - b.start);
  return { ...shown, examples: examples.examples, claims: claims.claims, findings: all };
}

interface Text {
  readonly document: RstDocument;
  readonly source: string;
  readonly kind: 'memory-model' | 'hmm';
  /** The one it is held against. */
  readonly release: Release;
  readonly releases: readonly Release[];
}

/** In another release than those of its scene, names of the scene may be missing that the text does not have. */
function whyNot({ scene, text }: DocExample, { why }: ExampleState, release: Release): string {
  const name = /^(\w+) is declared nowhere/.exec(why)?.[1];
  if (name === undefined || text.includes(name)) return why;
  const releases = releasesOf(scene.release);
  if (releases === undefined || releases.includes(release)) return why;
  return `what it needs was there from ${releases[0]} to ${releases.at(-1)}.`;
}

/** Judges claims and runs examples. */
class Runner {
  private readonly judge = new Judge();
  private readonly kept: KeptVerdicts;
  private readonly sessions = new Map<string, Session>();
  private readonly around: Surroundings;
  private readonly scenes: readonly Scene[];
  private readonly all: ReturnType<typeof loadClaims>['claims'];

  private constructor(around: Surroundings, kept: KeptVerdicts, scenes: readonly Scene[], all: Runner['all']) {
    this.kept = kept;
    this.around = around;
    this.scenes = scenes;
    this.all = all;
  }

  static async make(around: Surroundings, isFresh: boolean): Promise<Runner> {
    const kept = await KeptVerdicts.read(around, isFresh);
    const [ofScenes, ofClaims] = await Promise.all([around.scenes(), around.claims()]);
    const { scenes, problems } = loadScenes(ofScenes, { isOurs: true });
    const loaded = loadClaims(ofClaims, { isOurs: true });
    for (const problem of [...problems, ...loaded.problems]) around.complain(problem);
    return new Runner(around, kept, scenes, loaded.claims);
  }

  save(): Promise<void> {
    return this.kept.save();
  }

  /** Those that no earlier run has judged are judged now. */
  private verdicts(claims: readonly Claim[], release: Release): ClaimVerdict[] {
    const known = claims.map((claim) => this.kept.of(claim, release));
    const judged = this.judge.judgeAll(
      claims.filter((_, index) => known[index] === undefined),
      release,
    );
    for (const verdict of judged) this.kept.add(verdict);
    const inTurn = judged.values();
    return known.flatMap((verdict) => verdict ?? inTurn.next().value ?? []);
  }

  claims(
    { document, source, kind, release }: Text,
    found: readonly DocFinding[],
  ): { claims: CheckedClaim[]; findings: DocFinding[] } {
    const places = new Places(source);
    const placed = placeClaims(this.all, kind, release, document, source);
    const verdicts = this.verdicts(
      placed.map(({ claim }) => claim),
      release,
    );
    const claims: CheckedClaim[] = [];
    const findings: DocFinding[] = [];
    for (const [index, each] of placed.entries()) {
      const verdict = verdicts[index];
      if (verdict === undefined) continue;
      const finding = claimFinding(each, verdict);
      if (finding && !isToldByRule(each, verdict, found, source)) findings.push(finding);
      const why = verdict.problem ?? verdict.why;
      claims.push({
        id: each.claim.id,
        line: places.at(each.place.span.start).line,
        verdict: verdict.problem !== undefined ? 'unjudged' : verdict.holds ? 'holds' : 'fails',
        ...(verdict.since === undefined ? {} : { since: verdict.since }),
        ...(why === undefined ? {} : { why }),
      });
    }
    return { claims, findings };
  }

  async examples(
    { document, source, kind, release, releases }: Text,
    found: readonly DocFinding[],
  ): Promise<{ examples: CheckedExample[]; findings: DocFinding[] }> {
    const places = new Places(source);
    const examples: CheckedExample[] = [];
    const findings: DocFinding[] = [];
    for (const example of examplesOf(document, source, kind, releases, this.scenes)) {
      const { start, end } = example.block;
      const state = await this.run(example, release);
      const variant = example.scene.variants[0];
      const isAsSaid = variant === undefined || endsAsSaid(state, variant, release);
      if (!isAsSaid)
        findings.push({
          code: 'example-fails',
          // What no scene was written for may want what is said around it.
          severity: example.isAuthored ? 'warning' : 'information',
          start: state.span?.start ?? start,
          end: state.span?.end ?? end,
          message: `This example does not run in ${release}: ${whyNot(example, state, release)}`,
        });
      examples.push({
        line: places.at(start).line,
        endLine: places.at(end).line,
        kind: example.kind,
        status: state.status === 'done' ? 'ok' : state.status === 'failed' ? 'failed' : 'paused',
        ...(state.why === '' ? {} : { why: state.why }),
        holes: example.scene.holes ?? {},
        findings: found.filter((each) => each.start >= start && each.start <= end).map(({ code }) => code),
      });
    }
    return { examples, findings };
  }

  private async run(example: DocExample, release: Release): Promise<ExampleState> {
    const { around } = this;
    const session = this.sessionOn(example.scene.machine ?? DEFAULT_MACHINE, release);
    const until = around.now() + EXAMPLE_MS;
    let isEndless = false;
    /** What comes of a run; one without an end is stopped. */
    const ended = async <T>(run: Promise<T>): Promise<T> => {
      let isOver = false;
      const over = (): void => {
        isOver = true;
      };
      run.then(over, over);
      while (!isOver) {
        if (around.now() > until) {
          session.stopExample();
          isEndless = true;
        }
        await around.breathe();
      }
      return await run;
    };
    let state: ExampleState | undefined = await ended(
      session.runExample({
        scene: example.scene,
        variant: example.scene.variants[0]?.id ?? '',
        text: example.text,
        toDocument: (offset) => example.toSource(offset),
        uri: '',
        releases: [release],
      }),
    );
    for (let pause = 0; state?.status === 'paused' && pause < PAUSES; pause++)
      state = await ended(session.continueExample());
    if (isEndless) return { ...NOTHING, ...state, status: 'stopped', why: 'it comes to no end' };
    return state ?? NOTHING;
  }

  /** A machine as booted: the one of the example before, taken back, where that can be. */
  private sessionOn(machine: string, release: Release): Session {
    const key = `${machine} ${release}`;
    const kept = this.sessions.get(key);
    if (kept !== undefined) {
      kept.stopExample();
      kept.travel(0);
      if (kept.position.step === 0) return kept;
      kept.dispose();
    }
    const { around } = this;
    const session = createSession({
      storage: { get: () => undefined, set: () => undefined },
      clock: { now: () => around.now(), breathe: () => around.breathe() },
      release,
      machine,
    });
    this.sessions.set(key, session);
    return session;
  }

  dispose(): void {
    for (const session of this.sessions.values()) session.dispose();
    this.sessions.clear();
  }
}
