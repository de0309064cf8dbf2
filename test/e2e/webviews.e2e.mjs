/**
 * The panels in a plain browser, under the content security policy VS Code gives them, with a
 * host in the page: every machine, theme and width looked at, used by keyboard alone, checked for
 * accessibility, fed with nonsense, and timed.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { serve } from './webviewHarness/server.mjs';

const PANELS = ['zones', 'pagemap'];
const MACHINES = ['qemu-2g', 'laptop-16g', 'server-2n-pmem', 'giant-16t'];
const THEMES = ['light', 'dark', 'hc-dark', 'hc-light'];
const WIDTHS = [560, 1100];
const BUNDLE_LIMIT = 150 * 1024;

/**
 * @param {{ check(name: string, fn: () => Promise<void>): Promise<void>, chromium: string, artifacts: string, root: string }} ctx
 */
export async function run(ctx) {
  const bundles = join(ctx.root, 'dist/webview');
  const host = join(ctx.artifacts, 'webviewHarness');
  const shots = join(ctx.artifacts, 'webviews');
  await mkdir(shots, { recursive: true });

  await ctx.check('the webview bundles are there and small', async () => {
    for (const panel of PANELS) {
      const { size } = await stat(join(bundles, `${panel}.js`));
      console.log(`  ${panel}.js ${(size / 1024).toFixed(1)} KiB`);
      assert.ok(size <= BUNDLE_LIMIT, `${panel}.js has ${size} bytes, more than ${BUNDLE_LIMIT}`);
    }
  });

  await build({
    entryPoints: { fakeHost: join(ctx.root, 'test/e2e/webviewHarness/fakeHost.ts') },
    bundle: true,
    format: 'iife',
    target: 'es2022',
    outdir: host,
    logLevel: 'error',
  });
  const codicons = existsSync(join(bundles, 'codicon.css'))
    ? bundles
    : join(ctx.root, 'node_modules/@vscode/codicons/dist');
  const server = await serve({ bundles, host, codicons });
  const browser = await chromium.launch({
    executablePath: ctx.chromium,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  try {
    await runChecks(ctx, { url: server.url, browser, shots });
  } finally {
    await browser.close();
    await server.close();
  }
}

/** Opens a panel and answers the page and what went wrong on it. */
async function open(env, query, size = { width: 1100, height: 820 }) {
  const page = await env.browser.newPage({ viewport: size });
  const wrong = [];
  page.on('pageerror', (error) => wrong.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') wrong.push(message.text());
  });
  await page.goto(`${env.url}/?${new URLSearchParams({ theme: 'dark', step: '1', ...query })}`);
  await page.waitForSelector(query.state ? '.notice' : query.panel === 'zones' ? 'svg.lane' : 'zs-map canvas');
  await settled(page);
  return { page, wrong };
}

/** Until the panel has nothing left to draw or to ask. */
async function settled(page) {
  await page.evaluate(
    () =>
      new Promise((done) => {
        let before = -1;
        const look = () => {
          const now = harness.posted.length;
          if (now === before) done(undefined);
          else {
            before = now;
            setTimeout(() => requestAnimationFrame(look), 120);
          }
        };
        look();
      }),
  );
}

const violations = (page) => page.evaluate(() => harness.violations);
const posted = (page, type) => page.evaluate((t) => harness.posted.filter((m) => m.type === t), type);
const lastPosted = async (page, type) => (await posted(page, type)).at(-1);

async function assertClean(page, wrong) {
  assert.deepEqual(await violations(page), []);
  assert.deepEqual(wrong, []);
  assert.deepEqual(await posted(page, 'log'), []);
}

async function runChecks(ctx, env) {
  const { check } = ctx;
  for (const panel of PANELS) {
    await check(`${panel}: nothing lies over anything else where a panel is small`, async () => {
      for (const machine of MACHINES)
        for (const size of [
          { width: 300, height: 150 },
          { width: 560, height: 330 },
        ]) {
          const { page } = await open(env, { panel, machine }, size);
          const parts = await page.evaluate(() =>
            [...document.querySelectorAll('.toolbar, .banner, main')].map((part) => {
              const { top, bottom } = part.getBoundingClientRect();
              const inside = [...part.querySelectorAll('button')].map((each) => each.getBoundingClientRect().bottom);
              return { top, bottom: part.matches('main') ? bottom : Math.max(bottom, ...inside) };
            }),
          );
          for (const [index, { top }] of parts.entries())
            assert.ok(top >= (parts[index - 1]?.bottom ?? 0) - 1, `${machine} ${size.width}: ${JSON.stringify(parts)}`);
          const isCovered = await page.evaluate(() => {
            const box = document.querySelector('.inspector > .hint')?.getBoundingClientRect();
            if (!box || box.height === 0) return false;
            return ['.legend-item', '.legend'].some((name) =>
              [...document.querySelectorAll(name)].some((each) => {
                const { top, bottom, left, right } = each.getBoundingClientRect();
                const side = each.closest('.map-side')?.getBoundingClientRect();
                const end =
                  getComputedStyle(each.closest('.map-side') ?? each).overflowY === 'visible'
                    ? bottom
                    : Math.min(bottom, side?.bottom ?? bottom);
                return top < end && end > box.top && top < box.bottom && left < box.right && right > box.left;
              }),
            );
          });
          assert.equal(isCovered, false, `${machine} ${size.width}: the legend lies over the hint`);
          await page.close();
        }
    });
    await check(`${panel}: every machine, theme and width draws cleanly under the policy`, async () => {
      for (const machine of MACHINES) {
        // Every theme for one machine of each sort; the others in the two common ones.
        for (const theme of machine === 'qemu-2g' || machine === 'server-2n-pmem' ? THEMES : THEMES.slice(0, 2)) {
          for (const width of WIDTHS) {
            const { page, wrong } = await open(
              env,
              { panel, machine, theme },
              { width, height: panel === 'zones' ? 1000 : 820 },
            );
            const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            assert.ok(over <= 0, `${machine} ${theme} ${width}: ${over}px too wide`);
            if (panel === 'pagemap') await page.evaluate(() => document.querySelector('zs-map').focus());
            if (panel === 'pagemap') for (const key of ['Control+Home', 'n']) await page.keyboard.press(key);
            await settled(page);
            await page.screenshot({ path: join(env.shots, `${panel}-${machine}-${theme}-${width}.png`) });
            await assertClean(page, wrong);
            await page.close();
          }
        }
      }
    });

    await check(`${panel}: empty, error and busy say so`, async () => {
      for (const [state, text] of [
        ['empty', 'No machine to show'],
        ['error', 'overlap'],
        ['busy', 'Booting'],
      ]) {
        const { page, wrong } = await open(env, { panel, state });
        assert.match(await page.locator('.notice').innerText(), new RegExp(text));
        await page.screenshot({ path: join(env.shots, `${panel}-${state}.png`) });
        await assertClean(page, wrong);
        await page.close();
      }
    });

    await check(`${panel}: axe finds nothing serious in any theme`, async () => {
      const axe = await readFile(createRequire(join(ctx.root, 'package.json')).resolve('axe-core/axe.min.js'), 'utf8');
      for (const theme of THEMES) {
        const { page } = await open(env, { panel, machine: 'laptop-16g', theme });
        if (panel === 'zones') await page.locator('.twist').first().click();
        else await page.locator('zs-map').click({ position: { x: 200, y: 200 } });
        await settled(page);
        await page.evaluate(axe);
        const found = await page.evaluate(async () => {
          const { violations } = await axe.run(document, { resultTypes: ['violations'] });
          return violations
            .filter((v) => v.impact === 'serious' || v.impact === 'critical')
            .map(
              (v) =>
                `${v.id}: ${v.nodes
                  .map((n) => `${n.target.join(' ')} ${n.any[0]?.message ?? n.all[0]?.message ?? ''}`)
                  .slice(0, 4)
                  .join(' | ')}`,
            );
        });
        assert.deepEqual(found, [], theme);
        await page.close();
      }
    });

    await check(`${panel}: nonsense from the host is refused and logged, the panel lives on`, async () => {
      const { page, wrong } = await open(env, { panel });
      await page.evaluate(() => {
        const junk = [
          null,
          7,
          'x',
          [],
          {},
          { type: 'snapshot' },
          { type: 'snapshot', view: { position: {} } },
          { type: 'tiles', revision: 1, level: 99, tiles: [] },
          { type: 'page', page: { pfn: -1 } },
          { type: 'reveal', startPfn: 5, endPfn: 5 },
          { type: '__proto__' },
          { type: 'busy', what: 4 },
          { type: 'tiles', revision: 1, level: 0, tiles: [{ level: 0, index: 0, cells: new ArrayBuffer(3) }] },
        ];
        for (let i = 0; i < 400; i++) harness.send(junk[i % junk.length]);
      });
      await page.waitForFunction(() => harness.posted.filter((m) => m.type === 'log').length >= 400);
      await page.getByRole('button', { name: 'Step back' }).click();
      await page.waitForFunction(() => /Booted|Step 0/.test(document.querySelector('.position').textContent));
      assert.deepEqual(wrong, []);
      assert.deepEqual(await violations(page), []);
      await page.close();
    });

    await check(`${panel}: an older snapshot does not replace a newer one`, async () => {
      const { page } = await open(env, { panel });
      await page.evaluate(() => harness.go(0));
      await page.waitForFunction(() => /Step 0/.test(document.querySelector('.position').textContent));
      const view = await page.evaluate(() => structuredClone(document.querySelector('zs-zones, zs-pagemap').view));
      view.position = { ...view.position, revision: 0, step: 2 };
      await page.evaluate((v) => harness.send({ type: 'snapshot', view: v }), view);
      await page.waitForTimeout(100);
      assert.match(await page.locator('.position').innerText(), /Step 0/);
      await page.close();
    });

    await check(`${panel}: a change of theme is followed at once`, async () => {
      const { page, wrong } = await open(env, { panel, theme: 'light' });
      await page.evaluate(() => harness.setTheme('hc-dark'));
      await settled(page);
      assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), 'rgb(0, 0, 0)');
      if (panel === 'pagemap') {
        const corner = await page.evaluate(() => [
          ...document.querySelector('zs-map canvas').getContext('2d').getImageData(1, 1, 1, 1).data.slice(0, 3),
        ]);
        assert.deepEqual(corner, [0, 0, 0]);
      }
      await assertClean(page, wrong);
      await page.close();
    });
  }
  await zonesChecks(check, env);
  await pagemapChecks(check, env);
}

async function zonesChecks(check, env) {
  await check('zones: by keyboard alone from the node to a sub-section, Enter reveals', async () => {
    const { page, wrong } = await open(env, { panel: 'zones', machine: 'qemu-2g' });
    const focus = () => page.evaluate(() => document.activeElement?.getAttribute('data-rove') ?? '');
    for (let i = 0; i < 20 && (await focus()) === ''; i++) await page.keyboard.press('Tab');
    assert.equal(await focus(), 'node:0');
    await page.keyboard.press('ArrowDown');
    assert.equal(await focus(), 'zone:0:0');
    await page.keyboard.press('ArrowDown');
    assert.equal(await focus(), 'zone:0:1');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => harness.posted.some((m) => m.type === 'selectRange'));
    assert.deepEqual(await lastPosted(page, 'selectRange'), { type: 'selectRange', startPfn: 4096, endPfn: 0x7ffdd });
    while (!/^section:\d+$/.test(await focus())) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await page.waitForSelector('.subsections svg');
    assert.match((await page.locator('.subsections svg').getAttribute('aria-label')) ?? '', /64 of 64/);
    await page.keyboard.press('ArrowLeft');
    await page.waitForFunction(() => document.querySelector('.subsections') === null);
    await assertClean(page, wrong);
    await page.close();
  });

  await check('zones: numbers are exact, the device zone is explained, what changed is marked in words', async () => {
    const { page } = await open(env, { panel: 'zones', machine: 'qemu-2g' });
    const text = await page.locator('main').innerText();
    for (const part of [
      '520,157',
      '506,801',
      '11,178',
      '13,972',
      '16,766',
      '19,560',
      '1,967',
      'Not populated: Normal, Movable',
      'Present and managed stay 0',
    ]) {
      assert.ok(text.includes(part), `${part} is missing`);
    }
    assert.match(
      (await page.locator('[data-rove="zone:0:4"]').textContent()) ?? '',
      /changed: startPfn, spanned[\s\S]*Spanned 65,536/,
    );
    await page.close();
  });

  await check('zones: opened sections, folded blocks and scrolling survive a reload', async () => {
    const { page } = await open(env, { panel: 'zones', machine: 'server-2n-pmem' });
    await page.locator('.twist').nth(1).click();
    await page.getByRole('button', { name: 'Resources' }).click();
    await page.locator('main').evaluate((main) => main.scrollTo(0, 260));
    await page.waitForTimeout(100);
    const scrolled = await page.locator('main').evaluate((main) => main.scrollTop);
    assert.ok(scrolled > 100);
    await page.reload();
    await page.waitForSelector('.subsections svg');
    await page.waitForFunction((y) => Math.abs(document.querySelector('main').scrollTop - y) < 40, scrolled);
    assert.equal(await page.locator('.resources').count(), 0);
    await page.close();
  });

  await check('zones: timeline and machine are asked for by command', async () => {
    const { page } = await open(env, { panel: 'zones', machine: 'laptop-16g' });
    for (const name of ['Step forward', 'Step back', 'Continue', 'Stop', 'Open the page map'])
      await page.getByRole('button', { name, exact: true }).click();
    await page.getByRole('button', { name: /choose another$/ }).click();
    await page.getByRole('button', { name: /choose another release/ }).click();
    await settled(page);
    const ids = (await posted(page, 'command')).map((m) => m.id);
    assert.deepEqual(ids, [
      'stepForward',
      'stepBack',
      'continue',
      'stop',
      'openPagemap',
      'chooseMachine',
      'chooseRelease',
    ]);
    await page.close();
  });
}

async function pagemapChecks(check, env) {
  const map = (page) => page.locator('zs-map');
  const words = (page) =>
    page.evaluate(
      () =>
        document.getElementById(document.querySelector('zs-map').getAttribute('aria-activedescendant'))?.textContent ??
        '',
    );

  await check('pagemap: by keyboard alone to a page frame and back, described in words', async () => {
    const { page, wrong } = await open(env, { panel: 'pagemap', machine: 'qemu-2g' });
    for (let i = 0; i < 25 && !(await page.evaluate(() => document.activeElement?.tagName === 'ZS-MAP')); i++)
      await page.keyboard.press('Tab');
    await page.keyboard.press('Control+End');
    assert.match(await words(page), /pfn 0xfcff.*Device private.*hmm_dmirror.*changed by the last step/);
    await page.keyboard.press('g');
    await page.keyboard.type('0xfcf0000');
    await page.keyboard.press('Enter');
    for (let i = 0; i < 14; i++) await page.keyboard.press('+');
    await settled(page);
    await page.waitForFunction(() =>
      /refcount 0/.test(
        document.getElementById(document.querySelector('zs-map').getAttribute('aria-activedescendant')).textContent,
      ),
    );
    assert.match(await words(page), /^pfn 0xfcf0000, physical 0xfcf0000000; Device private; .*zone Device, refcount 0/);
    await page.keyboard.press('ArrowRight');
    assert.match(await words(page), /^pfn 0xfcf0001,/);
    await page.keyboard.press('n');
    assert.match(await words(page), /^pfn 0x7c400,/);
    await page.waitForFunction(() => document.querySelector('.inspector').innerText.includes('0x7c400'));
    await page.keyboard.press('0');
    assert.match(await page.locator('.scale').innerText(), /1 cell = \d/);
    await assertClean(page, wrong);
    await page.close();
  });

  await check('pagemap: a click selects, the wheel zooms at the pointer, a reload restores', async () => {
    const { page, wrong } = await open(env, { panel: 'pagemap', machine: 'laptop-16g' });
    const box = await map(page).boundingBox();
    await page.mouse.move(box.x + 260, box.y + 200);
    await page.waitForSelector('.map-tip:not([hidden])');
    const tip = await page.locator('.map-tip').innerText();
    assert.match(tip, /pfn 0x[0-9a-f]+–0x[0-9a-f]+/);
    const pfn = Number(/pfn (0x[0-9a-f]+)/.exec(tip)?.[1]);
    await page.keyboard.down('Control');
    for (let i = 0; i < 4; i++) await page.mouse.wheel(0, -100);
    await page.keyboard.up('Control');
    await settled(page);
    const inSight = await page.evaluate((p) => {
      const { viewport } = document.querySelector('zs-map');
      return viewport.topPfn() <= p && p <= viewport.bottomPfn();
    }, pfn);
    assert.ok(inSight, 'what was under the pointer is still in sight');
    await page.mouse.click(box.x + 260, box.y + 200);
    await page.waitForFunction(() => harness.posted.some((m) => m.type === 'select'));
    await page.waitForSelector('.counts, .inspector .hint');
    const before = await page.locator('.scale').innerText();
    const selected = (await lastPosted(page, 'select')).pfn;
    await page.reload();
    await page.waitForSelector('zs-map canvas');
    await page.waitForFunction((scale) => document.querySelector('.scale')?.innerText === scale, before);
    await settled(page);
    assert.equal(await page.locator('.scale').innerText(), before);
    assert.equal((await lastPosted(page, 'select')).pfn, selected);
    await assertClean(page, wrong);
    await page.close();
  });

  await check('pagemap: a zoom without a selection survives a reload, and the bar says so', async () => {
    const { page, wrong } = await open(env, { panel: 'pagemap', machine: 'laptop-16g' });
    const everything = await page.locator('.scale').innerText();
    await map(page).focus();
    for (let i = 0; i < 4; i++) await page.keyboard.press('+');
    await page.waitForFunction((scale) => document.querySelector('.scale')?.innerText !== scale, everything);
    await settled(page);
    const before = await page.locator('.scale').innerText();
    await page.reload();
    await page.waitForSelector('zs-map canvas');
    await page.waitForFunction((scale) => document.querySelector('.scale')?.innerText === scale, before);
    assert.equal(await page.getByRole('button', { name: 'Show everything' }).isDisabled(), false);
    await assertClean(page, wrong);
    await page.close();
  });

  await check('pagemap: reveal brings a range into sight; the legend brings out a kind', async () => {
    const { page, wrong } = await open(env, { panel: 'pagemap', machine: 'server-2n-pmem' });
    await page.evaluate(() => harness.send({ type: 'reveal', startPfn: 0x10000000, endPfn: 0x10010000 }));
    await settled(page);
    const [top, bottom, selected] = await page.evaluate(() => {
      const { viewport } = document.querySelector('zs-map');
      return [viewport.topPfn(), viewport.bottomPfn(), harness.posted.findLast((m) => m.type === 'select').pfn];
    });
    assert.ok(top <= 0x10000000 && bottom >= 0x1000ffff);
    assert.equal(selected, 0x10000000);
    const item = page.getByRole('button', { name: /FS DAX/ });
    await item.click();
    assert.equal(await item.getAttribute('aria-pressed'), 'true');
    await page.screenshot({ path: join(env.shots, 'pagemap-reveal-highlight.png') });
    await assertClean(page, wrong);
    await page.close();
  });

  await check('pagemap: a place that does not exist is refused with words', async () => {
    const { page } = await open(env, { panel: 'pagemap' });
    await map(page).focus();
    await page.keyboard.press('g');
    await page.keyboard.type('999T');
    await page.keyboard.press('Enter');
    assert.match(await page.locator('[role=alert]').innerText(), /no page frame and no address/);
    await page.close();
  });

  await check('pagemap: asks only for what is in sight, and draws 4 billion page frames in time', async () => {
    for (const machine of ['server-2n-pmem', 'giant-16t']) {
      const { page } = await open(env, { panel: 'pagemap', machine });
      await map(page).focus();
      for (let i = 0; i < 30; i++) await page.keyboard.press('+');
      await page.keyboard.press('PageDown');
      await settled(page);
      const asked = (await posted(page, 'tiles')).map((m) => m.indices.length);
      assert.ok(Math.max(...asked) <= 64, `${Math.max(...asked)} tiles in one request`);
      for (const zoom of ['fit', 12, 4, 0]) {
        const times = await page.evaluate(async (z) => {
          const element = document.querySelector('zs-map');
          if (z === 'fit') element.fit();
          else element.viewport.restore(z, element.viewport.topPfn() ?? 0);
          element.drawNow();
          await new Promise((done) => setTimeout(done, 400));
          const ctx2d = element.querySelector('canvas').getContext('2d');
          const script = [];
          const whole = [];
          for (let i = 0; i < 60; i++) {
            element.viewport.scrollBy(i % 2 === 0 ? 7 : 5);
            const began = performance.now();
            element.drawNow();
            script.push(element.lastPaint);
            // Reading one pixel back forces the pending drawing to be rasterised.
            ctx2d.getImageData(0, 0, 1, 1);
            whole.push(performance.now() - began);
            await new Promise((done) => setTimeout(done, 0));
          }
          const at = (list, share) => list.sort((a, b) => a - b)[Math.floor(list.length * share)];
          return {
            median: at(script, 0.5),
            p95: at(script, 0.95),
            wholeMedian: at(whole, 0.5),
            wholeP95: at(whole, 0.95),
          };
        }, zoom);
        console.log(
          `  ${machine}, zoom ${zoom}: frame ${times.median.toFixed(2)} ms (95%: ${times.p95.toFixed(2)}), with software raster and readback ${times.wholeMedian.toFixed(2)} ms (95%: ${times.wholeP95.toFixed(2)})`,
        );
      }
      await page.close();
    }
  });
}
