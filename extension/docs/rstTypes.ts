/**
 * What our reader finds in a reStructuredText document. Every offset is a UTF-16 offset into the source as given:
 * carriage returns and tabs keep their places, so an offset can be handed to an editor as it is.
 */

/** Half-open: `source.slice(start, end)`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Section {
  /** 1 for the outermost style of title; the style that appears next is 2, and so on. */
  readonly level: number;
  /** The title as written, without its lines of adornment. */
  readonly title: string;
  readonly titleSpan: Span;
  /** From the end of the title to the next title of any level. */
  readonly body: Span;
  /** Where the section ends, its subsections included. */
  readonly end: number;
}

/** A block shown verbatim. `dedent` gives its text without the common indentation. */
export interface LiteralBlock extends Span {
  /** From the start of the first line, indentation included, to the last visible character. */
  readonly start: number;
  readonly end: number;
  /** The column, with tabs at every 8, where the text of the block begins. */
  readonly column: number;
  readonly form: 'indented' | 'quoted' | 'directive';
  /** The name of the directive that made it, such as `code-block`. */
  readonly directive?: string;
  /** What the directive, or the last `highlight` directive, says. */
  readonly language?: string;
}

/** Inline text between marks. The span holds the marks, `text` does not; line ends in it have become one space. */
export interface Marked extends Span {
  readonly text: string;
  /** The text without the marks, as it stands in the source. */
  readonly inner: Span;
}

export interface Role extends Marked {
  /** In lower case: `c:func`. */
  readonly role: string;
}

export interface Directive extends Span {
  /** In lower case. */
  readonly name: string;
  /** What follows the `::` on its line. */
  readonly argument: string;
  /** The indented lines below, options included; empty if there are none. */
  readonly body: Span;
}

/** A run of ordinary text: nothing in it belongs to another run. */
export interface Paragraph extends Span {
  readonly kind: 'paragraph' | 'term' | 'field' | 'line' | 'cell' | 'caption';
}

export interface RstDocument {
  readonly format: 'rst' | 'plain';
  readonly sections: readonly Section[];
  readonly blocks: readonly LiteralBlock[];
  /** ``like this`` */
  readonly literals: readonly Marked[];
  /** `like this`, which kernel documents use for code. */
  readonly defaultRoles: readonly Marked[];
  readonly roles: readonly Role[];
  readonly directives: readonly Directive[];
  readonly paragraphs: readonly Paragraph[];
}

/** The same lists while they are being filled. */
export interface RstLists {
  blocks: LiteralBlock[];
  literals: Marked[];
  defaultRoles: Marked[];
  roles: Role[];
  directives: Directive[];
  paragraphs: Paragraph[];
}

/** A title as it is met; `sectionsOf` adds what can only be known at the end of the text. */
export interface Title {
  readonly level: number;
  readonly title: string;
  readonly titleSpan: Span;
  /** The start of the overline, or of the title line if there is none. */
  readonly start: number;
  /** The end of the underline. */
  readonly bodyStart: number;
}

export function emptyLists(): RstLists {
  return { blocks: [], literals: [], defaultRoles: [], roles: [], directives: [], paragraphs: [] };
}

/** Gives every title its extent. */
export function sectionsOf(titles: readonly Title[], length: number): Section[] {
  const sections: Section[] = [];
  // Titles that begin at or after this one, by level: the nearest one of the same or an outer level ends a section.
  const nextAt: number[] = [];
  let next = length;
  for (let i = titles.length - 1; i >= 0; i--) {
    const title = titles[i];
    if (title === undefined) continue;
    const { level, titleSpan, bodyStart, start } = title;
    sections.push({
      level,
      title: title.title,
      titleSpan,
      body: { start: bodyStart, end: next },
      end: nextAt[level] ?? length,
    });
    next = start;
    // Levels are few (one for each style of adornment), and inner ones end here too.
    for (let inner = level; inner < MAX_LEVELS; inner++) nextAt[inner] = start;
  }
  return sections.reverse();
}

/** There are 32 characters to adorn with, each as an underline or with an overline; levels count from 1. */
const MAX_LEVELS = 65;
