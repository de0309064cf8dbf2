/** Says which of the two documents a text is, and from which releases of the kernel. */
import { RELEASES, type Release } from '../../sim/index.ts';
import {
  type KernelDocument,
  KNOWN_TEXTS,
  type KnownText,
  type Releases,
  TELLING_NAMES,
  type TellingName,
} from './releaseTexts.ts';

export type { KernelDocument } from './releaseTexts.ts';

/** Oldest first. */
const all = (): readonly Release[] => RELEASES;

/** What the name of a file promises. */
export interface NamedDocument {
  readonly document: KernelDocument;
  /** The language of a translation: `zh_CN`. Absent for the English text. */
  readonly translation?: string;
}

export interface Evidence extends Releases {
  /** The name found in the text, or the part of the path that names a release. */
  readonly name: string;
  readonly from: 'text' | 'path';
}

export interface Recognition {
  readonly document: KernelDocument | undefined;
  readonly translation?: string;
  /** Oldest first. All releases that have exactly this text, or all that agree best with the evidence. */
  readonly releases: readonly Release[];
  /** The one to speak of: the release the path names if it is one of them, else the newest. */
  readonly release: Release | undefined;
  /** `sha256`: the text is that of a release, byte for byte but for its line ends. */
  readonly by: 'sha256' | 'names' | 'none';
  readonly evidence: readonly Evidence[];
  /** Evidence that the releases disagree with: the text is a mixture, or it was edited. */
  readonly conflicts: readonly Evidence[];
}

const LANGUAGES = new Set(['restructuredtext', 'rst', 'plaintext']);
const FILE = /(?:^|[\\/])(memory-model\.rst|hmm\.rst|hmm\.txt)(?:\.txt)?(?:\.gz)?$/;
const TRANSLATION = /(?:^|[\\/])translations[\\/]([A-Za-z]{2,3}(?:[_-][A-Za-z]{2,4})?)[\\/]/;
/** `linux-doc-6.12`, `linux-6.1.y`, `kernel-doc-5.14.0`, or a folder `6.12` or `v6.12-rc1`. */
const VERSION_IN_PATH = /(?:^|[\\/])(?:(?:linux|kernel)[\w.]*(?:-[a-z]+)*-)?v?(\d{1,2}\.\d{1,2})(?!\d)/g;
/** A document of the kernel is far smaller; a larger text is not worth hashing, nor reading to its end. */
const MAX_LENGTH = 1 << 18;
const CHINESE = /[\u3400-\u9fff]/g;
const CHINESE_ENOUGH = 100;

/** Whether a file is one of the two documents, by its name alone. Cheap enough to ask of every file that is opened. */
export function isKernelDocument(path: string, languageId?: string): NamedDocument | undefined {
  if (languageId !== undefined && !LANGUAGES.has(languageId)) return undefined;
  const file = FILE.exec(path)?.[1];
  if (file === undefined) return undefined;
  const document = file.startsWith('hmm') ? 'hmm' : 'memory-model';
  const translation = TRANSLATION.exec(path)?.[1];
  return translation === undefined ? { document } : { document, translation };
}

/** The release a path names: `/usr/share/doc/linux-doc-6.12/...` is 6.12. The last one counts if there are several. */
export function releaseInPath(path: string): Release | undefined {
  let found: Release | undefined;
  for (const match of path.matchAll(VERSION_IN_PATH)) {
    found = all().find((release) => release === match[1]) ?? found;
  }
  return found;
}

/**
 * Recognises a text by its SHA-256 sum, else by the names it uses. Line ends and a byte order mark do not matter.
 * `path` may be any name: it is evidence where it says something.
 */
export async function recognise(
  path: string,
  content: Uint8Array | string,
  table: readonly KnownText[] = KNOWN_TEXTS,
): Promise<Recognition> {
  const text = typeof content === 'string' ? content : new TextDecoder().decode(content);
  const known = await knownText(text, table);
  return known === undefined ? recogniseByNames(path, text) : recognised(path, known);
}

async function knownText(text: string, table: readonly KnownText[]): Promise<KnownText | undefined> {
  if (text.length > MAX_LENGTH) return undefined;
  const plain = text.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n');
  const sum = await sha256(plain);
  return table.find((known) => known.sha256 === sum);
}

/** In hexadecimal digits, of the text in UTF-8. */
export async function sha256(text: string): Promise<string> {
  const digest = await globalThis.crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function recognised(path: string, known: KnownText): Recognition {
  const releases = all().filter((release) => holds(known, release));
  return {
    document: known.document,
    releases,
    release: preferred(path, releases),
    by: 'sha256',
    evidence: pathEvidence(path),
    conflicts: pathEvidence(path).filter((item) => !releases.includes(item.since)),
  };
}

/** As `recognise`, without the sums: at once, for a text that is being edited. */
export function recogniseByNames(path: string, text: string): Recognition {
  const head = text.length > MAX_LENGTH ? text.slice(0, MAX_LENGTH) : text;
  const found = TELLING_NAMES.filter((name) => says(head, name));
  const named = isKernelDocument(path);
  const document = named?.document ?? mostFound(found);
  const translation = named?.translation ?? (isChinese(head) ? 'zh_CN' : undefined);
  const inText = found
    .filter((name) => name.document === document)
    .map((name): Evidence => ({ ...spanOf(name), name: name.name, from: 'text' }));
  const evidence = document === undefined ? [] : [...inText, ...pathEvidence(path)];
  const releases = evidence.length === 0 ? [] : bestAgreeing(evidence);
  return {
    document,
    ...(translation === undefined ? {} : { translation }),
    releases,
    release: preferred(path, releases),
    by: releases.length === 0 ? 'none' : 'names',
    evidence,
    conflicts: evidence.filter((item) => !releases.every((release) => holds(item, release))),
  };
}

/** The releases with which most of the evidence agrees: all of it, if it does not contradict itself. */
function bestAgreeing(evidence: readonly Evidence[]): Release[] {
  const scores = all().map((release) => evidence.filter((item) => holds(item, release)).length);
  const best = Math.max(...scores);
  return all().filter((_, i) => scores[i] === best);
}

function preferred(path: string, releases: readonly Release[]): Release | undefined {
  const inPath = releaseInPath(path);
  return inPath !== undefined && releases.includes(inPath) ? inPath : releases.at(-1);
}

function pathEvidence(path: string): Evidence[] {
  const release = releaseInPath(path);
  return release === undefined ? [] : [{ name: release, from: 'path', since: release, until: release }];
}

function spanOf(span: Releases): Releases {
  return span.until === undefined ? { since: span.since } : { since: span.since, until: span.until };
}

function holds(span: Releases, release: Release): boolean {
  const at = all().indexOf(release);
  const last = span.until === undefined ? all().length - 1 : all().indexOf(span.until);
  return all().indexOf(span.since) <= at && at <= last;
}

/** The document whose names are found most, if any is. */
function mostFound(found: readonly TellingName[]): KernelDocument | undefined {
  const hmm = found.filter((name) => name.document === 'hmm').length;
  if (found.length === 0) return undefined;
  return hmm * 2 > found.length ? 'hmm' : 'memory-model';
}

function isChinese(text: string): boolean {
  return (text.match(CHINESE)?.length ?? 0) >= CHINESE_ENOUGH;
}

const patterns = new Map<string, RegExp>();

/** Whether a text says a name as whole words. */
function says(text: string, { name }: TellingName): boolean {
  let pattern = patterns.get(name);
  if (pattern === undefined) {
    const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\s+/g, '\\s+');
    pattern = new RegExp(`(?<![\\w])${escaped}(?![\\w])`);
    patterns.set(name, pattern);
  }
  return pattern.test(text);
}
