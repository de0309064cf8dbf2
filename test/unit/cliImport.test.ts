import { describe, expect, it } from 'vitest';
import { parseArguments, USAGE } from '../../extension/cli/args.ts';
import { execute } from '../../extension/cli/commands.ts';
import type { Surroundings } from '../../extension/cli/surroundings.ts';
import { type ImportFiles, readMachine } from '../../sim/index.ts';
import { folderOf, machineFiles } from '../support/imports.ts';

/** What the command line prints and complains of, with these files below /copy. */
async function zonescope(files: ImportFiles, ...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const around: Surroundings = {
    print: (text) => void out.push(text),
    complain: (text) => void err.push(text),
    async *lines() {},
    readText: () => Promise.reject(new Error('no such file')),
    readBytes: () => Promise.reject(new Error('no such file')),
    files: { exists: async () => false, list: async () => [], read: async () => new Uint8Array() },
    machines: folderOf(files),
    folder: '/',
    version: '0',
    cache: '/cache',
    glossary: async () => [],
    scenes: async () => [],
    claims: async () => [],
    findings: async () => ({}),
    verdicts: { read: async () => undefined, write: async () => {} },
    now: () => 0,
    breathe: () => Promise.resolve(),
  };
  const request = parseArguments(argv);
  if (request.command === 'help' || request.command === 'version') throw new Error('no request');
  const status = await execute(request, around);
  return { status, out: out.join('\n'), err: err.join('\n') };
}

describe('zonescope --from', () => {
  const files = machineFiles('b1-3G+3G');

  it('sh boots the machine of the folder, in its release, with the memory free that was free', async () => {
    const { status, out } = await zonescope(
      files,
      'sh',
      '--from',
      '/copy',
      '-c',
      'cat /proc/buddyinfo',
      '-c',
      'cat /proc/iomem',
      '-c',
      'cat /proc/version',
    );
    expect(status).toBe(0);
    expect(out).toBe(`${files.get('proc/buddyinfo')}${files.get('proc/iomem')}Linux version 6.12 (simulated)`);
  });

  it('says what it estimated, apart from what it prints', async () => {
    const { err } = await zonescope(files, 'sh', '--from', '/copy', '-c', 'cat /proc/version');
    expect(err).toMatch(/^note: which pages boot kept for itself/);
  });

  it('machine prints a machine file that can be read again', async () => {
    const { status, out } = await zonescope(files, 'machine', '--from', '/copy/');
    expect(status).toBe(0);
    const again = readMachine(out);
    expect('machine' in again && again.machine.nodes.map((node) => node.distance)).toEqual([
      [10, 20],
      [20, 10],
    ]);
  });

  it('machine --json has the release, the notes and the lines for after boot beside it', async () => {
    const { out } = await zonescope(files, 'machine', '--from', '/copy', '--json');
    const json = JSON.parse(out) as { machine: unknown; release: string; notes: string[]; setup: string[] };
    expect(readMachine(JSON.stringify(json.machine))).toHaveProperty('machine');
    expect(json.release).toBe('6.12');
    expect(json.setup).toEqual(['occupy 0 DMA32 2 0 1 4 3 1 2 3 3 1 723', 'occupy 1 Normal 1 2 2 1 1 0 2 1 1 1 747']);
    expect(json.notes.length).toBeGreaterThan(0);
  });

  it('a folder without a machine in it is refused, by the name of the file that is missing', async () => {
    await expect(zonescope(new Map(), 'sh', '--from', '/copy')).rejects.toThrow(
      /^\/copy cannot be imported:\n {2}proc\/zoneinfo: is missing/,
    );
  });

  it.each([
    [['machine'], 'machine takes --from DIR'],
    [['machine', '--from'], '--from needs a value'],
    [['machine', '--from='], '--from needs a folder'],
    [['sh', '--from', '/a', '--machine', 'qemu-2g'], 'are two machines'],
    [['docs', '--from', '/a'], '--from goes with sh and machine'],
  ])('%j is a mistake', (argv, message) => {
    expect(() => parseArguments(argv)).toThrow(message);
  });

  it('is in the usage', () => {
    expect(USAGE).toContain('zonescope machine --from DIR');
  });
});
