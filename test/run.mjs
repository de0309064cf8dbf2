// The one test command. Sets up what the tests need, runs everything, ends with "N passed, N failed".
//   node test/run.mjs [--long] [--only lint,typecheck,build,unit,host,e2e] [part of a test file's name ...]
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBrowser } from './host/browser.mjs';
import { ensureCodeServer } from './host/codeServer.mjs';
import { findDesktop } from './host/desktop.mjs';
import { prepareDocuments, prepareWorkspace } from './setup/documents.mjs';
import { explain, root, toolNode } from './setup/exec.mjs';
import { prepareDocutils } from './setup/python.mjs';

/** @typedef {{passed: number, failed: number, skipped: number}} Count */

const results = join(root, 'artifacts', 'results');
const names = ['lint', 'typecheck', 'build', 'unit', 'host', 'e2e'];
const minutes = 60_000;

const { values, positionals } = parseArgs({
  options: { only: { type: 'string' }, long: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  allowPositionals: true,
});
const chosen = values.only?.split(',') ?? names;
const unknown = chosen.filter((name) => !names.includes(name));
if (values.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`there is no section ${unknown.join(', ')}`);
  console.log(`usage: npm test -- [--long] [--only ${names.join(',')}] [part of a test file's name ...]`);
  process.exit(unknown.length > 0 ? 2 : 0);
}

/** @type {Record<string, string>} */
const env = values.long ? { ZONESCOPE_TIER: 'long' } : {};
/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.once(signal, () => {
    for (const child of running) child.kill('SIGTERM');
    console.log(`\ninterrupted by ${signal}`);
    process.exit(130);
  });
}

/**
 * @param {readonly string[]} args for Node
 * @param {number} timeoutMs
 * @returns {Promise<number>} the exit code
 */
function node(args, timeoutMs) {
  const executable = toolNode();
  // What a tool starts in turn ("#!/usr/bin/env node") shall be the same Node.
  const path = `${dirname(executable)}${delimiter}${process.env.PATH}`;
  return new Promise((resolve) => {
    const child = spawn(executable, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env, PATH: path },
    });
    running.add(child);
    const alarm = setTimeout(() => {
      console.error(`stopped: not done within ${timeoutMs / minutes} minutes`);
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), 10_000).unref();
    }, timeoutMs);
    const finish = (/** @type {number} */ code) => {
      clearTimeout(alarm);
      running.delete(child);
      resolve(code);
    };
    child.on('error', (error) => {
      console.error(error.message);
      finish(127);
    });
    child.on('close', (code) => finish(code ?? 1));
  });
}

/** A section that passes or fails as a whole. */
const asOne = async (/** @type {Promise<number>} */ code) => {
  const failed = (await code) === 0 ? 0 : 1;
  return { passed: 1 - failed, failed, skipped: 0 };
};

/**
 * A section that leaves its counts in a file. Without the file it did not run; and one that ended badly has failed,
 * whatever the file says.
 *
 * @param {string} name
 * @param {readonly string[]} args
 * @param {number} timeoutMs
 * @param {(json: any) => Count} read
 * @returns {Promise<Count>}
 */
async function counted(name, args, timeoutMs, read = (json) => json) {
  const file = join(results, `${name}.json`);
  rmSync(file, { force: true });
  const code = await node(args, timeoutMs);
  if (!existsSync(file)) {
    console.error(`${name} left no result: it did not run to its end`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const { passed, failed, skipped } = read(JSON.parse(readFileSync(file, 'utf8')));
  return { passed, failed: code !== 0 && failed === 0 ? 1 : failed, skipped };
}

/** @param {any} json vitest's; a file that could not even be loaded counts as one failed test */
function readVitest({ numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults }) {
  const broken = testResults.filter(
    (/** @type {any} */ file) =>
      file.status === 'failed' && !file.assertionResults.some((/** @type {any} */ test) => test.status === 'failed'),
  );
  return {
    passed: numPassedTests,
    failed: numFailedTests + broken.length,
    skipped: numPendingTests + (numTodoTests ?? 0),
  };
}

const bin = (/** @type {string} */ path) => join(root, 'node_modules', path);
const vitest = [bin('vitest/vitest.mjs'), 'run', '--reporter=default', '--reporter=json'];

async function typecheck() {
  const tsc = bin('typescript/bin/tsc');
  const code = await node([tsc, '--noEmit'], 5 * minutes);
  return code || node([tsc, '--noEmit', '-p', 'tsconfig.scripts.json'], 5 * minutes);
}

/** @type {Record<string, () => Promise<Count>>} */
const sections = {
  lint: () => asOne(node([bin('@biomejs/biome/bin/biome'), 'check', '.'], 5 * minutes)),
  typecheck: () => asOne(typecheck()),
  build: () => asOne(node(['build.mjs', '--package', '--tests'], 5 * minutes)),
  unit: () =>
    counted(
      'unit',
      [...vitest, `--outputFile.json=${join(results, 'unit.json')}`, ...positionals],
      (values.long ? 180 : 30) * minutes,
      readVitest,
    ),
  host: () => counted('host', ['test/host/runElectron.mjs'], 10 * minutes),
  e2e: () => counted('e2e', ['test/e2e/run.mjs', ...positionals], 40 * minutes),
};

/** @returns {Promise<Count>} a failed part of the set-up is a failure of the run, but does not end it */
async function prepare() {
  const count = { passed: 0, failed: 0, skipped: 0 };
  const attempt = async (/** @type {() => Promise<unknown>} */ work) => {
    try {
      await work();
    } catch (error) {
      count.failed++;
      console.error(explain(error));
    }
  };
  const needsWindow = chosen.includes('host') || chosen.includes('e2e');
  if (chosen.includes('unit') || needsWindow)
    await attempt(async () => {
      const { dir, available, missing } = await prepareDocuments();
      for (const { release, why } of missing)
        console.log(`no kernel documents of ${release}, what needs them is skipped: ${why}`);
      if (available.length > 0) env.ZONESCOPE_DOCS = dir;
      console.log(`documents: ${available.join(', ') || 'none'} in ${dir}`);
    });
  if (chosen.includes('unit'))
    await attempt(async () => {
      const referee = await prepareDocutils();
      if ('python' in referee) env.ZONESCOPE_PYTHON = referee.python;
      console.log('python' in referee ? `docutils: ${referee.python}` : `no docutils: ${referee.why}`);
    });
  if (needsWindow) {
    await attempt(async () => console.log(`browser: ${await ensureBrowser()}`));
    await attempt(async () => console.log(`VS Code as a server: ${await ensureCodeServer()}`));
    if (chosen.includes('host'))
      await attempt(async () => console.log(`desktop VS Code: ${(await findDesktop())?.command ?? 'none'}`));
    await attempt(prepareWorkspace);
    if (!chosen.includes('build')) await attempt(() => node(['build.mjs', '--tests'], 5 * minutes));
  }
  return count;
}

const total = { passed: 0, failed: 0, skipped: 0 };
/** @type {string[]} */
const summary = [];

/**
 * @param {string} name
 * @param {() => Promise<Count>} work
 */
async function section(name, work) {
  console.log(`\n== ${name}`);
  const began = Date.now();
  const count = await work().catch((error) => {
    console.error(explain(error));
    return { passed: 0, failed: 1, skipped: 0 };
  });
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
  summary.push(
    `${name.padEnd(10)} ${seconds.padStart(7)} s   ${count.passed} passed, ${count.failed} failed${skipped}`,
  );
}

mkdirSync(results, { recursive: true });
await section('set-up', prepare);
for (const name of names) {
  const work = sections[name];
  if (work && chosen.includes(name)) await section(name, work);
}
console.log(`\n${summary.join('\n')}\n`);
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
