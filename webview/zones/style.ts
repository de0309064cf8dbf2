export const ZONES_STYLE = `
zs-zones { display: flex; flex-direction: column; height: 100%; }
zs-zones main { flex: 1; min-height: 0; overflow-y: auto; overflow-x: hidden; padding: 4px 0 24px; }
.block { padding: 0 24px; margin-top: 12px; }
.block-head { display: flex; align-items: center; gap: 10px; margin-left: -20px; padding-bottom: 2px; }
.block-head h2 button { display: inline-flex; align-items: center; gap: 4px; font-weight: 600; }
.block-body { padding-bottom: 4px; }
.columns { display: grid; grid-template-columns: minmax(0, 1fr); }
@media (min-width: 960px) { .columns { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); } }
.node { padding: 6px 0 10px; }
.node + .node { border-top: 1px solid var(--zs-hair); padding-top: 12px; }
.node-head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 12px; margin-bottom: 6px; }
.node-head strong { font-weight: 600; }
.row-button { border-radius: 3px; }
.row-button:hover { text-decoration: underline; text-decoration-color: var(--zs-muted); text-underline-offset: 2px; }
.note { margin: 4px 0 0; color: var(--zs-muted); font-size: var(--zs-small); }
.note.lead { margin: 0 0 6px; }
.figure { font-variant-numeric: tabular-nums; color: var(--zs-fg); }
.zone-name { font-weight: 600; }
p .zone-name { font-weight: 400; color: var(--zs-fg); }

svg.lane { display: block; max-width: 100%; overflow: visible; }
.lane text { fill: var(--zs-fg); font-size: 12px; }
.lane .tick { stroke: var(--zs-tick); shape-rendering: crispEdges; }
.lane .tick-label, .lane .cut-label { font-size: 10.5px; fill: var(--zs-muted); font-variant-numeric: tabular-nums; }
.lane .row-label.secondary { fill: var(--zs-muted); font-size: 11px; }
.lane .mark { fill: var(--zs-changed); font-size: 9px; }
.lane .hit { fill: transparent; }
.zone-row, .section-run { cursor: pointer; }
.zone-row:hover .hit { fill: var(--zs-hover); }
.track { fill: color-mix(in srgb, var(--zs-fg) 7%, transparent); }
.span { fill: color-mix(in srgb, var(--zs-ram) 14%, var(--zs-bg)); stroke: var(--zs-ram); stroke-width: 1; }
.span.device { fill: color-mix(in srgb, var(--zs-device) 14%, var(--zs-bg)); stroke: var(--zs-device); stroke-dasharray: 3 2; }
.solid { fill: color-mix(in srgb, var(--zs-ram) 80%, var(--zs-bg)); }
.solid.device { fill: url(#zs-device); stroke: var(--zs-device); }
.pattern-back { fill: color-mix(in srgb, var(--zs-device) 35%, var(--zs-bg)); }
.pattern-ink { fill: var(--zs-device); }
.pattern-dot { fill: var(--zs-muted); }
.section { stroke: var(--zs-bg); stroke-width: 1; }
.section.online { fill: color-mix(in srgb, var(--zs-ram) 38%, var(--zs-bg)); }
.section.offline { fill: url(#zs-offline); stroke: var(--zs-muted); }
.section.device { fill: url(#zs-device); }
.section-line { stroke: var(--zs-bg); shape-rendering: crispEdges; }
.letters-back { fill: var(--zs-bg); opacity: 0.85; }
.lane text.letters { font: 600 10px var(--zs-mono); letter-spacing: 2px; }
.section-run:hover .section { stroke: var(--zs-focus); }
.changed-outline { fill: none; stroke: var(--zs-changed); stroke-width: 1.5; stroke-dasharray: 4 2; pointer-events: none; }
.selected { fill: none; stroke: var(--zs-focus); stroke-width: 1.5; pointer-events: none; }
.cut { fill: var(--zs-bg); stroke: var(--zs-muted); stroke-width: 1; stroke-linejoin: round; }

table { border-collapse: collapse; width: 100%; }
th { font-weight: 400; text-align: left; }
thead th { color: var(--zs-muted); font-size: var(--zs-small); padding: 2px 6px; border-bottom: 1px solid var(--zs-hair); }
th.num { text-align: right; }
thead .key { margin-right: 4px; vertical-align: -1px; }
table th:first-child, table td:first-child { padding-left: 6px; }
tbody th, tbody td { padding: 5px 6px; vertical-align: top; }
.zones { margin-top: 4px; table-layout: fixed; }
.zones thead th:first-child { width: 28%; }
.zones .value { display: block; }
.zones .sub, .row-button .sub { display: block; font-size: var(--zs-small); }
.zones tbody + tbody { border-top: 1px solid var(--zs-hair); }
.zones .detail td { padding-top: 0; padding-bottom: 8px; }
.gauges { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 2px 20px; }
.gauge svg { display: block; overflow: visible; }
.gauge-text { display: block; margin-top: 2px; font-variant-numeric: tabular-nums; }
.bar { fill: none; }
.bar.spanned { stroke: var(--zs-ram); fill: none; }
.bar.present { fill: color-mix(in srgb, var(--zs-ram) 22%, var(--zs-bg)); }
.bar.managed { fill: color-mix(in srgb, var(--zs-ram) 50%, var(--zs-bg)); }
.bar.free { fill: color-mix(in srgb, var(--zs-ram) 88%, var(--zs-bg)); }
.bar.spanned.device { stroke: var(--zs-device); stroke-dasharray: 3 2; fill: color-mix(in srgb, var(--zs-device) 10%, transparent); }
.watermark { stroke: var(--zs-fg); stroke-width: 1; shape-rendering: crispEdges; }
.watermark-label { font-size: 9px; fill: var(--zs-muted); }
.break { fill: var(--zs-bg); stroke: var(--zs-muted); }

.sections tbody + tbody { border-top: 1px solid var(--zs-hair); }
.sections th, .sections td { white-space: nowrap; }
.sections .detail td { white-space: normal; padding: 2px 6px 12px 30px; }
.section-name { display: inline-flex; align-items: center; gap: 2px; font-variant-numeric: tabular-nums; }
.icon-button.twist { min-width: 20px; height: 20px; padding: 0; margin-left: -4px; }
.chips { display: inline-flex; gap: 2px; }
.subsections { display: flex; flex-wrap: wrap; gap: 8px 20px; align-items: flex-start; }
.subsections svg { flex: none; }
.bit.on { fill: var(--zs-ram); }
.bit.on.device { fill: var(--zs-device); }
.bit.off { fill: none; stroke: var(--zs-muted); }
.bit-off { stroke: var(--zs-muted); }
.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 12px; margin: 0; flex: 1 1 240px; font-size: 12px; }
.facts dt { color: var(--zs-muted); font-size: var(--zs-small); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.facts.inline { display: flex; flex-wrap: wrap; gap: 0 18px; }
.facts.inline > div { display: flex; align-items: baseline; gap: 6px; }

ul { list-style: none; margin: 0; padding: 0; }
.devices > li + li { margin-top: 8px; }
.device-name { display: flex; align-items: center; gap: 6px; font-weight: 600; }
.device-name span { font-weight: 400; }
.pagemap { padding: 4px 8px 6px 22px; }
.pagemap-head { display: flex; align-items: baseline; gap: 8px; }
.pagemap .state { font-size: var(--zs-small); color: var(--zs-muted); }
.pagemap .state.dying { color: var(--zs-fg); font-weight: 600; }
.ranges button { padding: 1px 0; }
.resources { overflow-x: auto; font-size: 12px; }
.resources li { padding: 1px 6px; white-space: nowrap; }
.resources .depth-1 { padding-left: 22px; } .resources .depth-2 { padding-left: 38px; }
.resources .depth-3 { padding-left: 54px; } .resources .depth-4 { padding-left: 70px; }
.resources .depth-5 { padding-left: 86px; } .resources .depth-6 { padding-left: 102px; }
.log {
  margin: 2px 0 0; padding: 6px 10px; font-size: 12px; overflow-x: auto; max-height: 180px;
  background: var(--vscode-textCodeBlock-background, var(--zs-raised)); border: 1px solid var(--zs-hair); border-radius: 3px;
}
body.vscode-high-contrast .lane .mark, body.vscode-high-contrast-light .lane .mark { fill: var(--zs-fg); }
@media (max-width: 400px) { thead .key { display: none; } thead th, tbody td { padding-inline: 2px; font-size: 11px; } }
@media (max-width: 640px) { .of-span { display: none; } .block { padding: 0 16px; } .block-head { margin-left: -14px; } .gauges { gap: 2px 12px; } }
`;
