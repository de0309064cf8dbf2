// What is wrong in the kernel's real documents, and what of them holds, as a reader of VS Code sees it.
import assert from 'node:assert/strict';
import { until } from '../host/driver.mjs';
import { plain } from '../host/until.mjs';

const memoryModel = 'linux-6.12/Documentation/mm/memory-model.rst';
const hmm = 'linux-6.12/Documentation/mm/hmm.rst';

/** @param {import('./run.mjs').Context} context */
export async function run({ check, skip, open, hasDocuments }) {
  if (!hasDocuments) return skip('findings and claims of the real documents', 'no kernel documents');
  const window = await open({
    theme: 'dark',
    viewport: { width: 1600, height: 1300 },
    settings: { 'problems.sortOrder': 'position' },
  });
  const { page } = window;

  /** The rows of the Problems view, each as one line. */
  const problems = async () =>
    (await page.locator('.markers-panel .monaco-list-row').allInnerTexts()).map((text) =>
      plain(text).replace(/\s+/g, ' '),
    );
  /** @param {RegExp} wanted */
  const problem = (wanted) =>
    until(`a problem that says ${wanted}`, async () => (await problems()).find((text) => wanted.test(text)), 30_000);
  /** How many lines on the screen have an icon of ours in the gutter. */
  const marks = (/** @type {string} */ icon) =>
    page
      .locator('.editor-group-container.active .margin-view-overlays .cgmr')
      .evaluateAll(
        (elements, name) => elements.filter((one) => getComputedStyle(one).backgroundImage.includes(name)).length,
        icon,
      );
  const editorText = async () => plain(await page.locator('.editor-group-container.active .view-lines').innerText());
  const tests = () => page.locator('.test-explorer .monaco-list-row');
  const testRow = (/** @type {RegExp} */ label) => tests().filter({ hasText: label }).first();
  const expand = async (/** @type {RegExp} */ label) => {
    const row = testRow(label);
    await row.waitFor();
    if ((await row.getAttribute('aria-expanded')) === 'false') await row.locator('.monaco-tl-twistie').click();
    await until(`${label} expanded`, async () => (await row.getAttribute('aria-expanded')) === 'true' || undefined);
  };

  await window.openFile(hmm);
  await check('"Check Document" shows what is wrong in hmm.rst of 6.12', async () => {
    await window.palette('Zonescope: Check Document');
    await window.notification(/hmm\.rst has \d+ findings\. \d+ of its \d+ claims hold in Linux 6\.12\./);
    await window.palette('View: Toggle Maximized Panel');
    await problem(/missing-parenthesis/);
    await problem(/hmm_pfns .*no-such-field.*Ln 232/);
    await problem(/unbalanced-call/);
    await problem(/claim\/B24/);
    await window.screenshot('findings-problems');
    await window.palette('View: Toggle Maximized Panel');
  });
  await check('a quick fix makes the text right, and its finding goes', async () => {
    await window.show(hmm, 'range->pfns[');
    const { line, column } = window.locate(hmm, 'range->pfns[');
    await window.goTo(line, column + 'range->'.length);
    await page.keyboard.press('Control+.');
    const menu = page.locator('.action-widget');
    await menu.waitFor();
    const titles = (await menu.locator('.monaco-list-row').allInnerTexts()).map(plain);
    assert.ok(
      titles.some((title) => /Explain no-such-field/.test(title)),
      titles.join(),
    );
    assert.ok(
      titles.some((title) => /Turn off the rule no-such-field/.test(title)),
      titles.join(),
    );
    await window.screenshot('findings-quick-fix');
    await menu.locator('.monaco-list-row', { hasText: 'hmm_pfns' }).first().click();
    await until('the new name', async () => (await editorText()).includes('range->hmm_pfns[') || undefined);
    await until('no such finding', async () => (await problems()).every((text) => !/Ln 232/.test(text)) || undefined);
    await page.keyboard.press('Control+z');
    await problem(/no-such-field.*Ln 232/);
  });

  await check('sentences that hold have a check in the gutter, those that do not a cross', async () => {
    await window.palette('View: Close Panel');
    await window.show(hmm, 'callback is passed a');
    await until('a cross', async () => (await marks('claim-fails')) > 0 || undefined);
    assert.ok((await marks('claim-holds')) > 0);
  });
  await check('a hover on a sentence that does not hold says why, and shows the lines', async () => {
    const hover = await window.hoverAt(hmm, 'callback is passed a');
    assert.match(hover, /claim\/B24/);
    assert.match(hover, /Does not hold in Linux 6\.12|No longer holds since/);
    assert.match(hover, /^# /m);
    assert.match(hover, /Run on Your Machine/);
    await window.screenshot('findings-claim-hover');
  });
  await check('"Show It" runs the lines on the reader\'s machine and types the others into the shell', async () => {
    await window.clickLens(hmm, 'callback is passed a', 'Show It');
    await until('the shell', async () => {
      const text = plain(await page.locator('.terminal-wrapper.active .xterm-rows').innerText());
      return /# .*\n/.test(text) || undefined;
    });
    await until('steps', async () => /step [1-9]/.test(await window.statusBar('Zonescope')) || undefined);
    await window.screenshot('findings-claim-run');
    await window.palette('View: Close Panel');
    await window.palette('View: Close Other Editors in Group');
  });

  await check('the Test Explorer lists the document, its sections and its claims', async () => {
    await window.palette('Testing: Focus on Test Explorer View');
    await expand(/hmm\.rst.*6\.12/s);
    await expand(/Migration to and from device memory/);
    await testRow(/B24/).waitFor();
    await window.screenshot('findings-tests');
  });
  await check('it runs a claim that fails, and shows what was expected', async () => {
    const row = testRow(/B24/);
    await row.hover();
    await row
      .getByRole('button', { name: /^Run Test/ })
      .first()
      .click();
    await until('the failure', async () =>
      (await row.innerHTML()).includes('testing-failed-icon') ? true : undefined,
    );
    await window.screenshot('findings-tests-run');
  });
  await check('coverage says how many sentences are checked', async () => {
    const row = testRow(/hmm\.rst.*6\.12/s);
    await row.click();
    await window.palette('Test: Run All Tests with Coverage');
    await until(
      'a percentage',
      async () =>
        /\d+(\.\d+)?%/.test(
          plain(await page.locator('.test-explorer, .test-coverage-tree, .part.sidebar').first().innerText()),
        ) || undefined,
      120_000,
    );
    await window.screenshot('findings-coverage');
    await window.palette('Test: Close Coverage');
  });

  await check('"Check against Release…" shows what has drifted, and Clear takes it away', async () => {
    await window.openFile(memoryModel);
    await window.palette('Zonescope: Check against Release');
    await window.answer('5.10');
    await until('the number of differences', async () => window.statusBar('against 5.10'), 60_000);
    await problem(/Zonescope against 5\.10/);
    await window.screenshot('findings-against');
    await window.palette('Zonescope: Clear Comparison with Release');
    await until('nothing of it', async () => (await problems()).every((text) => !/against/.test(text)) || undefined);
  });
  await check('the next failed claim is found, and named', async () => {
    await window.palette('View: Close Panel');
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

  await check('nothing is marked when both settings are off, and nothing of it stays', async () => {
    window.writeSettings({ 'zonescope.findings': false, 'zonescope.claims': false });
    await window.reload();
    await window.show(memoryModel, 'never drops below 1');
    await window.hoverAt(memoryModel, '`struct page`');
    assert.equal(await marks('claim-'), 0);
    assert.deepEqual(await page.locator('.squiggly-warning, .squiggly-error').count(), 0);
  });
  await check('nothing went wrong unseen: no console error, no blocked content, no foreign request', () => {
    assert.deepEqual(window.problems(), { errors: [], cspViolations: [], foreignRequests: [] });
  });
}
