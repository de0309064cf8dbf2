/**
 * The CPU touches a page that only a device can reach: the branch of mm/memory.c:do_swap_page for device-private
 * entries, and who is called by release: page_fault of the pagemap (to 4.20), of struct hmm_devmem (to 5.2),
 * migrate_to_ram of the ops since.
 */
import { is_device_private_entry, pte_pfn } from '../arch/pte.ts';
import { type CStruct, type CValue, objectPointer, pagePointer } from '../c/value.ts';
import { VM_FAULT_SIGBUS, type VmFault } from '../include/mm_types.ts';
import { folio_trylock, folio_unlock, folioLockWait } from '../kernel/locking.ts';
import { hex, type Kernel, type TracedCall } from '../machine/kernel.ts';
import type { MappedPagemap } from '../machine/state.ts';
import { after, finished, giving, type KernelGenerator } from '../task/task.ts';
import { vmaPointer } from './cviews.ts';
import { folio_get, folioHead } from './folio.ts';
import { faultArguments } from './hmm_devmem.ts';
import { page_pgmap, pointerField, structField } from './pagemap.ts';
import { entryAt } from './pgtable.ts';
import { put_device_page } from './zone_device_page.ts';

export { migration_entry_wait } from './migrate.ts';

/**
 * What becomes of the fault: whatever the driver gives, VM_FAULT_* bits. Its page has a reference meanwhile from
 * 6.1, and from 6.15 its lock: where somebody else has that, the fault waits and is tried again.
 */
export function device_private_fault(kernel: Kernel, vmf: VmFault, pfn: number): KernelGenerator<number> {
  const map = page_pgmap(kernel, pfn);
  if (!map) {
    kernel.WARN(`do_swap_page: device page ${hex(pfn)} has no pagemap`);
    return finished(VM_FAULT_SIGBUS);
  }
  vmf.page = pfn;
  if (!kernel.facts.migrateFaultPage) return tellDriver(kernel, map, vmf, pfn);
  const head = folioHead(kernel, pfn);
  // pte_same: it may have gone home before we came here.
  const { mm } = vmf.vma;
  const entry = entryAt(mm, vmf.vpn);
  if (!is_device_private_entry(entry)) return finished(0);
  const now = pte_pfn(entry);
  if (now !== pfn && folioHead(kernel, now) !== head) return finished(0);
  const locks = kernel.facts.migrateToRamUnderPageLock;
  if (locks && !folio_trylock(kernel, head)) return lockWait(kernel, head);
  folio_get(kernel, head);
  return after(tellDriver(kernel, map, vmf, pfn), letGo, kernel, pfn);
}

/** What the fault held of its page is let go. */
function letGo(kernel: Kernel, pfn: number, result: number): KernelGenerator<number> {
  // A huge folio may have been split meanwhile: lock and reference went with the page.
  const own = folioHead(kernel, pfn);
  if (kernel.facts.migrateToRamUnderPageLock) folio_unlock(kernel, own);
  const told = put_device_page(kernel, own);
  return told ? giving(told, result) : finished(result);
}

/** Another try, when somebody else has unlocked the page. */
function* lockWait(kernel: Kernel, head: number): KernelGenerator<number> {
  yield { kind: 'wait', on: folioLockWait(kernel, head) };
  return 0;
}

/** Who is told of a fault, and of which. */
interface Telling {
  readonly map: MappedPagemap;
  readonly vmf: VmFault;
  readonly pfn: number;
}

const toldAs = (name: string): TracedCall<Telling, number> => ({
  name,
  args: ({ map, vmf }) => [map.name, hex(vmf.vpn * 4096)],
  body: (kernel, { map, vmf, pfn }) =>
    map.native ? map.native.migrate_to_ram(kernel, vmf) : callC(kernel, map, vmf, pfn),
  print: hex,
});
/** Of the ops from 5.3; of the pagemap or of struct hmm_devmem before. */
const MIGRATE_TO_RAM = toldAs('migrate_to_ram');
const PAGE_FAULT = toldAs('page_fault');
const callbackOf = (kernel: Kernel): typeof PAGE_FAULT => (kernel.facts.devPagemapOps ? MIGRATE_TO_RAM : PAGE_FAULT);

const tellDriver = (kernel: Kernel, map: MappedPagemap, vmf: VmFault, pfn: number): KernelGenerator<number> =>
  kernel.run(callbackOf(kernel), { map, vmf, pfn });

/** A driver in C. */
function* callC(kernel: Kernel, map: MappedPagemap, vmf: VmFault, pfn: number): KernelGenerator<number> {
  const holder = kernel.facts.devPagemapOps ? structField(map.pgmap, 'ops') : map.pgmap;
  const { name } = callbackOf(kernel);
  const callback = holder && pointerField(holder, name);
  if (!callback || !kernel.callBack) {
    kernel.WARN(`do_swap_page: ${map.name} has no ${name}`);
    return VM_FAULT_SIGBUS;
  }
  const value = yield* kernel.callBack(callback, argumentsOf(kernel, vmf, pfn));
  return value.kind === 'integer' ? Number(BigInt.asUintN(32, value.value)) : 0;
}

/** struct vm_fault; to 5.2 its parts. */
function argumentsOf(kernel: Kernel, vmf: VmFault, pfn: number): CValue[] {
  if (!kernel.facts.devPagemapOps) return faultArguments(kernel, vmf);
  const { vma, vpn, flags } = vmf;
  const struct: CStruct = {
    $struct: 'vm_fault',
    vma: vmaPointer(kernel, vma),
    address: BigInt(vpn) << 12n,
    pgoff: BigInt(vma.pgoff + (vpn - vma.start)),
    flags: BigInt(flags),
    page: pagePointer(pfn),
  };
  return [objectPointer(struct)];
}
