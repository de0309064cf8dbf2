/** lib/test_hmm.c: the module comes and goes: hmm_dmirror_init and hmm_dmirror_exit. */
import { objectPointer } from '../../c/value.ts';
import { mutex_destroy, mutex_init } from '../../kernel/locking.ts';
import type { Kernel } from '../../machine/kernel.ts';
import { UnorderedMap } from '../../store/unorderedMap.ts';
import type { KernelGenerator } from '../../task/task.ts';
import { stateOf } from './backing.ts';
import { dmirror_allocate_chunk, dmirror_device_remove_chunks } from './devmem.ts';
import type { DmirrorDevice, DmirrorState, DmirrorType } from './dmirror.ts';

/** dmirror_device_init. 0 or an errno. */
function* dmirror_device_init(kernel: Kernel, id: number, type: DmirrorType, spm: bigint): KernelGenerator<number> {
  const { devices } = stateOf(kernel);
  const mdevice: DmirrorDevice = {
    id,
    type,
    spm,
    owner: objectPointer({ $struct: 'dmirror_device', id: BigInt(id) }),
    chunks: [],
    devmem_lock: mutex_init(kernel, `devmem_lock of hmm_dmirror${id}`),
    free_pages: [],
    free_folios: [],
    calloc: 0,
    cfree: 0,
  };
  kernel.store.splice(devices, devices.length, 0, mdevice);
  return yield* dmirror_allocate_chunk(kernel, mdevice, 'none');
}

function* dmirror_device_remove(kernel: Kernel, mdevice: DmirrorDevice): KernelGenerator<void> {
  yield* dmirror_device_remove_chunks(kernel, mdevice);
  mutex_destroy(kernel, mdevice.devmem_lock);
}

/**
 * hmm_dmirror_init: two devices with private memory; with both addresses (6.0) two more with coherent memory there.
 * 0, or the errno with which init fails; then everything is as before.
 */
export function* hmm_dmirror_init(kernel: Kernel, spm: readonly [bigint, bigint] | undefined): KernelGenerator<number> {
  const { store, state } = kernel;
  const dmirror: DmirrorState = {
    module: 'coming',
    task: kernel.current,
    devices: [],
    mirrors: [],
    backing: new UnorderedMap(),
    user: new UnorderedMap(),
    huge: new UnorderedMap(),
  };
  store.set(state, 'dmirror', dmirror);
  // The first coherent device takes spm_addr_dev1: test_hmm.c asks whether the minor number less two is not zero.
  const wanted: [DmirrorType, bigint][] = [
    ['PRIVATE', 0n],
    ['PRIVATE', 0n],
  ];
  if (spm) wanted.push(['COHERENT', spm[1]], ['COHERENT', spm[0]]);
  for (const [id, [type, start]] of wanted.entries()) {
    const error = yield* dmirror_device_init(kernel, id, type, start);
    if (error >= 0) continue;
    for (const mdevice of dmirror.devices.toReversed()) yield* dmirror_device_remove(kernel, mdevice);
    store.set(state, 'dmirror', undefined);
    return error;
  }
  kernel.pr_info('HMM test module loaded. This is only for testing HMM.');
  store.set(dmirror, 'module', 'live');
  return 0;
}

/** hmm_dmirror_exit. Nobody has a device open: the module would be in use. */
export function* hmm_dmirror_exit(kernel: Kernel): KernelGenerator<void> {
  const dmirror = stateOf(kernel);
  kernel.store.set(dmirror, 'module', 'going');
  kernel.store.set(dmirror, 'task', kernel.current);
  for (const mdevice of dmirror.devices) yield* dmirror_device_remove(kernel, mdevice);
  kernel.store.set(kernel.state, 'dmirror', undefined);
}
