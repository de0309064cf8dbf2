/**
 * Blocks and files of C, mutilated: whatever is done to them, reading and running them ends, soon, with a value or a
 * message that has a place. ZONESCOPE_TIER=long runs 100,000.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BudgetExceeded, CStop } from '../../sim/c/environment.ts';
import { parseC } from '../../sim/c/parse.ts';
import { BadAccess } from '../../sim/c/value.ts';
import {
  blockProgram,
  evaluateInFrame,
  fileProgram,
  functionsOf,
  holesOf,
  type Machine,
  type Program,
  type ProgramSpec,
} from '../../sim/index.ts';
import { Deadlock, BudgetExceeded as PointsExceeded } from '../../sim/machine/machine.ts';
import { boot, sh } from '../support/machines.ts';
import '../support/seed.ts';

const isLong = process.env.ZONESCOPE_TIER === 'long';
const RUNS = isLong ? 100_000 : 3000;
/** Milliseconds that any one of them may take: far more than any should, on a machine that does other things. */
const LIMIT = 5000;
const STEPS = 400;

const fixtures = join(import.meta.dirname, '../fixtures/drivers');
const FILES = readdirSync(fixtures).map((name) => readFileSync(join(fixtures, name), 'utf8'));
const SNIPPETS = [
  'int hmm_range_fault(struct hmm_range *range);\nlong other(struct page *page, int n);',
  'struct hmm_range { struct mmu_interval_notifier *notifier; unsigned long start:3, end; union { int a; char b[4]; }; };',
  '#define TWICE(x, ...) ((x) + (x), ##__VA_ARGS__)\n#if defined(A) && LINUX_VERSION_CODE > KERNEL_VERSION(5, 1, 0)\nint n = TWICE(2);\n#else\nint n = TWICE(TWICE(1));\n#endif\nreturn n #n ## n;',
  'LIST_HEAD(all); struct e { int v; struct list_head l; } one = { .v = 1 }, *at; list_add(&one.l, &all); list_for_each_entry(at, &all, l) pr_info("%d %pR %s\\n", at->v, at, "x");',
  'int t[2][3] = { [0 ... 1] = { 1, [2] = 3 } }, *p = &t[1][0]; char s[8]; snprintf(s, sizeof(s), "%*d", 5, p[2]); return ({ int k = strlen(s); k << 2; });',
  'unsigned long pfn = 0x1000; struct page *page = pfn_to_page(pfn); get_page(page); mmap_read_lock(mm); put_page(page); mmap_read_unlock(mm);',
  'again:\n  ret = /* how */;\n  if (ret == -EBUSY)\n    goto again;\n  take(driver->update);\n  ...\n  switch (ret) { case 1 ... 3: break; default: return ret; }',
];
/** Blocks of the documents, where a folder of them is known. */
function documents(): string[] {
  const folder = process.env.ZONESCOPE_DOCS;
  if (!folder) return [];
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\/(hmm|memory-model)\.rst$/.test(name),
  );
  return names.flatMap((name) =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(/::\n\n((?:[ \t]+\S.*\n|\s*\n)+)/g)].map(
      (block) => block[1] ?? '',
    ),
  );
}
const SEEDS = [...SNIPPETS, ...FILES, ...documents()];
const PIECES = SEEDS.map((text) => text.match(/\w+|[ \t]+|\n|[^\w\s]{1,2}/g) ?? []);
const ODD = [
  '(',
  ')',
  '{',
  '}',
  '[',
  ']',
  ';',
  ',',
  '...',
  '/*',
  '*/',
  '"',
  "'",
  '#',
  '##',
  '\\',
  '0x',
  '1e9',
  '->',
  '.',
  '*',
  '&',
  '=',
  '?',
  ':',
  '#define A A A\n',
  '#if 1\n',
  '#endif\n',
  'sizeof',
  'struct',
  'goto x;',
  'return',
  'for (;;)',
  'kmalloc(1UL << 30, 0)',
  '\u0000',
  '\ud800',
  'é',
  '9999999999999999999999',
];

const change = fc.tuple(fc.nat(9), fc.nat(), fc.nat(), fc.nat());
const mutated = fc
  .tuple(fc.nat(SEEDS.length - 1), fc.array(change, { minLength: 1, maxLength: 10 }))
  .map(([seed, changes]) => {
    const all = PIECES[seed] ?? [];
    // Of a whole file a window, so that what is changed also runs.
    const from = all.length > 600 ? (changes[0]?.[1] ?? 0) % (all.length - 500) : 0;
    const isWhole = all.length <= 600 || changes.length % 2 === 0;
    const pieces = isWhole ? [...all] : all.slice(from, from + 500);
    for (const [kind, a, b, c] of changes) {
      const at = a % (pieces.length + 1);
      const other = PIECES[b % PIECES.length] ?? [];
      if (kind < 2) pieces.splice(at, 1 + (c % 6));
      else if (kind < 4) pieces.splice(at, kind - 2, ODD[b % ODD.length] ?? '');
      else if (kind < 6) pieces.splice(at, 1, other[c % Math.max(1, other.length)] ?? '');
      else if (kind < 8)
        pieces.splice(at, 0, ...other.slice(c % Math.max(1, other.length), (c % Math.max(1, other.length)) + 10));
      else if (kind === 8) pieces.splice(at, 0, ...pieces.slice(at, at + (c % 20)));
      else pieces.splice(at);
    }
    return pieces.join('');
  });

let machine: Machine | undefined;
let used = 0;
/** A machine with a process; a new one now and then, since what runs on it stays. */
function someMachine(): Machine {
  if (!machine || ++used % 200 === 0) {
    machine = boot('qemu-2g', (['6.12', '5.4', '4.14', '7.3'] as const)[Math.floor(used / 200) % 4]);
    sh(machine, 'p = proc new app', 'a = proc mmap p 4', 'proc write p a 2 7');
  }
  return machine;
}
const isTyped = (error: Error | undefined): boolean =>
  error === undefined ||
  [CStop, BadAccess, BudgetExceeded, Deadlock, PointsExceeded].some((each) => error instanceof each);

function drive(spec: ProgramSpec, on: Machine): Program {
  const { position } = on;
  const program = on.start(spec);
  for (let steps = 0; steps < STEPS; steps++) {
    const stop = on.advance(program);
    if (stop === 'waiting' || stop === 'done' || stop === 'failed') break;
  }
  if (!program.isOver) {
    const seen = evaluateInFrame(on, program, program.frames.length - 1, 'sizeof(int) + n');
    expect(seen.ok || seen.message.length > 0).toBe(true);
    on.stop(program);
  }
  on.travel(position);
  return program;
}

describe('mutilated C', { timeout: isLong ? 7_200_000 : 300_000 }, () => {
  it(`ends in time, with a value or a message that has a place (${RUNS} texts)`, () => {
    const seen = { done: 0, failed: 0, other: 0, slowest: 0 };
    fc.assert(
      fc.property(mutated, fc.boolean(), fc.boolean(), (text, isFile, declarations) => {
        const on = someMachine();
        const began = performance.now();
        for (const hole of holesOf(text, { declarations })) expect(hole.end).toBeLessThanOrEqual(text.length);
        for (const { span, message } of parseC(text, 'block').findings) {
          expect(message).not.toBe('');
          expect(span.end).toBeLessThanOrEqual(text.length);
        }
        const source = { label: 'mutation', text, holes: {}, standIns: {} };
        const entry = isFile ? functionsOf(text)[0]?.name : undefined;
        const { spec, findings } = isFile
          ? fileProgram(on.kernel, { ...source, ...(entry === undefined ? {} : { entry }) })
          : blockProgram(on.kernel, { ...source, declarations });
        const program = drive(spec, on);
        if (!isTyped(program.error)) throw program.error;
        expect(findings.length).toBeLessThan(5000);
        const took = performance.now() - began;
        seen.slowest = Math.max(seen.slowest, took);
        expect(took).toBeLessThan(LIMIT);
        if (program.status === 'done') seen.done++;
        else if (program.status === 'failed') seen.failed++;
        else seen.other++;
      }),
      { numRuns: RUNS, endOnFailure: isLong },
    );
    // Some of each, or the mutations are too tame, or too wild.
    expect(seen.done).toBeGreaterThan(RUNS / 100);
    expect(seen.failed).toBeGreaterThan(RUNS / 100);
    if (isLong) console.log(seen);
  });
});
