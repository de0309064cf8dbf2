// The extension where there is no Node: in the web worker of a browser. Its folder here lacks the Node bundles, so
// that nothing but the web bundle can have run.
import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../host/driver.mjs';
import { Terminal, terminalSettings } from '../host/terminal.mjs';

const memoryModel = 'linux-6.12/Documentation/mm/memory-model.rst';

/** @param {import('./run.mjs').Context} context */
export async function run({ check, skip, open, emptyFolder, freshFolder, hasDocuments, root }) {
  const extension = emptyFolder();
  const { name, publisher, main, browser } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const id = `${publisher}.${name}`;
  for (const part of ['package.json', 'media', 'dist', 'sim/machine/machine.schema.json'])
    cpSync(join(root, part), join(extension, part), { recursive: true });
  for (const bundle of [main, 'dist/engine.cjs', 'dist/cli.js']) rmSync(join(extension, bundle));
  assert.ok(existsSync(join(extension, browser)));

  const folder = freshFolder();
  const tour = 'tour.rst';
  const text = hasDocuments ? memoryModel : tour;
  if (!hasDocuments) skip('memory-model.rst in the web host', 'no kernel documents');
  const window = await open({
    folder,
    extension,
    settings: { ...terminalSettings, 'remote.extensionKind': { [id]: ['web'] } },
  });
  const zonesText = async () => (await window.webviewFrame('Zones')).locator('body').innerText();
  const zonesSay = (/** @type {RegExp} */ wanted) =>
    until(`Zones to say ${wanted}`, async () => wanted.test(await zonesText()) || undefined);
  const status = () => window.statusBar('Zonescope');

  await window.openFile(text);
  await check('it runs in the web worker, as "Running Extensions" says', async () => {
    assert.match(await status(), /^Zonescope: laptop-16g · 6\.12/);
    await window.palette('Developer: Show Running Extensions');
    const row = window.page.locator('.monaco-list-row', { hasText: id });
    await row.waitFor();
    assert.match(await row.innerText(), /web worker/);
    await window.screenshot('web-host');
    await window.page.keyboard.press('Escape');
    await row.waitFor({ state: 'detached' });
  });

  if (hasDocuments) {
    await check('a hover on ZONE_DEVICE says what it is, and what it is now', async () => {
      const says = /ZONE_DEVICE on node 0: spanned 0, present 0, managed 0/;
      await window.hoverSays(memoryModel, '`ZONE_DEVICE` facility', says);
    });
    await check('the lens over ZONE_DEVICE maps a device range, and Zones shows its 262,144 pages', async () => {
      await window.clickLens(memoryModel, 'ZONE_DEVICE\n===', 'Run');
      await zonesSay(/262,144/);
      await zonesSay(/MEMORY_DEVICE_GENERIC/);
      assert.match(await status(), /step (\d+)\/\1$/);
    });
    await check('findings and verdicts on claims come in the web worker too', async () => {
      await window.show(memoryModel, 'never drops below 1');
      await window.palette('Zonescope: Check Document');
      await until('the problems', async () => {
        const rows = (await window.page.locator('.markers-panel .monaco-list-row').allInnerTexts()).join('\n');
        return (/never-existed/.test(rows) && /claim\/M2/.test(rows)) || undefined;
      });
      await window.screenshot('web-host-findings');
      await window.palette('Testing: Focus on Test Explorer View');
      await window.page.locator('.test-explorer .monaco-list-row', { hasText: 'memory-model.rst' }).first().waitFor();
    });
    await check('the Documents view lists the documents of the open folder', async () => {
      await window.openContainer('Zonescope');
      const labels = (await window.treeRows('Documents')).map(({ label }) => label);
      assert.deepEqual(labels, ['memory-model.rst', 'hmm.rst', 'Guided tour']);
    });
    await check('after a reload the session and the panel come back', async () => {
      const before = await status();
      await window.reload();
      await window.webviewFrame('Zones', 60_000);
      await zonesSay(/MEMORY_DEVICE_GENERIC/);
      assert.equal(await status(), before);
    });
  }

  await check('the built-in tour opens, and its example runs', async () => {
    await window.palette('Zonescope: Reset Machine');
    await window.palette('Zonescope: Open Tour');
    await window.tab(tour).waitFor();
    await window.clickLens(tour, 'unsigned long pfn', 'Run');
    await until('the example run', async () => /step [1-9]/.test(await status()) || undefined);
  });
  await check('the debugger stops at a breakpoint of the tour, and steps', async () => {
    const { page } = window;
    await window.show(tour, 'unsigned long pfn');
    await page.keyboard.press('F9');
    await window.clickLens(tour, 'unsigned long pfn', 'Debug');
    const top = page.locator('.debug-call-stack .monaco-list-row').filter({ hasText: 'tour.rst' }).first();
    await top.waitFor();
    const before = await top.innerText();
    await page.locator('.debug-toolbar .codicon-debug-step-over').click();
    await until('the next statement', async () => (await top.innerText()) !== before || undefined);
    await window.screenshot('web-host-debugger');
    await page.locator('.debug-toolbar .codicon-debug-stop').click();
    await page.locator('.debug-toolbar').waitFor({ state: 'hidden' });
  });
  await check('the shell runs lines, and knows its words', async () => {
    await window.palette('Zonescope: Open Shell');
    const shell = new Terminal(window, '#');
    assert.equal(await shell.run('pfn_to_page(0x140000)'), '0xffffea0005000000 (pfn 0x140000)');
    assert.match(await shell.run('help memremap_pages'), /Gives a range of device memory struct pages/);
  });
  await check('every command is there', async () => {
    const titles = (await window.paletteTitles('Zonescope: Choose')).join();
    assert.match(titles, /Choose Machine/);
    assert.match(titles, /Choose Release/);
  });

  await check('nothing went wrong unseen: no console error, no blocked content, no foreign request', () => {
    assert.deepEqual(window.problems(), { errors: [], cspViolations: [], foreignRequests: [] });
  });
}
