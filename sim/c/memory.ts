/** Places in objects that can be read, written and pointed to. */
import { errnoName } from '../include/errno.ts';
import { compareReleases, spanHolds } from '../kernel/release.ts';
import type { SourceSpan } from '../task/task.ts';
import { asObject, isArray, isFreed, isUnwritten, owners, readSlot, typeOfValue, written } from './objects.ts';
import { Overlays } from './overlay.ts';
import { type CType, parseTypeName, spell, structType, ULONG, VOID_TYPE } from './types.ts';
import {
  addressPointer,
  type CObject,
  type CPointer,
  type CStruct,
  type CValue,
  errorOf,
  integer,
  type Slot,
  stringOf,
  stringPointer,
  widthOf,
} from './value.ts';

/** Something that can stand on the left of an assignment. */
export type Place =
  /** A variable, member or element that holds an integer or a pointer; `void` where its first value decides. */
  | { kind: 'slot'; object: CObject; key: string | number; type: CType }
  /** A whole struct or array. */
  | { kind: 'object'; object: CObject; type: CType }
  | { kind: 'page'; pfn: number; type: CType }
  | { kind: 'pageField'; pfn: number; of: 'page' | 'folio'; field: string; type: CType };

export class Memory extends Overlays {
  // ---- places ----

  /** The place of `key` in an object, whatever kind of thing is there. */
  within(object: CObject, key: string | number, type: CType): Place {
    let inner = asObject(readSlot(object, key));
    if (!inner && type.kind === 'struct' && readSlot(object, key) === undefined && !isArray(object)) {
      inner = this.zero(type, false, { start: 0, end: 0 }) as CObject;
      this.env.store.set(object as CStruct, String(key), inner);
    }
    if (inner && (type.kind === 'struct' || type.kind === 'array')) {
      if (!owners.has(inner)) owners.set(inner, { object, key });
      return { kind: 'object', object: inner, type: type.kind === 'struct' ? type : this.objectType(inner) };
    }
    return { kind: 'slot', object, key, type };
  }

  /** The place a pointer leads to; a learner's error where it leads nowhere. */
  dereference(pointer: CPointer, what: string, span: SourceSpan): Place {
    const type = parseTypeName(pointer.to);
    const { target } = pointer;
    switch (target.kind) {
      case 'address': {
        const error = errorOf(pointer);
        if (target.address === 0n) throw this.bad(`${what} is NULL: there is nothing behind it.`, span);
        if (error !== undefined) {
          const name = errnoName(-error) ?? String(-error);
          throw this.bad(
            `${what} is ERR_PTR(-${name}), an error and not an address: check it with IS_ERR() first.`,
            span,
          );
        }
        const found = target.address < 4096n ? undefined : this.env.atAddress(target.address, pointer.to);
        if (!found || found.kind === 'address')
          throw this.bad(
            `${what} is 0x${target.address.toString(16)}, where nothing is mapped as ${pointer.to}.`,
            span,
          );
        return this.dereference({ ...pointer, target: found }, what, span);
      }
      case 'page':
        if (pointer.to !== 'struct page' && pointer.to !== 'struct folio')
          throw this.stop('unsupported', `A struct page cannot be read as ${pointer.to}.`, span);
        return { kind: 'page', pfn: target.pfn, type };
      case 'function':
        throw this.stop('type', `${what} is a function: it can be called, not read.`, span);
      case 'object':
        return this.whole(target.object, type, what, span);
      case 'slot':
        return this.inside(target, type, what, span);
    }
  }
  private whole(object: CObject, type: CType, what: string, span: SourceSpan): Place {
    if (type.kind === 'void')
      throw this.stop('type', `${what} is a void pointer: it must be cast before it is read.`, span);
    if (isArray(object)) {
      if (type.kind === 'array') return { kind: 'object', object, type: this.objectType(object) };
      return this.inside({ object, key: 0 }, type, what, span);
    }
    const { $struct } = object as CStruct;
    if (type.kind !== 'struct' || type.tag !== $struct) {
      const found = this.reinterpreted({ kind: 'object', object }, type);
      if (found?.kind === 'slot') return this.within(found.object, found.key, type);
      if (found?.kind === 'object' && found.object !== object) return this.whole(found.object, type, what, span);
      throw this.bad(`${what} points to a struct ${$struct}, not to a ${spell(type)}.`, span);
    }
    return { kind: 'object', object, type };
  }
  private inside(
    target: { object: CObject; key: string | number },
    type: CType,
    what: string,
    span: SourceSpan,
  ): Place {
    const { object, key } = target;
    if (type.kind === 'void')
      throw this.stop('type', `${what} is a void pointer: it must be cast before it is read.`, span);
    if (isArray(object)) {
      const { length } = object.elements;
      if (Number(key) < 0 || Number(key) >= length)
        throw this.bad(`${what} is outside its array: element ${key} of ${length}.`, span);
      if (isFreed(object)) this.tell('use-after-free', `${what} was freed and is used all the same.`, span, 'error');
    }
    const inner = asObject(readSlot(object, key));
    if (!inner) {
      const around = type.kind === 'struct' ? this.reinterpreted({ kind: 'slot', object, key }, type) : undefined;
      if (around?.kind === 'object') return this.whole(around.object, type, what, span);
      if (around?.kind === 'slot') return this.within(around.object, around.key, type);
      if (type.kind === 'struct') throw this.bad(`${what} does not point to a ${type.name}.`, span);
      return { kind: 'slot', object, key, type };
    }
    return this.whole(inner, type, what, span);
  }

  /** `&place` */
  pointerTo(place: Place, span: SourceSpan): CPointer {
    const to = spell(place.type);
    switch (place.kind) {
      case 'page':
        return { kind: 'pointer', to, target: { kind: 'page', pfn: place.pfn } };
      case 'pageField': {
        const target = this.env.pageField?.(place.pfn, place.field, place.of);
        if (!target)
          throw this.stop('unsupported', `The address of ${place.of}->${place.field} is not simulated.`, span);
        return { kind: 'pointer', to, target };
      }
      case 'slot':
        return { kind: 'pointer', to, target: { kind: 'slot', object: place.object, key: place.key } };
      case 'object': {
        const owner = owners.get(place.object);
        // An element keeps its array, so that pointer arithmetic works from it.
        if (owner && isArray(owner.object)) return { kind: 'pointer', to, target: { kind: 'slot', ...owner } };
        return { kind: 'pointer', to, target: { kind: 'object', object: place.object } };
      }
    }
  }

  load(place: Place, what: string, span: SourceSpan): CValue {
    switch (place.kind) {
      case 'page':
        throw this.stop('unsupported', `A whole ${spell(place.type)} cannot be copied: read its members.`, span);
      case 'pageField': {
        const value = this.env.loadPage(place.pfn, place.field, place.of);
        if (!value) throw this.stop('no-such-field', `struct ${place.of} has no member ${place.field} here.`, span);
        return value;
      }
      case 'object': {
        if (!isArray(place.object)) return { kind: 'aggregate', object: place.object };
        return { kind: 'pointer', to: place.object.$array, target: { kind: 'slot', object: place.object, key: 0 } };
      }
      case 'slot': {
        if (isUnwritten(place.object, place.key))
          this.tell('uninitialised-read', `${what} is read before anything was written to it.`, span);
        return this.fromSlot(readSlot(place.object, place.key), place.type, span);
      }
    }
  }
  private fromSlot(slot: Slot | undefined, type: CType, span: SourceSpan): CValue {
    const inner = asObject(slot);
    if (inner)
      return isArray(inner)
        ? { kind: 'pointer', to: inner.$array, target: { kind: 'slot', object: inner, key: 0 } }
        : { kind: 'aggregate', object: inner };
    if (type.kind === 'integer') {
      if (slot === undefined || typeof slot === 'bigint') return integer(slot ?? 0n, type.type);
      const pointer = typeof slot === 'string' ? stringPointer(slot) : (slot as CPointer);
      return integer(this.address(pointer), type.type);
    }
    if (type.kind === 'void' && typeof slot === 'bigint') return integer(slot, 'unsigned long');
    if (type.kind !== 'pointer') throw this.stop('type', `A ${spell(type)} cannot be read here.`, span);
    const to = spell(type.to);
    if (slot === undefined || typeof slot === 'bigint') return this.fromAddress(slot ?? 0n, to);
    if (typeof slot === 'string') return stringPointer(slot);
    return { ...(slot as CPointer), to };
  }

  /** A number as a pointer: to what lies there, if anything does. */
  fromAddress(address: bigint, to: string): CPointer {
    const pointer = addressPointer(address, to);
    const { target } = pointer;
    if (target.kind !== 'address' || target.address < 4096n || errorOf(pointer) !== undefined) return pointer;
    return { ...pointer, target: this.env.atAddress(target.address, to) ?? target };
  }
  address(pointer: CPointer): bigint {
    return pointer.target.kind === 'address'
      ? pointer.target.address
      : BigInt.asUintN(64, this.env.addressOf(pointer.target));
  }

  /** Writes a value that already has the place's type. */
  store(place: Place, value: CValue, span: SourceSpan): void {
    if (place.kind === 'pageField') {
      if (!this.env.storePage(place.pfn, place.field, value))
        throw this.stop('unsupported', `${place.of}->${place.field} cannot be written by a program.`, span);
      return;
    }
    if (place.kind === 'page') throw this.stop('unsupported', 'A whole struct page cannot be written.', span);
    if (place.kind === 'object') {
      if (value.kind !== 'aggregate' || isArray(place.object))
        throw this.stop('type', 'An array cannot be assigned to.', span);
      this.copy(value.object, place.object, span);
      return;
    }
    if (value.kind === 'integer') this.write(place.object, place.key, this.merged(place, value.value), span);
    else if (value.kind === 'pointer') this.write(place.object, place.key, asSlot(value), span);
    else if (value.kind === 'aggregate') {
      const copy = this.zero(this.objectType(value.object), false, span);
      this.copy(value.object, copy as CObject, span);
      this.write(place.object, place.key, copy, span);
    } else throw this.stop('type', 'A void value cannot be assigned.', span);
  }
  /** A narrow write into a wider integer changes its low bytes only. */
  private merged(place: Extract<Place, { kind: 'slot' }>, value: bigint): bigint {
    if (place.type.kind !== 'integer') return value;
    const { bits: some, type } = place.type;
    if (some !== undefined) return widthOf(type).signed ? BigInt.asIntN(some, value) : BigInt.asUintN(some, value);
    if (!isArray(place.object) && !this.isDescribed(place.object as CStruct)) return value;
    const own = this.slotType(place.object, place.key);
    const old = readSlot(place.object, place.key);
    if (own?.kind !== 'integer' || typeof old !== 'bigint') return value;
    const bits = widthOf(place.type.type).bits;
    if (bits >= widthOf(own.type).bits) return integer(value, own.type).value;
    const low = BigInt.asUintN(bits, value);
    return integer(((old >> BigInt(bits)) << BigInt(bits)) | low, own.type).value;
  }
  private isDescribed(struct: CStruct): boolean {
    return '$types' in struct || this.fields(struct.$struct) !== undefined;
  }
  write(object: CObject, key: string | number, slot: Slot, span: SourceSpan): void {
    written.get(object)?.add(key);
    if (isArray(object)) {
      if (Object.isFrozen(object.elements)) throw this.bad('A string literal cannot be written to.', span);
      if (Number(key) < 0 || Number(key) >= object.elements.length)
        throw this.bad(`Element ${key} is outside its array of ${object.elements.length}.`, span);
      this.env.store.set(object.elements, Number(key), slot);
    } else this.env.store.set(object as CStruct, key, slot);
    const inner = asObject(slot);
    if (inner) owners.set(inner, { object, key });
    this.spread(object, key);
  }
  /** Struct assignment, member by member; what was never written in the source stays so in the copy. */
  copy(from: CObject, to: CObject, span: SourceSpan): void {
    if (from === to) return;
    if (isArray(from) !== isArray(to) || (!isArray(from) && (from as CStruct).$struct !== (to as CStruct).$struct))
      throw this.stop(
        'type',
        `A ${spell(this.objectType(from))} cannot be assigned to a ${spell(this.objectType(to))}.`,
        span,
      );
    const keys: (string | number)[] = isArray(from)
      ? from.elements.map((_, index) => index)
      : Object.keys(from).filter((key) => !key.startsWith('$'));
    for (const key of keys) {
      const slot = readSlot(from, key);
      const inner = asObject(slot);
      const existing = asObject(readSlot(to, key));
      if (inner && existing) this.copy(inner, existing, span);
      else if (inner) {
        const made = this.zero(this.objectType(inner), false, span) as CObject;
        this.copy(inner, made, span);
        this.write(to, key, made, span);
      } else if (slot !== undefined && !isUnwritten(from, key)) this.write(to, key, slot, span);
    }
  }

  // ---- members ----

  /** `object.field`, where the struct has it; otherwise a finding, and the scene's stand-in or a stop. */
  member(object: CObject, field: string, span: SourceSpan): Place {
    if (isArray(object)) throw this.stop('type', `An array has no members: "${field}".`, span);
    const struct = object as CStruct;
    const tag = struct.$struct;
    const fields = this.fields(tag);
    const type = fields?.get(field) ?? (field.startsWith('$') ? undefined : this.typeOfSlot(readSlot(object, field)));
    if (type) return this.within(object, field, type);
    if (!fields && !tag.startsWith('frame ')) {
      // Nothing describes this struct, so its members are what the program makes them.
      this.env.store.set(struct, field, 0n);
      this.tell('undeclared', `struct ${tag} is declared nowhere: its member ${field} is taken as it is used.`, span);
      return { kind: 'slot', object, key: field, type: VOID_TYPE };
    }
    this.noSuchField(tag, field, span);
    const instead = this.env.fieldStandIn?.(tag, field);
    if (instead === '') return { kind: 'object', object, type: structType(tag) };
    if (instead !== undefined && instead !== field) return this.member(object, instead, span);
    throw this.stop('no-such-field', this.fieldMessage(tag, field), span);
  }
  /** `->field` of a struct page, or of the folio that begins with it. */
  pageMember(pfn: number, of: 'page' | 'folio', field: string, span: SourceSpan): Place {
    const type = this.fields(of)?.get(field);
    if (type?.kind === 'struct' && type.tag === 'page') return { kind: 'page', pfn, type };
    if (type) return { kind: 'pageField', pfn, of, field, type };
    const value = this.env.loadPage(pfn, field, of);
    if (value) return { kind: 'pageField', pfn, of, field, type: typeOfValue(value) };
    this.noSuchField(of, field, span);
    const instead = this.env.fieldStandIn?.(of, field);
    if (instead) return { kind: 'pageField', pfn, of, field: instead, type: this.fields(of)?.get(instead) ?? ULONG };
    throw this.stop('no-such-field', this.fieldMessage(of, field), span);
  }
  protected noSuchField(tag: string, field: string, span: SourceSpan): void {
    this.tell('no-such-field', this.fieldMessage(tag, field), span, 'error');
  }
  private fieldMessage(tag: string, field: string): string {
    const { release } = this.env;
    let record = this.structRecord(tag);
    if (!record) {
      const any = this.env.lookupAny(`struct ${tag}`) ?? this.env.lookupAny(tag);
      if (any?.kind === 'struct') record = any;
    }
    const held = (record?.fields ?? [])
      .filter((each) => each.name === field)
      .sort((a, b) => compareReleases(a.since, b.since));
    const [first, last] = [held[0], held.at(-1)];
    const without = held.find((each) => each.option !== undefined && this.env.lacks?.(each.option))?.option;
    if (without !== undefined) return `struct ${tag} has no member ${field} here: ${without} is not set.`;
    if (!first || !last || held.some((each) => spanHolds(each, release)))
      return `struct ${tag} never had a member ${field}.`;
    // A member that changed its type has more than one record.
    const when = last.until ? `only from ${first.since} to ${last.until}` : `only since ${first.since}`;
    const now = last.replacedBy ? `; it is ${last.replacedBy} now` : '';
    return `struct ${tag} has no member ${field} in ${release}: it had one ${when}${now}.`;
  }
}

/** How a pointer is kept in an object: a string literal as its text, as the engine keeps names. */
function asSlot(pointer: CPointer): Slot {
  const { target } = pointer;
  if (target.kind === 'slot' && target.key === 0 && isArray(target.object) && Object.isFrozen(target.object.elements))
    return stringOf(pointer) ?? pointer;
  return pointer;
}

export { isUnwritten, newFrame, ownerOf, variableType } from './objects.ts';
