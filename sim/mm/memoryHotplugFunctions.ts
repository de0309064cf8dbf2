/** Memory hotplug for C code and the shell: mm/memory_hotplug.c and drivers/base/memory.c. */
import { BadAccess, integer, stringOf, VOID } from '../c/value.ts';
import { MHP_NONE } from '../include/memory.ts';
import { type ErrorCase, type FunctionRecord, fn, variant } from '../kernel/registry.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import {
  __add_memory,
  add_memory,
  add_memory_driver_managed,
  offline_and_remove_memory,
  remove_memory,
} from './add_memory.ts';
import { memory_block_size_bytes } from './memory_block.ts';

const FILE = 'mm/memory_hotplug.c';
const ADD_ERRORS: readonly ErrorCase[] = [
  { returns: '-EINVAL', when: 'start or size is not a multiple of the memory block size, or the node cannot exist' },
  { returns: '-E2BIG', when: 'the range ends beyond what can be mapped' },
  { returns: '-EEXIST', when: 'something busy lies in the range' },
  { returns: '-ENOMEM', when: 'there is no memory for the struct pages' },
];
const REMOVE_ERRORS: readonly ErrorCase[] = [
  { returns: '-EBUSY', when: 'a block of the range is not offline' },
  { returns: '-EINVAL', when: 'only some blocks of the range hold their own memory map' },
];

const status = (body: KernelGenerator<number>) =>
  (function* () {
    return integer(yield* body);
  })();

type Add = (kernel: Kernel, nid: number, start: bigint, size: bigint, flags: number) => KernelGenerator<number>;

/** add_memory and __add_memory: the flags came with 5.10. */
const adding = (name: string, add: Add) => [
  variant(
    '4.3',
    FILE,
    `int ${name}(int nid, u64 start, u64 size)`,
    (kernel, args) => status(add(kernel, args.num(0), args.big(1), args.big(2), MHP_NONE)),
    ADD_ERRORS,
    '5.9',
  ),
  variant(
    '5.10',
    FILE,
    `int ${name}(int nid, u64 start, u64 size, mhp_t mhp_flags)`,
    (kernel, args) => status(add(kernel, args.num(0), args.big(1), args.big(2), args.num(3))),
    ADD_ERRORS,
  ),
];

export const MEMORY_HOTPLUG_FUNCTIONS: readonly FunctionRecord[] = [
  fn(
    'add_memory',
    'Adds System RAM at a physical address: a resource, struct pages, and memory blocks that are offline unless auto_online_blocks says otherwise. No zone changes before a block comes online.',
    adding('add_memory', add_memory),
  ),
  fn(
    '__add_memory',
    'The same for a caller that holds device_hotplug_lock.',
    adding('__add_memory', __add_memory).map((each) => ({
      ...each,
      since: each.since === '4.3' ? '4.20' : each.since,
    })),
  ),
  fn(
    'add_memory_driver_managed',
    'Adds memory that only a driver knows of, such as persistent memory used as RAM. Its resource is named after the driver, and firmware maps do not get to see it.',
    [
      variant(
        '5.8',
        FILE,
        'int add_memory_driver_managed(int nid, u64 start, u64 size, const char *resource_name)',
        (kernel, args) =>
          status(
            add_memory_driver_managed(
              kernel,
              args.num(0),
              args.big(1),
              args.big(2),
              stringOf(args.pointer(3)) ?? '',
              MHP_NONE,
            ),
          ),
        [{ returns: '-EINVAL', when: 'the name is not System RAM ($DRIVER)' }, ...ADD_ERRORS],
        '5.9',
      ),
      variant(
        '5.10',
        FILE,
        'int add_memory_driver_managed(int nid, u64 start, u64 size, const char *resource_name, mhp_t mhp_flags)',
        (kernel, args) =>
          status(
            add_memory_driver_managed(
              kernel,
              args.num(0),
              args.big(1),
              args.big(2),
              stringOf(args.pointer(3)) ?? '',
              args.num(4),
            ),
          ),
        [{ returns: '-EINVAL', when: 'the name is not System RAM ($DRIVER)' }, ...ADD_ERRORS],
      ),
    ],
  ),
  fn('remove_memory', 'Takes memory away whose blocks are all offline: blocks, struct pages, sections and resource.', [
    variant(
      '4.3',
      FILE,
      'void remove_memory(int nid, u64 start, u64 size)',
      (kernel, args) =>
        (function* () {
          // It could not fail then: a block that is online was a BUG.
          if (yield* remove_memory(kernel, args.big(1), args.big(2)))
            throw new BadAccess('remove_memory: a block is not offline: kernel BUG in mm/memory_hotplug.c');
          return VOID;
        })(),
      [],
      '5.2',
    ),
    variant(
      '5.3',
      FILE,
      'int remove_memory(int nid, u64 start, u64 size)',
      (kernel, args) => status(remove_memory(kernel, args.big(1), args.big(2))),
      REMOVE_ERRORS,
      '5.14',
    ),
    variant(
      '5.15',
      FILE,
      'int remove_memory(u64 start, u64 size)',
      (kernel, args) => status(remove_memory(kernel, args.big(0), args.big(1))),
      REMOVE_ERRORS,
    ),
  ]),
  fn('offline_and_remove_memory', 'Takes the blocks of a range offline and removes them, or leaves all as it was.', [
    variant(
      '5.8',
      FILE,
      'int offline_and_remove_memory(int nid, u64 start, u64 size)',
      (kernel, args) => status(offline_and_remove_memory(kernel, args.big(1), args.big(2))),
      [{ returns: '-EINVAL', when: 'start or size is not a multiple of the memory block size' }, ...REMOVE_ERRORS],
      '5.14',
    ),
    variant(
      '5.15',
      FILE,
      'int offline_and_remove_memory(u64 start, u64 size)',
      (kernel, args) => status(offline_and_remove_memory(kernel, args.big(0), args.big(1))),
      [{ returns: '-EINVAL', when: 'start or size is not a multiple of the memory block size' }, ...REMOVE_ERRORS],
    ),
  ]),
  fn('memory_block_size_bytes', 'The size of a memory block, chosen at boot from the memory there is.', [
    variant('4.3', 'arch/x86/mm/init_64.c', 'unsigned long memory_block_size_bytes(void)', (kernel) =>
      integer(memory_block_size_bytes(kernel), 'unsigned long'),
    ),
  ]),
  fn(
    'online_pages',
    'Brings a range of added memory into a zone and gives its pages to the page allocator; called when a memory block is onlined.',
    [
      {
        since: '5.15',
        file: FILE,
        prototype:
          'int online_pages(unsigned long pfn, unsigned long nr_pages, struct zone *zone, struct memory_group *group)',
        errors: [{ returns: '-EINVAL', when: 'the range does not start at a pageblock or end with a section' }],
      },
    ],
  ),
  fn(
    'offline_pages',
    'Takes a range out of its zone: isolates it, moves what is movable elsewhere, and lets the zone shrink. Pinned pages make it try for ever.',
    [
      {
        since: '6.12',
        file: FILE,
        prototype:
          'int offline_pages(unsigned long start_pfn, unsigned long nr_pages, struct zone *zone, struct memory_group *group)',
        errors: [
          { returns: '-EINVAL', when: 'the range has holes or lies in several zones' },
          { returns: '-EBUSY', when: 'something that cannot be moved lies in it' },
        ],
      },
    ],
  ),
];
