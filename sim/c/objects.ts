/** Objects as the evaluator sees them: what they hold, who owns them, and what in them was never written. */
import { type CType, integerType, parseTypeName, pointerTo, structType } from './types.ts';
import type { CArray, CObject, CStruct, CValue, Slot, Target } from './value.ts';

export const isArray = (object: CObject): object is CArray => '$array' in object;
export const asObject = (slot: Slot | undefined): CObject | undefined =>
  typeof slot === 'object' && !('kind' in slot) ? (slot as CObject) : undefined;

export function readSlot(object: CObject, key: string | number): Slot | undefined {
  if (isArray(object)) return object.elements[Number(key)];
  return Object.hasOwn(object, key) ? (object as CStruct)[key] : undefined;
}

/** Automatic objects and the keys written in them; an object that is not here counts as fully written. */
export const written = new WeakMap<CObject, Set<string | number>>();
/** The struct an embedded struct or array lives in: what `container_of` goes back by. */
export const owners = new WeakMap<CObject, { object: CObject; key: string | number }>();

/** Memory that was given back: kept in the object itself, so that undo covers it. */
export const FREED = '$freed';
export const isFreed = (object: CObject): boolean => FREED in object;

export const ownerOf = (object: CObject): { object: CObject; key: string | number } | undefined => owners.get(object);
/** True if `key` of an automatic object was never written since it was declared. */
export function isUnwritten(object: CObject, key: string | number): boolean {
  const keys = written.get(object);
  return keys !== undefined && !keys.has(key);
}
/** The object's address was given away: whoever has it may have written any of it. */
export function escaped(object: CObject): void {
  written.delete(object);
  const parts = isArray(object) ? object.elements : Object.values(object);
  for (const part of parts) {
    const inner = asObject(part as Slot);
    if (inner && owners.get(inner)?.object === object) escaped(inner);
  }
}

/** The same for whatever a pointer leads to. */
export function escapedTarget(target: Target): void {
  if (target.kind === 'object') escaped(target.object);
  if (target.kind !== 'slot') return;
  const inner = asObject(readSlot(target.object, target.key));
  if (inner) escaped(inner);
  else if (isArray(target.object)) escaped(target.object);
  else written.get(target.object)?.add(target.key);
}

/** A record for the variables of a frame; their types are kept in it, under `$types`, so that undo covers both. */
export function newFrame(name: string): CStruct {
  const frame: CStruct = { $struct: `frame ${name}`, $types: { $struct: 'types' } };
  written.set(frame, new Set());
  return frame;
}
/** The type of a variable of a frame record, as C spells it. */
export function variableType(frame: CStruct, name: string): string | undefined {
  const types = frame.$types;
  const type = types && asObject(types) ? readSlot(types as CObject, name) : undefined;
  return typeof type === 'string' ? type : undefined;
}

export function typeOfValue(value: CValue): CType {
  switch (value.kind) {
    case 'integer':
      return integerType(value.type);
    case 'pointer':
      return pointerTo(parseTypeName(value.to));
    case 'aggregate':
      return isArray(value.object)
        ? { kind: 'array', of: parseTypeName(value.object.$array), length: value.object.elements.length }
        : structType((value.object as CStruct).$struct);
    case 'void':
      return { kind: 'void' };
  }
}

/** Where two pointers are the same place without asking for addresses. */
export function sameTarget(a: Target, b: Target): boolean {
  if (a.kind === 'page' && b.kind === 'page') return a.pfn === b.pfn;
  if (a.kind === 'address' && b.kind === 'address') return a.address === b.address;
  if (a.kind === 'function' && b.kind === 'function')
    return a.function.name === b.function.name && a.function.kind === b.function.kind;
  const [x, y] = [whereIs(a), whereIs(b)];
  return x !== undefined && y !== undefined && x.object === y.object && x.key === y.key;
}
/** A target by the object it is or lies in: an element that is an object is that object. */
function whereIs(target: Target): { object: CObject; key: string | number | undefined } | undefined {
  if (target.kind === 'object') return { object: target.object, key: undefined };
  if (target.kind !== 'slot') return undefined;
  const inner = asObject(readSlot(target.object, target.key));
  return inner ? { object: inner, key: undefined } : { object: target.object, key: target.key };
}

/** The key counts as never written from here on: a declaration without a value was reached. */
export function forgotten(object: CObject, key: string | number): void {
  written.get(object)?.delete(key);
}
