/** Structs and constants of device drivers: references, PCI, scatterlists. */
import type { ConstantRecord, FieldRecord, StructRecord } from '../registry.ts';
import type { Release } from '../release.ts';

const field = (name: string, type: string, contract: string, since: Release = '4.3'): FieldRecord => ({
  name,
  type,
  contract,
  since,
});

const structs: readonly StructRecord[] = [
  {
    kind: 'struct',
    name: 'percpu_ref',
    file: 'include/linux/percpu-refcount.h',
    since: '4.3',
    contract: 'A reference counter that is cheap while it lives and exact once it was killed.',
    fields: [
      field('count', 'unsigned long', 'the references, exact after the counter was killed'),
      field('release', 'void (*)(struct percpu_ref *ref)', 'called when the last reference is gone'),
    ],
  },
  {
    kind: 'struct',
    name: 'completion',
    file: 'include/linux/completion.h',
    since: '4.3',
    contract: 'Something that one side waits for until another says that it is done.',
    fields: [field('done', 'unsigned int', 'how often it was completed and not yet waited for')],
  },
  {
    kind: 'struct',
    name: 'pci_dev',
    file: 'include/linux/pci.h',
    since: '4.3',
    contract: 'A PCI function.',
    fields: [
      field('devfn', 'unsigned int', 'slot and function'),
      field('dev', 'struct device', 'what makes it a device'),
    ],
  },
  {
    kind: 'struct',
    name: 'scatterlist',
    file: 'include/linux/scatterlist.h',
    since: '4.3',
    contract: 'A piece of memory in a list of pieces for DMA.',
    fields: [
      field('page_link', 'struct page *', 'the page; sg_page() reads it'),
      field('offset', 'unsigned int', 'bytes into the page'),
      field('length', 'unsigned int', 'bytes'),
      field('dma_address', 'unsigned long long', 'where the device finds it'),
      field('dma_length', 'unsigned int', 'bytes as the device sees them'),
      field('dma_flags', 'unsigned int', '1 where the address is one of the PCI bus'),
    ],
  },
  {
    kind: 'struct',
    name: 'sg_table',
    file: 'include/linux/scatterlist.h',
    since: '4.3',
    contract: 'A scatterlist with its length.',
    fields: [
      field('sgl', 'struct scatterlist *', 'the first entry'),
      field('nents', 'unsigned int', 'entries that are mapped'),
      field('orig_nents', 'unsigned int', 'entries there are'),
    ],
  },
];

const mapType = (name: string, contract: string, values: ConstantRecord['values']): ConstantRecord => ({
  kind: 'constant',
  name,
  file: 'include/linux/pci-p2pdma.h',
  contract,
  values,
});

const constants: readonly ConstantRecord[] = [
  mapType('PCI_P2PDMA_MAP_UNKNOWN', 'Nobody has asked for the pair yet.', [{ value: 0n, since: '5.4' }]),
  mapType('PCI_P2PDMA_MAP_NONE', 'The page is no peer-to-peer memory.', [{ value: 1n, since: '6.16' }]),
  mapType('PCI_P2PDMA_MAP_NOT_SUPPORTED', 'The device cannot reach the memory.', [
    { value: 1n, since: '5.4', until: '6.15' },
    { value: 2n, since: '6.16' },
  ]),
  mapType('PCI_P2PDMA_MAP_BUS_ADDR', 'The device reaches the memory below a common bridge, by its bus address.', [
    { value: 2n, since: '5.4', until: '6.15' },
    { value: 3n, since: '6.16' },
  ]),
  mapType('PCI_P2PDMA_MAP_THRU_HOST_BRIDGE', 'The way leads through the host bridge, as for ordinary memory.', [
    { value: 3n, since: '5.4', until: '6.15' },
    { value: 4n, since: '6.16' },
  ]),
];

export const DEVICE_RECORDS = [...structs, ...constants];
