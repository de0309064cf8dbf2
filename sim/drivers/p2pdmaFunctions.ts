/** Peer-to-peer DMA for C code and the shell: drivers/pci/p2pdma.c and what of PCI and DMA it needs. */
import {
  addressPointer,
  BadAccess,
  type CArray,
  type CallArgs,
  type CPointer,
  type CStruct,
  integer,
  NULL,
  objectPointer,
  pagePointer,
  structAt,
  VOID,
} from '../c/value.ts';
import { type FunctionRecord, fn, variant } from '../kernel/registry.ts';
import { percpuRef } from '../lib/percpu-refcount.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { DeviceState } from '../machine/state.ts';
import { pageArg } from '../mm/page_arg.ts';
import { deviceArg, devres_release_all } from './base/devres.ts';
import {
  type PciDev,
  p2pdma_page_free,
  pci_alloc_p2pmem,
  pci_free_p2pmem,
  pci_p2pdma_add_resource,
  pci_p2pdma_percpu_cleanup,
  pci_p2pmem_virt_to_bus,
} from './p2pdma.ts';
import {
  devOf,
  dmaAddress,
  mapTypeNumber,
  pci_p2pdma_distance_many,
  pci_p2pdma_map_type,
  pci_p2pmem_find_many,
  pciDev,
} from './p2pdmaMap.ts';

const FILE = 'drivers/pci/p2pdma.c';

function pdevArg(kernel: Kernel, args: CallArgs, index: number): PciDev {
  const found = devOf(kernel, args.struct(index, 'pci_dev'));
  if (!found)
    throw new BadAccess(`${args.name}: this struct pci_dev is no device; take one from pci_get_domain_bus_and_slot()`);
  return found;
}

const toPdev = (dev: PciDev | undefined): CPointer => (dev ? objectPointer(dev.pdev) : NULL);

/** `struct device **clients`: an array of `count` pointers. */
function deviceList(kernel: Kernel, args: CallArgs, index: number, count: number): DeviceState[] {
  if (count <= 0) return [];
  const { target } = args.pointer(index);
  const object = target.kind === 'object' || target.kind === 'slot' ? target.object : undefined;
  const first = target.kind === 'slot' ? Number(target.key) : 0;
  const list = object && '$array' in object ? (object as CArray).elements.slice(first, first + count) : [];
  if (list.length < count) throw new BadAccess(`${args.name}: the array of devices has fewer than ${count} entries`);
  return list.map((slot) => {
    const device = typeof slot === 'object' && 'kind' in slot ? structAt(slot as CPointer) : undefined;
    const found = kernel.state.devices.find((candidate) => candidate.device === device);
    if (!found) throw new BadAccess(`${args.name}: the array of devices holds something else`);
    return found;
  });
}

/** Writes through an `unsigned int *`. */
function writeCount(kernel: Kernel, args: CallArgs, index: number, value: bigint): void {
  const { target } = args.pointer(index);
  if (target.kind !== 'slot') throw new BadAccess(`${args.name}: argument ${index + 1} points to no variable`);
  if ('$array' in target.object) kernel.store.set((target.object as CArray).elements, Number(target.key), value);
  else kernel.store.set(target.object as CStruct, String(target.key), value);
}

const pfnOf = (kernel: Kernel, address: bigint): number => Number((address - kernel.arch.PAGE_OFFSET) >> 12n);

/** The entries of a scatterlist: one struct, as p2pdma makes them. */
function mapList(kernel: Kernel, device: DeviceState, sgl: CStruct): number {
  const page = sgl.page_link;
  if (typeof page !== 'object' || !('kind' in page) || (page as CPointer).target.kind !== 'page') return -22;
  const { target } = page as CPointer;
  const found = dmaAddress(kernel, device, target.kind === 'page' ? target.pfn : 0);
  if (typeof found === 'number') return found;
  const offset = typeof sgl.offset === 'bigint' ? sgl.offset : 0n;
  kernel.store.set(sgl, 'dma_address', found.address + offset);
  kernel.store.set(sgl, 'dma_length', sgl.length ?? 0n);
  kernel.store.set(sgl, 'dma_flags', found.isBus ? 1n : 0n);
  return 0;
}

export const P2PDMA_FUNCTIONS: readonly FunctionRecord[] = [
  fn('pci_get_domain_bus_and_slot', 'The PCI function at an address, from the machine file.', [
    variant(
      '4.3',
      'drivers/pci/search.c',
      'struct pci_dev *pci_get_domain_bus_and_slot(int domain, unsigned int bus, unsigned int devfn)',
      (kernel, args) => {
        const devfn = args.num(2);
        const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0');
        return toPdev(
          pciDev(kernel, `${hex(args.num(0), 4)}:${hex(args.num(1), 2)}:${hex(devfn >> 3, 2)}.${devfn & 7}`),
        );
      },
      [{ returns: 'NULL', when: 'the machine has no such function' }],
    ),
  ]),
  fn(
    'PCI_DEVFN',
    'Slot and function of a PCI address in one number.',
    [
      variant('4.3', 'include/uapi/linux/pci.h', '#define PCI_DEVFN(slot, func)', (_kernel, args) =>
        integer(((args.num(0) & 31) << 3) | (args.num(1) & 7)),
      ),
    ],
    { macro: true },
  ),
  fn(
    'device_release_driver',
    'Takes the driver off a device, as writing its name to unbind does; whatever devm_ functions did is undone, newest first.',
    [
      variant('4.3', 'drivers/base/dd.c', 'void device_release_driver(struct device *dev)', function* (kernel, args) {
        yield* devres_release_all(kernel, deviceArg(kernel, args, 0));
        return VOID;
      }),
    ],
  ),
  fn(
    'pci_p2pdma_add_resource',
    'Gives part of a memory BAR struct pages of type MEMORY_DEVICE_PCI_P2PDMA and puts it into the pool of the device, from which others may allocate. It is not published by that.',
    [
      variant(
        '4.20',
        FILE,
        'int pci_p2pdma_add_resource(struct pci_dev *pdev, int bar, size_t size, u64 offset)',
        function* (kernel, args) {
          return integer(
            yield* pci_p2pdma_add_resource(kernel, pdevArg(kernel, args, 0), args.num(1), args.big(2), args.big(3)),
          );
        },
        [
          { returns: '-EINVAL', when: 'the BAR is no memory, or the part lies outside it, or is not aligned' },
          { returns: '-ENXIO', when: 'System RAM lies there' },
          { returns: '-ENOMEM', when: 'another live mapping holds the range, or there is no memory' },
        ],
      ),
    ],
  ),
  fn(
    'pci_alloc_p2pmem',
    'Allocates from the pool of a provider, in whole pages. Each allocation keeps the mapping alive, so unbinding the provider waits for it.',
    [
      variant(
        '4.20',
        FILE,
        'void *pci_alloc_p2pmem(struct pci_dev *pdev, size_t size)',
        function* (kernel, args) {
          return addressPointer(yield* pci_alloc_p2pmem(kernel, pdevArg(kernel, args, 0), args.big(1)));
        },
        [{ returns: 'NULL', when: 'the device provides none, the pool has no room, or the mapping is going away' }],
      ),
    ],
  ),
  fn('pci_free_p2pmem', 'Gives an allocation back to the pool of its provider.', [
    variant(
      '4.20',
      FILE,
      'void pci_free_p2pmem(struct pci_dev *pdev, void *addr, size_t size)',
      function* (kernel, args) {
        yield* pci_free_p2pmem(kernel, pdevArg(kernel, args, 0), args.big(1), args.big(2));
        return VOID;
      },
    ),
  ]),
  fn('pci_p2pmem_virt_to_bus', 'The address at which the bus sees an allocation.', [
    variant(
      '4.20',
      FILE,
      'pci_bus_addr_t pci_p2pmem_virt_to_bus(struct pci_dev *pdev, void *addr)',
      (kernel, args) =>
        integer(pci_p2pmem_virt_to_bus(kernel, pdevArg(kernel, args, 0), args.big(1)), 'unsigned long long'),
      [{ returns: '0', when: 'the address is NULL or none of the provider' }],
    ),
  ]),
  fn('pci_p2pmem_alloc_sgl', 'Allocates and describes the memory by a scatterlist of one entry.', [
    variant(
      '4.20',
      FILE,
      'struct scatterlist *pci_p2pmem_alloc_sgl(struct pci_dev *pdev, unsigned int *nents, u32 length)',
      function* (kernel, args) {
        const length = args.big(2);
        const address = yield* pci_alloc_p2pmem(kernel, pdevArg(kernel, args, 0), length);
        if (address === 0n) return NULL;
        writeCount(kernel, args, 1, 1n);
        return objectPointer({
          $struct: 'scatterlist',
          page_link: pagePointer(pfnOf(kernel, address)),
          offset: 0n,
          length,
          dma_address: 0n,
          dma_length: 0n,
          dma_flags: 0n,
        });
      },
      [{ returns: 'NULL', when: 'nothing could be allocated' }],
    ),
  ]),
  fn('pci_p2pmem_free_sgl', 'Frees what pci_p2pmem_alloc_sgl allocated.', [
    variant(
      '4.20',
      FILE,
      'void pci_p2pmem_free_sgl(struct pci_dev *pdev, struct scatterlist *sgl)',
      function* (kernel, args) {
        const sgl = args.struct(1, 'scatterlist');
        const page = sgl.page_link;
        if (typeof page === 'object' && 'kind' in page && (page as CPointer).target.kind === 'page') {
          const { target } = page as CPointer;
          const pfn = target.kind === 'page' ? target.pfn : 0;
          const length = typeof sgl.length === 'bigint' ? sgl.length : 0n;
          const address = kernel.arch.PAGE_OFFSET + (BigInt(pfn) << 12n);
          yield* pci_free_p2pmem(kernel, pdevArg(kernel, args, 0), address, length);
        }
        return VOID;
      },
    ),
  ]),
  fn('pci_p2pmem_publish', 'Lets other drivers find the memory of a provider.', [
    variant('4.20', FILE, 'void pci_p2pmem_publish(struct pci_dev *pdev, bool publish)', (kernel, args) => {
      const { p2pdma } = pdevArg(kernel, args, 0);
      if (p2pdma) kernel.store.set(p2pdma, 'published', args.big(1) !== 0n);
      return VOID;
    }),
  ]),
  fn('pci_has_p2pmem', 'Whether a device has published peer-to-peer memory.', [
    variant('4.20', FILE, 'bool pci_has_p2pmem(struct pci_dev *pdev)', (kernel, args) =>
      integer(pdevArg(kernel, args, 0).p2pdma?.published ? 1 : 0, 'bool'),
    ),
  ]),
  fn(
    'pci_p2pdma_distance_many',
    'How far a provider is from all clients together, counted in steps over PCI bridges.',
    [
      variant(
        '4.20',
        FILE,
        'int pci_p2pdma_distance_many(struct pci_dev *provider, struct device **clients, int num_clients, bool verbose)',
        (kernel, args) =>
          integer(
            pci_p2pdma_distance_many(
              kernel,
              pdevArg(kernel, args, 0),
              deviceList(kernel, args, 1, args.num(2)),
              args.big(3) !== 0n,
            ),
          ),
        [{ returns: '-1', when: 'there is no client, or one is not PCI or cannot reach the provider' }],
      ),
    ],
  ),
  fn('pci_p2pdma_distance', 'pci_p2pdma_distance_many for one client.', [
    variant(
      '4.20',
      'include/linux/pci-p2pdma.h',
      'int pci_p2pdma_distance(struct pci_dev *provider, struct device *client, bool verbose)',
      (kernel, args) =>
        integer(
          pci_p2pdma_distance_many(kernel, pdevArg(kernel, args, 0), [deviceArg(kernel, args, 1)], args.big(2) !== 0n),
        ),
      [{ returns: '-1', when: 'the client is not PCI or cannot reach the provider' }],
    ),
  ]),
  fn('pci_p2pmem_find_many', 'The published provider that is closest to all clients.', [
    variant(
      '4.20',
      FILE,
      'struct pci_dev *pci_p2pmem_find_many(struct device **clients, int num_clients)',
      (kernel, args) => toPdev(pci_p2pmem_find_many(kernel, deviceList(kernel, args, 0, args.num(1)))),
      [{ returns: 'NULL', when: 'none is published that all clients can reach' }],
    ),
  ]),
  fn('pci_p2pmem_find', 'pci_p2pmem_find_many for one client.', [
    variant(
      '4.20',
      'include/linux/pci-p2pdma.h',
      'struct pci_dev *pci_p2pmem_find(struct device *client)',
      (kernel, args) => toPdev(pci_p2pmem_find_many(kernel, [deviceArg(kernel, args, 0)])),
      [{ returns: 'NULL', when: 'none is published that the client can reach' }],
    ),
  ]),
  fn('pci_p2pdma_map_type', 'How a device reaches the memory of a provider; noted for the pair once it is known.', [
    variant(
      '5.4',
      FILE,
      'enum pci_p2pdma_map_type pci_p2pdma_map_type(struct pci_dev *provider, struct device *dev)',
      (kernel, args) =>
        integer(
          mapTypeNumber(kernel, pci_p2pdma_map_type(kernel, pdevArg(kernel, args, 0), deviceArg(kernel, args, 1))),
        ),
    ),
  ]),
  fn('pci_p2pdma_map_sg', 'Maps a list of peer-to-peer pages for a device.', [
    variant(
      '4.20',
      FILE,
      'int pci_p2pdma_map_sg(struct device *dev, struct scatterlist *sg, int nents, enum dma_data_direction dir)',
      (kernel, args) => {
        const error = mapList(kernel, deviceArg(kernel, args, 0), args.struct(1, 'scatterlist'));
        if (error) kernel.WARN('pci_p2pdma_map_sg: this device cannot reach the memory');
        return integer(error ? 0 : args.num(2));
      },
      [{ returns: '0', when: 'from 5.4, the device cannot reach the memory' }],
      '5.19',
    ),
  ]),
  fn('dma_map_sgtable', 'Maps a scatterlist for a device; peer-to-peer pages get the address the device can use.', [
    variant(
      '6.0',
      'kernel/dma/mapping.c',
      'int dma_map_sgtable(struct device *dev, struct sg_table *sgt, enum dma_data_direction dir, unsigned long attrs)',
      (kernel, args) => {
        const table = args.struct(1, 'sg_table');
        const pointer = table.sgl;
        const sgl = typeof pointer === 'object' && 'kind' in pointer ? structAt(pointer as CPointer) : undefined;
        return integer(sgl ? mapList(kernel, deviceArg(kernel, args, 0), sgl) : -22);
      },
      [
        { returns: '-EREMOTEIO', when: 'a peer-to-peer page is out of reach of the device' },
        { returns: '-EINVAL', when: 'the table is empty' },
      ],
    ),
  ]),
  fn('sg_page', 'The page of a scatterlist entry.', [
    variant('4.3', 'include/linux/scatterlist.h', 'struct page *sg_page(struct scatterlist *sg)', (_kernel, args) => {
      const page = args.struct(0, 'scatterlist').page_link;
      return typeof page === 'object' && 'kind' in page ? (page as CPointer) : NULL;
    }),
  ]),
  fn(
    'sg_dma_address',
    'The DMA address of a scatterlist entry after it was mapped.',
    [
      variant('4.3', 'include/linux/scatterlist.h', '#define sg_dma_address(sg)', (_kernel, args) => {
        const value = args.struct(0, 'scatterlist').dma_address;
        return integer(typeof value === 'bigint' ? value : 0n, 'unsigned long long');
      }),
    ],
    { macro: true },
  ),
  fn('pci_p2pdma_percpu_cleanup', 'What p2pdma gives its pagemaps as cleanup: waits for memory that is out.', [
    variant(
      '5.2',
      FILE,
      'void pci_p2pdma_percpu_cleanup(struct percpu_ref *ref)',
      function* (kernel, args) {
        yield* pci_p2pdma_percpu_cleanup(kernel, percpuRef(args.struct(0, 'percpu_ref'), args.name));
        return VOID;
      },
      [],
      '5.2',
    ),
  ]),
  fn('p2pdma_page_free', 'What p2pdma gives its pagemaps as page_free: the page is back in the pool.', [
    variant(
      '6.2',
      FILE,
      'void p2pdma_page_free(struct page *page)',
      function* (kernel, args) {
        yield* p2pdma_page_free(kernel, pageArg(kernel, args));
        return VOID;
      },
      [],
      '6.18',
    ),
  ]),
  fn('p2pdma_folio_free', 'What p2pdma gives its pagemaps as folio_free: the page is back in the pool.', [
    variant('6.19', FILE, 'void p2pdma_folio_free(struct folio *folio)', function* (kernel, args) {
      yield* p2pdma_page_free(kernel, pageArg(kernel, args));
      return VOID;
    }),
  ]),
];
