/** Serves a panel in a plain page, under the content security policy VS Code gives it. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';

const TYPES = { '.js': 'text/javascript', '.css': 'text/css', '.ttf': 'font/ttf' };
const NONCE = 'harness0nonce';

/**
 * @param {{ bundles: string, host: string, codicons: string }} folders of the bundles, of the built fake host, of the codicons
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function serve({ bundles, host, codicons }) {
  const server = createServer(async (request, response) => {
    try {
      const url = new URL(request.url ?? '/', 'http://localhost');
      const origin = `http://${request.headers.host}`;
      const policy = `default-src 'none'; script-src 'nonce-${NONCE}'; style-src ${origin}; font-src ${origin}; img-src ${origin} data:`;
      if (url.pathname === '/') {
        const panel = url.searchParams.get('panel') === 'zones' ? 'zones' : 'pagemap';
        response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy });
        response.end(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Zonescope ${panel}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" id="vscode-codicon-stylesheet" href="/codicon.css">
</head>
<body>
<div id="app"></div>
<script nonce="${NONCE}" src="/fakeHost.js"></script>
<script nonce="${NONCE}" type="module" src="/${panel}.js"></script>
</body>
</html>`);
        return;
      }
      const name = url.pathname.slice(1);
      if (!/^[\w.]+$/.test(name)) throw new Error('not here');
      const folder = name.startsWith('codicon') ? codicons : name === 'fakeHost.js' ? host : bundles;
      const body = await readFile(join(folder, name));
      response.writeHead(200, {
        'content-type': TYPES[name.slice(name.lastIndexOf('.'))] ?? 'application/octet-stream',
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', () => done(undefined)));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((done) => {
        server.close(() => done(undefined));
        server.closeAllConnections();
      }),
  };
}
