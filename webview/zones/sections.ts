/** The sections: runs of equal state as rows, and the sub-section bits of one behind each. */
import { html, nothing, svg, type TemplateResult } from 'lit';
import type { SectionRunView } from '../../sim/view/types.ts';
import { count, hex, hexText, pfnRange, physical, size } from '../shared/format.ts';
import { changedMark } from '../shared/toolbar.ts';
import type { ZonesContext } from './context.ts';
import { isDeviceRun, stateLetters } from './lane.ts';

/** More rows than this are cut short: nobody reads them, and the page must stay quick. */
const MOST_ROWS = 300;

/** Bit `i` of a sub-section map of two 32-bit words, low first. */
export function subsectionBit(map: readonly [number, number], i: number): boolean {
  const word = i < 32 ? map[0] : map[1];
  return Math.floor(word / 2 ** (i % 32)) % 2 === 1;
}

export function subsectionsSet(map: readonly [number, number]): number {
  let set = 0;
  for (let i = 0; i < 64; i++) if (subsectionBit(map, i)) set++;
  return set;
}

export function sectionsTable(ctx: ZonesContext): TemplateResult {
  const { view } = ctx;
  const nodes = view.nodes.length > 1;
  const shown = view.sections.slice(0, MOST_ROWS);
  return html`
    <p class="note lead">${count(view.sections.reduce((sum, run) => sum + run.count, 0))} sections of ${size(view.sectionPages, view.pageSize)} exist, each with 64 sub-sections of ${size(view.subsectionPages, view.pageSize)}.</p>
    <table class="sections">
      <caption class="sr-only">Sections by runs of equal state</caption>
      <thead><tr>
        <th scope="col">Sections</th>
        ${nodes ? html`<th scope="col" class="num">Node</th>` : nothing}
        <th scope="col">State</th>
        <th scope="col" class="num">Sub-sections</th>
        <th scope="col">Zones</th>
      </tr></thead>
      ${shown.map((run) => sectionRows(run, nodes, ctx))}
    </table>
    ${view.sections.length > shown.length ? html`<p class="note">${count(view.sections.length - shown.length)} more runs are not listed.</p>` : nothing}
  `;
}

function sectionRows(run: SectionRunView, nodes: boolean, ctx: ZonesContext): TemplateResult {
  const { sectionPages } = ctx.view;
  const start = run.first * sectionPages;
  const end = start + run.count * sectionPages;
  const letters = stateLetters(run);
  const last = run.first + run.count - 1;
  const name = run.count === 1 ? `${run.first}` : `${run.first}–${last}`;
  const set = subsectionsSet(run.subsectionMap);
  const isOpen = ctx.isOpen(run.first);
  const meaning = letters.filter((bit) => bit.on).map((bit) => bit.meaning);
  const details = `, ${meaning.join(', ') || 'no state'}; ${set} of 64 sub-sections; ${run.zones.join(', ') || 'no zone'}; node ${run.nid}`;
  const key = `section:${run.first}`;
  return html`
    <tbody class=${run.changed ? 'is-changed' : ''}>
      <tr>
        <th scope="row">
          <span class="section-name">
            <button type="button" class="icon-button twist" data-rove="${key}:open" aria-expanded=${isOpen ? 'true' : 'false'}
              aria-label="Sub-sections of section ${name}" @click=${() => ctx.toggle(run.first)}
            ><i class="codicon codicon-chevron-${isOpen ? 'down' : 'right'}" aria-hidden="true"></i></button>
            <button type="button" class="plain row-button" data-rove=${key} data-open=${run.first}
              title="Show in the page map" @click=${() => ctx.reveal(start, end)}>
              <span class="sr-only">Section </span>${name}${run.changed ? changedMark() : nothing}
              ${run.count > 1 ? html`<span class="muted small">× ${count(run.count)}</span>` : nothing}<span class="sr-only">${details}</span>
            </button>
          </span>
        </th>
        ${nodes ? html`<td class="num">${run.nid}</td>` : nothing}
        <td><span class="chips" aria-hidden="true">${letters.map(
          (bit) =>
            html`<span class="chip ${bit.on ? '' : 'off'} ${isDeviceRun(run) ? 'device' : ''}" title=${bit.on ? bit.meaning : `not ${bit.meaning}`}>${bit.on ? bit.letter : '·'}</span>`,
        )}</span><span class="sr-only">${meaning.join(', ')}</span></td>
        <td class="num">${set}<span class="muted">/64</span></td>
        <td>${run.zones.join(', ')}</td>
      </tr>
      ${isOpen ? html`<tr class="detail"><td colspan=${nodes ? 5 : 4}>${subsections(run, set, start, end, ctx)}</td></tr>` : nothing}
    </tbody>
  `;
}

function subsections(run: SectionRunView, set: number, start: number, end: number, ctx: ZonesContext): TemplateResult {
  const { view } = ctx;
  const words = run.subsectionMap.map((word) => word.toString(16).padStart(8, '0'));
  const flags = stateLetters(run)
    .filter((bit) => bit.on)
    .map((bit) => bit.letter)
    .join(' ');
  return html`
    <div class="subsections">
      <svg width="130" height="130" role="img" aria-label="${set} of 64 sub-section bits are set: ${words[0]}, ${words[1]}">
        ${Array.from({ length: 64 }, (_, i) => {
          const on = subsectionBit(run.subsectionMap, i);
          const x = (i % 8) * 16 + 1;
          const y = Math.floor(i / 8) * 16 + 1;
          return svg`<g><title>Bit ${i}: ${on ? 'set' : 'clear'}, page frames from ${pfnRange(start + i * view.subsectionPages, start + (i + 1) * view.subsectionPages)}</title>
            <rect class="bit ${on ? 'on' : 'off'} ${isDeviceRun(run) ? 'device' : ''}" x=${x + 0.5} y=${y + 0.5} width="13" height="13" rx="2"></rect>
            ${on ? nothing : svg`<line class="bit-off" x1=${x + 3.5} y1=${y + 10.5} x2=${x + 10.5} y2=${y + 3.5}></line>`}</g>`;
        })}
      </svg>
      <dl class="facts">
        <dt>Page frames</dt><dd class="mono">${pfnRange(start, end)}</dd>
        <dt>Physical</dt><dd class="mono">${physical(start, view.pageSize)}–${hex(end * view.pageSize - 1)}</dd>
        <dt>section_mem_map</dt><dd class="mono">${hexText(run.raw)} <span class="muted">= memmap | ${flags || '0'}</span></dd>
        <dt>subsection_map</dt><dd class="mono">${words.join(',')}</dd>
        <dt></dt><dd class="muted">From the upper left, each square is a sub-section of ${size(view.subsectionPages, view.pageSize)}, bit 0 first.${run.count > 1 ? ` The same in all ${count(run.count)} sections; the word is that of section ${run.first}.` : ''}</dd>
      </dl>
    </div>
  `;
}
