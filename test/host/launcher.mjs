#!/usr/bin/env node
// Stands in for a desktop VS Code: takes the arguments that @vscode/test-electron gives one, and runs the same tests
// in the extension host of VS Code as a server, with a browser as its window.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { explain } from '../setup/exec.mjs';
import { launchBrowser } from './browser.mjs';
import { startServer } from './codeServer.mjs';

const patienceMs = 300_000;
const given = process.argv.slice(2);
const argumentOf = (/** @type {string} */ name) =>
  given.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);

async function main() {
  const extension = argumentOf('extensionDevelopmentPath');
  const tests = argumentOf('extensionTestsPath');
  const folder = given.find((argument) => !argument.startsWith('-'));
  if (!extension || !tests) throw new Error('need --extensionDevelopmentPath=DIR and --extensionTestsPath=FILE');
  const dataDir = mkdtempSync(join(realpathSync(tmpdir()), 'zonescope-host-'));
  const undo = [() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 })];
  try {
    const server = await startServer({ dataDir, automation: true });
    undo.push(server.stop);
    const browser = await launchBrowser();
    undo.push(() => browser.close());
    const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } });
    /** @type {Promise<number>} */
    const finished = new Promise((resolve) => {
      page.exposeFunction('codeAutomationLog', () => {});
      page.exposeFunction('codeAutomationExit', resolve);
    });
    await page.goto(server.url({ ...(folder ? { folder } : {}), extension, tests }));
    const code = await Promise.race([
      finished,
      server.exited.then(() => 'the server ended'),
      sleep(patienceMs, `no end within ${patienceMs / 1000} s`, { ref: false }),
    ]);
    if (typeof code === 'number') return code;
    console.error(`The tests in the extension host did not finish: ${code}`);
    return 1;
  } finally {
    for (const action of undo.reverse()) await action();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}
