import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from '../setup/exec.mjs';
import { launchBrowser } from './browser.mjs';
import { ensureCodeServer, startServer } from './codeServer.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('playwright-core').Locator} Locator */
/** @typedef {import('playwright-core').FrameLocator} FrameLocator */

/** The label of a theme, the class it gives the workbench, and how its id ends: older ones say "Default Dark Modern". */
const themes = {
  light: { label: 'Light Modern', id: /Light Modern$/, className: 'vs' },
  dark: { label: 'Dark Modern', id: /Dark Modern$/, className: 'vs-dark' },
  contrast: { label: 'Dark High Contrast', id: /High Contrast$/, className: 'hc-black' },
};
/** @typedef {keyof typeof themes} Theme */

const screenshots = join(root, 'artifacts', 'screenshots');
const patienceMs = 20_000;

/** What the workbench itself says in a window without our extension: neither ours nor to be mended here. */
const workbenchNoise = [
  /Could not locate the bindings file/,
  /Cannot find module '\.\/build\/Release\/watchdog'/,
  /^A bad HTTP response code \(404\) was received when fetching the script/,
  /\[Service Worker\] registration/,
  /\bCanceled: Canceled\b/,
  /Long running operations during shutdown are unsupported in the web/,
];
const workbenchResources = /\/_static\/|\/static\/node_modules\/vsda\/|\/update\/check$/;

const isOwnHost = (/** @type {string} */ hostname) => /^(127\.0\.0\.1|localhost|.*\.localhost)$/.test(hostname);

const firstLines = (/** @type {string} */ text) => text.split('\n').slice(0, 4).join('\n');

/** Editor text shows spaces as no-break spaces. */
const plain = (/** @type {string} */ text) => text.replaceAll('\u00a0', ' ');

/**
 * Repeats `look` until it gives something other than undefined.
 *
 * @template T
 * @param {string} what
 * @param {() => Promise<T | undefined> | T | undefined} look
 * @returns {Promise<T>}
 */
export async function until(what, look, timeoutMs = patienceMs) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    await sleep(50);
  }
}

/** @param {Theme} theme */
async function themeId(theme) {
  const manifest = join(await ensureCodeServer(), 'extensions', 'theme-defaults', 'package.json');
  /** @type {{id: string}[]} */
  const all = JSON.parse(readFileSync(manifest, 'utf8')).contributes.themes;
  const found = all.find(({ id }) => themes[theme].id.test(id));
  if (!found) throw new Error(`this VS Code has no theme like ${themes[theme].id}`);
  return found.id;
}

/**
 * Opens a window of a real VS Code on a folder, with the extension loaded from its source folder. Nothing is shared
 * with another window: server, settings and storage are its own and go when it closes.
 *
 * @param {object} options
 * @param {string} options.folder opened as it is: give a copy if the test writes
 * @param {string} [options.extension] the folder of the extension, the project's own if not given
 * @param {Theme} [options.theme]
 * @param {Record<string, unknown>} [options.settings]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {{width: number, height: number}} [options.viewport]
 * @returns {Promise<Workbench>}
 */
export async function openWorkbench({ folder, extension = root, theme = 'dark', settings, env, viewport }) {
  const dataDir = mkdtempSync(join(realpathSync(tmpdir()), 'zonescope-window-'));
  const undo = [() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 })];
  const close = async () => {
    for (const action of undo.splice(0).reverse()) await action();
  };
  try {
    const server = await startServer({
      dataDir,
      settings: { 'workbench.colorTheme': await themeId(theme), 'window.confirmBeforeClose': 'never', ...settings },
      ...(env ? { env } : {}),
      automation: true,
    });
    undo.push(server.stop);
    const browser = await launchBrowser();
    undo.push(() => browser.close());
    const context = await browser.newContext({ viewport: viewport ?? { width: 1600, height: 1000 } });
    const workbench = new Workbench(await context.newPage(), server, folder, theme, close);
    await workbench.page.goto(server.url({ folder, extension }));
    await workbench.ready();
    return workbench;
  } catch (error) {
    await close();
    throw error;
  }
}

/** Copies a folder into a new temporary one that a test may write to. */
export function scratchCopy(/** @type {string} */ folder) {
  const copy = mkdtempSync(join(realpathSync(tmpdir()), 'zonescope-folder-'));
  cpSync(folder, copy, { recursive: true });
  return copy;
}

/** One window of VS Code, seen and used as a person does: by keyboard, mouse and what is on the screen. */
export class Workbench {
  #close;
  /** @type {string[]} */
  #errors = [];
  /** @type {string[]} */
  #cspViolations = [];
  /** @type {Set<string>} */
  #foreignRequests = new Set();

  /**
   * @param {Page} page
   * @param {import('./codeServer.mjs').Server} server
   * @param {string} folder
   * @param {Theme} theme
   * @param {() => Promise<void>} close
   */
  constructor(page, server, folder, theme, close) {
    this.page = page;
    this.server = server;
    this.folder = folder;
    this.theme = theme;
    this.#close = close;
    page.setDefaultTimeout(patienceMs);
    page.on('dialog', (dialog) => dialog.accept().catch(() => {}));
    page.on('pageerror', (error) => this.#errors.push(`uncaught: ${error.message}`));
    page.on('console', (message) => {
      const text = message.text();
      if (/content security policy/i.test(text)) this.#cspViolations.push(text);
      else if (message.type() !== 'error' || workbenchNoise.some((noise) => noise.test(text))) return;
      else if (!/^Failed to load resource/.test(text)) this.#errors.push(firstLines(text));
      else if (!workbenchResources.test(message.location().url)) this.#errors.push(`${text} ${message.location().url}`);
    });
    page.context().on('request', (request) => {
      const url = new URL(request.url());
      if (/^(http|ws)/.test(url.protocol) && !isOwnHost(url.hostname)) this.#foreignRequests.add(request.url());
    });
  }

  /** Ends the window, its browser and its server. */
  async close() {
    await this.#close();
  }

  /** Waits until the window has restored what it shows. */
  async ready() {
    await this.page.locator('.monaco-workbench .part.statusbar').waitFor({ timeout: 60_000 });
    await this.page.locator('.explorer-folders-view .monaco-list-row, .composite.viewlet').first().waitFor();
  }

  /**
   * What went wrong unseen since the window opened: console errors and uncaught exceptions of all frames, violations
   * of a content security policy, and requests to other hosts (none of which leaves the machine).
   */
  problems() {
    return {
      errors: [...this.#errors],
      cspViolations: [...this.#cspViolations],
      foreignRequests: [...this.#foreignRequests],
    };
  }

  /** Opens the quick input with a key; a webview that has the focus may have kept the first press. */
  async #quickInput(/** @type {string} */ key) {
    const input = this.page.locator('.quick-input-widget:visible input[type="text"]').first();
    for (let attempt = 0; ; attempt++) {
      await this.page.keyboard.press(key);
      try {
        await input.waitFor({ timeout: 3000 });
        return input;
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
  async pick(label) {
    const row = await until(`"${label}" in the list`, async () => {
      const labels = await this.quickPickLabels();
      const exact = labels.indexOf(label);
      const index = exact >= 0 ? exact : labels.findIndex((text) => text.includes(label));
      return index >= 0 ? this.#quickRows.nth(index) : undefined;
    });
    await row.click();
  }

  /** @returns {Promise<string[]>} the labels shown by an open quick pick */
  async quickPickLabels() {
    return this.#quickRows.evaluateAll((rows) =>
      rows.map((row) => row.querySelector('.quick-input-list-label .label-name, .label-name')?.textContent ?? ''),
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
    const input = await this.#quickInput('F1');
    await input.fill(`>${title}`);
    await this.pick(title);
  }

  /**
   * @param {string} prefix
   * @returns {Promise<string[]>} the titles of the palette's commands that begin so
   */
  async paletteTitles(prefix) {
    const input = await this.#quickInput('F1');
    await input.fill(`>${prefix}`);
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
    const name = path.split('/').at(-1) ?? path;
    const input = await this.#quickInput('Control+P');
    await input.fill(path);
    await this.pick(name);
    await this.tab(name).waitFor();
    await this.page.locator('.editor-group-container.active .monaco-editor .view-line').first().waitFor();
  }

  /** @param {string} title */
  tab(title) {
    return this.page.locator(`.tabs-container .tab[data-resource-name="${title}"]`).first();
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
    const input = await this.#quickInput('Control+G');
    await input.fill(`:${line}:${column}`);
    await this.page.keyboard.press('Enter');
    await until(`the cursor at line ${line}`, async () => {
      const shown = await this.page.locator('.statusbar-item', { hasText: /^Ln \d+, Col \d+/ }).allTextContents();
      return shown.some((text) => plain(text).startsWith(`Ln ${line}, Col ${column}`)) || undefined;
    });
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
    const content = readFileSync(join(this.folder, path), 'utf8');
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
   * Rests the mouse on a text of a file and gives what the hover says.
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
    const point = await until(`"${first}" on the screen`, () => this.#pointOf(place.column, first));
    const hover = this.page.locator('.monaco-editor .monaco-hover:visible');
    const body = await until(`a hover on "${first}" (${path}:${place.line})`, async () => {
      await this.page.mouse.move(point.x + 40, point.y + 120);
      await this.page.mouse.move(point.x, point.y, { steps: 4 });
      for (let waited = 0; waited < 20; waited++) {
        await sleep(100);
        const text = (await hover.allInnerTexts()).join('\n').trim();
        if (text && !/^Loading/.test(text)) return text;
      }
      return undefined;
    });
    return plain(body);
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
    return until(`the lens "${title}" over "${text}"`, async () => {
      const below = await cursor.boundingBox();
      const links = await this.#lensLinks().all();
      let best;
      for (const link of links) {
        const box = await link.boundingBox().catch(() => null);
        if (!box || !below || box.y > below.y + 4) continue;
        if (plain((await link.textContent()) ?? '').trim() !== title) continue;
        if (!best || box.y > best.y) best = { y: box.y, link };
      }
      return best?.link;
    });
  }

  /** Clicks the lens given by {@link lens}; lenses move while they are resolved, so a miss is tried again. */
  async clickLens(/** @type {Parameters<Workbench['lens']>} */ ...args) {
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

  /**
   * The inside of a webview that is on the screen.
   *
   * @param {string} title as its tab or view shows it
   * @returns {Promise<FrameLocator>}
   */
  async webviewFrame(title) {
    return until(`the webview "${title}"`, async () => {
      const outer = this.page.locator('iframe.webview.ready:visible');
      for (let index = 0; index < (await outer.count()); index++) {
        const inside = outer.nth(index).contentFrame();
        const frame = inside.locator('iframe#active-frame');
        const shown = await frame.getAttribute('title', { timeout: 1000 }).catch(() => undefined);
        if (shown === title) return frame.contentFrame();
      }
      return undefined;
    });
  }

  /**
   * Shows a view container of the activity bar.
   *
   * @param {string} title
   */
  async openContainer(title) {
    const button = this.page
      .locator('.part.activitybar .action-item, .part.sidebar .composite-bar .action-item')
      .filter({ has: this.page.locator(`[aria-label^="${title}"]`) })
      .first();
    await button.waitFor();
    const header = this.page.locator('.part.sidebar .composite.title h2', { hasText: title });
    for (let attempt = 0; attempt < 4 && !(await header.isVisible()); attempt++) {
      await button.click();
      await header.waitFor({ timeout: 3000 }).catch(() => {});
    }
    await header.waitFor();
  }

  /** @param {string} view the title of a view of the sidebar */
  #pane(view) {
    return this.page
      .locator('.part.sidebar .pane, .part.auxiliarybar .pane')
      .filter({ has: this.page.locator('.pane-header', { hasText: view }) })
      .first();
  }

  /**
   * The rows on the screen of a tree of the sidebar.
   *
   * @param {string} view
   * @returns {Promise<{label: string, description: string, level: number, expanded: boolean | undefined}[]>}
   */
  async treeRows(view) {
    const rows = this.#pane(view).locator('.monaco-list-row');
    await rows.first().waitFor();
    return rows.evaluateAll((elements) =>
      elements.map((row) => ({
        label: row.querySelector('.label-name')?.textContent ?? row.textContent ?? '',
        description: row.querySelector('.label-description')?.textContent ?? '',
        level: Number(row.getAttribute('aria-level')),
        expanded: row.hasAttribute('aria-expanded') ? row.getAttribute('aria-expanded') === 'true' : undefined,
      })),
    );
  }

  /**
   * @param {string} view
   * @param {string} label
   * @returns {Locator}
   */
  treeRow(view, label) {
    return this.#pane(view)
      .locator('.monaco-list-row')
      .filter({ has: this.page.getByText(label, { exact: true }) })
      .first();
  }

  /**
   * @param {string} view
   * @param {string} label
   */
  async expandRow(view, label) {
    const row = this.treeRow(view, label);
    await row.waitFor();
    if ((await row.getAttribute('aria-expanded')) === 'false') await row.locator('.monaco-tl-twistie').click();
    await until(`"${label}" expanded`, async () => (await row.getAttribute('aria-expanded')) === 'true' || undefined);
  }

  /**
   * The text of the status bar item that begins so, without its icons.
   *
   * @param {string} prefix
   * @param {number} [timeoutMs]
   */
  async statusBar(prefix, timeoutMs) {
    return until(
      `a status bar item "${prefix}"`,
      async () => {
        const items = await this.page.locator('.part.statusbar .statusbar-item').allInnerTexts();
        return items.map((text) => plain(text).trim()).find((text) => text.startsWith(prefix));
      },
      timeoutMs,
    );
  }

  /** @returns {Promise<string[]>} the notifications that are on the screen */
  async notifications() {
    return this.page.locator('.notifications-toasts .notification-list-item-message').allInnerTexts();
  }

  /**
   * Writes settings over those in force. The window does not watch the file: call {@link reload} after it.
   *
   * @param {Record<string, unknown>} settings
   */
  writeSettings(settings) {
    const file = this.server.settingsFile;
    const before = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, `${JSON.stringify({ ...before, ...settings }, null, 2)}\n`);
  }

  /** @param {Theme} theme */
  async setTheme(theme) {
    await this.palette('Preferences: Color Theme');
    await this.pick(themes[theme].label);
    await this.page.locator(`.monaco-workbench.${themes[theme].className}`).waitFor();
    this.theme = theme;
  }

  /** Reloads the window, as "Developer: Reload Window" does. */
  async reload() {
    await this.page.reload();
    await this.ready();
  }

  /**
   * Keeps a picture of the window as an artifact of the run.
   *
   * @param {string} name
   * @returns {Promise<string>} the file
   */
  async screenshot(name) {
    mkdirSync(screenshots, { recursive: true });
    const path = join(screenshots, `${name}.png`);
    await this.page.screenshot({ path, animations: 'disabled' });
    return path;
  }
}
