/** What the rules find wrong in a document. */
import type { Release } from '../../../sim/index.ts';
import type { KernelDocument } from '../release.ts';
import type { RstDocument, Span } from '../rstTypes.ts';

export type Severity = 'error' | 'warning' | 'information' | 'hint';

/** One thing that is wrong, at its place in the document. */
export interface DocFinding extends Span {
  /** The rule that found it, for people to search for and to switch off: `stale-field`. */
  readonly code: string;
  readonly severity: Severity;
  /** What is wrong and what to do, in one or two sentences of our own. */
  readonly message: string;
  /** The release that made it wrong. */
  readonly since?: Release;
  readonly related?: readonly (Span & { readonly message: string })[];
  /** What would make it right, where that is certain. */
  readonly fix?: Fix;
}

/** Replaces a span of the document. */
export interface Fix extends Span {
  readonly title: string;
  readonly text: string;
}

export interface CheckInput {
  readonly document: RstDocument;
  readonly source: string;
  readonly kind: KernelDocument;
  /** The releases the text belongs to, oldest first; what is right in the newest of them is right. */
  readonly releases: readonly Release[];
  /** The release to hold the text against instead: that of the tree it lies in, or the one the reader asked for. */
  readonly against?: Release;
  /** Documents that exist beside it, by their path under the kernel's root; undefined where that cannot be known. */
  readonly hasFile?: (path: string) => boolean | undefined;
}
