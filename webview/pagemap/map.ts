/**
 * The map as an element: a canvas, the pointer and the keyboard on it, and beside the pixels the
 * same in words. It is a grid whose one focused cell is described; assistive technology reads that
 * cell as the arrows move it.
 */
import type { PagemapSnapshot, PageView } from '../../sim/view/types.ts';
import { hex } from '../shared/format.ts';
import type { ThemeKind } from '../shared/theme.ts';
import { describeCell } from './describe.ts';
import { type Place, placeOf } from './layout.ts';
import { buildLook, type Look } from './look.ts';
import { keyTarget, nextChange } from './navigate.ts';
import { buildStrip, paintStrip, type Strip, stripPfn, stripTiles, stripY } from './overview.ts';
import { paint, slicesInSight } from './paint.ts';
import { readCell, TileCache, tilesOf } from './tiles.ts';
import { Tip } from './tip.ts';
import { Viewport } from './viewport.ts';

const MIN_CELL = 8;
const HEADER = 26;
const CUT_HEADER = 44;
const STRIP = 16;
const STRIP_GAP = 12;
const DRAG_SLOP = 4;

export interface MapEvents {
  wantTiles(level: number, indices: number[]): void;
  select(pfn: number): void;
  moved(): void;
  goTo(): void;
}

export class PageMap extends HTMLElement {
  readonly viewport = new Viewport();
  readonly cache = new TileCache();
  /** Milliseconds the last drawing took, for measuring. */
  lastPaint = 0;
  private view: PagemapSnapshot | undefined;
  private page: PageView | undefined;
  private look: Look | undefined;
  private theme: ThemeKind = 'dark';
  private strip: Strip = { level: 0, height: 0, parts: [] };
  private selectedPfn: number | undefined;
  private hovered: number | undefined;
  private highlighted: number | undefined;
  private markedRange: { startPfn: number; endPfn: number } | undefined;
  private scheduled = 0;
  private ratio = 1;
  private left = 0;
  private readonly canvas = document.createElement('canvas');
  private readonly tip = new Tip();
  private readonly row = document.createElement('div');
  private readonly cells = [document.createElement('div'), document.createElement('div')] as const;
  private readonly observer = new ResizeObserver(() => this.resize());
  private events: MapEvents | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;

  connect(events: MapEvents): void {
    this.events = events;
  }

  connectedCallback(): void {
    if (this.canvas.parentElement === null) this.build();
    this.observer.observe(this);
  }

  disconnectedCallback(): void {
    this.observer.disconnect();
    cancelAnimationFrame(this.scheduled);
    clearTimeout(this.retry);
    this.scheduled = 0;
  }

  private build(): void {
    this.tabIndex = 0;
    this.setAttribute('role', 'grid');
    this.setAttribute('aria-label', 'Page frames');
    this.setAttribute('aria-describedby', 'map-keys');
    this.canvas.setAttribute('aria-hidden', 'true');
    this.row.setAttribute('role', 'row');
    this.row.className = 'sr-only';
    this.cells.forEach((cell, i) => {
      cell.id = `map-cell-${i}`;
      cell.setAttribute('role', 'gridcell');
    });
    this.row.append(this.cells[0]);
    this.append(this.canvas, this.row, this.tip.element);
    this.addEventListener('keydown', (event) => this.onKey(event));
    this.addEventListener('wheel', (event) => this.onWheel(event), { passive: false });
    this.addEventListener('pointerdown', (event) => this.onPointerDown(event));
    this.addEventListener('pointermove', (event) => this.onHover(event));
    this.addEventListener('pointerleave', () => this.hover(undefined));
    this.addEventListener('dblclick', (event) => this.zoomAround(-1, this.point(event)));
    this.addEventListener('focus', () => this.describe());
  }

  // What the panel tells the map.

  setTheme(theme: ThemeKind): void {
    this.theme = theme;
    this.look = undefined;
    this.draw();
  }

  setView(view: PagemapSnapshot): void {
    const sameMachine = this.view !== undefined && sameExtents(this.view, view);
    if (this.view?.position.machine !== view.position.machine) this.cache.clear();
    this.cache.advance(view.position.revision);
    this.view = view;
    if (!sameMachine) this.resize();
    this.draw();
  }

  setPage(page: PageView | undefined): void {
    this.page = page;
    this.describe();
  }

  set selected(pfn: number | undefined) {
    this.selectedPfn = pfn;
    this.draw();
    this.describe();
  }

  set highlight(kind: number | undefined) {
    this.highlighted = kind;
    this.draw();
  }

  set marked(range: { startPfn: number; endPfn: number } | undefined) {
    this.markedRange = range;
    this.draw();
  }

  /** Zooms by steps around the selection if it is in sight, else the middle. */
  zoomBy(steps: number): void {
    const at = this.selectedPfn === undefined ? undefined : placeOf(this.viewport.layout, this.selectedPfn);
    const band = at && this.viewport.layout.bands[at.band];
    const y = at && band ? band.y + (at.row + 0.5) * this.viewport.layout.rowHeight - this.viewport.scroll : undefined;
    const inSight = y !== undefined && y >= 0 && y <= this.viewport.height;
    this.zoomAround(steps, {
      x: at && inSight ? this.left + (at.column + 0.5) * this.viewport.layout.cell : this.left,
      y: inSight ? y : this.viewport.height / 2,
    });
  }

  fit(): void {
    this.viewport.zoomFit();
    this.afterMove();
  }

  /** Takes up where a panel left off. */
  restore(zoom: number, topPfn: number): void {
    this.viewport.restore(zoom, topPfn);
    this.afterMove();
  }

  /** Scrolls until the page frame is in sight. */
  show(pfn: number): void {
    this.viewport.show(pfn);
    this.afterMove();
  }

  reveal(startPfn: number, endPfn: number): void {
    this.viewport.showRange(startPfn, endPfn);
    this.afterMove();
  }

  // Sizes and drawing.

  private resize(): void {
    const { clientWidth, clientHeight } = this;
    if (clientWidth === 0 || clientHeight === 0 || this.view === undefined) return;
    this.ratio = Math.max(1, Math.round(devicePixelRatio * 4) / 4);
    const r = this.ratio;
    this.canvas.width = Math.round(clientWidth * r);
    this.canvas.height = Math.round(clientHeight * r);
    const digits = Math.max(...this.view.extents.map((e) => hex(e.endPfn).length), 6);
    this.left = Math.round((digits * 6.4 + 14) * r);
    this.look = undefined;
    this.viewport.set(this.view.extents, {
      width: Math.max(16, this.canvas.width - this.left - (STRIP + STRIP_GAP) * r),
      height: this.canvas.height,
      minCell: MIN_CELL * r,
      headerHeight: HEADER * r,
      cutHeight: CUT_HEADER * r,
    });
    this.strip = buildStrip(this.view.extents, this.canvas.height);
    this.drawNow();
    this.events?.moved();
  }

  draw(): void {
    if (this.scheduled === 0 && this.isConnected) {
      this.scheduled = requestAnimationFrame(() => {
        this.scheduled = 0;
        this.drawNow();
      });
    }
  }

  drawNow(): void {
    const ctx = this.canvas.getContext('2d', { alpha: false });
    const { view } = this;
    if (ctx === null || view === undefined || this.canvas.width === 0) return;
    this.look ??= buildLook(this.theme, this.ratio);
    const began = performance.now();
    const shared = { ratio: this.ratio, look: this.look, cache: this.cache, highlight: this.highlighted };
    paint(ctx, {
      ...shared,
      layout: this.viewport.layout,
      scroll: Math.round(this.viewport.scroll),
      width: this.canvas.width,
      height: this.canvas.height,
      left: this.left,
      sectionPages: view.sectionPages,
      pageSize: view.pageSize,
      selected: this.selectedPfn,
      hovered: this.hovered,
      marked: this.markedRange,
    });
    const [top, bottom] = [this.viewport.topPfn() ?? 0, this.viewport.bottomPfn() ?? 0];
    paintStrip(ctx, {
      ...shared,
      strip: this.strip,
      x: this.canvas.width - STRIP * this.ratio - 1,
      width: STRIP * this.ratio,
      window: { from: stripY(this.strip, top), to: stripY(this.strip, bottom + 1) },
      selected: this.selectedPfn,
      changed: view.changed,
    });
    this.lastPaint = performance.now() - began;
    this.askForTiles();
  }

  /** The cells in sight and the strip: nothing else is ever asked for. */
  private askForTiles(): void {
    const { layout, scroll, height } = this.viewport;
    const indices = new Set<number>();
    for (const { band, from, rows } of slicesInSight(layout, scroll, height)) {
      const first = band.firstCell + from * layout.columns;
      const end = Math.min(band.firstCell + band.cells, first + rows * layout.columns);
      for (const index of tilesOf(first, end)) indices.add(index);
    }
    const now = performance.now();
    // The strip first: it is what finer levels are drawn from until their own tiles come.
    const coarse = this.cache.missing(this.strip.level, stripTiles(this.strip), now);
    if (coarse.length > 0) this.events?.wantTiles(this.strip.level, coarse);
    const fine = this.cache.missing(layout.level, indices, now);
    if (fine.length > 0) this.events?.wantTiles(layout.level, fine);
    if (this.cache.waiting && this.retry === undefined) {
      this.retry = setTimeout(() => {
        this.retry = undefined;
        if (this.cache.waiting) this.draw();
      }, 3200);
    }
  }

  private afterMove(): void {
    this.hover(undefined);
    this.draw();
    this.describe();
    this.events?.moved();
  }

  // Pointer.

  private point(event: MouseEvent): { x: number; y: number } {
    const box = this.canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) * this.ratio, y: (event.clientY - box.top) * this.ratio };
  }

  private isOnStrip(x: number): boolean {
    return x >= this.canvas.width - (STRIP + STRIP_GAP / 2) * this.ratio;
  }

  private zoomAround(steps: number, at: { x: number; y: number }): void {
    this.viewport.zoomTo(this.viewport.layout.zoom + steps, at.x - this.left, at.y);
    this.afterMove();
  }

  private onWheel(event: WheelEvent): void {
    const delta = event.deltaMode === 1 ? event.deltaY * 18 : event.deltaY;
    const zooms = event.ctrlKey || event.metaKey || (!this.viewport.canScroll && delta !== 0);
    event.preventDefault();
    if (zooms) this.zoomAround(delta > 0 ? 1 : -1, this.point(event));
    else if (this.viewport.scrollBy(delta * this.ratio)) this.afterMove();
  }

  private onPointerDown(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.focus({ preventScroll: true });
    const start = this.point(event);
    const onStrip = this.isOnStrip(start.x);
    let last = start.y;
    let dragged = false;
    const toStrip = (y: number) => {
      const pfn = stripPfn(this.strip, y);
      if (pfn === undefined) return;
      this.viewport.scrollToPfn(pfn, 0.4);
      this.afterMove();
    };
    if (onStrip) toStrip(start.y);
    const move = (next: PointerEvent) => {
      const { x, y } = this.point(next);
      if (onStrip) toStrip(y);
      else if (dragged || Math.hypot(x - start.x, y - start.y) > DRAG_SLOP * this.ratio) {
        dragged = true;
        if (this.viewport.scrollBy(last - y)) this.afterMove();
        last = y;
      }
    };
    const up = (next: PointerEvent) => {
      this.removeEventListener('pointermove', move);
      this.removeEventListener('pointerup', up);
      this.removeEventListener('pointercancel', up);
      if (onStrip || dragged || next.type === 'pointercancel') return;
      const at = this.viewport.at(start.x - this.left, start.y);
      if (at !== undefined) this.events?.select(at.startPfn);
    };
    this.setPointerCapture(event.pointerId);
    this.addEventListener('pointermove', move);
    this.addEventListener('pointerup', up);
    this.addEventListener('pointercancel', up);
  }

  private onHover(event: PointerEvent): void {
    if (event.buttons !== 0) {
      this.hover(undefined);
      return;
    }
    const { x, y } = this.point(event);
    this.hover(this.isOnStrip(x) ? undefined : this.viewport.at(x - this.left, y), event);
  }

  private hover(at: Place | undefined, event?: PointerEvent): void {
    if (this.hovered !== at?.startPfn) {
      this.hovered = at?.startPfn;
      this.draw();
      if (at === undefined || this.view === undefined) this.tip.hide();
      else this.tip.fill(at, readCell(this.cache, this.viewport.layout.level, at.cell), this.view.pageSize);
    }
    if (at !== undefined && event !== undefined) this.tip.move(event, this.getBoundingClientRect());
  }

  // Keyboard.

  private current(): Place | undefined {
    const { layout } = this.viewport;
    const at = this.selectedPfn === undefined ? undefined : placeOf(layout, this.selectedPfn);
    return at ?? placeOf(layout, this.viewport.topPfn() ?? 0);
  }

  private onKey(event: KeyboardEvent): void {
    const at = this.current();
    if (at === undefined || event.altKey) return;
    const { layout, rowsInSight } = this.viewport;
    const jump = event.ctrlKey || event.metaKey;
    const target = keyTarget(layout, at, event.key, jump, rowsInSight);
    if (target !== undefined) this.moveTo(target);
    else if (jump || !this.command(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  private command(key: string): boolean {
    if (key === '+' || key === '=' || key === 'Enter') this.zoomBy(-1);
    else if (key === '-' || key === '_') this.zoomBy(1);
    else if (key === '0') this.fit();
    else if (key === 'g') this.events?.goTo();
    else if (key === 'n' || key === 'p') this.toChange(key === 'n');
    else return false;
    return true;
  }

  private moveTo(to: Place): void {
    this.events?.select(to.startPfn);
    this.show(to.startPfn);
  }

  /** Selects the next or the previous run of page frames that the last step changed. */
  toChange(forward: boolean): void {
    const at = this.current();
    const to = at && nextChange(this.viewport.layout, this.view?.changed ?? [], at, forward);
    if (to !== undefined) this.moveTo(to);
  }

  /** Puts the focused cell into words. Two elements take turns: a reader announces only a change of element. */
  private describe(): void {
    const { view } = this;
    const at = this.current();
    if (view === undefined || at === undefined) return;
    const { layout } = this.viewport;
    const rowsBefore = layout.bands.slice(0, at.band).reduce((sum, band) => sum + band.rows, 0);
    const label = layout.bands[at.band]?.extent.label ?? '';
    const text = describeCell(at, readCell(this.cache, layout.level, at.cell), view.pageSize, label, this.page);
    const old = this.row.firstElementChild;
    if (old?.textContent === text) return;
    const next = old === this.cells[0] ? this.cells[1] : this.cells[0];
    next.textContent = text;
    next.setAttribute('aria-colindex', String(at.column + 1));
    this.row.setAttribute('aria-rowindex', String(rowsBefore + at.row + 1));
    this.setAttribute('aria-rowcount', String(layout.bands.reduce((sum, band) => sum + band.rows, 0)));
    this.setAttribute('aria-colcount', String(layout.columns));
    this.row.replaceChildren(next);
    this.setAttribute('aria-activedescendant', next.id);
  }

  /** Tiles came: draw them, and say what the focused cell turned out to be. */
  tilesArrived(): void {
    this.draw();
    this.describe();
  }
}

function sameExtents(a: PagemapSnapshot, b: PagemapSnapshot): boolean {
  return (
    a.extents.length === b.extents.length &&
    a.extents.every((extent, i) => {
      const other = b.extents[i];
      return other !== undefined && extent.startPfn === other.startPfn && extent.endPfn === other.endPfn;
    })
  );
}
