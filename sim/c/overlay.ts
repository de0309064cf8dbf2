/**
 * Objects seen as bytes: where in one a pointer leads, what lies so many bytes further, and members that lie upon
 * each other. Objects hold values and no bytes, so that a part of a number has no place of its own.
 */
import type { SourceSpan } from '../task/task.ts';
import { Layouts } from './layout.ts';
import { asObject, isArray, ownerOf, readSlot, variableType, written } from './objects.ts';
import { type CType, parseTypeName, sameType } from './types.ts';
import {
  addressPointer,
  type CObject,
  type CPointer,
  type CStruct,
  integer,
  type Slot,
  type Target,
  widthOf,
} from './value.ts';

const NOWHERE: SourceSpan = { start: 0, end: 0 };
const MAX_LEAVES = 512;
const MAX_DEPTH = 20;

/** Where a pointer leads, from the outermost object around it. */
export interface Location {
  /** A variable or member that holds the object, or the object alone. */
  readonly root: { readonly object: CObject; readonly key?: string | number };
  readonly type: CType;
  readonly offset: number;
}
interface Leaf {
  readonly offset: number;
  readonly size: number;
  readonly type: CType;
  readonly object: CObject;
  readonly key: string | number;
}

export abstract class Overlays extends Layouts {
  abstract address(pointer: CPointer): bigint;

  private keyOffset(object: CObject, key: string | number): number | undefined {
    if (isArray(object)) {
      const size = this.size(parseTypeName(object.$array), NOWHERE);
      return size === undefined ? undefined : Number(key) * size;
    }
    return this.layout((object as CStruct).$struct, NOWHERE)?.offsets.get(String(key));
  }

  /** Undefined where the sizes of what lies before it are not known, or nothing of C's own lies there. */
  protected locate(target: Target): Location | undefined {
    if (target.kind !== 'object' && target.kind !== 'slot') return undefined;
    let { object } = target;
    let key = target.kind === 'slot' ? target.key : undefined;
    let offset = 0;
    for (let depth = 0; depth < MAX_DEPTH; depth++) {
      const variable = key === undefined || isArray(object) ? undefined : variableType(object as CStruct, String(key));
      if (variable !== undefined && key !== undefined)
        return { root: { object, key }, type: parseTypeName(variable), offset };
      if (key !== undefined) {
        const own = this.keyOffset(object, key);
        if (own === undefined) return undefined;
        offset += own;
      }
      const owner = ownerOf(object);
      if (!owner) return { root: { object }, type: this.objectType(object), offset };
      key = owner.key;
      object = owner.object;
    }
    return undefined;
  }

  /**
   * What lies at an offset: of type `wanted` if anything is, else the outermost that begins there. `inside` is said of
   * an offset in the middle of a number.
   */
  protected atOffset(
    { root, type }: Location,
    offset: number,
    wanted: CType | undefined,
  ): Target | 'inside' | undefined {
    let at: Target =
      root.key === undefined
        ? { kind: 'object', object: root.object }
        : { kind: 'slot', object: root.object, key: root.key };
    let [held, rest]: [CType, number] = [type, offset];
    let first: Target | undefined;
    const whole = this.size(type, NOWHERE);
    if (rest < 0 || whole === undefined || rest > whole) return undefined;
    for (let depth = 0; depth < MAX_DEPTH; depth++) {
      if (rest === 0) {
        if (!wanted) return at;
        if (
          sameType(held, wanted) ||
          (held.kind === 'integer' &&
            wanted.kind === 'integer' &&
            widthOf(held.type).bits === widthOf(wanted.type).bits)
        )
          return at;
        first ??= at;
      }
      const inner: CObject | undefined =
        at.kind === 'object' ? at.object : at.kind === 'slot' ? asObject(readSlot(at.object, at.key)) : undefined;
      if (!inner) return rest === 0 ? first : 'inside';
      const next = this.partAt(inner, rest);
      if (!next) return first;
      at = { kind: 'slot', object: inner, key: next.key };
      held = next.type;
      rest -= next.offset;
    }
    return first;
  }
  private partAt(object: CObject, rest: number): { key: string | number; type: CType; offset: number } | undefined {
    if (isArray(object)) {
      const type = parseTypeName(object.$array);
      const size = this.size(type, NOWHERE);
      if (!size) return undefined;
      const key = Math.floor(rest / size);
      return { key, type, offset: key * size };
    }
    const { $struct } = object as CStruct;
    const fields = this.fields($struct);
    const layout = this.layout($struct, NOWHERE);
    if (!fields || !layout) return undefined;
    for (const [key, type] of fields) {
      const offset = layout.offsets.get(key) ?? 0;
      const size = this.size(type, NOWHERE) ?? 0;
      if (rest >= offset && rest < offset + size) return { key, type, offset };
    }
    return undefined;
  }

  /** The object or value of type `wanted` at the place of `target`, if one begins there: a first member, or what it is the first of. */
  protected reinterpreted(target: Target, wanted: CType): Target | undefined {
    const location = this.locate(target);
    const found = location && this.atOffset(location, location.offset, wanted);
    if (!found || found === 'inside') return undefined;
    const inner =
      found.kind === 'slot'
        ? asObject(readSlot(found.object, found.key))
        : found.kind === 'object'
          ? found.object
          : undefined;
    const type = inner
      ? this.objectType(inner)
      : found.kind === 'slot'
        ? this.slotType(found.object, found.key)
        : undefined;
    if (!type) return undefined;
    const same =
      sameType(type, wanted) ||
      (type.kind === 'integer' && wanted.kind === 'integer') ||
      (type.kind === 'pointer' && wanted.kind === 'pointer');
    return same ? found : undefined;
  }

  // ---- members upon each other ----

  /** `object[key]` was written: members of unions that lie upon it hold the same bytes now. */
  protected spread(object: CObject, key: string | number): void {
    if (this.program.unions.size === 0 && this.program.anonymous.size === 0 && !this.env.program?.unions.size) return;
    let [at, part]: [CObject, string | number] = [object, key];
    for (let depth = 0; depth < MAX_DEPTH; depth++) {
      if (!isArray(at) && this.isOverlaid((at as CStruct).$struct)) this.spreadMember(at as CStruct, String(part));
      const owner = ownerOf(at);
      if (!owner) return;
      [at, part] = [owner.object, owner.key];
    }
  }
  private isOverlaid(tag: string): boolean {
    for (const program of [this.program, this.env.program]) {
      if (program?.unions.has(tag)) return true;
      for (const node of program?.anonymous.get(tag)?.values() ?? [])
        for (let each: typeof node | undefined = node; each; each = each.inside) if (each.union) return true;
    }
    return false;
  }

  private spreadMember(object: CStruct, key: string): void {
    const layout = this.layout(object.$struct, NOWHERE);
    const fields = this.fields(object.$struct);
    const type = fields?.get(key);
    if (!layout || !fields || !type) return;
    const from: Leaf[] = [];
    this.leaves(object, key, type, layout.offsets.get(key) ?? 0, from);
    const [start, end] = [from[0]?.offset ?? 0, Math.max(0, ...from.map((leaf) => leaf.offset + leaf.size))];
    for (const [other, held] of fields) {
      if (other === key) continue;
      const to: Leaf[] = [];
      const offset = layout.offsets.get(other) ?? 0;
      if (offset >= end || offset + (this.size(held, NOWHERE) ?? 0) <= start) continue;
      this.leaves(object, other, held, offset, to);
      for (const leaf of to) this.overlay(from, leaf);
    }
  }
  private leaves(object: CObject, key: string | number, type: CType, offset: number, into: Leaf[]): void {
    if (into.length >= MAX_LEAVES) return;
    const inner = asObject(readSlot(object, key));
    if (!inner) {
      into.push({ offset, size: this.size(type, NOWHERE) ?? 8, type, object, key });
      return;
    }
    if (isArray(inner)) {
      const of = parseTypeName(inner.$array);
      const size = this.size(of, NOWHERE) ?? 8;
      for (let i = 0; i < inner.elements.length && into.length < MAX_LEAVES; i++)
        this.leaves(inner, i, of, offset + i * size, into);
      return;
    }
    const { $struct } = inner as CStruct;
    const offsets = this.layout($struct, NOWHERE)?.offsets;
    for (const [name, held] of this.fields($struct) ?? [])
      this.leaves(inner, name, held, offset + (offsets?.get(name) ?? 0), into);
  }
  private overlay(from: readonly Leaf[], to: Leaf): void {
    const covering = from.filter((leaf) => leaf.offset < to.offset + to.size && to.offset < leaf.offset + leaf.size);
    const [only] = covering;
    if (!only) return;
    const same = covering.length === 1 && only.offset === to.offset && only.size === to.size;
    const slot = readSlot(only.object, only.key);
    if (same && to.type.kind === 'pointer' && slot !== undefined) {
      this.put(to, typeof slot === 'bigint' ? addressPointer(slot, 'void') : slot);
      return;
    }
    let value = BigInt.asUintN(64, this.numberOf(readSlot(to.object, to.key)));
    for (const leaf of covering) {
      const number = BigInt.asUintN(leaf.size * 8, this.numberOf(readSlot(leaf.object, leaf.key)));
      for (let byte = 0; byte < leaf.size; byte++) {
        const at = leaf.offset + byte - to.offset;
        if (at < 0 || at >= to.size) continue;
        const shift = BigInt(at * 8);
        value = (value & ~(0xffn << shift)) | (((number >> BigInt(byte * 8)) & 0xffn) << shift);
      }
    }
    this.put(to, to.type.kind === 'integer' ? integer(value, to.type.type).value : addressPointer(value, 'void'));
  }
  private numberOf(slot: Slot | undefined): bigint {
    if (typeof slot === 'bigint') return slot;
    return typeof slot === 'object' && 'kind' in slot ? this.address(slot as CPointer) : 0n;
  }
  private put({ object, key }: Leaf, slot: Slot): void {
    written.get(object)?.add(key);
    if (isArray(object)) this.env.store.set(object.elements, Number(key), slot);
    else this.env.store.set(object as CStruct, key, slot);
  }
}
