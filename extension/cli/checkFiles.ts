/** The documents that `zonescope check` is given: files, or folders of a kernel tree. */
import { gunzip, isGzip } from '../docs/gunzip.ts';
import { hasDocument, type KernelTree } from '../docs/kernelTree.ts';
import type { DocumentFiles } from '../docs/locate.ts';
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

/** A document names some twenty files. */
const MOST_FILES = 100;

/** Tells which documents that a text names are in its tree; of a tree that lacks documents nothing can be told. */
export async function presence(
  tree: KernelTree | undefined,
  source: string,
  files: DocumentFiles,
): Promise<(path: string) => boolean | undefined> {
  const known = new Map<string, boolean>();
  if (tree?.hasAllDocuments) {
    const named = new Set(source.match(/\bDocumentation\/[\w./-]{1,200}\w/g)?.slice(0, MOST_FILES));
    for (const name of named) known.set(name, await hasDocument(files, tree.root, name));
  }
  return (name) => known.get(name);
}
