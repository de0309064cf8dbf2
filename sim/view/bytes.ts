/**
 * Simulated memory as bytes, for whoever looks at it as memory: page contents by the linear map or by an address of
 * the current process, struct pages in vmemmap, structs by the layout of the members we know. Nothing here writes.
 */
import { PteKind, pte_index, pte_pfn, pteKind } from '../arch/pte.ts';
import { makeProgram } from '../c/evaluate.ts';
import { Layouts } from '../c/layout.ts';
import { parseC } from '../c/parse.ts';
import { type CType, parseTypeName } from '../c/types.ts';
import { type CArray, type CObject, type CStruct, type Slot, widthOf } from '../c/value.ts';
import { kindOf } from '../include/mmzone.ts';
import { PageKind } from '../include/types.ts';
import { currentProcess } from '../kernel/current.ts';
import { compareReleases } from '../kernel/release.ts';
import { createEnvironment } from '../machine/environment.ts';
import type { Kernel } from '../machine/kernel.ts';
import { page_ref_count } from '../mm/compound_page.ts';
import { pageData, wordOf } from '../mm/contents.ts';
import { flagsWord } from '../mm/page_flags.ts';
import { page_pgmap, typeOf } from '../mm/pagemap.ts';
import { hugePmdAt, pteAt } from '../mm/pgtable.ts';
import { pfn_valid } from '../mm/sparse.ts';

const PAGE = 4096;
const NOWHERE = { start: 0, end: 0 };

/** What can be read from an address on: up to `count` bytes, fewer where memory ends or is unknown. */
export function readMemory(kernel: Kernel, address: bigint, count: number): Uint8Array {
  const found: number[] = [];
  let at = address;
  while (found.length < count && at < 1n << 64n) {
    const some = chunkAt(kernel, at, count - found.length);
    if (!some || some.length === 0) break;
    for (const byte of some) found.push(byte);
    at += BigInt(some.length);
  }
  return Uint8Array.from(found);
}

function chunkAt(kernel: Kernel, address: bigint, most: number): Uint8Array | undefined {
  const { arch } = kernel;
  const object = objectAround(kernel, address);
  if (object)
    return objectBytes(kernel, object.object)?.slice(object.offset, Math.min(object.room, object.offset + most));
  const inPage = Number(address % BigInt(PAGE));
  const slice = (bytes: Uint8Array | undefined): Uint8Array | undefined => bytes?.slice(inPage, inPage + most);
  if (address < 1n << 56n) return slice(userPage(kernel, Number(address / BigInt(PAGE))));
  const physical = address - arch.PAGE_OFFSET;
  if (physical >= 0n && physical < 1n << BigInt(arch.MAX_PHYSMEM_BITS))
    return slice(pageBytes(kernel, Number(physical / BigInt(PAGE))));
  const distance = address - arch.VMEMMAP_START;
  const size = BigInt(arch.sizeofPage);
  if (distance >= 0n && distance < (1n << BigInt(arch.MAX_PHYSMEM_BITS - arch.PAGE_SHIFT)) * size) {
    const offset = Number(distance % size);
    return structPage(kernel, Number(distance / size))?.slice(offset, offset + most);
  }
  return undefined;
}

/** What a page frame holds; undefined where the CPU cannot read it. */
function pageBytes(kernel: Kernel, pfn: number): Uint8Array | undefined {
  if (!pfn_valid(kernel, pfn)) return undefined;
  const kind = kindOf(kernel.pages.state.get(pfn));
  const map = page_pgmap(kernel, pfn);
  const isPrivate = kind === PageKind.DevicePrivate || (map !== undefined && typeOf(kernel, map.pgmap) === 'PRIVATE');
  if (isPrivate || kind === PageKind.Hole || kind === PageKind.Poisoned || kind === PageKind.Offline) return undefined;
  const view = new DataView(new ArrayBuffer(PAGE));
  const data = pageData(kernel, pfn);
  for (let word = 0; word < PAGE / 4; word++) view.setUint32(word * 4, wordOf(data, word), true);
  return new Uint8Array(view.buffer);
}

/** A page of the current process; undefined where an access would fault. */
function userPage(kernel: Kernel, vpn: number): Uint8Array | undefined {
  const mm = currentProcess(kernel)?.mm;
  if (!mm) return undefined;
  const huge = hugePmdAt(mm, vpn);
  const entry = huge ? huge.entry : pteAt(mm, vpn);
  if (pteKind(entry) !== PteKind.Present) return undefined;
  return pageBytes(kernel, pte_pfn(entry) + (huge ? pte_index(vpn) : 0));
}

/** A struct page as x86_64 lays it out since 4.18; of older ones and of what the engine does not model nothing is known. */
function structPage(kernel: Kernel, pfn: number): Uint8Array | undefined {
  if (!pfn_valid(kernel, pfn) || compareReleases(kernel.release, '4.18') < 0) return undefined;
  if (kindOf(kernel.pages.state.get(pfn)) === PageKind.Poisoned)
    return new Uint8Array(kernel.arch.sizeofPage).fill(0xff);
  const view = new DataView(new ArrayBuffer(kernel.arch.sizeofPage));
  view.setBigUint64(0, flagsWord(kernel, pfn).word, true);
  view.setInt32(48, kernel.pages.mapcount.get(pfn) | 0, true);
  view.setInt32(52, page_ref_count(kernel, pfn) | 0, true);
  return new Uint8Array(view.buffer);
}

/* ---- objects ---- */

/** The object that an address lies in. Where the next begins the one before ends, whatever its size. */
function objectAround(kernel: Kernel, address: bigint): { object: CObject; offset: number; room: number } | undefined {
  let base = -1n;
  let next = 1n << 64n;
  let found: CObject | undefined;
  for (const [object, at] of kernel.state.addresses) {
    if (at > address) next = at < next ? at : next;
    else if (at > base) {
      base = at;
      found = '$struct' in object || '$array' in object ? (object as CObject) : undefined;
    }
  }
  const bytes = found && objectBytes(kernel, found);
  const offset = Number(address - base);
  if (!found || !bytes || offset >= bytes.length) return undefined;
  const room = next - base;
  return { object: found, offset, room: room > BigInt(bytes.length) ? bytes.length : Number(room) };
}

/** An object as bytes, little endian; undefined where the layout is not known. */
export function objectBytes(kernel: Kernel, object: CObject): Uint8Array | undefined {
  const writer = new Writer(kernel);
  const type: CType =
    '$array' in object
      ? { kind: 'array', of: parseTypeName((object as CArray).$array), length: (object as CArray).elements.length }
      : { kind: 'struct', tag: (object as CStruct).$struct, name: `struct ${(object as CStruct).$struct}` };
  const size = writer.layouts.size(type, NOWHERE);
  if (size === undefined || size <= 0 || size > 1 << 20) return undefined;
  const view = new DataView(new ArrayBuffer(size));
  return writer.put(view, 0, object, type) ? new Uint8Array(view.buffer) : undefined;
}

class Writer {
  readonly layouts: Layouts;
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    const env = createEnvironment(kernel, { hole: () => undefined, standIn: () => undefined, report: () => {} });
    this.layouts = new Layouts(env, makeProgram(parseC('', 'file')));
    this.kernel = kernel;
  }

  put(view: DataView, at: number, slot: Slot, type: CType): boolean {
    if (typeof slot === 'bigint') return this.number(view, at, slot, type);
    // A text of the engine's own has no address: its pointer reads as zero.
    if (typeof slot === 'string') return this.number(view, at, 0n, type);
    if ('kind' in slot && 'target' in slot) return this.number(view, at, this.address(slot.target as never), type);
    const object = slot as CObject;
    if ('$array' in object) {
      const { $array, elements } = object as CArray;
      const of = parseTypeName($array);
      const size = this.layouts.size(of, NOWHERE);
      return size !== undefined && elements.every((element, i) => this.put(view, at + i * size, element, of));
    }
    const struct = object as CStruct;
    const layout = this.layouts.layout(struct.$struct, NOWHERE);
    const fields = this.layouts.fields(struct.$struct);
    if (!layout || !fields) return false;
    for (const [name, offset] of layout.offsets) {
      const held = struct[name];
      const of = fields.get(name);
      if (held !== undefined && of && !this.put(view, at + offset, held, of)) return false;
    }
    return true;
  }

  private number(view: DataView, at: number, value: bigint, type: CType): boolean {
    const size = type.kind === 'integer' ? widthOf(type.type).bits / 8 : 8;
    if (at + size > view.byteLength) return false;
    for (let i = 0; i < size; i++) view.setUint8(at + i, Number((value >> BigInt(8 * i)) & 0xffn));
    return true;
  }

  /** An address that was given out; what never had one reads as zero: looking gives none out. */
  private address(target: Parameters<Layouts['env']['addressOf']>[0]): bigint {
    if (target.kind === 'address' || target.kind === 'page') return this.layouts.env.addressOf(target);
    if (target.kind === 'function') return this.kernel.state.addresses.get(target.function) ?? 0n;
    return this.kernel.state.addresses.has(target.object) ? this.layouts.env.addressOf(target) : 0n;
  }
}
