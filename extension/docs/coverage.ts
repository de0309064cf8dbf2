/** How much of a text its claims cover: which sentences state something that can be checked, and which are checked. */
import { sentencesOf } from './anchors.ts';
import type { PlacedClaim } from './claims.ts';
import type { RstDocument, Section, Span } from './rstTypes.ts';

export interface TextSentence extends Span {
  readonly section?: Section;
  /** It names something of the kernel, or a claim is about it. */
  readonly isCheckable: boolean;
  /** The claims about it, by id; those about its paragraph count. */
  readonly claims: readonly string[];
}

export interface Coverage {
  /** In the order of the text. */
  readonly sentences: readonly TextSentence[];
  readonly covered: number;
  readonly checkable: number;
}

/** Names as the kernel writes them, and numbers with a unit: `pfn_valid`, `name()`, `page->flags`, `ZONE_DEVICE`, `2MB`. */
const NAME = /\w_\w|\w\(\)|\w->\w|\bstruct \w|\b[A-Z]{2}[A-Z0-9]{3,}\b|\b\d+ ?(?:[KMGT]i?B|bits?|bytes?)\b/;

export function coverageOf(document: RstDocument, source: string, placed: readonly PlacedClaim[]): Coverage {
  const marks = [...document.literals, ...document.defaultRoles, ...document.roles].sort((a, b) => a.start - b.start);
  let nextMark = 0;
  const sentences: TextSentence[] = [];
  const paragraphs = document.paragraphs.filter(({ kind }) => kind !== 'field');
  for (const paragraph of [...paragraphs].sort((a, b) => a.start - b.start)) {
    const section = document.sections.find(({ body }) => body.start <= paragraph.start && paragraph.end <= body.end);
    for (const { start, end } of sentencesOf(source, paragraph)) {
      if (!/\w\W+\w/.test(source.slice(start, end))) continue;
      while ((marks[nextMark]?.end ?? Infinity) <= start) nextMark++;
      const isMarked = (marks[nextMark]?.start ?? Infinity) < end;
      const claims = placed.filter(({ place }) => place.span.start < end && start < place.span.end);
      sentences.push({
        start,
        end,
        ...(section ? { section } : {}),
        isCheckable: claims.length > 0 || isMarked || NAME.test(source.slice(start, end)),
        claims: claims.map(({ claim }) => claim.id),
      });
    }
  }
  return {
    sentences,
    covered: sentences.filter(({ claims }) => claims.length > 0).length,
    checkable: sentences.filter(({ isCheckable }) => isCheckable).length,
  };
}
