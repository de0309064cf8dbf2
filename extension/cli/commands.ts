/** What `zonescope` does, with its surroundings given: files, output, input. Free of node. */
import {
  ALL_RECORDS,
  type ImportedMachine,
  noteText,
  presets,
  RELEASES,
  type Release,
  recordsOf,
} from '../../sim/index.ts';
import { placeExamples } from '../docs/examples.ts';
import { buildTermIndex, parseGlossary } from '../docs/glossary.ts';
import { locateDocuments } from '../docs/locate.ts';
import { isKernelDocument, recognise } from '../docs/release.ts';
import { parseDocument } from '../docs/rst.ts';
import { stepOfVariant } from '../docs/sceneSteps.ts';
import { loadScenes } from '../docs/scenes.ts';
import { verdicts } from '../session/expectations.ts';
import { importFolder } from '../session/machineFolder.ts';
import { createSession } from '../session/session.ts';
import { runToStep, stepAt } from '../session/steps.ts';
import type { ExampleState, LineResult, Session } from '../session/types.ts';
import { type Request, UsageError } from './args.ts';
import { check } from './check.ts';
import { findingsOf, listRunnable, runnableAt } from './runnable.ts';
import type { Surroundings } from './surroundings.ts';

/** Runs a request; the exit status. */
export async function execute(
  request: Exclude<Request, { command: 'help' | 'version' }>,
  around: Surroundings,
): Promise<number> {
  switch (request.command) {
    case 'sh':
      return await shell(request, around);
    case 'run':
      return await runExample(request, around);
    case 'machine':
      return await printMachine(request, around);
    case 'check':
      return await check(request, around);
    case 'docs':
      return await documents(request, around);
    case 'machines':
      if (request.json) around.print(JSON.stringify(presets().map(({ name, description }) => ({ name, description }))));
      else for (const { name, description } of presets()) around.print(`${name.padEnd(18)} ${description}`);
      return 0;
    case 'releases':
      around.print(request.json ? JSON.stringify(RELEASES) : RELEASES.join('\n'));
      return 0;
    case 'terms':
      return await terms(request, around);
  }
}

async function sessionFor(request: { machine?: string; release?: Release }, around: Surroundings): Promise<Session> {
  const session = createSession({
    storage: { get: () => undefined, set: () => undefined },
    clock: { now: () => around.now(), breathe: () => around.breathe() },
    ...(request.release ? { release: request.release } : {}),
  });
  const { machine } = request;
  if (machine === undefined) return session;
  const isPreset = session.machines().some((preset) => preset.name === machine);
  if (!isPreset && !/[./\\]/.test(machine))
    throw new UsageError(
      `${machine}: no such machine; there are ${session
        .machines()
        .map((preset) => preset.name)
        .join(', ')}, or name a machine file`,
    );
  const choice = isPreset ? { preset: machine } : { json: await around.readText(machine), name: machine };
  const { problems } = session.chooseMachine(choice);
  if (problems.length > 0)
    throw new UsageError(
      `${machine} is no machine file the simulator can boot:\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
    );
  return session;
}

/** The machine of a folder of copies; what cannot be imported is a mistake of the command line. */
async function importFrom(folder: string, around: Surroundings): Promise<ImportedMachine> {
  const result = await importFolder(around.machines, folder, nameOfFolder(folder));
  if ('problems' in result)
    throw new UsageError(
      `${folder} cannot be imported:\n${result.problems.map((problem) => `  ${problem}`).join('\n')}`,
    );
  return result;
}

const nameOfFolder = (folder: string): string => folder.split(/[\\/]/).filter(Boolean).at(-1) ?? 'this machine';

async function printMachine(request: Extract<Request, { command: 'machine' }>, around: Surroundings): Promise<number> {
  const { json, notes, setup, release } = await importFrom(request.from, around);
  if (request.json)
    around.print(JSON.stringify({ machine: JSON.parse(json), release, notes: notes.map(noteText), setup }));
  else {
    for (const note of notes) around.complain(`note: ${noteText(note)}`);
    for (const line of setup) around.complain(`note: after boot: ${line}`);
    around.print(json.trimEnd());
  }
  return 0;
}

/** A session on an imported machine, with what came after boot done again. */
async function importedSession(request: { from: string; release?: Release }, around: Surroundings): Promise<Session> {
  const imported = await importFrom(request.from, around);
  const release = request.release ?? imported.release;
  const session = await sessionFor(release ? { release } : {}, around);
  const { problems } = session.chooseMachine({ json: imported.json, name: request.from });
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  for (const note of imported.notes) around.complain(`note: ${noteText(note)}`);
  for (const line of imported.setup) {
    const { status, output } = await session.runLine(line);
    if (status !== 0) around.complain(`note: could not be done again: ${line}: ${output}`);
  }
  return session;
}

async function shell(request: Extract<Request, { command: 'sh' }>, around: Surroundings): Promise<number> {
  const { from, ...rest } = request;
  const session = await (from === undefined ? sessionFor(rest, around) : importedSession({ ...rest, from }, around));
  let status = 0;
  const one = async (line: string): Promise<void> => {
    const result = await session.runLine(line);
    if (
      result.output === '' &&
      result.status === 0 &&
      result.steps === 0 &&
      !result.printk &&
      !result.blockedOn &&
      line.replace(/#.*/, '').trim() === ''
    )
      return;
    if (result.status !== 0) status = 1;
    if (request.json) around.print(JSON.stringify(result));
    else printResult(result, around);
  };
  const text = request.file === undefined ? undefined : await around.readText(request.file);
  for (const line of request.lines) for (const part of line.split('\n')) await one(part);
  for (const line of text?.split(/\r?\n/) ?? []) await one(line);
  if (request.lines.length === 0 && text === undefined) {
    for await (const line of around.lines(() => `${session.machineName} ${session.release}> `)) {
      if (/^\s*(exit|quit)\s*$/.test(line)) break;
      await one(line);
    }
  }
  session.dispose();
  return status;
}

function printResult(result: LineResult, around: Surroundings): void {
  for (const line of result.printk ?? []) around.print(`[ kernel ] ${line}`);
  if (result.output) (result.status === 0 ? around.print : around.complain)(result.output);
  if (result.blockedOn)
    around.print(`waits for ${result.blockedOn.what}; held by ${result.blockedOn.holders.join(', ') || 'nobody'}`);
  for (const { line, status, output } of result.ended ?? []) {
    around.print(`has waited, and ends: ${line}`);
    if (output) (status === 0 ? around.print : around.complain)(output);
  }
}

async function runExample(request: Extract<Request, { command: 'run' }>, around: Surroundings): Promise<number> {
  const source = await around.readText(request.file);
  const recognition = await recognise(request.file, source);
  const isTour = /(?:^|[\\/])tour\.rst$/.test(request.file);
  const kind = isTour ? 'tour' : recognition.document;
  if (!kind) throw new UsageError(`${request.file} is neither memory-model nor hmm, by its name or by its text`);
  const document = parseDocument(request.file, source);
  const { scenes, problems } = loadScenes(await around.scenes(), { isOurs: true });
  for (const problem of problems) around.complain(problem);
  const placed = placeExamples(scenes, kind, recognition.releases, document, source);
  const start =
    source
      .split('\n')
      .slice(0, request.line - 1)
      .join('\n').length + (request.line > 1 ? 1 : 0);
  const end = source.indexOf('\n', start) < 0 ? source.length : source.indexOf('\n', start);
  const found = runnableAt(placed, { start, end });
  if (!found) {
    const lines = listRunnable(placed, source);
    throw new UsageError(
      `nothing to run at ${request.file}:${request.line}${lines.length > 0 ? `; there is\n  ${lines.join('\n  ')}` : ''}`,
    );
  }
  const { placed: here } = found;
  const step = request.variant === undefined ? found.step : stepOfVariant(here.scene, request.variant);
  const variant = request.variant ?? here.scene.variants[0]?.id ?? '';
  if (step === undefined && !here.scene.variants.some((each) => each.id === variant))
    throw new UsageError(
      `--variant ${variant}: this scene has ${here.scene.variants.map((each) => each.id).join(', ')}`,
    );
  const session = await sessionFor(request, around);
  const releases = request.release ? undefined : recognition.releases;
  const example = placed.find(({ scene, span }) => scene === here.scene && span.start === here.span.start)?.example;
  let state: ExampleState | undefined;
  if (example) {
    const { text, toSource } = example;
    state = await session.runExample({
      scene: here.scene,
      variant,
      text,
      toDocument: toSource,
      uri: request.file,
      holes: request.set,
      ...(releases ? { releases } : {}),
    });
  } else if (step === undefined) {
    state = await session.runScene(here.scene, request.file, releases);
  } else {
    state = await runToStep(session, here.scene, request.file, releases, step);
  }
  const printed: number[] = [];
  const report = (): void => {
    for (const [index, step] of session.exampleSteps().entries()) {
      // What only looks adds to the step before it, which may have been printed already.
      const known = printed[index];
      const output = known === undefined ? step.output : step.output.slice(known).replace(/^\n/, '');
      printed[index] = step.output.length;
      if (known !== undefined && output === '') continue;
      if (request.json) around.print(JSON.stringify({ ...step, output, steps: known === undefined ? 1 : 0 }));
      else {
        if (known === undefined) around.print(`> ${step.line}`);
        if (output) around.print(output.replace(/^/gm, '    '));
      }
    }
  };
  let isWrong = false;
  const judge = async (pause?: number): Promise<void> => {
    for (const { line, is, found, holds } of await verdicts(session, here.scene, pause, variant)) {
      isWrong ||= !holds;
      if (request.json) around.print(JSON.stringify({ expect: line, is, found, holds }));
      else if (holds) around.print(`expected of ${line}: ${is.split('\n').at(-1)}`);
      else around.complain(`expected of ${line}: ${is}\n  found: ${found}`);
    }
  };
  report();
  for (let pause = (step ?? 0) + 1; state?.status === 'paused'; pause++) {
    if (!request.json) around.print(`-- paused: ${state.why}`);
    await judge(pause);
    if (step !== undefined && stepAt(here.scene, state) === step) {
      session.dispose();
      return isWrong ? 1 : 0;
    }
    state = await session.continueExample();
    report();
  }
  await judge();
  for (const { line, column, severity, message } of findingsOf(session, source))
    if (request.json) around.print(JSON.stringify({ finding: message, severity, line, column }));
    else around.complain(`${request.file}:${line}:${column}: ${severity}: ${message}`);
  const failed = state?.status !== 'done' || isWrong;
  if (state?.status !== 'done' && !request.json) around.complain(`stopped: ${state?.why ?? ''}`);
  session.dispose();
  return failed ? 1 : 0;
}

async function documents(request: Extract<Request, { command: 'docs' }>, around: Surroundings): Promise<number> {
  const rows: { file: string; releases: readonly Release[]; by: string }[] = [];
  let status = 0;
  if (request.files.length > 0) {
    for (const file of request.files) {
      const bytes = await around.readBytes(file);
      const { releases, by, document } = await recognise(file, bytes);
      if (by === 'none' || !document) {
        around.complain(
          `${file}: ${isKernelDocument(file) ? 'its text is not that of any release' : 'is not one of the two documents'}`,
        );
        status = 1;
      }
      rows.push({ file, releases, by });
    }
  } else {
    const located = await locateDocuments(around.files, { workspaceFolders: [around.folder], cache: around.cache });
    for (const { path, recognition } of located.found)
      rows.push({ file: path, releases: recognition.releases, by: recognition.by });
    if (located.found.length === 0) {
      for (const { path, why } of located.looked) around.complain(`${path}: ${why}`);
      around.complain(
        'No documents found. On Debian: apt-get download linux-doc-6.12 and dpkg-deb -x; or name the files.',
      );
      status = 1;
    }
  }
  if (request.json) around.print(JSON.stringify(rows));
  else for (const row of rows) around.print(`${row.file}: ${spanText(row.releases) || 'no release'} (by ${row.by})`);
  return status;
}

const spanText = (releases: readonly Release[]): string =>
  releases.length > 1 ? `${releases[0]} to ${releases.at(-1)}` : (releases[0] ?? '');

async function terms(request: Extract<Request, { command: 'terms' }>, around: Surroundings): Promise<number> {
  const index = buildTermIndex(ALL_RECORDS, parseGlossary(await around.glossary()));
  const release = request.release ?? '6.12';
  const { name } = request;
  if (name === undefined) {
    const ids = [...index.ids].sort();
    if (request.json) around.print(JSON.stringify(ids));
    else for (const id of ids) around.print(id);
    return 0;
  }
  const id = index.ids.includes(name)
    ? name
    : (index.lookup(name, 'code') ??
      index.phrases.find((each) => each.phrase.toLowerCase() === name.toLowerCase())?.id);
  const term = id === undefined ? undefined : index.describe(id, release);
  if (!term) {
    around.complain(`${name}: no such term${recordsOf(name).length > 0 ? '' : '; zonescope terms lists them'}`);
    return 1;
  }
  if (request.json) around.print(JSON.stringify({ id, ...term }));
  else {
    around.print(`${term.title} (${term.kind}${term.releases ? `, ${term.releases}` : ''})`);
    if (term.signature) around.print(term.signature);
    if (term.file) around.print(term.file);
    around.print(term.text);
    for (const error of term.errors ?? []) around.print(`  ${error.returns}: ${error.when}`);
    if (term.note) around.print(term.note);
  }
  return 0;
}
