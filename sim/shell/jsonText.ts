/** JSON as json-c prints it with JSON_C_TO_STRING_PRETTY, and the sizes of the ndctl tools (util/json.c). */
export type Json = string | number | bigint | boolean | readonly Json[] | JsonObject;
/** Members that are undefined are left out. */
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

export function jsonText(value: Json, indent = ''): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value !== 'object') return String(value);
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return `[\n${indent}]`;
    return `[\n${value.map((each: Json) => inner + jsonText(each, inner)).join(',\n')}\n${indent}]`;
  }
  const members = Object.entries(value as JsonObject).flatMap(([key, member]) =>
    member === undefined ? [] : [`${inner}${quote(key)}:${jsonText(member, inner)}`],
  );
  return members.length === 0 ? '{\n}' : `{\n${members.join(',\n')}\n${indent}}`;
}

const quote = (text: string): string => JSON.stringify(text).replaceAll('/', '\\/');

const hundredths = (value: bigint): string => `${value / 100n}.${String(value % 100n).padStart(2, '0')}`;

/** util/json.c:display_size. */
export function sizeJson(bytes: bigint, human: boolean): Json {
  if (!human || bytes < 5000n * 1024n) return bytes;
  const large = bytes >= 2n << 30n;
  const binary = ((bytes * 200n) / (large ? 1n << 30n : 1n << 20n) + 1n) / 2n;
  const decimal = (bytes / (large ? 5_000_000n : 5_000n) + 1n) / 2n;
  return large
    ? `${hundredths(binary)} GiB (${hundredths(decimal)} GB)`
    : `${hundredths(binary)} MiB (${hundredths(decimal)} MB)`;
}

export const hexJson = (value: bigint, human: boolean): Json => (human ? `0x${value.toString(16)}` : value);

/** util_display_json_array: a single element stands alone for people. */
export function arrayText(list: readonly Json[], human: boolean): string | undefined {
  const [only] = list;
  if (list.length > 1 || !human) return jsonText(list);
  return only === undefined ? undefined : jsonText(only);
}
