// A reader debugs an example of the kernel's real document, as a person would: by keys, mouse and what is on the screen.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../host/driver.mjs';
import { plain } from '../host/until.mjs';

const hmm = 'linux-6.12/Documentation/mm/hmm.rst';
const call = 'ret = hmm_range_fault(&range)';

const driver = `#include <linux/memremap.h>

static int tries;

static int ask(int wanted)
{
	int given = 0;

	while (given < wanted)
		given++;
	tries = tries + given;
	return given;
}

int probe(void)
{
	struct dev_pagemap pagemap;

	pagemap.nr_range = ask(3);
	return pagemap.nr_range;
}
`;

/** @param {import('./run.mjs').Context} context */
export async function run({ check, skip, open, freshFolder, hasDocuments }) {
  if (!hasDocuments) return skip('the debugger', 'no kernel documents');
  const folder = freshFolder();
  writeFileSync(join(folder, 'driver.c'), driver);
  const window = await open({ folder, theme: 'dark', viewport: { width: 1700, height: 1050 } });
  const { page } = window;
  const key = (/** @type {string} */ name) => page.keyboard.press(name);
  const variables = () =>
    page
      .locator('.debug-pane')
      .filter({ has: page.locator('.pane-header', { hasText: 'Variables' }) })
      .or(page.locator('.pane', { has: page.locator('.pane-header', { hasText: 'Variables' }) }))
      .first();
  const rows = async () =>
    (await variables().locator('.monaco-list-row').allInnerTexts()).map((text) =>
      plain(text).replace(/\s+/g, ' ').trim(),
    );
  const stack = async () =>
    (await page.locator('.debug-call-stack .monaco-list-row').allInnerTexts()).map((text) =>
      plain(text).replace(/\s+/g, ' ').trim(),
    );
  /** @param {RegExp} wanted */
  const stackSays = (wanted) =>
    until(`the stack to say ${wanted}`, async () => wanted.test((await stack()).join('\n')) || undefined);
  /** @param {RegExp} wanted */
  const variablesSay = (wanted) =>
    until(`the variables to say ${wanted}`, async () => wanted.test((await rows()).join('\n')) || undefined);
  const expand = async (/** @type {string} */ name) => {
    const row = variables()
      .locator('.monaco-list-row', { hasText: new RegExp(`^${name}`) })
      .first();
    await row.waitFor();
    if ((await row.getAttribute('aria-expanded')) === 'false') await row.locator('.monaco-tl-twistie').click();
  };
  /** A lens that moved while it was clicked may have begun another session, which ends the one before. */
  const end = async () => {
    const toolbar = page.locator('.debug-toolbar');
    for (let attempt = 0; attempt < 4 && (await toolbar.isVisible()); attempt++) {
      await key('Shift+F5');
      await toolbar.waitFor({ state: 'hidden', timeout: 4000 }).catch(() => {});
    }
    await toolbar.waitFor({ state: 'hidden' });
  };
  const standsAt = (/** @type {number} */ line) =>
    until(
      `the program at line ${line}`,
      async () => (await stack()).some((text) => text.includes(`${line}:`)) || undefined,
    );

  const { line } = window.locate(hmm, call);
  await check('a breakpoint set by F9 on a line of the document is there', async () => {
    await window.show(hmm, call);
    await key('F9');
    await page
      .locator(
        '.editor-group-container .codicon-debug-breakpoint, .editor-group-container .codicon-debug-breakpoint-unverified',
      )
      .first()
      .waitFor();
  });
  await check('F5 runs the example at the cursor to it', async () => {
    await key('F5');
    await page.locator('.debug-toolbar').waitFor();
    await standsAt(line);
    await page.locator('.debug-top-stack-frame-line').first().waitFor();
    await page.locator('.codicon-debug-breakpoint-stackframe, .codicon-debug-stackframe').first().waitFor();
    const ours = () =>
      page
        .locator('.editor-group-container .glyph-margin-widgets *, .editor-group-container .cgmr')
        .evaluateAll((all) => all.filter((one) => /\/next-/.test(getComputedStyle(one).backgroundImage)).length);
    await until('no second arrow', async () => (await ours()) === 0 || undefined);
    await window.screenshot('debug-breakpoint');
  });
  await check('the variables are those of the example, decoded', async () => {
    await expand('Locals');
    await variablesSay(/range ?=? ?struct hmm_range/);
    await expand('range');
    await variablesSay(/hmm_pfns/);
    await window.screenshot('debug-variables');
  });
  await check('F11 goes into the kernel, whose frames are above; Shift+F11 comes out', async () => {
    await key('F11');
    await stackSays(/hmm_range_fault\(/);
    await window.screenshot('debug-in-the-kernel');
    await key('Shift+F11');
    await until(
      'the call over',
      async () => !(await stack()).some((text) => /^hmm_range_fault\(/.test(text)) || undefined,
    );
    await variablesSay(/Return Value|hmm_range_fault/);
  });
  await check('F10 goes to the next statement', async () => {
    await key('F10');
    await standsAt(line + 1);
    await variablesSay(/ret ?:? ?=? ?0/);
  });
  await check('a variable is given another value in the variables view', async () => {
    const row = variables().locator('.monaco-list-row', { hasText: /^ret/ }).first();
    await row.dblclick();
    const input = variables().locator('input').first();
    await input.waitFor();
    await input.fill('-EBUSY');
    await key('Enter');
    await variablesSay(/ret.*-16/);
    await window.screenshot('debug-variable-set');
  });
  await check('the next step follows the new value', async () => {
    await page.locator('.editor-group-container .monaco-editor').first().click();
    await key('F10');
    await until(
      'another line',
      async () => !(await stack()).some((text) => text.includes(`${line + 1}:`)) || undefined,
    );
  });
  await check('Step Back takes it back, and the value with it', async () => {
    await page.locator('.debug-toolbar .codicon-debug-step-back').click();
    await standsAt(line + 1);
    await page.locator('.debug-toolbar .codicon-debug-step-back').click();
    await standsAt(line);
    await window.screenshot('debug-stepped-back');
  });
  await check('the panels show the machine the program stands on', async () => {
    const zones = await window.webviewFrame('Zones');
    assert.match(await zones.locator('body').innerText(), /DMA32/);
  });
  await check('Shift+F5 ends it at once', async () => {
    await end();
  });
  await check('a function of a C file is debugged from its lens', async () => {
    await window.clickLens('driver.c', 'int probe(void)', 'Debug');
    const said = () => page.locator('.repl .monaco-list-row').allInnerTexts();
    await until('its result', async () => (await said()).some((text) => /returned 3/.test(plain(text))) || undefined);
    await until('its end', async () => !(await page.locator('.debug-toolbar').isVisible()) || undefined);
    await window.show('driver.c', /\treturn given;/);
    await key('F9');
    await window.clickLens('driver.c', 'int probe(void)', 'Debug');
    await stackSays(/ask\(wanted=3\)/);
    await variablesSay(/given.*3/);
    await window.screenshot('debug-c-file');
    await end();
  });
  await check('the lens over an example debugs it, and the console speaks the shell and C', async () => {
    await window.show(hmm, call);
    await window.clickLens(hmm, /int driver_populate_range\(/, 'Debug');
    await window.pick('Run as written').catch(() => undefined);
    await standsAt(line);
    await window.palette('Debug Console: Focus on Debug Console View');
    await page.keyboard.insertText('range.start + PAGE_SIZE');
    await key('Enter');
    const said = () => page.locator('.repl .monaco-list-row').allInnerTexts();
    await until(
      'the value in the console',
      async () => (await said()).some((text) => /0x7ffff/.test(plain(text))) || undefined,
    );
    await page.keyboard.insertText('proc munmap p a 1');
    await key('Enter');
    await until(
      'the unmap waiting',
      async () => (await said()).some((text) => /waits for mmap_lock/.test(plain(text))) || undefined,
    );
    await window.screenshot('debug-console');
    await page.locator('.debug-toolbar .codicon-debug-step-over').click();
    await standsAt(line + 1);
    await end();
  });
  await check('nothing went wrong unseen', () => {
    assert.deepEqual(window.problems(), { errors: [], cspViolations: [], foreignRequests: [] });
  });
}
