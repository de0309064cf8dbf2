import { readFileSync } from 'node:fs';
import { Validator } from '@cfworker/json-schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadClaims } from '../../extension/docs/claims.ts';
import { loadScenes } from '../../extension/docs/scenes.ts';
import { shapeProblems } from '../../sim/machine/schema.ts';
import { claimFiles } from '../support/kernelTexts.ts';
import { scenesJson } from '../support/sessions.ts';

const read = (path: string): unknown => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8'));
const validator = (path: string): Validator =>
  new Validator(read(path) as ConstructorParameters<typeof Validator>[0], '2020-12');
const presetFiles = ['laptop-16g', 'server-2n-pmem', 'workstation-gpu', 'qemu-2g', 'p2p-switch'].map((name) =>
  read(`sim/machine/presets/${name}.json`),
);

/** The file with one value somewhere replaced, removed or added. */
const mutated = (files: readonly unknown[]): fc.Arbitrary<unknown> =>
  fc
    .record({
      file: fc.constantFrom(...files),
      path: fc.array(fc.nat({ max: 12 }), { maxLength: 5 }),
      how: fc.constantFrom('replace', 'remove', 'add'),
      value: fc.oneof(
        fc.jsonValue({ maxDepth: 1 }),
        fc.constantFrom('0x1000', '0xzz', -1, 1.5, 2 ** 60, 'usable', '', true),
      ),
    })
    .map(({ file, path, how, value }) => {
      const copy = structuredClone(file);
      let at: unknown = copy;
      let parent: Record<string, unknown> | undefined;
      let key = '';
      for (const step of path) {
        if (typeof at !== 'object' || at === null) break;
        const keys = Object.keys(at);
        if (keys.length === 0) break;
        parent = at as Record<string, unknown>;
        key = keys[step % keys.length] ?? '';
        at = parent[key];
      }
      if (!parent) return copy;
      if (how === 'replace') parent[key] = value;
      else if (how === 'add' && !Array.isArray(parent)) parent.extra = value;
      else if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else delete parent[key];
      return copy;
    });

describe('the published schemas say what the readers accept', () => {
  it('machine files, whatever is wrong with them', () => {
    const schema = validator('sim/machine/machine.schema.json');
    fc.assert(
      fc.property(mutated(presetFiles), (file) => {
        const problems = shapeProblems(file);
        expect(!Array.isArray(problems)).toBe(schema.validate(file).valid);
        if (Array.isArray(problems))
          for (const problem of problems) expect(problem.where + problem.message).toMatch(/^\/.+/);
      }),
      { numRuns: 1500 },
    );
  });
  it('scenes', () => {
    const schema = validator('media/scene.schema.json');
    fc.assert(
      fc.property(mutated(scenesJson()), (file) => {
        const bySchema = schema.validate(file).valid;
        const { problems } = loadScenes([file]);
        // The reader also knows which releases there are.
        expect(problems.filter((problem) => !/known releases/.test(problem)).length === 0).toBe(bySchema);
      }),
      { numRuns: 1500 },
    );
  });
  it('claims and their setups', () => {
    const schema = validator('media/claim.schema.json');
    const all = claimFiles().flatMap(({ json }) => json);
    fc.assert(
      fc.property(mutated(all), (entry) => {
        const { problems } = loadClaims([entry]);
        // The reader also knows which releases there are, and looks for the setup that a claim begins with.
        const own = problems.filter((problem) => !/known releases|there is no setup|comes before itself/.test(problem));
        expect(own.length === 0, own.join()).toBe(schema.validate([entry]).valid);
      }),
      { numRuns: 3000 },
    );
  });
  it('the files of claims, whole', () => {
    const schema = validator('media/claim.schema.json');
    for (const { name, json } of claimFiles()) expect(schema.validate(json).errors, name).toEqual([]);
  });
});
