/** The documents that `zonescope check` is given: files, or folders of a kernel tree, and what release that tree is. */
import type { Release } from '../../sim/index.ts';
import { RELEASES } from '../../sim/index.ts';
import { gunzip, isGzip } from '../docs/gunzip.ts';
import type { DocumentFiles } from '../docs/locate.ts';
import { releaseInPath } from '../docs/release.ts';
import { UsageError } from './args.ts';

const NAMES = ['memory-model.rst', 'hmm.rst', 'hmm.txt'];
const ENDINGS = ['', '.gz'];
const FOLDERS = ['Documentation/mm', 'Documentation/vm', 'mm', 'vm', '.'];
const LIMIT = 16 << 20;

const join = (folder: string, name: string): string =>
  name === '.' ? folder : `${folder.replace(/[\\/]+$/, '')}/${name}`;

/** The files meant: a folder stands for the documents in it. */
export async function filesOf(paths: readonly string[], files: DocumentFiles): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const isFolder = await files.list(path).then(
      () => true,
      () => false,
    );
    if (!isFolder) {
      found.push(path);
      continue;
    }
    const inside = await documentsIn(path, files);
    if (inside.length === 0)
      throw new UsageError(
        `${path}: there is no memory-model.rst or hmm.rst in this folder, nor in its Documentation/mm`,
      );
    found.push(...inside);
  }
  return found;
}

async function documentsIn(folder: string, files: DocumentFiles): Promise<string[]> {
  for (const name of FOLDERS) {
    const inside = join(folder, name);
    const listed = await files.list(inside).catch((): readonly string[] => []);
    const here = NAMES.flatMap((each) => {
      const ending = ENDINGS.find((end) => listed.includes(`${each}${end}`));
      return ending === undefined ? [] : [join(inside, `${each}${ending}`)];
    });
    if (here.length > 0) return here;
  }
  return [];
}

/** The text of a document, unpacked where it is packed. */
export async function textOf(path: string, files: DocumentFiles): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await files.read(path);
    if (isGzip(bytes)) bytes = await gunzip(bytes, LIMIT);
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (bytes.length > LIMIT) throw new UsageError(`${path} is too long to be a document of the kernel`);
  return new TextDecoder().decode(bytes);
}

/** The kernel tree a document lies in; undefined if it lies elsewhere. */
export const rootOfTree = (path: string): string | undefined => /^(.*?)(?:^|[\\/])Documentation[\\/]/.exec(path)?.[1];

/** The release of that tree, as its Makefile or the path says. */
export async function releaseOfTree(path: string, files: DocumentFiles): Promise<Release | undefined> {
  const root = rootOfTree(path);
  if (root !== undefined) {
    const makefile = await files.read(join(root === '' ? '.' : root, 'Makefile')).catch(() => undefined);
    const head = makefile && new TextDecoder().decode(makefile.slice(0, 1000));
    const version = head && /^VERSION = (\d+)$/m.exec(head)?.[1];
    const patch = head && /^PATCHLEVEL = (\d+)$/m.exec(head)?.[1];
    const release = RELEASES.find((each) => each === `${version}.${patch}`);
    if (release !== undefined) return release;
  }
  return releaseInPath(path);
}

/** Tells which documents that a text names are in its tree: only for folders that are there at all. */
export async function presence(
  path: string,
  source: string,
  files: DocumentFiles,
): Promise<(path: string) => boolean | undefined> {
  const root = rootOfTree(path);
  const known = new Map<string, boolean>();
  if (root === undefined) return () => undefined;
  const named = new Set(source.match(/\bDocumentation\/[\w./-]{1,200}\w/g)?.slice(0, 100));
  for (const name of named) {
    const at = join(root === '' ? '.' : root, name);
    const listed = await files.list(at.slice(0, at.lastIndexOf('/'))).catch(() => undefined);
    const file = at.slice(at.lastIndexOf('/') + 1);
    if (listed !== undefined)
      known.set(
        name,
        ENDINGS.some((end) => listed.includes(`${file}${end}`)),
      );
  }
  return (name) => known.get(name);
}
