import { describe, expect, test } from 'vitest';
import { LineEditor, type LineEvent } from '../../extension/shell/lineEditor.ts';

/** A terminal of a few rows: enough of one to see what the editor draws. */
class Screen {
  readonly rows: string[] = [''];
  private row = 0;
  private column = 0;
  private readonly width: number;

  constructor(width: number) {
    this.width = width;
  }

  write = (text: string): void => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: terminals are driven by them
    for (const [token] of text.matchAll(/\x1b\[\d*[A-Z]|[\s\S]/g)) {
      const count = Number(/\d+/.exec(token)?.[0] ?? 1);
      if (token === '\r') this.column = 0;
      else if (token === '\n') this.down();
      else if (token.endsWith('A') && token.length > 1) this.row -= count;
      else if (token.endsWith('C') && token.length > 1) this.column += count;
      else if (token.endsWith('J') && token.length > 1) {
        this.rows.length = this.row + 1;
        this.rows[this.row] = (this.rows[this.row] ?? '').slice(0, this.column);
      } else this.put(token);
    }
  };

  private put(char: string): void {
    if (this.column === this.width) {
      this.column = 0;
      this.down();
    }
    const row = (this.rows[this.row] ?? '').padEnd(this.column);
    this.rows[this.row] = row.slice(0, this.column) + char + row.slice(this.column + 1);
    this.column++;
  }

  private down(): void {
    this.row++;
    this.rows[this.row] ??= '';
  }

  get cursor(): [row: number, column: number] {
    return [this.row, this.column];
  }
  get text(): string {
    return this.rows.map((row) => row.trimEnd()).join('\n');
  }
}

function open(width = 40) {
  const screen = new Screen(width);
  const editor = new LineEditor(screen.write, '# ');
  editor.resize(width);
  editor.start();
  const type = (keys: string): LineEvent[] => [...editor.feed(keys)];
  return { screen, editor, type };
}

const LEFT = '\x1b[D';
const UP = '\x1b[A';
const DOWN = '\x1b[B';

describe('the line editor', () => {
  test('gives a line when it is entered, and shows what was typed', () => {
    const { screen, type } = open();
    expect(type('cat /proc/iomem\r')).toEqual([{ type: 'line', line: 'cat /proc/iomem' }]);
    expect(screen.text).toBe('# cat /proc/iomem\n');
  });

  test('inserts and erases where the cursor is', () => {
    const { screen, type } = open();
    type(`abd${LEFT}c`);
    expect(screen.text).toBe('# abcd');
    expect(screen.cursor).toEqual([0, 5]);
    type('\x7f\x7f');
    expect(screen.text).toBe('# ad');
    expect(type('\r')).toEqual([{ type: 'line', line: 'ad' }]);
  });

  test('goes by words, to both ends, and erases up to them', () => {
    const { screen, type } = open();
    type('echo online > state\x1bb\x1bb');
    type('\x17');
    expect(screen.text).toBe('# online > state');
    type('\x01\x0b');
    expect(screen.text).toBe('#');
  });

  test('recalls lines, and the one that was being written', () => {
    const { screen, type } = open();
    type('first\rsecond\rdraft');
    type(UP + UP);
    expect(screen.rows.at(-1)).toBe('# first');
    type(DOWN + DOWN);
    expect(screen.rows.at(-1)).toBe('# draft');
    type(DOWN);
    expect(screen.rows.at(-1)).toBe('# draft');
  });

  test('draws a long line over several rows, and takes it back', () => {
    const { screen, type } = open(20);
    type('x'.repeat(30));
    expect(screen.rows).toHaveLength(2);
    expect(screen.cursor).toEqual([1, 12]);
    type('\x01');
    expect(screen.cursor).toEqual([0, 2]);
    type('\x0b');
    expect(screen.text).toBe('#');
  });

  test('a line that just fills its row puts the cursor onto the next', () => {
    const { screen, type } = open(20);
    type('x'.repeat(18));
    expect(screen.cursor).toEqual([1, 0]);
    type('\x7f');
    expect(screen.cursor).toEqual([0, 19]);
    expect(screen.text).toBe(`# ${'x'.repeat(17)}`);
  });

  test('Ctrl-C drops the line, Ctrl-D ends an empty one', () => {
    const { screen, type } = open();
    expect(type('half\x03')).toEqual([{ type: 'interrupt' }]);
    expect(screen.rows[0]).toBe('# half^C');
    expect(type('\x04')).toEqual([{ type: 'end' }]);
  });

  test('erases a character of two units as one', () => {
    const { type } = open();
    expect(type('a😀\x7fb\r')).toEqual([{ type: 'line', line: 'ab' }]);
  });

  test('keys it does not know leave no trace', () => {
    const { type } = open();
    expect(type('a\x1b[15~\x1b[200~\x1bOP\x07b\r')).toEqual([{ type: 'line', line: 'ab' }]);
  });
});
