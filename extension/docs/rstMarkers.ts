/** How a line begins: the markers of lists, fields, options, tables and titles (docutils states.py, class Body). */

export interface Marker {
  /** Characters up to where the item's text begins. */
  readonly length: number;
}

const BULLET = /[*+\-•‣⁃](?:[ \t]+|$)/my;
const ENUMERATOR = /(\(?)(#|[0-9]{1,9}|[A-Za-z]|[ivxlcdm]{2,12}|[IVXLCDM]{2,12})([.)])(?:[ \t]+|$)/my;
const OPTION_ARGUMENT = '(?:[A-Za-z][\\w-]*|<[^<>\\n]+>)';
const OPTION = new RegExp(
  `(?:[-+][A-Za-z0-9](?: ?${OPTION_ARGUMENT})?|(?:--|/)[A-Za-z0-9][\\w-]*(?:[ =]${OPTION_ARGUMENT})?)(, |[ \\t]{2,}| ?$)`,
  'my',
);
const DIRECTIVE = /([A-Za-z0-9]{1,64}(?:[-_+:.][A-Za-z0-9]{1,64}){0,8}) ?::(?:[ \t]+|$)/my;
const SUBSTITUTION = /\|[^|\r\n]{1,200}\|[ \t]+/y;
const FOOTNOTE = /\[[^\][\r\n]{1,200}\](?:[ \t]+|$)/my;

const BACKSLASH = 92;
const BACKTICK = 96;
const COLON = 58;
const SPACE = 32;
const EQUALS = 61;
const PLUS = 43;
const MINUS = 45;

function matchAt(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}

export function bulletAt(source: string, at: number): Marker | undefined {
  const match = matchAt(BULLET, source, at);
  return match === null ? undefined : { length: match[0].length };
}

export interface Enumerator extends Marker {
  /** Whether a line that begins with `text` carries the list on. */
  isFollowedBy(text: string): boolean;
}

export function enumeratorAt(source: string, at: number): Enumerator | undefined {
  const match = matchAt(ENUMERATOR, source, at);
  if (match === null) return undefined;
  const [whole, open = '', value = '', close = ''] = match;
  if (open !== '' && close !== ')') return undefined;
  const next = successor(value);
  if (next === undefined) return undefined;
  const starts = [next, '#'].map((text) => `${open}${text}${close} `);
  return {
    length: whole.length,
    isFollowedBy: (text) => starts.some((start) => `${text} `.startsWith(start)),
  };
}

/** What comes after an enumerator: `2` after `1`, `b` after `a`, `iv` after `iii`; undefined if it is none. */
function successor(value: string): string | undefined {
  if (value === '#') return '#';
  if (/^[0-9]/.test(value)) return String(Number(value) + 1);
  // docutils reads a lone `i` as the Roman one; any other single letter counts the alphabet.
  if (value.length === 1 && value !== 'i' && value !== 'I') {
    return value === 'z' || value === 'Z' ? undefined : String.fromCharCode(value.charCodeAt(0) + 1);
  }
  const number = fromRoman(value.toUpperCase());
  if (number === undefined) return undefined;
  const next = toRoman(number + 1);
  return value === value.toUpperCase() ? next : next.toLowerCase();
}

const ROMAN: readonly (readonly [string, number])[] = Object.entries({
  ...{ M: 1000, CM: 900, D: 500, CD: 400, C: 100, XC: 90 },
  ...{ L: 50, XL: 40, X: 10, IX: 9, V: 5, IV: 4, I: 1 },
});

function toRoman(number: number): string {
  let rest = number;
  let text = '';
  for (const [digits, worth] of ROMAN) {
    while (rest >= worth) {
      text += digits;
      rest -= worth;
    }
  }
  return text;
}

function fromRoman(text: string): number | undefined {
  let at = 0;
  let number = 0;
  for (const [digits, worth] of ROMAN) {
    while (text.startsWith(digits, at)) {
      at += digits.length;
      number += worth;
    }
  }
  return toRoman(number) === text ? number : undefined;
}

export interface FieldMarker extends Marker {
  readonly nameLength: number;
}

/** `:name: body`. */
export function fieldAt(source: string, at: number, end: number): FieldMarker | undefined {
  const first = source.charCodeAt(at + 1);
  if (at + 1 >= end || first === COLON || first === SPACE) return undefined;
  for (let i = at + 1; i < end; i++) {
    const code = source.charCodeAt(i);
    if (code === BACKSLASH) {
      i++;
    } else if (code === COLON) {
      const next = i + 1 < end ? source.charCodeAt(i + 1) : SPACE;
      if (next === BACKTICK) return undefined;
      if (next !== SPACE && next !== 9) continue;
      if (source.charCodeAt(i - 1) === SPACE) return undefined;
      let text = i + 1;
      while (text < end && (source.charCodeAt(text) === SPACE || source.charCodeAt(text) === 9)) text++;
      return { length: text - at, nameLength: i - at - 1 };
    }
  }
  return undefined;
}

/** `-o file, --output=file  description`. */
export function optionsAt(source: string, at: number): Marker | undefined {
  let i = at;
  for (;;) {
    const match = matchAt(OPTION, source, i);
    if (match === null) return undefined;
    i += match[0].length;
    if (match[1] !== ', ') return { length: i - at };
  }
}

export interface DirectiveMarker extends Marker {
  readonly name: string;
  /** Whether it defines a substitution: `.. |name| image:: file`. */
  readonly isSubstitution: boolean;
}

/** What stands behind the `..` of a directive. */
export function directiveAt(source: string, at: number): DirectiveMarker | undefined {
  const substitution = matchAt(SUBSTITUTION, source, at);
  const start = at + (substitution?.[0].length ?? 0);
  const match = matchAt(DIRECTIVE, source, start);
  if (match === null) return undefined;
  return {
    length: start - at + match[0].length,
    name: (match[1] ?? '').toLowerCase(),
    isSubstitution: substitution !== null,
  };
}

/** What stands behind the `..` of a footnote or citation. */
export function footnoteAt(source: string, at: number): Marker | undefined {
  const match = matchAt(FOOTNOTE, source, at);
  return match === null ? undefined : { length: match[0].length };
}

/** A visible ASCII character that is neither letter nor digit: the characters that adorn titles and quote lines. */
export function isAdornmentCode(code: number): boolean {
  return (
    (code >= 33 && code <= 47) ||
    (code >= 58 && code <= 64) ||
    (code >= 91 && code <= 96) ||
    (code >= 123 && code <= 126)
  );
}

/** Whether the text consists of one adornment character, repeated. */
export function isAdornment(source: string, start: number, end: number): boolean {
  const code = source.charCodeAt(start);
  if (!isAdornmentCode(code)) return false;
  for (let at = start + 1; at < end; at++) if (source.charCodeAt(at) !== code) return false;
  return start < end;
}

/** `====  ===`: the border of a simple table; `single` allows a border of one column. */
export function isSimpleBorder(source: string, start: number, end: number, single: boolean): boolean {
  let columns = single;
  if (source.charCodeAt(start) !== EQUALS) return false;
  for (let at = start + 1; at < end; at++) {
    const code = source.charCodeAt(at);
    if (code === SPACE) columns = true;
    else if (code !== EQUALS) return false;
  }
  return columns;
}

/** `+----+---+`: the border of a grid table. */
export function isGridBorder(source: string, start: number, end: number): boolean {
  if (end - start < 5 || source.charCodeAt(start) !== PLUS || source.charCodeAt(start + 1) !== MINUS) return false;
  if (source.charCodeAt(end - 1) !== PLUS || source.charCodeAt(end - 2) !== MINUS) return false;
  for (let at = start; at < end; at++) {
    const code = source.charCodeAt(at);
    if (code !== PLUS && code !== MINUS) return false;
  }
  return true;
}
