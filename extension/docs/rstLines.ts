/**
 * The lines of a text that are not blank, with the columns they begin at. A blank line matters only as "there was one
 * before this line", so a text of 50 MB of line ends costs nothing.
 */

const LF = 10;
const CR = 13;
const TAB = 9;
const BYTE_ORDER_MARK = 0xfeff;
/** A tab reaches to the next multiple of this (docutils' default). */
const TAB_WIDTH = 8;

export function isBlankCode(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13);
}

/** The column after `code` if it begins at `column`. */
export function nextColumn(column: number, code: number): number {
  return code === TAB ? column + TAB_WIDTH - (column % TAB_WIDTH) : column + 1;
}

export interface IndentedLines {
  /** The first line that is not part of them. */
  readonly end: number;
  /** The smallest column any of them begins at; 0 if there are none. */
  readonly column: number;
}

export class Lines {
  readonly source: string;
  count = 0;
  private starts: Uint32Array;
  private texts: Uint32Array;
  private ends: Uint32Array;
  private indents: Uint32Array;
  private gaps: Uint8Array;
  private shallower: Uint32Array;

  constructor(source: string) {
    this.source = source;
    const guess = (source.length >>> 4) + 16;
    this.starts = new Uint32Array(guess);
    this.texts = new Uint32Array(guess);
    this.ends = new Uint32Array(guess);
    this.indents = new Uint32Array(guess);
    this.gaps = new Uint8Array(guess);
    this.split();
    this.shallower = new Uint32Array(this.count);
    this.linkShallower();
  }

  /** Offset of the line's first character. */
  startAt(line: number): number {
    return this.starts[line] ?? this.source.length;
  }

  /** Offset of the first character that is not white space. */
  textAt(line: number): number {
    return this.texts[line] ?? this.source.length;
  }

  /** Offset after the last character that is not white space. */
  endAt(line: number): number {
    return this.ends[line] ?? this.source.length;
  }

  /** Column of the first character that is not white space; -1 after the last line. */
  indentAt(line: number): number {
    return line < this.count ? (this.indents[line] ?? 0) : -1;
  }

  /** Whether a blank line, or the end of the text, comes before this line. */
  gapBefore(line: number): boolean {
    return line >= this.count || this.gaps[line] === 1;
  }

  textOf(line: number): string {
    return this.source.slice(this.textAt(line), this.endAt(line));
  }

  /** Moves the beginning of a line behind a marker such as `- `: what follows is then read as a line of its own. */
  beginAt(line: number, text: number, indent: number): void {
    this.texts[line] = text;
    this.indents[line] = indent;
  }

  /**
   * The lines from `first` on that are indented by more than `indent`. Walks from each line to the next one that
   * begins further left, so it takes at most as many moves as the first line has columns.
   */
  indentedAfter(first: number, indent: number): IndentedLines {
    let line = first;
    let column = 0;
    while (line < this.count && this.indentAt(line) > indent) {
      column = this.indentAt(line);
      line = this.shallower[line] ?? this.count;
    }
    return { end: line, column };
  }

  private split(): void {
    const { source } = this;
    const hasCarriageReturns = source.includes('\r');
    let gap = true;
    let start = 0;
    while (start < source.length) {
      const end = hasCarriageReturns ? this.lineEnd(start) : indexOrEnd(source, '\n', start);
      let text = start;
      let indent = 0;
      if (start === 0 && source.charCodeAt(0) === BYTE_ORDER_MARK) text++;
      while (text < end && isBlankCode(source.charCodeAt(text))) {
        indent = nextColumn(indent, source.charCodeAt(text));
        text++;
      }
      if (text === end) {
        gap = true;
      } else {
        let last = end;
        while (isBlankCode(source.charCodeAt(last - 1))) last--;
        this.add(start, text, last, indent, gap);
        gap = false;
      }
      start = end + (source.charCodeAt(end) === CR && source.charCodeAt(end + 1) === LF ? 2 : 1);
    }
  }

  private lineEnd(from: number): number {
    const { source } = this;
    let at = from;
    while (at < source.length) {
      const code = source.charCodeAt(at);
      if (code === LF || code === CR) break;
      at++;
    }
    return at;
  }

  private add(start: number, text: number, end: number, indent: number, gap: boolean): void {
    if (this.count === this.starts.length) this.grow();
    const line = this.count++;
    this.starts[line] = start;
    this.texts[line] = text;
    this.ends[line] = end;
    this.indents[line] = indent;
    this.gaps[line] = gap ? 1 : 0;
  }

  private grow(): void {
    const size = this.starts.length * 2;
    this.starts = enlarged(this.starts, size);
    this.texts = enlarged(this.texts, size);
    this.ends = enlarged(this.ends, size);
    this.indents = enlarged(this.indents, size);
    const gaps = new Uint8Array(size);
    gaps.set(this.gaps);
    this.gaps = gaps;
  }

  private linkShallower(): void {
    const { indents, shallower, count } = this;
    for (let line = count - 1; line >= 0; line--) {
      const indent = indents[line] ?? 0;
      let next = line + 1;
      while (next < count && (indents[next] ?? 0) >= indent) next = shallower[next] ?? count;
      shallower[line] = next;
    }
  }
}

function indexOrEnd(source: string, what: string, from: number): number {
  const at = source.indexOf(what, from);
  return at < 0 ? source.length : at;
}

function enlarged(from: Uint32Array, size: number): Uint32Array {
  const to = new Uint32Array(size);
  to.set(from);
  return to;
}
