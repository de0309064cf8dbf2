/** Keyboard habits shared by the panels. */

/** Elements that take part in roving focus carry this attribute; exactly one of them is a tab stop. */
export const ROVING = 'data-rove';

function items(root: ParentNode): HTMLElement[] {
  return [...root.querySelectorAll<HTMLElement>(`[${ROVING}]`)].filter((item) => item.getClientRects().length > 0);
}

/** Keeps one tab stop: the item named `current`, or the first. Call it after each rendering. */
export function settleRoving(root: ParentNode, current: string | undefined): void {
  const all = items(root);
  const stop = all.find((item) => item.getAttribute(ROVING) === current) ?? all[0];
  for (const item of all) {
    const index = item === stop ? 0 : -1;
    if (item.tabIndex !== index) item.tabIndex = index;
  }
}

/** Moves focus for an arrow, Home or End key. Answers the item that has the focus now, if the key was one of them. */
export function moveRoving(root: ParentNode, event: KeyboardEvent): string | undefined {
  if (event.altKey || event.ctrlKey || event.metaKey) return undefined;
  const all = items(root);
  const from = all.findIndex((item) => item.contains(event.target as Node));
  if (from < 0) return undefined;
  const to =
    event.key === 'ArrowDown'
      ? from + 1
      : event.key === 'ArrowUp'
        ? from - 1
        : event.key === 'Home'
          ? 0
          : event.key === 'End'
            ? all.length - 1
            : undefined;
  const target = to === undefined ? undefined : all[Math.min(all.length - 1, Math.max(0, to))];
  if (target === undefined) return undefined;
  event.preventDefault();
  for (const item of all) item.tabIndex = item === target ? 0 : -1;
  target.focus();
  target.scrollIntoView({ block: 'nearest' });
  return target.getAttribute(ROVING) ?? undefined;
}
