/**
 * The kernel's documents for tests: 6.12 and 6.1 below ZONESCOPE_DOCS, other releases from the folder that
 * ZONESCOPE_TEXTS names (`<release>/hmm.rst`). What is not there is skipped, and said.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Claim, loadClaims } from '../../extension/docs/claims.ts';
import { type KernelDocument, recognise } from '../../extension/docs/release.ts';
import { parseDocument } from '../../extension/docs/rst.ts';
import type { RstDocument } from '../../extension/docs/rstTypes.ts';
import type { Release } from '../../sim/index.ts';

export interface KernelText {
  readonly path: string;
  readonly source: string;
  readonly document: RstDocument;
  readonly release: Release;
  /** All releases that have this text, oldest first. */
  readonly releases: readonly Release[];
}

const NAMES: Readonly<Record<KernelDocument, readonly string[]>> = {
  'memory-model': ['memory-model.rst'],
  hmm: ['hmm.rst', 'hmm.txt'],
};

function pathsOf(kind: KernelDocument): string[] {
  const { ZONESCOPE_DOCS: docs = '', ZONESCOPE_TEXTS: texts = '' } = process.env;
  const folders = docs === '' ? [] : ['6.1', '6.12'].map((release) => join(docs, release, 'Documentation/mm'));
  if (texts !== '' && existsSync(texts)) folders.push(...readdirSync(texts).map((name) => join(texts, name)));
  return folders.flatMap((folder) => NAMES[kind].map((name) => join(folder, name))).filter((path) => existsSync(path));
}

/** Texts that are those of a release, byte for byte, each once. */
export async function kernelTexts(kind: KernelDocument): Promise<readonly KernelText[]> {
  const found = new Map<Release, KernelText>();
  for (const path of pathsOf(kind)) {
    const source = readFileSync(path, 'utf8');
    const { by, release, releases } = await recognise(path, source);
    if (by !== 'sha256' || release === undefined || found.has(release)) continue;
    found.set(release, { path, source, release, releases, document: parseDocument(path, source) });
  }
  if (found.size === 0) console.warn(`No text of ${kind} is there: ZONESCOPE_DOCS and ZONESCOPE_TEXTS name none`);
  return [...found.values()];
}

const CLAIMS = new URL('../../media/claims/', import.meta.url);
export const claimFiles = (): { name: string; json: unknown[] }[] =>
  readdirSync(CLAIMS)
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({ name, json: JSON.parse(readFileSync(new URL(name, CLAIMS), 'utf8')) as unknown[] }));
export const loadedClaims = () => loadClaims(claimFiles().flatMap(({ json }) => json));
export const claimsOn = (kind: KernelDocument): readonly Claim[] =>
  loadedClaims().claims.filter(({ anchor }) => anchor.document === kind);
