import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { which } from '../setup/apt.mjs';
import { run, SetupError } from '../setup/exec.mjs';

const oldest = [1, 100];
const places = [
  '/Applications/Visual Studio Code.app/Contents/Resources/app/bin/code',
  '/Applications/VSCodium.app/Contents/Resources/app/bin/codium',
];

/** Runs a VS Code command; on Windows that is a batch file, which only a shell can start. */
export function runDesktop(/** @type {string} */ command, /** @type {readonly string[]} */ args, timeoutMs = 30_000) {
  return /\.(cmd|bat)$/i.test(command)
    ? run('cmd.exe', ['/d', '/c', command, ...args], { timeoutMs })
    : run(command, args, { timeoutMs });
}

/**
 * The arguments without which VS Code refuses to run as root.
 *
 * @param {string} dataDir
 */
export const rootArguments = (dataDir) =>
  process.getuid?.() === 0 ? ['--no-sandbox', `--user-data-dir=${join(dataDir, 'desktop')}`] : [];

const hasScreen = () => process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);

/**
 * Finds a desktop VS Code that can show a window: the one that ZONESCOPE_CODE names, or one on the machine.
 *
 * @returns {Promise<{command: string, version: string} | undefined>}
 */
export async function findDesktop() {
  const named = process.env.ZONESCOPE_CODE;
  if (named) {
    const command = existsSync(named) ? named : which(named);
    if (!command)
      throw new SetupError(
        `ZONESCOPE_CODE names "${named}", which is no program`,
        'Give the path of the "code" command, or unset it to use VS Code in the browser.',
      );
    return { command, version: 'named by ZONESCOPE_CODE' };
  }
  if (!hasScreen()) return undefined;
  for (const command of [which('code'), which('codium'), ...places]) {
    // Inside a remote window "code" talks to that window and cannot load an extension under development.
    if (!command || !existsSync(command) || realpathSync(command).includes('remote-cli')) continue;
    const { code, output } = await runDesktop(command, ['--version']);
    const version = /^(\d+)\.(\d+)\.\d+/m.exec(output);
    if (code !== 0 || !version) continue;
    const [major, minor] = [Number(version[1]), Number(version[2])];
    if (major > (oldest[0] ?? 0) || (major === oldest[0] && minor >= (oldest[1] ?? 0)))
      return { command, version: version[0] };
    process.stderr.write(`${command} is VS Code ${version[0]}; ${oldest.join('.')} or later is needed\n`);
  }
  return undefined;
}

/**
 * The program behind a "code" command: a test run must be its parent, and the command does not wait for it.
 *
 * @param {string} command
 */
export function executableOf(command) {
  const real = realpathSync(command);
  const above = join(dirname(real), '..');
  const candidates = [
    join(above, basename(real)),
    join(above, 'Code.exe'),
    join(above, 'VSCodium.exe'),
    join(above, '..', '..', 'MacOS', 'Electron'),
  ];
  return (basename(dirname(real)) === 'bin' && candidates.find((path) => existsSync(path))) || real;
}
