/** What `zonescope check` prints: lines like a compiler's, JSON, or SARIF 2.1.0. */
import type { Release } from '../../sim/index.ts';
import type { DocFinding, Severity } from '../docs/check/types.ts';
import type { ExampleKind } from '../docs/exampleTypes.ts';

export interface CheckedExample {
  readonly line: number;
  readonly endLine: number;
  readonly kind: ExampleKind;
  readonly status: 'ok' | 'failed' | 'paused';
  readonly why?: string;
  /** Its gaps and what they were filled with. */
  readonly holes: Readonly<Record<string, string>>;
  /** Codes of the findings inside it. */
  readonly findings: readonly string[];
}

export interface CheckedClaim {
  readonly id: string;
  readonly line: number;
  readonly verdict: 'holds' | 'fails' | 'unjudged';
  readonly since?: Release;
  readonly why?: string;
}

export interface CheckedFile {
  readonly file: string;
  readonly source: string;
  readonly recognised: { readonly releases: readonly Release[]; readonly by: string };
  readonly examples: readonly CheckedExample[];
  readonly claims: readonly CheckedClaim[];
  readonly findings: readonly DocFinding[];
}

/** Places as people count them: lines and columns from 1. */
export class Places {
  private readonly starts = [0];
  constructor(source: string) {
    for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) this.starts.push(at + 1);
  }
  at(offset: number): { line: number; column: number } {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (this.starts[low] ?? 0) + 1 };
  }
}

export function asText(files: readonly CheckedFile[]): string[] {
  return files.flatMap(({ file, source, findings }) => {
    const places = new Places(source);
    return findings.map(({ start, severity, message, code }) => {
      const { line, column } = places.at(start);
      return `${file}:${line}:${column}: ${severity}: ${message} [${code}]`;
    });
  });
}

export function asJson(files: readonly CheckedFile[]): string {
  return JSON.stringify({
    files: files.map(({ file, source, recognised, examples, claims, findings }) => {
      const places = new Places(source);
      return {
        file,
        recognised,
        examples,
        claims,
        findings: findings.map(({ start, end, code, severity, message, since }) => {
          const to = places.at(end);
          return { ...places.at(start), endLine: to.line, endColumn: to.column, code, severity, message, since };
        }),
      };
    }),
  });
}

const LEVELS: Readonly<Record<Severity, string>> = {
  error: 'error',
  warning: 'warning',
  information: 'note',
  hint: 'note',
};

interface Described {
  readonly severity: Severity;
  readonly says: string;
}

/** What the table of codes says of one; claims share an entry. */
function described(table: unknown, code: string): Described | undefined {
  const entries = typeof table === 'object' && table !== null ? (table as Record<string, Described>) : {};
  return entries[code] ?? entries[code.split('/')[0] ?? ''];
}

const uriOf = (path: string): string => {
  const uri = path
    .replaceAll('\\', '/')
    .split('/')
    .map(encodeURIComponent)
    .join('/')
    .replace(/^([A-Za-z])%3A\//, '/$1:/');
  return uri.startsWith('/') ? `file://${uri}` : uri.replace(/^(?:\.\/)+/, '');
};

export function asSarif(files: readonly CheckedFile[], table: unknown, version: string): string {
  const codes = [...new Set(files.flatMap(({ findings }) => findings.map(({ code }) => code)))].sort();
  const rules = codes.map((id) => {
    const entry = described(table, id);
    return {
      id,
      shortDescription: { text: entry?.says ?? id },
      defaultConfiguration: { level: LEVELS[entry?.severity ?? 'warning'] },
    };
  });
  const results = files.flatMap(({ file, source, findings }) => {
    const places = new Places(source);
    const artifactLocation = { uri: uriOf(file) };
    const regionOf = ({ start, end }: { start: number; end: number }) => {
      const from = places.at(start);
      const to = places.at(end);
      return { startLine: from.line, startColumn: from.column, endLine: to.line, endColumn: to.column };
    };
    return findings.map((finding) => ({
      ruleId: finding.code,
      ruleIndex: codes.indexOf(finding.code),
      level: LEVELS[finding.severity],
      message: { text: finding.message },
      locations: [{ physicalLocation: { artifactLocation, region: regionOf(finding) } }],
      ...(finding.related === undefined
        ? {}
        : {
            relatedLocations: finding.related.map((each, id) => ({
              id,
              message: { text: each.message },
              physicalLocation: { artifactLocation, region: regionOf(each) },
            })),
          }),
      ...(finding.fix === undefined
        ? {}
        : {
            fixes: [
              {
                description: { text: finding.fix.title },
                artifactChanges: [
                  {
                    artifactLocation,
                    replacements: [
                      { deletedRegion: regionOf(finding.fix), insertedContent: { text: finding.fix.text } },
                    ],
                  },
                ],
              },
            ],
          }),
      ...(finding.since === undefined ? {} : { properties: { since: finding.since } }),
    }));
  });
  return JSON.stringify({
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver: { name: 'zonescope', version, rules } }, columnKind: 'utf16CodeUnits', results }],
  });
}
