import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findMentions } from '../../extension/docs/entities.ts';
import { buildTermIndex, type GlossaryEntry, parseGlossary } from '../../extension/docs/glossary.ts';
import { parseRst } from '../../extension/docs/rst.ts';
import { ALL_RECORDS } from '../../sim/index.ts';
import inventory from '../fixtures/inventory-6.12.json' with { type: 'json' };

const ROOT = process.env.ZONESCOPE_DOCS ?? '';
const GLOSSARY = new URL('../../media/glossary/', import.meta.url);
const entries: GlossaryEntry[] = readdirSync(GLOSSARY).map((file) => {
  const [, head = '', ...body] = readFileSync(new URL(file, GLOSSARY), 'utf8').split(/^---$/m);
  const keys = head
    .trim()
    .split('\n')
    .map((line) => /^([a-z]+): (.*)$/.exec(line)?.slice(1, 3) ?? ['', '']);
  return { ...Object.fromEntries(keys), body: body.join('---').trim() };
});

/** Lines where a longer or more telling term rightly takes the hover from the one listed: `document term line` → what is there. */
const TAKEN: Readonly<Record<string, string>> = {
  'memory-model struct:list_head 149': 'field:page.lru',
  'memory-model struct:page 113': 'symbol:vmemmap',
  'memory-model symbol:vmemmap 104': 'concept:sparse-vmemmap',
  'memory-model symbol:vmemmap 112': 'concept:sparse-vmemmap',
  'memory-model math:nr-mem-sections 85': 'macro:NR_MEM_SECTIONS',
  'memory-model concept:section 85': 'macro:NR_MEM_SECTIONS',
  'memory-model concept:hmm 171': 'path:hmm-rst',
  'memory-model concept:hotplug 156': 'concept:sysfs-hotplug',
  'memory-model concept:memory-map 65': 'concept:altmap',
  'memory-model concept:page-frame 24': 'concept:pfn',
  'memory-model concept:page-frame 57': 'concept:pfn',
  'memory-model concept:physical-memory 4': 'concept:memory-model',
  'hmm struct:migrate_vma 305': 'function:migrate_vma_setup',
  'hmm struct:page 348': 'concept:device-private',
  'hmm field:migrate_vma.src 360': 'function:migrate_pfn_to_page',
  'hmm field:dev_pagemap.range 282': 'field:range.start',
  'hmm field:dev_pagemap.range 283': 'field:range.end',
  'hmm field:hmm_range.start 175': 'field:hmm_range.end',
  'hmm field:resource.start 283': 'field:resource.end',
  'hmm placeholder:interval-sub 178': 'never:interval_sub->notifier.mm',
  'hmm concept:bandwidth 90': 'concept:latency',
  'hmm concept:bandwidth 91': 'concept:latency',
  'hmm concept:device-private 327': 'concept:device-mmu',
  'hmm concept:gpu 6': 'concept:gpu-memory',
  'hmm concept:gpu 89': 'concept:gpu-memory',
  'hmm concept:device-memory 121': 'concept:zone-device',
  'hmm concept:device-memory 127': 'concept:zone-device',
};

describe.each(['memory-model', 'hmm'] as const)('in the real %s.rst of 6.12', (document) => {
  const path = join(ROOT, '6.12/Documentation/mm', `${document}.rst`);
  const there = ROOT !== '' && existsSync(path);
  const source = there ? readFileSync(path, 'utf8') : '';
  const index = buildTermIndex(ALL_RECORDS, parseGlossary(entries), document);
  const { mentions } = findMentions(parseRst(source), source, index);
  const starts = [0, ...[...source.matchAll(/\n/g)].map((match) => match.index + 1)];
  const on = (line: number) =>
    mentions.filter(
      (mention) => mention.start < (starts[line] ?? source.length) && mention.end > (starts[line - 1] ?? 0),
    );

  for (const row of inventory.filter((each) => each.document === document)) {
    it(`${row.kind} ${row.name} has its hover on every line that names it`, (context) => {
      if (!there) return context.skip(`there is no ${path}: set ZONESCOPE_DOCS`);
      const missing = row.lines.filter((line) => {
        const wanted = TAKEN[`${document} ${row.term} ${line}`] ?? row.term;
        return !on(line).some((mention) => mention.id === wanted);
      });
      expect(
        missing.map(
          (line) =>
            `${line}: ${source.split('\n')[line - 1]} → ${on(line)
              .map((mention) => mention.id)
              .join(' ')}`,
        ),
      ).toEqual([]);
    });
  }

  it('every mention has a term with words of our own and the release it speaks of', (context) => {
    if (!there) return context.skip(`there is no ${path}`);
    expect(mentions.length).toBeGreaterThan(150);
    for (const mention of mentions) expect(index.describe(mention.id, '6.12')?.text, mention.id).toBeTruthy();
  });
});
