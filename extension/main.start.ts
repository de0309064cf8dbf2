/**
 * The first lines of `zonescope`. What V8 compiles while it runs is kept for the next time: otherwise much of a short run
 * is compilation. (Node's own compile cache keeps what was compiled before the program ran.)
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { constants, Script } from 'node:vm';
import { CACHE, crc32, nameOfBuild, readKept, writeKept } from './main.kept.ts';

/** Once a run compiles this much more than is kept, the kept code is made anew. */
const GROWTH = 1.1;

const program = join(__dirname, 'main.cli.cjs');
const source = readFileSync(program);
const build = nameOfBuild(source);
const file = join(CACHE, 'code', `${build}-${process.version}-${process.arch}`);
/** How much bytecode there was, and V8's data. A damaged file would end the process. */
const kept = readKept(file);
const script = new Script(
  `(function (exports, require, module, __filename, __dirname) {${source.toString('latin1')}\n})`,
  {
    filename: program,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(kept ? { cachedData: kept.subarray(4) } : {}),
  },
);
if (crc32)
  process.on('exit', () => {
    // Not needed before.
    const { getHeapCodeStatistics } = require('node:v8') as typeof import('node:v8');
    const bytecode = getHeapCodeStatistics().bytecode_and_metadata_size;
    if (kept && !script.cachedDataRejected && bytecode < kept.readUInt32LE(0) * GROWTH) return;
    const size = Buffer.alloc(4);
    size.writeUInt32LE(bytecode);
    writeKept(file, build, Buffer.concat([size, script.createCachedData()]));
  });
script.runInThisContext()({}, require, { exports: {} }, program, dirname(program));
