// Runs the modules beside this one that export `bench`, and prints their figures as one table.
//   node test/bench/run.ts [part of a module's name ...]
import { readdirSync } from 'node:fs';
import { prepareDocuments } from '../setup/documents.mjs';

/** One figure. A target such as "< 100" or ">= 30" is compared with it. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  target?: string;
}

/** What a module's `bench` is given: call it once for every figure. */
export type Report = (figure: Figure) => void;

function verdict({ value, target }: Figure): string {
  const parts = /^(<=|>=|<|>|≤|≥)\s*([\d._e]+)/.exec(target ?? '');
  if (!parts) return '';
  const bound = Number((parts[2] ?? '').replaceAll('_', ''));
  const isMet = {
    '<': value < bound,
    '<=': value <= bound,
    '≤': value <= bound,
    '>': value > bound,
    '>=': value >= bound,
    '≥': value >= bound,
  }[parts[1] as '<'];
  return isMet ? 'met' : 'MISSED';
}

function printable(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString('en');
  return value.toLocaleString('en', { maximumSignificantDigits: 4, maximumFractionDigits: 4 });
}

function print(figures: readonly Figure[]): void {
  const rows = [
    ['name', 'value', 'unit', 'target', ''],
    ...figures.map((each) => [each.name, printable(each.value), each.unit, each.target ?? '', verdict(each)]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column === 1 ? cell.padStart(widths[1] ?? 0) : cell.padEnd(widths[column] ?? 0),
    );
    console.log(cells.join('  ').trimEnd());
  }
}

const { dir, available } = await prepareDocuments();
if (available.length > 0) process.env.ZONESCOPE_DOCS = dir;

const wanted = process.argv.slice(2);
const figures: Figure[] = [];
for (const file of readdirSync(new URL('.', import.meta.url)).sort()) {
  if (!file.endsWith('.ts') || file === 'run.ts') continue;
  if (wanted.length > 0 && !wanted.some((part) => file.includes(part))) continue;
  const { bench } = (await import(new URL(file, import.meta.url).href)) as { bench?: (report: Report) => unknown };
  if (!bench) continue;
  process.stderr.write(`${file} ...\n`);
  try {
    await bench((figure) => figures.push(figure));
  } catch (error) {
    process.exitCode = 1;
    console.error(`${file} failed: ${error instanceof Error ? error.stack : error}`);
  }
}
print(figures);
