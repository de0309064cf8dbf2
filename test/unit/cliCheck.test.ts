/** `zonescope check`: what it reads, what it prints in its three forms, and how it ends. */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { parseArguments } from '../../extension/cli/args.ts';
import { execute } from '../../extension/cli/commands.ts';
import type { Surroundings } from '../../extension/cli/surroundings.ts';
import { scenesJson } from '../support/sessions.ts';

const DOCUMENT = `Heterogeneous memory
====================

Names such as \`mem_sections\` and hmm_range_fault(). It is set so::

    range->default_flags = HMM_PFN_REQ_FAULT;
    range->pfn_flags_mask = 0;

That is all.
`;
const RIGHT = DOCUMENT.replace('mem_sections', 'mem_section');
const TABLE = JSON.parse(readFileSync(new URL('../../media/findings.json', import.meta.url), 'utf8')) as unknown;
const CLAIM = {
  id: 'all',
  anchor: { document: 'hmm', section: '', words: ['That is all'] },
  says: 'There are no more.',
  expect: [{ line: '1 + 1', is: '3' }],
  why: 'There are.',
};

/** A rule says the same of the name, and better. */
const NAMED = {
  ...CLAIM,
  id: 'named',
  anchor: { ...CLAIM.anchor, words: ['Names such as'] },
  expect: [{ line: 'help mem_sections', has: 'struct' }],
};

/** What runs keep for each other; each test begins with nothing. */
let kept: string | undefined;
let claims: readonly object[];
beforeEach(() => {
  kept = undefined;
  claims = [CLAIM];
});

async function zonescope(
  files: Readonly<Record<string, string>>,
  ...argv: string[]
): Promise<{ status: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const list = (folder: string): Promise<string[]> => {
    const prefix = folder === '.' ? '' : `${folder}/`;
    const inside = Object.keys(files).filter((path) => path.startsWith(prefix) && !(folder in files));
    if (inside.length === 0) return Promise.reject(new Error('no such folder'));
    return Promise.resolve([...new Set(inside.map((path) => path.slice(prefix.length).split('/')[0] ?? ''))]);
  };
  const read = (path: string): Promise<Uint8Array> =>
    files[path] === undefined
      ? Promise.reject(new Error('no such file'))
      : Promise.resolve(new TextEncoder().encode(files[path]));
  const around: Surroundings = {
    print: (text) => void out.push(text),
    complain: (text) => void err.push(text),
    async *lines() {},
    readText: async (path) => new TextDecoder().decode(await read(path)),
    readBytes: read,
    files: { exists: async (path) => path in files, list, read },
    machines: { readText: async () => undefined, list: async () => [] } as unknown as Surroundings['machines'],
    folder: '/',
    version: '1.2.3',
    cache: '/cache',
    glossary: async () => [],
    scenes: async () => scenesJson(),
    claims: async () => claims,
    findings: async () => TABLE,
    verdicts: {
      read: async () => kept,
      write: async (text) => {
        kept = text;
      },
    },
    now: () => performance.now(),
    breathe: () => new Promise((resolve) => setImmediate(resolve)),
  };
  const request = parseArguments(['check', ...argv]);
  if (request.command === 'help' || request.command === 'version') throw new Error('no request');
  return { status: await execute(request, around), out: out.join('\n'), err: err.join('\n') };
}

describe('zonescope check', () => {
  it('prints findings as compilers do, and exits 1 if there are errors', async () => {
    const { status, out } = await zonescope(
      { 'a/hmm.rst': DOCUMENT },
      '--rules-only',
      '--release',
      '6.12',
      'a/hmm.rst',
    );
    expect(out).toBe(
      'a/hmm.rst:4:16: error: mem_sections is not in the kernel, and never was: mem_section is meant. [never-existed]',
    );
    expect(status).toBe(1);
  });

  it('exits 0 if there is nothing but warnings', async () => {
    const { status, out } = await zonescope({ 'hmm.rst': RIGHT }, '--release', '6.12', 'hmm.rst');
    expect(out).toMatch(/^hmm\.rst:9:1: warning: .*There are no more\. There are\. \[claim\/all\]$/);
    expect(status).toBe(0);
  });

  it('holds a text against the release that is asked for', async () => {
    const { out } = await zonescope(
      { 'hmm.rst': RIGHT },
      '--rules-only',
      '--release',
      '6.12',
      '--against',
      '5.1',
      'hmm.rst',
    );
    expect(out).toMatch(
      /^hmm\.rst:4:\d+: error: hmm_range_fault is not there in 5\.1 yet: it came with 5\.2\. \[not-yet\]$/m,
    );
  });

  it('of an example that runs in other releases only it names those, not what its scene calls things', async () => {
    const title = 'Address space mirroring implementation and API';
    const ops = 'void (*update)(struct hmm_mirror *mirror, unsigned long start);';
    const text = `${title}\n${'='.repeat(title.length)}\n\nA mirror::\n\n  int hmm_mirror_register(struct hmm_mirror *mirror,\n                          struct mm_struct *mm);\n\nand::\n\n  struct hmm_mirror_ops {\n      ${ops}\n  };\n`;
    const { out } = await zonescope({ '5.0/hmm.rst': text }, '--release', '5.0', '--against', '6.12', '5.0/hmm.rst');
    expect(out).toMatch(/does not run in 6\.12: what it needs was there from 4\.14 to 5\.4\. \[example-fails\]/);
    expect(out).not.toContain('scene_');
  });

  it('tells of an example without an end, and goes on', async () => {
    const endless = `${RIGHT}\nNot so::\n\n    int f(int a)\n    {\n        return f(a + 1);\n    }\n\nNor so::\n\n    void g(void)\n    {\n    again:\n        goto again;\n    }\n`;
    const { out, status } = await zonescope({ 'hmm.rst': endless }, '--release', '6.12', 'hmm.rst');
    expect(out).toMatch(
      /^hmm\.rst:15:9: information: This example does not run in 6\.12: .*recursion.* \[example-fails\]$/m,
    );
    expect(out).toMatch(/^hmm\.rst:23:9: information: This example does not run in 6\.12: .* \[example-fails\]$/m);
    expect(status).toBe(0);
  });

  it('gives all of it as JSON: examples, claims, findings', async () => {
    const { out } = await zonescope({ 'hmm.rst': DOCUMENT }, '--json', '--release', '6.12', 'hmm.rst');
    expect(JSON.parse(out)).toEqual({
      files: [
        {
          file: 'hmm.rst',
          recognised: { releases: ['6.12'], by: 'names' },
          examples: [expect.objectContaining({ line: 6, endLine: 7, kind: 'assignments', findings: [] })],
          claims: [{ id: 'all', line: 9, verdict: 'fails', why: 'There are.' }],
          findings: [
            expect.objectContaining({ line: 4, column: 16, endColumn: 28, code: 'never-existed', severity: 'error' }),
            expect.objectContaining({ line: 9, column: 1, code: 'claim/all', severity: 'warning' }),
          ],
        },
      ],
    });
  });

  it('gives SARIF with a rule for each code, places, and fixes', async () => {
    const { out } = await zonescope(
      { '/k/hmm.rst': DOCUMENT },
      '--sarif',
      '--rules-only',
      '--release',
      '6.12',
      '/k/hmm.rst',
    );
    const sarif = JSON.parse(out) as {
      version: string;
      runs: { tool: { driver: { rules: object[] } }; results: object[] }[];
    };
    expect(sarif).toMatchObject({
      version: '2.1.0',
      runs: [
        {
          tool: { driver: { name: 'zonescope', version: '1.2.3' } },
          results: [
            {
              ruleId: 'never-existed',
              ruleIndex: 0,
              level: 'error',
              locations: [
                {
                  physicalLocation: {
                    artifactLocation: { uri: 'file:///k/hmm.rst' },
                    region: { startLine: 4, startColumn: 16, endLine: 4, endColumn: 28 },
                  },
                },
              ],
              fixes: [{ artifactChanges: [{ replacements: [{ insertedContent: { text: 'mem_section' } }] }] }],
            },
          ],
        },
      ],
    });
    expect(sarif.runs[0]?.tool.driver.rules).toEqual([
      {
        id: 'never-existed',
        shortDescription: { text: expect.stringContaining('no release') },
        defaultConfiguration: { level: 'error' },
      },
    ]);
  });

  it('finds the documents of a kernel tree, and takes the release of the tree', async () => {
    const tree = {
      'linux/Documentation/index.rst': '',
      'linux/Makefile': '# SPDX\nVERSION = 5\nPATCHLEVEL = 1\nSUBLEVEL = 3\n',
      'linux/Documentation/vm/hmm.rst': RIGHT.replace('That is all', 'See Documentation/vm/gone.rst'),
    };
    const { out, status } = await zonescope(tree, '--rules-only', 'linux');
    expect(status).toBe(1);
    expect(out).toMatch(/^linux\/Documentation\/vm\/hmm\.rst:4:\d+: error: hmm_range_fault is not there in 5\.1 yet/m);
    expect(out).toMatch(/Documentation\/vm\/gone\.rst is not in this tree\. \[no-such-file\]$/m);
  });

  it('keeps verdicts on claims for the next run, which judges what is new', async () => {
    const run = (...options: string[]): Promise<{ out: string }> =>
      zonescope({ 'hmm.rst': RIGHT }, '--release', '6.12', ...options, 'hmm.rst');
    const { out } = await run();
    expect(out).toContain('Not so: There are no more. There are. [claim/all]');
    expect(kept).toBe('{"6.12 all":"1 + 1"}');
    expect(await run()).toMatchObject({ out });
    // Whoever had judged it otherwise would be believed, but not of another release.
    kept = '{"6.12 all":true}';
    expect((await run()).out).not.toContain('claim/all');
    kept = '{"6.11 all":true}';
    expect((await run()).out).toBe(out);
    expect(kept).toBe('{"6.11 all":true,"6.12 all":"1 + 1"}');
  });

  it('keeps of a verdict what its finding needs', async () => {
    claims = [CLAIM, NAMED];
    const run = (): Promise<unknown> => zonescope({ 'hmm.rst': DOCUMENT }, '--release', '6.12', 'hmm.rst');
    const first = await run();
    expect(first).toMatchObject({ out: expect.not.stringContaining('claim/named') });
    expect(await run()).toEqual(first);
  });

  it('judges all anew where that is asked for', async () => {
    kept = '{"6.12 all":true}';
    const { out } = await zonescope({ 'hmm.rst': RIGHT }, '--fresh', '--release', '6.12', 'hmm.rst');
    expect(out).toContain('[claim/all]');
    expect(kept).toBe('{"6.12 all":"1 + 1"}');
  });

  it('says what it cannot use', async () => {
    const files = { 'notes.rst': 'Nothing of the kernel.\n', 'dir/x': '' };
    await expect(zonescope(files, 'notes.rst')).rejects.toThrow('notes.rst is neither memory-model nor hmm');
    await expect(zonescope(files, 'gone.rst')).rejects.toThrow('gone.rst cannot be read: no such file');
    await expect(zonescope(files, 'dir')).rejects.toThrow('there is no memory-model.rst or hmm.rst in this folder');
    expect(() => parseArguments(['check'])).toThrow('check takes FILE...');
    expect(() => parseArguments(['check', '--json', '--sarif', 'x'])).toThrow('name one');
    expect(() => parseArguments(['docs', '--sarif'])).toThrow('--sarif goes with check');
    expect(() => parseArguments(['check', '--rules-only', '--fresh', 'x'])).toThrow('name one');
    expect(() => parseArguments(['run', '--fresh', 'hmm.rst:3'])).toThrow('--fresh goes with check');
    expect(() => parseArguments(['sh', '--against', '6.12'])).toThrow('--against goes with check');
    expect(() => parseArguments(['check', '--release', '2.6', 'x'])).toThrow('no release the engine knows');
  });
});
