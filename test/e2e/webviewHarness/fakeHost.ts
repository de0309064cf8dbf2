/**
 * A host in the page: stands in for VS Code and the extension. The address says which
 * sample, which step and which theme; `window.harness` lets a test look and speak.
 */

import { isParseError } from '../../../webview/protocol/check.ts';
import { PROTOCOL_VERSION } from '../../../webview/protocol/common.ts';
import { type HostToPagemap, type PagemapToHost, parsePagemapToHost } from '../../../webview/protocol/pagemap.ts';
import type { HostToZones } from '../../../webview/protocol/zones.ts';
import { pageView } from './pages.ts';
import { tile } from './runs.ts';
import { SAMPLES, type Sample, type SampleName, sample } from './samples.ts';
import { THEME_CLASSES, THEME_COLOURS, THEMES, type ThemeName } from './themes.ts';

const query = new URLSearchParams(location.search);
const panel = query.get('panel') === 'zones' ? 'zones' : 'pagemap';
const name: SampleName = SAMPLES.find((s) => s === query.get('machine')) ?? 'qemu-2g';
let step = Number(query.get('step') ?? '1');
let revision = 1;
let current: Sample = sample(name, step, revision);
if (step > current.zones.position.steps) {
  step = current.zones.position.steps;
  current = sample(name, step, revision);
}
const posted: PagemapToHost[] = [];
const violations: string[] = [];

function send(message: HostToPagemap | HostToZones): void {
  window.postMessage(message, location.origin);
}

function sendSnapshot(): void {
  if (panel === 'zones') send({ type: 'snapshot', view: current.zones });
  else {
    const position = { ...current.pagemap.position };
    if (current.zones.position.paused !== undefined) position.paused = current.zones.position.paused;
    send({ type: 'snapshot', view: { ...current.pagemap, position } });
  }
}

function go(to: number): void {
  step = Math.min(current.zones.position.steps, Math.max(0, to));
  revision++;
  current = sample(name, step, revision);
  sendSnapshot();
}

function onPanelMessage(data: unknown): void {
  const message = parsePagemapToHost(data);
  if (isParseError(message)) {
    violations.push(`panel sent a bad message: ${message.error}`);
    return;
  }
  posted.push(message);
  switch (message.type) {
    case 'ready':
      if (message.version !== PROTOCOL_VERSION) violations.push('another protocol version');
      if (query.get('state') === 'empty')
        send({ type: 'empty', why: 'Open a document and run one of its examples,\nor choose a machine.' });
      else if (query.get('state') === 'error')
        send({
          type: 'error',
          message: 'machine.json: nodes[1] and nodes[2] overlap at 0x100000000. Give each range to one node.',
        });
      else if (query.get('state') === 'busy') send({ type: 'busy', what: 'Booting giant-16t…' });
      else sendSnapshot();
      break;
    case 'tiles':
      send({
        type: 'tiles',
        revision: current.pagemap.position.revision,
        level: message.level,
        tiles: message.indices.map((index) => tile(current.runs, current.pagemap.changed, message.level, index)),
      });
      break;
    case 'select':
      if (panel === 'pagemap') send({ type: 'page', page: pageView(current, message.pfn) });
      break;
    case 'command':
      if (message.id === 'stepBack') go(step - 1);
      if (message.id === 'stepForward') go(step + 1);
      if (message.id === 'reset') go(0);
      break;
    default:
      break;
  }
}

function setTheme(theme: ThemeName): void {
  for (const other of THEMES) document.body.classList.remove(...THEME_CLASSES[other].split(' '));
  document.body.classList.add(...THEME_CLASSES[theme].split(' '));
  const { style } = document.documentElement;
  for (const property of [...style]) style.removeProperty(property);
  for (const [property, value] of Object.entries(THEME_COLOURS[theme])) style.setProperty(property, value);
}

setTheme(THEMES.find((t) => t === query.get('theme')) ?? 'dark');
document.addEventListener('securitypolicyviolation', (event) => {
  violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});

const stateKey = `state:${panel}`;
const api = {
  postMessage: (message: unknown) => queueMicrotask(() => onPanelMessage(message)),
  getState: (): unknown => JSON.parse(sessionStorage.getItem(stateKey) ?? 'null') ?? undefined,
  setState: (state: unknown) => sessionStorage.setItem(stateKey, JSON.stringify(state)),
};
Object.assign(globalThis, {
  acquireVsCodeApi: () => api,
  harness: {
    posted,
    violations,
    send: (data: unknown) => window.postMessage(data, location.origin),
    setTheme,
    go,
    tileAt: (level: number, index: number) => tile(current.runs, current.pagemap.changed, level, index),
  },
});
