/** References that lead nowhere, or elsewhere: sections by number, by order and by place, files, labels. */
import { compareReleases, type Release, spanHolds } from '../../../../sim/index.ts';
import { sentencesOf } from '../../anchors.ts';
import type { Section, Span } from '../../rstTypes.ts';
import type { Context } from '../context.ts';
import { DOCUMENT_PATHS } from '../uses.ts';

const ORDINALS = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth'];
const BY_ORDER = new RegExp(`\\b(${ORDINALS.join('|')}|last)\\s+section\\b(?!s)`, 'gi');
const BY_NUMBER = /\bsections?\s+(\d{1,2})(?:\s*(?:to|and|through|-|–)\s*(\d{1,2}))?(?![\d.])/gi;
const BY_PLACE = /\b(next|following|previous|preceding)\s+section\b(?!s)/gi;
const PATH = /\bDocumentation\/[\w./-]{1,200}/g;
const LABEL = /^\.\. ([A-Za-z][\w-]{0,60}):[ \t]*$/gm;
/** Prose that is longer is no paragraph of a document. */
const MAX_PROSE = 1 << 16;

export function references(context: Context): void {
  const { document, source } = context.input;
  const chapters = chaptersOf(document.sections);
  for (const paragraph of document.paragraphs) {
    const span = { start: paragraph.start, end: Math.min(paragraph.end, paragraph.start + MAX_PROSE) };
    const text = source.slice(span.start, span.end);
    paths(context, span, text);
    if (!/\bsection/i.test(text)) continue;
    for (const sentence of sentencesOf(source, span)) {
      byNumber(context, sentence, chapters);
      byOrder(context, sentence, chapters);
    }
    byPlace(context, span, text);
  }
  labels(context);
}

/** The sections a reader counts: those below the title of the document. */
function chaptersOf(sections: readonly Section[]): readonly Section[] {
  const top = Math.min(...sections.map((each) => each.level));
  const atTop = sections.filter((each) => each.level === top);
  return atTop.length === 1 ? sections.filter((each) => each.level === top + 1) : atTop;
}

function byNumber(context: Context, sentence: Span, chapters: readonly Section[]): void {
  const { source } = context.input;
  const text = source.slice(sentence.start, sentence.end);
  for (const match of text.matchAll(BY_NUMBER)) {
    const from = Number(match[1]);
    const to = Number(match[2] ?? match[1]);
    const start = sentence.start + match.index;
    const span = { start, end: start + match[0].length };
    const isCounted = chapters.length > 0;
    if (!isCounted || to < from) continue;
    if (to > chapters.length) {
      context.report(
        'dangling-reference',
        'warning',
        span,
        `There is no section ${to}: this text has ${chapters.length} sections.`,
      );
      continue;
    }
    const isNumbered = chapters.every(({ titleSpan }) => /^\d/.test(source.slice(titleSpan.start, titleSpan.end)));
    if (isNumbered) continue;
    const pairs = wordPairs(text);
    const off = chapters
      .slice(from - 1, to)
      .find(({ titleSpan, end }) => !pairs.some((pair) => pair.test(source.slice(titleSpan.start, end))));
    if (off === undefined || pairs.length === 0) continue;
    context.report(
      'dangling-reference',
      'warning',
      span,
      `The sections have no numbers; counted, section ${chapters.indexOf(off) + 1} is “${plainTitle(off)}”, which is about something else.`,
      { related: [{ ...off.titleSpan, message: `section ${chapters.indexOf(off) + 1}` }] },
    );
  }
}

const plainTitle = ({ title }: Section): string => title.replace(/\s+/g, ' ');

/** Patterns for two telling words that stand together. */
function wordPairs(text: string): RegExp[] {
  const words = [...text.toLowerCase().matchAll(/[a-z]{4,}|[^\sa-z]+|[a-z]+/g)].map(([word]) => word);
  const pairs: RegExp[] = [];
  for (let i = 1; i < words.length && pairs.length < 50; i++) {
    const [a = '', b = ''] = [words[i - 1], words[i]];
    if (isTelling(a) && isTelling(b)) pairs.push(new RegExp(`\\b${a}\\s+${b}`, 'i'));
  }
  return pairs;
}

function byOrder(context: Context, sentence: Span, chapters: readonly Section[]): void {
  const text = context.input.source.slice(sentence.start, sentence.end);
  const matches = [...text.matchAll(BY_ORDER)];
  for (const [i, match] of matches.entries()) {
    const word = match[1]?.toLowerCase() ?? '';
    const number = word === 'last' ? chapters.length : ORDINALS.indexOf(word) + 1;
    const start = sentence.start + match.index;
    const span = { start, end: start + match[0].length };
    const clause = text.slice(match.index + match[0].length, matches[i + 1]?.index);
    const said = stemsOf(clause);
    // "the second section of the table" is no section of this text.
    if (said.size < 2 || /^\s+of\b/.test(clause)) continue;
    const meant = chapters[number - 1];
    if (meant === undefined) {
      if (chapters.length > 1)
        context.report(
          'dangling-reference',
          'warning',
          span,
          `There is no ${word} section: this text has ${chapters.length}.`,
        );
      continue;
    }
    const best = bestOf(chapters, said);
    if (best === undefined || best.score < 2 || best.section === meant || score(meant, said) > 0) continue;
    context.report(
      'dangling-reference',
      'warning',
      span,
      `The ${word} section is “${plainTitle(meant)}”; what is said here fits “${plainTitle(best.section)}”.`,
      { related: [{ ...best.section.titleSpan, message: 'what seems to be meant' }] },
    );
  }
}

const score = (section: Section, said: ReadonlySet<string>): number =>
  [...stemsOf(section.title)].filter((stem) => said.has(stem)).length;

function bestOf(
  chapters: readonly Section[],
  said: ReadonlySet<string>,
): { section: Section; score: number } | undefined {
  let best: { section: Section; score: number } | undefined;
  for (const section of chapters) {
    const points = score(section, said);
    if (best === undefined || points > best.score) best = { section, score: points };
  }
  return best;
}

/** A sentence that sends the reader to the section beside its own, which has to have to do with it. */
function byPlace(context: Context, paragraph: Span, text: string): void {
  const { document, source } = context.input;
  for (const match of text.matchAll(BY_PLACE)) {
    const start = paragraph.start + match.index;
    const span = { start, end: start + match[0].length };
    const isNext = /^[nf]/i.test(match[1] ?? '');
    const own = document.sections.findLastIndex(({ body }) => body.start <= start && start < body.end);
    const there = document.sections[own + (isNext ? 1 : -1)];
    if (own < 0 || there === undefined || (!isNext && own < 2)) {
      context.report('dangling-reference', 'warning', span, `There is no ${match[1]?.toLowerCase()} section.`);
      continue;
    }
    const other = source.slice(there.titleSpan.start, there.body.end);
    const names = new Set(text.match(/\b[A-Za-z]\w*_\w+/g));
    if ([...names].some((name) => other.includes(name))) continue;
    const sentences = sentencesOf(source, paragraph);
    const at = sentences.findIndex((each) => each.start <= start && start < each.end);
    const before = sentences[at - 1];
    const subject = source.slice(before?.start ?? paragraph.start, sentences[at]?.end ?? paragraph.end);
    const said = [...stemsOf(subject)];
    const spokenOf = stemsOf(other);
    const shared = said.filter((stem) => spokenOf.has(stem));
    if (said.length < 4 || shared.length * 2 >= said.length) continue;
    context.report(
      'dangling-reference',
      'warning',
      span,
      `The ${match[1]?.toLowerCase()} section is “${plainTitle(there)}”, which does not speak of this.`,
      { related: [{ ...there.titleSpan, message: `the ${match[1]?.toLowerCase()} section` }] },
    );
  }
}

const COMMON = new Set(
  'about above after also allow allows another because been before below both called could dealt deals different does each either else even every explained explains expose exposes finally follows from give gives have here into just like more most must need only other over part present presents related same section sections several some such than that their them then there these they this those through under used uses using what when where which while will with within work works would your'.split(
    ' ',
  ),
);
const isTelling = (word: string): boolean => word.length >= 4 && /^[a-z]+$/.test(word) && !COMMON.has(word);

/** The beginnings of the telling words of a text: `represented` and `represent` are the same. */
function stemsOf(text: string): Set<string> {
  const stems = new Set<string>();
  for (const [word] of text.toLowerCase().matchAll(/[a-z]{4,}/g)) if (isTelling(word)) stems.add(word.slice(0, 6));
  return stems;
}

function paths(context: Context, paragraph: Span, text: string): void {
  for (const match of text.matchAll(PATH)) {
    const path = match[0].replace(/[./-]+$/, '');
    if (!/\.(?:rst|txt)$/.test(path)) continue;
    const start = paragraph.start + match.index;
    const span = { start, end: start + path.length };
    const known = DOCUMENT_PATHS.filter((each) => each.path === path);
    if (known.some((each) => spanHolds(each, context.release))) continue;
    const [first] = known;
    if (first?.until !== undefined && compareReleases(first.until, context.release) < 0) {
      const to = movedTo(path, context.release);
      const fix = to === undefined ? undefined : { ...span, title: `Write ${to}`, text: to };
      const where = to === undefined ? '' : `: it is ${to} now`;
      context.report('no-such-file', 'warning', span, `${path} is not there in ${context.release}${where}.`, { fix });
    } else if (first !== undefined)
      context.report(
        'no-such-file',
        'warning',
        span,
        `${path} is not there in ${context.release} yet: it came with ${first.since}.`,
        { since: first.since },
      );
    else if (context.input.hasFile?.(path) === false)
      context.report('no-such-file', 'warning', span, `${path} is not in this tree.`);
  }
}

function movedTo(path: string, release: Release): string | undefined {
  let to: string | undefined = path;
  for (let step = 0; step < 5 && to !== undefined; step++) {
    const at = DOCUMENT_PATHS.find((each) => each.path === to);
    if (at === undefined || spanHolds(at, release)) return at && to;
    to = at.movedTo;
  }
  return undefined;
}

/** `.. name:` has one colon and no underscore: a comment, where a label was wanted. */
function labels(context: Context): void {
  const { document, source } = context.input;
  if (document.format !== 'rst') return;
  for (const match of source.matchAll(LABEL)) {
    const name = match[1] ?? '';
    const start = match.index;
    const end = start + match[0].trimEnd().length;
    if (document.blocks.some((block) => block.start <= start && start < block.end)) continue;
    // A comment may say anything; before a title, alone on its line, it is meant as the title's label.
    const follows = document.sections.find((section) => section.titleSpan.start > start);
    if (!follows || /[^\s=\-~^"'#*+`:.]/.test(source.slice(end, follows.titleSpan.start))) continue;
    context.report(
      'label-as-comment',
      'information',
      { start, end },
      `This is a comment: a label is written ".. _${name}:", and without the underscore nothing can refer to it.`,
      { fix: { start, end, title: 'Make it a label', text: `.. _${name}:` } },
    );
  }
}
