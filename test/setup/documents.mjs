import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { download } from './apt.mjs';
import { cacheRoot, withLock } from './cache.mjs';
import { lastLines, root, run, step } from './exec.mjs';

const releases = ['6.12', '6.1'];
const folders = ['mm', 'admin-guide/mm'];
const listed = {
  'memory-model.rst': '54871df58633bf9e9e7aa1d927b34e555504f9f535b4b02b25e0ceee851d6147',
  'hmm.rst': '81c5420e83710893371695fa19db5380819efa826cd665936fe313b4c3b03b0f',
};

const sha256 = (/** @type {Buffer} */ bytes) => createHash('sha256').update(bytes).digest('hex');

/**
 * Copies the text files of a folder of documentation, unpacking the `.rst.gz` that distributions ship.
 *
 * @param {string} from
 * @param {string} to
 */
function copyTexts(from, to) {
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.rst(\.gz)?$/.test(entry.name)) continue;
    const source = join(entry.parentPath, entry.name);
    const target = join(to, relative(from, source)).replace(/\.gz$/, '');
    mkdirSync(dirname(target), { recursive: true });
    const bytes = readFileSync(source);
    writeFileSync(target, entry.name.endsWith('.gz') ? gunzipSync(bytes) : bytes);
  }
}

/**
 * @param {string} release
 * @param {string} scratch an empty folder
 * @returns {Promise<{documentation: string, from: string} | {why: string}>}
 */
async function find(release, scratch) {
  const installed = `/usr/share/doc/linux-doc-${release}`;
  if (
    existsSync(join(installed, 'Documentation', 'mm', 'hmm.rst')) ||
    existsSync(join(installed, 'Documentation', 'mm', 'hmm.rst.gz'))
  )
    return { documentation: join(installed, 'Documentation'), from: installed };
  const got = await download(`linux-doc-${release}`, scratch);
  if ('why' in got) return got;
  const unpacked = await run('dpkg-deb', ['-x', got.deb, join(scratch, 'x')]);
  if (unpacked.code !== 0) return { why: `${got.deb} could not be unpacked: ${lastLines(unpacked.output, 3)}` };
  return {
    documentation: join(scratch, 'x', 'usr', 'share', 'doc', `linux-doc-${release}`, 'Documentation'),
    from: got.deb.slice(scratch.length + 1),
  };
}

/**
 * @param {string} dir
 * @param {string} release
 * @throws {Error} that says why it could not be had
 */
async function fetchRelease(dir, release) {
  const scratch = mkdtempSync(join(dir, `.${release}-`));
  try {
    const found = await find(release, scratch);
    if ('why' in found) throw new Error(found.why);
    const staged = join(scratch, 'staged');
    for (const folder of folders) copyTexts(join(found.documentation, folder), join(staged, 'Documentation', folder));
    if (!existsSync(join(staged, 'Documentation', 'mm', 'hmm.rst')))
      throw new Error(`${found.from} holds no mm/hmm.rst`);
    writeFileSync(join(staged, 'origin.txt'), `${found.from}\n`);
    rmSync(join(dir, release), { recursive: true, force: true });
    renameSync(staged, join(dir, release));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** @param {string} documentation */
function warnAboutDrift(documentation) {
  for (const [name, expected] of Object.entries(listed)) {
    if (sha256(readFileSync(join(documentation, 'mm', name))) !== expected)
      process.stderr.write(`Note: this ${name} of 6.12 is not the text that is listed; it is used all the same\n`);
  }
}

/**
 * Puts the kernel's documents where the tests and the first start find them:
 * `<dir>/<release>/Documentation/{mm,admin-guide/mm}/*.rst`. A folder of the same shape named by ZONESCOPE_DOCS is
 * taken as it is.
 *
 * @param {readonly string[]} [wanted]
 * @returns {Promise<{dir: string, available: string[], missing: {release: string, why: string}[]}>}
 */
export async function prepareDocuments(wanted = releases) {
  const given = process.env.ZONESCOPE_DOCS;
  const dir = given || join(cacheRoot(), 'documents');
  const has = (/** @type {string} */ release) => existsSync(join(dir, release, 'Documentation', 'mm', 'hmm.rst'));
  const missing = [];
  if (given) {
    for (const release of wanted) if (!has(release)) missing.push({ release, why: `not in ZONESCOPE_DOCS=${given}` });
  } else if (!wanted.every(has)) {
    mkdirSync(dir, { recursive: true });
    await withLock(join(dir, '.lock'), async () => {
      for (const release of wanted) {
        if (has(release)) continue;
        try {
          await step(`Fetching the kernel documents of ${release}`, () => fetchRelease(dir, release));
          if (release === '6.12') warnAboutDrift(join(dir, release, 'Documentation'));
        } catch (error) {
          missing.push({ release, why: error instanceof Error ? error.message : String(error) });
        }
      }
    });
  }
  return { dir, available: wanted.filter(has), missing };
}

/**
 * Copies the tour into the reader's folder. What the reader has changed there stays.
 *
 * @param {string} dir
 */
function copyTour(dir) {
  const tour = join(root, 'media', 'tour');
  if (!existsSync(tour)) return;
  const recordFile = `${dir}.json`;
  /** @type {Record<string, string>} the digest of what was copied last, by file */
  const copied = existsSync(recordFile) ? JSON.parse(readFileSync(recordFile, 'utf8')) : {};
  for (const entry of readdirSync(tour, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const source = join(entry.parentPath, entry.name);
    const name = relative(tour, source);
    const target = join(dir, name);
    const digest = sha256(readFileSync(source));
    const present = existsSync(target) ? sha256(readFileSync(target)) : undefined;
    if (present !== undefined && present !== digest && present !== copied[name]) {
      process.stderr.write(`Kept ${target} as you changed it\n`);
      continue;
    }
    mkdirSync(dirname(target), { recursive: true });
    cpSync(source, target);
    copied[name] = digest;
  }
  writeFileSync(recordFile, `${JSON.stringify(copied, null, 2)}\n`);
}

/**
 * Prepares the folder that a first start opens: the two real documents of 6.12 and the built-in tour.
 *
 * @returns {Promise<{dir: string, open: string | undefined, missing: string | undefined}>} the file to show first,
 * and why the real documents are not there
 */
export async function prepareWorkspace() {
  const dir = join(cacheRoot(), 'zonescope-documents');
  const mm = join(dir, 'linux-6.12', 'Documentation', 'mm');
  mkdirSync(dir, { recursive: true });
  const names = Object.keys(listed);
  let missing;
  if (!names.every((name) => existsSync(join(mm, name)))) {
    const documents = await prepareDocuments(['6.12']);
    missing = documents.missing[0]?.why;
    if (missing === undefined) {
      mkdirSync(mm, { recursive: true });
      for (const name of names)
        if (!existsSync(join(mm, name)))
          cpSync(join(documents.dir, '6.12', 'Documentation', 'mm', name), join(mm, name));
    }
  }
  copyTour(dir);
  const first = [join(mm, 'memory-model.rst'), join(dir, 'tour.rst')].find((file) => existsSync(file));
  return { dir, open: first, missing };
}
