/** The text of a literal block as a compiler would read it, and the way back to the document. */
import { isBlankCode, nextColumn } from './rstLines.ts';
import type { LiteralBlock } from './rstTypes.ts';

interface DedentedLine {
  /** Offset of the line in the dedented text. */
  readonly text: number;
  /** Spaces that stand for the indentation which is left. */
  readonly pad: number;
  /** Offset of the line in the source. */
  readonly source: number;
  /** Offset of the line's first visible character in the source. */
  readonly content: number;
  /** Visible characters and what stands between them. */
  readonly length: number;
}

export interface DedentedText {
  /** Lines end in `\n`, without white space before it; the last line has none. */
  readonly text: string;
  /** Offset in the document of an offset in `text`. */
  toSource(offset: number): number;
  /** The reverse; offsets outside the block give the nearest end. */
  toText(offset: number): number;
}

export function dedent(source: string, block: LiteralBlock): DedentedText {
  const lines: DedentedLine[] = [];
  const parts: string[] = [];
  let text = 0;
  let start = block.start;
  while (start <= block.end) {
    const end = lineEnd(source, start, block.end);
    let content = start;
    let indent = 0;
    while (content < end && isBlankCode(source.charCodeAt(content))) {
      indent = nextColumn(indent, source.charCodeAt(content));
      content++;
    }
    let last = end;
    while (last > content && isBlankCode(source.charCodeAt(last - 1))) last--;
    const isEmpty = content === last;
    const pad = isEmpty ? 0 : Math.max(0, indent - block.column);
    const length = last - content;
    lines.push({ text, pad, source: start, content: isEmpty ? start : content, length });
    parts.push(' '.repeat(pad) + source.slice(content, last));
    text += pad + length + 1;
    start = end + (source.startsWith('\r\n', end) ? 2 : 1);
  }
  return {
    text: parts.join('\n'),
    toSource(offset) {
      const line = lines[lastAtOrBefore(lines, offset, (l) => l.text)];
      if (line === undefined) return block.start;
      const within = Math.max(0, Math.min(offset - line.text, line.pad + line.length));
      if (within >= line.pad) return line.content + within - line.pad;
      return Math.max(line.source, line.content - (line.pad - within));
    },
    toText(offset) {
      const line = lines[lastAtOrBefore(lines, offset, (l) => l.source)];
      if (line === undefined) return 0;
      const within = Math.max(-line.pad, Math.min(offset - line.content, line.length));
      return line.text + line.pad + within;
    },
  };
}

function lineEnd(source: string, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const code = source.charCodeAt(at);
    if (code === 10 || code === 13) break;
    at++;
  }
  return at;
}

function lastAtOrBefore(lines: readonly DedentedLine[], offset: number, key: (line: DedentedLine) => number): number {
  let low = 0;
  let high = lines.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    const line = lines[middle];
    if (line !== undefined && key(line) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
