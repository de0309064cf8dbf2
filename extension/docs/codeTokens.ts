/** The names a kernel text writes, from a place in it: `struct x`, `a->b.c()`, `-EBUSY`, `CONFIG_X`, paths. */

/** A piece of text that an index may know, under any of `names`, the likeliest first. */
export interface Candidate {
  readonly start: number;
  readonly end: number;
  readonly names: readonly string[];
  readonly form: 'struct' | 'call' | 'name';
  /** Whether it can only be code: it has an underscore, an arrow, a call or only capitals. */
  readonly isCode: boolean;
}

export interface Token {
  /** Nothing before it needs to be looked at again. */
  readonly end: number;
  /** Longer ones first. Of those that are known only such count as do not overlap an earlier one. */
  readonly candidates: readonly Candidate[];
}

/** Paths with more members are read in pieces, and so are names longer than the patterns below allow. */
const MAX_MEMBERS = 8;

const SLASH = 47;
const STAR = 42;
const LF = 10;
const CR = 13;

const TAG = /(struct|union|enum)(\s+)([A-Za-z_](?:\w|\\_){0,127})/y;
const FILE_PATH = /[A-Za-z][\w.-]{0,39}(?:\/[\w.-]{1,40}){1,8}/y;
const ERRNO = /-E[A-Z0-9]{1,16}(?![\w])/y;
const LEADING_ARROW = /->(?=[A-Za-z_])/y;
const NAME = /[A-Za-z_](?:\w|\\_){0,127}/y;
const MEMBER = /(->|\.)(?=[A-Za-z_])/y;
const CALL = /\(\)?/y;
const NUMBER = /\d[\w.]{0,31}/y;

function matchAt(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}

/** The token at `at`, where a word, `->` or `-E` begins. Undefined if nothing that can be a name does. */
export function tokenAt(source: string, at: number, limit: number): Token | undefined {
  const token =
    errnoAt(source, at, limit) ?? tagAt(source, at, limit) ?? pathAt(source, at, limit) ?? membersAt(source, at, limit);
  return token;
}

function errnoAt(source: string, at: number, limit: number): Token | undefined {
  const match = matchAt(ERRNO, source, at);
  if (match === null || at + match[0].length > limit) return undefined;
  const end = at + match[0].length;
  const names = [match[0], match[0].slice(1)];
  return { end, candidates: [{ start: at, end, names, form: 'name', isCode: true }] };
}

function tagAt(source: string, at: number, limit: number): Token | undefined {
  const match = matchAt(TAG, source, at);
  if (match === null || at + match[0].length > limit) return undefined;
  const [whole, tag = '', gap = '', written = ''] = match;
  const name = unescaped(written);
  const end = at + whole.length;
  const candidates: Candidate[] = [{ start: at, end, names: [`${tag} ${name}`], form: 'struct', isCode: true }];
  // "an array of struct pages"
  if (name.endsWith('s')) {
    candidates.push({ start: at, end, names: [`${tag} ${name.slice(0, -1)}`], form: 'struct', isCode: true });
  }
  const nameStart = at + tag.length + gap.length;
  candidates.push({ start: nameStart, end, names: [name], form: 'struct', isCode: looksLikeCode(name) });
  // Where "union" is a plain word, what follows it is read anew.
  return { end: at + tag.length, candidates };
}

/** `Documentation/mm/hmm.rst`: without a full stop at its end. */
function pathAt(source: string, at: number, limit: number): Token | undefined {
  const match = matchAt(FILE_PATH, source, at);
  if (match === null) return undefined;
  const text = match[0].slice(0, limit - at).replace(/[.-]+$/, '');
  if (!text.includes('/') || !/[._]/.test(text)) return undefined;
  const candidates: Candidate[] = [{ start: at, end: at + text.length, names: [text], form: 'name', isCode: true }];
  return { end: at + text.indexOf('/'), candidates };
}

interface Part {
  readonly start: number;
  readonly end: number;
  readonly name: string;
  /** What connects it to the part before it. */
  readonly link: string;
}

/** `name`, `name()`, `->name()`, `a->b.c`: every run of parts, longer ones first. */
function membersAt(source: string, at: number, limit: number): Token | undefined {
  const parts: Part[] = [];
  let link = matchAt(LEADING_ARROW, source, at)?.[0] ?? '';
  let end = at + link.length;
  while (parts.length < MAX_MEMBERS) {
    const match = matchAt(NAME, source, end);
    if (match === null || end + match[0].length > limit) break;
    const start = end;
    end += match[0].length;
    parts.push({ start, end, name: unescaped(match[0]), link });
    link = matchAt(MEMBER, source, end)?.[0] ?? '';
    if (link === '') break;
    end += link.length;
  }
  const last = parts.at(-1);
  if (last === undefined) return numberAt(source, at, limit);
  const call = (matchAt(CALL, source, last.end)?.[0] ?? '').slice(0, limit - last.end);
  const candidates: Candidate[] = [];
  for (let length = parts.length; length >= 1; length--) {
    for (let first = 0; first + length <= parts.length; first++) {
      const isLast = first + length === parts.length;
      candidates.push(candidateOf(parts.slice(first, first + length), isLast ? call : ''));
    }
  }
  return { end: last.end + (call === '()' ? 2 : 0), candidates };
}

function candidateOf(parts: readonly Part[], call: string): Candidate {
  const [first] = parts;
  const last = parts.at(-1);
  if (first === undefined || last === undefined) throw new RangeError('a candidate has at least one part');
  const path = parts.map((part, i) => (i === 0 ? part.name : part.link + part.name)).join('');
  // An arrow before the first part belongs to it only where nothing stands before the arrow, as in `->page_free()`.
  const arrow = parts.length === 1 && first.link === '->' ? '->' : '';
  const names = new Set<string>();
  if (call !== '') for (const text of [`${arrow}${path}()`, `${path}()`]) names.add(text);
  for (const text of [`${arrow}${path}`, path, path.replaceAll('->', '.')]) names.add(text);
  return {
    start: first.start,
    end: last.end + (call === '()' ? 2 : 0),
    names: [...names],
    form: call === '' ? 'name' : 'call',
    isCode: parts.length > 1 || call === '()' || arrow !== '' || looksLikeCode(path),
  };
}

/** `2MB`. */
function numberAt(source: string, at: number, limit: number): Token | undefined {
  const match = matchAt(NUMBER, source, at);
  if (match === null) return undefined;
  const text = match[0].slice(0, limit - at).replace(/\.+$/, '');
  const end = at + text.length;
  return { end, candidates: [{ start: at, end, names: [text], form: 'name', isCode: false }] };
}

function looksLikeCode(name: string): boolean {
  return name.includes('_') || /^[A-Z][A-Z0-9]{2,}$/.test(name);
}

function unescaped(name: string): string {
  return name.includes('\\') ? name.replaceAll('\\', '') : name;
}

/** Spans of C comments in a piece of code: prose inside code. An unclosed one reaches to the end. */
export function commentsIn(source: string, start: number, end: number): { start: number; end: number }[] {
  const comments: { start: number; end: number }[] = [];
  for (let at = start; at + 1 < end; at++) {
    if (source.charCodeAt(at) !== SLASH) continue;
    const next = source.charCodeAt(at + 1);
    if (next !== SLASH && next !== STAR) continue;
    const to = next === STAR ? commentEnd(source, at + 2, end) : lineEnd(source, at + 2, end);
    comments.push({ start: at, end: to });
    at = to - 1;
  }
  return comments;
}

function commentEnd(source: string, from: number, end: number): number {
  for (let at = from; at + 1 < end; at++) {
    if (source.charCodeAt(at) === STAR && source.charCodeAt(at + 1) === SLASH) return at + 2;
  }
  return end;
}

function lineEnd(source: string, from: number, end: number): number {
  let at = from;
  while (at < end && source.charCodeAt(at) !== LF && source.charCodeAt(at) !== CR) at++;
  return at;
}
