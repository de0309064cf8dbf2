// What is wrong in the kernel's real documents, and what of them holds, as a reader of VS Code sees it.
import assert from 'node:assert/strict';
import { until } from '../host/driver.mjs';
import { Terminal, terminalSettings } from '../host/terminal.mjs';
import { plain } from '../host/until.mjs';

const memoryModel = 'linux-6.12/Documentation/mm/memory-model.rst';
const hmm = 'linux-6.12/Documentation/mm/hmm.rst';
const b24 = /A driver that mirrors by/;

/** @param {import('./run.mjs').Context} context */
export async function run({ check, skip, open, hasDocuments }) {
  if (!hasDocuments) return skip('findings and claims of the real documents', 'no kernel documents');
  const window = await open({ theme: 'dark', viewport: { width: 1600, height: 1300 }, settings: terminalSettings });
  const { page } = window;

  /** The rows of the Problems view, each as one line. */
  const problems = async () => {
    const rows = await page.locator('.markers-panel .monaco-list-row').allInnerTexts();
    return rows.map((text) => plain(text).replace(/\s+/g, ' '));
  };
  const problem = (/** @type {RegExp} */ wanted) =>
    until(`a problem that says ${wanted}`, async () => (await problems()).find((text) => wanted.test(text)), 40_000);
  /** How many lines on the screen have an icon of ours in the gutter. */
  const marks = (/** @type {string} */ icon, shown = page) =>
    shown
      .locator(
        '.editor-group-container.active .glyph-margin-widgets *, .editor-group-container.active .margin-view-overlays .cgmr',
      )
      .evaluateAll(
        (elements, name) => elements.filter((one) => getComputedStyle(one).backgroundImage.includes(name)).length,
        icon,
      );
  const editorText = async () => plain(await page.locator('.editor-group-container.active .view-lines').innerText());
  const togglePanel = () => window.palette('View: Toggle Panel Visibility');
  const testRow = (/** @type {RegExp} */ label) =>
    page.locator('.test-explorer .monaco-list-row').filter({ hasText: label }).first();
  const expand = async (/** @type {RegExp} */ label) => {
    const row = testRow(label);
    await row.waitFor();
    if ((await row.getAttribute('aria-expanded')) === 'false') await row.locator('.monaco-tl-twistie').click();
    await until(`${label} expanded`, async () => (await row.getAttribute('aria-expanded')) === 'true' || undefined);
  };

  await window.openFile(hmm);
  await check('"Check Document" shows what is wrong in hmm.rst of 6.12', async () => {
    await window.palette('Zonescope: Check Document');
    await page.locator('.markers-panel').waitFor();
    await window.palette('View: Toggle Maximized Panel');
    await problem(/missing-parenthesis/);
    await problem(/hmm_pfns .*no-such-field.*Ln 232/);
    await problem(/unbalanced-call/);
    await problem(/claim\/B24/);
    await window.screenshot('findings-problems');
    await window.palette('View: Toggle Maximized Panel');
  });
  await check('it says how many there are, and how many claims hold', async () => {
    await window.palette('Notifications: Show Notifications');
    const told = page.locator('.notifications-center .notification-list-item-message').first();
    assert.match(
      plain(await told.innerText()),
      /hmm\.rst has \d+ findings\. \d+ of its \d+ claims hold in Linux 6\.12\./,
    );
    await window.palette('Notifications: Clear All Notifications');
  });
  await check('a quick fix makes the text right, and its finding goes', async () => {
    const { line, column } = window.locate(hmm, 'range->pfns[');
    await window.show(hmm, 'range->pfns[');
    await window.goTo(line, column + 'range->'.length);
    await page.keyboard.press('Control+.');
    const menu = page.locator('.action-widget:visible').first();
    await menu.waitFor();
    const titles = plain(await menu.innerText());
    assert.match(titles, /Explain no-such-field/);
    assert.match(titles, /Turn off the rule no-such-field/);
    await window.screenshot('findings-quick-fix');
    await menu.locator('.monaco-list-row', { hasText: 'hmm_pfns' }).first().click();
    await until('the new name', async () => (await editorText()).includes('range->hmm_pfns[') || undefined);
    await until('no such finding', async () => (await problems()).every((text) => !/Ln 232/.test(text)) || undefined);
    await window.show(hmm, 'driver_populate_range');
    await page.keyboard.press('Control+z');
    await problem(/no-such-field.*Ln 232/);
  });

  await check('sentences that hold have a check in the gutter, those that do not a cross', async () => {
    await togglePanel();
    await window.show(hmm, 'callback is passed a');
    await until('a cross', async () => (await marks('claim-fails')) > 0 || undefined);
    assert.ok((await marks('claim-holds')) > 0);
  });
  await check('a hover on a sentence that does not hold says why, and shows the lines', async () => {
    await window.hoverAt(hmm, 'callback is passed a');
    const hover = await until('the whole hover', async () => {
      const text = plain((await page.locator('.monaco-editor .monaco-hover:visible').allInnerTexts()).join('\n'));
      return /Show in Shell/.test(text) ? text : undefined;
    });
    assert.match(hover, /claim\/B24/);
    assert.match(hover, /Does not hold in Linux 6\.12/);
    assert.match(hover, /^# ops\.invalidate_range_start$/m);
    await window.screenshot('findings-claim-hover');
  });
  await check('"Go to Next Failed Claim" goes to one, and says why', async () => {
    await window.show(hmm, 'Heterogeneous Memory Management');
    await window.palette('Zonescope: Go to Next Failed Claim');
    const hover = page.locator('.monaco-editor .monaco-hover:visible');
    await hover.waitFor();
    assert.match(plain(await hover.innerText()), /claim\//);
    await page.keyboard.press('Escape');
  });

  for (const theme of /** @type {const} */ (['light', 'contrast', 'dark']))
    await check(`looks right in ${theme}`, async () => {
      await window.setTheme(theme);
      await window.show(memoryModel, 'never drops below 1');
      await until('a cross', async () => (await marks('claim-fails')) > 0 || undefined);
      await window.hoverAt(memoryModel, 'never drops below 1');
      await window.screenshot(`findings-${theme}`);
    });

  await check('"Check against Release…" shows what has drifted, and clearing takes it away', async () => {
    await window.closeAll();
    await window.openFile(memoryModel);
    await window.palette('Zonescope: Check against Release');
    await window.answer('4.20');
    await window.statusBar('against 4.20', 60_000);
    await problem(/Zonescope against 4\.20/);
    await window.screenshot('findings-against');
    await window.palette('Zonescope: Clear Comparison with Release');
    await until('nothing of it', async () => (await problems()).every((text) => !/against/.test(text)) || undefined);
    await togglePanel();
  });

  await check(
    '"Show in Shell" runs the lines on the reader\'s machine, and types those that show it into the shell',
    async () => {
      await window.clickLens(hmm, 'callback is passed a', 'Show in Shell');
      const shell = new Terminal(window, '#');
      await until(
        'the shell',
        async () => (await shell.screen()).some((row) => /# .*invalidate_range_start/.test(row)) || undefined,
      );
      await until('steps', async () => /step [1-9]/.test(await window.statusBar('Zonescope')) || undefined);
      await window.screenshot('findings-claim-run');
      await togglePanel();
    },
  );

  await check('the Test Explorer lists the document, its sections and its claims', async () => {
    await window.palette('Testing: Focus on Test Explorer View');
    await expand(/hmm\.rst.*6\.12/s);
    await expand(/Migration to and from device/);
    await testRow(b24).waitFor();
    assert.match((await testRow(/hmm\.rst.*6\.12/s).getAttribute('aria-label')) ?? '', /^hmm\.rst · 6\.12/);
    assert.match((await testRow(b24).getAttribute('aria-label')) ?? '', b24);
    await window.screenshot('findings-tests');
  });
  await check('it runs a claim that fails, and shows why', async () => {
    const row = testRow(b24);
    await row.hover();
    await row
      .getByRole('button', { name: /^Run Test/ })
      .first()
      .click();
    await until('the failure', async () => (await row.innerHTML()).includes('testing-failed-icon') || undefined);
    await row.dblclick();
    await page.locator('.zone-widget', { hasText: 'Does not hold in Linux 6.12' }).waitFor();
    await window.screenshot('findings-tests-run');
    await page.keyboard.press('Escape');
  });
  await check('a scene in steps runs, each step with a result of its own', async () => {
    await expand(/A migration in seven steps/);
    const row = testRow(/A migration in seven steps/);
    await row.hover();
    await row
      .getByRole('button', { name: /^Run Test/ })
      .first()
      .click();
    await until('it passed', async () => (await row.innerHTML()).includes('testing-passed-icon') || undefined, 60_000);
    await window.screenshot('findings-tests-steps');
  });
  await check('a scene is debugged from the Test Explorer', async () => {
    const row = testRow(/A migration in seven steps/);
    await row.hover();
    await row
      .getByRole('button', { name: /^Debug Test/ })
      .first()
      .click();
    await page.locator('.debug-toolbar').waitFor();
    await window.screenshot('findings-tests-debug');
    await window.palette('Debug: Stop');
    await page.locator('.debug-toolbar').waitFor({ state: 'hidden' });
    await window.palette('Testing: Focus on Test Explorer View');
  });
  await check('coverage says how many sentences are checked', async () => {
    const row = testRow(/hmm\.rst.*6\.12/s);
    await row.hover();
    await row
      .getByRole('button', { name: /with Coverage/ })
      .first()
      .click();
    const side = page.locator('.part.sidebar');
    await until(
      'a percentage of hmm.rst',
      async () => /Test Coverage[\s\S]*hmm\.rst[\s\S]*\d%/.test(plain(await side.innerText())) || undefined,
      120_000,
    );
    await window.screenshot('findings-coverage');
  });

  await check('nothing went wrong unseen: no console error, no blocked content, no foreign request', () => {
    assert.deepEqual(window.problems(), { errors: [], cspViolations: [], foreignRequests: [] });
  });

  await check('nothing is marked where both settings are off', async () => {
    const plainly = await open({ settings: { 'zonescope.findings': false, 'zonescope.claims': false } });
    await plainly.openFile(memoryModel);
    await plainly.hoverAt(memoryModel, '`struct page`');
    assert.equal(await marks('claim-', plainly.page), 0);
    assert.equal(await plainly.page.locator('.squiggly-warning, .squiggly-error').count(), 0);
  });
}
