/** What a debugger's user interface sees of an example, as transcripts. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { examplesOf } from '../../extension/docs/examples.ts';
import { parseRst } from '../../extension/docs/rst.ts';
import type { Release } from '../../sim/index.ts';
import { Client, expectTranscript } from '../support/debugClient.ts';
import { allScenes, DEVICE_MEMORY, newSession } from '../support/sessions.ts';

const PATH = '/hmm.rst';
const URI = 'file:///hmm.rst';

/** The example of a document around a line, launched as the editor does. */
function open(source: string, line: number, variant = 'as-written', releases: readonly Release[] = ['6.12']): Client {
  const { session } = newSession();
  const document = parseRst(source);
  return new Client({
    session,
    texts: { [URI]: source },
    resolve: () => {
      const offset =
        source
          .split('\n')
          .slice(0, line - 1)
          .join('\n').length + 1;
      const found = examplesOf(document, source, 'hmm', releases, allScenes()).find(
        ({ block }) => block.start <= offset && offset <= block.end,
      );
      if (!found) throw new Error('there is no example here');
      const { scene, text, toSource } = found;
      return { kind: 'block', request: { scene, variant, text, toDocument: toSource, uri: URI, releases } };
    },
  });
}

const lineOf = (text: string, words: string): number => text.slice(0, text.indexOf(words)).split('\n').length;

describe('an example of a document, debugged', () => {
  it('stops at a breakpoint, steps into the kernel and out of it, and back', async () => {
    const client = open(DEVICE_MEMORY, 10, 'owner-set');
    await client.start(
      { program: PATH },
      { path: PATH, lines: [{ line: lineOf(DEVICE_MEMORY, 'memremap_pages(') }, { line: 1 }] },
    );
    await client.show('Locals');
    await client.show('Locals', 'pagemap');
    await client.go('stepIn');
    await client.show('Arguments');
    await client.go('stepIn');
    await client.go('stepOut');
    await client.go('next');
    await client.show('Machine', 'Node 0', 'Device');
    await client.go('stepBack');
    await client.show('Machine', 'Node 0');
    await client.go('stepBack');
    await client.go('next');
    await client.go('reverseContinue');
    await client.go('reverseContinue');
    await client.go('continue');
    await client.go('continue');
    await client.go('continue');
    expectTranscript('launch-break-step-in-out-back', client);
  });
});

const ROOT = process.env.ZONESCOPE_DOCS ?? '';
describe('the 6.12 text', () => {
  it('loses the range while it is paused, sees -EBUSY, and goes around again', async (context) => {
    const path = join(ROOT, '6.12/Documentation/mm/hmm.rst');
    if (ROOT === '' || !existsSync(path)) return context.skip(`there is no ${path}: set ZONESCOPE_DOCS`);
    const source = readFileSync(path, 'utf8');
    const line = lineOf(source, 'driver_populate_range(');
    const client = open(source, line);
    await client.start(
      { program: PATH },
      { path: PATH, lines: [{ line: lineOf(source, 'ret = hmm_range_fault(&range)') }] },
    );
    await client.show('Locals');
    await client.go('next');
    await client.evaluate('ret');
    await client.show('Locals', 'range');
    expectTranscript('driver-populate-range-6.12', client);
    expect(1).toBe(1);
  });
});
