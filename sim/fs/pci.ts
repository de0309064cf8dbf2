/** /sys/bus/pci/devices: the PCI functions of the machine, and the p2pmem group of those that provide memory. */
import { devres_release_all } from '../drivers/base/devres.ts';
import { gen_pool_avail, gen_pool_size } from '../drivers/genalloc.ts';
import { pciDev } from '../drivers/p2pdma.ts';
import type { Kernel } from '../machine/kernel.ts';
import { pciFunctions } from '../machine/pci.ts';
import type { Mount, VirtualNode } from './files.ts';

const ENODEV = -19;
const directory = (names: readonly string[]): VirtualNode => ({ kind: 'directory', names: () => names });
const text = (value: string): VirtualNode => ({ kind: 'file', read: () => `${value}\n` });

export const PCI_DEVICES: Mount = {
  path: '/sys/bus/pci/devices',
  at(kernel, [address, ...below]) {
    const all = pciFunctions(kernel.config);
    if (address === undefined) return directory([...all.keys()]);
    if (!all.has(address)) return undefined;
    const hasPool = kernel.state.pci.get(address)?.p2pdma !== undefined;
    if (below.length === 0) return directory([...(hasPool ? ['p2pmem'] : []), 'driver']);
    return fileOf(kernel, address, below.join('/'), hasPool);
  },
};

function fileOf(kernel: Kernel, address: string, path: string, hasPool: boolean): VirtualNode | undefined {
  if (path === 'driver') return directory(['unbind']);
  if (path === 'driver/unbind')
    return {
      kind: 'file',
      *write(written) {
        const dev = pciDev(kernel, address);
        if (!dev || written.trim() !== address) return ENODEV;
        yield* devres_release_all(kernel, dev.device);
        return 0;
      },
    };
  const p2pdma = hasPool ? kernel.state.pci.get(address)?.p2pdma : undefined;
  if (!p2pdma) return undefined;
  switch (path) {
    case 'p2pmem':
      return directory(['available', 'published', 'size']);
    case 'p2pmem/size':
      return text(String(gen_pool_size(p2pdma.chunks)));
    case 'p2pmem/available':
      return text(String(gen_pool_avail(p2pdma.chunks)));
    case 'p2pmem/published':
      return text(p2pdma.published ? '1' : '0');
    default:
      return undefined;
  }
}
