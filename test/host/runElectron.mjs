// Runs the in-host suite (test/host/suite, bundled to dist-test/suite.cjs) by @vscode/test-electron: in a desktop VS
// Code where there is one, else in VS Code as a server by a launcher that takes the same arguments.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runTests } from '@vscode/test-electron';
import { prepareWorkspace } from '../setup/documents.mjs';
import { explain, root } from '../setup/exec.mjs';
import { executableOf, findDesktop } from './desktop.mjs';
import { scratchCopy } from './driver.mjs';

const result = join(root, 'artifacts', 'results', 'host.json');

/** @param {string} scratch */
function launcher(scratch) {
  const script = fileURLToPath(new URL('launcher.mjs', import.meta.url));
  if (process.platform !== 'win32') return script;
  const batch = join(scratch, 'launcher.cmd');
  writeFileSync(batch, `@"${process.execPath}" "${script}" %*\r\n`);
  return batch;
}

async function main() {
  const suite = join(root, 'dist-test', 'suite.cjs');
  if (!existsSync(suite)) throw new Error('dist-test/suite.cjs is not there: run "node build.mjs --tests" first');
  mkdirSync(dirname(result), { recursive: true });
  rmSync(result, { force: true });
  const desktop = await findDesktop();
  const folder = scratchCopy((await prepareWorkspace()).dir);
  const scratch = mkdtempSync(join(realpathSync(tmpdir()), 'zonescope-electron-'));
  console.log(desktop ? `in ${desktop.command} (${desktop.version})` : 'in VS Code as a server, with Chromium');
  let code = 1;
  try {
    code = await runTests({
      vscodeExecutablePath: desktop ? executableOf(desktop.command) : launcher(scratch),
      extensionDevelopmentPath: root,
      extensionTestsPath: suite,
      extensionTestsEnv: { ZONESCOPE_RESULT: result },
      launchArgs: [folder, `--user-data-dir=${join(scratch, 'u')}`, `--extensions-dir=${join(scratch, 'e')}`],
    });
  } catch (error) {
    console.error(explain(error));
  } finally {
    for (const dir of [folder, scratch]) rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }
  // An exit code of 0 alone does not prove that anything ran.
  if (!existsSync(result)) {
    console.error('The suite wrote no result: it did not run');
    return 1;
  }
  const { tests, failed } = JSON.parse(readFileSync(result, 'utf8'));
  for (const { name, ms, error } of tests)
    console.log(`  ${error ? 'FAILED' : 'ok    '} ${name} (${ms} ms)${error ? `\n${error}` : ''}`);
  return failed > 0 ? 1 : code;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}
