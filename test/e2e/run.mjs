// Runs the scripts test/e2e/*.e2e.mjs, each in windows of its own, and writes artifacts/results/e2e.json.
//   node test/e2e/run.mjs [part of a script's name ...]
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ensureBrowser } from '../host/browser.mjs';
import { openWorkbench, scratchCopy } from '../host/driver.mjs';
import { prepareWorkspace } from '../setup/documents.mjs';
import { explain, root } from '../setup/exec.mjs';

/** @typedef {import('../host/driver.mjs').Workbench} Workbench */
/** @typedef {Omit<Parameters<typeof openWorkbench>[0], 'folder'> & {folder?: string}} OpenOptions */

/**
 * @typedef {object} Context what a script is given
 * @property {(name: string, body: () => Promise<unknown> | unknown) => Promise<boolean>} check runs one check and
 * counts it; one that throws has failed, is pictured, and does not end the script
 * @property {(name: string, why: string) => void} skip counts a check that cannot run here
 * @property {(options?: OpenOptions) => Promise<Workbench>} open a window, closed when the script ends; on a fresh copy
 * of the reader's folder (the two documents of 6.12 and the tour) unless another folder is given
 * @property {() => string} freshFolder a copy of the reader's folder to write to, removed when the script ends
 * @property {() => string} emptyFolder a folder with nothing in it, removed when the script ends
 * @property {boolean} hasDocuments whether the reader's folder holds the two real documents
 * @property {string} root the project's folder
 * @property {string} artifacts where a script leaves what is worth keeping of the run
 * @property {string} chromium the browser's executable, for scripts that need no VS Code
 */

const scriptTimeoutMs = 600_000;
const here = fileURLToPath(new URL('.', import.meta.url));
const artifacts = join(root, 'artifacts');
const resultFile = join(artifacts, 'results', 'e2e.json');
const totals = { passed: 0, failed: 0, skipped: 0 };
const record = () => writeFileSync(resultFile, JSON.stringify(totals));

/**
 * @param {string} script
 * @param {{dir: string, hasDocuments: boolean}} reader the folder a reader starts with
 * @param {string} chromium
 */
async function runScript(script, reader, chromium) {
  const name = script.replace(/\.e2e\.mjs$/, '');
  /** @type {Workbench[]} */
  const windows = [];
  /** @type {string[]} */
  const folders = [];
  const before = totals.passed + totals.failed + totals.skipped;
  const fail = async (/** @type {string} */ what, /** @type {unknown} */ error) => {
    totals.failed++;
    record();
    console.log(`  FAILED ${what}\n${explain(error).replace(/^/gm, '         ')}`);
    for (const [index, window] of windows.entries()) {
      const picture = `failed-${name}-${totals.failed}${index ? `-${index}` : ''}`;
      const path = await window.screenshot(picture).catch(() => undefined);
      if (path) console.log(`         picture: ${path}`);
    }
  };
  const freshFolder = () => {
    const folder = scratchCopy(reader.dir);
    folders.push(folder);
    return folder;
  };
  const emptyFolder = () => {
    const folder = mkdtempSync(join(realpathSync(tmpdir()), 'zonescope-empty-'));
    folders.push(folder);
    return folder;
  };
  /** @type {Context} */
  const context = {
    hasDocuments: reader.hasDocuments,
    root,
    artifacts,
    chromium,
    freshFolder,
    emptyFolder,
    async check(what, body) {
      const began = Date.now();
      try {
        await body();
      } catch (error) {
        await fail(what, error);
        return false;
      }
      totals.passed++;
      record();
      console.log(`  ok     ${what} (${Date.now() - began} ms)`);
      return true;
    },
    skip(what, why) {
      totals.skipped++;
      record();
      console.log(`  skipped ${what}: ${why}`);
    },
    async open(options = {}) {
      const window = await openWorkbench({ ...options, folder: options.folder ?? freshFolder() });
      windows.push(window);
      return window;
    },
  };
  console.log(name);
  try {
    const { run } = await import(new URL(script, import.meta.url).href);
    const late = sleep(scriptTimeoutMs, 'late', { ref: false });
    if ((await Promise.race([run(context), late])) === 'late')
      throw new Error(`not done within ${scriptTimeoutMs / 1000} s`);
    if (totals.passed + totals.failed + totals.skipped === before) throw new Error('checked nothing');
  } catch (error) {
    await fail(`${name} ran to its end`, error);
  } finally {
    for (const window of windows) await window.close().catch((error) => console.error(explain(error)));
    for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

mkdirSync(join(artifacts, 'results'), { recursive: true });
rmSync(resultFile, { force: true });
const wanted = process.argv.slice(2);
const scripts = readdirSync(here)
  .filter((file) => file.endsWith('.e2e.mjs'))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();
try {
  const { dir, missing } = await prepareWorkspace();
  const hasDocuments = missing === undefined && existsSync(join(dir, 'linux-6.12'));
  const chromium = await ensureBrowser();
  for (const script of scripts) await runScript(script, { dir, hasDocuments }, chromium);
  record();
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}
if (totals.failed > 0) process.exitCode = 1;
if (scripts.length === 0) {
  console.error(`no script in test/e2e is named like ${wanted.join(', ')}`);
  process.exitCode = 1;
}
process.exit();
