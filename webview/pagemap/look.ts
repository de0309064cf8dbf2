/** Colours, fonts and marks of the map in the theme in force, prepared for drawing. */
import { inkOn, KIND_COLOURS, KIND_LOOKS, rgb } from '../shared/kinds.ts';
import { cssColour, isHighContrast, type ThemeKind } from '../shared/theme.ts';

/** Cells smaller than this (CSS pixels) carry no marks. */
const SMALLEST_MARK = 12;

export interface Look {
  background: string;
  foreground: string;
  muted: string;
  focus: string;
  /** Little-endian RGBA of each kind. */
  pixels: Uint32Array;
  /** The same, faded into the background. */
  dimmed: Uint32Array;
  /** A cell nobody has told about yet. */
  unknown: number;
  font(px: number, weight: number): string;
  mono(px: number): string;
  hasMark(kind: number): boolean;
  /** The marks of all kinds side by side in cells of this many device pixels; undefined if too small. */
  marks(cell: number): HTMLCanvasElement | undefined;
}

function pack([r, g, b]: [number, number, number]): number {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

function mix(a: [number, number, number], b: [number, number, number], share: number): [number, number, number] {
  return [0, 1, 2].map((i) => Math.round((a[i] ?? 0) * share + (b[i] ?? 0) * (1 - share))) as [number, number, number];
}

/** Any CSS colour as three bytes: themes may use names, short forms and alpha. */
function resolve(colour: string, fallback: [number, number, number]): [number, number, number] {
  const probe = document.createElement('canvas').getContext('2d');
  if (probe === null) return fallback;
  probe.fillStyle = colour;
  const plain = String(probe.fillStyle);
  return plain.startsWith('#') ? rgb(plain) : fallback;
}

export function buildLook(theme: ThemeKind, ratio: number): Look {
  const dark = theme === 'dark' || theme === 'hcDark';
  const background = cssColour('--vscode-editor-background', dark ? '#1f1f1f' : '#ffffff');
  const foreground = cssColour('--vscode-foreground', dark ? '#cccccc' : '#3b3b3b');
  const back = resolve(background, dark ? [31, 31, 31] : [255, 255, 255]);
  const colours = KIND_COLOURS[theme];
  const family = cssColour('--vscode-font-family', 'system-ui, sans-serif');
  const monoFamily = cssColour('--vscode-editor-font-family', 'monospace');
  let atlas: { cell: number; canvas: HTMLCanvasElement } | undefined;
  return {
    background,
    foreground,
    muted: isHighContrast(theme) ? foreground : cssColour('--vscode-descriptionForeground', foreground),
    focus: cssColour('--vscode-focusBorder', '#0078d4'),
    pixels: Uint32Array.from(colours, (colour) => pack(rgb(colour))),
    dimmed: Uint32Array.from(colours, (colour) => pack(mix(rgb(colour), back, isHighContrast(theme) ? 0.22 : 0.16))),
    unknown: pack(mix(resolve(foreground, [128, 128, 128]), back, 0.08)),
    font: (px, weight) => `${weight} ${px * ratio}px ${family}`,
    mono: (px) => `${px * ratio}px ${monoFamily}`,
    hasMark: (kind) => (KIND_LOOKS[kind]?.mark ?? '') !== '',
    marks: (cell) => {
      if (cell < SMALLEST_MARK * ratio) return undefined;
      if (atlas?.cell !== cell) atlas = { cell, canvas: drawMarks(cell, colours, isHighContrast(theme)) };
      return atlas.canvas;
    },
  };
}

function drawMarks(cell: number, colours: readonly string[], strong: boolean): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = cell * KIND_LOOKS.length;
  canvas.height = cell;
  const ctx = canvas.getContext('2d');
  if (ctx === null) return canvas;
  // Marks stop growing: a large cell is not a poster.
  const scale = Math.min(cell / 16, 2.2);
  KIND_LOOKS.forEach((look, kind) => {
    if (look.mark === '') return;
    const offset = (cell - 16 * scale) / 2;
    ctx.setTransform(scale, 0, 0, scale, kind * cell + offset - 0.5, offset - 0.5);
    ctx.globalAlpha = strong ? 1 : 0.62;
    const ink = inkOn(colours[kind] ?? '#888888');
    const path = new Path2D(look.mark);
    if (look.filled === true) {
      ctx.fillStyle = ink;
      ctx.fill(path);
    } else {
      ctx.strokeStyle = ink;
      ctx.lineWidth = strong ? 1.8 : 1.4;
      ctx.lineCap = 'round';
      ctx.lineJoin = 'round';
      ctx.stroke(path);
    }
  });
  return canvas;
}
