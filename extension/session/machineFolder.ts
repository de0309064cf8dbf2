/** Reads the copies of a real machine's files from a folder, through whatever file system the host has. */
import { type ImportResult, importMachine, importPaths } from '../../sim/index.ts';

export interface FolderFiles {
  /** The names in a folder; none if it is none. */
  list(path: string): Promise<readonly string[]>;
  /** A file as text, no more than `limit` bytes and one; undefined if it is not there or may not be read. */
  readText(path: string, limit: number): Promise<string | undefined>;
}

/** Reads under way at a time: sysfs has a folder for each memory block. */
const AT_ONCE = 32;

/** All files at once may have this many characters. */
const MAX_TOTAL = 64 << 20;

/** Everything below `folder` that an import reads, by its path there. `/` is the machine we run on. */
export async function readMachineFolder(files: FolderFiles, folder: string): Promise<Map<string, string>> {
  const root = folder.replace(/\/+$/, '');
  const found = new Map<string, string>();
  let total = 0;
  const read = async (path: string): Promise<void> => {
    if (total > MAX_TOTAL) return;
    const text = await files.readText(`${root}/${path}`, importPaths.maxFile);
    if (text === undefined) return;
    total += text.length;
    found.set(path, text);
  };
  const all = async (paths: readonly string[], work: (path: string) => Promise<void>): Promise<void> => {
    for (let i = 0; i < paths.length; i += AT_ONCE) await Promise.all(paths.slice(i, i + AT_ONCE).map(work));
  };
  await all(importPaths.files, read);
  const { blocks, nodes } = importPaths;
  const nodeNames = (await files.list(`${root}/${nodes}`)).filter((name) => /^node\d{1,4}$/.test(name));
  const linked = new Set<string>();
  await all(nodeNames, async (node) => {
    await read(`${nodes}/${node}/cpulist`);
    await read(`${nodes}/${node}/distance`);
    if (!found.has(`${nodes}/${node}/cpulist`)) found.set(`${nodes}/${node}/`, '');
    for (const name of await files.list(`${root}/${nodes}/${node}`))
      if (/^memory\d{1,9}$/.test(name) && linked.size < importPaths.maxBlocks) {
        linked.add(name);
        found.set(`${nodes}/${node}/${name}`, '');
      }
  });
  const blockNames = (await files.list(`${root}/${blocks}`)).filter((name) => /^memory\d{1,9}$/.test(name));
  await all(blockNames.slice(0, importPaths.maxBlocks + 1), async (block) => {
    await read(`${blocks}/${block}/state`);
    await read(`${blocks}/${block}/valid_zones`);
    // A copy has the link on one side only.
    if (linked.has(block)) return;
    for (const name of await files.list(`${root}/${blocks}/${block}`))
      if (/^node\d{1,4}$/.test(name)) found.set(`${blocks}/${block}/${name}`, '');
  });
  return found;
}

/** A machine from a folder. */
export async function importFolder(files: FolderFiles, folder: string, name: string): Promise<ImportResult> {
  return importMachine(await readMachineFolder(files, folder), name);
}
