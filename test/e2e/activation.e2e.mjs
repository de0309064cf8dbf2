import assert from 'node:assert/strict';

const memoryModel = 'linux-6.12/Documentation/mm/memory-model.rst';

/** @param {import('./run.mjs').Context} context */
export async function run({ check, skip, open, hasDocuments }) {
  if (!hasDocuments) return skip('the extension activates when memory-model.rst opens', 'no kernel documents');
  const window = await open();

  await check('the extension activates when memory-model.rst opens', async () => {
    await window.openFile(memoryModel);
    await window.statusBar('Zonescope');
    await window.screenshot('activation');
  });

  await check('nothing goes wrong unseen: no console error, no blocked content, no foreign request', () => {
    assert.deepEqual(window.problems(), { errors: [], cspViolations: [], foreignRequests: [] });
  });
}
