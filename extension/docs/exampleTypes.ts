/** The C blocks and formulas of a document as examples that can be run. */
import type { LiteralBlock } from './rstTypes.ts';
import type { Scene } from './scenes.ts';

export type ExampleKind =
  /** Declarations of functions: running one calls it. */
  | 'prototypes'
  /** A function with its body, holes or not. */
  | 'function'
  /** Declarations and statements. */
  | 'fragment'
  /** Nothing but assignments. */
  | 'assignments'
  /** The definition of a struct: running it declares the type and shows what the kernel's has. */
  | 'struct'
  /** A formula in mathematical notation: running it computes its right side. */
  | 'formula';

/** A literal block of C, or the body of a formula, and what it is run with. */
export interface DocExample {
  /** Stable over edits elsewhere: the scene's id, or `block-` and the ordinal of the block. */
  readonly id: string;
  readonly kind: ExampleKind;
  readonly block: LiteralBlock;
  /** What runs: the text without its common indentation; of a formula, its right side as C. */
  readonly text: string;
  readonly toSource: (offset: number) => number;
  /** The authored scene at this place, or one derived from the block. */
  readonly scene: Scene;
  readonly isAuthored: boolean;
}
