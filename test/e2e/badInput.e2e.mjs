// What is wrong with what a reader brings: each time a message that says what, where and what to do, and a window
// that goes on working.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { until } from '../host/driver.mjs';

/** @typedef {import('../host/driver.mjs').Workbench} Workbench */

const broken = `Physical Memory Model
==
An adornment that is too short, and \`\`pfn_to_page() in a literal that never ends.
======================================================================================================

.. code-block::
Not indented, so the directive has no content: ZONE_DEVICE stands on its own.

\t* a tab, then \`struct page in a role that stays open
  \t* two blanks and a tab, :c:func:\`memremap_pages
 \t \tdeeper, with \`vmemmap\` inside
---
Title under nothing
~~~~~~~~~~~~~~~~~~~
+------+--
| half a table | section_mem_map
+===

::

  \tunsigned long pfn = ;
\t  page = pfn_to_page(pfn
\f
|substitution and *emphasis and **strong and [#footnote
.. |never| replace
.. _no target
`;

const noWords = `${Array.from({ length: 40 }, (_, line) => `Line ${line} of a text about nothing in particular.`).join('\n')}\n`;

/** Bytes of no file format, every run the same, zeros among them. */
function noise(/** @type {number} */ length) {
  const bytes = Buffer.alloc(length);
  for (let index = 0, word = 1; index < length; index++) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = word >>> 24;
  }
  return bytes;
}

/** What 16 MiB and more of memory need around them to be a machine. */
const machine = (/** @type {object} */ changes) => ({
  name: 'broken',
  physBits: 40,
  e820: [{ start: '0x0', end: '0x7fffffff', type: 'usable' }],
  ...changes,
});

/** Each file, and what the dialogue must say of it: the place, and what to do. */
const machineFiles = [
  {
    claim: 'a machine file with overlapping ranges',
    name: 'overlap.zonescope.json',
    content: JSON.stringify(
      machine({
        e820: [
          { start: '0x0', end: '0x7fffffff', type: 'usable' },
          { start: '0x70000000', end: '0x8fffffff', type: 'reserved' },
        ],
      }),
    ),
    says: [/\/e820: 0x0-0x7fffffff and 0x70000000-0x8fffffff overlap; give each byte to one range/],
  },
  {
    claim: 'a machine file with memory beyond the physical limit',
    name: 'beyond.zonescope.json',
    content: JSON.stringify(machine({ physBits: 36, e820: [{ start: 0, end: '0x1fffffffff', type: 'usable' }] })),
    says: [/\/e820\/0: reaches 0x1fffffffff, beyond the 36-bit physical limit 0xfffffffff; lower it or raise physBits/],
  },
  {
    claim: 'a machine file with a range that ends before it starts, and a device off every boundary',
    name: 'backwards.zonescope.json',
    content: JSON.stringify(
      machine({
        devices: [{ start: '0x90000001', end: '0x8ffff123', name: 'a card' }],
        nodes: [{ id: 3, ranges: [{ start: 0, end: '0x7fffffff' }] }],
      }),
    ),
    says: [
      /\/devices\/0: ends at 0x8ffff123, before its start 0x90000001; end is the last byte of the range/,
      /\/nodes\/0\/id: is 3; number the nodes 0, 1, 2/,
      /2 problems/,
    ],
  },
  {
    claim: 'a machine file whose addresses are words',
    name: 'words.zonescope.json',
    content: JSON.stringify(machine({ e820: [{ start: 'low', end: '0x7fffffff', type: 'usable' }] })),
    says: [/\/e820\/0\/start: .*0x100000/],
  },
  {
    claim: 'a machine file that is not JSON',
    name: 'notes.zonescope.json',
    content: '{\n  "name": "half a machine",\n  "e820": [\n',
    says: [/notes\.zonescope\.json: is not JSON: .*(?:position \d+|line \d+|end of JSON)/i],
  },
  {
    claim: 'a machine file of 2 MB',
    name: 'huge.zonescope.json',
    content: JSON.stringify(machine({ description: 'x'.repeat(2 << 20) })),
    says: [/it has 2\.0 MB, and a machine file at most 1 MB; choose another/],
  },
];

/** @param {import('./run.mjs').Context} context */
export async function run({ check, skip, open, emptyFolder, freshFolder, hasDocuments, root }) {
  const tour = 'tour.rst';
  const tourFile = join(root, 'media', 'tour', tour);
  const folderOf = (/** @type {Record<string, string | Buffer>} */ files) => {
    const folder = emptyFolder();
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    return folder;
  };
  // A machine without the kernel's documents: neither fetched before, nor installed as a package.
  const nowhere = emptyFolder();
  const bare = { XDG_CACHE_HOME: nowhere, XDG_DATA_DIRS: nowhere };
  const openOn = (/** @type {string} */ folder, env = bare) => open({ folder, env });
  const close = async (/** @type {Workbench} */ window) => {
    await check('nothing went wrong unseen', () =>
      assert.deepEqual(window.problems(), { errors: [], cspViolations: [], foreignRequests: [] }),
    );
    await window.close();
  };
  const nothingTold = async (/** @type {Workbench} */ window) => assert.deepEqual(await window.notifications(), []);

  const texts = await openOn(folderOf({ 'memory-model.rst': broken }));
  await check('broken reStructuredText opens, and the terms in it explain themselves', async () => {
    await texts.openFile('memory-model.rst');
    for (const [text, says] of /** @type {const} */ ([
      ['pfn_to_page() in', /include\/asm-generic\/memory_model\.h/],
      ['ZONE_DEVICE', /ZONE_DEVICE on node 0: spanned 0/],
      ['memremap_pages', /mm\/memremap\.c/],
      ['`vmemmap`', /struct page/],
      ['section_mem_map', /struct mem_section/],
    ]))
      await texts.hoverSays('memory-model.rst', text, says);
    await nothingTold(texts);
  });
  await check('typing more of it, the terms still explain themselves', async () => {
    await texts.goTo(7, 1);
    await texts.page.keyboard.type('HMM_PFN_REQ_FAULT ``` .. :: |||| `\n\t\n');
    await texts.palette('File: Save');
    await until('the file written', () => texts.read('memory-model.rst').includes('HMM_PFN') || undefined);
    await texts.hoverSays('memory-model.rst', 'HMM_PFN_REQ_FAULT', /HMM_PFN_REQ_FAULT/);
    await texts.hoverSays('memory-model.rst', 'section_mem_map', /struct mem_section/);
    await nothingTold(texts);
  });
  await close(texts);

  if (hasDocuments) {
    const original = freshFolder();
    const real = (/** @type {string} */ name) =>
      readFileSync(join(original, 'linux-6.12/Documentation/mm', name), 'utf8');
    const model = real('memory-model.rst');
    const hmm = real('hmm.rst');
    const halves = await openOn(
      folderOf({
        'memory-model.rst': model.slice(0, model.indexOf('get_user_pages') + 5),
        'hmm.rst': hmm.slice(0, hmm.indexOf('memremap_pages(') + 9),
      }),
    );
    await check('memory-model.rst, cut off within a word, reads as far as it goes', async () => {
      await halves.openFile('memory-model.rst');
      await halves.hoverSays('memory-model.rst', 'sparse_init()', /mm\/sparse\.c/);
      await halves.hoverSays('memory-model.rst', 'ARCH_PFN_OFFSET', /ARCH_PFN_OFFSET/);
      await nothingTold(halves);
    });
    await check('hmm.rst, cut off within its example, reads as far as it goes', async () => {
      await halves.openFile('hmm.rst');
      await halves.hoverSays('hmm.rst', 'request_free_mem_region', /kernel\/resource\.c/);
      await halves.hoverSays('hmm.rst', 'struct dev_', /struct/);
      await nothingTold(halves);
    });
    await close(halves);
  } else skip('documents cut off half-way', 'no kernel documents');

  const line = 'Each `struct page` of ZONE_DEVICE is found by pfn_to_page().\n';
  const large = await openOn(folderOf({ 'memory-model.rst': line.repeat(Math.floor((50 << 20) / line.length)) }));
  const palette = async () => {
    const began = Date.now();
    assert.notEqual((await large.paletteTitles('Zonescope: Reset')).length, 0);
    assert.ok(Date.now() - began < 3000, `the palette took ${Date.now() - began} ms`);
  };
  await check('a memory-model.rst of 50 MB is said to be too large, and what that means', async () => {
    await large.openTab('memory-model.rst');
    assert.match(await large.statusBar('Zonescope:'), /memory-model\.rst has 50 MB/);
    assert.match(
      await large.notification(/50 MB/),
      /^memory-model\.rst has 50 MB, and Zonescope reads documents of up to 8 MB\. .*a different file, or a damaged copy/,
    );
    await palette();
  });
  await check('opened all the same it is only shown, and the window answers at once', async () => {
    await large.page.getByText('Open Anyway').click();
    await large.page.locator('.editor-group-container.active .view-line').first().waitFor();
    await palette();
    assert.match(await large.statusBar('Zonescope:'), /memory-model\.rst has 50 MB/);
    assert.deepEqual(await large.lenses(), []);
    await palette();
  });
  await close(large);

  const binary = await openOn(folderOf({ 'hmm.rst': noise(200_000) }));
  await check('a binary file named hmm.rst is said to be no text', async () => {
    await binary.openTab('hmm.rst');
    assert.match(await binary.statusBar('Zonescope:'), /hmm\.rst is not text/);
    assert.match(
      await binary.notification(/hmm\.rst/),
      /^hmm\.rst is not text: it holds zero bytes\. If it is a compressed document, unpack it first\.$/,
    );
  });
  await check('opened all the same it is only shown', async () => {
    await binary.page.getByText('Open Anyway').click();
    await binary.pick('Text Editor');
    await binary.page.locator('.editor-group-container.active .view-line').first().waitFor();
    assert.match(await binary.statusBar('Zonescope:'), /hmm\.rst is not text/);
    assert.deepEqual(await binary.lenses(), []);
    assert.equal((await binary.notifications()).filter((text) => text.startsWith('hmm.rst')).length, 1);
  });
  await close(binary);

  const welcomed = async (/** @type {Workbench} */ window) => {
    await window.openContainer('Zonescope');
    const welcome = await window.viewWelcome('Documents');
    assert.match(welcome, /memory-model\.rst and hmm\.rst were not found on this machine/);
    assert.match(welcome, /linux-doc-6\.12/);
    assert.match(welcome, /Documentation\/mm/);
    for (const button of ['Open the Tour', 'Set the Documents Folder', 'Look Again'])
      assert.ok(welcome.includes(button), `the welcome has no "${button}": ${welcome}`);
  };
  const empty = await openOn(emptyFolder());
  await check('in an empty folder the Documents view says how to get the documents', () => welcomed(empty));
  await check('and the built-in tour opens: its terms explain themselves, its examples run', async () => {
    await empty.palette('Zonescope: Open Tour');
    await empty.tab(tour).waitFor();
    empty.elsewhere.set(tour, tourFile);
    await empty.hoverSays(tour, 'ZONE_DEVICE or', /ZONE_DEVICE on node 0: spanned 0/);
    await empty.hoverSays(tour, 'memremap_pages', /mm\/memremap\.c/);
    await empty.clickLens(tour, 'unsigned long pfn', 'Run');
    await until('the example run', async () => /step [1-9]/.test(await empty.statusBar('Zonescope')) || undefined);
    await nothingTold(empty);
  });
  await close(empty);

  const other = await openOn(folderOf({ 'notes/readme.rst': noWords, 'main.c': 'int main(void) { return 0; }\n' }));
  await check('without any kernel document on the machine it says the same', async () => {
    await welcomed(other);
    await other.palette('Zonescope: Open Documents');
    await until('the tour alone on offer', async () => {
      const labels = await other.quickPickLabels();
      return (labels.length === 1 && labels[0] === 'Guided tour') || undefined;
    });
    await other.page.keyboard.press('Escape');
    await nothingTold(other);
  });
  await close(other);

  const cache = folderOf({ 'zonescope/documents/6.12/Documentation/mm/hmm.rst': 'HMM\n===\n\nhmm_range_fault()\n' });
  const fetched = await openOn(emptyFolder(), { ...bare, XDG_CACHE_HOME: cache });
  await check('a document fetched before is listed in place of the welcome, with the tour', async () => {
    await fetched.openContainer('Zonescope');
    const labels = (await fetched.treeRows('Documents')).map(({ label }) => label);
    assert.deepEqual(labels, ['hmm.rst', 'Guided tour']);
  });
  await close(fetched);

  const machines = await openOn(
    folderOf({
      ...Object.fromEntries(machineFiles.map(({ name, content }) => [name, content])),
      'good.zonescope.json': JSON.stringify(machine({ name: 'good' })),
      [tour]: readFileSync(tourFile),
    }),
  );
  const status = () => machines.statusBar('Zonescope');
  const choose = async (/** @type {string} */ name) => {
    await machines.palette('Zonescope: Choose Machine');
    await machines.pick('Machine file');
    await machines.chooseFile(join(machines.folder, name));
  };
  await check('a machine is in use, with something done to it', async () => {
    await machines.openFile(tour);
    await machines.clickLens(tour, 'unsigned long pfn', 'Run');
    await until('the steps', async () => /step ([1-9]\d*)\/\1$/.test(await status()) || undefined);
  });
  const before = await status();
  for (const { claim, name, says } of machineFiles)
    await check(`${claim} is refused with what to mend and where; the machine stays`, async () => {
      await choose(name);
      const text = await machines.dialogue();
      assert.ok(text.includes(`${name} has `), text);
      assert.match(text, /the machine is still laptop-16g/);
      for (const words of says) assert.match(text, words);
      await machines.answerDialogue('Cancel');
      assert.equal(await status(), before);
    });
  await check('"Open the File" in that dialogue shows what to mend', async () => {
    await choose('overlap.zonescope.json');
    await machines.dialogue();
    await machines.answerDialogue('Open the File');
    await machines.tab('overlap.zonescope.json').waitFor();
    assert.equal(await status(), before);
  });
  await check('a good one boots after all that', async () => {
    await choose('good.zonescope.json');
    await until('the new machine', async () => /: good · .* step 0\/0$/.test(await status()) || undefined);
  });
  await close(machines);
}
