import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '');

/** A failure whose message says what was wrong, and whose advice says what to do about it. */
export class SetupError extends Error {
  /**
   * @param {string} message
   * @param {string} advice
   */
  constructor(message, advice) {
    super(message);
    this.name = 'SetupError';
    this.advice = advice;
  }
}

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env] added to this process's environment; a value of undefined removes one
 * @property {number} [timeoutMs]
 * @property {boolean} [show] pass the output through instead of collecting it
 */

/**
 * Runs a program to its end. A program that is missing, fails or takes too long is a result, not an exception.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<{code: number, output: string}>} 127 when the program does not exist, 124 when it took too long
 */
export function run(command, args, { cwd, env, timeoutMs, show = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    });
    let output = '';
    let late = false;
    const collect = (/** @type {Buffer} */ chunk) => {
      output += chunk;
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    const alarm = timeoutMs
      ? setTimeout(() => {
          late = true;
          child.kill('SIGTERM');
          setTimeout(() => child.kill('SIGKILL'), 5000).unref();
        }, timeoutMs)
      : undefined;
    child.on('error', (error) => {
      clearTimeout(alarm);
      resolve({ code: 127, output: error.message });
    });
    child.on('close', (code) => {
      clearTimeout(alarm);
      resolve({ code: late ? 124 : (code ?? 1), output });
    });
  });
}

/** @param {string} output */
export const lastLines = (output, count = 12) => output.trim().split('\n').slice(-count).join('\n');

/**
 * Runs npm in a folder that is not this project.
 *
 * @param {string} cwd
 * @param {readonly string[]} args
 */
export function npm(cwd, args) {
  const own = process.env.npm_execpath;
  // What an enclosing `npm start` says about this project must not steer an installation elsewhere.
  const env = Object.fromEntries(
    Object.keys(process.env)
      .filter((key) =>
        /^npm_(package|lifecycle)_|^npm_config_(local_prefix|prefix|global_prefix|omit|include)$/i.test(key),
      )
      .map((key) => [key, undefined]),
  );
  if (own && basename(own) === 'npm-cli.js') return run(process.execPath, [own, ...args], { cwd, env });
  return process.platform === 'win32'
    ? run('cmd.exe', ['/d', '/c', 'npm', ...args], { cwd, env })
    : run('npm', args, { cwd, env });
}

/**
 * The Node for servers and tools: 22.15 or later. This process's own if it is new enough, else the project's.
 *
 * @returns {string} the path of an executable
 */
export function toolNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 15)) return process.execPath;
  const own = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (existsSync(own)) return own;
  throw new SetupError(
    `Node ${process.versions.node} is too old to serve VS Code, and node_modules/node holds no newer one`,
    'Run "npm ci" with install scripts allowed, or use Node 22.15 or later.',
  );
}

/**
 * Shows that a long step is alive: a running clock on a terminal, a line every 15 seconds elsewhere.
 *
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(title, work) {
  const began = Date.now();
  const seconds = () => `${((Date.now() - began) / 1000).toFixed(0)} s`;
  const live = process.stderr.isTTY;
  process.stderr.write(`${title} ...${live ? '' : '\n'}`);
  const clock = setInterval(
    () => process.stderr.write(live ? `\r${title} ... ${seconds()}` : `${title} ... ${seconds()}\n`),
    live ? 1000 : 15_000,
  );
  const finish = (/** @type {string} */ word) =>
    process.stderr.write(`${live ? '\r' : ''}${title}: ${word} (${seconds()})\n`);
  try {
    const result = await work();
    finish('done');
    return result;
  } catch (error) {
    finish('failed');
    throw error;
  } finally {
    clearInterval(clock);
  }
}

/**
 * Says what failed and what to do, for a person.
 *
 * @param {unknown} error
 */
export function explain(error) {
  if (error instanceof SetupError) return `${error.message}\n${error.advice}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
