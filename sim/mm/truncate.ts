/**
 * mm/shmem.c and mm/truncate.c: objects behind shared memory. One of MAP_SHARED | MAP_ANONYMOUS has no name
 * anybody could open, so its pages go with its last mapping.
 */
import type { AddressSpace, Mm } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { filemap_remove_folio, newAddressSpace } from './filemap.ts';
import { folio_put_system } from './folio.ts';
import { hugetlb_reserve_pages, hugetlb_unreserve_pages } from './hugetlb_pool.ts';

const DEV_ZERO = '/dev/zero (deleted)';
const ANON_HUGE = '/anon_hugepage (deleted)';

const keyOf = (file: AddressSpace): string => `${file.name} ${file.id}`;

/**
 * shmem.c:shmem_zero_setup, or hugetlb.c:hugetlb_file_setup with its reservation: an object that only its mappings
 * know. -ENOMEM: there are not so many huge pages.
 */
export function unnamed_object(
  kernel: Kernel,
  kind: 'shmem' | 'hugetlb',
  pages: number,
  owner: Mm | undefined,
): AddressSpace | number {
  const file = newAddressSpace(kernel, kind === 'shmem' ? DEV_ZERO : ANON_HUGE, kind, pages);
  const error = kind === 'hugetlb' ? hugetlb_reserve_pages(kernel, file, pages, owner) : 0;
  if (error !== 0) {
    forget(kernel);
    return error;
  }
  kernel.store.mapSet(kernel.state.files, keyOf(file), file);
  return file;
}

/** The number of a file that was not to be is used again. */
const forget = ({ store, state }: Kernel): void => store.set(state, 'nextFile', state.nextFile - 1);

const isUnnamed = (file: AddressSpace): boolean => file.name === DEV_ZERO || file.name === ANON_HUGE;

/** A file by name, made with this size if there is none. */
export function open_file(kernel: Kernel, name: string, pages: number): AddressSpace {
  const known = kernel.state.files.get(name);
  if (known) return known;
  const file = newAddressSpace(kernel, name, 'file', pages);
  kernel.store.mapSet(kernel.state.files, name, file);
  return file;
}

/** A file that was made for a mapping that did not come about: it never was. */
export function forget_file(kernel: Kernel, name: string): void {
  kernel.store.mapDelete(kernel.state.files, name);
  forget(kernel);
}

/** shmem.c:shmem_evict_inode, with the last mapping of an object without a name: its page cache is dropped. */
export function truncate_unused(kernel: Kernel, file: AddressSpace): void {
  if (file.vmas.length > 0) return;
  if (file.kind === 'hugetlb') hugetlb_unreserve_pages(kernel, file);
  if (!isUnnamed(file)) return;
  for (const [index, pfn] of [...file.pages])
    if (file.kind === 'hugetlb') {
      kernel.store.mapDelete(file.pages, index);
      folio_put_system(kernel, pfn);
    } else filemap_remove_folio(kernel, file, index);
  kernel.store.mapDelete(kernel.state.files, keyOf(file));
}
