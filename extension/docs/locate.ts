/** Finds the kernel's documents on the reader's machine. The extension carries none: their text is not ours. */
import { gunzip, isGzip } from './gunzip.ts';
import { isKernelDocument, type KernelDocument, type Recognition, recognise, releaseInPath } from './release.ts';

/** What of a file system is needed; paths and URIs alike, with `/` between their parts. */
export interface DocumentFiles {
  exists(path: string): Promise<boolean>;
  /** The names in a folder. May fail if it is none. */
  list(path: string): Promise<readonly string[]>;
  read(path: string): Promise<Uint8Array>;
}

export interface Places {
  /** Open folders: a kernel tree, or a folder with the documents in it. */
  readonly workspaceFolders: readonly string[];
  /** A file or folder the reader named. */
  readonly setting?: string;
  /** Where packages put their documents; `/usr/share/doc` unless said otherwise. */
  readonly packages?: string;
  /** Where downloaded documents are kept: a folder of folders named by release, or of documents. */
  readonly cache?: string;
}

export type Source = 'workspace' | 'setting' | 'package' | 'cache';

export interface FoundDocument {
  readonly document: KernelDocument;
  readonly path: string;
  readonly from: Source;
  readonly text: string;
  readonly recognition: Recognition;
}

/** A place that gave nothing, and why, in words for the reader. */
export interface Looked {
  readonly from: Source;
  readonly path: string;
  readonly why: string;
}

export interface Located {
  /** In the order the places were asked in. */
  readonly found: readonly FoundDocument[];
  readonly looked: readonly Looked[];
}

const PACKAGES = '/usr/share/doc';
/** `linux-doc-6.12` (Debian), `linux-doc` (Ubuntu), `kernel-doc-5.14.0` (Fedora), `linux` (Arch). */
const PACKAGE = /^(?:linux-docs?(?:-.+)?|kernel-docs?(?:-.+)?|linux)$/;
const ROOMS = ['', 'Documentation/mm/', 'Documentation/vm/', 'mm/', 'vm/'];
const SPHINX_ROOMS = ['html/_sources/mm/', 'html/_sources/vm/'];
const NAMES: Readonly<Record<KernelDocument, readonly string[]>> = {
  'memory-model': ['memory-model.rst', 'memory-model.rst.gz', 'memory-model.rst.txt'],
  hmm: ['hmm.rst', 'hmm.rst.gz', 'hmm.txt', 'hmm.txt.gz', 'hmm.rst.txt'],
};
const DOCUMENTS: readonly KernelDocument[] = ['memory-model', 'hmm'];
/** A document has some 20 KB. */
const MAX_BYTES = 4 << 20;

/** Asks the open folders, the setting, the packages and the cache, in this order. Nothing found is no error. */
export async function locateDocuments(files: DocumentFiles, places: Places): Promise<Located> {
  const search = new Search(files);
  for (const folder of places.workspaceFolders) await search.folder('workspace', folder);
  if (places.setting !== undefined && places.setting !== '') await search.setting(places.setting);
  await search.packages(places.packages ?? PACKAGES);
  if (places.cache !== undefined) await search.cache(places.cache);
  return { found: search.found, looked: search.looked };
}

/** The text of a document, unpacked if need be. Throws with a reason for the reader. */
export async function readDocument(files: DocumentFiles, path: string): Promise<string> {
  const bytes = await files.read(path);
  if (bytes.length > MAX_BYTES) throw new RangeError(`has more than ${MAX_BYTES} bytes`);
  return new TextDecoder().decode(isGzip(bytes) ? await gunzip(bytes, MAX_BYTES) : bytes);
}

class Search {
  readonly found: FoundDocument[] = [];
  readonly looked: Looked[] = [];
  private readonly files: DocumentFiles;
  private readonly seen = new Set<string>();

  constructor(files: DocumentFiles) {
    this.files = files;
  }

  async folder(from: Source, path: string, rooms: readonly string[] = ROOMS): Promise<void> {
    if (!(await this.isThere(path))) {
      this.nothing(from, path, 'there is no such folder');
      return;
    }
    let any = false;
    for (const document of DOCUMENTS) any = (await this.takeFirst(from, path, rooms, document)) || any;
    if (!any) this.nothing(from, path, 'has no memory-model.rst or hmm.rst, nor a Documentation/mm or vm with one');
  }

  async setting(path: string): Promise<void> {
    const named = isKernelDocument(path);
    if (named === undefined) {
      await this.folder('setting', path);
    } else if (await this.isThere(path)) {
      await this.take('setting', path, named.document);
    } else {
      this.nothing('setting', path, 'there is no such file');
    }
  }

  async packages(path: string): Promise<void> {
    const packages = (await this.names(path)).filter((name) => PACKAGE.test(name)).sort(byReleaseNewestFirst);
    if (packages.length === 0) {
      this.nothing('package', path, 'has no linux-doc package');
      return;
    }
    for (const name of packages) await this.folder('package', join(path, name), [...ROOMS, ...SPHINX_ROOMS]);
  }

  async cache(path: string): Promise<void> {
    const names = await this.names(path);
    if (names.length === 0) {
      this.nothing('cache', path, 'is empty');
      return;
    }
    for (const name of [...names].sort(byReleaseNewestFirst)) {
      const named = isKernelDocument(name);
      if (named !== undefined) await this.take('cache', join(path, name), named.document);
      else await this.folder('cache', join(path, name));
    }
  }

  /** False if none of the rooms has the document. */
  private async takeFirst(
    from: Source,
    folder: string,
    rooms: readonly string[],
    document: KernelDocument,
  ): Promise<boolean> {
    for (const room of rooms) {
      if (room !== '' && !(await this.isThere(join(folder, room)))) continue;
      for (const name of NAMES[document]) {
        const path = join(folder, room + name);
        if (!(await this.isThere(path))) continue;
        await this.take(from, path, document);
        return true;
      }
    }
    return false;
  }

  private async take(from: Source, path: string, document: KernelDocument): Promise<void> {
    if (this.seen.has(path)) return;
    this.seen.add(path);
    try {
      const text = await readDocument(this.files, path);
      this.found.push({ document, path, from, text, recognition: await recognise(path, text) });
    } catch (error) {
      this.nothing(from, path, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private nothing(from: Source, path: string, why: string): void {
    this.looked.push({ from, path, why });
  }

  private async isThere(path: string): Promise<boolean> {
    try {
      return await this.files.exists(path.replace(/\/+$/, ''));
    } catch {
      return false;
    }
  }

  private async names(path: string): Promise<readonly string[]> {
    try {
      return await this.files.list(path);
    } catch {
      return [];
    }
  }
}

function join(folder: string, name: string): string {
  return name === '' ? folder : `${folder.replace(/[\\/]+$/, '')}/${name}`;
}

/** A name without a release comes last. */
function byReleaseNewestFirst(a: string, b: string): number {
  const [majorA = -1, minorA = 0] = (releaseInPath(a) ?? '').split('.').filter(Boolean).map(Number);
  const [majorB = -1, minorB = 0] = (releaseInPath(b) ?? '').split('.').filter(Boolean).map(Number);
  return majorB - majorA || minorB - minorA || a.localeCompare(b);
}
