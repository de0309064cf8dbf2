/** What the parts of the Zones panel need to draw themselves and to say what was clicked. */
import type { ZonesView } from '../../sim/view/types.ts';

export interface ZonesContext {
  view: ZonesView;
  /** Width of the drawings, in CSS pixels. */
  width: number;
  /** Page frames somebody selected, here or elsewhere. */
  marked: { startPfn: number; endPfn: number } | undefined;
  isOpen(first: number): boolean;
  toggle(first: number): void;
  reveal(startPfn: number, endPfn: number): void;
}
