/** References for C code and the shell: percpu references and completions, and what asks for a pagemap by page. */
import { BadAccess, type CallArgs, type CStruct, type CVoid, integer, NULL, objectPointer, VOID } from '../c/value.ts';
import { zoneOf } from '../include/mmzone.ts';
import { ZONE_DEVICE } from '../include/types.ts';
import { type FunctionRecord, fn, variant } from '../kernel/registry.ts';
import {
  type PercpuRef,
  percpu_ref_get_many,
  percpu_ref_init,
  percpu_ref_is_live,
  percpu_ref_kill,
  percpu_ref_put_many,
  percpu_ref_tryget_live,
  percpuRef,
} from '../lib/percpu-refcount.ts';
import type { Kernel } from '../machine/kernel.ts';
import { zoneDeviceIsOn } from '../machine/options.ts';
import { pageArg } from './page_arg.ts';
import { type PagemapType, page_pgmap, pagemapAt, typeOf } from './pagemap.ts';
import { type VmemAltmap, vmem_altmap_offset } from './sparse-vmemmap.ts';

const REF_FILE = 'include/linux/percpu-refcount.h';
const refArg = (args: CallArgs, index: number): PercpuRef => percpuRef(args.struct(index, 'percpu_ref'), args.name);

const doneOf = (completion: CStruct): bigint => (typeof completion.done === 'bigint' ? completion.done : 0n);

const isOfType = (kernel: Kernel, pfn: number, type: PagemapType): boolean => {
  const map = page_pgmap(kernel, pfn);
  return map !== undefined && typeOf(kernel, map.pgmap) === type;
};

const altmapArg = (args: CallArgs): VmemAltmap => args.struct(0, 'vmem_altmap') as VmemAltmap;

/** Both do nothing in a kernel without ZONE_DEVICE. */
const altmapOffset = (kernel: Kernel, args: CallArgs): number =>
  zoneDeviceIsOn(kernel) ? vmem_altmap_offset(altmapArg(args)) : 0;
function altmapFree(kernel: Kernel, args: CallArgs): CVoid {
  const altmap = altmapArg(args);
  if (zoneDeviceIsOn(kernel)) kernel.store.set(altmap, 'alloc', BigInt.asUintN(64, altmap.alloc - args.big(1)));
  return VOID;
}

export const REFERENCE_FUNCTIONS: readonly FunctionRecord[] = [
  fn(
    'percpu_ref_init',
    'Sets a reference counter up: live, with one reference, and a function for when the last is gone.',
    [
      variant(
        '4.3',
        'lib/percpu-refcount.c',
        'int percpu_ref_init(struct percpu_ref *ref, percpu_ref_func_t *release, unsigned int flags, gfp_t gfp)',
        (kernel, args) => {
          percpu_ref_init(kernel, args.struct(0, 'percpu_ref'), args.values.length > 1 ? args.pointer(1) : NULL);
          return integer(0);
        },
      ),
    ],
  ),
  fn('percpu_ref_get', 'Takes a reference; the caller has one already.', [
    variant('4.3', REF_FILE, 'void percpu_ref_get(struct percpu_ref *ref)', (kernel, args) => {
      percpu_ref_get_many(kernel, refArg(args, 0), 1);
      return VOID;
    }),
  ]),
  fn('percpu_ref_tryget_live', 'Takes a reference unless the counter was killed.', [
    variant('4.3', REF_FILE, 'bool percpu_ref_tryget_live(struct percpu_ref *ref)', (kernel, args) =>
      integer(percpu_ref_tryget_live(kernel, refArg(args, 0)) ? 1 : 0, 'bool'),
    ),
  ]),
  fn('percpu_ref_put', 'Drops a reference; the last one calls the release function.', [
    variant('4.3', REF_FILE, 'void percpu_ref_put(struct percpu_ref *ref)', function* (kernel, args) {
      yield* percpu_ref_put_many(kernel, refArg(args, 0), 1);
      return VOID;
    }),
  ]),
  fn('percpu_ref_kill', 'Ends a reference counter: no new references are given, and its first one is dropped.', [
    variant('4.3', REF_FILE, 'void percpu_ref_kill(struct percpu_ref *ref)', function* (kernel, args) {
      yield* percpu_ref_kill(kernel, refArg(args, 0));
      return VOID;
    }),
  ]),
  fn('percpu_ref_is_dying', 'Whether a reference counter was killed.', [
    variant('4.3', REF_FILE, 'bool percpu_ref_is_dying(struct percpu_ref *ref)', (_kernel, args) =>
      integer(percpu_ref_is_live(refArg(args, 0)) ? 0 : 1, 'bool'),
    ),
  ]),
  fn('percpu_ref_exit', 'Frees what a reference counter uses, after its last reference is gone.', [
    variant('4.3', 'lib/percpu-refcount.c', 'void percpu_ref_exit(struct percpu_ref *ref)', (_kernel, args) => {
      refArg(args, 0);
      return VOID;
    }),
  ]),
  fn('init_completion', 'Makes a completion ready to be waited for.', [
    variant('4.3', 'include/linux/completion.h', 'void init_completion(struct completion *x)', (kernel, args) => {
      kernel.store.set(args.struct(0, 'completion'), 'done', 0n);
      return VOID;
    }),
  ]),
  fn('complete', 'Lets one of those who wait for a completion go on.', [
    variant('4.3', 'kernel/sched/completion.c', 'void complete(struct completion *x)', (kernel, args) => {
      const completion = args.struct(0, 'completion');
      kernel.store.set(completion, 'done', doneOf(completion) + 1n);
      return VOID;
    }),
  ]),
  fn('wait_for_completion', 'Sleeps until a completion was completed.', [
    variant(
      '4.3',
      'kernel/sched/completion.c',
      'void wait_for_completion(struct completion *x)',
      function* (kernel, args) {
        const completion = args.struct(0, 'completion');
        if (doneOf(completion) === 0n)
          yield {
            kind: 'wait',
            on: {
              what: 'a completion',
              ready: () => doneOf(completion) > 0n,
              holders: () => ['whoever is to call complete()'],
            },
          };
        kernel.store.set(completion, 'done', doneOf(completion) - 1n);
        return VOID;
      },
    ),
  ]),
  fn(
    'find_dev_pagemap',
    'Looks up the pagemap of a physical address without taking a reference; the caller is in an RCU read section.',
    [
      variant(
        '4.5',
        'kernel/memremap.c',
        'struct dev_pagemap *find_dev_pagemap(resource_size_t phys)',
        (kernel, args) => {
          const found = pagemapAt(kernel, Number(args.big(0) >> 12n));
          return found ? objectPointer(found.pgmap) : NULL;
        },
        [{ returns: 'NULL', when: 'no pagemap covers the address' }],
        '4.15',
      ),
    ],
    { replacedBy: 'get_dev_pagemap' },
  ),
  fn(
    'dev_pagemap_get_ops',
    'Says that a driver wants to hear of its device pages: from now on put_page looks whether a page is one.',
    [
      variant(
        '4.18',
        'kernel/memremap.c',
        'void dev_pagemap_get_ops(void)',
        (kernel) => {
          kernel.store.set(kernel.state, 'devmap_managed_key', kernel.state.devmap_managed_key + 1);
          return VOID;
        },
        [],
        '5.2',
      ),
    ],
  ),
  fn('dev_pagemap_put_ops', 'Ends one dev_pagemap_get_ops.', [
    variant(
      '4.18',
      'kernel/memremap.c',
      'void dev_pagemap_put_ops(void)',
      (kernel) => {
        const users = kernel.state.devmap_managed_key;
        if (users === 0) throw new BadAccess('dev_pagemap_put_ops: nobody called dev_pagemap_get_ops');
        kernel.store.set(kernel.state, 'devmap_managed_key', users - 1);
        return VOID;
      },
      [],
      '5.2',
    ),
  ]),
  fn('is_zone_device_page', 'True if the zone of a page is ZONE_DEVICE; always false where the option is off.', [
    variant(
      '4.5',
      'include/linux/mm.h',
      'bool is_zone_device_page(const struct page *page)',
      (kernel, args) => integer(zoneOf(kernel.pages.state.get(pageArg(kernel, args))) === ZONE_DEVICE ? 1 : 0, 'bool'),
      [],
      '5.17',
    ),
    variant('5.18', 'include/linux/mmzone.h', 'bool is_zone_device_page(const struct page *page)', (kernel, args) =>
      integer(zoneOf(kernel.pages.state.get(pageArg(kernel, args))) === ZONE_DEVICE ? 1 : 0, 'bool'),
    ),
  ]),
  fn('is_device_private_page', 'True for pages of ZONE_DEVICE whose pagemap is of type MEMORY_DEVICE_PRIVATE.', [
    variant(
      '4.14',
      'include/linux/memremap.h',
      'bool is_device_private_page(const struct page *page)',
      (kernel, args) => integer(isOfType(kernel, pageArg(kernel, args), 'PRIVATE') ? 1 : 0, 'bool'),
    ),
  ]),
  fn('is_device_coherent_page', 'True for pages of ZONE_DEVICE whose pagemap is of type MEMORY_DEVICE_COHERENT.', [
    variant(
      '6.0',
      'include/linux/memremap.h',
      'bool is_device_coherent_page(const struct page *page)',
      (kernel, args) => integer(isOfType(kernel, pageArg(kernel, args), 'COHERENT') ? 1 : 0, 'bool'),
    ),
  ]),
  fn('is_pci_p2pdma_page', 'True for pages of a PCI BAR that p2pdma gave struct pages.', [
    variant('4.20', 'include/linux/mm.h', 'bool is_pci_p2pdma_page(const struct page *page)', (kernel, args) =>
      integer(isOfType(kernel, pageArg(kernel, args), 'PCI_P2PDMA') ? 1 : 0, 'bool'),
    ),
  ]),
  fn(
    'vmem_altmap_offset',
    'How many pages of a mapping its altmap withholds at the start: those reserved and those kept for struct pages.',
    [
      variant(
        '4.5',
        'kernel/memremap.c',
        'unsigned long vmem_altmap_offset(struct vmem_altmap *altmap)',
        (kernel, args) => integer(altmapOffset(kernel, args), 'unsigned long'),
        [],
        '5.2',
      ),
      variant('5.3', 'mm/memremap.c', 'unsigned long vmem_altmap_offset(struct vmem_altmap *altmap)', (_kernel, args) =>
        integer(vmem_altmap_offset(altmapArg(args)), 'unsigned long'),
      ),
    ],
  ),
  fn('vmem_altmap_free', 'Gives pages that held struct pages back to the altmap they came from.', [
    variant(
      '4.5',
      'kernel/memremap.c',
      'void vmem_altmap_free(struct vmem_altmap *altmap, unsigned long nr_pfns)',
      altmapFree,
      [],
      '5.2',
    ),
    variant(
      '5.3',
      'mm/memremap.c',
      'void vmem_altmap_free(struct vmem_altmap *altmap, unsigned long nr_pfns)',
      altmapFree,
    ),
  ]),
];
