/** The Pagemap panel: every page frame of the machine, and the struct page of one of them. */
import '@vscode-elements/elements/dist/vscode-textfield/index.js';
import { html, nothing, type TemplateResult } from 'lit';
import type { PagemapSnapshot, PageView } from '../../sim/view/types.ts';
import type { HostToPagemap, PagemapToHost } from '../protocol/pagemap.ts';
import { parsePlace } from '../protocol/place.ts';
import { announce } from '../shared/announce.ts';
import { hex, pageCount, pfnRange, size } from '../shared/format.ts';
import { Panel } from '../shared/panel.ts';
import { describePage } from './describe.ts';
import { inspector } from './inspector.ts';
import { legend } from './legend.ts';
import { PageMap } from './map.ts';
import { type PagemapState, readPagemapState } from './state.ts';

/** Held arrow keys select many cells a second; the host hears of where they come to rest. */
const SELECT_DELAY_MS = 60;

export class PagemapApp extends Panel<PagemapSnapshot, HostToPagemap, PagemapToHost> {
  static override properties = {
    ...Panel.properties,
    page: { attribute: false },
    wrong: { attribute: false },
  };
  declare page: PageView | undefined;
  /** What is wrong with the text in "Go to". */
  declare wrong: string;
  readonly map = new PageMap();
  private state: PagemapState = readPagemapState(undefined);
  private restored = false;
  private pendingSelect: ReturnType<typeof setTimeout> | undefined;
  private pendingReveal: { startPfn: number; endPfn: number } | undefined;

  constructor() {
    super();
    this.page = undefined;
    this.wrong = '';
    this.map.connect({
      wantTiles: (level, indices) => {
        this.post({ type: 'tiles', revision: this.view?.position.revision ?? 0, level, indices });
      },
      select: (pfn) => this.select(pfn),
      moved: () => this.onMoved(),
      goTo: () => this.querySelector<HTMLElement>('.go-to')?.focus(),
    });
  }

  protected restore(kept: unknown): void {
    this.state = readPagemapState(kept);
    this.map.highlight = this.state.highlight;
    this.map.selected = this.state.selected;
    this.map.setTheme(this.theme);
  }

  protected override onTheme(): void {
    this.map.setTheme(this.theme);
  }

  private remember(part: { [K in keyof PagemapState]?: PagemapState[K] | undefined }): void {
    const next = { ...this.state, ...part };
    this.state = Object.fromEntries(
      Object.entries(next).filter(([, value]) => value !== undefined),
    ) as unknown as PagemapState;
    this.keep(this.state);
  }

  private onMoved(): void {
    const { viewport } = this.map;
    if (this.restored) {
      this.remember({
        zoom: viewport.isFit ? undefined : viewport.layout.zoom,
        top: viewport.isFit ? undefined : viewport.topPfn(),
      });
    }
    this.requestUpdate();
  }

  protected take(message: HostToPagemap): void {
    switch (message.type) {
      case 'snapshot':
        this.takeView(message.view);
        break;
      case 'tiles':
        if (this.map.cache.accept(message.revision, message.level, message.tiles)) this.map.tilesArrived();
        break;
      case 'page':
        if (message.page.pfn === this.state.selected && message.page.revision >= (this.page?.revision ?? 0)) {
          this.page = message.page;
          this.map.setPage(message.page);
          if (document.activeElement !== this.map) announce(describePage(message.page));
        }
        break;
      case 'reveal':
        this.reveal(message.startPfn, message.endPfn);
        break;
      default:
        this.takeCommon(message);
    }
  }

  private takeView(view: PagemapSnapshot): void {
    if (!this.takeSnapshot(view)) return;
    if (this.state.selected === undefined && view.selected !== undefined) {
      this.remember({ selected: view.selected });
      this.map.selected = view.selected;
    }
    this.map.setView(view);
    // What was decoded is of the last revision: the selected page is read anew.
    if (this.state.selected !== undefined) this.post({ type: 'select', pfn: this.state.selected });
  }

  protected override updated(): void {
    if (this.view === undefined || this.restored || this.map.viewport.height <= 1) return;
    this.restored = true;
    if (this.state.zoom !== undefined && this.state.top !== undefined) {
      this.map.restore(this.state.zoom, this.state.top);
    }
    if (this.pendingReveal !== undefined) this.reveal(this.pendingReveal.startPfn, this.pendingReveal.endPfn);
  }

  private reveal(startPfn: number, endPfn: number): void {
    if (!this.restored) {
      this.pendingReveal = { startPfn, endPfn };
      return;
    }
    this.pendingReveal = undefined;
    this.map.marked = endPfn - startPfn > 1 ? { startPfn, endPfn } : undefined;
    this.setSelected(startPfn);
    this.post({ type: 'select', pfn: startPfn });
    this.map.reveal(startPfn, endPfn);
    announce(`Showing ${pfnRange(startPfn, endPfn)}`);
  }

  private setSelected(pfn: number): void {
    this.remember({ selected: pfn });
    this.map.selected = pfn;
    if (this.page?.pfn !== pfn) {
      this.page = undefined;
      this.map.setPage(undefined);
    }
    this.requestUpdate();
  }

  private select(pfn: number): void {
    this.setSelected(pfn);
    clearTimeout(this.pendingSelect);
    this.pendingSelect = setTimeout(() => this.post({ type: 'select', pfn }), SELECT_DELAY_MS);
  }

  private has(pfn: number): boolean {
    return this.view?.extents.some((extent) => pfn >= extent.startPfn && pfn < extent.endPfn) ?? false;
  }

  private goTo(field: HTMLElement & { value: string }): void {
    const { view } = this;
    if (view === undefined || field.value.trim() === '') return;
    const pfn = parsePlace(field.value, view.pageSize, (candidate) => this.has(candidate));
    if (pfn === undefined) {
      this.wrong = `${field.value.trim()} is no page frame and no address of this machine. Try ${hex(view.extents[0]?.startPfn ?? 0)}, an address, or a size such as 4G.`;
      return;
    }
    this.wrong = '';
    field.value = '';
    this.select(pfn);
    this.map.show(pfn);
    this.map.focus();
  }

  private highlight(kind: number): void {
    const next = this.state.highlight === kind ? undefined : kind;
    this.remember({ highlight: next });
    this.map.highlight = next;
    this.requestUpdate();
  }

  protected override render(): TemplateResult {
    return this.frame({ id: 'openZones', icon: 'layers', label: 'Open the zones' }, (view) => this.body(view));
  }

  private body(view: PagemapSnapshot): TemplateResult {
    if (view.extents.length === 0) {
      return html`<main><p class="hint center">This machine has no page frames.</p></main>`;
    }
    return html`
      <main class="pagemap">
        <div class="map-side">
          ${this.mapBar(view)}
          ${this.wrong === '' ? nothing : html`<p class="wrong" role="alert">${this.wrong}</p>`}
          ${this.map}
          <span id="map-keys" class="sr-only">Arrow keys move between cells, plus and minus zoom, zero shows everything, G goes to an address, N and P to what changed.</span>
          ${legend(view, this.theme, this.state.highlight, (kind) => this.highlight(kind))}
        </div>
        ${inspector({ selected: this.state.selected, page: this.page, theme: this.theme, copy: (text) => this.copy(text) })}
      </main>
    `;
  }

  private mapBar(view: PagemapSnapshot): TemplateResult {
    const { layout, canZoomIn, canZoomOut, isFit } = this.map.viewport;
    const cellSize = size(layout.cellPages, view.pageSize);
    const button = (icon: string, label: string, enabled: boolean, run: () => void) => html`<button
      type="button" class="icon-button" title=${label} aria-label=${label} ?disabled=${!enabled} @click=${run}
    ><i class="codicon codicon-${icon}" aria-hidden="true"></i></button>`;
    return html`<div class="map-bar" role="toolbar" aria-label="Map">
      <span class="group">
        ${button('zoom-out', 'Zoom out (-)', canZoomOut, () => this.map.zoomBy(1))}
        ${button('zoom-in', 'Zoom in (+)', canZoomIn, () => this.map.zoomBy(-1))}
        ${button('screen-full', 'Show everything (0)', !isFit, () => this.map.fit())}
      </span>
      <span class="scale">1 cell = <span class="cell-pages">${pageCount(layout.cellPages)} · </span>${cellSize}</span>
      ${
        view.changed.length === 0
          ? nothing
          : html`<span class="group">${button('chevron-up', 'Previous change (P)', true, () => this.map.toChange(false))}${button('chevron-down', 'Next change (N)', true, () => this.map.toChange(true))}
              <span class="small muted changes">▲ ${view.changed.length === 1 ? '1 change' : `${view.changed.length} changes`}</span></span>`
      }
      <vscode-textfield class="go-to" label="Go to page frame or address" placeholder="Go to pfn or address" @keydown=${(
        event: KeyboardEvent,
      ) => {
        const field = event.currentTarget as HTMLElement & { value: string };
        if (event.key === 'Enter') this.goTo(field);
        else if (event.key === 'Escape') {
          this.wrong = '';
          this.map.focus();
        }
      }}></vscode-textfield>
    </div>`;
  }
}
