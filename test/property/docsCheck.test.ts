/** The checker on documents that random edits have broken: findings within the text, nothing thrown, nothing endless. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkDocument } from '../../extension/docs/check/check.ts';
import { parsePlainText, parseRst } from '../../extension/docs/rst.ts';
import { RELEASES } from '../../sim/index.ts';

/** The long tier asks for 100,000. */
const RUNS = Number(process.env.ZONESCOPE_RUNS ?? (process.env.ZONESCOPE_TIER === 'long' ? 100_000 : 400));

/** Words of ours around calls of the kernel's, so that every rule has something to look at. */
const SEEDS = [
  `Title
=====

Of device memory (see sections 1 to 3), in the second section. See Documentation/vm/hmm.rst.

Mirror
------

Call \`\`hmm_range_fault(range)\`\`, hmm_range_snapshot() or \`->page_fault()\` of struct hmm_mirror::

    int fill(...)
    {
        struct hmm_range range;
        long ret;
        ...
        range.notifier = &sub;
        range.hmm_pfns = ...;
        if (!mmget_not_zero(sub->notifier.mm))
            return -EFAULT;
    again:
        range.notifier_seq = mmu_interval_read_begin(&sub);
        mmap_read_lock(mm);
        ret = hmm_range_fault(&range);
        if (ret) {
            mmap_read_unlock(mm);
            if (ret == -EBUSY)
                goto again;
            return ret;
        }
        if (mmu_interval_read_retry(&other, range.notifier_seq)
            goto again;
        /* put it into the table */
        for (i = 0; i < n; i++)
            table[i] = range.pfns[i] & (1 << 63);
        return 0;
    }

More in the next section.

Memory
------

1. \`\`lock_page((\`\`
2. One of::

    struct resource *res;
    struct dev_pagemap pagemap;

    res = request_free_mem_region(&iomem_resource, /* bytes */, "name");
    pagemap.type = MEMORY_DEVICE_PRIVATE;
    pagemap.range.start = res->start;
    memremap_pages(&pagemap, numa_node_id());
`,
  `A text without marks

1) One
2) Two

-----------------------------------------------------------------

1) One

It is declared so:
 int migrate_vma(const struct migrate_vma_ops *ops, unsigned long mentries,
                 void *private);
 struct hmm_mirror_ops {
     void (*update)(struct hmm_mirror *mirror, enum hmm_update action);
 };

-----------------------------------------------------------------

2) Two

switch and the rest:
 switch (a) {
 case 1: do { x--; continue; } while (x); break;
 default: if (a && !b || IS_ERR(p)) goto out;
 }
 out: down_read(&mm->mmap_sem); return p ? q : sizeof(struct page);
`,
];

const TOKENS = [
  ...'(){}[];,.:*&!=<>?"\'`\\/#|-+%~_\n\t \u0000\ufeff\u4e2d',
  '->',
  '...',
  '/*',
  '*/',
  '//',
  '::\n\n    ',
  '``',
  'if (',
  'else ',
  'for (;;)',
  'while (1) ',
  'do ',
  'switch (x) ',
  'case 1: ',
  'default: ',
  'goto again;',
  'again: ',
  'return ',
  'break; ',
  'struct ',
  'struct hmm_range ',
  'union { int a; } ',
  'typedef int t; ',
  'sizeof(',
  '(struct page *)',
  'mem_sections',
  'mmput(mm);',
  'mmget_not_zero(mm)',
  'ret = ',
  '&range',
  'range.',
  '__proto__',
  'constructor',
  'section 99 ',
  'next section ',
  '.. name:\n\n',
  '====\n',
  '1 << 99',
  '0x',
  '\r\n',
  '((((((((',
];

type Edit = readonly [kind: number, at: number, length: number, token: string];
const EDIT: fc.Arbitrary<Edit> = fc.tuple(
  fc.nat(4),
  fc.nat(1 << 20),
  fc.integer({ min: 1, max: 40 }),
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...TOKENS) },
    { weight: 1, arbitrary: fc.string({ maxLength: 12 }) },
  ),
);

function edited(text: string, [kind, place, length, token]: Edit): string {
  const at = place % (text.length + 1);
  const [before, after] = [text.slice(0, at), text.slice(at)];
  switch (kind) {
    case 0:
      return before + after.slice(length);
    case 1:
      return before + token + after;
    case 2:
      return before + after.slice(0, length) + after;
    case 3:
      return before + token + after.slice(token.length);
    default: {
      const to = (place * 7 + length) % (text.length + 1);
      return before + text.slice(to, to + length) + after;
    }
  }
}

describe('whatever is done to a document', () => {
  it(
    'its findings lie within it, and it is read in a moment',
    () => {
      fc.assert(
        fc.property(
          fc.constantFrom(...SEEDS),
          fc.array(EDIT, { minLength: 1, maxLength: 12 }),
          fc.constantFrom(...RELEASES),
          fc.option(fc.constantFrom(...RELEASES), { nil: undefined }),
          fc.boolean(),
          (seed, edits, release, against, isPlain) => {
            const source = edits.reduce(edited, seed);
            const document = isPlain ? parsePlainText(source) : parseRst(source);
            const began = performance.now();
            const findings = checkDocument({
              document,
              source,
              kind: 'hmm',
              releases: [release],
              ...(against === undefined ? {} : { against }),
            });
            expect(performance.now() - began).toBeLessThan(2000);
            for (const { start, end, message, fix, related = [] } of findings) {
              for (const span of [{ start, end }, ...related, ...(fix ? [fix] : [])])
                expect(span.start >= 0 && span.start <= span.end && span.end <= source.length, message).toBe(true);
              expect(message).not.toMatch(/undefined|\[object/);
            }
          },
        ),
        { numRuns: RUNS },
      );
    },
    RUNS * 100 + 60_000,
  );
});
