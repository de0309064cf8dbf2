/** The look both panels share: VS Code's own colours and sizes, nothing invented where it has a token. */

const BASE = `
:root {
  --zs-fg: var(--vscode-foreground, #3b3b3b);
  --zs-muted: var(--vscode-descriptionForeground, var(--zs-fg));
  --zs-bg: var(--vscode-editor-background, #fff);
  --zs-line: var(--vscode-widget-border, var(--vscode-panel-border, #80808059));
  --zs-hair: color-mix(in srgb, var(--zs-fg) 12%, transparent);
  --zs-tick: color-mix(in srgb, var(--zs-fg) 12%, transparent);
  --zs-raised: var(--vscode-editorWidget-background, transparent);
  --zs-hover: var(--vscode-list-hoverBackground, #80808020);
  --zs-focus: var(--vscode-focusBorder, #0078d4);
  --zs-ram: var(--vscode-charts-blue, #3794ff);
  --zs-device: var(--vscode-charts-purple, #b180d7);
  --zs-changed: var(--vscode-charts-orange, #d18616);
  --zs-mono: var(--vscode-editor-font-family, ui-monospace, monospace);
  --zs-small: 11px;
}
body.vscode-high-contrast, body.vscode-high-contrast-light {
  --zs-line: var(--vscode-contrastBorder, currentColor);
  --zs-hair: var(--vscode-contrastBorder, currentColor);
  --zs-muted: var(--zs-fg);
  --zs-hover: transparent;
}
* { box-sizing: border-box; }
html, body, #app { height: 100%; }
body {
  margin: 0; padding: 0; color: var(--zs-fg); background: var(--zs-bg);
  font: var(--vscode-font-weight, 400) var(--vscode-font-size, 13px)/1.45 var(--vscode-font-family, system-ui, sans-serif);
}
.sr-only {
  position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap;
}
.mono { font-family: var(--zs-mono); font-size: 0.92em; }
.num { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
.muted { color: var(--zs-muted); }
.small { font-size: var(--zs-small); }
h2 { margin: 0; font-size: 13px; font-weight: 600; letter-spacing: 0.01em; }
button.plain {
  font: inherit; color: inherit; background: none; border: 0; padding: 0; margin: 0; text-align: inherit; cursor: pointer;
}
button.plain.mono { font-family: var(--zs-mono); font-size: 0.92em; }
button:focus-visible, summary:focus-visible, [tabindex]:focus-visible {
  outline: 1px solid var(--zs-focus); outline-offset: 1px;
}
body.vscode-high-contrast :focus-visible, body.vscode-high-contrast-light :focus-visible { outline-width: 2px; }
.codicon[class*='codicon-'] { font-size: 16px; vertical-align: text-bottom; }

/* What the last step changed: a mark, an outline and a word, never a colour alone. */
.changed-mark { color: var(--zs-changed); font-size: 9px; margin: 0 3px 0 4px; vertical-align: 1px; }
body.vscode-high-contrast .changed-mark, body.vscode-high-contrast-light .changed-mark { color: var(--zs-fg); }
.is-changed { box-shadow: inset 2px 0 0 var(--zs-changed); }

.toolbar, .banner { flex: none; }
@media (max-height: 260px) {
  body zs-zones, body zs-pagemap { overflow-y: auto; }
  body zs-zones main, body zs-pagemap main { flex: none; height: 160px; }
}
.toolbar {
  display: flex; flex-wrap: wrap; align-items: center; gap: 2px 8px; padding: 5px 12px; min-height: 36px;
  border-bottom: 1px solid var(--zs-line); background: var(--zs-bg);
}
.toolbar .group { display: flex; align-items: center; gap: 1px; }
.toolbar .where { flex: 1 1 160px; min-width: 0; display: flex; align-items: baseline; gap: 8px; }
.toolbar .position { white-space: nowrap; font-variant-numeric: tabular-nums; }
.toolbar .last { min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; color: var(--zs-muted); }
.icon-button {
  font: inherit; color: var(--vscode-icon-foreground, inherit); background: none; border: 1px solid transparent;
  border-radius: 5px; min-width: 24px; height: 24px; padding: 0 3px; cursor: pointer;
  display: inline-flex; align-items: center; justify-content: center; gap: 4px;
}
.icon-button:hover:not(:disabled) {
  background: var(--vscode-toolbar-hoverBackground, #80808030); outline: 1px dashed var(--vscode-contrastActiveBorder, transparent);
}
.icon-button:disabled { opacity: 0.4; cursor: default; }
.icon-button.text { padding: 0 6px; color: var(--zs-fg); }
.icon-button.text .codicon { font-size: 14px; opacity: 0.8; }
.icon-button[aria-pressed='true'] { background: var(--vscode-toolbar-activeBackground, #80808040); border-color: var(--zs-line); }
.banner {
  display: flex; flex-wrap: wrap; align-items: center; gap: 4px 10px; padding: 6px 12px;
  background: var(--vscode-inputValidation-infoBackground, var(--zs-raised));
  border-bottom: 1px solid var(--vscode-inputValidation-infoBorder, var(--zs-line));
  color: var(--vscode-inputValidation-infoForeground, var(--zs-fg));
}
.banner .what { flex: 1 1 200px; min-width: 0; }
.banner .actions { display: flex; gap: 6px; }
.banner.failure {
  background: var(--vscode-inputValidation-errorBackground, var(--zs-raised));
  border-color: var(--vscode-inputValidation-errorBorder, var(--zs-line));
}
.notice { max-width: 460px; margin: 12vh auto 0; padding: 0 24px; text-align: center; }
.notice .codicon[class*='codicon-'] { font-size: 30px; color: var(--zs-muted); }
.notice h2 { font-size: 15px; margin: 12px 0 4px; }
.notice p { margin: 0; color: var(--zs-muted); white-space: pre-line; }
.busy { display: inline-flex; align-items: center; gap: 6px; color: var(--zs-muted); font-size: var(--zs-small); white-space: nowrap; }
.busy vscode-progress-ring { width: 14px; height: 14px; }
.chip {
  display: inline-block; min-width: 15px; padding: 0 3px; border-radius: 3px; border: 1px solid var(--zs-line);
  font: 600 10px/14px var(--zs-mono); text-align: center;
}
.chip.off { border-color: transparent; opacity: 0.7; font-weight: 400; color: var(--zs-muted); }
.chip.device { border-style: dashed; }
@media (forced-colors: active) {
  .is-changed { outline: 2px solid Highlight; outline-offset: -2px; }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important; animation: none !important; } }
`;

/** Adopts style sheets into the document. Constructed sheets need no exception from the content security policy. */
export function adoptStyles(...texts: string[]): void {
  document.adoptedStyleSheets = [BASE, ...texts].map((text) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    return sheet;
  });
}
