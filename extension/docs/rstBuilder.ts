/** Collects what the block reader meets, in lines, and turns it into spans. */
import { InlineReader } from './rstInline.ts';
import type { Lines } from './rstLines.ts';
import {
  type Directive,
  emptyLists,
  type LiteralBlock,
  type Paragraph,
  type RstDocument,
  type RstLists,
  sectionsOf,
  type Title,
} from './rstTypes.ts';

/** Lines `first` up to, not including, `end`. */
export interface LineRange {
  readonly first: number;
  readonly end: number;
}

export class RstBuilder {
  private readonly lines: Lines;
  private readonly lists: RstLists = emptyLists();
  private readonly inline: InlineReader;
  private readonly titles: Title[] = [];
  /** Styles of title in the order they were met. */
  private readonly styles: string[] = [];
  /** The language of the last `highlight` directive. */
  private language: string | undefined;

  constructor(lines: Lines) {
    this.lines = lines;
    this.inline = new InlineReader(lines.source, this.lists);
  }

  document(): RstDocument {
    return { format: 'rst', sections: sectionsOf(this.titles, this.lines.source.length), ...this.lists };
  }

  /** Ordinary text: its inline marks are read at once. */
  run(kind: Paragraph['kind'], start: number, end: number): void {
    this.lists.paragraphs.push({ kind, start, end });
    this.inline.read(start, end);
  }

  /** docutils refuses a title that skips a level; to a reader it is a title all the same. */
  title(line: number, adornment: LineRange, style: string): void {
    const { lines } = this;
    let known = this.styles.indexOf(style);
    if (known < 0) known = this.styles.push(style) - 1;
    const titleSpan = { start: lines.textAt(line), end: lines.endAt(line) };
    this.titles.push({
      level: known + 1,
      title: lines.textOf(line),
      titleSpan,
      start: lines.startAt(adornment.first),
      bodyStart: lines.endAt(adornment.end - 1),
    });
    this.inline.read(titleSpan.start, titleSpan.end);
  }

  literal(range: LineRange, column: number, form: LiteralBlock['form'], directive?: string, language?: string): void {
    if (range.first >= range.end) return;
    const spoken = language || this.language;
    this.lists.blocks.push({
      start: this.lines.startAt(range.first),
      end: this.lines.endAt(range.end - 1),
      column,
      form,
      ...(directive === undefined ? {} : { directive }),
      ...(spoken === undefined ? {} : { language: spoken }),
    });
  }

  /** `body` are the indented lines below the directive's own, which is the one before them. */
  directive(name: string, argument: string, body: LineRange): void {
    const { lines } = this;
    const line = body.first - 1;
    const end = lines.endAt(body.end - 1);
    this.lists.directives.push({
      name,
      argument,
      start: lines.textAt(line),
      end,
      body: body.first < body.end ? { start: lines.startAt(body.first), end } : { start: end, end },
    } satisfies Directive);
    if (name === 'highlight') this.language = argument === 'none' || argument === '' ? undefined : argument;
  }
}
