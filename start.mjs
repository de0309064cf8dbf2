// Builds Zonescope and opens it in a VS Code, on a folder with the kernel documents it is about.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const root = import.meta.dirname;
const usage = `usage: npm start -- [options] [FOLDER]

Builds Zonescope and opens it in a desktop VS Code if there is one on this machine, else in VS Code in the browser
(code-server, installed once into the cache; served on 127.0.0.1 only, behind a token).
FOLDER is opened instead of the folder with memory-model.rst, hmm.rst and the tour.

  --browser     use VS Code in the browser even where there is a desktop one
  --port PORT   serve on this port (8470, or the next free one, if not given)
  --no-open     print the address, open no browser
  --help        this text

Environment:
  ZONESCOPE_CODE   the "code" command of the desktop VS Code to use
  XDG_CACHE_HOME   where downloads and settings are kept (in a folder "zonescope")`;

/** @param {string} message */
function fail(message) {
  console.error(message);
  process.exit(2);
}

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 12))
  fail(`Node ${process.versions.node} is too old: 20.12 or later is needed.`);
if (!existsSync(join(root, 'node_modules', 'esbuild')))
  fail('The tools to build with are not installed. Run "npm ci" in this folder first.');

/** @returns {{values: {browser?: boolean, port?: string, 'no-open'?: boolean, help?: boolean}, positionals: string[]}} */
function readArguments() {
  try {
    return parseArgs({
      options: {
        browser: { type: 'boolean' },
        port: { type: 'string' },
        'no-open': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
      allowPositionals: true,
    });
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : error}\n\n${usage}`) ?? { values: {}, positionals: [] };
  }
}

const { values, positionals } = readArguments();
if (values.help) {
  console.log(usage);
  process.exit();
}
const port = values.port === undefined ? undefined : Number(values.port);
if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536))
  fail(`--port ${values.port} is no port: a number from 1 to 65535 is`);
const asked = positionals[0] === undefined ? undefined : resolve(positionals[0]);
if (asked !== undefined && !statSync(asked, { throwIfNoEntry: false })?.isDirectory()) fail(`${asked} is no folder`);

const { build } = await import('./build.mjs');
const { startServer } = await import('./test/host/codeServer.mjs');
const { findDesktop, rootArguments, runDesktop } = await import('./test/host/desktop.mjs');
const { cacheRoot } = await import('./test/setup/cache.mjs');
const { prepareWorkspace } = await import('./test/setup/documents.mjs');
const { explain, lastLines, SetupError, step } = await import('./test/setup/exec.mjs');
const { createServer } = await import('node:net');

/** Builds, and says in one line what to look at when that fails. */
async function buildExtension() {
  await step('Building Zonescope', () => build()).catch((error) => {
    throw new SetupError(`The build failed: ${error.message}`, 'Mend what is named above, then start again.');
  });
}

/** @returns {Promise<{folder: string, open: string | undefined}>} */
async function prepareFolder() {
  if (asked !== undefined) return { folder: asked, open: undefined };
  const { dir, open, missing } = await prepareWorkspace();
  if (missing !== undefined) {
    const place = join(dir, 'linux-6.12', 'Documentation', 'mm');
    console.error(
      `The kernel's own documents could not be had: ${missing}\n` +
        'The built-in tour opens without them. To have them too, copy memory-model.rst and hmm.rst from the folder\n' +
        `Documentation/mm of a Linux 6.12 source tree into\n  ${place}\nor start with the folder of a kernel tree: npm start -- FOLDER`,
    );
  }
  return { folder: dir, open };
}

/** @param {number} candidate */
function isFree(candidate) {
  return new Promise((answer) => {
    const probe = createServer();
    probe.once('error', () => answer(false));
    probe.listen(candidate, '127.0.0.1', () => probe.close(() => answer(true)));
  });
}

async function choosePort() {
  if (port !== undefined) {
    if (await isFree(port)) return String(port);
    console.error(`Port ${port} is taken; another one is used.`);
  }
  for (let candidate = 8470; candidate < 8490; candidate++) if (await isFree(candidate)) return String(candidate);
  return '0';
}

/** @param {string} url */
function openBrowser(url) {
  const isAble = process.platform !== 'linux' || process.env.DISPLAY || process.env.WAYLAND_DISPLAY;
  if (values['no-open'] || process.env.CI || !isAble) return;
  const [command, args] =
    process.platform === 'darwin'
      ? ['open', [url]]
      : process.platform === 'win32'
        ? ['rundll32', ['url.dll,FileProtocolHandler', url]]
        : ['xdg-open', [url]];
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  child.on('error', () => console.log('No browser could be opened: open the address above by hand.'));
  child.unref();
}

/** The token outlives a start, so that a window that is still open in the browser finds its way back. */
function keptToken(/** @type {string} */ dataDir) {
  const file = join(dataDir, 'connection-token');
  const kept = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  return /^[0-9a-f]{48}$/.test(kept) ? kept : undefined;
}

/**
 * @param {string} folder
 * @param {string | undefined} open
 */
async function serve(folder, open) {
  const dataDir = join(cacheRoot(), 'start');
  const token = keptToken(dataDir);
  const server = await startServer({
    dataDir,
    ...(token ? { token } : {}),
    port: await choosePort(),
    keepSettings: true,
    extension: root,
  });
  let isStopping = false;
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, async () => {
      if (isStopping) return;
      isStopping = true;
      console.log('\nStopping VS Code ...');
      await server.stop();
      process.exit(0);
    });
  }
  const url = server.url({ folder, ...(open ? { open } : {}) });
  console.log(
    `\nZonescope is open in VS Code at\n\n  ${url}\n\nThe address works on this machine only. Ctrl-C ends it.`,
  );
  openBrowser(url);
  const code = await server.exited;
  if (isStopping) return;
  throw new SetupError(`The VS Code server ended by itself (exit code ${code})`, `Its log is ${server.logFile}`);
}

try {
  await buildExtension();
  const { folder, open } = await prepareFolder();
  const desktop = values.browser ? undefined : await findDesktop();
  if (desktop) {
    const args = [`--extensionDevelopmentPath=${root}`, ...rootArguments(cacheRoot()), folder, ...(open ? [open] : [])];
    console.log(`Opening ${desktop.command} (${desktop.version}) on ${folder}`);
    const { code, output } = await runDesktop(desktop.command, args, 0);
    if (code !== 0)
      throw new SetupError(
        `${desktop.command} failed:\n${lastLines(output)}`,
        'Start with "npm start -- --browser" to use VS Code in the browser instead.',
      );
  } else await serve(folder, open);
} catch (error) {
  console.error(`\n${explain(error)}`);
  process.exitCode = 1;
}
