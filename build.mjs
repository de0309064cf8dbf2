// Bundles the extension, its command line and its panels into dist/.
//   node build.mjs [--watch] [--production] [--package] [--tests]
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as esbuild from 'esbuild';

const root = fileURLToPath(new URL('.', import.meta.url));
const dist = join(root, 'dist');
const distTest = join(root, 'dist-test');
/** @type {{version: string}} */
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const at = (/** @type {string[]} */ ...path) => join(root, ...path);

/**
 * Bytes; a kilobyte is 1024. A bundle that outgrows its budget fails the build. A host loads one file at activation;
 * the desktop's leaves the engine in a second one, which a web host has no way to load.
 */
export const budgets = [
  { name: 'desktop host', files: ['dist/extension.cjs'], limit: 400 * 1024 },
  { name: 'engine', files: ['dist/engine.cjs'], limit: 900 * 1024 },
  { name: 'web host', files: ['dist/extension.web.cjs'], limit: 1200 * 1024 },
  { name: 'Zones panel', files: ['dist/webview/zones.js', 'dist/webview/zones.css'], limit: 150 * 1024 },
  { name: 'Pagemap panel', files: ['dist/webview/pagemap.js', 'dist/webview/pagemap.css'], limit: 150 * 1024 },
];
const COMMAND_LINE = 'dist/cli.js';
const packageBudget = { name: 'VSIX', limit: 2048 * 1024 };

/** Sentences of the records, in the order they were met; what a bundle has instead is `§` and a place in this list. */
/** @type {Map<string, number>} */
const sentences = new Map();

/** The fields of a record that hold words for people, and which nothing computes with. */
const wordFields = new Set(['contract', 'when', 'note', 'source']);

/** What those fields hold in all records, unless some other field holds the same. */
async function recordWords() {
  const result = await esbuild.build({
    stdin: {
      contents: `export { ALL_RECORDS } from './sim/kernel/names.ts'; export { FACTS } from './sim/kernel/release.ts';`,
      resolveDir: root,
    },
    bundle: true,
    format: 'esm',
    write: false,
    logLevel: 'warning',
  });
  const code = Buffer.from(result.outputFiles[0]?.contents ?? []).toString('base64');
  const records = await import(`data:text/javascript;base64,${code}`);
  const words = new Set();
  const others = new Set();
  /** @type {(value: unknown, key: string) => void} */
  const visit = (value, key) => {
    if (typeof value === 'string') (wordFields.has(key) ? words : others).add(value);
    else if (Array.isArray(value)) for (const item of value) visit(item, key);
    else if (typeof value === 'object' && value !== null)
      for (const [name, item] of Object.entries(value)) visit(item, name);
  };
  visit([records.ALL_RECORDS, records.FACTS], '');
  return new Set([...words].filter((text) => text.length >= 10 && !others.has(text)));
}

/**
 * Takes the words of kernel names out of the host bundles; sim/kernel/prose.ts puts them back where they are shown.
 *
 * @type {esbuild.Plugin}
 */
const proseAside = {
  name: 'prose-aside',
  setup(build) {
    /** @type {Promise<Set<string>> | undefined} */
    let words;
    build.onStart(() => {
      words = undefined;
    });
    build.onLoad(
      { filter: /sim[\\/](kernel[\\/](records[\\/]\w+|release)|mm[\\/]\w*[fF]unctions)\.ts$/ },
      async ({ path }) => {
        words ??= recordWords();
        const known = await words;
        const source = await readFile(path, 'utf8');
        const contents = source.replace(/^(?!\s*(?:\/\/|\*|\/\*)).*$/gm, (line) =>
          line.replace(/'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"/g, (literal) => {
            /** @type {string} */
            const text = new Function(`return ${literal}`)();
            if (!known.has(text)) return literal;
            const number = sentences.get(text) ?? sentences.size;
            sentences.set(text, number);
            return `'§${number}'`;
          }),
        );
        return { contents, loader: 'ts' };
      },
    );
  },
};

/**
 * Leaves the engine out of a bundle: what the bundle imports from it is fetched from dist/engine.cjs when it is first
 * used, so that a window which runs nothing does not load it.
 *
 * @type {esbuild.Plugin}
 */
const engineAside = {
  name: 'engine-aside',
  setup(build) {
    build.onResolve({ filter: /sim\/index\.ts$/ }, () => ({ path: 'engine', namespace: 'engine-aside' }));
    build.onResolve({ filter: /engine\.cjs$/ }, ({ path }) => ({ path, external: true }));
    build.onLoad({ filter: /.*/, namespace: 'engine-aside' }, async () => {
      const entry = at('sim/index.ts');
      const { metafile } = await esbuild.build({
        entryPoints: [entry],
        bundle: true,
        format: 'esm',
        write: false,
        metafile: true,
        outdir: dist,
      });
      const names = Object.values(metafile.outputs).flatMap((output) => output.exports);
      const getters = names.map((name) => `${name}: { enumerable: true, get: () => load().${name} }`);
      const contents =
        "let engine;\nconst load = () => (engine ??= require('./engine.cjs'));\n" +
        `Object.defineProperties(exports, { ${getters.join(',\n')} });\n`;
      return { contents, loader: 'js', resolveDir: root, watchFiles: [entry] };
    });
  },
};

/**
 * @param {boolean} production
 * @returns {esbuild.BuildOptions[]}
 */
function bundles(production) {
  /** @type {esbuild.BuildOptions} */
  const common = {
    absWorkingDir: root,
    bundle: true,
    minify: production,
    sourcemap: production ? false : 'linked',
    legalComments: 'none',
    logLevel: 'warning',
    charset: 'utf8',
    define: {
      'process.env.NODE_ENV': JSON.stringify(production ? 'production' : 'development'),
      'process.env.ZONESCOPE_VERSION': JSON.stringify(version),
    },
  };
  const host = { ...common, format: /** @type {const} */ ('cjs'), external: ['vscode'], plugins: [proseAside] };
  return [
    {
      ...host,
      entryPoints: ['extension/main.desktop.ts'],
      outfile: 'dist/extension.cjs',
      platform: 'node',
      target: 'node20',
      plugins: [engineAside],
    },
    {
      ...host,
      entryPoints: ['sim/index.ts'],
      outfile: 'dist/engine.cjs',
      platform: 'neutral',
      target: 'node20',
    },
    {
      ...host,
      entryPoints: ['extension/main.web.ts'],
      outfile: 'dist/extension.web.cjs',
      platform: 'browser',
      target: 'es2022',
    },
    {
      ...common,
      entryPoints: ['extension/main.start.ts'],
      outfile: COMMAND_LINE,
      format: 'cjs',
      platform: 'node',
      target: 'node20',
    },
    {
      ...common,
      entryPoints: ['extension/main.cli.ts'],
      outfile: 'dist/main.cli.cjs',
      format: 'cjs',
      platform: 'node',
      target: 'node20',
      // Text of one byte a character is read and compared faster.
      charset: 'ascii',
    },
    {
      ...common,
      entryPoints: { zones: 'webview/zones/main.ts', pagemap: 'webview/pagemap/main.ts' },
      outdir: 'dist/webview',
      format: 'iife',
      platform: 'browser',
      target: 'chrome122',
      conditions: production ? ['production'] : ['development'],
    },
  ];
}

/**
 * Reads one term: `key: value` lines between two `---`, then Markdown.
 *
 * @param {string} file
 * @param {string} text
 * @returns {Record<string, string>}
 */
function readTerm(file, text) {
  const lines = text.split(/\r?\n/);
  const end = lines.indexOf('---', 1);
  if (lines[0] !== '---' || end < 0)
    throw new Error(`${file}:1: a term begins with "key: value" lines between two lines "---"`);
  /** @type {Record<string, string>} */
  const term = {};
  for (const [index, line] of lines.slice(1, end).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const pair = /^([A-Za-z][\w-]*):(?:\s+(.*))?$/.exec(line);
    const key = pair?.[1];
    if (!key) throw new Error(`${file}:${index + 2}: expected "key: value", found "${line}"`);
    if (key in term || key === 'body') throw new Error(`${file}:${index + 2}: "${key}" is given twice or reserved`);
    term[key] = (pair[2] ?? '').trim();
  }
  return {
    ...term,
    body: lines
      .slice(end + 1)
      .join('\n')
      .trim(),
  };
}

/**
 * Gathers a folder of small files into one JSON array, in the order of their names.
 *
 * @param {string} folder
 * @param {string} ending
 * @param {string} target
 * @param {(file: string, text: string) => unknown} read
 */
async function gather(folder, ending, target, read) {
  const names = (await readdir(at(folder))).filter((name) => name.endsWith(ending)).sort();
  const all = await Promise.all(
    names.map(async (name) => {
      const file = `${folder}/${name}`;
      return read(file, await readFile(at(file), 'utf8'));
    }),
  );
  await writeFile(join(dist, target), JSON.stringify(all.flat()));
}

async function gatherData() {
  await gather('media/glossary', '.md', 'glossary.json', readTerm);
  for (const data of ['scenes', 'claims'])
    await gather(`media/${data}`, '.json', `${data}.json`, (file, text) => {
      try {
        return JSON.parse(text);
      } catch (error) {
        throw new Error(`${file}: ${error instanceof Error ? error.message : error}`);
      }
    });
  await writeFile(
    join(dist, 'findings.json'),
    JSON.stringify(JSON.parse(await readFile(at('media/findings.json'), 'utf8'))),
  );
  const icons = at('node_modules/@vscode/codicons/dist');
  for (const name of ['codicon.css', 'codicon.ttf']) await copyFile(join(icons, name), join(dist, 'webview', name));
}

async function finishCommandLine() {
  const file = at(COMMAND_LINE);
  const text = await readFile(file, 'utf8');
  if (!text.startsWith('#!')) await writeFile(file, `#!/usr/bin/env node\n${text}`);
  await chmod(file, 0o755);
  // What lies there is CommonJS, whatever it is called: it starts sooner.
  await writeFile(join(dist, 'package.json'), '{ "type": "commonjs" }\n');
}

/** @returns {esbuild.BuildOptions} the suite that runs inside the extension host: every `*.test.ts` beside its index */
function hostSuite() {
  const folder = at('test/host/suite');
  return {
    absWorkingDir: root,
    stdin: {
      contents: `import 'zonescope:all-tests';\nexport { run } from './index.ts';\n`,
      resolveDir: folder,
      sourcefile: 'suite.ts',
      loader: 'ts',
    },
    plugins: [
      {
        name: 'all-tests',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^zonescope:all-tests$/ }, () => ({ path: 'all-tests', namespace: 'all-tests' }));
          onLoad({ filter: /.*/, namespace: 'all-tests' }, async () => {
            const tests = (await readdir(folder)).filter((name) => name.endsWith('.test.ts')).sort();
            if (tests.length === 0) throw new Error('test/host/suite holds no *.test.ts');
            const contents = tests.map((name) => `import './${name}';`).join('\n');
            return { contents, resolveDir: folder, watchDirs: [folder] };
          });
        },
      },
    ],
    outfile: 'dist-test/suite.cjs',
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    external: ['vscode'],
    sourcemap: 'inline',
    logLevel: 'warning',
  };
}

/** @param {{name: string, size: number, limit: number}[]} rows */
function report(rows) {
  const kb = (/** @type {number} */ bytes) => `${(bytes / 1024).toFixed(1)} KB`;
  console.log(`${'bundle'.padEnd(16)}${'size'.padStart(12)}${'budget'.padStart(12)}`);
  for (const { name, size, limit } of rows)
    console.log(
      `${name.padEnd(16)}${kb(size).padStart(12)}${kb(limit).padStart(12)}${size > limit ? '  TOO BIG' : ''}`,
    );
  const tooBig = rows.filter(({ size, limit }) => size > limit);
  if (tooBig.length > 0) throw new Error(`over budget: ${tooBig.map(({ name }) => name).join(', ')}`);
}

/** @param {string} path */
const sizeOf = (path) =>
  stat(at(path)).then(
    ({ size }) => size,
    () => 0,
  );

/**
 * Packs the extension as a person would install it.
 *
 * @returns {Promise<number>} its size
 */
async function packExtension() {
  const { name, version } = JSON.parse(await readFile(at('package.json'), 'utf8'));
  const target = `${name}-${version}.vsix`;
  const vsce = at('node_modules/@vscode/vsce/vsce');
  const args = [
    vsce,
    'package',
    '--no-dependencies',
    '--allow-missing-repository',
    '--no-rewrite-relative-links',
    '--skip-license',
    '--out',
    target,
  ];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: root }).catch((error) => {
    throw new Error(`vsce could not package the extension:\n${error.stdout}${error.stderr}`);
  });
  const said = `${stdout}${stderr}`.trim();
  console.log(
    said
      .split('\n')
      .filter((line) => !/update available|npm install/i.test(line))
      .join('\n'),
  );
  return sizeOf(target);
}

/**
 * @param {object} [options]
 * @param {boolean} [options.production] minified, without source maps, held to the budgets
 * @param {boolean} [options.pack] also make the VSIX
 * @param {boolean} [options.tests] also bundle the suite for the extension host
 * @param {boolean} [options.watch] go on building as files change
 */
export async function build({ production = false, pack = false, tests = false, watch = false } = {}) {
  await rm(dist, { recursive: true, force: true });
  await mkdir(join(dist, 'webview'), { recursive: true });
  if (tests) await rm(distTest, { recursive: true, force: true });
  const all = [...bundles(production), ...(tests ? [hostSuite()] : [])];
  if (watch) {
    /** @type {esbuild.Plugin} */
    const afterwards = {
      name: 'afterwards',
      setup({ onEnd, initialOptions }) {
        onEnd(async ({ errors }) => {
          if (errors.length > 0) return;
          if (initialOptions.outfile === COMMAND_LINE) await finishCommandLine();
          await gatherData().catch((error) => console.error(error.message));
          await writeFile(join(dist, 'prose.json'), JSON.stringify([...sentences.keys()]));
          const built = initialOptions.outfile ?? initialOptions.outdir ?? '';
          console.log(`${new Date().toLocaleTimeString()} built ${relative(root, resolve(root, built))}`);
        });
      },
    };
    for (const options of all) {
      const context = await esbuild.context({ ...options, plugins: [...(options.plugins ?? []), afterwards] });
      await context.watch();
    }
    return;
  }
  const outcomes = await Promise.allSettled([...all.map((options) => esbuild.build(options)), gatherData()]);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  await writeFile(join(dist, 'prose.json'), JSON.stringify([...sentences.keys()]));
  await finishCommandLine();
  if (!production) return;
  const rows = [];
  for (const { name, files, limit } of budgets) {
    const sizes = await Promise.all(files.map(sizeOf));
    rows.push({ name, size: sizes.reduce((sum, size) => sum + size, 0), limit });
  }
  if (pack) rows.push({ ...packageBudget, size: await packExtension() });
  report(rows);
}

if (process.argv[1] && basename(process.argv[1]) === 'build.mjs') {
  const known = ['--production', '--package', '--tests', '--watch'];
  const given = process.argv.slice(2);
  const unknown = given.filter((argument) => !known.includes(argument));
  if (unknown.length > 0) {
    console.error(`build.mjs does not know ${unknown.join(' ')}; it takes ${known.join(' ')}`);
    process.exit(2);
  }
  const pack = given.includes('--package');
  try {
    await build({
      production: pack || given.includes('--production'),
      pack,
      tests: given.includes('--tests'),
      watch: given.includes('--watch'),
    });
  } catch (error) {
    // esbuild has already printed its own errors, with the place
    const isEsbuild = error instanceof Error && 'errors' in error;
    console.error(`Build failed${isEsbuild ? '' : `: ${error instanceof Error ? error.message : error}`}`);
    process.exitCode = 1;
  }
}
