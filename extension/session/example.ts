/** The text of an example as it runs: the block with a variant's statements put in, and the way back to the block. */
import { parseC, type Statement } from '../../sim/index.ts';
import type { SceneVariant } from '../docs/scenes.ts';

export interface ExampleText {
  readonly text: string;
  /** Offset in the block of an offset in `text`; an inserted statement is where it was put in. */
  toBlock(offset: number): number;
  /** Whether an offset of `text` lies in a statement that the block does not have. */
  isInserted(offset: number): boolean;
  /** Offsets of `text` behind which a pause is due, with their reasons. */
  readonly pauses: readonly { readonly after: number; readonly why: string }[];
}

/** Text that runs in place of a stretch of the block; of an insertion the stretch is empty. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export function exampleText(block: string, variant: SceneVariant): ExampleText {
  const edits = editsOf(block, variant);
  let text = '';
  let from = 0;
  for (const edit of edits) {
    text += block.slice(from, edit.start) + edit.text;
    from = edit.end;
  }
  text += block.slice(from);
  const locate = (offset: number): { at: number; inserted: boolean } => {
    let shift = 0;
    for (const edit of edits) {
      const start = edit.start + shift;
      if (offset < start) break;
      if (offset < start + edit.text.length)
        return { at: Math.min(edit.start + offset - start, edit.end), inserted: edit.start === edit.end };
      shift += edit.text.length - (edit.end - edit.start);
    }
    return { at: offset - shift, inserted: false };
  };
  return {
    text,
    toBlock: (offset) => locate(offset).at,
    isInserted: (offset) => locate(offset).inserted,
    pauses: (variant.pauseAfter ?? []).flatMap(({ words, why }) => {
      const at = text.indexOf(words);
      return at < 0 ? [] : [{ after: at + words.length, why }];
    }),
  };
}

/** In the order of the block, none within another. */
function editsOf(block: string, { insert = [], replace = [] }: SceneVariant): Edit[] {
  const edits: Edit[] = [];
  for (const { before, text } of insert) {
    const found = block.indexOf(before);
    if (found < 0) continue;
    const at = lineStart(block, found);
    edits.push({ start: at, end: at, text: `${indentAt(block, at)}${text}\n` });
  }
  for (const { words, text } of replace)
    for (let at = block.indexOf(words); at >= 0; at = block.indexOf(words, at + words.length))
      edits.push({ start: at, end: at + words.length, text });
  edits.sort((a, b) => a.start - b.start || a.end - b.end);
  return edits.filter((edit, index) => index === 0 || edit.start >= (edits[index - 1]?.end ?? 0));
}

const lineStart = (text: string, at: number): number => (at < 0 ? 0 : text.lastIndexOf('\n', at - 1) + 1);
const indentAt = (text: string, at: number): string => /^[ \t]*/.exec(text.slice(at))?.[0] ?? '';

/** A text that only declares functions and structs shows an interface: running it calls them. */
export function isInterface(text: string): boolean {
  const items = parseC(text, 'block').items.filter(
    ({ kind }) => kind !== 'hole' && kind !== 'empty' && kind !== 'define',
  );
  const declares = (item: Statement): boolean =>
    item.kind === 'declaration' &&
    item.storage !== 'typedef' &&
    (item.declarators.length > 0
      ? item.declarators.every(({ type }) => type.kind === 'function')
      : item.base.kind === 'struct' && item.base.fields !== undefined);
  return items.length > 0 && items.every(declares);
}
