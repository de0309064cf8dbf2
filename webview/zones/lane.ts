/** The drawing of one node: the axis, each populated zone on it, and the strip of sections. */
import { html, nothing, type SVGTemplateResult, svg, type TemplateResult } from 'lit';
import type { NodeView, SectionRunView, ZoneView } from '../../sim/view/types.ts';
import { axisSize, count, pfnRange, size } from '../shared/format.ts';
import type { ZonesContext } from './context.ts';
import { type Scale, type Segment, solidParts, ticks } from './scale.ts';

/** Room for the names left of the axis. */
export const LABEL_WIDTH = 74;
const PAD_RIGHT = 14;
const AXIS = 24;
const ROW = 24;
const BAR = 14;

export function laneWidth(width: number): number {
  return Math.max(80, width - LABEL_WIDTH - PAD_RIGHT);
}

export function isDeviceZone(zone: ZoneView): boolean {
  return zone.name === 'Device';
}

export function populated(node: NodeView): ZoneView[] {
  return node.zones.filter((zone) => zone.spanned > 0);
}

/** The letters of a section's state, in the order of the bits of `section_mem_map`. */
export function stateLetters(run: SectionRunView): { letter: string; on: boolean; meaning: string }[] {
  return [
    { letter: 'P', on: run.present, meaning: 'present' },
    { letter: 'M', on: run.hasMemMap, meaning: 'has a memmap' },
    { letter: 'O', on: run.online, meaning: 'online' },
    { letter: 'E', on: run.early, meaning: 'early: from boot' },
    { letter: 'T', on: run.taintZoneDevice, meaning: 'tainted by ZONE_DEVICE' },
  ];
}

export function isDeviceRun(run: SectionRunView): boolean {
  return !run.online && (run.zones.length === 0 || run.zones.includes('Device'));
}

export function lane(node: NodeView, scale: Scale, ctx: ZonesContext): TemplateResult {
  const { view } = ctx;
  const zones = populated(node);
  const runs = view.sections.filter((run) => run.nid === node.id);
  const rows = AXIS + (zones.length + 1) * ROW;
  const height = rows + (scale.segments.some((s) => s.kind === 'gap') ? 18 : 4);
  return html`
    <svg class="lane" width=${scale.width + LABEL_WIDTH + PAD_RIGHT} height=${height} aria-hidden="true" focusable="false">
      <defs>${patterns()}</defs>
      ${axis(scale, view.pageSize, rows)}
      ${zones.map((zone, i) => zoneRow(zone, runs, scale, AXIS + i * ROW, ctx))}
      ${sectionRow(runs, scale, AXIS + zones.length * ROW, ctx)}
      ${scale.segments.filter((s) => s.kind === 'gap').map((gap) => cut(gap, rows, view.pageSize))}
      ${ctx.marked === undefined ? nothing : bracket(ctx.marked, scale, rows)}
    </svg>
  `;
}

function patterns(): SVGTemplateResult {
  return svg`
    <pattern id="zs-device" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
      <rect class="pattern-back" width="6" height="6"></rect><rect class="pattern-ink" width="2" height="6"></rect>
    </pattern>
    <pattern id="zs-offline" width="5" height="5" patternUnits="userSpaceOnUse">
      <circle class="pattern-dot" cx="1.5" cy="1.5" r="1"></circle>
    </pattern>`;
}

function axis(scale: Scale, pageSize: number, bottom: number): SVGTemplateResult {
  return svg`<g transform="translate(${LABEL_WIDTH} 0)">
    ${ticks(scale, (pfn) => axisSize(pfn, pageSize)).map(
      (tick) => svg`
      <line class="tick" x1=${snap(tick.x)} x2=${snap(tick.x)} y1=${AXIS - 6} y2=${bottom}></line>
      ${tick.label === '' ? nothing : svg`<text class="tick-label" x=${tick.x} y="12" text-anchor=${tick.anchor}>${tick.label}</text>`}`,
    )}
  </g>`;
}

/** Half-pixel positions keep one-pixel lines crisp. */
function snap(x: number): number {
  return Math.round(x) + 0.5;
}

function zoneRow(
  zone: ZoneView,
  runs: SectionRunView[],
  scale: Scale,
  y: number,
  ctx: ZonesContext,
): SVGTemplateResult {
  const { view } = ctx;
  const end = zone.startPfn + zone.spanned;
  const x = scale.x(zone.startPfn);
  const width = Math.max(3, scale.x(end - 1e-6) - x);
  const top = y + (ROW - BAR) / 2;
  const device = isDeviceZone(zone);
  const solid = runs
    .filter((run) => run.zones.includes(zone.name))
    .flatMap((run) =>
      solidParts(
        scale,
        Math.max(zone.startPfn, run.first * view.sectionPages),
        Math.min(end, (run.first + run.count) * view.sectionPages),
      ),
    )
    .filter((part) => part.width > 0);
  return svg`
    <g class="zone-row ${zone.changed.length > 0 ? 'row-changed' : ''}" @click=${() => ctx.reveal(zone.startPfn, end)}>
      <title>${zone.name}: ${pfnRange(zone.startPfn, end)}, ${size(zone.spanned, view.pageSize)} spanned, ${size(zone.present, view.pageSize)} present</title>
      <rect class="hit" x="0" y=${y} width=${scale.width + LABEL_WIDTH} height=${ROW}></rect>
      <text class="row-label" x="0" y=${y + ROW / 2 + 4}>${zone.name}${zone.changed.length > 0 ? svg`<tspan class="mark" dx="4">▲</tspan>` : nothing}</text>
      <g transform="translate(${LABEL_WIDTH} 0)">
        <rect class="track" x="0" y=${top} width=${scale.width} height=${BAR} rx="2"></rect>
        <rect class="span ${device ? 'device' : ''}" x=${x} y=${top} width=${width} height=${BAR} rx="2"></rect>
        ${solid.map((part) => svg`<rect class="solid ${device ? 'device' : ''}" x=${part.x} y=${top} width=${Math.max(2, part.width)} height=${BAR} rx="1"></rect>`)}
        ${zone.changed.length > 0 ? svg`<rect class="changed-outline" x=${x - 1.5} y=${top - 2} width=${width + 3} height=${BAR + 4} rx="3"></rect>` : nothing}
      </g>
    </g>`;
}

function sectionRow(runs: SectionRunView[], scale: Scale, y: number, ctx: ZonesContext): SVGTemplateResult {
  const { sectionPages } = ctx.view;
  const perSection = scale.perPage * sectionPages;
  return svg`
    <text class="row-label secondary" x="0" y=${y + ROW / 2 + 4}>Sections</text>
    <g transform="translate(${LABEL_WIDTH} 0)">
      ${runs.map((run) => {
        const start = run.first * sectionPages;
        const end = start + run.count * sectionPages;
        const x = scale.x(start);
        const width = Math.max(2, scale.x(end - 1e-6) - x);
        const letters = stateLetters(run)
          .filter((bit) => bit.on)
          .map((bit) => bit.letter)
          .join('');
        const look = isDeviceRun(run) ? 'device' : run.online ? 'online' : 'offline';
        const lines = perSection >= 5 ? Math.min(run.count - 1, 400) : 0;
        return svg`<g class="section-run" @click=${() => ctx.reveal(start, end)}>
          <title>Sections ${run.first}–${run.first + run.count - 1}: ${letters}, ${count(run.count)} of ${size(sectionPages, ctx.view.pageSize)}</title>
          <rect class="section ${look}" x=${x} y=${y + 4} width=${width} height=${ROW - 8}></rect>
          ${Array.from({ length: lines }, (_, i) => svg`<line class="section-line" x1=${snap(x + (i + 1) * perSection)} x2=${snap(x + (i + 1) * perSection)} y1=${y + 4} y2=${y + ROW - 4}></line>`)}
          ${width > letters.length * 8 + 14 ? svg`<rect class="letters-back" x=${x + width / 2 - letters.length * 4 - 4} y=${y + 6} width=${letters.length * 8 + 8} height=${ROW - 12} rx="2"></rect><text class="letters" x=${x + width / 2} y=${y + ROW / 2 + 4} text-anchor="middle">${letters}</text>` : nothing}
          ${run.changed ? svg`<rect class="changed-outline" x=${x - 0.5} y=${y + 2} width=${width + 1} height=${ROW - 4} rx="2"></rect>` : nothing}
        </g>`;
      })}
    </g>`;
}

function cut(gap: Segment, bottom: number, pageSize: number): SVGTemplateResult {
  const left = LABEL_WIDTH + gap.x;
  const zig = (x: number, down: boolean): string => {
    const points: string[] = [];
    const steps = Math.ceil((bottom - AXIS + 8) / 5);
    for (let i = 0; i <= steps; i++) {
      const at = down ? i : steps - i;
      points.push(`${x + (at % 2 === 0 ? 0 : 3)} ${AXIS - 6 + at * 5}`);
    }
    return points.join(' L');
  };
  const middle = left + gap.width / 2;
  const inner = Math.max(4, gap.width - 10);
  const text = size(gap.end - gap.start, pageSize);
  return svg`
    <path class="cut" d="M${zig(middle - inner / 2, true)} L${zig(middle + inner / 2 - 3, false)} Z">
      <title>${text} left out: ${pfnRange(gap.start, gap.end)} has no memory</title>
    </path>
    ${gap.width >= 26 ? svg`<text class="cut-label" x=${middle} y=${bottom + 14} text-anchor="middle">${text} gap</text>` : nothing}`;
}

function bracket(marked: { startPfn: number; endPfn: number }, scale: Scale, bottom: number): SVGTemplateResult {
  const x = LABEL_WIDTH + scale.x(marked.startPfn);
  const width = Math.max(3, LABEL_WIDTH + scale.x(marked.endPfn - 1e-6) - x);
  return svg`<rect class="selected" x=${x - 1} y=${AXIS - 4} width=${width + 2} height=${bottom - AXIS + 4} rx="2"></rect>`;
}
