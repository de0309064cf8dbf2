/**
 * The block structure of a document, read line by line. What docutils does by parsing a dedented copy of each nested
 * body anew is done here with a stack of the columns that the open bodies begin at: a line further left closes them, a
 * line further right opens one. Nothing recurses, and nothing is read twice.
 *
 * Where docutils reports an error and drops the lines, so do we, but for two things a reader would miss: a title that
 * skips a level is a title, and a table without an end, or with a ragged one, is still read.
 */
import { RstBuilder } from './rstBuilder.ts';
import { directiveKind } from './rstDirectives.ts';
import { isBlankCode, Lines, nextColumn } from './rstLines.ts';
import * as markers from './rstMarkers.ts';
import { readGridTable, readSimpleTable, type Table } from './rstTables.ts';
import type { RstDocument } from './rstTypes.ts';

/** An adornment shorter than this may be ordinary text. */
const CERTAIN_ADORNMENT = 4;

/** The line to go on with, or undefined if the lines are not what was asked for. */
type Next = number | undefined;

export function readBlocks(source: string): RstDocument {
  return new BlockReader(source).read();
}

class BlockReader {
  private readonly source: string;
  private readonly lines: Lines;
  private readonly out: RstBuilder;
  /** The columns of the open bodies, outermost first. Titles count only while there are none. */
  private readonly bodies: number[] = [];

  constructor(source: string) {
    this.source = source;
    this.lines = new Lines(source);
    this.out = new RstBuilder(this.lines);
  }

  read(): RstDocument {
    let line = 0;
    while (line < this.lines.count) {
      const indent = this.lines.indentAt(line);
      while (indent < this.column()) this.bodies.pop();
      if (indent > this.column()) this.bodies.push(indent);
      line = this.block(line, indent);
    }
    return this.out.document();
  }

  private column(): number {
    return this.bodies.at(-1) ?? 0;
  }

  /** Reads the block, or the marker of a list item, that `line` begins with. */
  private block(line: number, indent: number): number {
    return this.marked(line, indent) ?? this.adorned(line) ?? this.text(line, indent);
  }

  private marked(line: number, indent: number): Next {
    const { source, lines } = this;
    const start = lines.textAt(line);
    const end = lines.endAt(line);
    switch (source.charAt(start)) {
      case '.':
        return this.isMarker('..', start, end) ? this.explicit(line, indent) : undefined;
      case '-':
      case '+':
        if (markers.isGridBorder(source, start, end)) return this.table(readGridTable(lines, line, indent));
        return this.bullet(line) ?? this.options(line, indent);
      case '*':
      case '•':
      case '‣':
      case '⁃':
        return this.bullet(line);
      case '/':
        return this.options(line, indent);
      case ':':
        return this.field(line, indent);
      case '|':
        return this.isMarker('|', start, end) ? this.lineOfBlock(line, indent) : undefined;
      case '_':
        return this.isMarker('__', start, end) ? this.contiguousEnd(line, indent) : undefined;
      case '>':
        return this.isMarker('>>>', start, end) ? this.doctestEnd(line, indent) : undefined;
      case '=':
        if (!markers.isSimpleBorder(source, start, end, false)) return undefined;
        return this.table(readSimpleTable(lines, line, indent));
      default:
        return this.enumerated(line, indent);
    }
  }

  private isMarker(marker: string, start: number, end: number): boolean {
    const after = start + marker.length;
    return this.source.startsWith(marker, start) && (after === end || isBlankCode(this.source.charCodeAt(after)));
  }

  // ---- lists: the marker is skipped, and the rest of its line read again as the first line of a body

  private bullet(line: number): Next {
    const marker = markers.bulletAt(this.source, this.lines.textAt(line));
    return marker && this.enterKnown(line, marker.length);
  }

  private enumerated(line: number, indent: number): Next {
    const { lines } = this;
    const marker = markers.enumeratorAt(this.source, lines.textAt(line));
    if (marker === undefined) return undefined;
    const followedByText = !lines.gapBefore(line + 1) && lines.indentAt(line + 1) === indent;
    if (followedByText && !marker.isFollowedBy(lines.textOf(line + 1))) return undefined;
    return this.enterKnown(line, marker.length);
  }

  private field(line: number, indent: number): Next {
    const start = this.lines.textAt(line);
    const marker = markers.fieldAt(this.source, start, this.lines.endAt(line));
    if (marker === undefined) return undefined;
    this.out.run('field', start + 1, start + 1 + marker.nameLength);
    return this.enterUnknown(line, marker.length, indent);
  }

  private options(line: number, indent: number): Next {
    const { lines } = this;
    const start = lines.textAt(line);
    const marker = markers.optionsAt(this.source, start);
    if (marker === undefined) return undefined;
    const hasText = start + marker.length < lines.endAt(line);
    const hasBody = lines.indentAt(line + 1) > indent;
    return hasText || hasBody ? this.enterUnknown(line, marker.length, indent) : undefined;
  }

  /** Enters a body whose column is that of the text behind its marker. */
  private enterKnown(line: number, length: number): number {
    return this.enter(line, length, () => this.columnAfter(line, length));
  }

  /** Enters a body whose column is that of the lines after its first one, if there are any. */
  private enterUnknown(line: number, length: number, indent: number): number {
    return this.enter(line, length, () => {
      const rest = this.lines.indentedAfter(line + 1, indent);
      return rest.end > line + 1 ? rest.column : this.columnAfter(line, length);
    });
  }

  private enter(line: number, length: number, column: () => number): number {
    const text = this.lines.textAt(line) + length;
    if (text >= this.lines.endAt(line)) return line + 1;
    const indent = column();
    this.lines.beginAt(line, text, indent);
    this.bodies.push(indent);
    return line;
  }

  private columnAfter(line: number, length: number): number {
    const start = this.lines.textAt(line);
    let column = this.lines.indentAt(line);
    for (let at = start; at < start + length; at++) column = nextColumn(column, this.source.charCodeAt(at));
    return column;
  }

  // ---- `..`: directives, comments, targets, footnotes

  private explicit(line: number, indent: number): number {
    const { source, lines } = this;
    const start = lines.textAt(line);
    const commentEnd = () => lines.indentedAfter(line + 1, indent).end;
    let at = start + 2;
    if (at === lines.endAt(line)) return lines.gapBefore(line + 1) ? line + 1 : commentEnd();
    while (isBlankCode(source.charCodeAt(at))) at++;
    const isTarget = source.charAt(at) === '_' && !isBlankCode(source.charCodeAt(at + 1));
    if (isTarget) return this.contiguousEnd(line, indent);
    const note = markers.footnoteAt(source, at);
    if (note !== undefined) return this.enterUnknown(line, at + note.length - start, indent);
    const directive = markers.directiveAt(source, at);
    return directive === undefined ? commentEnd() : this.directive(line, indent, directive, at + directive.length);
  }

  private directive(line: number, indent: number, marker: markers.DirectiveMarker, argumentAt: number): number {
    const { source, lines, out } = this;
    const { name } = marker;
    const rest = lines.indentedAfter(line + 1, indent);
    const argument = source.slice(argumentAt, lines.endAt(line));
    out.directive(name, argument, { first: line + 1, end: rest.end });
    if (marker.isSubstitution) {
      const end = lines.endAt(this.contiguousEnd(line, indent) - 1);
      if (name === 'replace' && argumentAt < end) out.run('paragraph', argumentAt, end);
      return rest.end;
    }
    switch (directiveKind(name)) {
      case 'code':
        out.literal({ first: this.optionsEnd(line, indent), end: rest.end }, rest.column, 'directive', name, argument);
        return rest.end;
      case 'text':
        if (argument === '') return this.optionsEnd(line, indent);
        return this.enterUnknown(line, argumentAt - lines.textAt(line), indent);
      case 'titled':
        this.caption(line, indent, argumentAt);
        return this.contiguousEnd(line, indent);
      case 'wrapping':
        return this.contiguousEnd(line, indent);
      case 'opaque':
        return rest.end;
    }
  }

  /** An argument reaches to the first option or blank line. */
  private caption(line: number, indent: number, start: number): void {
    let next = line + 1;
    while (this.isContinued(next, indent) && !this.isOption(next)) next++;
    const end = this.lines.endAt(next - 1);
    if (start < end) this.out.run('caption', start, end);
  }

  /** After the option lines that follow a directive's line at once. */
  private optionsEnd(line: number, indent: number): number {
    let next = line + 1;
    while (this.isContinued(next, indent) && this.isOption(next)) next++;
    return next;
  }

  private isOption(line: number): boolean {
    const { source, lines } = this;
    const start = lines.textAt(line);
    return source.charAt(start) === ':' && markers.fieldAt(source, start, lines.endAt(line)) !== undefined;
  }

  private isContinued(line: number, indent: number): boolean {
    return !this.lines.gapBefore(line) && this.lines.indentAt(line) > indent;
  }

  private contiguousEnd(line: number, indent: number): number {
    let next = line + 1;
    while (this.isContinued(next, indent)) next++;
    return next;
  }

  // ---- titles

  private isAdornment(line: number): boolean {
    return markers.isAdornment(this.source, this.lines.textAt(line), this.lines.endAt(line));
  }

  private length(line: number): number {
    return this.lines.endAt(line) - this.lines.textAt(line);
  }

  /** A line of adornment: an overline, a transition or an error; undefined if it is text after all. */
  private adorned(line: number): Next {
    const { lines } = this;
    if (!this.isAdornment(line)) return undefined;
    const isCertain = this.length(line) >= CERTAIN_ADORNMENT;
    const otherwise = (next: number) => (isCertain ? next : undefined);
    if (this.bodies.length > 0 || lines.gapBefore(line + 1)) return otherwise(line + 1);
    const title = line + 1;
    const under = line + 2;
    if (lines.indentAt(title) === 0 && this.isAdornment(title)) return otherwise(under);
    if (lines.gapBefore(under)) return otherwise(under);
    const matches = lines.indentAt(under) === 0 && lines.textOf(under) === lines.textOf(line);
    if (!matches || (!isCertain && this.length(title) > this.length(line))) return otherwise(under + 1);
    this.out.title(title, { first: line, end: under + 1 }, `over ${this.source.charAt(lines.textAt(line))}`);
    return under + 1;
  }

  /** A title with an underline only. */
  private underlined(line: number, indent: number): Next {
    const { lines } = this;
    const under = line + 1;
    if (lines.gapBefore(under) || lines.indentAt(under) !== indent || !this.isAdornment(under)) return undefined;
    if (this.length(under) < CERTAIN_ADORNMENT && this.length(line) > this.length(under)) return undefined;
    const style = this.source.charAt(lines.textAt(under));
    if (this.bodies.length === 0) this.out.title(line, { first: line, end: under + 1 }, style);
    return under + 1;
  }

  // ---- text

  private text(line: number, indent: number): number {
    const { lines, out } = this;
    const underlined = this.underlined(line, indent);
    if (underlined !== undefined) return underlined;
    const start = lines.textAt(line);
    if (this.isContinued(line + 1, indent)) {
      out.run('term', start, lines.endAt(line));
      return line + 1;
    }
    let next = line + 1;
    while (!lines.gapBefore(next) && lines.indentAt(next) === indent) next++;
    const end = lines.endAt(next - 1);
    out.run('paragraph', start, end);
    return this.announcesLiteral(start, end) ? this.literal(next, indent) : next;
  }

  /** Whether a paragraph ends in `::`, the first colon not escaped. */
  private announcesLiteral(start: number, end: number): boolean {
    const { source } = this;
    if (!source.startsWith('::', Math.max(start, end - 2))) return false;
    let at = end - 2;
    while (at > start && source.charAt(at - 1) === '\\') at--;
    return (end - at) % 2 === 0;
  }

  private literal(first: number, indent: number): number {
    const { source, lines, out } = this;
    const { end, column } = lines.indentedAfter(first, indent);
    if (end > first) {
      out.literal({ first, end }, column, 'indented');
      return end;
    }
    const quote = source.charCodeAt(lines.textAt(first));
    if (lines.indentAt(first) !== indent || !markers.isAdornmentCode(quote)) return first;
    const isQuoted = (line: number) =>
      lines.indentAt(line) === indent && source.charCodeAt(lines.textAt(line)) === quote;
    let next = first + 1;
    while (!lines.gapBefore(next) && isQuoted(next)) next++;
    out.literal({ first, end: next }, indent, 'quoted');
    return next;
  }

  private lineOfBlock(line: number, indent: number): number {
    const next = this.contiguousEnd(line, indent);
    const end = this.lines.endAt(next - 1);
    let start = this.lines.textAt(line) + 1;
    while (start < end && isBlankCode(this.source.charCodeAt(start))) start++;
    if (start < end) this.out.run('line', start, end);
    return next;
  }

  private doctestEnd(line: number, indent: number): number {
    let next = line + 1;
    while (!this.lines.gapBefore(next) && this.lines.indentAt(next) >= indent) next++;
    return next;
  }

  private table(table: Table | undefined): Next {
    for (const { start, end } of table?.cells ?? []) this.out.run('cell', start, end);
    return table?.end;
  }
}
