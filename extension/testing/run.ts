/** Runs tests: claims by the judge, examples and scenes on machines of their own. Nothing touches the reader's. */
import * as vscode from 'vscode';
import type { Release } from '../../sim/index.ts';
import { type Tried, tryExample } from '../session/trial.ts';
import { addCoverage } from './coverage.ts';
import type { TestSubject } from './outline.ts';
import { claimResult, type Failure, type Result, trialResult } from './results.ts';
import type { TestLeaf, TestsParts } from './types.ts';

type Trials = Map<string, ReturnType<typeof tryExample>>;

export async function runTests(
  run: vscode.TestRun,
  leaves: readonly TestLeaf[],
  parts: TestsParts,
  token: vscode.CancellationToken,
  isCovered: boolean,
): Promise<void> {
  // A scene and its steps are one trial.
  const trials: Trials = new Map();
  const isCancelled = (): boolean => token.isCancellationRequested || run.token.isCancellationRequested;
  try {
    for (const { item } of leaves) run.enqueued(item);
    for (const leaf of leaves) {
      if (isCancelled()) {
        run.skipped(leaf.item);
        continue;
      }
      await runOne(run, leaf, parts, trials, isCancelled);
    }
    if (isCovered && !isCancelled()) await addCoverage(run, leaves, (document) => parts.documents.releaseOf(document));
  } finally {
    run.end();
  }
}

async function runOne(
  run: vscode.TestRun,
  leaf: TestLeaf,
  parts: TestsParts,
  trials: Trials,
  isCancelled: () => boolean,
): Promise<void> {
  const { item, document } = leaf;
  const { platform, report } = parts;
  run.started(item);
  const began = platform.now();
  try {
    const release = await parts.documents.releaseOf(document);
    const result = await resultOf(leaf, release, parts, trials, isCancelled);
    tell(run, leaf, result, platform.now() - began);
  } catch (error) {
    report.log.error(`test ${item.id}: ${error instanceof Error ? error.stack : error}`);
    const message = error instanceof Error ? error.message : String(error);
    run.errored(item, messageOf(leaf, { message }), platform.now() - began);
  }
}

async function resultOf(
  { subject, document }: TestLeaf,
  release: Release,
  { verdicts, platform }: TestsParts,
  trials: Trials,
  isCancelled: () => boolean,
): Promise<Result> {
  if (subject.kind === 'claim') {
    const verdict = await verdicts.ask(subject.claim, release, isCancelled);
    return verdict === undefined ? { kind: 'skipped', output: '' } : claimResult(verdict);
  }
  const uri = document.text.uri.toString();
  const key = `${uri} ${subject.kind === 'example' ? `example ${subject.example.id} ${subject.variant.id}` : subject.scene.id}`;
  let trial = trials.get(key);
  if (trial === undefined) {
    trial = tryExample(triedOf(subject, uri), { clock: platform, release, isCancelled });
    trials.set(key, trial);
  }
  return trialResult(await trial, subject.kind === 'step' ? subject.step : undefined);
}

function triedOf(subject: Exclude<TestSubject, { kind: 'claim' }>, uri: string): Tried {
  if (subject.kind !== 'example') return { scene: subject.scene, uri };
  const { example, variant } = subject;
  const { scene, text, toSource } = example;
  return { request: { scene, variant: variant.id, text, toDocument: toSource, uri } };
}

function tell(run: vscode.TestRun, leaf: TestLeaf, result: Result, duration: number): void {
  const { item, document } = leaf;
  if (result.output !== '') {
    const location = new vscode.Location(document.text.uri, item.range ?? new vscode.Range(0, 0, 0, 0));
    run.appendOutput(`${result.output.replace(/\r?\n/g, '\r\n')}\r\n`, location, item);
  }
  if (result.kind === 'passed') run.passed(item, duration);
  else if (result.kind === 'skipped') run.skipped(item);
  else {
    const messages = result.failures.map((failure) => messageOf(leaf, failure));
    if (result.kind === 'failed') run.failed(item, messages, duration);
    else run.errored(item, messages, duration);
  }
}

function messageOf({ item, document }: TestLeaf, { message, expected, actual, span }: Failure): vscode.TestMessage {
  const told =
    expected === undefined || actual === undefined
      ? new vscode.TestMessage(message)
      : vscode.TestMessage.diff(message, expected, actual);
  const range = span === undefined ? item.range : document.range(span);
  if (range !== undefined) told.location = new vscode.Location(document.text.uri, range);
  return told;
}
