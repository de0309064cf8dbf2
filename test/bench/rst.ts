/** How fast the kernel's documents are read: by our reader, and by docutils on the same files in the same run. */
import { recognise } from '../../extension/docs/release.ts';
import { parseRst } from '../../extension/docs/rst.ts';
import { askDocutils, foldersOf, readSource } from '../contract/rstReferee.ts';

export interface Row {
  name: string;
  value: number;
  unit: string;
  target?: string;
}

const RELEASES = ['6.12', '6.1'];
const ROUNDS = 30;

export async function bench(report: (row: Row) => void): Promise<void> {
  const places = RELEASES.map(foldersOf);
  const folders = places.flatMap((place) => ('folders' in place ? place.folders : []));
  if (folders.length === 0) {
    for (const place of places) if ('missing' in place) console.log(`rst: skipped, ${place.missing}`);
    return;
  }
  const verdict = askDocutils(folders);
  if ('missing' in verdict) {
    console.log(`rst: skipped, ${verdict.missing}`);
    return;
  }
  const sources = Object.keys(verdict.files).map(readSource);
  const megabytes = verdict.bytes / 1e6;
  const seconds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    for (const source of sources) parseRst(source);
    seconds.push((performance.now() - began) / 1000);
  }
  const median = seconds.slice().sort((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN;
  report({ name: 'rst reader, first time', value: megabytes / (seconds[0] ?? Number.NaN), unit: 'MB/s' });
  report({ name: 'rst reader', value: megabytes / median, unit: 'MB/s', target: '>= 30' });
  report({ name: `docutils ${verdict.docutils}, same files`, value: megabytes / verdict.seconds, unit: 'MB/s' });

  const [source = ''] = sources;
  const began = performance.now();
  for (let round = 0; round < ROUNDS; round++) await recognise('hmm.rst', source);
  report({ name: 'recognise a document', value: (performance.now() - began) / ROUNDS, unit: 'ms' });
}
