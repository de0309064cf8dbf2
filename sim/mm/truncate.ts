/**
 * mm/shmem.c and mm/truncate.c: objects behind shared memory. One of MAP_SHARED | MAP_ANONYMOUS has no name
 * anybody could open, so its pages go with its last mapping.
 */
import type { AddressSpace } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';
import { folio_put_system } from './folio.ts';

const DEV_ZERO = '/dev/zero (deleted)';
const ANON_HUGE = '/anon_hugepage (deleted)';

const keyOf = (file: AddressSpace): string => `${file.name} ${file.id}`;

/** shmem.c:shmem_zero_setup, or hugetlb_file_setup: an object that only its mappings know. */
export function unnamed_object(kernel: Kernel, kind: 'shmem' | 'hugetlb', pages: number): AddressSpace {
  const { state, store } = kernel;
  const name = kind === 'shmem' ? DEV_ZERO : ANON_HUGE;
  const file: AddressSpace = { id: state.nextFile, name, kind, pages: new Map(), vmas: [], size: pages };
  store.set(state, 'nextFile', state.nextFile + 1);
  store.mapSet(state.files, keyOf(file), file);
  return file;
}

const isUnnamed = (file: AddressSpace): boolean => file.name === DEV_ZERO || file.name === ANON_HUGE;

/** A file by name, made with this size if there is none. */
export function open_file(kernel: Kernel, name: string, pages: number): AddressSpace {
  const { state, store } = kernel;
  const known = state.files.get(name);
  if (known) return known;
  const file: AddressSpace = { id: state.nextFile, name, kind: 'file', pages: new Map(), vmas: [], size: pages };
  store.set(state, 'nextFile', state.nextFile + 1);
  store.mapSet(state.files, name, file);
  return file;
}

/** A file that was made for a mapping that did not come about: it never was. */
export function forget_file(kernel: Kernel, name: string): void {
  const { state, store } = kernel;
  store.mapDelete(state.files, name);
  store.set(state, 'nextFile', state.nextFile - 1);
}

/** shmem.c:shmem_evict_inode, with the last mapping of an object without a name: its page cache is dropped. */
export function truncate_unused(kernel: Kernel, file: AddressSpace): void {
  if (file.vmas.length > 0 || !isUnnamed(file)) return;
  for (const pfn of [...file.pages.values()]) folio_put_system(kernel, pfn);
  for (const index of [...file.pages.keys()]) kernel.store.mapDelete(file.pages, index);
  kernel.store.mapDelete(kernel.state.files, keyOf(file));
}
