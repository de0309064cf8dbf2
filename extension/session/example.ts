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

export function exampleText(block: string, variant: SceneVariant): ExampleText {
  const inserts = (variant.insert ?? [])
    .map(({ before, text }) => ({ at: lineStart(block, block.indexOf(before)), found: block.includes(before), text }))
    .filter((insert) => insert.found)
    .map((insert) => ({ at: insert.at, text: `${indentAt(block, insert.at)}${insert.text}\n` }))
    .sort((a, b) => a.at - b.at);
  let text = '';
  let from = 0;
  for (const insert of inserts) {
    text += block.slice(from, insert.at) + insert.text;
    from = insert.at;
  }
  text += block.slice(from);
  const locate = (offset: number): { at: number; inserted: boolean } => {
    let shift = 0;
    for (const insert of inserts) {
      const start = insert.at + shift;
      if (offset < start) break;
      if (offset < start + insert.text.length) return { at: insert.at, inserted: true };
      shift += insert.text.length;
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
