import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cacheRoot } from './cache.mjs';
import { lastLines, run, SetupError, step } from './exec.mjs';

/**
 * @param {string} name
 * @returns {string | undefined} the full path of a program on the PATH
 */
export function which(name) {
  const endings = process.platform === 'win32' ? (process.env.PATHEXT ?? '.EXE;.CMD').split(';') : [''];
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    for (const ending of endings) {
      const path = join(dir, name + ending);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // not here
      }
    }
  }
  return undefined;
}

const hasApt = () => Boolean(which('apt-get') && existsSync('/var/lib/dpkg/status'));
const patience = ['-o', 'Acquire::Retries=2', '-o', 'Acquire::http::Timeout=30', '-o', 'Acquire::https::Timeout=30'];

/** Whether this process may install system packages by itself. */
export const canInstall = () => hasApt() && process.getuid?.() === 0;

/**
 * Installs Debian packages. Call only when {@link canInstall}.
 *
 * @param {readonly string[]} packages
 */
export async function install(packages) {
  await step(`Installing ${packages.join(', ')} with apt-get`, async () => {
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    const update = await run('apt-get', [...patience, 'update'], { env, timeoutMs: 300_000 });
    const { code, output } = await run(
      'apt-get',
      [...patience, 'install', '-y', '--no-install-recommends', ...packages],
      { env, timeoutMs: 1_200_000 },
    );
    if (code !== 0)
      throw new SetupError(
        `apt-get could not install ${packages.join(', ')}:\n${lastLines(`${update.code ? update.output : ''}${output}`)}`,
        `Install ${packages.join(' and ')} by hand and run this again.`,
      );
  });
}

/**
 * Downloads one Debian package without being root. Where the machine's own package lists do not know it (a fresh
 * container has none), they are fetched into a private folder first.
 *
 * @param {string} name
 * @param {string} into an existing folder
 * @returns {Promise<{deb: string} | {why: string}>}
 */
export async function download(name, into) {
  if (!hasApt()) return { why: 'this is not a Debian-like system' };
  const fetched = () => readdirSync(into).find((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'));
  const attempt = async (/** @type {readonly string[]} */ options) => {
    const { code, output } = await run('apt-get', [...patience, ...options, 'download', name], {
      cwd: into,
      timeoutMs: 600_000,
    });
    const file = fetched();
    return code === 0 && file ? { deb: join(into, file) } : { why: lastLines(output, 3) };
  };
  const direct = await attempt([]);
  if ('deb' in direct) return direct;

  const dir = mkdtempSync(join(cacheRoot(), 'apt-'));
  try {
    for (const folder of ['state/lists/partial', 'cache/archives/partial'])
      mkdirSync(join(dir, folder), { recursive: true });
    const own = [
      ...['-o', `Dir::State=${join(dir, 'state')}`, '-o', 'Dir::State::status=/var/lib/dpkg/status'],
      ...['-o', `Dir::Cache=${join(dir, 'cache')}`, '-o', 'APT::Sandbox::User='],
    ];
    // One unreachable source among several is no reason to give up: the download decides.
    const update = await run('apt-get', [...patience, ...own, 'update'], { timeoutMs: 300_000 });
    const got = await attempt(own);
    if ('deb' in got) return got;
    const reason = /^[EW]: (Failed to fetch .*)$/m.exec(update.output)?.[1];
    return { why: reason ? `apt-get update: ${reason}` : got.why };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
