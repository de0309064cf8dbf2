// A reader goes through the seven steps of a migration by the lenses at the steps themselves, on the real document.
import assert from 'node:assert/strict';
import { until } from '../host/driver.mjs';

const hmm = 'linux-6.12/Documentation/mm/hmm.rst';
const memoryModel = 'linux-6.12/Documentation/mm/memory-model.rst';

/** @param {import('./run.mjs').Context} context */
export async function run({ check, skip, open, hasDocuments }) {
  if (!hasDocuments) return skip('the steps of a migration', 'no kernel documents');
  const window = await open({ theme: 'dark', viewport: { width: 1600, height: 1000 } });
  const status = () => window.statusBar('Zonescope');
  /** @param {RegExp} wanted */
  const zonesSay = (wanted) =>
    until(
      `Zones to say ${wanted}`,
      async () => wanted.test(await (await window.webviewFrame('Zones')).locator('body').innerText()) || undefined,
    );
  const setup = '2. ``migrate_vma_setup(struct';
  const commit = '4. ``migrate_vma_pages()``';

  await window.openFile(hmm);
  await check('each of the seven steps has a lens at its own item', async () => {
    for (const [text, title] of [
      ['1. ``mmap_read_lock()``', 'Step 1: take the lock'],
      [setup, 'Step 2: collect and unmap'],
      [commit, 'Step 4: commit'],
      ['7. ``mmap_read_unlock()``', 'Step 7: unlock'],
    ])
      await window.lens(hmm, /** @type {string} */ (text), /** @type {string} */ (title));
    await window.show(hmm, setup);
    await window.screenshot('steps-lenses');
  });

  await check('the lens of step 2 runs steps 1 and 2, and the step it stands at is marked', async () => {
    await window.clickLens(hmm, setup, 'Step 2: collect and unmap');
    await window.lens(hmm, setup, 'Continue');
    await zonesSay(/Two pages are locked, and migration entries/);
    assert.match(await status(), /^Zonescope: laptop-16g · 6\.12/);
    await window.screenshot('steps-paused');
  });

  await check('from there the lens of step 4 runs steps 3 and 4', async () => {
    await window.clickLens(hmm, commit, 'Step 4: commit');
    await window.lens(hmm, commit, 'Continue');
    await window.lens(hmm, setup, 'Step 2: collect and unmap');
    await zonesSay(/The holes have device pages/);
    await window.screenshot('steps-committed');
  });

  await check('Stop ends it where it stands', async () => {
    await window.clickLens(hmm, commit, 'Stop');
    await window.lens(hmm, commit, 'Step 4: commit');
  });

  await check('the sections of memory-model.rst have theirs', async () => {
    await window.lens(memoryModel, 'The classic sparse encodes', '6 The classic way');
    await window.show(memoryModel, 'The classic sparse encodes');
    await window.screenshot('steps-memory-model');
    await window.show(memoryModel, 'ZONE_DEVICE\n===');
    await window.screenshot('steps-zone-device');
  });

  await check('nothing went wrong unseen: no console error, no blocked content, no foreign request', () => {
    assert.deepEqual(window.problems(), { errors: [], cspViolations: [], foreignRequests: [] });
  });
}
