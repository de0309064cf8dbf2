/**
 * The first lines of `zonescope`. What V8 compiles while it runs is kept for the next time: half of a short run is
 * compilation otherwise. (Node's own compile cache keeps what was compiled before the program ran.)
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { constants, Script } from 'node:vm';
import * as zlib from 'node:zlib';

const HEADER = 8;
/** Once a run compiles this much more than is kept, the kept code is made anew. */
const GROWTH = 1.1;

const program = join(__dirname, 'main.cli.cjs');
const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'zonescope', 'code');
/** Not in the first releases of Node 20: there nothing is kept. */
const { crc32 } = zlib as { crc32?: (bytes: Uint8Array) => number };

/** A checksum, how much bytecode there was, and V8's data: a damaged file would end the process. */
function kept(file: string): { code: Buffer; bytecode: number } | undefined {
  try {
    const bytes = readFileSync(file);
    const code = bytes.subarray(HEADER);
    if (crc32?.(code) === bytes.readUInt32LE(0)) return { code, bytecode: bytes.readUInt32LE(4) };
  } catch {
    // Not there yet, or not readable: it is compiled.
  }
  return undefined;
}

function keep(name: string, code: Buffer, bytecode: number): void {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(crc32?.(code) ?? 0, 0);
  header.writeUInt32LE(bytecode, 4);
  const file = join(folder, name);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const other of readdirSync(folder)) if (!other.startsWith(build)) rmSync(join(folder, other));
    writeFileSync(`${file}.${process.pid}`, Buffer.concat([header, code]));
    renameSync(`${file}.${process.pid}`, file);
  } catch {
    // A home that cannot be written to: the next run compiles again.
  }
}

const source = readFileSync(program);
const build = `${crc32?.(source).toString(16)}-${source.length}`;
const name = `${build}-${process.version}-${process.arch}`;
const before = crc32 && kept(join(folder, name));
const script = new Script(
  `(function (exports, require, module, __filename, __dirname) {${source.toString('latin1')}\n})`,
  {
    filename: program,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(before ? { cachedData: before.code } : {}),
  },
);
if (crc32)
  process.on('exit', () => {
    // Not needed before.
    const { getHeapCodeStatistics } = require('node:v8') as typeof import('node:v8');
    const bytecode = getHeapCodeStatistics().bytecode_and_metadata_size;
    if (before && !script.cachedDataRejected && bytecode < before.bytecode * GROWTH) return;
    keep(name, script.createCachedData(), bytecode);
  });
script.runInThisContext()({}, require, { exports: {} }, program, dirname(program));
