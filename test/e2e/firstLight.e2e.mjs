// What a newcomer does on the first day, in a real VS Code on the kernel's real documents.
import assert from 'node:assert/strict';
import { until } from '../host/driver.mjs';

const memoryModel = 'linux-6.12/Documentation/mm/memory-model.rst';
const hmm = 'linux-6.12/Documentation/mm/hmm.rst';

/** Ten terms of each document, in the ways it writes them, and what their hovers must say. */
const memoryModelTerms = [
  ['pfn_to_page` and', /include\/asm-generic\/memory_model\.h/],
  ['`struct page`.', /struct page/],
  ['`mem_map`', /FLATMEM/i],
  ['memblock_free_all` that', /mm\/memblock\.c/],
  ['ARCH_PFN_OFFSET', /ARCH_PFN_OFFSET/],
  ['`section_mem_map`', /struct mem_section/],
  ['`CONFIG_SPARSEMEM_EXTREME` and', /mm\/Kconfig/],
  ['sparse_init()', /mm\/sparse\.c/],
  ['`ZONE_DEVICE` facility', /ZONE_DEVICE on node 0: spanned 0, present 0, managed 0/],
  ['`->page_fault()`', /migrate_to_ram/],
];
const hmmTerms = [
  ['mmu_interval_notifier_insert(struct', /mm\/mmu_notifier\.c/],
  ['hmm_range_fault(struct', /-EBUSY/],
  ['mmget_not_zero(', /bool mmget_not_zero\(struct mm_struct \*mm\)/],
  ['take_lock(driver', /stand|placeholder|driver/i],
  ['HMM_PFN_REQ_FAULT;', /HMM_PFN_REQ_FAULT/],
  ['request_free_mem_region(&', /kernel\/resource\.c/],
  ['MEMORY_DEVICE_PRIVATE;', /MEMORY_DEVICE_PRIVATE/],
  ['``args->flags``', /struct migrate_vma/],
  ['``MMU_NOTIFY_MIGRATE``', /MMU_NOTIFY_MIGRATE/],
  ['range->pfns[', /hmm_pfns/],
];

/** @param {import('./run.mjs').Context} context */
export async function run({ check, skip, open, hasDocuments }) {
  if (!hasDocuments) return skip('the first day of a newcomer', 'no kernel documents');
  const window = await open({ theme: 'dark', viewport: { width: 1600, height: 1000 } });
  const zones = () => window.webviewFrame('Zones');
  const pagemap = () => window.webviewFrame('Pagemap');
  const zonesText = async () => (await zones()).locator('body').innerText();
  /** @param {RegExp} wanted */
  const zonesSay = (wanted) => until(`Zones to say ${wanted}`, async () => wanted.test(await zonesText()) || undefined);
  /** @param {RegExp} wanted */
  const pagemapSays = (wanted) =>
    until(
      `Pagemap to say ${wanted}`,
      async () => wanted.test(await (await pagemap()).locator('body').innerText()) || undefined,
    );
  const status = () => window.statusBar('Zonescope');

  await window.openFile(memoryModel);
  await check('the status bar names the machine and the release', async () => {
    assert.match(await status(), /^Zonescope: laptop-16g · 6\.12/);
  });

  for (const [path, terms] of /** @type {const} */ ([
    [memoryModel, memoryModelTerms],
    [hmm, hmmTerms],
  ]))
    for (const [text, says] of terms)
      await check(`a hover on ${text} in ${path.split('/').at(-1)}`, () =>
        window.hoverSays(path, /** @type {string} */ (text), /** @type {RegExp} */ (says)),
      );
  await check('the hover on ZONE_DEVICE is worth a picture', async () => {
    await window.hoverAt(memoryModel, '`ZONE_DEVICE` facility');
    await window.screenshot('hover-zone-device');
  });

  await check('the lens over ZONE_DEVICE maps a device range, and the panels show it', async () => {
    await window.clickLens(memoryModel, 'ZONE_DEVICE\n===', 'Run');
    await zonesSay(/262,?144/);
    await zonesSay(/MEMORY_DEVICE_GENERIC/);
    assert.match(await status(), /step (\d+)\/\1$/);
    await pagemapSays(/device/i);
    await window.screenshot('zone-device-mapped');
  });
  await check('Continue unbinds the device; the span of the zone stays', async () => {
    await window.palette('Zonescope: Continue');
    await until('the pagemap gone', async () => !(await zonesText()).includes('MEMORY_DEVICE_GENERIC') || undefined);
    await zonesSay(/262,?144/);
  });

  await check('Reset boots the machine anew', async () => {
    await window.palette('Zonescope: Reset Machine');
    await until('no steps', async () => /step 0\/0$/.test(await status()) || undefined);
  });

  await check('the device memory example as written stops as the kernel does: Missing owner, -EINVAL', async () => {
    await window.clickLens(hmm, 'struct resource *res;', 'Run as written');
    await until('the reason beside the statement', async () => {
      const text = await window.page.locator('.editor-group-container .monaco-editor').first().innerText();
      return /Missing owner/.test(text.replaceAll('\u00a0', ' ')) || undefined;
    });
    await pagemapSays(/memmap/i);
    await window.screenshot('hmm-as-written');
  });
  await check('with the owner set it pauses at the blank line with the memory mapped', async () => {
    await window.palette('Zonescope: Reset Machine');
    await window.clickLens(hmm, 'struct resource *res;', 'Run with owner set');
    await zonesSay(/MEMORY_DEVICE_PRIVATE/);
    await window.lens(hmm, 'struct resource *res;', 'Continue');
    await pagemapSays(/device private/i);
    await window.screenshot('hmm-owner-set-paused');
  });
  await check('the Pagemap panel shows the pages and decodes one', async () => {
    await window.palette('Zonescope: Open Pagemap');
    await window.activeTab('Pagemap').waitFor();
    await pagemapSays(/device private/i);
    await window.palette('Zonescope: Show Page');
    await window.answer('0x3ff0000');
    await pagemapSays(/vmemmap/i);
    await window.screenshot('pagemap-inspector');
  });
  await check('Continue takes the mapping down', async () => {
    await window.clickLens(hmm, 'struct resource *res;', 'Continue');
    await window.palette('Zonescope: Open Zones');
    await until('the pagemap gone', async () => !(await zonesText()).includes('MEMORY_DEVICE_PRIVATE') || undefined);
  });
  await check('stepping back brings it back, stepping forward takes it away', async () => {
    for (let back = 0; back < 6 && !/MEMORY_DEVICE_PRIVATE/.test(await zonesText()); back++) {
      const step = Number(/step (\d+)/.exec(await status())?.[1]);
      await window.palette('Zonescope: Step Back');
      await zonesSay(new RegExp(`Step ${step - 1} of`, 'i'));
    }
    await zonesSay(/MEMORY_DEVICE_PRIVATE/);
    const forward = (await zones()).getByRole('button', { name: /step forward/i }).first();
    await forward.click();
    await until('the pagemap gone', async () => !(await zonesText()).includes('MEMORY_DEVICE_PRIVATE') || undefined);
  });

  await check('the sidebar shows nodes, zones, devices and resources, kept up to date', async () => {
    await window.openContainer('Zonescope');
    const labels = async () => (await window.treeRows('State')).map((row) => row.label);
    await until('the State tree', async () => (await labels()).some((label) => /^Node 0/.test(label)) || undefined);
    await window.expandRow('State', 'Node 0');
    await until(
      'the zones',
      async () =>
        (['DMA', 'DMA32', 'Normal', 'Movable', 'Device'].every((name) => true && name) &&
          (await labels()).includes('Device')) ||
        undefined,
    );
    assert.ok((await labels()).some((label) => label === 'Resources'));
    await window.screenshot('sidebar');
  });

  await check('another machine and another release can be chosen', async () => {
    await window.palette('Zonescope: Choose Machine');
    await window.pick('qemu-2g');
    await until('qemu-2g', async () => /qemu-2g/.test(await status()) || undefined);
    await window.palette('Zonescope: Choose Release');
    await window.answer('6.1');
    await until('release 6.1', async () => /· 6\.1\b/.test(await status()) || undefined);
    await window.palette('Zonescope: Choose Release');
    await window.answer('6.12');
    await until('release 6.12', async () => /· 6\.12\b/.test(await status()) || undefined);
    await zonesSay(/520,?157/);
  });

  await check('after a reload the panels and the session come back', async () => {
    await window.clickLens(hmm, 'struct resource *res;', 'Run with owner set');
    await zonesSay(/MEMORY_DEVICE_PRIVATE/);
    const before = await status();
    await window.reload();
    await zonesSay(/MEMORY_DEVICE_PRIVATE/);
    assert.equal(await status(), before);
    await pagemapSays(/device private/i);
  });

  for (const theme of /** @type {const} */ (['light', 'contrast', 'dark']))
    await check(`looks right in ${theme}`, async () => {
      await window.setTheme(theme);
      await window.show(hmm, 'struct resource *res;');
      await window.palette('Zonescope: Open Zones');
      await zonesSay(/MEMORY_DEVICE_PRIVATE/);
      await window.screenshot(`zones-${theme}`);
      await window.palette('Zonescope: Open Pagemap');
      await pagemapSays(/device private/i);
      await window.screenshot(`pagemap-${theme}`);
    });

  await check('every action is in the palette under Zonescope', async () => {
    await window.show(hmm, 'struct resource *res;');
    for (const wanted of ['Open Tour', 'Open Shell', 'Go to Step', 'Run Example Here', 'Reset Machine', 'Show Page'])
      assert.match((await window.paletteTitles(`Zonescope: ${wanted}`)).join(), new RegExp(wanted));
  });

  await check('nothing went wrong unseen: no console error, no blocked content, no foreign request', () => {
    assert.deepEqual(window.problems(), { errors: [], cspViolations: [], foreignRequests: [] });
  });
}
