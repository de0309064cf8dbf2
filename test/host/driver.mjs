import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../setup/exec.mjs';
import { launchBrowser } from './browser.mjs';
import { ensureCodeServer, startServer } from './codeServer.mjs';
import { Editor } from './editor.mjs';
import { patienceMs, plain, until } from './until.mjs';

export { until };

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

/** What the workbench itself says in a window without our extension: neither ours nor to be mended here. */
const workbenchNoise = [
  // The workbench opens the scope of a stop while the next stop takes its tree away.
  /TreeError \[VariablesView\] Data tree node not found/,
  // Texts of a debug session have no provider in a window's first seconds (the workbench's last phase): Try Again shows them.
  /Unable to resolve resource debug:/,
  /Could not locate the bindings file/,
  /Cannot find module '\.\/build\/Release\/watchdog'/,
  /^A bad HTTP response code \(404\) was received when fetching the script/,
  /\[Service Worker\] registration/,
  /\bCanceled: Canceled\b/,
  /Timed out waiting for authentication provider/,
  /Long running operations during shutdown are unsupported in the web/,
  /Unable to write file 'vscode-remote:.*\/CachedConfigurations\//,
  /Aborted onWillSaveTextDocument-event/,
  /Error: The file is not displayed in the text editor because/,
];
const workbenchResources = /\/_static\/|\/static\/node_modules\/vsda\/|\/update\/check$/;

// What a webview loads comes under this name from the window's own service worker; nothing leaves the machine.
const isOwnHost = (/** @type {string} */ hostname) =>
  /^(127\.0\.0\.1|localhost|.*\.localhost|.*\.vscode-resource\.vscode-cdn\.net)$/.test(hostname);

const firstLines = (/** @type {string} */ text) => text.split('\n').slice(0, 4).join('\n');

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
export class Workbench extends Editor {
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
    super(page, folder);
    this.server = server;
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

  /**
   * The inside of a webview that is on the screen.
   *
   * @param {string} title as its tab or view shows it
   * @param {number} [timeoutMs]
   * @returns {Promise<FrameLocator>}
   */
  async webviewFrame(title, timeoutMs) {
    const find = async () => {
      const outer = this.page.locator('iframe.webview.ready:visible');
      for (let index = 0; index < (await outer.count()); index++) {
        const inside = outer.nth(index).contentFrame();
        const frame = inside.locator('iframe#active-frame');
        const shown = await frame.getAttribute('title', { timeout: 1000 }).catch(() => undefined);
        if (shown === title) return frame.contentFrame();
      }
      return undefined;
    };
    return until(`the webview "${title}"`, find, timeoutMs);
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
   * What a view without content says instead.
   *
   * @param {string} view
   * @returns {Promise<string>}
   */
  async viewWelcome(view) {
    const welcome = this.#pane(view).locator('.welcome-view-content');
    await welcome.waitFor();
    return plain(await welcome.innerText());
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

  /**
   * What the window has told and nobody has cleared away, newest first. A window under automation shows no toasts:
   * the bell of the status bar keeps them.
   *
   * @returns {Promise<string[]>}
   */
  async notifications() {
    const bell = this.page.locator('.part.statusbar .statusbar-item[id="status.notifications"]');
    const center = this.page.locator('.notifications-center');
    await bell.click();
    await center.waitFor();
    const texts = await center.locator('.notification-list-item-message').allInnerTexts();
    await bell.click();
    await center.waitFor({ state: 'hidden' });
    return texts.map(plain);
  }

  /**
   * @param {RegExp} wanted
   * @returns {Promise<string>} the notification that says so
   */
  async notification(wanted) {
    return until(`a notification that says ${wanted}`, async () =>
      (await this.notifications()).find((text) => wanted.test(text)),
    );
  }

  /**
   * Names a file to the open dialogue, which in a browser is a quick pick of VS Code's own.
   *
   * @param {string} path
   */
  async chooseFile(path) {
    const widget = this.page.locator('.quick-input-widget:visible');
    const name = path.split('/').at(-1) ?? path;
    await until('the open dialogue', async () => (await this.quickPickLabels()).includes('..') || undefined);
    for (let attempt = 0; ; attempt++) {
      // While it still fills its list it writes its own folder over what was typed.
      await widget.locator('input[type="text"]').first().fill(path);
      try {
        await widget.locator('.monaco-list-row.focused', { hasText: name }).waitFor({ timeout: 3000 });
        await this.page.keyboard.press('Enter');
        await widget.waitFor({ state: 'hidden', timeout: 3000 });
        return;
      } catch (error) {
        if (attempt === 3) throw error;
      }
    }
  }

  /**
   * The text of a dialogue that stands before the window.
   *
   * @returns {Promise<string>}
   */
  async dialogue() {
    const box = this.page.locator('.monaco-dialog-box');
    await box.waitFor();
    return plain(await box.locator('.dialog-message-row').innerText());
  }

  /**
   * Presses a button of the dialogue, and waits until it has gone.
   *
   * @param {string} button
   */
  async answerDialogue(button) {
    const box = this.page.locator('.monaco-dialog-box');
    await box.getByRole('button', { name: button, exact: true }).click();
    await box.waitFor({ state: 'detached' });
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

  /** Reloads the window by VS Code's own command, which lets it write down what it keeps. */
  async reload() {
    const loaded = this.page.waitForEvent('load');
    await this.palette('Developer: Reload Window');
    await loaded;
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
