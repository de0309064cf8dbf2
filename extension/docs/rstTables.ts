/** Finds the text of table cells, line by line: a mark that wraps inside a cell is not joined. */
import type { Lines } from './rstLines.ts';
import { isSimpleBorder } from './rstMarkers.ts';
import type { Span } from './rstTypes.ts';

export interface Table {
  /** The first line after the table. */
  readonly end: number;
  /** The cells' texts, without the white space around them, in the order of the source. */
  readonly cells: readonly Span[];
}

const BAR = 124;
const PLUS = 43;
const EQUALS = 61;

/** A table drawn with `+`, `-` and `|`; it ends at a blank line. */
export function readGridTable(lines: Lines, first: number, indent: number): Table {
  const { source } = lines;
  const cells: Span[] = [];
  let line = first;
  do {
    const start = lines.textAt(line);
    const end = lines.endAt(line);
    const code = source.charCodeAt(start);
    if (code !== BAR && code !== PLUS) break;
    if (code === BAR) {
      let from = start + 1;
      while (from < end) {
        const bar = indexBefore(source, '|', from, end);
        addTrimmed(cells, source, from, bar);
        from = bar + 1;
      }
    }
    line++;
  } while (!lines.gapBefore(line) && lines.indentAt(line) === indent);
  return { end: line, cells };
}

/**
 * A table whose columns are underlined with `=`. It ends at its second border, or its third if there is a head.
 * Undefined if there is no border to end it.
 */
export function readSimpleTable(lines: Lines, first: number, indent: number): Table | undefined {
  const { source } = lines;
  const isBorder = (line: number) =>
    lines.indentAt(line) === indent && isSimpleBorder(source, lines.textAt(line), lines.endAt(line), true);
  let borders = 0;
  let last = first + 1;
  for (; lines.indentAt(last) >= indent; last++) {
    if (!isBorder(last)) continue;
    borders++;
    if (borders === 2 || lines.gapBefore(last + 1) || lines.indentAt(last + 1) < indent) break;
  }
  if (lines.indentAt(last) < indent) return undefined;
  const columns = columnsOf(source, lines.textAt(first), lines.endAt(first));
  const cells: Span[] = [];
  for (let line = first + 1; line < last; line++) {
    if (isRule(source, lines.textAt(line), lines.endAt(line))) continue;
    addCells(cells, lines, line, indent, columns);
  }
  return { end: last + 1, cells };
}

/** Where the columns of a simple table begin, counted from its left edge. */
function columnsOf(source: string, start: number, end: number): number[] {
  const columns: number[] = [];
  for (let at = start; at < end; at++) {
    const isFirst = at === start || source.charCodeAt(at - 1) !== EQUALS;
    if (source.charCodeAt(at) === EQUALS && isFirst) columns.push(at - start);
  }
  return columns;
}

function addCells(cells: Span[], lines: Lines, line: number, indent: number, columns: readonly number[]): void {
  const end = lines.endAt(line);
  // Offset of the table's left edge on this line: the text may begin further right.
  const edge = lines.textAt(line) - (lines.indentAt(line) - indent);
  for (let i = 0; i < columns.length; i++) {
    const next = columns[i + 1];
    const from = Math.max(edge + (columns[i] ?? 0), lines.textAt(line));
    const to = next === undefined ? end : Math.min(edge + next, end);
    if (from >= end) break;
    if (from < to) addTrimmed(cells, lines.source, from, to);
  }
}

/** A border, or an underline of spanning columns. */
function isRule(source: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const char = source.charAt(at);
    if (char !== '=' && char !== '-' && char !== ' ') return false;
  }
  return true;
}

function addTrimmed(cells: Span[], source: string, from: number, to: number): void {
  let start = from;
  let end = to;
  while (start < end && source.charAt(start).trim() === '') start++;
  while (end > start && source.charAt(end - 1).trim() === '') end--;
  if (start < end) cells.push({ start, end });
}

function indexBefore(source: string, char: string, from: number, end: number): number {
  for (let at = from; at < end; at++) if (source.charAt(at) === char) return at;
  return end;
}
