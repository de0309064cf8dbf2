/** The selected page: its struct page decoded. */
import { html, nothing, type TemplateResult } from 'lit';
import type { PageView } from '../../sim/view/types.ts';
import { count, hex, hexText } from '../shared/format.ts';
import type { ThemeKind } from '../shared/theme.ts';
import { changedMark } from '../shared/toolbar.ts';
import { pageAsText } from './describe.ts';
import { flagFieldsTable, flagsRuler } from './flagsRuler.ts';
import { swatch } from './legend.ts';

export interface InspectorContext {
  selected: number | undefined;
  page: PageView | undefined;
  theme: ThemeKind;
  copy(text: string): void;
}

export function inspector(ctx: InspectorContext): TemplateResult {
  return html`<aside class="inspector" aria-label="Selected page" tabindex="-1">${
    ctx.selected === undefined
      ? html`<p class="hint">Select a page frame on the map to see its <span class="mono">struct page</span>.</p>`
      : ctx.page === undefined || ctx.page.pfn !== ctx.selected
        ? html`<h2 class="mono">${hex(ctx.selected)}</h2><p class="hint">Reading its struct page…</p>`
        : decoded(ctx.page, ctx)
  }</aside>`;
}

function decoded(page: PageView, ctx: InspectorContext): TemplateResult {
  const changed = new Set(page.changed.map((name) => name.toLowerCase()));
  const seen = new Set<string>();
  const mark = (...names: string[]) => {
    const hit = names.find((name) => changed.has(name.toLowerCase()));
    if (hit === undefined) return nothing;
    for (const name of names) seen.add(name.toLowerCase());
    return changedMark();
  };
  const fact = (name: string, value: unknown, keys: string[] = [name]) =>
    value === undefined || value === ''
      ? nothing
      : html`<div class="fact"><dt>${name}${mark(...keys)}</dt><dd>${value}</dd></div>`;
  const counts = [
    ['refcount', page.refcount, '_refcount'],
    ['mapcount', page.mapcount, '_mapcount'],
    ['order', page.order, 'order'],
  ] as const;
  const body = html`
    <div class="inspector-head">
      <div>
        <h2><span class="muted">Page</span> <span class="mono">${hex(page.pfn)}</span>${page.changed.length > 0 ? changedMark(`changed: ${page.changed.join(', ')}`) : nothing}</h2>
        <div class="kind">${swatch(page.kind, ctx.theme)} ${page.kindText}</div>
      </div>
      <button type="button" class="icon-button" title="Copy as text" aria-label="Copy this page as text" @click=${() => ctx.copy(pageAsText(page))}>
        <i class="codicon codicon-copy" aria-hidden="true"></i></button>
    </div>
    ${
      counts.every(([, value]) => value === undefined)
        ? nothing
        : html`<dl class="counts">${counts.map(([name, value, alias]) =>
            value === undefined
              ? nothing
              : html`<div><dt>${name}${mark(name, alias)}</dt><dd>${count(value)}</dd></div>`,
          )}</dl>`
    }
    ${
      page.flags === undefined
        ? html`<p class="hint">${page.valid ? 'Its struct page was never initialised.' : 'No struct page: pfn_valid() is false, and pfn_to_page() gives an address that is not mapped.'}</p>`
        : html`<h3>flags <span class="mono">${hexText(page.flags)}</span>${mark('flags')}</h3>${flagsRuler(page)}${flagFieldsTable(page)}`
    }
    <h3>Where it is</h3>
    <dl class="place">
      ${fact('physical', html`<span class="mono">${hexText(page.physical)}</span>`)}
      ${fact('node', page.node)}
      ${fact('zone', page.zone)}
      ${fact('section', html`${page.section} <span class="mono muted">${page.sectionState}</span>`, ['section', 'sectionState'])}
      ${fact('sub-section', page.subsection, ['subsection'])}
      ${fact('memory block', page.block, ['block'])}
      ${fact('resource', page.resource)}
      ${fact('pgmap', page.pgmap === undefined ? undefined : html`<span class="mono">${page.pgmap}</span>`)}
      ${fact('pfn_valid', page.valid ? 'yes' : 'no', ['valid'])}
      ${fact('online', page.online ? 'yes' : 'no: pfn_to_online_page() is NULL')}
    </dl>
    <h3>struct page</h3>
    <p class="address mono">${hexText(page.pageAddress)}</p>
    <p class="hint">${page.pageAddressText}</p>
  `;
  const rest = page.changed.filter((name) => !seen.has(name.toLowerCase()));
  return html`${body}${rest.length === 0 ? nothing : html`<p class="hint">${changedMark()}Also changed: ${rest.join(', ')}</p>`}`;
}
