/** A polite live region: what changed, said once, for people who do not see it. */

let region: HTMLElement | undefined;
let flip = false;

export function announce(message: string): void {
  if (region === undefined) {
    region = document.createElement('div');
    region.className = 'sr-only';
    region.setAttribute('role', 'status');
    region.setAttribute('aria-live', 'polite');
    document.body.append(region);
  }
  // The same text twice would not be read twice: an invisible difference makes it new.
  flip = !flip;
  region.textContent = flip ? message : `${message}\u00a0`;
}
