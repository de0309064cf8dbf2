export const PAGEMAP_STYLE = `
zs-pagemap { display: flex; flex-direction: column; height: 100%; }
zs-pagemap main { flex: 1; min-height: 0; }
main.pagemap { display: grid; grid-template-columns: minmax(0, 1fr) 340px; grid-template-rows: minmax(0, 1fr); }
.map-side { display: flex; flex-direction: column; min-width: 0; min-height: 0; padding: 6px 12px 0; overflow: hidden auto; }
.map-bar { display: flex; align-items: center; gap: 4px 12px; padding-bottom: 6px; }
.map-bar .group { display: inline-flex; align-items: center; gap: 1px; }
.map-bar .scale { font-variant-numeric: tabular-nums; color: var(--zs-muted); white-space: nowrap; min-width: 0; overflow: hidden; text-overflow: ellipsis; }
.map-bar .changes { margin-left: 3px; white-space: nowrap; }
.go-to { margin-left: auto; flex: 0 1 176px; min-width: 96px; width: auto; }
.wrong {
  margin: 0 0 6px; padding: 4px 8px; font-size: 12px; border: 1px solid var(--vscode-inputValidation-errorBorder, var(--zs-line));
  background: var(--vscode-inputValidation-errorBackground, transparent);
}
zs-map { display: block; position: relative; flex: 1 1 0; min-height: 120px; overflow: hidden; touch-action: none; cursor: default; }
zs-map canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
zs-map:focus-visible { outline: none; }
zs-map:focus-visible::after { content: ''; position: absolute; inset: 0; border: 1px solid var(--zs-focus); pointer-events: none; }
.map-tip {
  position: absolute; left: 0; top: 0; max-width: 330px; padding: 5px 9px; pointer-events: none; white-space: nowrap; font-size: 12px;
  color: var(--vscode-editorHoverWidget-foreground, var(--zs-fg)); background: var(--vscode-editorHoverWidget-background, var(--zs-bg));
  border: 1px solid var(--vscode-editorHoverWidget-border, var(--zs-line)); border-radius: 4px; box-shadow: 0 2px 8px var(--vscode-widget-shadow, transparent);
}
.tip-what { font-weight: 600; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 4px; padding: 8px 0; margin-left: -6px; }
.legend-item {
  display: inline-flex; align-items: center; gap: 6px; font: inherit; font-size: 12px; color: inherit; background: none;
  border: 1px solid transparent; border-radius: 4px; padding: 1px 6px; cursor: pointer; white-space: nowrap;
}
button.legend-item:hover { background: var(--zs-hover); outline: 1px dashed var(--vscode-contrastActiveBorder, transparent); }
.legend-item[aria-pressed='true'] {
  background: var(--vscode-list-activeSelectionBackground, #80808040); color: var(--vscode-list-activeSelectionForeground, inherit); border-color: var(--zs-focus);
}
.legend-item[aria-pressed='true'] .amount { color: inherit; }
.legend-item.static { cursor: default; }
.legend-item .amount { color: var(--zs-muted); font-variant-numeric: tabular-nums; }
.swatch { flex: none; vertical-align: -2px; }
.swatch rect { stroke: color-mix(in srgb, var(--zs-fg) 45%, transparent); stroke-width: 1; }
.changed-key {
  width: 13px; height: 13px; border: 1.5px solid var(--zs-fg);
  background: linear-gradient(135deg, var(--zs-fg) 38%, transparent 38%);
}
.hint { margin: 4px 0 0; color: var(--zs-muted); font-size: 12px; overflow-wrap: anywhere; }
.hint.center { text-align: center; margin-top: 12vh; }

.inspector { border-left: 1px solid var(--zs-line); padding: 10px 16px 20px; overflow-y: auto; min-width: 0; }
.inspector-head { display: flex; justify-content: space-between; align-items: flex-start; gap: 8px; }
.inspector h2 { font-size: 15px; }
.inspector h2 .muted { font-weight: 400; }
.inspector .kind { margin-top: 2px; display: flex; align-items: center; gap: 6px; }
.inspector h3 {
  margin: 14px 0 4px; padding-top: 9px; border-top: 1px solid var(--zs-hair); font-size: 12px; font-weight: 600;
}
.inspector h3 .mono { font-weight: 400; color: var(--zs-muted); margin-left: 4px; }
.counts { display: flex; gap: 24px; margin: 10px 0 0; }
.counts dt { font-size: var(--zs-small); color: var(--zs-muted); }
.counts dd { margin: 0; font-size: 20px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.place { margin: 0; }
.fact { display: grid; grid-template-columns: 92px minmax(0, 1fr); gap: 10px; padding: 1.5px 0; }
.fact dt { color: var(--zs-muted); font-size: 12px; }
.fact dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.address { margin: 0; overflow-wrap: anywhere; }
.ruler { display: block; max-width: 420px; margin: 4px 0 2px; overflow: visible; }
.flag-bit { fill: none; stroke: color-mix(in srgb, var(--zs-fg) 35%, transparent); stroke-width: 0.75; }
.flag-bit.field { fill: color-mix(in srgb, var(--zs-ram) 18%, transparent); }
.flag-bit.on { fill: var(--zs-fg); stroke: var(--zs-fg); }
.flag-bit.on.field { fill: var(--zs-ram); stroke: var(--zs-ram); }
.bit-number { font-size: 8.5px; fill: var(--zs-muted); font-variant-numeric: tabular-nums; }
.bracket { fill: none; stroke: var(--zs-muted); stroke-width: 1; }
.field-name { font-size: 9px; fill: var(--zs-fg); }
.fields { border-collapse: collapse; width: 100%; margin-top: 4px; font-size: 12px; }
.fields th { text-align: left; font-weight: 400; padding: 1px 10px 1px 0; }
.fields td { padding: 1px 10px 1px 0; }
.fields thead th { color: var(--zs-muted); font-size: var(--zs-small); }
.fields th.num { text-align: right; }

@media (max-width: 640px) { .cell-pages { display: none; } }
@media (max-width: 819px) {
  main.pagemap { grid-template-columns: minmax(0, 1fr); grid-template-rows: minmax(0, 63fr) minmax(0, 37fr); }
  main.pagemap:has(.inspector > .hint:only-child) { grid-template-rows: minmax(0, 1fr) auto; }
  .inspector { border-left: 0; border-top: 1px solid var(--zs-line); padding: 10px 14px 16px; }
  .inspector:has(> .hint:only-child) { padding: 2px 14px 8px; }
}
@media (max-width: 819px) and (max-height: 320px) { .inspector:has(> .hint:only-child) { display: none; } }
@media (max-width: 819px) and (min-width: 480px) { .place { columns: 2; column-gap: 20px; } .fact { break-inside: avoid; } }
`;
