/** Memory as a viewer asks for it: by an address, or by an object that was never given one. */
import { type Machine, objectBytes, readMemory } from '../../sim/index.ts';
import { RequestError } from './protocol.ts';

const MOST = 1 << 20;

/** Objects that have no address are known by a word of ours. */
export class MemoryReferences {
  private readonly objects: object[] = [];

  /** What a viewer can open for a value; undefined: a number, or nothing that lies in memory. */
  of(machine: Machine, slot: unknown): string | undefined {
    const address = addressOf(machine, slot);
    if (address !== undefined) return address < 4096n ? undefined : `0x${address.toString(16)}`;
    const object = objectOf(slot);
    if (!object) return undefined;
    let index = this.objects.indexOf(object);
    if (index < 0) index = this.objects.push(object) - 1;
    return `object ${index + 1}`;
  }

  read(machine: Machine, reference: string, offset: number, count: number): { address: string; bytes: Uint8Array } {
    if (count < 0 || count > MOST) throw new RequestError(`One reads up to ${MOST} bytes at a time.`);
    const own = /^object (\d+)$/.exec(reference);
    if (own) {
      const object = this.objects[Number(own[1]) - 1];
      const bytes = object && objectBytes(machine.kernel, object as never);
      if (!bytes) throw new RequestError('The layout of this object is not known.');
      if (offset < 0) return { address: '0x0', bytes: new Uint8Array() };
      return { address: `0x${offset.toString(16)}`, bytes: bytes.slice(offset, offset + count) };
    }
    if (!/^(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(reference)) throw new RequestError(`"${reference}" is no address.`);
    const address = BigInt.asUintN(64, BigInt(reference) + BigInt(offset));
    return { address: `0x${address.toString(16)}`, bytes: readMemory(machine.kernel, address, count) };
  }
}

/** The address a value holds or has, if it was given one. Looking gives none out. */
function addressOf({ kernel }: Machine, slot: unknown): bigint | undefined {
  if (typeof slot !== 'object' || slot === null) return undefined;
  if (!('kind' in slot)) return kernel.state.addresses.get(slot);
  if (!('target' in slot)) return undefined;
  const { target } = slot as { target: { kind: string; address?: bigint; pfn?: number; object?: object } };
  if (target.kind === 'address') return target.address;
  if (target.kind === 'page')
    return kernel.arch.VMEMMAP_START + BigInt(target.pfn ?? 0) * BigInt(kernel.arch.sizeofPage);
  return target.kind === 'object' && target.object ? kernel.state.addresses.get(target.object) : undefined;
}

function objectOf(slot: unknown): object | undefined {
  if (typeof slot !== 'object' || slot === null) return undefined;
  if (!('kind' in slot)) return slot;
  const { target } = slot as { target?: { kind: string; object?: object; key?: string | number } };
  if (!target?.object) return undefined;
  if (target.kind === 'object') return target.object;
  // A pointer to the start of an array is the array.
  return target.kind === 'slot' && '$array' in target.object && Number(target.key) === 0 ? target.object : undefined;
}

export const base64 = (bytes: Uint8Array): string => {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
};
