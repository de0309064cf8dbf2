/**
 * Scenes: what can be run at a place of a document. Data under media/scenes, loaded and
 * checked here; `session` runs them.
 */
import type { Release } from '../../sim/index.ts';

/** A place in a document by what stands there, so that edits and releases do not mislead it. */
export interface Anchor {
  document: 'memory-model' | 'hmm' | 'tour';
  section: string;
  /** Words that the block or sentence contains, all of them. Absent: the section itself. */
  words?: string[];
  ordinal?: number;
}

/** One way to run a scene: one lens. */
export interface SceneVariant {
  id: string;
  /** Title of the lens. */
  title: string;
  /** C statements inserted before the statement that contains the words. */
  insert?: { before: string; text: string }[];
  /** Pause points: the blank line or statement after the one that contains the words. */
  pauseAfter?: { words: string; why: string }[];
}

export interface Scene {
  id: string;
  /** `6.12`, `5.10..`, `5.3..6.14`. */
  release: string;
  /** Preset to use when the reader's machine cannot show it; absent: any machine. */
  machine?: string;
  anchor: Anchor;
  title: string;
  teaches: string;
  /** Shell lines run before, and instead of a block. */
  setup?: string[];
  run?: (string | { pause: string })[];
  /** What a hole stands for: by the comment inside it, or its position (`argument 2 of request_free_mem_region`). */
  holes?: Record<string, string>;
  /** C definitions for names that the text leaves undefined. */
  standIns?: Record<string, string>;
  variants?: SceneVariant[];
}

/** The releases a scene speaks of. */
export interface ReleaseSpan {
  since: Release;
  until?: Release;
}
