/** The checker against the kernel's own documents: what is known to be wrong is found, and nothing else is said. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkDocument } from '../../extension/docs/check/check.ts';
import type { DocFinding } from '../../extension/docs/check/types.ts';
import { recognise } from '../../extension/docs/release.ts';
import { parseDocument } from '../../extension/docs/rst.ts';
import { RELEASES, type Release } from '../../sim/index.ts';
import bugs from '../fixtures/docbugs-6.12.json' with { type: 'json' };
import every from '../fixtures/findings.json' with { type: 'json' };

const { ZONESCOPE_DOCS: DOCS = '', ZONESCOPE_TEXTS: TEXTS = '' } = process.env;

/** Where a text may be: 6.12 and 6.1 are in the distribution's packages, others in a folder someone names. */
const pathOf = (release: string, file: string): string | undefined =>
  [
    ...(DOCS === '' ? [] : [join(DOCS, release, 'Documentation/mm', file)]),
    ...(TEXTS === '' ? [] : [join(TEXTS, release, file)]),
  ].find((path) => existsSync(path));

async function found(
  path: string,
  against?: Release,
  edit: (source: string) => string = (source) => source,
): Promise<{ source: string; findings: DocFinding[] }> {
  const source = edit(readFileSync(path, 'utf8'));
  const { document: kind, releases } = await recognise(path, source);
  if (kind === undefined) throw new Error(`${path} is not recognised`);
  const document = parseDocument(path, source);
  const input = { document, source, kind, releases, ...(against ? { against } : {}) };
  return { source, findings: checkDocument(input) };
}

const lineOf = (source: string, { start }: DocFinding): number => source.slice(0, start).split('\n').length;

describe.each(['hmm', 'memory-model'])('in the %s.rst of 6.12', (document) => {
  const path = pathOf('6.12', `${document}.rst`);
  for (const { id, lines, code } of bugs.filter((bug) => bug.document === document))
    it(`${id} is found by the rule ${code}`, async (context) => {
      if (path === undefined) return context.skip('there is no text of 6.12: set ZONESCOPE_DOCS');
      const { source, findings } = await found(path);
      const at = findings.filter((finding) => finding.code === code).map((finding) => lineOf(source, finding));
      expect(at).toEqual(expect.arrayContaining(lines));
    });
});

describe('of each text', () => {
  for (const [name, expected] of Object.entries(every)) {
    const [release = '', file = ''] = name.split('/');
    const path = pathOf(release, file);
    it(`${name} everything that is said has been looked at and is true`, async (context) => {
      if (path === undefined) return context.skip(`there is no ${name}: set ZONESCOPE_DOCS or ZONESCOPE_TEXTS`);
      const { source, findings } = await found(path);
      expect(findings.map((finding) => `${lineOf(source, finding)} ${finding.code}`)).toEqual(expected);
    });

    it(`${name} held against other releases says what drifted, and of its own release no more`, async (context) => {
      if (path === undefined) return context.skip(`there is no ${name}: set ZONESCOPE_DOCS or ZONESCOPE_TEXTS`);
      const own = (await found(path)).findings.map(({ code, start }) => `${start} ${code}`);
      const same = (await found(path, (await recognise(path, readFileSync(path, 'utf8'))).releases.at(-1))).findings;
      // What its other releases have may be gone in the one.
      expect(same.map(({ code, start }) => `${start} ${code}`)).toEqual(expect.arrayContaining(own));
      for (const against of RELEASES.filter((_, index) => index % 6 === 0)) {
        const { findings, source } = await found(path, against);
        for (const { start, end, message, since, code } of findings) {
          expect(start <= end && end <= source.length, code).toBe(true);
          if (code === 'not-yet')
            expect(RELEASES.indexOf(since as never), message).toBeGreaterThan(RELEASES.indexOf(against));
          if (code === 'gone-name')
            expect(RELEASES.indexOf(since as never), message).toBeLessThanOrEqual(RELEASES.indexOf(against));
        }
      }
    });
  }
});

describe('a text held against another release', () => {
  it('is told what came later, what ended, and what took its place', async (context) => {
    const path = pathOf('6.12', 'hmm.rst');
    if (path === undefined) return context.skip('there is no text of 6.12: set ZONESCOPE_DOCS');
    const said = (findings: readonly DocFinding[]): string => findings.map(({ message }) => message).join('\n');
    const old = said((await found(path, '5.7')).findings);
    expect(old).toMatch(/^HMM_PFN_REQ_FAULT is not there in 5\.7 yet: it came with 5\.8\.$/m);
    expect(old).toMatch(/^pgmap_owner of struct migrate_vma is not there in 5\.7 yet/m);
    expect(old).toMatch(/^Documentation\/mm\/page_migration\.rst is not there in 5\.7 yet/m);
    const newer = said((await found(path, '7.3')).findings);
    expect(newer).toMatch(
      /^make_device_exclusive_range cannot be called in 7\.3: .* make_device_exclusive took its place\.$/m,
    );
  });

  it('of memory-model gets a fix where a callback has a new name', async (context) => {
    const path = pathOf('6.12', 'memory-model.rst');
    if (path === undefined) return context.skip('there is no text of 6.12: set ZONESCOPE_DOCS');
    const { source, findings } = await found(path, '7.3');
    const renamed = findings.find(({ since }) => since === '6.19');
    expect(renamed?.fix?.text).toBe('folio_free');
    expect(source.slice(renamed?.fix?.start, renamed?.fix?.end)).toBe('page_free');
  });
});

describe('the hmm.rst of 6.12, mended', () => {
  const path = pathOf('6.12', 'hmm.rst');

  it('by its fixes has none of what they fix', async (context) => {
    if (path === undefined) return context.skip('there is no text of 6.12: set ZONESCOPE_DOCS');
    const before = await found(path);
    const mended = await found(path, '6.12', (source) =>
      [...before.findings]
        .sort((a, b) => (b.fix?.start ?? 0) - (a.fix?.start ?? 0))
        .reduce((text, { fix }) => (fix ? text.slice(0, fix.start) + fix.text + text.slice(fix.end) : text), source),
    );
    const fixable = new Set(before.findings.filter(({ fix }) => fix).map(({ code }) => code));
    expect([...fixable].sort()).toEqual([
      'member-operator',
      'mismatched-name',
      'missing-parenthesis',
      'no-such-field',
      'unbalanced-call',
    ]);
    expect(mended.findings.filter(({ code }) => fixable.has(code))).toEqual([]);
    expect(mended.findings).toHaveLength(before.findings.filter(({ fix }) => !fix).length);
  });

  it('by taking out the sections that were put in refers to the others rightly', async (context) => {
    if (path === undefined) return context.skip('there is no text of 6.12: set ZONESCOPE_DOCS');
    const { source, findings } = await found(path, '6.12', (text) => {
      const { sections } = parseDocument('hmm.rst', text);
      return sections
        .filter(({ title }) => /pfn_flags_mask|^Exclusive/.test(title))
        .reduceRight((rest, { titleSpan, end }) => rest.slice(0, titleSpan.start) + rest.slice(end), text);
    });
    const said = findings.map(({ start, end }) => source.slice(start, end));
    expect(said).not.toContain('fifth section');
    expect(said).not.toContain('sections 5 to 7');
    expect(said).toContain('last section');
  });

  it('by what it forgets has no leak, no unset field and no result that nobody looks at', async (context) => {
    if (path === undefined) return context.skip('there is no text of 6.12: set ZONESCOPE_DOCS');
    const mend = (text: string): string =>
      text
        .replace(/^( *)return ret;$/m, '$1{ mmput(interval_sub.mm); return ret; }')
        .replace(/^( *)return 0;$/m, '$1mmput(interval_sub.mm);\n$1return 0;')
        .replace('struct hmm_range range;', 'struct hmm_range range = { 0 };')
        .replace('struct dev_pagemap pagemap;', 'struct dev_pagemap pagemap = { .owner = driver };')
        .replace('memremap_pages(&pagemap', 'addr = memremap_pages(&pagemap')
        .replace('pagemap.type =', 'if (IS_ERR(res))\n        return PTR_ERR(res);\n    pagemap.type =');
    const { findings } = await found(path, '6.12', mend);
    const gone = ['leak', 'uninitialised-field', 'missing-field', 'unchecked-result'];
    expect(findings.filter(({ code }) => gone.includes(code))).toEqual([]);
  });
});
