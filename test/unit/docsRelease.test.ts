import { describe, expect, it } from 'vitest';
import { isKernelDocument, recognise, recogniseByNames, releaseInPath, sha256 } from '../../extension/docs/release.ts';
import { KNOWN_TEXTS, type KnownText, TELLING_NAMES } from '../../extension/docs/releaseTexts.ts';
import { RELEASES, type Release } from '../../sim/index.ts';

const at = (release: Release | undefined) => (RELEASES as readonly Release[]).indexOf(release ?? '7.3');

describe('the name of a file', () => {
  it('tells the two documents from all others', () => {
    expect(isKernelDocument('/linux/Documentation/mm/memory-model.rst')).toEqual({ document: 'memory-model' });
    expect(isKernelDocument('C:\\linux\\Documentation\\vm\\hmm.txt')).toEqual({ document: 'hmm' });
    expect(isKernelDocument('/usr/share/doc/linux-doc-6.12/Documentation/mm/hmm.rst.gz')).toEqual({ document: 'hmm' });
    expect(isKernelDocument('html/_sources/mm/hmm.rst.txt')).toEqual({ document: 'hmm' });
    expect(isKernelDocument('mm/page_migration.rst')).toBeUndefined();
    expect(isKernelDocument('mm/not-hmm.rst')).toBeUndefined();
  });

  it('tells a translation from the English text', () => {
    expect(isKernelDocument('Documentation/translations/zh_CN/mm/hmm.rst')).toEqual({
      document: 'hmm',
      translation: 'zh_CN',
    });
  });

  it('is no document in a language documents are not written in', () => {
    expect(isKernelDocument('hmm.rst', 'restructuredtext')).toBeDefined();
    expect(isKernelDocument('hmm.rst', 'c')).toBeUndefined();
  });

  it('may name a release', () => {
    expect(releaseInPath('/usr/share/doc/linux-doc-6.12/Documentation/mm/hmm.rst')).toBe('6.12');
    expect(releaseInPath('/home/me/linux-6.1.y/Documentation/mm/hmm.rst')).toBe('6.1');
    expect(releaseInPath('/home/me/linux-5.10.223/mm/hmm.rst')).toBe('5.10');
    expect(releaseInPath('/cache/6.6/hmm.rst')).toBe('6.6');
    expect(releaseInPath('/home/me/linux/hmm.rst')).toBeUndefined();
    expect(releaseInPath('/home/me/linux-9.99/hmm.rst')).toBeUndefined();
  });
});

describe('a text in the table', () => {
  it('is that text with other line ends or a byte order mark too, and no other text', async () => {
    const sum = await sha256('a\nb\n');
    const table: KnownText[] = [{ document: 'hmm', since: '6.6', until: '6.8', sha256: sum }];
    for (const text of ['a\nb\n', 'a\r\nb\r\n', '\ufeffa\nb\n', new TextEncoder().encode('a\nb\n')]) {
      expect(await recognise('draft.rst', text, table)).toMatchObject({
        document: 'hmm',
        releases: ['6.6', '6.7', '6.8'],
        release: '6.8',
        by: 'sha256',
      });
    }
    expect((await recognise('draft.rst', 'a\nb', table)).by).toBe('none');
  });

  it('keeps all its releases where the path names one of them, or one that it does not belong to', async () => {
    const table: KnownText[] = [{ document: 'hmm', since: '6.6', until: '6.8', sha256: await sha256('x') }];
    const of = (path: string) => recognise(path, 'x', table);
    expect(await of('/linux-6.7/hmm.rst')).toMatchObject({
      releases: ['6.6', '6.7', '6.8'],
      release: '6.7',
      conflicts: [],
    });
    expect(await of('/linux-5.4/hmm.rst')).toMatchObject({
      release: '6.8',
      conflicts: [{ name: '5.4', from: 'path' }],
    });
  });

  it('is hashed as everybody else does', async () => {
    expect(await sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('belongs to releases in order, and no two texts of a document share one', () => {
    for (const document of ['memory-model', 'hmm'] as const) {
      let last = -1;
      for (const known of KNOWN_TEXTS.filter((text) => text.document === document)) {
        expect(at(known.since)).toBeGreaterThan(last);
        expect(at(known.until)).toBeGreaterThanOrEqual(at(known.since));
        expect(known.sha256).toMatch(/^[0-9a-f]{64}$/);
        last = at(known.until);
      }
    }
  });
});

describe('a text that is in no table', () => {
  it('is dated by the names it uses', () => {
    const { document, releases, by, evidence, conflicts } = recogniseByNames(
      'draft.rst',
      'Call hmm_range_snapshot() and hmm_range_unregister() as long as mmap_sem is held.',
    );
    expect({ document, releases, by, conflicts }).toEqual({
      document: 'hmm',
      releases: ['5.3'],
      by: 'names',
      conflicts: [],
    });
    expect(evidence.map((item) => item.name)).toEqual(['mmap_sem', 'hmm_range_snapshot', 'hmm_range_unregister']);
  });

  it('goes with most of its names if they contradict each other, and says which did not agree', () => {
    const { releases, conflicts } = recogniseByNames(
      'hmm.rst',
      'hmm_range_fault_unlocked_timeout, HMM_RANGE_DEFAULT_TIMEOUT and mmu_interval_notifier_insert; mmap_sem of old.',
    );
    expect(releases).toEqual(['7.3']);
    expect(conflicts.map((item) => item.name)).toEqual(['mmap_sem']);
  });

  it('takes a release in its path as evidence', () => {
    const text = 'Call make_device_exclusive_range() now.';
    expect(recogniseByNames('/x/hmm.rst', text).release).toBe('6.14');
    expect(recogniseByNames('/usr/share/doc/linux-doc-6.1/hmm.rst', text)).toMatchObject({
      releases: ['6.1'],
      release: '6.1',
    });
  });

  it('is not mistaken for another by a name that only begins alike', () => {
    expect(recogniseByNames('hmm.rst', 'make_device_exclusive_range').releases).not.toContain('7.0');
    expect(recogniseByNames('memory-model.rst', 'vmemmap_alloc_block_buf').releases).not.toContain('5.8');
  });

  it('is nothing without any such name', () => {
    expect(recogniseByNames('notes.rst', 'Nothing in particular.')).toMatchObject({
      document: undefined,
      releases: [],
      release: undefined,
      by: 'none',
    });
    expect(recogniseByNames('hmm.rst', 'Empty.')).toMatchObject({ document: 'hmm', by: 'none' });
  });

  it('is a translation if it is written in Chinese', () => {
    expect(recogniseByNames('hmm.rst', `HMM ${'内存'.repeat(60)}`).translation).toBe('zh_CN');
  });
});

describe('the names', () => {
  it('are each said in releases that exist, one after the other', () => {
    for (const { name, since, until } of TELLING_NAMES) {
      expect(at(since), name).toBeGreaterThanOrEqual(0);
      expect(at(until), name).toBeGreaterThanOrEqual(at(since));
    }
  });
});
