/** The window onto the map: how close, and how far down. Device pixels; no DOM. */
import type { ExtentView } from '../../sim/view/types.ts';
import { MAX_LEVEL } from '../protocol/pagemap.ts';
import {
  buildLayout,
  corner,
  fitLayout,
  type Layout,
  type LayoutInput,
  MIN_ZOOM,
  nearestPlace,
  type Place,
  placeAt,
  placeOf,
} from './layout.ts';

export interface ViewportSize {
  width: number;
  height: number;
  minCell: number;
  headerHeight: number;
  cutHeight: number;
}

export class Viewport {
  layout: Layout;
  scroll = 0;
  /** Everything in sight, also after resizing. */
  isFit = true;
  private extents: readonly ExtentView[] = [];
  private size: ViewportSize = { width: 1, height: 1, minCell: 8, headerHeight: 24, cutHeight: 44 };
  private fit: Layout;

  constructor() {
    this.layout = buildLayout(this.input(0));
    this.fit = this.layout;
  }

  private input(zoom: number): LayoutInput {
    return { ...this.size, extents: this.extents, zoom };
  }

  get height(): number {
    return this.size.height;
  }

  get canZoomIn(): boolean {
    return this.layout.zoom > MIN_ZOOM;
  }

  get canZoomOut(): boolean {
    return this.layout.zoom < this.fit.zoom;
  }

  get canScroll(): boolean {
    return this.layout.height > this.size.height;
  }

  /** New extents or a new size: the page frame at the top stays there. */
  set(extents: readonly ExtentView[], size: ViewportSize): void {
    const top = this.topPfn();
    this.extents = extents;
    this.size = size;
    this.fit = fitLayout(this.input(0), size.height);
    this.rebuild(this.isFit ? this.fit.zoom : Math.min(this.layout.zoom, this.fit.zoom));
    if (top !== undefined && !this.isFit) this.scrollToPfn(top, 0);
    this.clamp();
  }

  private rebuild(zoom: number): void {
    this.isFit = zoom === this.fit.zoom;
    this.layout = this.isFit ? this.fit : buildLayout(this.input(zoom));
  }

  private clamp(): void {
    const most = Math.max(0, this.layout.height - this.size.height + this.layout.rowHeight);
    this.scroll = this.canScroll ? Math.min(most, Math.max(0, this.scroll)) : 0;
  }

  /** Zooms so that what is under the point stays at its height. */
  zoomTo(zoom: number, x: number, y: number): void {
    const next = Math.min(this.fit.zoom, Math.max(MIN_ZOOM, zoom));
    if (next === this.layout.zoom) return;
    const before = this.layout;
    const at = nearestPlace(before, x, y + this.scroll);
    const within = at && (y + this.scroll - corner(before, at).y) / before.rowHeight;
    const across = at ? Math.min(0.999, Math.max(0, x / before.cell - at.column)) : 0;
    const pfn = at && Math.min(at.endPfn - 1, Math.floor((at.cell + across) * before.cellPages));
    this.rebuild(next);
    const now = pfn === undefined ? undefined : placeOf(this.layout, Math.max(at?.startPfn ?? 0, pfn));
    if (now !== undefined) {
      this.scroll = corner(this.layout, now).y + Math.min(1, Math.max(0, within ?? 0)) * this.layout.rowHeight - y;
    }
    this.clamp();
  }

  zoomFit(): void {
    this.rebuild(this.fit.zoom);
    this.scroll = 0;
  }

  /** Takes up where a panel left off. */
  restore(zoom: number, topPfn: number): void {
    this.rebuild(Math.min(this.fit.zoom, Math.max(MIN_ZOOM, Math.min(MAX_LEVEL, zoom))));
    this.scrollToPfn(topPfn, 0);
    this.clamp();
  }

  scrollBy(delta: number): boolean {
    const before = this.scroll;
    this.scroll += delta;
    this.clamp();
    return this.scroll !== before;
  }

  /** Brings a page frame to a share of the height. */
  scrollToPfn(pfn: number, share: number): void {
    const at = placeOf(this.layout, pfn);
    if (at === undefined) return;
    this.scroll = corner(this.layout, at).y - share * this.size.height;
    this.clamp();
  }

  /** Scrolls no more than needed to see the cell of a page frame. */
  show(pfn: number): void {
    const at = placeOf(this.layout, pfn);
    if (at === undefined) return;
    const { y } = corner(this.layout, at);
    const margin = Math.min(this.layout.rowHeight, this.size.height / 4);
    if (y - margin < this.scroll) this.scroll = at.row === 0 ? (this.layout.bands[at.band]?.headerY ?? y) : y - margin;
    else if (y + this.layout.rowHeight + margin > this.scroll + this.size.height) {
      this.scroll = y + this.layout.rowHeight + margin - this.size.height;
    }
    this.clamp();
  }

  /** Makes a range stand out: close enough to see it as more than a speck, far enough to see it whole. */
  showRange(startPfn: number, endPfn: number): void {
    const first = placeOf(this.layout, startPfn);
    const last = placeOf(this.layout, endPfn - 1);
    if (first === undefined || last === undefined) {
      const band = this.layout.bands.find((b) => b.extent.startPfn < endPfn && startPfn < b.extent.endPfn);
      if (band !== undefined) {
        this.showRange(Math.max(startPfn, band.extent.startPfn), Math.min(endPfn, band.extent.endPfn));
      }
      return;
    }
    const top = corner(this.layout, first).y;
    const bottom = corner(this.layout, last).y + this.layout.rowHeight;
    const inSight = top >= this.scroll && bottom <= this.scroll + this.size.height;
    if (inSight && last.cell - first.cell >= 7) return;
    if (endPfn - startPfn === 1) {
      this.show(startPfn);
      return;
    }
    for (let zoom = MIN_ZOOM + 3; zoom <= this.fit.zoom; zoom++) {
      this.rebuild(zoom);
      const from = placeOf(this.layout, startPfn);
      const to = placeOf(this.layout, endPfn - 1);
      if (from && to && corner(this.layout, to).y - corner(this.layout, from).y < this.size.height * 0.7) break;
    }
    this.scrollToPfn(startPfn, 0.15);
  }

  /** The first page frame in sight. */
  topPfn(): number | undefined {
    return nearestPlace(this.layout, 0, this.scroll)?.startPfn;
  }

  bottomPfn(): number | undefined {
    const at = nearestPlace(this.layout, Number.MAX_SAFE_INTEGER, this.scroll + this.size.height - 1);
    return at && at.endPfn - 1;
  }

  at(x: number, y: number): Place | undefined {
    return placeAt(this.layout, x, y + this.scroll);
  }

  get rowsInSight(): number {
    return Math.max(1, Math.floor(this.size.height / this.layout.rowHeight) - 1);
  }
}
