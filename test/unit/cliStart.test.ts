// How `zonescope` starts: it keeps what V8 compiled, and never depends on it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as zlib from 'node:zlib';
import * as esbuild from 'esbuild';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const built = mkdtempSync(join(tmpdir(), 'zonescope-cli-'));
const home = join(built, 'cache');
const folder = join(home, 'zonescope', 'code');

beforeAll(async () => {
  for (const [entry, outfile] of [
    ['start', 'cli.cjs'],
    ['cli', 'main.cli.cjs'],
  ])
    await esbuild.build({
      entryPoints: [join(root, `extension/main.${entry}.ts`)],
      outfile: join(built, outfile ?? ''),
      bundle: true,
      format: 'cjs',
      platform: 'node',
      define: { 'process.env.ZONESCOPE_VERSION': '"1.2.3"' },
    });
});
beforeEach(() => rmSync(home, { recursive: true, force: true }));
afterAll(() => rmSync(built, { recursive: true, force: true }));

const zonescope = (args: readonly string[], cache = home, flags: readonly string[] = []): string =>
  execFileSync(process.execPath, [...flags, join(built, 'cli.cjs'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, XDG_CACHE_HOME: cache },
  });
const shell = ['sh', '--machine', 'qemu-2g', '-c', 'cat /proc/buddyinfo'];
/** The file with the code, of which there is one. */
function kept(): string {
  const files = readdirSync(folder);
  expect(files).toHaveLength(1);
  return join(folder, files[0] ?? '');
}

// The first releases of Node 20 cannot tell damage: there nothing is kept.
describe.skipIf(!('crc32' in zlib))('zonescope keeps what V8 compiled', () => {
  it('and uses it in the next run, which keeps nothing anew', () => {
    const first = zonescope(shell);
    expect(first).toMatch(/^Node 0, zone +DMA/);
    const { ino, mtimeMs } = statSync(kept());
    expect(zonescope(shell)).toBe(first);
    expect(statSync(kept())).toMatchObject({ ino, mtimeMs });
  });

  it('and V8 says that it took the code', () => {
    const log = join(built, 'v8.log');
    const taken = (): boolean => {
      zonescope(['version'], home, ['--log-function-events', '--no-logfile-per-isolate', `--logfile=${log}`]);
      return /^function,deserialize,.*main\.cli\.cjs$/m.test(readFileSync(log, 'utf8'));
    };
    expect([taken(), taken()]).toEqual([false, true]);
  });

  it('anew, once a run needs more than is kept', () => {
    expect(zonescope(['version'])).toBe('1.2.3\n');
    const { size } = statSync(kept());
    zonescope(shell);
    expect(statSync(kept()).size).toBeGreaterThan(size * 1.1);
  });

  it('but runs none that was damaged', () => {
    const first = zonescope(shell);
    const file = kept();
    const bytes = readFileSync(file);
    for (let i = bytes.length >> 2; i < bytes.length; i += 1000) bytes[i] = (bytes[i] ?? 0) ^ 0xff;
    for (const damaged of [bytes, bytes.subarray(0, 5000), bytes.subarray(0, 3)]) {
      writeFileSync(file, damaged);
      expect(zonescope(shell)).toBe(first);
      expect(readFileSync(file).equals(damaged)).toBe(false);
    }
  });

  it('nowhere, where nothing can be written', () => {
    expect(zonescope(['version'], join(built, 'cli.cjs'))).toBe('1.2.3\n');
  });

  it('and lets go what an older version kept', () => {
    zonescope(['version']);
    const old = join(folder, 'abc-1-v20.0.0-x64');
    writeFileSync(old, '');
    zonescope(shell);
    expect(kept()).not.toBe(old);
  });
});
