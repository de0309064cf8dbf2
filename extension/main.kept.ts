/** Files that the command line keeps between its runs, in the user's cache, each for one build of the program. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import * as zlib from 'node:zlib';

/** Not in the first releases of Node 20: there nothing is kept. */
export const { crc32 } = zlib as { crc32?: (bytes: Uint8Array) => number };

export const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'zonescope');

/** A name for what the bytes of some files are. */
export const nameOfBuild = (...files: readonly Uint8Array[]): string =>
  files.map((bytes) => `${crc32?.(bytes).toString(16)}-${bytes.length}`).join('-');

/** Behind a checksum; undefined where there is none, or it is damaged. */
export function readKept(file: string): Buffer | undefined {
  try {
    const bytes = readFileSync(file);
    const content = bytes.subarray(4);
    if (crc32?.(content) === bytes.readUInt32LE(0)) return content;
  } catch {
    // Not there yet, or not readable: it is made again.
  }
  return undefined;
}

/** Replaces the file, and what other builds kept beside it. */
export function writeKept(file: string, build: string, content: Uint8Array): void {
  if (crc32 === undefined) return;
  const folder = dirname(file);
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32(content));
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(folder)) if (!name.startsWith(build)) rmSync(join(folder, name));
    writeFileSync(`${file}.${process.pid}`, Buffer.concat([sum, content]));
    renameSync(`${file}.${process.pid}`, file);
  } catch {
    // A home that cannot be written to: the next run makes it again.
  }
}
