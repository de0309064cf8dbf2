/** Struct types: their members, sizes and layouts, and new objects of them. */
import type { StructRecord } from '../kernel/registry.ts';
import type { SourceSpan } from '../task/task.ts';
import type { AnonymousNode, Finding, FindingCode, Severity } from './ast.ts';
import { type CEnvironment, CStop, type Program } from './environment.ts';
import { KERNEL_SIZES, KERNEL_STRUCTS } from './kernelTypes.ts';
import { asObject, isArray, owners, readSlot, variableType, written } from './objects.ts';
import { type CType, fieldsIn, integerType, parseTypeName, pointerTo, spell, structType, ULONG } from './types.ts';
import {
  addressPointer,
  BadAccess,
  type CArray,
  type CObject,
  type CPointer,
  type CStruct,
  type Slot,
  widthOf,
} from './value.ts';

export interface Layout {
  readonly size: number;
  readonly align: number;
  readonly offsets: Map<string, number>;
}
interface Member {
  readonly name: string;
  readonly type: CType;
  /** The anonymous structs and unions it stands in, outermost first. */
  readonly path: readonly AnonymousNode[];
}
function pathOf(node: AnonymousNode | undefined): AnonymousNode[] {
  return node ? [...pathOf(node.inside), node] : [];
}

export class Layouts {
  readonly env: CEnvironment;
  readonly program: Program;
  /** Replaces every span while the text of a filled hole or a macro runs. */
  protected override: SourceSpan | undefined;

  constructor(env: CEnvironment, program: Program) {
    this.env = env;
    this.program = program;
  }

  protected at(span: SourceSpan): SourceSpan {
    const { start, end } = this.override ?? span;
    return { start, end };
  }
  protected bad(message: string, span: SourceSpan): BadAccess {
    return new BadAccess(message, this.at(span));
  }
  protected stop(code: CStop['code'], message: string, span: SourceSpan): CStop {
    return new CStop(code, message, this.at(span));
  }
  protected tell(code: FindingCode, message: string, span: SourceSpan, severity: Severity = 'warning'): void {
    const finding: Finding = { code, message, span: this.at(span), severity };
    const key = `${code}:${finding.span.start}:${finding.span.end}:${message}`;
    if (this.program.told.has(key)) return;
    this.program.told.add(key);
    this.env.report(finding);
  }

  // ---- struct types ----

  structRecord(tag: string): StructRecord | undefined {
    for (const name of [`struct ${tag}`, tag]) {
      const record = this.env.lookup(name);
      if (record?.kind === 'struct') return record;
    }
    return undefined;
  }
  /** The members of a struct; `undefined` for one that nothing describes, which then has whatever its objects have. */
  fields(tag: string): ReadonlyMap<string, CType> | undefined {
    const own = this.program.structs.get(tag) ?? this.env.program?.structs.get(tag);
    if (own) return own;
    const record = this.structRecord(tag);
    return record ? fieldsIn(record, this.env.release, this.env.lacks) : KERNEL_STRUCTS.get(tag);
  }

  /** The size in bytes, or `undefined` where it is not known. A struct's is laid out from the members we know. */
  size(type: CType, span: SourceSpan, level = 0): number | undefined {
    const given = this.env.sizes?.[spell(type)] ?? (type.kind === 'struct' ? KERNEL_SIZES.get(type.tag) : undefined);
    if (given !== undefined) return given;
    switch (type.kind) {
      case 'integer':
        return widthOf(type.type).bits / 8;
      case 'pointer':
        return 8;
      case 'void':
      case 'function':
        return 1;
      case 'array': {
        const of = this.size(type.of, span, level);
        return of === undefined || type.length === undefined ? undefined : of * type.length;
      }
      case 'struct': {
        if (type.name === 'struct page') return 64;
        const layout = this.layout(type.tag, span, level);
        if (layout && !this.isOwnStruct(type.tag)) this.isApproximate = true;
        return layout?.size;
      }
    }
  }
  /** Set by `size` where it is laid out from the members that the simulation knows. */
  protected isApproximate = false;
  private isOwnStruct(tag: string): boolean {
    return this.program.structs.has(tag) || (this.env.program?.structs.has(tag) ?? false);
  }
  /** Offsets by natural alignment; bit-fields of one type share its units. */
  layout(tag: string, span: SourceSpan, level = 0): Layout | undefined {
    const fields = this.fields(tag);
    if (!fields || level > 16) return undefined;
    const programs = [this.program, this.env.program];
    const union = programs.some((program) => program?.unions.has(tag));
    const anonymous = programs.map((program) => program?.anonymous.get(tag)).find((each) => each !== undefined);
    const offsets = new Map<string, number>();
    const whole = this.layOut(
      [...fields].map(([name, type]) => ({ name, type, path: pathOf(anonymous?.get(name)) })),
      { union, depth: 0, offsets, span, level },
    );
    return whole && { ...whole, offsets };
  }
  /** Members in order, those of one anonymous struct or union together. */
  private layOut(
    members: readonly Member[],
    at: { union: boolean; depth: number; offsets: Map<string, number>; span: SourceSpan; level: number },
  ): { size: number; align: number } | undefined {
    let [end, align, bits, unit] = [0, 1, 0, 0];
    for (let i = 0; i < members.length; i++) {
      const { name, type, path } = members[i] as Member;
      const inside = path[at.depth];
      let [size, own]: [number | undefined, number] = [undefined, 1];
      let place: number | undefined;
      if (inside) {
        let last = i;
        while (members[last + 1]?.path[at.depth] === inside) last++;
        const group = members.slice(i, last + 1);
        i = last;
        const probe = { ...at, union: inside.union, depth: at.depth + 1, offsets: new Map<string, number>() };
        const measured = this.layOut(group, probe);
        if (!measured) return undefined;
        [size, own] = [measured.size, measured.align];
        place = at.union ? 0 : Math.ceil(end / own) * own;
        for (const [each, offset] of probe.offsets) at.offsets.set(each, offset + place);
      } else {
        // A flexible array takes no room.
        size = type.kind === 'array' && type.length === undefined ? 0 : this.size(type, at.span, at.level + 1);
        if (size === undefined && type.kind === 'struct') {
          // Nobody sees inside it: a word stands for it.
          size = 8;
          this.isApproximate = true;
        }
        if (size === undefined) return undefined;
        own = this.alignment(type, at.span, at.level + 1);
        const width = type.kind === 'integer' ? type.bits : undefined;
        if (width !== undefined && !at.union && bits > 0 && unit === size && bits + width <= size * 8) {
          at.offsets.set(name, end - size);
          bits += width;
          continue;
        }
        place = at.union ? 0 : Math.ceil(end / own) * own;
        at.offsets.set(name, place);
        [bits, unit] = width === undefined ? [0, 0] : [width, size];
      }
      end = Math.max(end, place + size);
      align = Math.max(align, own);
    }
    return { size: Math.ceil(end / align) * align, align };
  }
  private alignment(type: CType, span: SourceSpan, level: number): number {
    if (type.kind === 'array') return this.alignment(type.of, span, level);
    if (type.kind === 'struct') return this.layout(type.tag, span, level)?.align ?? 8;
    return this.size(type, span) ?? 8;
  }

  // ---- objects ----

  /** A zero of `type`. An `automatic` one remembers which of its keys were written. */
  zero(type: CType, automatic: boolean, span: SourceSpan): Slot {
    const { budget, limits } = this.env;
    const limit = Math.min(limits?.elements ?? 1 << 20, budget.elements ?? Number.POSITIVE_INFINITY);
    const room = { left: limit };
    const made = this.make(type, automatic, span, room, 0);
    if (budget.elements !== undefined) budget.elements -= limit - room.left;
    return made;
  }
  private make(type: CType, automatic: boolean, span: SourceSpan, room: { left: number }, level: number): Slot {
    if (--room.left < 0)
      throw this.stop(
        'too-large',
        `${spell(type)}: this is more than the simulation holds. Is something allocated without end?`,
        span,
      );
    if (level > 16) throw this.stop('type', `${spell(type)} contains itself.`, span);
    switch (type.kind) {
      case 'pointer':
        return addressPointer(0n, spell(type.to));
      case 'array': {
        const length = type.length ?? 0;
        if (length > room.left || length < 0)
          throw this.stop(
            'too-large',
            `An array of ${length} elements is more than the simulation holds here. Is something allocated without end?`,
            span,
          );
        const elements: Slot[] = [];
        const array: CArray = { $array: spell(type.of), elements };
        for (let i = 0; i < length; i++) elements.push(this.part(array, i, type.of, automatic, span, room, level));
        if (automatic) written.set(array, new Set());
        return array;
      }
      case 'struct': {
        const object: CStruct = { $struct: type.tag };
        for (const [name, field] of this.fields(type.tag) ?? [])
          object[name] = this.part(object, name, field, automatic, span, room, level);
        if (automatic) written.set(object, new Set());
        return object;
      }
      default:
        return 0n;
    }
  }
  private part(
    owner: CObject,
    key: string | number,
    type: CType,
    automatic: boolean,
    span: SourceSpan,
    room: { left: number },
    level: number,
  ): Slot {
    const slot = this.make(type, automatic, span, room, level + 1);
    const inner = asObject(slot);
    if (inner) owners.set(inner, { object: owner, key });
    return slot;
  }

  /** The declared type of what an object holds under `key`; `undefined` if it has no such member. */
  slotType(object: CObject, key: string | number): CType | undefined {
    if (isArray(object)) return parseTypeName(object.$array);
    const struct = object as CStruct;
    const variable = variableType(struct, String(key));
    if (variable !== undefined) return parseTypeName(variable);
    const fields = this.fields(struct.$struct);
    const known = fields?.get(String(key));
    if (known) return known;
    return this.typeOfSlot(readSlot(object, key));
  }
  protected typeOfSlot(slot: Slot | undefined): CType | undefined {
    if (slot === undefined) return undefined;
    if (typeof slot === 'bigint') return slot < 0n ? integerType('long') : ULONG;
    if (typeof slot === 'string') return pointerTo(integerType('char'));
    const object = asObject(slot);
    if (!object) return pointerTo(parseTypeName((slot as CPointer).to));
    return this.objectType(object);
  }
  objectType(object: CObject): CType {
    if (isArray(object)) return { kind: 'array', of: parseTypeName(object.$array), length: object.elements.length };
    return structType((object as CStruct).$struct);
  }
}
