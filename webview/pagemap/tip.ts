/** What is under the pointer, beside the pointer. The same words go to screen readers by the grid cell. */
import { pageCount, pfnRange, physical, size } from '../shared/format.ts';
import { kindsText } from './describe.ts';
import type { Place } from './layout.ts';
import type { CellValue } from './tiles.ts';

export class Tip {
  readonly element = document.createElement('div');

  constructor() {
    this.element.className = 'map-tip';
    this.element.setAttribute('aria-hidden', 'true');
    this.element.hidden = true;
  }

  hide(): void {
    this.element.hidden = true;
  }

  fill(at: Place, value: CellValue | undefined, pageSize: number): void {
    const pages = at.endPfn - at.startPfn;
    const line = (className: string, text: string) => {
      const element = document.createElement('div');
      element.className = className;
      element.textContent = text;
      return element;
    };
    const much = pages > 1 ? ` · ${size(pages, pageSize)} · ${pageCount(pages)}` : '';
    const lines = [
      line('tip-what', kindsText(value)),
      line('mono', `pfn ${pfnRange(at.startPfn, at.endPfn)}`),
      line('mono muted', `at ${physical(at.startPfn, pageSize)}${much}`),
    ];
    if (value?.changed === true) lines.push(line('tip-changed', '▲ changed by the last step'));
    this.element.replaceChildren(...lines);
    this.element.hidden = false;
  }

  /** Below and right of the pointer, or above it near the lower edge of the box it must stay in. */
  move(pointer: { clientX: number; clientY: number }, box: DOMRect): void {
    const { offsetWidth, offsetHeight } = this.element;
    const x = Math.min(box.width - offsetWidth - 4, pointer.clientX - box.left + 14);
    const below = pointer.clientY - box.top + 18;
    const y = below + offsetHeight > box.height ? pointer.clientY - box.top - offsetHeight - 10 : below;
    this.element.style.setProperty(
      'transform',
      `translate(${Math.max(0, Math.round(x))}px, ${Math.max(0, Math.round(y))}px)`,
    );
  }
}
