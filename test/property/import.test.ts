import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ImportFiles, importMachine, Machine } from '../../sim/index.ts';
import { machineFiles, RECORDED } from '../support/imports.ts';

const RUNS = Number(process.env.ZONESCOPE_PROPERTY_RUNS ?? 150);

/** What a bad disk, a bad copy or a bad mind does to a text. */
const mutation = fc.oneof(
  fc.record({ kind: fc.constant('cut' as const), at: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({
    kind: fc.constant('insert' as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    text: fc.oneof(
      fc.string({ maxLength: 12 }),
      fc.constantFrom(
        '0',
        '9',
        'f',
        '-',
        ' ',
        '\n',
        '\0',
        '99999999',
        'ffffffffffff',
        ': System RAM',
        'Node 3, zone Normal\n',
      ),
    ),
  }),
  fc.record({
    kind: fc.constant('digit' as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    digit: fc.constantFrom('0', '1', '7', '9', 'f'),
  }),
  fc.record({
    kind: fc.constant('line' as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    to: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.record({ kind: fc.constant('drop' as const), at: fc.double({ min: 0, max: 1, noNaN: true }) }),
);
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(text: string, change: Mutation): string | undefined {
  const place = Math.floor(change.at * text.length);
  switch (change.kind) {
    case 'cut':
      return text.slice(0, place);
    case 'insert':
      return text.slice(0, place) + change.text + text.slice(place);
    case 'digit': {
      // The next digit there is.
      const next = text.slice(place).search(/[0-9a-f]/);
      return next < 0 ? text : text.slice(0, place + next) + change.digit + text.slice(place + next + 1);
    }
    case 'line': {
      const lines = text.split('\n');
      const [line = ''] = lines.splice(Math.floor(change.at * lines.length), 1);
      lines.splice(Math.floor(change.to * lines.length), 0, line);
      return lines.join('\n');
    }
    case 'drop':
      return undefined;
  }
}

/** Files that are read, so that most changes matter. */
const FILES = [
  'proc/zoneinfo',
  'proc/iomem',
  'dmesg',
  'proc/cpuinfo',
  'proc/cmdline',
  'proc/meminfo',
  'proc/buddyinfo',
];
const SYSFS = /^sys\//;

function check(files: ImportFiles): void {
  const start = performance.now();
  const result = importMachine(files, 'mutated');
  expect(performance.now() - start).toBeLessThan(20_000);
  if ('problems' in result) {
    expect(result.problems).toHaveLength(1);
    // The file comes first, the line behind it where there is one.
    expect(result.problems[0]).toMatch(/^(proc|sys|dmesg|the folder)\S*: \S/);
    expect(result.problems[0]?.length).toBeLessThan(600);
    return;
  }
  // What is taken boots, and everything that was estimated or differs is said in words.
  const { kernel } = new Machine(result.config, result.release ?? '6.12');
  for (const zone of kernel.nodes.flatMap((node) => node.node_zones)) {
    expect(zone.managed_pages).toBeLessThanOrEqual(zone.present_pages);
    expect(zone.present_pages).toBeLessThanOrEqual(zone.spanned_pages);
    expect(zone.nr_free).toBeLessThanOrEqual(zone.managed_pages);
  }
  for (const note of result.notes) expect(note.what.length).toBeLessThan(2000);
}

describe('copies of a machine that were damaged', () => {
  it('are imported or refused with a file and a line, never anything else, and soon', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...RECORDED),
        fc.array(fc.record({ file: fc.nat({ max: 999 }), change: mutation }), { minLength: 1, maxLength: 6 }),
        (name, changes) => {
          const files = machineFiles(name);
          const sysfs = [...files.keys()].filter((path) => SYSFS.test(path));
          for (const { file, change } of changes) {
            const path = file % 4 === 0 ? sysfs[file % sysfs.length] : FILES[file % FILES.length];
            if (path === undefined) continue;
            const text = mutate(files.get(path) ?? '', change);
            if (text === undefined) files.delete(path);
            else files.set(path, text);
          }
          check(files);
        },
      ),
      { numRuns: RUNS, interruptAfterTimeLimit: 120_000 },
    );
  }, 180_000);

  it('so are files that were never any', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...FILES), fc.string({ maxLength: 400, unit: 'binary' })), (texts) =>
        check(new Map(Object.entries(texts))),
      ),
      { numRuns: RUNS },
    );
  }, 60_000);
});
