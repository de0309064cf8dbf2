/** The numbers of a node's zones, with nested bars and the watermarks: always readable, however small the zone. */
import { html, nothing, type SVGTemplateResult, svg, type TemplateResult } from 'lit';
import type { NodeView, ZoneView } from '../../sim/view/types.ts';
import { count, hex, percent, size } from '../shared/format.ts';
import { changedMark } from '../shared/toolbar.ts';
import type { ZonesContext } from './context.ts';
import { isDeviceZone, populated } from './lane.ts';

const MEASURES = ['spanned', 'present', 'managed', 'free'] as const;
const MEASURE_TEXT: Readonly<Record<(typeof MEASURES)[number], string>> = {
  spanned: 'from the first to the last page frame, holes included',
  present: 'physical pages within the span',
  managed: 'pages the page allocator has',
  free: 'pages on its free lists',
};

export function zoneTable(node: NodeView, ctx: ZonesContext): TemplateResult {
  const zones = populated(node);
  const empty = node.zones.filter((zone) => zone.spanned === 0);
  return html`
    <table class="zones">
      <caption class="sr-only">Zones of node ${node.id}, in pages</caption>
      <thead>
        <tr>
          <th scope="col">Zone</th>
          ${MEASURES.map(
            (name) => html`<th scope="col" class="num" title=${MEASURE_TEXT[name]}>
              <svg class="key" width="12" height="10" aria-hidden="true"><rect class="bar ${name}" x="0.5" y="1.5" width="11" height="7" rx="1"></rect></svg>${name}
            </th>`,
          )}
        </tr>
      </thead>
      ${zones.map((zone) => zoneRows(node, zone, ctx))}
    </table>
    ${
      empty.length === 0
        ? nothing
        : html`<p class="note">Not populated: ${empty.map((zone, i) => html`${i > 0 ? ', ' : ''}<span class="zone-name">${zone.name}</span>`)}</p>`
    }
  `;
}

function zoneRows(node: NodeView, zone: ZoneView, ctx: ZonesContext): TemplateResult {
  const { pageSize } = ctx.view;
  const end = zone.startPfn + zone.spanned;
  const has = (field: string) => zone.changed.includes(field);
  const details =
    `, zone of node ${node.id}. Spanned ${count(zone.spanned)}, present ${count(zone.present)}, ` +
    `managed ${count(zone.managed)}, free ${count(zone.free)} pages.`;
  return html`
    <tbody class=${zone.changed.length > 0 ? 'is-changed' : ''}>
      <tr>
        <th scope="row">
          <button type="button" class="plain row-button" data-rove="zone:${node.id}:${zone.index}"
            title="Show in the page map" @click=${() => ctx.reveal(zone.startPfn, end)}>
            <span class="zone-name">${zone.name}</span>${zone.changed.length > 0 ? changedMark(`changed: ${zone.changed.join(', ')}`) : nothing}
            <span class="mono muted sub">${hex(zone.startPfn)}–${hex(end - 1)}</span><span class="sr-only">${details}</span>
          </button>
        </th>
        ${MEASURES.map(
          (name) => html`<td class="num">
            <span class="value">${has(name) || (name === 'spanned' && has('startPfn')) ? changedMark() : nothing}${count(zone[name])}</span>
            <span class="sub muted">${zone[name] === 0 ? '–' : size(zone[name], pageSize)}</span>
          </td>`,
        )}
      </tr>
      <tr class="detail">
        <td colspan="5">
          <div class="gauges">
            ${nested(zone)}
            ${isDeviceZone(zone) ? nothing : watermarks(zone)}
          </div>
          ${isDeviceZone(zone) ? deviceNote() : reserve(node, zone)}
        </td>
      </tr>
    </tbody>
  `;
}

/** Free within managed within present within spanned: each bar lies inside the one before. */
function nested(zone: ZoneView): TemplateResult {
  const share = (n: number) => Math.min(1, zone.spanned === 0 ? 0 : n / zone.spanned);
  const bar = (name: (typeof MEASURES)[number], inset: number): SVGTemplateResult | typeof nothing =>
    zone[name] === 0
      ? nothing
      : svg`<rect class="bar ${name} ${isDeviceZone(zone) ? 'device' : ''}" x="0" y=${inset} width="${share(zone[name]) * 100}%" height=${20 - 2 * inset} rx="2"></rect>`;
  const text = MEASURES.slice(1)
    .map((name) => `${name} ${percent(share(zone[name]))}`)
    .join(', ');
  return html`
    <div class="gauge">
      <svg width="100%" height="20" role="img" aria-label="Of the span: ${text}">
        <title>Of the span: ${text}</title>
        <rect class="bar spanned ${isDeviceZone(zone) ? 'device' : ''}" x="0" y="0.5" width="100%" height="19" rx="2"></rect>
        ${bar('present', 2)}${bar('managed', 5)}${bar('free', 8)}
      </svg>
      <span class="gauge-text small muted">${isDeviceZone(zone) ? 'only spanned' : html`present ${percent(share(zone.present))} · managed ${percent(share(zone.managed))} · free ${percent(share(zone.free))}<span class="of-span"> of span</span>`}</span>
    </div>
  `;
}

/** Free against the watermarks, on a scale of its own: they lie close together at its lower end. */
function watermarks(zone: ZoneView): TemplateResult | typeof nothing {
  const { min, low, high, promo } = zone.watermarks;
  if (zone.managed === 0) return nothing;
  const top = Math.max(1, promo * 1.5);
  const beyond = zone.free > top * 0.9;
  const at = (n: number) => Math.min(100, (n / top) * 84);
  const marks = [
    ['min', min],
    ['low', low],
    ['high', high],
    ['promo', promo],
  ] as const;
  const changed = zone.changed.includes('watermarks');
  const text = marks.map(([name, n]) => `${name} ${count(n)}`).join(', ');
  const freeWidth = beyond ? 100 : at(zone.free);
  return html`
    <div class="gauge">
      <svg width="100%" height="20" role="img" aria-label="Free ${count(zone.free)} against watermarks ${text}">
        <title>Free ${count(zone.free)} pages; watermarks ${text}</title>
        <rect class="track" x="0" y="11" width="100%" height="7" rx="2"></rect>
        <rect class="bar free" x="0" y="11" width="${freeWidth}%" height="7" rx="2"></rect>
        ${
          beyond
            ? svg`<svg x="90%" y="7.5" width="9" height="14" overflow="visible"><path class="break" d="M2 0l-3 14h5l3-14z"></path></svg>`
            : nothing
        }
        ${marks.map(([name, n]) => svg`<line class="watermark" x1="${at(n)}%" x2="${at(n)}%" y1="9" y2="20"></line><text class="watermark-label" x="${at(n)}%" y="7" text-anchor="middle">${name.slice(0, 1)}</text>`)}
      </svg>
      <span class="gauge-text small muted">${changed ? changedMark() : nothing}${marks.map(
        ([name, n], i) => html`${i > 0 ? ' · ' : ''}${name} <span class="figure">${count(n)}</span>`,
      )}</span>
    </div>
  `;
}

function reserve(node: NodeView, zone: ZoneView): TemplateResult | typeof nothing {
  const kept = zone.lowmemReserve
    .map((pages, index) => ({ pages, name: node.zones.find((z) => z.index === index)?.name ?? `zone ${index}` }))
    .filter(({ pages }, index) => pages > 0 && index > zone.index);
  if (kept.length === 0) return nothing;
  const equal = kept.every(({ pages }) => pages === kept[0]?.pages);
  const names = kept.map(({ name }) => name).join(', ');
  return html`<p class="note">${zone.changed.includes('lowmemReserve') ? changedMark() : nothing}Lowmem reserve: ${
    equal
      ? html`<span class="figure">${count(kept[0]?.pages ?? 0)}</span> pages kept from requests for ${names}`
      : kept.map(
          ({ pages, name }, i) => html`${i > 0 ? ' · ' : ''}<span class="figure">${count(pages)}</span> from ${name}`,
        )
  }</p>`;
}

function deviceNote(): TemplateResult {
  return html`<p class="note">Present and managed stay 0: these page frames have a struct page, but the page allocator never gets them.</p>`;
}
