/** Recordings of a real kernel, as text and taken apart. */
import { readFileSync } from 'node:fs';

const ROOT = new URL('../fixtures/recordings/6.12/', import.meta.url);

export const recording = (moment: string, file: string): string =>
  readFileSync(new URL(`${moment}/${file}`, ROOT), 'utf8');

export interface RecordedZone {
  node: number;
  name: string;
  start: number;
  spanned: number;
  present: number;
  managed: number;
}

/** `zones`: every struct zone. */
export function recordedZones(moment: string): RecordedZone[] {
  const zones: RecordedZone[] = [];
  let node = 0;
  for (const line of recording(moment, 'zones').split('\n')) {
    node = Number(/^node (\d+)/.exec(line)?.[1] ?? node);
    const match = /zone \d+ (\w+)\s+start_pfn=0x([0-9a-f]+) .*spanned=(\d+) present=(\d+) .*managed=(\d+)/.exec(line);
    if (match)
      zones.push({
        node,
        name: match[1] ?? '',
        start: Number.parseInt(match[2] ?? '', 16),
        spanned: Number(match[3]),
        present: Number(match[4]),
        managed: Number(match[5]),
      });
  }
  return zones;
}

export interface RecordedSection {
  section: number;
  raw: string;
  flags: string;
  subsections: string;
}

/** `sections`: every mem_section that is not empty. */
export const recordedSections = (moment: string): RecordedSection[] =>
  [
    ...recording(moment, 'sections').matchAll(/^sec=(\d+) .*raw=0x([0-9a-f]+) ([PMOET-]+) .*subsection_map=(\S+)$/gm),
  ].map((match) => ({
    section: Number(match[1]),
    raw: match[2] ?? '',
    flags: match[3] ?? '',
    subsections: match[4] ?? '',
  }));

/** `zoneinfo`: the lines of each zone from "pages free" to "protection". */
export function recordedZoneinfo(text: string): Map<string, string[]> {
  const zones = new Map<string, string[]>();
  let name = '';
  for (const line of text.split('\n')) {
    const head = /^Node (\d+), zone\s+(\w+)/.exec(line);
    if (head) name = `${head[1]} ${head[2]}`;
    const wanted =
      /^\s+(?:pages )?(boost|min|low|high|promo|spanned|present|managed|cma|protection:|start_pfn:)\s+(.*)$/.exec(line);
    if (wanted && !/high:/.test(line)) zones.set(name, [...(zones.get(name) ?? []), `${wanted[1]} ${wanted[2]}`]);
  }
  return zones;
}
