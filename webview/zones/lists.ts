/** Devices with their pagemaps, the resource tree, and what the last step wrote to the kernel log. */
import { html, nothing, type TemplateResult } from 'lit';
import type { PagemapView, ResourceView } from '../../sim/view/types.ts';
import { count, pfnRange, size } from '../shared/format.ts';
import { changedMark } from '../shared/toolbar.ts';
import type { ZonesContext } from './context.ts';

export function devicesList(ctx: ZonesContext): TemplateResult {
  const { devices } = ctx.view;
  if (devices.every((device) => device.pagemaps.length === 0)) {
    return html`<p class="note">No device memory is mapped. A driver maps it with memremap_pages().</p>`;
  }
  return html`<ul class="devices">${devices.map(
    (device) => html`<li>
      <div class="device-name"><i class="codicon codicon-circuit-board" aria-hidden="true"></i>${device.name}
        <span class="muted small">${device.nid < 0 ? 'no node' : `node ${device.nid}`}</span></div>
      ${device.pagemaps.map((pagemap) => pagemapItem(device.name, pagemap, ctx))}
    </li>`,
  )}</ul>`;
}

function pagemapItem(device: string, pagemap: PagemapView, ctx: ZonesContext): TemplateResult {
  const { pageSize } = ctx.view;
  const state = pagemap.live ? 'live' : 'waiting for its references';
  return html`
    <div class="pagemap ${pagemap.changed ? 'is-changed' : ''}">
      <div class="pagemap-head">
        <span class="mono">${pagemap.type}</span>${pagemap.changed ? changedMark() : nothing}
        <span class="state ${pagemap.live ? '' : 'dying'}">${state}</span>
      </div>
      <ul class="ranges">${pagemap.ranges.map(
        (
          range,
          i,
        ) => html`<li><button type="button" class="plain row-button mono" data-rove="pagemap:${pagemap.id}:${i}"
          title="Show in the page map" @click=${() => ctx.reveal(range.startPfn, range.endPfn)}
        >${pfnRange(range.startPfn, range.endPfn)} <span class="muted">${size(range.endPfn - range.startPfn, pageSize)}</span><span class="sr-only">, pagemap ${pagemap.id} of ${device}, ${pagemap.type}, ${pagemap.refs} references, ${state}</span></button></li>`,
      )}</ul>
      <dl class="facts inline">
        <div><dt>references</dt><dd class="figure">${count(pagemap.refs)}</dd></div>
        <div><dt>owner</dt><dd class="mono">${pagemap.owner || 'none'}</dd></div>
        ${
          pagemap.altmap === undefined
            ? nothing
            : html`<div><dt>altmap</dt><dd class="figure">reserve ${count(pagemap.altmap.reserve)} · free ${count(pagemap.altmap.free)} · alloc ${count(pagemap.altmap.alloc)} · align ${count(pagemap.altmap.align)}</dd></div>`
        }
      </dl>
    </div>
  `;
}

export function resourceTree(ctx: ZonesContext): TemplateResult {
  const { pageSize, resources } = ctx.view;
  const digits = Math.max(8, ...resources.map((r) => r.end.replace(/^0x/, '').length));
  return html`<ul class="resources mono">${resources.map((resource, i) => {
    const pages = resourcePages(resource, pageSize);
    const start = resource.start.replace(/^0x/, '').padStart(digits, '0');
    const end = resource.end.replace(/^0x/, '').padStart(digits, '0');
    return html`<li class="depth-${Math.min(6, resource.depth)} ${resource.changed ? 'is-changed' : ''}">
      <button type="button" class="plain row-button" data-rove="resource:${i}" title=${resource.desc || 'Show in the page map'}
        @click=${() => ctx.reveal(pages.startPfn, pages.endPfn)}
      ><span class="muted">${start}-${end} :</span> ${resource.name}${resource.changed ? changedMark() : nothing}${
        resource.desc === '' ? nothing : html` <span class="muted">· ${resource.desc}</span>`
      }<span class="sr-only">${resource.depth > 0 ? `, level ${resource.depth + 1}` : ''}${resource.busy ? ', busy' : ''}</span></button></li>`;
  })}</ul>`;
}

/** The page frames a resource touches. */
export function resourcePages(resource: ResourceView, pageSize: number): { startPfn: number; endPfn: number } {
  const start = BigInt(`0x${resource.start.replace(/^0x/, '')}`);
  const end = BigInt(`0x${resource.end.replace(/^0x/, '')}`);
  const startPfn = Number(start / BigInt(pageSize));
  return { startPfn, endPfn: Math.max(startPfn + 1, Number(end / BigInt(pageSize)) + 1) };
}

export function logLines(lines: readonly string[]): TemplateResult {
  return html`<pre class="log mono" tabindex="0" aria-label="Kernel log of the last step">${lines.join('\n')}</pre>`;
}
