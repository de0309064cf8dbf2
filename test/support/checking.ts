/** Documents of a test's own, checked: what is said of them, by line. */
import { checkDocument } from '../../extension/docs/check/check.ts';
import type { CheckInput, DocFinding } from '../../extension/docs/check/types.ts';
import { parsePlainText, parseRst } from '../../extension/docs/rst.ts';
import type { Release } from '../../sim/index.ts';

export interface Checked {
  readonly source: string;
  readonly findings: readonly DocFinding[];
  /** `code "text"` of each finding. */
  readonly said: readonly string[];
}

export function checked(
  source: string,
  release: Release = '6.12',
  more: Partial<CheckInput> & { plain?: boolean } = {},
): Checked {
  const { plain, ...input } = more;
  const document = plain ? parsePlainText(source) : parseRst(source);
  const findings = checkDocument({ document, source, kind: 'hmm', releases: [release], ...input });
  return { source, findings, said: findings.map(({ code, start, end }) => `${code} ${source.slice(start, end)}`) };
}

/** A document with one block of C. */
export const withBlock = (code: string): string =>
  `Title\n=====\n\nThis is how::\n\n${code.replace(/^(?=.)/gm, '    ')}\n\nEnd.\n`;
export const block = (code: string, release?: Release): Checked => checked(withBlock(code), release);

/** What is said of the document with all fixes made. */
export function repaired({ source, findings }: Checked): string {
  let text = source;
  for (const { fix } of [...findings].sort((a, b) => (b.fix?.start ?? 0) - (a.fix?.start ?? 0)))
    if (fix) text = text.slice(0, fix.start) + fix.text + text.slice(fix.end);
  return text;
}
