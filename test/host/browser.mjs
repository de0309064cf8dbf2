import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { canInstall, install, which } from '../setup/apt.mjs';
import { SetupError } from '../setup/exec.mjs';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge'];
const places = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
];

/** @returns {string | undefined} */
function findBrowser() {
  const named = process.env.ZONESCOPE_BROWSER;
  if (named) {
    if (existsSync(named)) return named;
    throw new SetupError(
      `ZONESCOPE_BROWSER names ${named}, which does not exist`,
      'Name a Chromium or Chrome executable.',
    );
  }
  return names.map(which).find(Boolean) ?? places.find((path) => existsSync(path));
}

/**
 * A Chromium or Chrome for tests; installed where that can be done unasked.
 *
 * @returns {Promise<string>} its executable
 */
export async function ensureBrowser() {
  const present = findBrowser();
  if (present) return present;
  const advice = 'Install Chromium or Chrome (Debian: apt-get install chromium), or name one in ZONESCOPE_BROWSER.';
  if (!canInstall()) throw new SetupError('The tests in VS Code need Chromium or Chrome, and none was found', advice);
  // Without its recommended packages Chromium has no fonts, and every screenshot would be boxes.
  await install(['chromium', 'fonts-dejavu-core', 'fonts-liberation']);
  const installed = findBrowser();
  if (!installed) throw new SetupError('chromium was installed, but there is no such program on the PATH', advice);
  return installed;
}

/** Starts the browser, cut off from every host but this one. */
export async function launchBrowser() {
  return chromium.launch({
    executablePath: await ensureBrowser(),
    headless: true,
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
    ],
  });
}
