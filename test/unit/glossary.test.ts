import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildTermIndex, type GlossaryEntry, parseGlossary } from '../../extension/docs/glossary.ts';
import { ALL_RECORDS, type Release } from '../../sim/index.ts';
import inventory612 from '../fixtures/inventory-6.12.json' with { type: 'json' };
import inventory73 from '../fixtures/inventory-7.3.json' with { type: 'json' };

const FOLDER = new URL('../../media/glossary/', import.meta.url);

/** As the build gathers it: `key: value` lines between two `---`, then the body. */
function readEntry(file: string): GlossaryEntry {
  const [, head = '', ...body] = readFileSync(new URL(file, FOLDER), 'utf8').split(/^---$/m);
  const keys = head
    .trim()
    .split('\n')
    .map((line) => /^([a-z]+): (.*)$/.exec(line)?.slice(1, 3) ?? ['', '']);
  return { ...Object.fromEntries(keys), body: body.join('---').trim() };
}
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.md'));
const entries = files.map(readEntry);
const glossary = parseGlossary(entries);
const index = buildTermIndex(ALL_RECORDS, glossary);

const sentences = (text: string): string[] =>
  text
    .replace(/^- /gm, '')
    .split(/(?<=[.!?:;])\s+|\n+/)
    .filter((part) => part.trim() !== '');

describe('glossary files', () => {
  it.each(files.map((file, i) => [file, entries[i] ?? {}] as const))('%s is complete and short', (file, entry) => {
    expect(entry.id).toBe(file.replace(/\.md$/, ''));
    for (const key of ['title', 'kind', 'phrases', 'source', 'body']) expect(entry[key], key).toBeTruthy();
    for (const sentence of sentences(entry.body ?? '')) {
      expect(sentence.split(/\s+/).length, sentence).toBeLessThanOrEqual(45);
    }
    const plain = (entry.body ?? '').split('\n- ')[0] ?? '';
    expect(plain.split(/[.!?](?:\s|$)/).filter(Boolean).length).toBeLessThanOrEqual(5);
  });

  it('no phrase means two terms of one kind', () => {
    const seen = new Map<string, string>();
    for (const term of glossary) {
      for (const phrase of term.phrases) {
        const key = `${term.kind} ${phrase.toLowerCase()}`;
        expect(seen.get(key) ?? term.id, key).toBe(term.id);
        seen.set(key, term.id);
      }
    }
  });

  it('an entry that is wrong is named, with what is wrong', () => {
    const good = { id: 'x', title: 'X', kind: 'concept', phrases: 'x', source: 'mm/x.c', body: 'X.' };
    expect(parseGlossary([good])).toHaveLength(1);
    expect(() => parseGlossary([{ ...good, kind: 'thing' }])).toThrow(/x: "kind" must be one of/);
    expect(() => parseGlossary([{ ...good, phrases: ' | ' }])).toThrow(/x: "phrases"/);
    expect(() => parseGlossary([{ ...good, since: '6.99' }])).toThrow(/x: "since" must be a release/);
    expect(() => parseGlossary([{ ...good, live: 'moon' }])).toThrow(/x: "live"/);
    expect(() => parseGlossary([{ ...good, colour: 'red' }])).toThrow(/unknown key "colour"/);
    expect(() => parseGlossary([{ ...good, documents: 'hmm, other' }])).toThrow(/"documents"/);
    expect(() => buildTermIndex([], parseGlossary([good, good]))).toThrow(/concept:x is there twice/);
  });
});

describe.each([
  ['6.12', inventory612],
  ['7.3', inventory73],
] as const)('every term of the %s documents', (release: Release, rows) => {
  it.each(rows.map((row) => [`${row.document}: ${row.kind} ${row.name}`, row] as const))(
    '%s is described',
    (_name, { term, kind }) => {
      const description = index.describe(term, release);
      expect(description?.title).toBeTruthy();
      expect(description?.text).toMatch(/^\S.*[.!?)`0-9]$/s);
      if (kind === 'function' || kind === 'constant' || kind === 'macro') expect(description?.signature).toBeTruthy();
      // Everything a text uses exists in its release, but for the few names the text has wrong.
      const wrong = ['never:', 'callback:hmm_devmem.page_fault', 'field:hmm_range.pfns'];
      const isWrong = wrong.some((start) => term.startsWith(start));
      expect(/^(Ended|Not in|This name)/.test(description?.note ?? '')).toBe(isWrong);
    },
  );

  it.each(rows.flatMap((row) => ('text' in row && row.text ? [[row.text, row.term] as const] : [])))(
    '`%s` is %s',
    (text, term) => expect(index.lookup(text, 'code')).toBe(term),
  );
});

describe('looking a text up', () => {
  const code: readonly [string, string | undefined][] = [
    ['struct page', 'struct:page'],
    ['struct\n page *vmemmap', 'symbol:vmemmap'],
    ['struct list_head lru', 'field:page.lru'],
    ['struct list_head', 'struct:list_head'],
    ['struct pages', 'struct:page'],
    ['pg_data_t', 'struct:pglist_data'],
    ['->migrate_to_ram()', 'callback:dev_pagemap_ops.migrate_to_ram'],
    ['page_free', 'callback:dev_pagemap_ops.page_free'],
    ['invalidate()', 'callback:mmu_interval_notifier_ops.invalidate'],
    ['alloc_and_copy()', 'callback:migrate_vma_ops.alloc_and_copy'],
    ['update()', 'never:hmm_mirror_ops.update'],
    ['update', undefined],
    ['driver->update', 'placeholder:driver-update'],
    ['&ni', 'placeholder:ni'],
    ['take_lock', 'placeholder:take-lock'],
    ['src', 'field:migrate_vma.src'],
    ['dst[i]', 'field:migrate_vma.dst'],
    ['src[i]', 'field:migrate_vma.src'],
    ['pagemap.range.start', 'field:range.start'],
    ['&pagemap.range', 'field:dev_pagemap.range'],
    ['pgmap->altmap.free', 'field:vmem_altmap.free'],
    ['range->notifier_seq', 'field:hmm_range.notifier_seq'],
    ['range', 'struct:hmm_range'],
    ['vma->vm_start', 'field:vm_area_struct.vm_start'],
    ['interval_sub.mm', 'field:mmu_interval_notifier.mm'],
    ['interval_sub->notifier.mm', 'never:interval_sub->notifier.mm'],
    ['migrate_vma_setup(struct migrate_vma *args)', 'function:migrate_vma_setup'],
    ['migrate_pfn_to_page(src[i])', 'function:migrate_pfn_to_page'],
    ['mmu_notifier_invalidate_range_start(()', 'function:mmu_notifier_invalidate_range_start'],
    ['-EBUSY', 'errno:EBUSY'],
    ['EBUSY', 'errno:EBUSY'],
    ['HMM_PFN_REQ_FAULT', 'constant:HMM_PFN_REQ_FAULT'],
    ['HMM_RANGE_SNAPSHOT', 'never:HMM_RANGE_SNAPSHOT'],
    ['CONFIG_DISCONTIGMEM', 'config:CONFIG_DISCONTIGMEM'],
    ['SPARSEMEM_VMEMMAP', 'config:CONFIG_SPARSEMEM_VMEMMAP'],
    ['SPARSEMEM', 'concept:sparsemem'],
    ['ZONE_DEVICE', 'concept:zone-device'],
    ['node_mem_map', 'field:pglist_data.node_mem_map'],
    ['hmm_mirror_register_locked', 'never:hmm_mirror_register_locked'],
    ['hmm_vma_get_pfns()', 'function:hmm_vma_get_pfns'],
    ['mm->mmap_sem', 'field:mm_struct.mmap_sem'],
    ['no_such_name', undefined],
    ['0', undefined],
    ['', undefined],
  ];
  it.each(code)('in code, `%s` is %s', (text, id) => expect(index.lookup(text, 'code')).toBe(id));

  const prose: readonly [string, string | undefined][] = [
    ['page frames', 'concept:page-frame'],
    ['Page faults', 'concept:page-fault'],
    ['PFN', 'concept:pfn'],
    ['CPU page\n table', 'concept:cpu-page-table'],
    ['pfn_to_page', 'function:pfn_to_page'],
    ['hmm_range_fault', 'function:hmm_range_fault'],
    ['mmu_interval_notifier', 'struct:mmu_interval_notifier'],
    ['page->flags', 'field:page.flags'],
    ['PAGE_SIZE', 'macro:PAGE_SIZE'],
    ['range', undefined],
    ['owner', undefined],
    ['device', undefined],
    ['page', undefined],
    ['ops', undefined],
    ['args', undefined],
    ['Documentation/mm/hmm.rst', 'path:hmm-rst'],
  ];
  it.each(prose)('in prose, "%s" is %s', (text, id) => expect(index.lookup(text, 'prose')).toBe(id));

  it('every phrase leads to its own term', () => {
    for (const { id, phrase } of index.phrases) expect(index.describe(id, '6.12'), phrase).toBeDefined();
    for (const term of glossary) {
      for (const phrase of term.phrases) expect(index.lookup(phrase, 'prose'), phrase).toBe(term.id);
    }
  });

  it('a phrase that means something else in the other document is not looked for there', () => {
    const of = (document: 'hmm' | 'memory-model'): string[] =>
      buildTermIndex(ALL_RECORDS, glossary, document).phrases.map(({ phrase }) => phrase);
    expect(of('memory-model')).toContain('sections');
    expect(of('hmm')).not.toContain('sections');
    expect(of('hmm')).toContain('migrating');
  });
});

describe('describing a term', () => {
  it('says what took the place of a name that ended', () => {
    const text = index.describe('callback:hmm_devmem.page_fault', '6.12');
    expect(text?.note).toBe(
      'Ended with 5.2; replaced by migrate_to_ram. From 4.14 to 4.20 a member of struct dev_pagemap.',
    );
    expect(index.describe('function:hmm_vma_fault', '6.12')?.note).toBe('Ended with 5.2; replaced by hmm_range_fault.');
    expect(index.describe('field:hmm_range.pfns', '6.12')?.note).toBe('Ended with 5.7; replaced by hmm_pfns.');
  });

  it('says when a name is yet to come', () => {
    const text = index.describe('function:hmm_range_fault_unlocked_timeout', '6.12');
    expect(text?.note).toBe('Not in 6.12: it came with 7.3.');
    expect(text?.releases).toBe('since 7.3');
  });

  it('says that a name never existed', () => {
    const text = index.describe('never:mem_sections', '6.12');
    expect(text?.note).toBe('This name never existed in the kernel; the texts since 5.2 use it. Meant is mem_section.');
  });

  it('shows the prototype of the release', () => {
    expect(index.describe('function:hmm_range_fault', '5.4')?.signature).toContain('unsigned int flags');
    expect(index.describe('function:hmm_range_fault', '6.12')?.signature).toBe(
      'int hmm_range_fault(struct hmm_range *range)',
    );
    expect(index.describe('function:hmm_range_fault', '6.12')?.note).toBe('In this form since 5.8.');
    expect(index.describe('function:hmm_range_fault', '6.12')?.errors?.map(({ returns }) => returns)).toContain(
      '-EBUSY',
    );
  });

  it('describes a callback where it was a member of another struct', () => {
    const text = index.describe('callback:dev_pagemap_ops.page_free', '5.0');
    expect(text?.title).toBe('dev_pagemap.page_free()');
    expect(text?.signature).toContain('void *data');
    expect(index.describe('callback:hmm_devmem.page_fault', '4.14')?.title).toBe('dev_pagemap.page_fault()');
    expect(index.describe('callback:dev_pagemap_ops.page_free', '6.12')?.note).toBe(
      'In this form since 5.18. Ends with 6.18; replaced by folio_free. From 4.14 to 5.2 a member of struct dev_pagemap.',
    );
  });

  it('shows the value of the release, and of other architectures', () => {
    expect(index.describe('constant:HMM_PFN_VALID', '6.12')?.signature).toContain('0x8000000000000000');
    expect(index.describe('constant:HMM_PFN_VALID', '4.14')?.signature).toContain('= 1 (');
    expect(index.describe('macro:SECTION_SIZE_BITS', '6.12')?.text).toContain('On x86_32: 29');
    expect(index.describe('macro:SECTION_SIZE_BITS', '5.4')?.text).toContain('arm64: 30');
  });

  it('claims nothing of releases older than it knows', () => {
    expect(index.describe('function:lock_page', '6.12')?.releases).toBe('');
    expect(index.describe('concept:zone-device', '6.12')?.releases).toBe('since 4.3');
    expect(index.describe('concept:page-frame', '6.12')?.releases).toBe('');
    expect(index.describe('config:CONFIG_DISCONTIGMEM', '6.12')?.releases).toBe('until 5.13');
    expect(index.describe('struct:hmm_mirror', '5.0')?.releases).toBe('4.14 to 5.4');
  });

  it('names what a running machine can show of it', () => {
    expect(index.describe('concept:zone-device', '6.12')?.live).toBe('zone:ZONE_DEVICE');
    expect(index.describe('symbol:iomem_resource', '6.12')?.live).toBe('resource:iomem');
    expect(index.describe('function:lock_page', '6.12')?.live).toBeUndefined();
  });

  it('knows nothing of an id it does not have', () => {
    expect(index.describe('function:no_such_name', '6.12')).toBeUndefined();
  });

  it('answers for every id in every release without fail', () => {
    for (const id of index.ids)
      for (const release of ['4.3', '4.19', '5.5', '6.12', '7.3'] as const)
        expect(index.describe(id, release)?.text, id).toBeTruthy();
  });
});
