import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { patienceMs, plain, until } from './until.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('playwright-core').Locator} Locator */

/** For what is looked at again when it has gone in between. */
const briefly = { timeout: 1000 };
/** Pixels between a lens and the line it stands over, of which there may be several. */
const NEAR = 90;

/** The palette, quick open and the text editors of a window. */
export class Editor {
  /**
   * @param {Page} page
   * @param {string} folder
   */
  constructor(page, folder) {
    this.page = page;
    this.folder = folder;
    /**
     * The files behind tabs that show none of the folder, by their title.
     *
     * @type {Map<string, string>}
     */
    this.elsewhere = new Map();
  }

  /**
   * Opens the quick input with a key and types into it. A webview that has the focus may keep the first press, and a
   * panel that takes the focus closes what has just opened.
   *
   * @param {string} key
   * @param {string} text
   */
  async #quickInput(key, text) {
    const input = this.page.locator('.quick-input-widget:visible input[type="text"]').first();
    for (let attempt = 0; ; attempt++) {
      await this.page.keyboard.press(key);
      try {
        await input.waitFor({ timeout: 3000 });
        await input.fill(text, { timeout: 3000 });
        return;
      } catch (error) {
        if (attempt === 3) throw error;
        await this.page.locator('.part.statusbar').click({ position: { x: 600, y: 8 } });
      }
    }
  }

  /** @returns {Locator} */
  get #quickRows() {
    return this.page.locator('.quick-input-widget:visible .quick-input-list .monaco-list-row');
  }

  /**
   * Chooses the row of an open quick pick whose label is the text, or else contains it.
   *
   * @param {string} label
   */
  async pick(label, timeoutMs = patienceMs) {
    for (let attempt = 0; ; attempt++) {
      const find = async () => {
        const labels = await this.quickPickLabels();
        const chosen = labels.find((text) => text === label) ?? labels.find((text) => text.includes(label));
        if (chosen === undefined) return undefined;
        const name = this.page.locator('.label-name').getByText(chosen, { exact: true });
        return this.#quickRows.filter({ has: name }).first();
      };
      const row = await until(`"${label}" in the list`, find, timeoutMs);
      try {
        // The list is drawn anew while it fills: a row that has gone is looked for again.
        await row.click({ timeout: 2000 });
        return;
      } catch (error) {
        if (attempt === 4) throw error;
      }
    }
  }

  /** @returns {Promise<string[]>} the labels shown by an open quick pick */
  async quickPickLabels() {
    return this.#quickRows.evaluateAll((rows) =>
      rows.map(
        (row) => row.querySelector('.quick-input-list-label .label-name, .label-name')?.textContent?.trim() ?? '',
      ),
    );
  }

  /**
   * Types into an open input box or quick pick, and accepts it.
   *
   * @param {string} text
   */
  async answer(text) {
    const input = this.page.locator('.quick-input-widget:visible input[type="text"]').first();
    await input.waitFor();
    await input.fill(text);
    await this.page.keyboard.press('Enter');
  }

  /**
   * Runs a command from the palette, by the title a person reads: "Zonescope: Step Back".
   *
   * @param {string} title
   */
  async palette(title) {
    for (let attempt = 0; ; attempt++) {
      await this.#quickInput('F1', `>${title}`);
      try {
        return await this.pick(title, 5000);
      } catch (error) {
        // A palette that opens before all extensions are known does not get to know of them.
        if (attempt === 3) throw error;
        await this.page.keyboard.press('Escape');
      }
    }
  }

  /**
   * @param {string} prefix
   * @returns {Promise<string[]>} the titles of the palette's commands that begin so
   */
  async paletteTitles(prefix) {
    await this.#quickInput('F1', `>${prefix}`);
    const titles = await until(`commands "${prefix}"`, async () => {
      const found = (await this.quickPickLabels()).filter((label) => label.startsWith(prefix));
      return found.length > 0 ? found : undefined;
    });
    await this.page.keyboard.press('Escape');
    return titles;
  }

  /**
   * Opens a file by quick open.
   *
   * @param {string} path relative to the folder, with slashes
   */
  async openFile(path) {
    await this.openTab(path);
    await this.page.locator('.editor-group-container.active .monaco-editor .view-line').first().waitFor();
  }

  /**
   * Opens a file by quick open, whether or not the editor then shows a text.
   *
   * @param {string} path relative to the folder, with slashes
   */
  async openTab(path) {
    const name = path.split('/').at(-1) ?? path;
    await this.#quickInput('Control+P', path);
    await this.pick(name);
    await this.tab(name).waitFor();
  }

  /** Closes every tab of the window. */
  async closeAll() {
    await this.palette('View: Close All Editors');
    await until('no tab', async () => (await this.tabs()).length === 0 || undefined);
  }

  /** @param {string} title */
  tab(title) {
    return this.page.locator(`.tabs-container .tab[data-resource-name="${title}"]`).first();
  }

  /**
   * The tab that has the focus, if its label begins so.
   *
   * @param {string} label
   */
  activeTab(label) {
    return this.page.locator(`.editor-group-container.active .tab.active[aria-label^="${label}"]`).first();
  }

  /** @returns {Promise<string[]>} the titles of all open tabs */
  async tabs() {
    return this.page
      .locator('.tabs-container .tab')
      .evaluateAll((tabs) => tabs.map((tab) => tab.getAttribute('data-resource-name') ?? ''));
  }

  /**
   * Puts the cursor of the active editor at a line and column, both from 1.
   *
   * @param {number} line
   */
  async goTo(line, column = 1) {
    await this.#quickInput('Control+G', `:${line}:${column}`);
    await this.page.keyboard.press('Enter');
    await until(`the cursor at line ${line}`, async () => {
      const shown = await this.page.locator('.statusbar-item', { hasText: /^Ln \d+, Col \d+/ }).allTextContents();
      return shown.some((text) => plain(text).startsWith(`Ln ${line}, Col ${column}`)) || undefined;
    });
  }

  /**
   * @param {string} path
   * @returns {string} the text of a file of the folder, as it is on the disk
   */
  read(path) {
    return readFileSync(this.elsewhere.get(path) ?? join(this.folder, path), 'utf8');
  }

  /**
   * Finds text in a file of the folder.
   *
   * @param {string} path
   * @param {string | RegExp} text
   * @param {number} [occurrence] from 1
   * @returns {{line: number, column: number, text: string}} from 1
   */
  locate(path, text, occurrence = 1) {
    const content = this.read(path);
    const source = typeof text === 'string' ? text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : text.source;
    const match = [...content.matchAll(new RegExp(source, 'g'))][occurrence - 1];
    if (!match) throw new Error(`${path} does not hold ${occurrence} times ${text}`);
    const before = content.slice(0, match.index).split('\n');
    return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, text: match[0] };
  }

  /**
   * Opens a file and shows the place of a text in it.
   *
   * @param {string} path
   * @param {string | RegExp} text
   * @param {number} [occurrence]
   */
  async show(path, text, occurrence) {
    const place = this.locate(path, text, occurrence);
    const name = path.split('/').at(-1) ?? path;
    const active = this.page.locator(`.editor-group-container.active .tab.active[data-resource-name="${name}"]`);
    if (!(await active.isVisible())) await this.openFile(path);
    await this.goTo(place.line, place.column);
    return place;
  }

  /**
   * Rests the mouse on a text of a file and gives what the hover says: the sources of its parts come one after the
   * other, and it is read when it stays the same.
   *
   * @param {string} path
   * @param {string | RegExp} text a single line of the file, or the start of one that wraps
   * @param {number} [occurrence]
   * @returns {Promise<string>}
   */
  async hoverAt(path, text, occurrence) {
    const place = await this.show(path, text, occurrence);
    const first = place.text.split('\n')[0] ?? '';
    await this.page.keyboard.press('Escape');
    await until(`"${first}" on the screen`, () => this.#pointOf(place.column, first));
    const hover = this.page.locator('.monaco-editor .monaco-hover:visible');
    const body = await until(`a hover on "${first}" (${path}:${place.line})`, async () => {
      // Lenses that have come in the meantime have moved the text.
      const point = await this.#pointOf(place.column, first);
      if (!point) return undefined;
      await this.page.mouse.move(point.x + 40, point.y + 120);
      await this.page.mouse.move(point.x, point.y, { steps: 4 });
      let before = '';
      let same = 0;
      for (let waited = 0; waited < 60; waited++) {
        await sleep(100);
        const text = (await hover.allInnerTexts()).join('\n').trim();
        same = text !== '' && text === before ? same + 1 : 0;
        before = text;
        if (same >= 3 && !/^Loading|Checking for quick fixes/m.test(text)) return text;
        if (text === '' && waited >= 20) return undefined;
      }
      return before || undefined;
    });
    return plain(body);
  }

  /**
   * Rests the mouse on a text until the hover says something: under load a source of it can come after the others have
   * been read.
   *
   * @param {string} path
   * @param {string} text
   * @param {RegExp} says
   */
  async hoverSays(path, text, says) {
    let last = '';
    await until(`a hover on "${text}" (${path}) that says ${says}`, async () => {
      last = await this.hoverAt(path, text);
      return says.test(last) || undefined;
    }).catch((error) => {
      throw new Error(`${error instanceof Error ? error.message : error}; it said: ${last}`);
    });
  }

  /**
   * The middle of a text on the cursor's line.
   *
   * @param {number} column
   * @param {string} text
   */
  async #pointOf(column, text) {
    return this.page.evaluate(
      ({ column, text }) => {
        const editor = document.querySelector('.editor-group-container.active .monaco-editor');
        const cursor = editor?.querySelector('.cursors-layer .cursor')?.getBoundingClientRect();
        if (!editor || !cursor) return undefined;
        const line = [...editor.querySelectorAll('.view-lines .view-line')].find((element) => {
          const box = element.getBoundingClientRect();
          return box.top <= cursor.top + 2 && cursor.top + 2 < box.bottom;
        });
        if (!line) return undefined;
        const pieces = [];
        const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
        for (let node = walker.nextNode(); node; node = walker.nextNode()) pieces.push(node);
        const whole = pieces
          .map((piece) => piece.textContent ?? '')
          .join('')
          .replaceAll('\u00a0', ' ');
        // Inline decorations shift the text to the right, never to the left.
        const start = whole.indexOf(text, column - 1);
        const found = start >= 0 ? start : whole.indexOf(text);
        if (found < 0) return undefined;
        const middle = found + Math.floor(text.length / 2);
        let passed = 0;
        for (const piece of pieces) {
          const length = piece.textContent?.length ?? 0;
          if (middle < passed + length) {
            const range = document.createRange();
            range.setStart(piece, middle - passed);
            range.setEnd(piece, middle - passed + 1);
            const box = range.getBoundingClientRect();
            return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
          }
          passed += length;
        }
        return undefined;
      },
      { column, text },
    );
  }

  /**
   * The lenses that the active editor shows near its cursor, from the top of the screen.
   *
   * @returns {Promise<string[]>}
   */
  async lenses() {
    return (await this.#lensLinks().allInnerTexts()).map(plain);
  }

  #lensLinks() {
    return this.page.locator('.editor-group-container.active .codelens-decoration a');
  }

  /**
   * The link of the lens with a title that is nearest above a text.
   *
   * @param {string} path
   * @param {string | RegExp} text what the lens stands over
   * @param {string} title all of the lens's title
   * @param {number} [occurrence]
   * @returns {Promise<Locator>}
   */
  async lens(path, text, title, occurrence) {
    await this.show(path, text, occurrence);
    const cursor = this.page.locator('.editor-group-container.active .cursors-layer .cursor').first();
    // Lenses come one after the other and move each other: what stands still for two looks is the one.
    let before = Number.NaN;
    return until(`the lens "${title}" over "${text}"`, async () => {
      const below = await cursor.boundingBox(briefly).catch(() => null);
      // In one look: links that go while they are asked one by one are waited for.
      const links = await this.#lensLinks().evaluateAll((all) =>
        all.map((link) => ({ y: link.getBoundingClientRect().top, title: link.textContent ?? '' })),
      );
      let best;
      for (const [index, { y, title: shown }] of links.entries()) {
        if (!below || y > below.y + 4 || y < below.y - NEAR || plain(shown).trim() !== title) continue;
        if (!best || y > best.y) best = { y, link: this.#lensLinks().nth(index) };
      }
      const stands = best?.y === before;
      before = best?.y ?? Number.NaN;
      return stands ? best?.link : undefined;
    });
  }

  /** Clicks the lens given by {@link lens}; lenses move while they are resolved, so a miss is tried again. */
  async clickLens(/** @type {Parameters<Editor['lens']>} */ ...args) {
    for (let attempt = 0; ; attempt++) {
      const link = await this.lens(...args);
      try {
        await link.click({ timeout: 3000 });
        return;
      } catch (error) {
        if (attempt === 3) throw error;
      }
    }
  }
}
