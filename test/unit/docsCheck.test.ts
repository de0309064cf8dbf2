/** The rules one by one, on texts of our own: what each finds, and what it leaves alone. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { block, checked, repaired, withBlock } from '../support/checking.ts';

const FAULT = `int fill(struct hmm_range *range, struct mm_struct *mm)
{
    int ret;

    mmap_read_lock(mm);
    ret = hmm_range_fault(range);
    mmap_read_unlock(mm);
    return ret;
}`;

describe('a block that is right', () => {
  it('gets no finding', () => {
    expect(block(FAULT).said).toEqual([]);
  });
});

describe('syntax', () => {
  it('finds the bracket that is missing, with a fix that adds it', () => {
    const text = block('int f(int a)\n{\n    if (g(a) {\n        return 1;\n    }\n    return 0;\n}');
    expect(text.said).toContainEqual(expect.stringMatching(/^missing-parenthesis /));
    expect(repaired(text)).toContain('if (g(a)) {');
  });

  it('takes a comment for an argument as an error, and "..." as what is left out', () => {
    expect(block('x = numa_node_id(/* which */);').said).toContainEqual('comment-as-argument /* which */');
    expect(block('x = page_to_nid(...);').said).toEqual([]);
    expect(block('x = ...;').said).toEqual([]);
  });

  it('misses the label of a goto', () => {
    expect(block('void f(void)\n{\n    goto out;\n}').said).toEqual(['no-such-label goto out;']);
  });

  it('leaves blocks alone that are not C', () => {
    expect(block('diff --git a/x.c b/x.c\n--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-f(;\n+f();').said).toEqual([]);
    expect(block('CPU 0 {writes a; then waits}\nCPU 1 {reads b; and c}\n[time 2] ---\nCPU 1 {reads c}').said).toEqual(
      [],
    );
    expect(block('for_each_node(nid) {\n    f(nid);\n}').said).toEqual([]);
    expect(block('$ cat /proc/zoneinfo; echo (').said).toEqual([]);
    expect(checked('T\n=\n\n.. code-block:: sh\n\n   f(( ; }\n').said).toEqual([]);
  });
});

describe('a function that has the name of a later struct', () => {
  it('is gone all the same', () => {
    const call = 'int migrate_vma(const struct migrate_vma_ops *ops);';
    expect(block(call, '5.4').said).toContain('gone-name migrate_vma');
    expect(block('struct migrate_vma args = { 0 };', '5.4').said).toEqual([]);
    expect(block('struct migrate_vma args = { 0 };', '5.3').said).toEqual(['not-yet struct migrate_vma']);
  });
});

describe('calls in prose', () => {
  it('have brackets that pair up', () => {
    const text = checked('See ``pte_none(()`` and ``f(a`` and `g()` and ``h(b(c))``.\n');
    expect(text.said).toEqual(['unbalanced-call (', 'unbalanced-call ``f(a``']);
    expect(repaired(text)).toBe('See ``pte_none()`` and ``f(a)`` and `g()` and ``h(b(c))``.\n');
  });
});

describe('names', () => {
  it('that never were are errors in every release, with the one that is meant', () => {
    const text = checked('The array `mem_sections` and the array mem_section.\n', '5.2');
    expect(text.said).toEqual(['never-existed mem_sections']);
    expect(text.findings[0]).toMatchObject({ severity: 'error', fix: { text: 'mem_section' } });
  });

  it('that ended or are yet to come say with which release', () => {
    const text = 'Call hmm_range_snapshot() or make_device_exclusive() or ``MIGRATE_PFN_LOCKED``.\n';
    expect(checked(text, '5.10').findings.map(({ code, since }) => [code, since])).toEqual([
      ['gone-name', '5.4'],
      ['not-yet', '6.15'],
    ]);
    expect(checked(text, '5.3').said).toEqual(['not-yet make_device_exclusive']);
  });

  it('are told at their own place, whatever stands around them', () => {
    expect(
      checked('A `->page_fault()` and a ``struct hmm_mirror`` and ``hmm_mirror_register(m, mm)``.\n').said,
    ).toEqual(['gone-name page_fault', 'gone-name struct hmm_mirror', 'gone-name hmm_mirror_register']);
  });

  it('are code only: words of a sentence say nothing', () => {
    expect(checked('The hmm of the device may fault and free a page; release() it.\n').said).toEqual([]);
    expect(checked('HMM and ZONE_DEVICE are short for something.\n').said).toEqual([]);
  });

  it('of an option of the kernel are known without their CONFIG', () => {
    expect(checked('With DISCONTIGMEM or SPARSEMEM.\n', '5.14').said).toEqual(['gone-name DISCONTIGMEM']);
    expect(checked('With DISCONTIGMEM or SPARSEMEM.\n', '5.13').said).toEqual([]);
  });

  it('that the text declares itself are its own', () => {
    expect(block('int migrate_vma_ops;\nmigrate_vma_ops = 1;').said).toEqual([]);
  });

  it('in comments of the code are prose', () => {
    expect(block('/* hmm_range_snapshot() first */\nx = 1;').said).toEqual(['gone-name hmm_range_snapshot']);
  });

  it('of a text of several releases are wrong only if they are in all of them', () => {
    const text = 'Call make_device_exclusive_range() here.\n';
    expect(checked(text, '6.12', { releases: ['6.12', '6.13', '6.14', '6.15'] }).said).toEqual([]);
    expect(checked(text, '6.12', { releases: ['6.15', '6.16'] }).said).toHaveLength(1);
    expect(checked(text, '6.12', { against: '6.15' }).said).toHaveLength(1);
  });
});

describe('members', () => {
  it('have the name of the release, and a fix where there is one', () => {
    const text = 'struct hmm_range range;\nrange.pfns = p;';
    expect(block(text, '5.7').said).toEqual([]);
    expect(block(text, '5.8').findings[0]).toMatchObject({
      code: 'no-such-field',
      since: '5.8',
      fix: { text: 'hmm_pfns' },
    });
  });

  it('are known of a name that nothing declares, if only one struct has them all', () => {
    expect(block('range->default_flags = 0;\nrange->pfn_flags_mask = 0;\nrange->pfns[i] = 1;').said).toEqual([
      'no-such-field pfns',
    ]);
    expect(block('thing->pfns = 0;').said).toEqual([]);
  });

  it('are those of each release: a range had its vma from 5.2 to 6.2', () => {
    const code = 'bool f(const struct mmu_notifier_range *range)\n{\n    return range->vma != NULL;\n}';
    for (const release of ['5.2', '6.2'] as const) expect(block(code, release).said).toEqual([]);
    expect(block(code, '6.3').findings[0]?.message).toContain('it ended with 6.2');
    expect(block(code, '5.1').findings[0]?.message).toContain('it came with 5.2');
  });

  it('of a struct known in part may be any', () => {
    expect(block('struct page *page = get();\nx = page->whatever;').said).toEqual([]);
  });

  it('are reached with the operator of their type', () => {
    const text = block('struct range r = { 0 };\nstruct range *p = &r;\nr->start = p.end;');
    expect(text.said).toEqual(['member-operator ->', 'member-operator .']);
    expect(repaired(text)).toContain('r.start = p->end;');
  });

  it('that lead through one that is not there are fixed by leaving it out', () => {
    const text = block(
      'int f(struct mmu_interval_notifier *sub)\n{\n    struct mm_struct *mm = sub->notifier.mm;\n    return mm != NULL;\n}',
    );
    expect(text.said).toEqual(['no-such-field notifier']);
    expect(repaired(text)).toContain('= sub->mm;');
  });

  it('of a struct that the text defines are those of the kernel', () => {
    const text = 'struct hmm_mirror_ops {\n    void (*update)(struct hmm_mirror *mirror);\n};';
    expect(block(text, '5.2').findings[0]).toMatchObject({ code: 'no-such-field', severity: 'error' });
  });
});

describe('variables', () => {
  it('that nothing declares are errors, or one remark where a "..." may declare them', () => {
    expect(block('int f(int a)\n{\n    return a + b;\n}').findings).toMatchObject([
      { code: 'undeclared-name', severity: 'error' },
    ]);
    expect(block('int f(...)\n{\n    return a + b;\n}').findings).toMatchObject([
      { code: 'undeclared-name', severity: 'information', message: expect.stringContaining('a and b') },
    ]);
  });

  it('of a fragment belong to the code around it', () => {
    expect(block('dst[i] = migrate_pfn(page_to_pfn(dpage));').said).toEqual([]);
  });

  it('given to one of two calls that belong together, and to nothing else, are the wrong ones', () => {
    const text = block(
      'int f(...)\n{\n    unsigned long seq = mmu_interval_read_begin(&sub);\n    return mmu_interval_read_retry(&other, seq);\n}',
    );
    expect(text.said).toContain('mismatched-name other');
    expect(repaired(text)).toContain('read_retry(&sub, seq)');
  });

  it('are read after something set them', () => {
    const f = (body: string): string => `int f(int a)\n{\n    int x;\n    ${body}\n    return x;\n}`;
    expect(block(f('if (a)\n        x = 1;')).said).toEqual(['uninitialised-read x']);
    expect(block(f('if (a)\n        x = 1;\n    else\n        x = 2;')).said).toEqual([]);
    expect(block(f('...')).said).toEqual([]);
    expect(block(f('while (a--)\n        x = a;')).said).toEqual(['uninitialised-read x']);
    expect(block(f('set(&x);')).said).toEqual([]);
  });
});

describe('calls', () => {
  it('have the arguments of the release', () => {
    expect(block('hmm_range_fault(range, 0);', '5.6').said).not.toContainEqual(
      expect.stringMatching(/^argument-count/),
    );
    expect(block('x = hmm_range_fault(range, 0);', '5.7').findings).toMatchObject([
      { code: 'argument-count', severity: 'error', since: '5.7' },
    ]);
  });

  it('get what they take', () => {
    const text = 'struct hmm_range range = { 0 };\nx = migrate_vma_setup(&range);';
    expect(block(text).said).toEqual(['argument-type &range']);
  });

  it('are declared as the kernel declares them', () => {
    expect(block('int hmm_range_fault(struct hmm_range *range);', '6.12').said).toEqual([]);
    expect(block('int hmm_range_fault(struct hmm_range *r, unsigned int flags);', '6.12').findings).toMatchObject([
      { code: 'stale-prototype' },
    ]);
    expect(block('long hmm_range_fault(struct hmm_range *range);', '6.12').findings).toMatchObject([{ since: '5.8' }]);
    const ops = (returns: string): string =>
      `struct dev_pagemap_ops {\n    ${returns} (*migrate_to_ram)(struct vm_fault *vmf);\n};`;
    expect(block(ops('vm_fault_t'), '6.12').said).toEqual([]);
    expect(block(ops('int'), '6.12').said).toEqual(['stale-prototype migrate_to_ram']);
  });

  it('do not shift a constant out of its type', () => {
    expect(block('x = (1 << 63);').said).toEqual(['shift-too-far (1 << 63)']);
    expect(block('x = (1UL << 63) | 1 << 31;').said).toEqual([]);
  });
});

describe('what is taken', () => {
  const take = (rest: string): string =>
    `int f(struct mm_struct *mm)\n{\n    int ret = 0;\n\n    if (!mmget_not_zero(mm))\n        return -EFAULT;\n${rest}\n}`;
  it('is given back on every way out', () => {
    expect(block(take('    mmput(mm);\n    return 0;')).said).toEqual([]);
    expect(block(take('    return 0;')).said).toEqual(['leak mmget_not_zero(mm)']);
    expect(block(take('    if (g())\n        return -1;\n    mmput(mm);\n    return ret;')).said).toHaveLength(1);
    expect(
      block(take('    if (g())\n        goto out;\n    ret = 1;\nout:\n    mmput(mm);\n    return ret;')).said,
    ).toEqual([]);
  });

  it('is followed through loops and what a result says', () => {
    expect(block(take('again:\n    if (g())\n        goto again;\n    return 0;')).said).toHaveLength(1);
    const register = (test: string): string =>
      `int f(struct hmm_range *range, struct hmm_mirror *m)\n{\n    int ret = hmm_range_register(range, m);\n    if (${test})\n        return ret;\n    hmm_range_unregister(range);\n    return 0;\n}`;
    expect(block(register('ret'), '5.4').said).toEqual([]);
    expect(block(register('ret < 0'), '5.4').said).toEqual([]);
    expect(block(register('!ret'), '5.4').said).toHaveLength(1);
  });

  it('may be given back where "..." stands, and goes on behind a fragment', () => {
    expect(block(take('    ...\n    return 0;')).said).toEqual([]);
    expect(block('mmap_read_lock(mm);\nx = 1;').said).toEqual([]);
  });
});

describe('results', () => {
  it('that are errors as pointers are looked at before they are used', () => {
    const request = 'struct resource *res = request_free_mem_region(&iomem_resource, n, "x");\n';
    expect(block(`${request}y = res->start;`).said).toContainEqual(expect.stringMatching(/^unchecked-result/));
    expect(block(`${request}if (IS_ERR(res))\n    g();\ny = res->start;`).said).toEqual([]);
    expect(block('memremap_pages(p, 0);').said).toEqual(['unchecked-result memremap_pages(p, 0)']);
    expect(block('addr = memremap_pages(p, 0);').said).toEqual([]);
  });

  it('that count are errors only below zero', () => {
    const f = (test: string): string =>
      `int f(struct hmm_range *range)\n{\n    long n = 0;\n    n = hmm_range_fault(range);\n    if (${test})\n        return -1;\n    return 0;\n}`;
    expect(block(f('n'), '5.7').said).toEqual(['count-as-error n']);
    expect(block(f('n < 0'), '5.7').said).toEqual([]);
    expect(block(f('n'), '5.8').said).toEqual([]);
  });
});

describe('a struct on the stack', () => {
  const map = (set: string, first = 'struct dev_pagemap p;'): string =>
    `${first}\np.type = MEMORY_DEVICE_PRIVATE;\np.ops = &ops;\np.nr_range = 1;\np.range.start = 0;\n${set}\nx = memremap_pages(&p, 0);`;
  it('has every field set that the kernel reads', () => {
    const [finding] = block(map('p.owner = q;')).findings;
    expect(finding).toMatchObject({
      code: 'uninitialised-field',
      message: expect.stringContaining('flags and vmemmap_shift'),
    });
    expect(block(map('p.owner = q;\np.flags = 0;'), '5.12').findings[0]?.message).toContain(' ref is never set');
    expect(block(map('p.owner = q;', 'struct dev_pagemap p = { 0 };')).said).toEqual([]);
    expect(block(map('p.owner = q;', 'struct dev_pagemap p;\nmemset(&p, 0, sizeof(p));')).said).toEqual([]);
  });

  it('has the fields without which the call is refused', () => {
    expect(block(map('', 'struct dev_pagemap p = { 0 };')).findings).toMatchObject([
      { code: 'missing-field', since: '5.7' },
    ]);
    expect(block(map('', 'struct dev_pagemap p = { 0 };'), '5.6').said).not.toContainEqual(
      expect.stringMatching(/^missing-field/),
    );
  });
});

describe('references', () => {
  const text = (intro: string, last = 'About money.'): string =>
    `Title\n=====\n\n${intro}\n\nRepresenting device memory\n--------------------------\n\nThe device memory of a struct page is special.\n\nCounting the money\n------------------\n\n${last}\n`;
  it('by order fit the section that is there', () => {
    expect(checked(text('The first section tells how device memory is represented.')).said).toEqual([]);
    expect(checked(text('The second section tells how device memory is represented.')).said).toEqual([
      'dangling-reference second section',
    ]);
    expect(checked(text('The fifth section tells how device memory is represented.')).said).toEqual([
      'dangling-reference fifth section',
    ]);
  });

  it('by number fit the sections that can be counted', () => {
    expect(checked(text('Of device memory (see section 1).')).said).toEqual([]);
    expect(checked(text('Of device memory (see sections 1 to 2).')).said).toEqual([
      'dangling-reference sections 1 to 2',
    ]);
    expect(checked(text('Of device memory (see section 7).')).said).toEqual(['dangling-reference section 7']);
  });

  it('to the next section need one that speaks of it', () => {
    expect(checked(text('Money and counting.', 'More in the next section.')).said).toEqual([
      'dangling-reference next section',
    ]);
    const here = 'Drivers skip invalidations of private mappings that migrate. More of that is in the next section.';
    expect(checked(`T\n=\n\n${here}\n\nOther\n=====\n\nMoney only.\n`).said).toEqual([
      'dangling-reference next section',
    ]);
    expect(
      checked(`T\n=\n\n${here}\n\nOther\n=====\n\nDrivers skip them: invalidations of private mappings.\n`).said,
    ).toEqual([]);
  });

  it('to documents follow the move to mm/', () => {
    const path = 'See Documentation/vm/hmm.rst.\n';
    expect(checked(path, '5.19').said).toEqual([]);
    expect(checked(path, '6.0').findings[0]?.fix?.text).toBe('Documentation/mm/hmm.rst');
    expect(checked('See Documentation/a/b.rst.\n', '6.12', { hasFile: () => false }).said).toEqual([
      'no-such-file Documentation/a/b.rst',
    ]);
    expect(checked('See Documentation/a/b.rst.\n').said).toEqual([]);
  });

  it('need a label that is one', () => {
    const text = checked('.. hmm:\n\nTitle\n=====\n\nText.\n\n.. note:\n\nText.\n');
    expect(text.said).toEqual(['label-as-comment .. hmm:']);
    expect(repaired(text)).toMatch(/^\.\. _hmm:$/m);
  });
});

describe('the checker', () => {
  it('knows no release for a text that says nothing', () => {
    expect(checked('mem_sections\n', '6.12', { releases: [] }).said).toEqual([]);
  });

  it('describes every code that it gives in the table', () => {
    const table = JSON.parse(readFileSync(new URL('../../media/findings.json', import.meta.url), 'utf8')) as object;
    const sources = [
      'syntax',
      'literals',
      'names',
      'fields',
      'variables',
      'calls',
      'leaks',
      'results',
      'values',
      'references',
    ]
      .map((name) => readFileSync(new URL(`../../extension/docs/check/rules/${name}.ts`, import.meta.url), 'utf8'))
      .join('\n');
    const codes = [...sources.matchAll(/'([a-z]+(?:-[a-z]+)+)',?\s*(?:'(?:error|warning|information)'|:)/g)].map(
      ([, code]) => code,
    );
    expect(codes.length).toBeGreaterThan(20);
    expect(codes.filter((code) => code !== undefined && !(code in table))).toEqual([]);
  });

  it('reads what has no end, or no form, to a bound', () => {
    const long = [
      withBlock(`${'('.repeat(10_000)};`),
      withBlock(`${'x = (a && '.repeat(3000)};`),
      withBlock(`f(${'a, '.repeat(20_000)});`),
      `${'mem_sections '.repeat(80_000)}\n`,
      `${'a->b'.repeat(250_000)}\n`,
      `\`\`f${'('.repeat(1_000_000)}\`\`\n`,
      `section ${'1 to '.repeat(100_000)}\n`,
      'Documentation/'.repeat(80_000),
      withBlock(`int f(void)\n{\n${'    if (a) { goto x; } x:;\n'.repeat(2000)}}`),
      withBlock('x'.repeat(1 << 20)),
      withBlock(`${'/*;'.repeat(20_000)}\nx;`),
    ];
    for (const text of long) {
      const began = performance.now();
      const { findings } = checked(text);
      expect(findings.length).toBeLessThanOrEqual(500);
      expect(performance.now() - began, text.slice(0, 40)).toBeLessThan(4000);
    }
  });
});
