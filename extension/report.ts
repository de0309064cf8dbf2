/** What goes wrong is told once to the reader, in words, and wholly to the log. */
import * as vscode from 'vscode';

/** A failure whose message is written for the reader: what was wrong, where, and what to do. */
export class ReaderError extends Error {
  override readonly name = 'ReaderError';
}

export class Reporter implements vscode.Disposable {
  readonly log = vscode.window.createOutputChannel('Zonescope', { log: true });
  private readonly told = new Set<string>();

  dispose(): void {
    this.log.dispose();
  }

  /** Runs something that was asked for; a failure is shown. */
  async run<T>(what: string, work: () => T | PromiseLike<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.fail(what, error);
      return undefined;
    }
  }

  /** Runs something nobody asked for just now, such as a hover; the same failure is shown only once. */
  quietly<T>(what: string, work: () => T): T | undefined {
    try {
      const result = work();
      if (result instanceof Promise) result.catch((error: unknown) => this.failOnce(what, error));
      return result;
    } catch (error) {
      this.failOnce(what, error);
      return undefined;
    }
  }

  fail(what: string, error: unknown): void {
    if (error instanceof vscode.CancellationError) return;
    const message = error instanceof Error ? error.message : String(error);
    this.log.error(`${what}: ${error instanceof Error ? (error.stack ?? message) : message}`);
    const text = error instanceof ReaderError ? message : `Zonescope could not ${what}: ${message}`;
    void vscode.window.showErrorMessage(text, 'Show Log').then((choice) => {
      if (choice !== undefined) this.log.show();
    });
  }

  failOnce(what: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (this.told.has(`${what}: ${message}`)) {
      this.log.error(`${what}: ${message}`);
      return;
    }
    this.told.add(`${what}: ${message}`);
    this.fail(what, error);
  }
}
