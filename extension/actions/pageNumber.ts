/** Reads what a person types to name a page. Free of vscode. */

export interface Frames {
  pageSize: number;
  extents: readonly { startPfn: number; endPfn: number; label: string }[];
}

/** `0x` makes it a physical address, anything else a page frame number. */
export function parsePage(text: string, { pageSize, extents }: Frames): { pfn: number } | { problem: string } {
  const plain = text.trim().replaceAll('_', '');
  const address = /^0x[0-9a-f]{1,13}$/i.test(plain);
  const pfn = /^pfn\s*0x([0-9a-f]{1,12})$/i.exec(plain)?.[1];
  const number =
    pfn !== undefined ? Number.parseInt(pfn, 16) : address || /^\d{1,14}$/.test(plain) ? Number(plain) : -1;
  if (number < 0) return { problem: 'A page frame number (1310720, pfn 0x140000) or a physical address (0x140000000)' };
  const page = address ? Math.floor(number / pageSize) : number;
  const end = extents.at(-1)?.endPfn ?? 0;
  if (page < end) return { pfn: page };
  return { problem: `Page frame ${page} is beyond the machine's last one, ${end - 1} (0x${(end - 1).toString(16)})` };
}
