import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type DocumentFiles, locateDocuments, readDocument } from '../../extension/docs/locate.ts';

/** Files by path; folders are what stands before a slash. */
function filesOf(tree: Record<string, string | Uint8Array>): DocumentFiles {
  const paths = Object.keys(tree);
  return {
    exists: async (path) => paths.some((known) => known === path || known.startsWith(`${path}/`)),
    list: async (path) => {
      const inside = paths.filter((known) => known.startsWith(`${path}/`)).map((known) => known.slice(path.length + 1));
      if (inside.length === 0) throw new Error('no such folder');
      return [...new Set(inside.map((name) => name.split('/')[0] ?? ''))];
    },
    read: async (path) => {
      const content = tree[path];
      if (content === undefined) throw new Error('no such file');
      return typeof content === 'string' ? new TextEncoder().encode(content) : content;
    },
  };
}

const NOWHERE = { workspaceFolders: [] };

describe('the documents', () => {
  it('are found in a kernel tree, whichever folder its release keeps them in', async () => {
    const files = filesOf({
      '/new/Documentation/mm/hmm.rst': 'hmm_range_fault_unlocked_timeout',
      '/new/Documentation/mm/memory-model.rst': 'ZONE_DEVICE',
      '/old/Documentation/vm/hmm.txt': 'hmm_vma_get_pfns',
    });
    const { found } = await locateDocuments(files, { workspaceFolders: ['/new', '/old'] });
    expect(found.map(({ document, path, from }) => [document, path, from])).toEqual([
      ['memory-model', '/new/Documentation/mm/memory-model.rst', 'workspace'],
      ['hmm', '/new/Documentation/mm/hmm.rst', 'workspace'],
      ['hmm', '/old/Documentation/vm/hmm.txt', 'workspace'],
    ]);
    expect(found.map(({ recognition }) => recognition.release)).toEqual(['7.3', '7.3', '5.0']);
  });

  it('are found lying in the open folder, and in the file or folder a setting names', async () => {
    const files = filesOf({ '/here/hmm.rst': 'x', '/there/memory-model.rst': 'y' });
    const here = await locateDocuments(files, { workspaceFolders: ['/here/'], setting: '/there/memory-model.rst' });
    expect(here.found.map(({ path, from }) => [path, from])).toEqual([
      ['/here/hmm.rst', 'workspace'],
      ['/there/memory-model.rst', 'setting'],
    ]);
    const there = await locateDocuments(files, { ...NOWHERE, setting: '/there' });
    expect(there.found.map(({ path }) => path)).toEqual(['/there/memory-model.rst']);
  });

  it('are unpacked from a distribution’s packages, the newest release first', async () => {
    const at = (version: string) => `/usr/share/doc/linux-doc-${version}/Documentation/mm/hmm.rst.gz`;
    const files = filesOf({
      [at('6.9')]: gzipSync('guranteed'),
      [at('6.12')]: gzipSync('doable'),
      '/usr/share/doc/linux-doc/copyright': 'c',
      '/usr/share/doc/bash/hmm.rst': 'not this one',
    });
    const { found, looked } = await locateDocuments(files, NOWHERE);
    expect(found.map(({ path, text }) => [path, text])).toEqual([
      [at('6.12'), 'doable'],
      [at('6.9'), 'guranteed'],
    ]);
    expect(found[0]?.recognition.release).toBe('6.12');
    expect(looked.map(({ path }) => path)).toEqual(['/usr/share/doc/linux-doc']);
  });

  it('are found among the sources a package keeps of its web pages', async () => {
    const path = '/usr/share/doc/linux-doc-6.1/html/_sources/mm/hmm.rst.txt';
    const { found } = await locateDocuments(filesOf({ [path]: 'x' }), NOWHERE);
    expect(found.map((document) => document.path)).toEqual([path]);
  });

  it('are found in a cache of folders named by release, and once only', async () => {
    const files = filesOf({ '/cache/6.6/hmm.rst': 'x', '/cache/6.12/hmm.rst': 'y', '/cache/memory-model.rst': 'z' });
    const { found } = await locateDocuments(files, { ...NOWHERE, setting: '/cache/6.6/hmm.rst', cache: '/cache' });
    expect(found.map(({ path, from }) => [path, from])).toEqual([
      ['/cache/6.6/hmm.rst', 'setting'],
      ['/cache/6.12/hmm.rst', 'cache'],
      ['/cache/memory-model.rst', 'cache'],
    ]);
  });

  it('are not there: then each place says why, and nothing fails', async () => {
    const files = filesOf({
      '/work/readme': '',
      '/usr/share/doc/linux-doc-6.1/mm/hmm.rst.gz': new Uint8Array([0x1f, 0x8b, 1]),
    });
    const { found, looked } = await locateDocuments(files, {
      workspaceFolders: ['/work', '/gone'],
      setting: '/gone/hmm.rst',
      cache: '/empty',
    });
    expect(found).toEqual([]);
    expect(looked.map(({ from, path, why }) => `${from} ${path} ${why.split(':')[0]}`)).toEqual([
      'workspace /work has no memory-model.rst or hmm.rst, nor a Documentation/mm or vm with one',
      'workspace /gone there is no such folder',
      'setting /gone/hmm.rst there is no such file',
      'package /usr/share/doc/linux-doc-6.1/mm/hmm.rst.gz cannot be read',
      'cache /empty is empty',
    ]);
  });

  it('are refused if they unpack to more than a document can be', async () => {
    const bomb = gzipSync(new Uint8Array(64 << 20));
    await expect(readDocument(filesOf({ '/hmm.rst.gz': bomb }), '/hmm.rst.gz')).rejects.toThrow(/more than/);
  });
});
