/** The shell: a terminal whose lines the session runs. */
import * as vscode from 'vscode';
import type { ReaderSession } from '../readerSession.ts';
import type { Reporter } from '../report.ts';
import type { LineResult } from '../session/types.ts';
import { LineEditor } from './lineEditor.ts';

const PROMPT = '# ';
const DIM = '\x1b[2m';
const RED = '\x1b[31m';
const OFF = '\x1b[0m';
const HISTORY = 'shellHistory';
const KEPT_LINES = 100;
const NAME = 'Zonescope';

/** As a terminal shows it: line ends, and no control sequences but our own. */
function printable(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: taking them out is the point
      .replace(/[\x00-\x08\x0b-\x1f\x7f]/g, '')
      .replace(/\n/g, '\r\n')
  );
}

/** What a line gave, ready to print. */
export function resultText({ output, printk, value, status, blockedOn, ended }: LineResult): string {
  const lines: string[] = [];
  if (output !== '') lines.push(printable(output.replace(/\n$/, '')));
  for (const line of printk ?? []) lines.push(`${DIM}${printable(line)}${OFF}`);
  if (value !== undefined && value !== '' && !output.includes(value)) lines.push(printable(`= ${value}`));
  if (blockedOn !== undefined) {
    const holders = blockedOn.holders.length > 0 ? `, held by ${blockedOn.holders.join(', ')}` : '';
    lines.push(printable(`waits for ${blockedOn.what}${holders}`));
  }
  if (status !== 0 && !output.includes(String(-status))) lines.push(`${RED}status ${status}${OFF}`);
  for (const late of ended ?? []) {
    lines.push(`${DIM}${printable(`has waited, and ends: ${late.line}`)}${OFF}`);
    if (late.output !== '') lines.push(printable(late.output));
  }
  return lines.map((line) => `${line}\r\n`).join('');
}

class ShellTerminal implements vscode.Pseudoterminal {
  private readonly writer = new vscode.EventEmitter<string>();
  private readonly closer = new vscode.EventEmitter<void>();
  readonly onDidWrite = this.writer.event;
  readonly onDidClose = this.closer.event;
  private readonly editor = new LineEditor((text) => this.writer.fire(text), PROMPT);
  private readonly reader: ReaderSession;
  private readonly report: Reporter;
  private readonly state: vscode.Memento;
  private readonly prose: () => Promise<void>;
  /** Lines that wait for the one that runs; a paste gives several at once. */
  private readonly waiting: string[] = [];
  private isRunning = false;
  private isOpen = false;
  /** Lines from before there was a window to print in. */
  private readonly early: string[] = [];
  /** Counts up at Ctrl-C: what an older line still prints comes above the prompt. */
  private turn = 0;

  constructor(reader: ReaderSession, report: Reporter, state: vscode.Memento, prose: () => Promise<void>) {
    this.reader = reader;
    this.report = report;
    this.state = state;
    this.prose = prose;
  }

  open(dimensions: vscode.TerminalDimensions | undefined): void {
    if (dimensions !== undefined) this.editor.resize(dimensions.columns);
    for (const line of this.state.get<string[]>(HISTORY, [])) this.editor.remember(line);
    const { machineName, release } = this.reader.get();
    const greeting = `Zonescope: machine ${machineName}, Linux ${release}. "help" lists the commands.\n`;
    this.writer.fire(`${DIM}${printable(greeting)}${OFF}`);
    this.editor.start();
    this.isOpen = true;
    const early = this.early.splice(0);
    if (early.length > 0) this.type(early);
  }

  /** Runs lines as if they were typed; what the reader was typing gives way. */
  type(lines: readonly string[]): void {
    if (!this.isOpen) {
      this.early.push(...lines);
      return;
    }
    if (!this.isRunning && this.editor.line !== '') this.feed('\x03');
    this.handleInput(lines.map((line) => `${line.replace(/[\r\n]+/g, ' ')}\r`).join(''));
  }

  setDimensions({ columns }: vscode.TerminalDimensions): void {
    this.editor.resize(columns);
  }

  handleInput(data: string): void {
    for (const piece of data.split(/(?<=\r\n|\r(?!\n)|\n)/)) {
      if (this.isRunning && piece.includes('\x03')) this.interrupt();
      else if (this.isRunning) this.waiting.push(piece);
      else this.feed(piece);
    }
  }

  /** Keys that end at most one line. */
  private feed(keys: string): void {
    for (const event of this.editor.feed(keys)) {
      if (event.type === 'line') void this.run(event.line);
      else if (event.type === 'interrupt') this.editor.start();
      else this.closer.fire();
    }
  }

  private interrupt(): void {
    this.turn++;
    this.waiting.length = 0;
    this.isRunning = false;
    this.writer.fire('^C\r\n');
    this.editor.start();
  }

  private async run(line: string): Promise<void> {
    if (line.trim() === '') {
      this.editor.start();
      return;
    }
    this.isRunning = true;
    const turn = this.turn;
    let text: string;
    try {
      void this.state.update(HISTORY, this.editor.history.slice(-KEPT_LINES));
      await this.prose();
      text = resultText(await this.reader.get().runLine(line, () => turn !== this.turn));
    } catch (error) {
      this.report.log.error(`shell: ${line}: ${error instanceof Error ? error.stack : error}`);
      text = `${RED}${printable(`The line could not be run: ${error instanceof Error ? error.message : error}`)}${OFF}\r\n`;
    }
    if (turn !== this.turn) {
      if (text === '') return;
      this.editor.withdraw();
      this.writer.fire(text);
      this.editor.start();
      return;
    }
    this.writer.fire(text);
    this.isRunning = false;
    this.editor.start();
    const next = this.waiting.splice(0).join('');
    if (next !== '') this.handleInput(next);
  }

  close(): void {
    this.turn++;
    this.writer.dispose();
    this.closer.dispose();
  }
}

export class Shell implements vscode.Disposable {
  private readonly subscriptions: vscode.Disposable[] = [];
  private readonly options: () => vscode.ExtensionTerminalOptions & { pty: ShellTerminal };
  private terminal: vscode.Terminal | undefined;
  private pty: ShellTerminal | undefined;

  constructor(reader: ReaderSession, report: Reporter, state: vscode.Memento, prose: () => Promise<void>) {
    this.options = () => ({
      name: NAME,
      pty: new ShellTerminal(reader, report, state, prose),
      iconPath: new vscode.ThemeIcon('circuit-board'),
    });
    this.subscriptions.push(
      vscode.window.onDidCloseTerminal((terminal) => {
        if (terminal !== this.terminal) return;
        this.terminal = undefined;
        this.pty = undefined;
      }),
      vscode.window.registerTerminalProfileProvider('zonescope.shell', {
        provideTerminalProfile: () => new vscode.TerminalProfile(this.options()),
      }),
    );
  }

  open(preserveFocus = false): void {
    if (this.terminal === undefined) {
      const options = this.options();
      this.pty = options.pty;
      this.terminal = vscode.window.createTerminal(options);
    }
    this.terminal.show(preserveFocus);
  }

  /** Shows the shell, and runs lines in it as if they were typed. */
  run(lines: readonly string[]): void {
    this.open(true);
    this.pty?.type(lines);
  }

  dispose(): void {
    vscode.Disposable.from(...this.subscriptions).dispose();
    this.terminal?.dispose();
  }
}
