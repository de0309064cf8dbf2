import { plain, until } from './until.mjs';

/** @typedef {import('./driver.mjs').Workbench} Workbench */

/** What a window needs so that the rows of a terminal are text and not pixels. */
export const terminalSettings = {
  'terminal.integrated.gpuAcceleration': 'off',
  'terminal.integrated.scrollback': 5000,
};

/** The terminal on the screen, used by keyboard. */
export class Terminal {
  #prompt;

  /**
   * @param {Workbench} window opened with {@link terminalSettings}
   * @param {string} prompt what a line begins with that waits for input, blanks trimmed
   */
  constructor(window, prompt) {
    this.window = window;
    this.page = window.page;
    this.#prompt = prompt;
  }

  /** @returns {Promise<string[]>} what the terminal shows, without the empty rows below */
  async screen() {
    const rows = await this.page.locator('.terminal-wrapper.active .xterm-rows > div').allInnerTexts();
    const texts = rows.map((row) => plain(row).trimEnd());
    return texts.slice(0, texts.findLastIndex((row) => row !== '') + 1);
  }

  /** @returns {Promise<string>} everything it has printed, also what has scrolled away; wrapped lines made whole */
  async everything() {
    await this.#allowClipboard();
    await this.page.evaluate(() => navigator.clipboard.writeText(''));
    await this.window.palette('Terminal: Select All');
    await this.window.palette('Terminal: Copy Selection');
    const text = await until(
      'the text of the terminal',
      async () => (await this.page.evaluate(() => navigator.clipboard.readText())) || undefined,
    );
    await this.window.palette('Terminal: Clear Selection');
    return text.replaceAll('\r\n', '\n').trimEnd();
  }

  /** Waits until it asks for a line. */
  async ready() {
    await until('the prompt of the terminal', async () => (await this.screen()).at(-1) === this.#prompt || undefined);
  }

  async #focus() {
    await this.page.locator('.terminal-wrapper.active .xterm-helper-textarea').focus();
  }

  /**
   * Presses a key, and waits until the line at the prompt is this.
   *
   * @param {string} key
   * @param {string} line
   */
  async press(key, line) {
    await this.#focus();
    await this.page.keyboard.press(key);
    const wanted = `${this.#prompt} ${line}`.trim();
    await until(`the line "${wanted}"`, async () => (await this.screen()).at(-1) === wanted || undefined);
  }

  /** @param {string} text */
  async paste(text) {
    await this.#allowClipboard();
    await this.page.evaluate((text) => navigator.clipboard.writeText(text), text);
    await this.window.palette('Terminal: Paste into Active Terminal');
  }

  async #allowClipboard() {
    const { origin } = this.window.server;
    await this.page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin });
  }

  /**
   * Types, and waits until the terminal shows it.
   *
   * @param {string} text
   */
  async type(text) {
    await this.#focus();
    await this.page.keyboard.type(text);
    await until(`"${text}" typed`, async () => (await this.screen()).join('').endsWith(text) || undefined);
  }

  /**
   * Types a line, and waits until the next is asked for.
   *
   * @param {string} line
   * @returns {Promise<string>} what it printed
   */
  async run(line) {
    await this.ready();
    await this.type(line);
    await this.page.keyboard.press('Enter');
    await this.ready();
    return this.printed(line);
  }

  /**
   * @param {string} line
   * @returns {Promise<string>} what came after the last time that line was entered
   */
  async printed(line) {
    const screen = (await this.screen()).join('\n');
    const entered = `${this.#prompt} ${line}\n`;
    const text = screen.includes(entered) ? screen : await this.everything();
    const at = text.lastIndexOf(entered);
    if (at < 0) throw new Error(`"${line}" was not entered:\n${text}`);
    return text.slice(at + entered.length).replace(new RegExp(`\\n?${this.#prompt}\\s*$`), '');
  }
}
