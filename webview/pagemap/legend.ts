/** The kinds there are, how much of each, and which one to bring out. */
import { html, nothing, svg, type TemplateResult } from 'lit';
import type { PagemapSnapshot } from '../../sim/view/types.ts';
import { pageCount, size } from '../shared/format.ts';
import { inkOn, KIND_COLOURS, KIND_LOOKS, kindName } from '../shared/kinds.ts';
import type { ThemeKind } from '../shared/theme.ts';

/** A sample cell of a kind, colour and mark. */
export function swatch(kind: number, theme: ThemeKind): TemplateResult {
  const look = KIND_LOOKS[kind];
  const colour = KIND_COLOURS[theme][kind] ?? '#888888';
  const ink = inkOn(colour);
  return html`<svg class="swatch" width="14" height="14" viewBox="0 0 16 16" aria-hidden="true">
    <rect x="0.5" y="0.5" width="15" height="15" rx="2.5" fill=${colour}></rect>
    ${
      look === undefined || look.mark === ''
        ? nothing
        : svg`<path d=${look.mark} fill=${look.filled === true ? ink : 'none'} stroke=${look.filled === true ? 'none' : ink} stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"></path>`
    }
  </svg>`;
}

export function legend(
  view: PagemapSnapshot,
  theme: ThemeKind,
  highlight: number | undefined,
  toggle: (kind: number) => void,
): TemplateResult {
  const kinds = view.totals
    .map((pages, kind) => ({ kind, pages }))
    .filter(({ pages, kind }) => pages > 0 || kind === highlight);
  return html`<div class="legend" role="group" aria-label="Kinds of page frames: press one to bring it out">
    ${kinds.map(
      ({ kind, pages }) => html`<button
        type="button" class="legend-item" aria-pressed=${kind === highlight ? 'true' : 'false'}
        title="${KIND_LOOKS[kind]?.about ?? ''}: ${pageCount(pages)}" @click=${() => toggle(kind)}
      >${swatch(kind, theme)}<span>${kindName(kind)}</span><span class="amount">${size(pages, view.pageSize)}</span></button>`,
    )}
    ${view.changed.length === 0 ? nothing : html`<span class="legend-item static"><span class="changed-key" aria-hidden="true"></span>Changed by the last step</span>`}
  </div>`;
}
