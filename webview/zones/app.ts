/** The Zones panel: nodes, zones to scale, sections, devices and resources of the machine as it is now. */
import { html, nothing, type TemplateResult } from 'lit';
import type { ZonesView } from '../../sim/view/types.ts';
import type { HostToZones, ZonesToHost } from '../protocol/zones.ts';
import { announce } from '../shared/announce.ts';
import { count, hex, pfnRange, size } from '../shared/format.ts';
import { moveRoving, settleRoving } from '../shared/keyboard.ts';
import { Panel } from '../shared/panel.ts';
import { changedMark } from '../shared/toolbar.ts';
import type { ZonesContext } from './context.ts';
import { lane, laneWidth } from './lane.ts';
import { devicesList, logLines, resourceTree } from './lists.ts';
import { buildScale, extentsOf, type Scale } from './scale.ts';
import { sectionsTable } from './sections.ts';
import { type Block, readZonesState, type ZonesState } from './state.ts';
import { zoneTable } from './zoneTable.ts';

const PADDING = 24;

export class ZonesApp extends Panel<ZonesView, HostToZones, ZonesToHost> {
  static override properties = {
    ...Panel.properties,
    width: { attribute: false },
    marked: { attribute: false },
  };
  declare width: number;
  declare marked: { startPfn: number; endPfn: number } | undefined;
  private state: ZonesState = readZonesState(undefined);
  private scale: Scale | undefined;
  private scaled: { view: ZonesView; width: number } | undefined;
  private scrolled = false;
  private readonly observer = new ResizeObserver((entries) => {
    const width = entries[0]?.contentRect.width;
    if (width !== undefined && Math.abs(width - this.width) >= 1) this.width = Math.floor(width);
  });

  constructor() {
    super();
    this.width = document.documentElement.clientWidth;
    this.marked = undefined;
    this.addEventListener('keydown', (event) => this.onKey(event));
    this.addEventListener('focusin', (event) => {
      const item = (event.target as Element).closest('[data-rove]')?.getAttribute('data-rove');
      if (item !== undefined && item !== null) this.remember({ focus: item });
    });
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.observer.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.observer.disconnect();
  }

  protected restore(kept: unknown): void {
    this.state = readZonesState(kept);
  }

  private remember(part: Partial<ZonesState>): void {
    this.state = { ...this.state, ...part };
    this.keep(this.state);
  }

  protected take(message: HostToZones): void {
    if (message.type === 'snapshot') this.takeSnapshot(message.view);
    else if (message.type === 'reveal') this.reveal(message.startPfn, message.endPfn, false);
    else this.takeCommon(message);
  }

  /** Marks page frames on the axis; tells the others unless they told us. */
  private reveal(startPfn: number, endPfn: number, tell: boolean): void {
    this.marked = { startPfn, endPfn };
    if (tell) {
      this.post({ type: 'selectRange', startPfn, endPfn });
      announce(`${pfnRange(startPfn, endPfn)} selected`);
    } else if (this.view !== undefined) {
      const section = this.view.sections.find((run) => {
        const start = run.first * (this.view?.sectionPages ?? 1);
        return startPfn >= start && startPfn < start + run.count * (this.view?.sectionPages ?? 1);
      });
      const row = section && this.querySelector(`[data-rove="section:${section.first}"]`);
      row?.scrollIntoView({ block: 'nearest' });
    }
  }

  private onKey(event: KeyboardEvent): void {
    const run = (event.target as Element).closest<HTMLElement>('[data-open]')?.dataset.open;
    if (run !== undefined && (event.key === 'ArrowRight' || event.key === 'ArrowLeft')) {
      const first = Number(run);
      if (this.state.open.includes(first) !== (event.key === 'ArrowRight')) this.toggle(first);
      event.preventDefault();
      return;
    }
    moveRoving(this, event);
  }

  private toggle(first: number): void {
    const open = this.state.open.includes(first)
      ? this.state.open.filter((n) => n !== first)
      : [...this.state.open, first];
    this.remember({ open });
    this.requestUpdate();
  }

  protected override updated(): void {
    settleRoving(this, this.state.focus);
    const main = this.querySelector('main');
    if (this.view !== undefined && main !== null && !this.scrolled) {
      this.scrolled = true;
      main.scrollTop = this.state.scroll;
    }
  }

  private scaleOf(view: ZonesView, width: number): Scale {
    if (this.scale === undefined || this.scaled?.view !== view || this.scaled.width !== width) {
      this.scale = buildScale(extentsOf(view.sections, view.sectionPages), width, { gap: 46, min: 3 });
      this.scaled = { view, width };
    }
    return this.scale;
  }

  protected override render(): TemplateResult {
    return this.frame({ id: 'openPagemap', icon: 'table', label: 'Open the page map' }, (view) => this.body(view));
  }

  private body(view: ZonesView): TemplateResult {
    const width = Math.max(240, this.width - 2 * PADDING);
    const scale = this.scaleOf(view, laneWidth(width));
    const ctx: ZonesContext = {
      view,
      width,
      marked: this.marked,
      isOpen: (first) => this.state.open.includes(first),
      toggle: (first) => this.toggle(first),
      reveal: (startPfn, endPfn) => this.reveal(startPfn, endPfn, true),
    };
    const widened = scale.segments.some((segment) => segment.widened);
    return html`
      <main @scroll=${(event: Event) => this.remember({ scroll: (event.target as Element).scrollTop })}>
        ${view.printk.length === 0 ? nothing : this.block('log', 'Kernel log of this step', nothing, logLines(view.printk))}
        ${this.block(
          'nodes',
          view.nodes.length > 1 ? 'Nodes and zones' : 'Zones',
          html`<span class="muted small">memory to scale, gaps cut${widened ? '; the smallest ranges are drawn wider than to scale' : ''}</span>`,
          html`${view.nodes.map((node) => this.node(node, scale, ctx))}`,
        )}
        <div class="columns">
          ${this.block('sections', 'Sections', nothing, sectionsTable(ctx))}
          <div>
            ${this.block('devices', 'Devices and pagemaps', nothing, devicesList(ctx))}
            ${this.block('resources', 'Resources', html`<span class="muted small">/proc/iomem</span>`, resourceTree(ctx))}
          </div>
        </div>
      </main>
    `;
  }

  private node(node: ZonesView['nodes'][number], scale: Scale, ctx: ZonesContext): TemplateResult {
    const { pageSize } = ctx.view;
    const end = node.startPfn + node.spanned;
    const changed = node.zones.some((zone) => zone.changed.length > 0);
    return html`
      <section class="node" aria-label="Node ${node.id}">
        <div class="node-head">
          <button type="button" class="plain row-button" data-rove="node:${node.id}" title="Show in the page map"
            @click=${() => ctx.reveal(node.startPfn, end)}><strong>Node ${node.id}</strong>${changed ? changedMark() : nothing}<span class="sr-only">, page frames ${pfnRange(node.startPfn, end)}, spanned ${count(node.spanned)}, present ${count(node.present)} pages</span></button>
          <span class="mono muted">${hex(node.startPfn)}–${hex(Math.max(node.startPfn, end - 1))}</span>
          <span class="muted">spanned ${size(node.spanned, pageSize)} · present ${size(node.present, pageSize)}</span>
        </div>
        ${lane(node, scale, ctx)}
        ${zoneTable(node, ctx)}
      </section>
    `;
  }

  private block(id: Block, title: string, aside: unknown, body: TemplateResult): TemplateResult {
    const isOpen = !this.state.collapsed.includes(id);
    return html`
      <section class="block" aria-label=${title}>
        <div class="block-head">
          <h2><button type="button" class="plain" aria-expanded=${isOpen ? 'true' : 'false'} @click=${() => this.collapse(id)}>
            <i class="codicon codicon-chevron-${isOpen ? 'down' : 'right'}" aria-hidden="true"></i>${title}</button></h2>
          ${aside}
        </div>
        ${isOpen ? html`<div class="block-body">${body}</div>` : nothing}
      </section>
    `;
  }

  private collapse(id: Block): void {
    const { collapsed } = this.state;
    this.remember({ collapsed: collapsed.includes(id) ? collapsed.filter((b) => b !== id) : [...collapsed, id] });
    this.requestUpdate();
  }
}
