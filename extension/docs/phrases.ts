/** Finds phrases in a text: one walk down a tree of characters from the beginning of each word. */
import { isBlankCode } from './rstLines.ts';

interface Node {
  readonly next: Map<number, Node>;
  id?: string;
}

const HYPHEN = 45;
const SPACE = 32;

export interface PhraseMatch {
  readonly id: string;
  readonly end: number;
}

export class PhraseTree {
  private readonly root: Node = { next: new Map() };

  /** The first of equal phrases counts. White space in a phrase matches any white space, line ends included. */
  constructor(phrases: Iterable<{ readonly id: string; readonly phrase: string }>) {
    for (const { id, phrase } of phrases) {
      const text = phrase.trim().replace(/\s+/g, ' ').toLowerCase();
      if (text === '') continue;
      let node = this.root;
      for (let i = 0; i < text.length; i++) {
        const code = text.charCodeAt(i);
        let next = node.next.get(code);
        if (next === undefined) {
          next = { next: new Map() };
          node.next.set(code, next);
        }
        node = next;
      }
      node.id ??= id;
    }
  }

  /** The longest phrase that begins at `at` and ends, as a whole word, no later than `limit`. */
  longestAt(source: string, at: number, limit: number): PhraseMatch | undefined {
    let node: Node | undefined = this.root;
    let found: PhraseMatch | undefined;
    let i = at;
    while (i < limit) {
      const code = source.charCodeAt(i);
      if (isBlankCode(code)) {
        const blankEnd = this.blankEnd(source, i, limit);
        const isHyphenated = i > at && source.charCodeAt(i - 1) === HYPHEN && source.slice(i, blankEnd).includes('\n');
        // A word divided at the end of a line: `page-` and `table` are `page-table`.
        if (!isHyphenated) node = node.next.get(SPACE);
        i = blankEnd;
      } else {
        node = node.next.get(lowerCase(code));
        i++;
      }
      if (node === undefined) break;
      if (node.id !== undefined && !isBlankCode(code) && isWordEnd(source, i, limit)) found = { id: node.id, end: i };
    }
    return found;
  }

  private blankEnd(source: string, from: number, limit: number): number {
    let at = from;
    while (at < limit && isBlankCode(source.charCodeAt(at))) at++;
    return at;
  }
}

function lowerCase(code: number): number {
  if (code >= 65 && code <= 90) return code + 32;
  return code < 128 ? code : String.fromCharCode(code).toLowerCase().charCodeAt(0);
}

export function isWordCode(code: number): boolean {
  return (
    (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95 || code > 127
  );
}

/** Whether no word goes on at `at`. */
function isWordEnd(source: string, at: number, limit: number): boolean {
  return at >= limit || !isWordCode(source.charCodeAt(at)) || !isWordCode(source.charCodeAt(at - 1));
}
