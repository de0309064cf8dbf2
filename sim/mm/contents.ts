/** What pages hold. Only what someone wrote is kept; a page that is not listed holds zeros. */
import type { PageData } from '../include/mm_types.ts';
import type { Kernel } from '../machine/kernel.ts';

/** 32-bit words of a page. */
export const WORDS = 1024;

const ZEROS: PageData = { base: 0, step: 0 };

export const pageData = (kernel: Kernel, pfn: number): PageData => kernel.state.contents.get(pfn) ?? ZEROS;

export const wordOf = (data: PageData, word: number): number => (data.base + word * data.step) >>> 0;

export function setPageData(kernel: Kernel, pfn: number, data: PageData): void {
  const isZero = data.base === 0 && data.step === 0;
  if (isZero) kernel.store.mapDelete(kernel.state.contents, pfn);
  else kernel.store.mapSet(kernel.state.contents, pfn, data);
}

/** mm/highmem: clear_user_page. */
export const clear_highpage = (kernel: Kernel, pfn: number): void => setPageData(kernel, pfn, ZEROS);

/** copy_highpage: both pages hold the same afterwards. */
export const copy_highpage = (kernel: Kernel, to: number, from: number): void =>
  setPageData(kernel, to, pageData(kernel, from));
