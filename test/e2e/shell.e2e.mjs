// The shell in a terminal of VS Code: what is typed there runs on the machine beside the documents.
import assert from 'node:assert/strict';
import { until } from '../host/driver.mjs';
import { Terminal, terminalSettings } from '../host/terminal.mjs';

const mapping = [
  'res = request_free_mem_region(&iomem_resource, 128 << 20, "a card")',
  'struct dev_pagemap map',
  'map.type = MEMORY_DEVICE_GENERIC',
  'map.range.start = res->start; map.range.end = res->end; map.nr_range = 1',
  'memremap_pages(&map, 0)',
];

/** @param {import('./run.mjs').Context} context */
export async function run({ check, open, emptyFolder }) {
  const window = await open({
    folder: emptyFolder(),
    settings: { ...terminalSettings, 'terminal.integrated.enableMultiLinePasteWarning': 'never' },
  });
  const shell = new Terminal(window, '#');
  const status = () => window.statusBar('Zonescope');
  const stateSays = (/** @type {RegExp} */ row) =>
    until(`State to say ${row}`, async () => {
      const rows = await window.treeRows('State');
      return rows.some(({ label, description }) => row.test(`${label} ${description}`)) || undefined;
    });

  await check('Open Shell opens a terminal that says which machine it is on', async () => {
    await window.palette('Zonescope: Open Shell');
    await shell.ready();
    assert.match((await shell.screen()).join('\n'), /^Zonescope: machine laptop-16g, Linux 6\.12\. "help" lists/);
  });

  await check('cat /proc/zoneinfo prints all zones, as the kernel writes them', async () => {
    const text = await shell.run('cat /proc/zoneinfo');
    for (const zone of ['DMA', 'DMA32', 'Normal', 'Movable', 'Device'])
      assert.match(text, new RegExp(`^Node 0, zone {1,8}${zone}$`, 'm'));
    assert.match(text, /^Node 0, zone {6}DMA\n {2}per-node stats\n {6}nr_inactive_anon 0\n/);
    assert.match(text, /^ {2}pages free {5}3840$/m);
    assert.match(text, /^ {8}spanned {2}4095$/m);
    assert.doesNotMatch(text, /^status/m);
  });
  await check('a C expression gives its value, without a step', async () => {
    assert.equal(await shell.run('pfn_to_page(0x140000)'), '0xffffea0005000000 (pfn 0x140000)');
    assert.match(await status(), /step 0\/0$/);
  });
  await check('help with a name prints its signature, contract and errors', async () => {
    const text = await shell.run('help memremap_pages');
    assert.match(text, /^void \*memremap_pages\(struct dev_pagemap \*pgmap, int nid\)\n/);
    assert.match(text, /Gives a range of device memory struct pages in ZONE_DEVICE/);
    assert.match(text, /-EINVAL: no range, a PRIVATE or COHERENT pagemap/);
    assert.doesNotMatch(text, /§/);
  });
  await check('help lists the commands', async () => {
    const text = await shell.run('help');
    assert.match(text, /^cat FILE\.\.\. +print files of \/proc and \/sys$/m);
    assert.match(text, /^ {2}memremap_pages$/m);
    assert.doesNotMatch(text, /§/);
  });
  await check('a command that does not exist is refused in one sentence', async () => {
    const text = await shell.run('frobnicate');
    assert.equal(text.match(/frobnicate is declared nowhere/g)?.length, 1, text);
    assert.match(await shell.run('cat /proc/nothing'), /^cat: \/proc\/nothing: no such file; ls lists what there is$/m);
    assert.match(await status(), /step 0\/0$/);
  });

  await check('a loop without an end is given up with the reason', async () => {
    assert.match(await shell.run('while (1) ;'), /too many statements: does its loop ever end\?/);
  });
  await check('Ctrl-C ends it before, and the next line runs', async () => {
    await shell.type('while (1) ;');
    await Promise.all([window.page.keyboard.press('Enter'), window.page.keyboard.press('Control+C')]);
    await shell.ready();
    assert.equal(await shell.run('page_to_pfn(pfn_to_page(0x1234))'), '4660');
    assert.match(
      (await shell.screen()).join('\n'),
      /# while \(1\) ;\n\^C\n# page_to_pfn\(pfn_to_page\(0x1234\)\)\n4660\n#$/,
    );
    await window.screenshot('shell');
  });
  await check('the arrow key brings the lines before back', async () => {
    await shell.press('ArrowUp', 'page_to_pfn(pfn_to_page(0x1234))');
    await shell.press('ArrowUp', 'while (1) ;');
    await shell.press('Control+U', '');
  });

  await check('a mapping made in the shell shows in the State tree', async () => {
    await window.openContainer('Zonescope');
    await stateSays(/^Device empty$/);
    for (const line of mapping) await shell.run(line);
    await stateSays(/^Device spanned 128 MiB ▲$/);
    await stateSays(/^Devices 1$/);
    assert.match(await status(), /step 5\/5$/);
  });
  await check('a line that must wait says for what, and the line that lets it go on ends it', async () => {
    await shell.run('held = get_dev_pagemap(res->start >> 12, NULL)');
    assert.match(
      await shell.run('memunmap_pages(&map)'),
      /^waits for the references of pagemap \w+ to be dropped, held by 1 reference\(s\) of get_dev_pagemap$/,
    );
    await stateSays(/^Devices 1$/);
    await shell.run('put_dev_pagemap(held)');
    await stateSays(/^Devices none mapped$/);
  });
  await check('several lines pasted at once run one after the other', async () => {
    await window.palette('Zonescope: Reset Machine');
    await until('the machine anew', async () => /step 0\/0$/.test(await status()) || undefined);
    await shell.paste(`${mapping.join('\n')}\n`);
    await until('all of it run', async () => /step 5\/5$/.test(await status()) || undefined);
    await shell.ready();
  });
  await check('a process gives pages to the test GPU, and State says where they are', async () => {
    for (const line of ['modprobe test_hmm', 'p = proc new app', 'a = proc mmap p 8', 'proc write p a 8'])
      await shell.run(line);
    await shell.run('gpu open 0 p');
    assert.equal(await shell.run('gpu to-dev 0 p a 8'), 'ret 0 cpages 8 faults 0\nwords 0-8191: i');
    await stateSays(/^Processes 1$/);
    assert.match(await shell.run('pagemap p a 1'), /SWAP type=27 /);
    assert.match(await shell.run('proc read p a 1'), /^0x\w+ 1 page\(s\): word i holds i$/m);
    assert.match(await shell.run('gpu snapshot 0 p a 8'), /^page 0: 0x2 WRITE\npages 1-7: 0x22 DEVPRIV_LOCAL\|WRITE$/m);
    await shell.run('proc exit p');
    await stateSays(/^Processes none/);
  });
  await check('Ctrl-D on an empty line ends the shell; another can be opened', async () => {
    await window.page.keyboard.press('Control+D');
    await until('no terminal', async () => (await shell.screen()).length === 0 || undefined);
    await window.palette('Zonescope: Open Shell');
    assert.equal(await shell.run('pfn_valid(0x1234)'), '1');
  });
  await check('the shell is among the terminal profiles', async () => {
    await window.palette('Terminal: Select Default Profile');
    await until(
      'Zonescope',
      async () => (await window.quickPickLabels()).some((label) => /^Zonescope\b/.test(label)) || undefined,
    );
    await window.page.keyboard.press('Escape');
  });

  await check('nothing went wrong unseen: no console error, no blocked content, no foreign request', () => {
    assert.deepEqual(window.problems(), { errors: [], cspViolations: [], foreignRequests: [] });
  });
}
