/** Asks docutils what it finds in the kernel's documents. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

export interface Found {
  readonly sections: readonly (readonly [level: number, title: string])[];
  readonly blocks: readonly string[];
  readonly literals: readonly string[];
  readonly roles: readonly (readonly [role: string, text: string])[];
  readonly defaultRoles: readonly string[];
}

export interface Verdict {
  /** The version of docutils. */
  readonly docutils: string;
  /** Spent in parsing alone. */
  readonly seconds: number;
  readonly bytes: number;
  readonly files: Readonly<Record<string, Found>>;
}

const ROOMS = ['mm', 'admin-guide/mm'];
/** Debian's own Python has Debian's docutils, whatever other Python is first in the path. */
const PYTHONS = ['python3', '/usr/bin/python3'];

/** The folders of a release's documents, or why there are none to read. */
export function foldersOf(release: string): { folders: string[] } | { missing: string } {
  const root = process.env.ZONESCOPE_DOCS;
  if (root === undefined || root === '') return { missing: 'ZONESCOPE_DOCS names no folder of kernel documents' };
  const folders = ROOMS.map((room) => join(root, release, 'Documentation', room)).filter((folder) =>
    existsSync(folder),
  );
  return folders.length > 0 ? { folders } : { missing: `there is no ${release}/Documentation/mm in ${root}` };
}

/** What docutils finds, or why it cannot be asked. */
export function askDocutils(folders: readonly string[]): Verdict | { missing: string } {
  const python = PYTHONS.find((name) => spawnSync(name, ['-c', 'import docutils']).status === 0);
  if (python === undefined) return { missing: 'no python3 here has docutils (Debian: python3-docutils)' };
  const script = fileURLToPath(new URL('./rstReferee.py', import.meta.url));
  const run = spawnSync(python, [script, ...folders], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`rstReferee.py failed: ${run.stderr}`);
  return JSON.parse(run.stdout) as Verdict;
}

export function readSource(path: string): string {
  const bytes = readFileSync(path);
  return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
}
