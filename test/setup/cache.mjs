import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const heartbeatMs = 5_000;
const silentMs = 60_000;

/** Where things that can be fetched again are kept, outside the project. Made if it is not there. */
export function cacheRoot() {
  const base =
    process.env.XDG_CACHE_HOME ||
    (process.platform === 'darwin'
      ? join(homedir(), 'Library', 'Caches')
      : process.platform === 'win32'
        ? process.env.LOCALAPPDATA || join(homedir(), 'AppData', 'Local')
        : join(homedir(), '.cache'));
  const dir = join(base, 'zonescope');
  mkdirSync(dir, { recursive: true });
  return dir;
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/**
 * Takes the lock file, or says who holds it. A holder touches its lock as long as it lives, so a lock whose
 * process is gone, or that nobody has touched for a minute (a process id can be used again), is taken over.
 *
 * @param {string} path
 * @returns {number | undefined} the process id of the holder, if it is not us
 */
function tryLock(path) {
  try {
    writeFileSync(path, `${process.pid}\n`, { flag: 'wx' });
    return undefined;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
  }
  let held = '';
  let silent = 0;
  try {
    held = readFileSync(path, 'utf8');
    silent = Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0; // released between the two looks
  }
  const holder = Number(held);
  if (silent < silentMs && (holder === 0 || isAlive(holder))) return holder;
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
    // Another process may have taken the dead lock over first: then what we moved is its lock, and goes back.
    if (readFileSync(aside, 'utf8') !== held) linkSync(aside, path);
  } catch {
    // someone else was faster; the next round sees theirs
  }
  rmSync(aside, { force: true });
  return 0;
}

/**
 * Runs `work` while no other process runs it under the same name.
 *
 * @template T
 * @param {string} path of the lock file
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(path, work) {
  mkdirSync(dirname(path), { recursive: true });
  let told = false;
  for (let holder = tryLock(path); holder !== undefined; holder = tryLock(path)) {
    if (holder && !told) {
      process.stderr.write(`Waiting for process ${holder}, which is preparing the same thing (${path})\n`);
      told = true;
    }
    await sleep(holder ? 300 : 20);
  }
  const heartbeat = setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // the cache was removed under us: the work itself will say so
    }
  }, heartbeatMs);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    rmSync(path, { force: true });
  }
}
