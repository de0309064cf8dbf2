/**
 * Small checks for messages that cross the webview border. What arrives there is
 * untrusted: a check answers with what is wrong and where, and never throws.
 */

/** Undefined if the value has the shape, else a sentence that says what was wrong. */
export type Check<T> = ((value: unknown, at: string) => string | undefined) & { readonly accepts?: T };

/** What a parser answers for a message that has not the right shape. */
export interface ParseError {
  error: string;
}

/** Longest text accepted in a message, in UTF-16 units. */
const MAX_TEXT = 1 << 20;
/** Longest list accepted in a message. */
const MAX_LIST = 1 << 20;

function say(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : typeof value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const text: Check<string> = (value, at) => {
  if (typeof value !== 'string') return `${at}: a text expected, not ${say(value)}`;
  return value.length > MAX_TEXT ? `${at}: text of ${value.length} characters is too long` : undefined;
};

export const flag: Check<boolean> = (value, at) =>
  typeof value === 'boolean' ? undefined : `${at}: true or false expected, not ${say(value)}`;

/** A whole number of `from` or more, at most `to`. */
export function whole(from = 0, to = Number.MAX_SAFE_INTEGER): Check<number> {
  return (value, at) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) return `${at}: a whole number expected`;
    return value < from || value > to ? `${at}: ${value} is not within ${from}..${to}` : undefined;
  };
}

/** A page frame number or a number of pages. */
export const pages: Check<number> = whole(0, 2 ** 44);

/** Hexadecimal digits, with or without `0x`. */
export const hex: Check<string> = (value, at) =>
  typeof value === 'string' && /^(0x)?[0-9a-f]{1,16}$/i.test(value)
    ? undefined
    : `${at}: a hexadecimal number expected`;

export function oneOf<const T extends string | number>(values: readonly T[]): Check<T> {
  return (value, at) =>
    values.some((allowed) => allowed === value) ? undefined : `${at}: one of ${values.join(', ')} expected`;
}

export function list<T>(item: Check<T>, most = MAX_LIST, least = 0): Check<T[]> {
  return (value, at) => {
    if (!Array.isArray(value)) return `${at}: a list expected, not ${say(value)}`;
    if (value.length > most) return `${at}: ${value.length} entries are more than ${most}`;
    if (value.length < least) return `${at}: ${value.length} entries are fewer than ${least}`;
    for (let i = 0; i < value.length; i++) {
      const wrong = item(value[i], `${at}[${i}]`);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };
}

export function pair<T>(item: Check<T>): Check<[T, T]> {
  return list(item, 2, 2) as Check<unknown> as Check<[T, T]>;
}

/** An ArrayBuffer of exactly `length` bytes. */
export function buffer(length: number): Check<ArrayBuffer> {
  return (value, at) => {
    if (!(value instanceof ArrayBuffer)) return `${at}: an ArrayBuffer expected, not ${say(value)}`;
    return value.byteLength === length ? undefined : `${at}: ${value.byteLength} bytes instead of ${length}`;
  };
}

type OptionalKeys<T> = { [K in keyof T]-?: object extends Pick<T, K> ? K : never }[keyof T];
type Fields<T> = { [K in keyof T]-?: K extends OptionalKeys<T> ? Optional<T[K]> : Check<T[K]> };
/** Marks a field that may be left out; only made by `optional`. */
type Optional<T> = { readonly optional: Check<Exclude<T, undefined>> };

export function optional<T>(check: Check<T>): { readonly optional: Check<T> } {
  return { optional: check };
}

/** An object with at least these fields. Unknown ones are let pass, so that a view model can grow. */
export function shape<T extends object>(fields: Fields<T>): Check<T> {
  const entries = Object.entries(fields) as [string, Check<unknown> | { optional: Check<unknown> }][];
  return (value, at) => {
    if (!isRecord(value)) return `${at}: an object expected, not ${say(value)}`;
    for (const [name, check] of entries) {
      const field = value[name];
      if (typeof check !== 'function' && field === undefined) continue;
      const wrong = (typeof check === 'function' ? check : check.optional)(field, `${at}.${name}`);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };
}

/** A half-open range of page frames. */
export const range: Check<{ startPfn: number; endPfn: number }> = (value, at) => {
  const wrong = shape<{ startPfn: number; endPfn: number }>({ startPfn: pages, endPfn: pages })(value, at);
  if (wrong !== undefined) return wrong;
  const { startPfn, endPfn } = value as { startPfn: number; endPfn: number };
  return startPfn < endPfn ? undefined : `${at}: the range ${startPfn}..${endPfn} is empty`;
};

/** Both checks, the second only when the first passes. */
export function both<T>(first: Check<T>, then: (value: T, at: string) => string | undefined): Check<T> {
  return (value, at) => first(value, at) ?? then(value as T, at);
}

/** A parser of a closed union: the field `type` says which check applies. */
export function parser<M extends { type: string }>(
  checks: {
    [T in M['type']]: Check<Extract<M, { type: T }>>;
  },
): (data: unknown) => M | ParseError {
  const byType = new Map<string, Check<unknown>>(Object.entries(checks));
  return (data) => {
    try {
      if (!isRecord(data)) return { error: `a message must be an object, not ${say(data)}` };
      const type = data.type;
      const check = typeof type === 'string' ? byType.get(type) : undefined;
      if (check === undefined) return { error: `no message of type ${JSON.stringify(type)?.slice(0, 40)} is known` };
      const wrong = check(data, String(type));
      return wrong === undefined ? (data as unknown as M) : { error: wrong };
    } catch {
      return { error: 'the message could not be read' };
    }
  };
}

export function isParseError(result: object): result is ParseError {
  return !('type' in result);
}
