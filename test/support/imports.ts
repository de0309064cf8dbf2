/** Folders of a recorded machine's files, as maps. */
import { readFileSync } from 'node:fs';
import type { FolderFiles } from '../../extension/session/machineFolder.ts';
import { type ImportedMachine, type ImportFiles, importMachine, noteText } from '../../sim/index.ts';

const ROOT = new URL('../fixtures/machines/6.12/', import.meta.url);
export const RECORDED = ['a-2G', 'b1-3G+3G', 'b5-kernelcore2G', 'c1-1G', 'e-hotplug'] as const;
export type Recorded = (typeof RECORDED)[number];

export const machineFiles = (name: Recorded): Map<string, string> =>
  new Map(Object.entries(JSON.parse(readFileSync(new URL(`${name}.json`, ROOT), 'utf8')) as Record<string, string>));

/** As someone without root would have copied it. */
export function withoutRoot(files: ImportFiles): Map<string, string> {
  const iomem = (files.get('proc/iomem') ?? '').replace(/[0-9a-f]+-[0-9a-f]+ :/g, '00000000-00000000 :');
  return new Map(files).set('proc/iomem', iomem);
}

export function without(files: ImportFiles, ...paths: string[]): Map<string, string> {
  return new Map([...files].filter(([path]) => !paths.some((gone) => path.startsWith(gone))));
}

export function imported(files: ImportFiles, name = 'test'): ImportedMachine & { said: string[] } {
  const result = importMachine(files, name);
  if ('problems' in result) throw new Error(result.problems.join('\n'));
  return { ...result, said: result.notes.map(noteText) };
}

export function problemsOf(files: ImportFiles): string[] {
  const result = importMachine(files, 'test');
  return 'problems' in result ? result.problems : [];
}

/** A file system that holds these files below `/copy`. */
export function folderOf(files: ImportFiles): FolderFiles & { reads: string[] } {
  const reads: string[] = [];
  const full = new Map([...files].map(([path, text]) => [`/copy/${path}`, text]));
  return {
    reads,
    list: async (path) => [
      ...new Set(
        [...full.keys()]
          .filter((key) => key.startsWith(`${path}/`))
          .map((key) => key.slice(path.length + 1).split('/')[0] ?? ''),
      ),
    ],
    readText: async (path, limit) => {
      reads.push(path);
      return full.get(path)?.slice(0, limit + 1);
    },
  };
}
