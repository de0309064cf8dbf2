/** Which of VS Code's four kinds of theme is in force, and when that changes. */

export const THEME_KINDS = ['light', 'dark', 'hcDark', 'hcLight'] as const;
export type ThemeKind = (typeof THEME_KINDS)[number];

export function themeKind(body: HTMLElement = document.body): ThemeKind {
  const classes = body.classList;
  if (classes.contains('vscode-high-contrast-light')) return 'hcLight';
  if (classes.contains('vscode-high-contrast')) return 'hcDark';
  if (classes.contains('vscode-light')) return 'light';
  if (classes.contains('vscode-dark')) return 'dark';
  return matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
}

export function isHighContrast(kind: ThemeKind): boolean {
  return kind === 'hcDark' || kind === 'hcLight';
}

/** VS Code swaps the classes of `body` and the variables of `html` when the theme changes. */
export function onDidChangeTheme(listener: (kind: ThemeKind) => void): () => void {
  const observer = new MutationObserver(() => listener(themeKind()));
  observer.observe(document.body, { attributes: true, attributeFilter: ['class'] });
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style', 'class'] });
  return () => observer.disconnect();
}

/** The value of one of VS Code's colours now, for drawing on a canvas. */
export function cssColour(name: string, fallback: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || fallback;
}
