/** The kernel tree that a document lies in: which release it is, and which documents it has. */
import { RELEASES, type Release } from '../../sim/index.ts';
import type { DocumentFiles } from './locate.ts';
import { releaseInPath } from './release.ts';

export interface KernelTree {
  /** Without a separator at its end: `.` for a path that begins with Documentation. */
  readonly root: string;
  /** As its Makefile says, if it has one and the release is known. */
  readonly release?: Release;
  /** Whether all its documents are there: then one that is not found does not exist. */
  readonly hasAllDocuments: boolean;
}

const IN_TREE = /^(|.*?[\\/])Documentation[\\/](?:.+[\\/])?[^\\/]+$/;
/** The release stands in the first lines. */
const HEAD = 4096;

/** By the path of a document, or its URI; undefined if it lies in no folder called Documentation. */
export async function kernelTreeOf(files: DocumentFiles, path: string): Promise<KernelTree | undefined> {
  const before = IN_TREE.exec(path)?.[1];
  if (before === undefined) return undefined;
  const root = before === '' ? '.' : before.slice(0, -1);
  const release = await releaseOfMakefile(files, `${root}/Makefile`);
  const hasAllDocuments = await hasDocument(files, root, 'Documentation/index.rst');
  return { root, hasAllDocuments, ...(release === undefined ? {} : { release }) };
}

/** The release that the place of a text names: its tree, or a folder of a release that has the text. */
export function releaseOfPlace(
  tree: KernelTree | undefined,
  path: string,
  releases: readonly Release[],
): Release | undefined {
  if (tree?.release !== undefined) return tree.release;
  const inPath = releaseInPath(path);
  return releases.find((release) => release === inPath);
}

/** Whether a tree has a document, unpacked or as distributions pack it. */
export async function hasDocument(files: DocumentFiles, root: string, path: string): Promise<boolean> {
  for (const name of [path, `${path}.gz`]) {
    if (await files.exists(`${root}/${name}`).catch(() => false)) return true;
  }
  return false;
}

async function releaseOfMakefile(files: DocumentFiles, path: string): Promise<Release | undefined> {
  if (!(await files.exists(path).catch(() => false))) return undefined;
  const bytes = await files.read(path).catch(() => new Uint8Array());
  return releaseInMakefile(new TextDecoder().decode(bytes.subarray(0, HEAD)));
}

export function releaseInMakefile(text: string): Release | undefined {
  const value = (name: string): string | undefined => new RegExp(`^${name}\\s*=\\s*(\\d+)\\s*$`, 'm').exec(text)?.[1];
  const named = `${value('VERSION')}.${value('PATCHLEVEL')}`;
  return RELEASES.find((release) => release === named);
}
