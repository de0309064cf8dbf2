/** Texts that show an interface: prototypes are called, definitions of structs are held against the kernel's. */
import { describe, expect, it } from 'vitest';
import { type BlockSource, blockProgram, holesOf, type Machine, type Point, type Release } from '../../sim/index.ts';
import { boot, sh } from '../support/machines.ts';

function interfaceOf(machine: Machine, text: string, more: Partial<BlockSource> = {}) {
  const { spec, findings } = blockProgram(machine.kernel, {
    label: 'test',
    text,
    holes: {},
    standIns: {},
    declarations: true,
    ...more,
  });
  const program = machine.start(spec);
  const steps: string[] = [];
  const shouldPause = (point: Point): boolean => {
    if (point.kind === 'statement') steps.push(text.slice(point.span.start, point.span.end));
    return false;
  };
  while (machine.advance(program, { shouldPause }) === 'step');
  return { program, steps, findings, output: program.output, codes: findings.map(({ code }) => code) };
}
function withProcess(release: Release): Machine {
  const machine = boot('qemu-2g', release);
  sh(machine, 'p = proc new app', 'a = proc mmap p 4');
  return machine;
}
const INSERT =
  'int mmu_interval_notifier_insert(struct mmu_interval_notifier *sub,\n\tstruct mm_struct *mm, unsigned long start,\n\tunsigned long length,\n\tconst struct mmu_interval_notifier_ops *ops);';

describe('a prototype', () => {
  it('has its parameters as holes, by place and by name, with what they are declared as', () => {
    const holes = holesOf(INSERT, { declarations: true });
    expect(holes.map(({ name, start, end }) => [name, INSERT.slice(start, end)])).toEqual([
      ['argument 1 of mmu_interval_notifier_insert', 'sub'],
      ['argument 2 of mmu_interval_notifier_insert', 'mm'],
      ['argument 3 of mmu_interval_notifier_insert', 'start'],
      ['argument 4 of mmu_interval_notifier_insert', 'length'],
      ['argument 5 of mmu_interval_notifier_insert', 'ops'],
    ]);
    expect(holes[2]?.parameter).toEqual({ type: 'unsigned long', name: 'mmu_interval_notifier_insert.start' });
    expect(holesOf(INSERT)).toEqual([]);
  });
  it('is called with what the scene gives, and says what came of it', () => {
    const machine = withProcess('6.12');
    const { program, output } = interfaceOf(machine, INSERT, {
      holes: {
        'mmu_interval_notifier_insert.start': 'a',
        'argument 4 of mmu_interval_notifier_insert': '4 * PAGE_SIZE',
      },
    });
    expect(program.status).toBe('done');
    expect(output).toEqual(['mmu_interval_notifier_insert() returned 0']);
    const mm = [...machine.kernel.state.mms.values()][0];
    expect(mm?.notifier_subscriptions).toMatchObject({ itree: [expect.anything()] });
  });
  it('prints what it did, and what commands of its scene print; not what their lines set or give', () => {
    const { output } = interfaceOf(withProcess('6.12'), 'bool pfn_valid(unsigned long pfn);', {
      setup: ['pages = 4', 'b = proc mmap p 2', 'pfn_to_page(1)', 'proc write p a 4', 'pages = pages + lost_name'],
      holes: { 'pfn_valid.pfn': 'lost' },
    });
    expect(output).toEqual(['4 page(s) written', expect.stringMatching(/^error: .*lost_name/)]);
  });
  it('without any argument given is called all the same; the record says why it fails', () => {
    const { program, output } = interfaceOf(withProcess('6.12'), INSERT);
    expect(program.status).toBe('done');
    expect(output[0]).toMatch(/^mmu_interval_notifier_insert\(\) returned -EOVERFLOW \(-75\): .*length is 0/);
  });
  it('takes objects of the scene by their type', () => {
    const scene =
      'static unsigned long pfns[4];\nstatic struct mmu_interval_notifier scene_sub;\nstatic struct hmm_range scene_range = { .hmm_pfns = pfns, .notifier = &scene_sub, .start = 0x7ffff7ffb000, .end = 0x7ffff7fff000 };';
    const { output } = interfaceOf(withProcess('6.12'), `${INSERT}\nint hmm_range_fault(struct hmm_range *range);`, {
      standIns: { scene },
      holes: { 'mmu_interval_notifier_insert.start': 'a', 'mmu_interval_notifier_insert.length': '4 * PAGE_SIZE' },
    });
    expect(output).toEqual([
      'mmu_interval_notifier_insert() returned 0',
      expect.stringMatching(/^hmm_range_fault\(\) returned (0|-EBUSY)/),
    ]);
  });
  it('is a step of its own, among others and among statements', () => {
    const machine = withProcess('6.12');
    const text =
      'unsigned long pfn = 5;\nint page_count(struct page *page), trylock_page(struct page *page);\nbool pfn_valid(unsigned long pfn);\npfn++;';
    const { output, program, steps } = interfaceOf(machine, text, {
      holes: { 'argument 1 of page_count': 'pfn_to_page(pfn)', 'trylock_page.page': 'pfn_to_page(pfn)' },
    });
    expect(program.error?.message).toBeUndefined();
    expect(output).toEqual(['page_count() returned 1', 'trylock_page() returned true', 'pfn_valid() returned 1']);
    expect(steps).toEqual([
      'unsigned long pfn = 5;',
      'page_count',
      'trylock_page',
      'bool pfn_valid(unsigned long pfn);',
      'pfn++;',
    ]);
  });
  it('that no kernel has, or not this one, is a finding, and the others run', () => {
    const machine = withProcess('4.14');
    const text =
      'int hmm_mirror_register(struct hmm_mirror *mirror, struct mm_struct *mm);\nint hmm_mirror_register_locked(struct hmm_mirror *mirror, struct mm_struct *mm);\nint hmm_range_fault(struct hmm_range *range);';
    const { output, codes } = interfaceOf(machine, text);
    expect(output).toHaveLength(1);
    expect(codes).toEqual(['undeclared', 'not-in-release']);
  });
  it('that came and went says when, whatever its variants', () => {
    const told = (release: Release, text: string): string | undefined =>
      interfaceOf(withProcess(release), text).findings[0]?.message;
    const remove = 'void hmm_devmem_remove(struct hmm_devmem *devmem);';
    expect(told('5.2', remove)).toMatch(
      /^hmm_devmem_remove is not in 5.2: it exists only from 4.14 to 4.18 and in 4.20;/,
    );
    expect(told('4.19', remove)).toContain('from 4.14 to 4.18 and in 4.20');
    // It has had three prototypes.
    expect(told('5.4', 'int migrate_vma(int a);')).toMatch(/it exists only from 4.14 to 5.3\b/);
    expect(told('6.12', 'int hmm_range_fault_unlocked_timeout(int a);')).toContain('it exists only since 7.3');
  });
  it('with other parameters than the kernel has is a finding, and called with those of the same name', () => {
    const machine = withProcess('5.3');
    const text =
      'int migrate_vma(const struct migrate_vma_ops *ops, struct vm_area_struct *vma, unsigned long mentries, unsigned long start, unsigned long end, unsigned long *src, unsigned long *dst, void *private);';
    const { output, codes } = interfaceOf(machine, text, {
      holes: { 'migrate_vma.start': 'a', 'migrate_vma.end': 'a' },
    });
    expect(codes).toEqual(['prototype-differs']);
    expect(output[0]).toContain('migrate_vma() returned');
  });
  it('an argument that cannot be read, or is no value, is named', () => {
    for (const text of ['1 +', 'int x', 'lost'])
      expect(
        interfaceOf(withProcess('6.12'), INSERT, { holes: { 'argument 3 of mmu_interval_notifier_insert': text } })
          .program.error?.message,
      ).toBeTruthy();
  });
});

describe('a call with the arguments of another release', () => {
  const SCENE =
    'static uint64_t words[4];\nstatic struct hmm_range scene_range = { .start = 0x7ffff7ffb000, .end = 0x7ffff7fff000, .pfns = words };';
  const call = (release: Release, text: string, holes: Record<string, string> = {}) =>
    interfaceOf(withProcess(release), `${SCENE}\n${text}`, { declarations: false, holes });

  it('is given those that fit: by the name of the parameter, or else by type', () => {
    const beside =
      'struct vm_area_struct *vma = NULL;\nbool block = true;\nbool write = false;\nunsigned long start = 0;';
    const fault = call('4.17', `${beside}\nhmm_vma_fault(vma, &scene_range, start, start, words, write, block);`);
    expect(fault.findings.map(({ message }) => message)).toEqual([
      'hmm_vma_fault() of 4.17 takes 2 arguments, and is given 7.',
    ]);
    // It looks at the range that it was given, which has no table of flags.
    expect(fault.program.error?.message).toBe('hmm_vma_fault: range->flags: the array of the range is missing');
  });

  it('gets from the scene what it lacks, each in its place', () => {
    const holes = { 'hmm_range_register.start': 'scene_range.start', 'hmm_range_register.end': 'scene_range.end' };
    const { codes, output, program } = call('5.2', 'hmm_range_register(&scene_range, PAGE_SHIFT);', holes);
    expect([codes, output, program.error?.message]).toEqual([['argument-count'], [], undefined]);
  });

  it('keeps an argument that fits nowhere in its place, where it is told', () => {
    const { program } = call('5.2', 'hmm_mirror_unregister(&scene_range, 3);');
    expect(program.error?.message).toBe(
      'hmm_mirror_unregister: argument 1 is a struct hmm_range, not a struct hmm_mirror',
    );
  });
});

describe('the definition of a struct', () => {
  it('that is as in the kernel says so', () => {
    const text =
      'struct hmm_mirror_ops {\n\tvoid (*release)(struct hmm_mirror *mirror);\n\tint (*sync_cpu_device_pagetables)(struct hmm_mirror *mirror, const struct hmm_update *update);\n};';
    const { output, codes } = interfaceOf(withProcess('5.2'), text);
    expect(codes).toEqual([]);
    expect(output).toEqual(['struct hmm_mirror_ops: 2 members, all as in 5.2']);
  });
  it('with members that the release does not have, or has otherwise, has a finding at each', () => {
    const text = 'struct hmm_range {\n\tunsigned long start;\n\tu8 end;\n\tuint64_t *pfns;\n\tint colour;\n};';
    const { output, findings } = interfaceOf(withProcess('6.12'), text);
    expect(findings.map(({ code, span }) => [code, text.slice(span.start, span.end)])).toEqual([
      ['field-differs', 'end'],
      ['no-such-field', 'pfns'],
      ['no-such-field', 'colour'],
    ]);
    expect(findings[1]?.message).toContain('only from 4.14 to 5.7; it is hmm_pfns now');
    expect(output[0]).toMatch(
      /^struct hmm_range: 4 members, 3 not as in 6.12 \(end, pfns, colour\); the kernel's has also .*hmm_pfns/,
    );
  });
  it('of callbacks with other arguments says which', () => {
    const text =
      'struct hmm_mirror_ops {\n\tvoid (*sync_cpu_device_pagetables)(struct hmm_mirror *mirror, unsigned long start);\n};';
    const { findings } = interfaceOf(withProcess('4.14'), text);
    expect(findings).toMatchObject([{ code: 'field-differs', message: expect.stringContaining('4 arguments, not 2') }]);
  });
  it('of callbacks that return another type says which', () => {
    const text =
      'struct dev_pagemap_ops {\n\tint (*migrate_to_ram)(struct vm_fault *vmf);\n\tvoid (*kill)(struct dev_pagemap *pgmap);\n};';
    const { findings } = interfaceOf(withProcess('5.4'), text);
    expect(findings.map(({ message }) => message)).toEqual([
      'migrate_to_ram of struct dev_pagemap_ops is otherwise in 5.4: it returns unsigned int, not int.',
    ]);
  });
  it('that this release does not have says when there was one; one of the text itself is none of the kernel', () => {
    const { codes, output } = interfaceOf(
      withProcess('6.12'),
      'struct hmm_mirror_ops { int a; };\nstruct my_own { int a; };',
    );
    expect(codes).toEqual(['not-in-release']);
    expect(output).toEqual(['struct hmm_mirror_ops: 6.12 has no such struct', 'struct my_own: declared by this text']);
  });
});
