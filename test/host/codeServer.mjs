import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheRoot, withLock } from '../setup/cache.mjs';
import { lastLines, npm, run, SetupError, step, toolNode } from '../setup/exec.mjs';

const version = '4.139.1';

/** What VS Code's server depends on but this use never touches; several of them need a compiler or one platform. */
const unneeded = [
  ...['@github/copilot-sdk', '@vscode/copilot-api', '@microsoft/mxc-sdk', '@vscode/sandbox-runtime'],
  ...['@devcontainers/cli', '@vscode/windows-process-tree', '@vscode/windows-registry', 'kerberos', 'ssh2'],
];
const unneededFolders = [
  ...['extensions/copilot', 'extensions/mermaid-markdown-features', 'extensions/microsoft-authentication'],
  'node_modules/node-pty/third_party',
];
const folderByPlatform = ['node_modules/@vscode/ripgrep-universal/bin', 'node_modules/node-pty/prebuilds'];

/** Settings of a VS Code that shows documents to a newcomer, and asks nobody on the network. */
export const quietSettings = {
  'security.workspace.trust.enabled': false,
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'telemetry.telemetryLevel': 'off',
  'update.showReleaseNotes': false,
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': 'off',
  'extensions.ignoreRecommendations': true,
  'chat.disableAIFeatures': true,
  'git.enabled': false,
};

/**
 * Takes out of the server's manifest and lock what is not needed. The lock stays: it pins all that is.
 *
 * @param {string} vscode
 */
function trimManifest(vscode) {
  const edit = (/** @type {string} */ name, /** @type {(json: any) => void} */ change) => {
    const path = join(vscode, name);
    if (!existsSync(path)) return;
    const json = JSON.parse(readFileSync(path, 'utf8'));
    change(json);
    writeFileSync(path, JSON.stringify(json, null, 2));
  };
  edit('package.json', (manifest) => {
    for (const name of unneeded) delete manifest.dependencies[name];
  });
  edit('npm-shrinkwrap.json', (lock) => {
    for (const name of unneeded) {
      delete lock.packages[''].dependencies[name];
      delete lock.packages[`node_modules/${name}`];
    }
  });
}

/** @param {string} vscode */
function trimFiles(vscode) {
  const platform = `${process.platform}-${process.arch}`;
  for (const folder of folderByPlatform) {
    const path = join(vscode, folder);
    if (!existsSync(join(path, platform))) continue;
    for (const name of readdirSync(path))
      if (name !== platform) rmSync(join(path, name), { recursive: true, force: true });
  }
  for (const folder of unneededFolders) rmSync(join(vscode, folder), { recursive: true, force: true });
}

/**
 * @param {string} cwd
 * @param {readonly string[]} args
 */
async function npmInstall(cwd, args) {
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'];
  const { code, output } = await npm(cwd, ['install', ...flags, ...args]);
  if (code !== 0)
    throw new SetupError(
      `npm could not install code-server ${version}:\n${lastLines(output)}`,
      'Check the network and the disk, then run this again: it goes on from what npm has already fetched. ' +
        'Or set ZONESCOPE_CODE to the "code" command of a desktop VS Code.',
    );
}

/**
 * Installs VS Code as a server, once, into the cache. Aborted half-way it leaves nothing that looks finished, and
 * what was downloaded by then is in npm's own cache. Every attempt has a folder of its own, since the npm of an
 * attempt that was killed may still be writing to its folder.
 *
 * @returns {Promise<string>} its folder
 */
export async function ensureCodeServer() {
  const host = join(cacheRoot(), 'host');
  const dir = join(host, `code-server-${version}`);
  const vscodeOf = (/** @type {string} */ base) => join(base, 'node_modules', 'code-server', 'lib', 'vscode');
  if (existsSync(dir)) return vscodeOf(dir);
  await withLock(`${dir}.lock`, async () => {
    if (existsSync(dir)) return;
    removeAttempts(host);
    const attempt = mkdtempSync(join(host, 'attempt-'));
    await step(`Installing VS Code (code-server ${version}; once, about 200 MB on disk)`, async () => {
      writeFileSync(join(attempt, 'package.json'), '{"private":true}\n');
      await npmInstall(attempt, [`code-server@${version}`]);
      const vscode = vscodeOf(attempt);
      trimManifest(vscode);
      await npmInstall(vscode, ['--omit=dev']);
      trimFiles(vscode);
      await checkItRuns(vscode);
      renameSync(attempt, dir);
    });
  });
  return vscodeOf(dir);
}

/** @param {string} host */
function removeAttempts(host) {
  for (const name of readdirSync(host)) {
    if (!name.startsWith('attempt-')) continue;
    try {
      rmSync(join(host, name), { recursive: true, force: true });
    } catch {
      // still written to; the next installation removes it
    }
  }
}

/** @param {string} vscode */
async function checkItRuns(vscode) {
  const { code, output } = await run(toolNode(), [join(vscode, 'out', 'server-main.js'), '--version'], {
    timeoutMs: 60_000,
  });
  if (code !== 0)
    throw new SetupError(
      `VS Code was installed into ${vscode}, but does not run:\n${lastLines(output)}`,
      'Delete that folder and run this again; if it fails again, set ZONESCOPE_CODE to a desktop VS Code.',
    );
}

/** @param {string} path */
const remotePath = (path) => (path.startsWith('/') ? path : `/${path.replaceAll('\\', '/')}`);

/**
 * Has VS Code find an extension installed that stays where it is. By a link, so that "Uninstall" takes away the link
 * and not the extension's sources; and by a fresh list, because VS Code trusts an old one.
 *
 * @param {string} extensions the folder of installed extensions
 * @param {string} folder of the extension
 */
function linkExtension(extensions, folder) {
  const { publisher, name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const id = `${publisher}.${name}`;
  for (const entry of readdirSync(extensions))
    if (entry.startsWith(`${id}-`) || entry === '.obsolete') rmSync(join(extensions, entry), { force: true });
  const relativeLocation = `${id}-${version}`;
  const link = join(extensions, relativeLocation);
  symlinkSync(folder, link, 'junction');
  const location = { $mid: 1, path: remotePath(link), scheme: 'file' };
  const list = [{ identifier: { id }, version, location, relativeLocation }];
  writeFileSync(join(extensions, 'extensions.json'), JSON.stringify(list));
}

/**
 * @typedef {object} Server
 * @property {number} port
 * @property {string} origin
 * @property {string} settingsFile
 * @property {string} logFile
 * @property {(options: {folder?: string, extension?: string, tests?: string, open?: string}) => string} url the
 * address of a window on a folder, with an extension under development, its in-host tests, and a file to open
 * @property {Promise<number>} exited
 * @property {() => Promise<void>} stop
 */

/**
 * Serves VS Code on 127.0.0.1, behind a connection token.
 *
 * @param {object} options
 * @param {string} options.dataDir everything the server and its windows remember
 * @param {string} [options.token] a new one if not given
 * @param {string} [options.port] a port or a range "8470-8480"; any free one if not given
 * @param {Record<string, unknown>} [options.settings] over {@link quietSettings}
 * @param {boolean} [options.keepSettings] leave a settings file that is already there alone
 * @param {string} [options.extension] the folder of an extension to have installed, and used where it is
 * @param {boolean} [options.automation] let a page load an extension under development and run in-host tests
 * @param {NodeJS.ProcessEnv} [options.env] for the server and the extension host
 * @returns {Promise<Server>}
 */
export async function startServer({ dataDir, token, port = '0', settings, keepSettings, extension, automation, env }) {
  const vscode = await ensureCodeServer();
  const userDir = join(dataDir, 'user');
  const settingsFile = join(userDir, 'User', 'settings.json');
  const tokenFile = join(dataDir, 'connection-token');
  const logFile = join(dataDir, 'server.log');
  const secret = token ?? randomBytes(24).toString('hex');
  mkdirSync(join(userDir, 'User'), { recursive: true });
  mkdirSync(join(dataDir, 'extensions'), { recursive: true });
  writeFileSync(tokenFile, secret, { mode: 0o600 });
  if (!keepSettings || !existsSync(settingsFile))
    writeFileSync(settingsFile, `${JSON.stringify({ ...quietSettings, ...settings }, null, 2)}\n`);
  if (extension) linkExtension(join(dataDir, 'extensions'), extension);

  const args = [
    ...[fileURLToPath(new URL('serverShim.mjs', import.meta.url)), join(vscode, 'out', 'server-main.js')],
    ...['--host', '127.0.0.1', '--port', port, '--connection-token-file', tokenFile],
    ...['--accept-server-license-terms', '--telemetry-level', 'off', '--disable-workspace-trust'],
    ...['--server-data-dir', dataDir, '--user-data-dir', userDir, '--extensions-dir', join(dataDir, 'extensions')],
    ...(automation ? ['--enable-smoke-test-driver'] : []),
  ];
  // A group of its own: Ctrl-C reaches us alone, and the server ends together with all it has started.
  const child = spawn(toolNode(), args, {
    detached: process.platform !== 'win32',
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, VSCODE_IPC_HOOK_CLI: undefined, EXTENSIONS_GALLERY: '{}', ...env },
  });
  const log = createWriteStream(logFile);
  /** @type {Promise<number>} */
  const exited = new Promise((resolve) => {
    child.on('error', () => resolve(127));
    child.on('exit', (code) => resolve(code ?? 1));
  });
  child.stdin.on('error', () => {});
  child.stderr.pipe(log, { end: false });
  child.stdout.pipe(log, { end: false });

  let printed = '';
  /** @type {Promise<number>} */
  const listening = new Promise((resolve) => {
    child.stdout.on('data', (chunk) => {
      if (printed.length > 100_000) return;
      printed += chunk;
      const match = /Extension host agent listening on (\d+)/.exec(printed);
      if (match) resolve(Number(match[1]));
    });
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.stdin.end();
      const force = setTimeout(() => child.kill('SIGKILL'), 5000);
      await exited;
      clearTimeout(force);
    }
    log.end();
  };
  let alarm;
  const bound = await Promise.race([
    listening,
    exited.then(() => undefined),
    new Promise((resolve) => {
      alarm = setTimeout(resolve, 60_000);
    }),
  ]);
  clearTimeout(alarm);
  if (bound === undefined) {
    await stop();
    throw new SetupError(
      `The VS Code server did not start:\n${lastLines(existsSync(logFile) ? readFileSync(logFile, 'utf8') : printed)}`,
      `Its log is ${logFile}. If a port is refused, name another with --port.`,
    );
  }

  const authority = `127.0.0.1:${bound}`;
  return {
    port: bound,
    origin: `http://${authority}`,
    settingsFile,
    logFile,
    exited,
    stop,
    url({ folder, extension, tests, open }) {
      const remote = (/** @type {string} */ path) => `vscode-remote://${authority}${encodeURI(remotePath(path))}`;
      const payload = [
        ...(extension ? [['extensionDevelopmentPath', remote(extension)]] : []),
        ...(tests ? [['extensionTestsPath', remote(tests)]] : []),
        ...(open ? [['openFile', remote(open)]] : []),
      ];
      const query = new URLSearchParams({ tkn: secret });
      if (folder) query.set('folder', remotePath(folder));
      else query.set('ew', 'true');
      if (payload.length > 0) query.set('payload', JSON.stringify(payload));
      return `http://${authority}/?${query}`;
    },
  };
}
