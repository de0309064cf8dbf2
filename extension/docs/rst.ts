/** Reads a document: reStructuredText, or the plain text that `hmm.txt` was before it became `hmm.rst` in 4.18. */
import { readPlainText } from './plainText.ts';
import { readBlocks } from './rstBlocks.ts';
import type { RstDocument } from './rstTypes.ts';

export type { Directive, LiteralBlock, Marked, Paragraph, Role, RstDocument, Section, Span } from './rstTypes.ts';

/**
 * Finds sections, code and marked text, with UTF-16 offsets into `source` as given. Takes any text: what is broken is
 * read as docutils reads it, and takes time in proportion to the length of the text.
 */
export function parseRst(source: string): RstDocument {
  return readBlocks(source);
}

/** As `parseRst`, for a text without markup: numbered titles, and code that is known by its indentation only. */
export function parsePlainText(source: string): RstDocument {
  return readPlainText(source);
}

/** Reads a document by the name of its file. Sphinx keeps its sources as `.rst.txt`, which is reStructuredText. */
export function parseDocument(path: string, source: string): RstDocument {
  const isPlain = /\.txt(?:\.gz)?$/.test(path) && !/\.rst\.txt(?:\.gz)?$/.test(path);
  return isPlain ? parsePlainText(source) : parseRst(source);
}
