/** hmm_devmem for C code and the shell: mm/hmm.c of 4.14 to 5.2. */
import { type CallArgs, integer, isNull, NULL, pagePointer, VOID } from '../c/value.ts';
import { deviceArg, dropAction } from '../drivers/base/devres.ts';
import { folio_trylock } from '../kernel/locking.ts';
import { HMM_DEVMEM_FUNCTION_RECORDS } from '../kernel/records/hmm_devmem.ts';
import { type FunctionRecord, withCode } from '../kernel/registry.ts';
import type { Resource } from '../kernel/resource.ts';
import type { Kernel } from '../machine/kernel.ts';
import { vmaOf } from './cviews.ts';
import { alloc_folio } from './folio.ts';
import { hmm_devmem_add, hmm_devmem_add_resource, hmm_devmem_release } from './hmm_devmem.ts';
import { pageArg } from './page_arg.ts';

export const HMM_DEVMEM_FUNCTIONS: readonly FunctionRecord[] = withCode(HMM_DEVMEM_FUNCTION_RECORDS, {
  *hmm_devmem_add(kernel: Kernel, args: CallArgs) {
    args.struct(0, 'hmm_devmem_ops');
    return yield* hmm_devmem_add(kernel, args.pointer(0), deviceArg(kernel, args, 1), args.big(2));
  },
  *hmm_devmem_add_resource(kernel: Kernel, args: CallArgs) {
    args.struct(0, 'hmm_devmem_ops');
    const res = args.struct(2, 'resource') as Resource;
    return yield* hmm_devmem_add_resource(kernel, args.pointer(0), deviceArg(kernel, args, 1), res);
  },
  *hmm_devmem_remove(kernel: Kernel, args: CallArgs) {
    if (isNull(args.pointer(0))) return VOID;
    const devmem = args.struct(0, 'hmm_devmem');
    for (const device of kernel.state.devices) dropAction(kernel, device, devmem);
    yield* hmm_devmem_release(kernel, devmem);
    return VOID;
  },
  hmm_devmem_page_set_drvdata(kernel, args) {
    kernel.store.mapSet(kernel.state.hmm_data, pageArg(kernel, args), BigInt.asUintN(64, args.big(1)));
    return VOID;
  },
  hmm_devmem_page_get_drvdata: (kernel, args) =>
    integer(kernel.state.hmm_data.get(pageArg(kernel, args)) ?? 0n, 'unsigned long'),
  hmm_vma_alloc_locked_page(kernel, args) {
    vmaOf(args.pointer(0), args.name);
    const folio = alloc_folio(kernel);
    if (!folio) return { ...NULL, to: 'struct page' };
    folio_trylock(kernel, folio.pfn);
    return pagePointer(folio.pfn);
  },
});
