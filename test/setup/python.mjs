import { canInstall, install, which } from './apt.mjs';
import { run } from './exec.mjs';

/** @returns {Promise<string | undefined>} a Python 3 that has docutils */
async function find() {
  for (const name of [process.env.ZONESCOPE_PYTHON, which('python3'), '/usr/bin/python3', which('python')]) {
    if (name && (await run(name, ['-c', 'import docutils, docutils.parsers.rst'])).code === 0) return name;
  }
  return undefined;
}

/**
 * A Python 3 with docutils, the referee of the reStructuredText reader; installed where that can be done unasked.
 *
 * @returns {Promise<{python: string} | {why: string}>}
 */
export async function prepareDocutils() {
  const present = await find();
  if (present) return { python: present };
  if (!canInstall()) return { why: 'no Python 3 with docutils (Debian: python3-docutils)' };
  await install(['python3-docutils']);
  const installed = await find();
  return installed ? { python: installed } : { why: 'python3-docutils was installed, but no Python 3 imports it' };
}
