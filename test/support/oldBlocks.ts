/**
 * Blocks as the texts before 5.8 have them, in words and shapes of our own: the calls and declarations are those of the
 * interface, so the scenes stand at them as they do in the real texts, which a fresh clone does not have.
 */
import type { Release } from '../../sim/index.ts';

export interface OldText {
  /** First and last release that the blocks are of. */
  readonly since: Release;
  readonly until: Release;
  /** Blocks by the title of their section. */
  readonly sections: Readonly<Record<string, readonly string[]>>;
}

const MIRRORING = 'Address space mirroring implementation and API';
const POLICY = 'Leverage default_flags and pfn_flags_mask';
const MEMORY = 'Represent and manage device memory from core kernel point of view';
const MIGRATION = 'Migration to and from device memory';

const REGISTER = 'int hmm_mirror_register(struct hmm_mirror *mirror, struct mm_struct *mm);';
const REGISTER_BOTH = `${REGISTER}\nint hmm_mirror_register_locked(struct hmm_mirror *mirror, struct mm_struct *mm);`;
const UPDATE = 'struct hmm_mirror_ops {\n\tvoid (*update)(struct hmm_mirror *mirror, unsigned long start);\n};';
/** 5.4 has no struct hmm_update any more; its text does. */
const MIRROR_OPS =
  'struct hmm_mirror_ops {\n\tvoid (*release)(struct hmm_mirror *mirror);\n\tint (*sync_cpu_device_pagetables)(struct hmm_mirror *mirror, const struct hmm_update *update);\n};';

const BY_VMA = `int hmm_vma_get_pfns(struct vm_area_struct *vma, struct hmm_range *range,
                     unsigned long start, unsigned long end, hmm_pfn_t *pfns);
int hmm_vma_fault(struct vm_area_struct *vma, struct hmm_range *range,
                  unsigned long start, unsigned long end, hmm_pfn_t *pfns,
                  bool write, bool block);`;
const POPULATE_VMA = `int driver_populate_range(...)
{
	struct hmm_range range;
	int ret, valid = 0;
	...
	while (!valid) {
		ret = hmm_vma_get_pfns(vma, &range, start, end, pfns);
		if (ret != 0)
			break;
		take_lock(driver->update);
		valid = hmm_vma_range_done(vma, &range);
		if (valid) {
			// Use pfns array content to update device page table
			valid = 1;
		}
		release_lock(driver->update);
	}
	return ret;
}`;

const FILL = `	range.start = ...;
	range.end = ...;
	range.pfns = ...;
	range.flags = ...;
	range.values = ...;
	range.pfn_shift = ...;`;
const populateRegistered = (register: string, ask: string, busy: string, valid: string, unregister: string): string =>
  `int driver_populate_range(...)
{
	struct hmm_range range;
	long ret;
	...
${FILL}
	${register};
	do {
		hmm_range_wait_until_valid(&range, TIMEOUT_IN_MSEC);
		down_read(&mm->mmap_sem);
		ret = ${ask};
		if (ret == ${busy})
			up_read(&mm->mmap_sem);
	} while (ret == ${busy});
	if (ret == 0) {
		take_lock(driver->update);
		if (${valid}) {
			// Use pfns array content to update device page table
			ret = 0;
		}
		release_lock(driver->update);
	}
	${unregister};
	up_read(&mm->mmap_sem);
	return ret;
}`;
const populateNotified = (ask: string): string => `int driver_populate_range(...)
{
	struct hmm_range range;
	long ret;
	...
	range.notifier = &interval_sub;
${FILL}
	if (!mmget_not_zero(interval_sub->notifier.mm))
		return -EFAULT;
	for (;;) {
		range.notifier_seq = mmu_interval_read_begin(&interval_sub);
		down_read(&mm->mmap_sem);
		ret = ${ask};
		up_read(&mm->mmap_sem);
		if (ret == -EBUSY)
			continue;
		if (ret) {
			return ret;
		}
		take_lock(driver->update);
		if (!mmu_interval_read_retry(&ni, range.notifier_seq))
			break;
		release_lock(driver->update);
	}
	/* Use pfns array content to update device page table,
	 * under the update lock */

	release_lock(driver->update);
	return 0;
}`;

const BITS = 'range.flags[HMM_PFN_VALID] = (1 << 63);\nrange.flags[HMM_PFN_WRITE] = (1 << 62);';
const DEFAULT = 'range->default_flags = (1 << 63);\nrange->pfn_flags_mask = 0;';
const MASK =
  'range->default_flags = (1 << 63);\nrange->pfn_flags_mask = (1 << 62);\nrange->pfns[index_of_write] = (1 << 62);';

const DEVMEM = `struct hmm_devmem *hmm_devmem_add(const struct hmm_devmem_ops *ops, struct device *device, unsigned long size);
void hmm_devmem_remove(struct hmm_devmem *devmem);`;
const DEVMEM_OPS = `struct hmm_devmem_ops {
	void (*free)(struct hmm_devmem *devmem, struct page *page);
	int (*fault)(struct hmm_devmem *devmem, struct vm_area_struct *vma, unsigned long addr,
	             struct page *page, unsigned flags, pmd_t *pmdp);
};`;
const MIGRATE = `int migrate_vma(const struct migrate_vma_ops *ops, struct vm_area_struct *vma,
                unsigned long mentries, unsigned long start, unsigned long end,
                unsigned long *src, unsigned long *dst, void *private);`;
const MIGRATE_OPS = `struct migrate_vma_ops {
	void (*alloc_and_copy)(struct vm_area_struct *vma, const unsigned long *src, unsigned long *dst,
	                       unsigned long start, unsigned long end, void *private);
	void (*finalize_and_map)(struct vm_area_struct *vma, const unsigned long *src, const unsigned long *dst,
	                         unsigned long start, unsigned long end, void *private);
};`;
const INSERT = `int mmu_interval_notifier_insert(struct mmu_interval_notifier *interval_sub, struct mm_struct *mm,
                                 unsigned long start, unsigned long length,
                                 const struct mmu_interval_notifier_ops *ops);`;

const OF_DEVICE = { [MEMORY]: [DEVMEM, DEVMEM_OPS], [MIGRATION]: [MIGRATE, MIGRATE_OPS] };

export const OLD_TEXTS: readonly OldText[] = [
  {
    since: '4.14',
    until: '5.1',
    sections: { [MIRRORING]: [REGISTER_BOTH, UPDATE, BY_VMA, POPULATE_VMA], ...OF_DEVICE },
  },
  {
    since: '5.2',
    until: '5.2',
    sections: {
      [MIRRORING]: [
        REGISTER_BOTH,
        UPDATE,
        'long hmm_range_snapshot(struct hmm_range *range);\nlong hmm_range_fault(struct hmm_range *range, bool block);',
        populateRegistered(
          'hmm_range_register(&range)',
          'hmm_range_snapshot(&range)',
          '-EAGAIN',
          'range.valid',
          'hmm_mirror_unregister(&range)',
        ),
      ],
      [POLICY]: [DEFAULT.replace(';', ''), MASK],
      ...OF_DEVICE,
    },
  },
  {
    since: '5.3',
    until: '5.3',
    sections: {
      [MIRRORING]: [
        REGISTER,
        MIRROR_OPS,
        'long hmm_range_snapshot(struct hmm_range *range);\nlong hmm_range_fault(struct hmm_range *range, bool block);',
        populateRegistered(
          'hmm_range_register(&range)',
          'hmm_range_snapshot(&range)',
          '-EBUSY',
          'hmm_range_valid(&range)',
          'hmm_range_unregister(&range)',
        ),
      ],
      [POLICY]: [BITS, DEFAULT, MASK],
      [MIGRATION]: [MIGRATE, MIGRATE_OPS],
    },
  },
  {
    since: '5.4',
    until: '5.4',
    sections: {
      [MIRRORING]: [
        REGISTER,
        MIRROR_OPS,
        'long hmm_range_fault(struct hmm_range *range, unsigned int flags);',
        populateRegistered(
          'hmm_range_register(&range, mirror)',
          'hmm_range_fault(&range, HMM_RANGE_SNAPSHOT)',
          '-EBUSY',
          'hmm_range_valid(&range)',
          'hmm_range_unregister(&range)',
        ),
      ],
      [POLICY]: [BITS, DEFAULT, MASK],
    },
  },
  {
    since: '5.5',
    until: '5.6',
    sections: {
      [MIRRORING]: [
        INSERT,
        'long hmm_range_fault(struct hmm_range *range, unsigned int flags);',
        populateNotified('hmm_range_fault(&range, HMM_RANGE_SNAPSHOT)'),
      ],
      [POLICY]: [BITS, DEFAULT, MASK],
    },
  },
  {
    since: '5.7',
    until: '5.7',
    sections: {
      [MIRRORING]: [
        INSERT,
        'long hmm_range_fault(struct hmm_range *range);',
        populateNotified('hmm_range_fault(&range)'),
      ],
      [POLICY]: [BITS, DEFAULT, MASK],
    },
  },
];

/** The text as a document. */
export const documentOf = ({ sections }: OldText): string =>
  Object.entries(sections)
    .map(
      ([title, blocks]) =>
        `${title}\n${'='.repeat(title.length)}\n\n${blocks.map((code) => `It is::\n\n${code.replace(/^(?=.)/gm, '    ')}\n`).join('\n')}`,
    )
    .join('\n');
