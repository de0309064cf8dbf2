/**
 * The line editor of the shell: what keys do to a line, and what a terminal must be sent to show it. Free of vscode.
 * Lines may be longer than the terminal is wide: they are drawn over several rows.
 */

export type LineEvent =
  | { readonly type: 'line'; readonly line: string }
  | { readonly type: 'interrupt' }
  | { readonly type: 'end' };

const ESC = '\x1b';
const MAX_HISTORY = 500;
const MAX_LINE = 1 << 16;
/** A key of more than one character, or one character that is not part of such a key. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: keys are control characters
const KEYS = /\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Za-z]|\x1b[bfd\x7f]|\x1b|\r\n|[\s\S]/gu;

export class LineEditor {
  readonly history: string[] = [];
  private readonly write: (text: string) => void;
  private readonly prompt: string;
  line = '';
  /** In UTF-16 units, never inside a pair. */
  cursor = 0;
  private columns = 80;
  /** Where in the history the reader looks; its length for the line that is being written. */
  private place = 0;
  private kept = '';
  /** The row of the cursor below the row of the prompt, as last drawn. */
  private row = 0;

  constructor(write: (text: string) => void, prompt: string) {
    this.write = write;
    this.prompt = prompt;
  }

  resize(columns: number): void {
    this.columns = Math.max(20, columns);
  }

  /** A line of an earlier shell. */
  remember(line: string): void {
    this.history.push(line);
    this.place = this.history.length;
  }

  /** Shows the prompt with what has been typed so far. */
  start(): void {
    this.row = 0;
    this.draw();
  }

  /** Clears the line away, so that something else can be printed in its place. */
  withdraw(): void {
    this.write(this.home());
    this.row = 0;
  }

  /** What the reader typed or pasted. */
  *feed(data: string): Generator<LineEvent> {
    // A paste is marked by the terminal only if asked for, which we do not.
    for (const [key] of data.matchAll(KEYS)) {
      if (key === '\r' || key === '\n' || key === '\r\n') yield this.accept();
      else if (key === '\x03') {
        this.finish('^C');
        yield { type: 'interrupt' };
      } else if (key === '\x04') {
        if (this.line === '') yield { type: 'end' };
        else this.remove(this.cursor, this.after());
      } else this.press(key);
    }
  }

  private accept(): LineEvent {
    const { line } = this;
    if (line.trim() !== '' && this.history.at(-1) !== line) this.history.push(line);
    if (this.history.length > MAX_HISTORY) this.history.shift();
    this.finish('');
    return { type: 'line', line };
  }

  private finish(mark: string): void {
    this.cursor = this.line.length;
    this.draw();
    this.write(`${mark}\r\n`);
    this.line = '';
    this.cursor = 0;
    this.kept = '';
    this.row = 0;
    this.place = this.history.length;
  }

  private press(key: string): void {
    const action = ACTIONS[key];
    if (action !== undefined) action(this);
    else if (key >= ' ' && !key.startsWith(ESC)) this.insert(key);
  }

  /** Empties the screen but for the line. */
  clearScreen(): void {
    this.write(`${ESC}[2J${ESC}[H`);
    this.row = 0;
    this.draw();
  }

  insert(text: string): void {
    if (this.line.length + text.length > MAX_LINE) return;
    this.line = this.line.slice(0, this.cursor) + text + this.line.slice(this.cursor);
    this.cursor += text.length;
    this.draw();
  }

  remove(from: number, to: number): void {
    if (from === to) return;
    this.line = this.line.slice(0, from) + this.line.slice(to);
    this.cursor = from;
    this.draw();
  }

  move(to: number): void {
    this.cursor = to;
    this.draw();
  }

  recall(by: number): void {
    const place = this.place + by;
    if (place < 0 || place > this.history.length) return;
    if (this.place === this.history.length) this.kept = this.line;
    this.place = place;
    this.line = this.history[place] ?? this.kept;
    this.cursor = this.line.length;
    this.draw();
  }

  before(): number {
    const low = this.line.charCodeAt(this.cursor - 1);
    return Math.max(0, this.cursor - (low >= 0xdc00 && low < 0xe000 ? 2 : 1));
  }

  after(): number {
    const high = this.line.charCodeAt(this.cursor);
    return Math.min(this.line.length, this.cursor + (high >= 0xd800 && high < 0xdc00 ? 2 : 1));
  }

  wordBefore(): number {
    return Math.max(0, this.line.slice(0, this.cursor).search(/\w+\W*$|\W+$/));
  }

  wordAfter(): number {
    const rest = /^\W*\w*/.exec(this.line.slice(this.cursor));
    return this.cursor + (rest?.[0].length ?? 0);
  }

  /** To the beginning of the prompt, everything from there on erased. */
  private home(): string {
    return `\r${this.row > 0 ? `${ESC}[${this.row}A` : ''}${ESC}[J`;
  }

  private draw(): void {
    const { columns } = this;
    const shown = this.prompt.length + this.line.length;
    const at = this.prompt.length + this.cursor;
    // A row that is full leaves the cursor hanging at its end: a space and a return bring it down.
    const wrap = shown > 0 && shown % columns === 0 ? ' \r' : '';
    const lastRow = Math.floor(shown / columns);
    const row = Math.floor(at / columns);
    const column = at % columns;
    const up = lastRow > row ? `${ESC}[${lastRow - row}A` : '';
    const right = column > 0 ? `${ESC}[${column}C` : '';
    this.write(`${this.home()}${this.prompt}${this.line}${wrap}${up}\r${right}`);
    this.row = row;
  }
}

const ACTIONS: Readonly<Record<string, (editor: LineEditor) => void>> = Object.fromEntries(
  (
    [
      [[`${ESC}[A`, `${ESC}OA`, '\x10'], (editor) => editor.recall(-1)],
      [[`${ESC}[B`, `${ESC}OB`, '\x0e'], (editor) => editor.recall(1)],
      [[`${ESC}[C`, `${ESC}OC`, '\x06'], (editor) => editor.move(editor.after())],
      [[`${ESC}[D`, `${ESC}OD`, '\x02'], (editor) => editor.move(editor.before())],
      [[`${ESC}[1;5C`, `${ESC}f`], (editor) => editor.move(editor.wordAfter())],
      [[`${ESC}[1;5D`, `${ESC}b`], (editor) => editor.move(editor.wordBefore())],
      [[`${ESC}[H`, `${ESC}OH`, `${ESC}[1~`, '\x01'], (editor) => editor.move(0)],
      [[`${ESC}[F`, `${ESC}OF`, `${ESC}[4~`, '\x05'], (editor) => editor.move(editor.line.length)],
      [['\x7f', '\b'], (editor) => editor.remove(editor.before(), editor.cursor)],
      [[`${ESC}[3~`], (editor) => editor.remove(editor.cursor, editor.after())],
      [['\x15'], (editor) => editor.remove(0, editor.cursor)],
      [['\x0b'], (editor) => editor.remove(editor.cursor, editor.line.length)],
      [['\x17', `${ESC}\x7f`], (editor) => editor.remove(editor.wordBefore(), editor.cursor)],
      [[`${ESC}d`], (editor) => editor.remove(editor.cursor, editor.wordAfter())],
      [['\x0c'], (editor) => editor.clearScreen()],
      [['\t'], (editor) => editor.insert('  ')],
    ] satisfies [string[], (editor: LineEditor) => void][]
  ).flatMap(([keys, action]) => keys.map((key) => [key, action])),
);
