// A real machine comes into the window: from a folder with copies of its files, and the one the window runs on.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { until } from '../host/driver.mjs';

/** @param {import('./run.mjs').Context} context */
export async function run({ check, skip, open, freshFolder, root }) {
  const folder = freshFolder();
  /** @type {Record<string, string>} */
  const files = JSON.parse(readFileSync(join(root, 'test/fixtures/machines/6.12/e-hotplug.json'), 'utf8'));
  for (const [path, text] of Object.entries(files)) {
    if (path.endsWith('/')) continue;
    mkdirSync(join(folder, 'copies', dirname(path)), { recursive: true });
    writeFileSync(join(folder, 'copies', path), text);
  }
  const window = await open({ folder, theme: 'light', viewport: { width: 1600, height: 1000 } });
  const status = () => window.statusBar('Zonescope');
  const zonesText = async () => (await window.webviewFrame('Zones')).locator('body').innerText();

  await check('a folder of copies boots as that machine, and what was estimated is said', async () => {
    await window.palette('Zonescope: Import Machine');
    if (process.platform === 'linux') await window.pick('Folder…');
    await until('the open dialogue', async () => (await window.quickPickLabels()).includes('..') || undefined);
    await window.answer(join(folder, 'copies'));
    await until('the machine', async () => /copies · 6\.12/.test(await status()) || undefined);
    const said = await until('what it says', async () =>
      (await window.notifications()).find((text) => /estimated or not as it was/.test(text)),
    );
    assert.match(said, /^copies runs; /);
  });
  await check('its zones are the recorded ones', async () => {
    await window.palette('Zonescope: Open Zones');
    await until('the managed pages of DMA32', async () => /747,?505/.test(await zonesText()) || undefined);
    await window.screenshot('imported');
  });
  if (process.platform !== 'linux') return skip('this machine', 'it does not run Linux');
  await check('this machine boots too, or is refused with the reason', async () => {
    await window.palette('Zonescope: Import Machine');
    await window.pick('This machine');
    await until('an answer', async () => {
      const said = (await window.notifications()).join('\n');
      return /this machine runs|this machine cannot be imported|estimated or not as it was/.test(said) &&
        !/^copies/m.test(said)
        ? true
        : undefined;
    });
  });
  await check('nothing went wrong unseen', () => {
    assert.deepEqual(window.problems(), { errors: [], cspViolations: [], foreignRequests: [] });
  });
}
