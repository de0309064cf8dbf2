/** `page->flags` as a ruler of 64 bits in two rows, the fields bracketed over the bits. */
import { html, nothing, type SVGTemplateResult, svg, type TemplateResult } from 'lit';
import type { FlagsFieldView, PageView } from '../../sim/view/types.ts';
import { hexText } from '../shared/format.ts';

const COLUMNS = 32;
const WIDTH = 320;
const BIT = WIDTH / COLUMNS;
const ROW = 44;

/** Bits of a word in hexadecimal, bit 0 first. */
export function bitsOf(word: string): boolean[] {
  let value = BigInt(hexText(word));
  return Array.from({ length: 64 }, () => {
    const bit = (value & 1n) === 1n;
    value >>= 1n;
    return bit;
  });
}

/** The parts of a field in the upper (0) and the lower (1) row, in columns from the left. */
export function fieldParts(field: { shift: number; width: number }): { row: number; from: number; to: number }[] {
  const parts: { row: number; from: number; to: number }[] = [];
  const high = field.shift + field.width - 1;
  if (high >= COLUMNS) parts.push({ row: 0, from: 63 - high, to: 63 - Math.max(COLUMNS, field.shift) + 1 });
  if (field.shift < COLUMNS) parts.push({ row: 1, from: 31 - Math.min(31, high), to: 31 - field.shift + 1 });
  return parts;
}

export function flagsRuler(page: PageView): TemplateResult | typeof nothing {
  if (page.flags === undefined) return nothing;
  const bits = bitsOf(page.flags);
  const wide = page.flagFields.filter((field) => field.width > 1);
  const single = page.flagFields.filter((field) => field.width === 1);
  const inField = new Set(wide.flatMap((field) => Array.from({ length: field.width }, (_, i) => field.shift + i)));
  return html`
    <svg class="ruler" viewBox="0 0 ${WIDTH} ${2 * ROW}" width="100%" role="img"
      aria-label="flags ${hexText(page.flags)}: ${page.flagFields.map((field) => `${field.name} ${field.text || field.value}`).join(', ')}">
      ${[0, 1].map((row) => rulerRow(row, bits, inField))}
      ${labelled([...wide, ...single.filter((field) => field.value !== 0)]).map(({ field, part, named }) => bracket(field, part, named))}
    </svg>
  `;
}

function rulerRow(row: number, bits: readonly boolean[], inField: ReadonlySet<number>): SVGTemplateResult {
  const y = row * ROW + 15;
  return svg`
    ${Array.from({ length: COLUMNS }, (_, column) => {
      const bit = 63 - row * COLUMNS - column;
      const on = bits[bit] === true;
      return svg`<rect class="flag-bit ${on ? 'on' : ''} ${inField.has(bit) ? 'field' : ''}" x=${column * BIT + 0.75} y=${y} width=${BIT - 1.5} height="12" rx="1.5"><title>bit ${bit}: ${on ? 1 : 0}</title></rect>`;
    })}
    ${[0, 8, 16, 24, 31].map((column) => svg`<text class="bit-number" x=${column * BIT + BIT / 2} y=${y + 22} text-anchor="middle">${63 - row * COLUMNS - column}</text>`)}
  `;
}

interface Labelled {
  field: FlagsFieldView;
  part: { row: number; from: number; to: number };
  named: boolean;
}

/** Which brackets carry their name: those that fit over their bits, then single bits as long as names do not touch. */
function labelled(fields: readonly FlagsFieldView[]): Labelled[] {
  const taken: { row: number; from: number; to: number }[] = [];
  return fields
    .flatMap((field) => fieldParts(field).map((part) => ({ field, part })))
    .map(({ field, part }) => {
      const width = shortName(field).length * 5.4;
      const [x1, x2] = [part.from * BIT, part.to * BIT];
      const anchor = anchorFor(part.from, field.width);
      const from = anchor === 'start' ? x1 : anchor === 'end' ? x2 - width : (x1 + x2 - width) / 2;
      const fits = field.width === 1 || width <= x2 - x1 + 4;
      const free = taken.every((t) => t.row !== part.row || from + width + 3 <= t.from || t.to + 3 <= from);
      if (fits && free) taken.push({ row: part.row, from, to: from + width });
      return { field, part, named: fits && free };
    });
}

function shortName(field: FlagsFieldView): string {
  return field.name.replace(/^PG_/, '');
}

function bracket(field: FlagsFieldView, part: Labelled['part'], named: boolean): SVGTemplateResult {
  const x1 = part.from * BIT + 1;
  const x2 = part.to * BIT - 1;
  const y = part.row * ROW + 11;
  const anchor = anchorFor(part.from, field.width);
  const at = anchor === 'start' ? x1 : anchor === 'end' ? x2 : (x1 + x2) / 2;
  return svg`<g>
    <title>${field.name}, bits ${field.shift + field.width - 1}${field.width > 1 ? `–${field.shift}` : ''}: ${field.text || field.value}</title>
    <path class="bracket" d="M${x1} ${y + 2.5}v-2.5H${x2}v2.5"></path>
    ${named ? svg`<text class="field-name" x=${at} y=${y - 3} text-anchor=${anchor}>${shortName(field)}</text>` : nothing}
  </g>`;
}

/** Names of single bits near an end must not leave the ruler. */
function anchorFor(column: number, width: number): 'start' | 'middle' | 'end' {
  if (width > 1) return 'middle';
  return column < 3 ? 'start' : column > COLUMNS - 4 ? 'end' : 'middle';
}

export function flagFieldsTable(page: PageView): TemplateResult | typeof nothing {
  if (page.flagFields.length === 0) return nothing;
  const shown = page.flagFields.filter((field) => field.width > 1 || field.value !== 0);
  return html`
    <table class="fields">
      <caption class="sr-only">Fields of page flags</caption>
      <thead><tr><th scope="col">Field</th><th scope="col" class="num">Bits</th><th scope="col">Value</th></tr></thead>
      <tbody>${shown.map(
        (field) => html`<tr>
          <th scope="row" class="mono">${field.name}</th>
          <td class="num muted">${field.width > 1 ? `${field.shift + field.width - 1}–${field.shift}` : field.shift}</td>
          <td>${field.text || field.value}</td>
        </tr>`,
      )}</tbody>
    </table>
  `;
}
