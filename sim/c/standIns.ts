/** What stands for names that a text does not declare: an object of the scene of the type that is wanted, or a fresh one. */
import type { SourceSpan } from '../task/task.ts';
import type { Expression } from './ast.ts';
import { Declarations } from './declarations.ts';
import { asObject, isUnwritten, readSlot, variableType } from './objects.ts';
import { type CType, parseTypeName, pointerTo, sameType, spell, structType } from './types.ts';
import { addressPointer, type CObject, type CStruct, type CValue, structAt } from './value.ts';

/** Elements of a fresh array that a `unsigned long *` leads to. */
const FRESH_ELEMENTS = 64;
const NOWHERE: SourceSpan = { start: 0, end: 0 };

interface Candidate {
  readonly name: string;
  readonly object: CStruct;
  readonly key: string;
  readonly type: CType;
}

export abstract class StandIns extends Declarations {
  // ---- what there is ----

  /** Variables that something may stand for: the scene's, then those of the text. */
  private *candidates(): Iterable<Candidate> {
    for (const frame of [this.env.program?.globals, this.program.globals])
      for (const key of frame ? Object.keys(frame) : []) {
        const type = frame && variableType(frame, key);
        if (frame && type !== undefined) yield { name: key, object: frame, key, type: parseTypeName(type) };
      }
    for (const [name, { frame, key, type }] of this.visibleVariables()) yield { name, object: frame, key, type };
  }

  /** A variable of the type, or a pointer to one: by its name first. */
  protected variableOf(type: CType, name: string): CValue | undefined {
    let first: CValue | undefined;
    for (const each of this.candidates()) {
      if (each.name !== name && (first || type.kind !== 'pointer' || type.to.kind !== 'struct')) continue;
      const value = this.asArgument(each, type);
      if (value && each.name === name) return value;
      first ??= value;
    }
    return first;
  }
  private asArgument(found: Candidate, type: CType): CValue | undefined {
    if (isUnwritten(found.object, found.key) && found.type.kind !== 'struct' && found.type.kind !== 'array')
      return undefined;
    const place = this.within(found.object, found.key, found.type);
    const wanted = spell(type);
    if (spell(found.type) === wanted || (found.type.kind === 'integer' && type.kind === 'integer'))
      return this.convert(this.load(place, found.key, NOWHERE), type, NOWHERE, true);
    if (type.kind !== 'pointer') return undefined;
    if (found.type.kind === 'array' && spell(pointerTo(found.type.of)) === wanted)
      return this.load(place, found.key, NOWHERE);
    return spell(pointerTo(found.type)) === wanted ? this.pointerTo(place, NOWHERE) : undefined;
  }
  /** The struct that a variable is or leads to. */
  private structOf({ object, key, type }: Candidate): CStruct | undefined {
    const slot = readSlot(object, key);
    const inner = asObject(slot);
    if (inner) return '$struct' in inner ? (inner as CStruct) : undefined;
    if (type.kind !== 'pointer' || typeof slot !== 'object' || !('kind' in slot)) return undefined;
    return slot.kind === 'pointer' ? structAt(slot as Parameters<typeof structAt>[0]) : undefined;
  }

  // ---- fresh ones ----

  /** A pointer to something new of its type, which is a variable of the block: whoever looks sees what becomes of it. */
  protected fresh(type: Extract<CType, { kind: 'pointer' }>, name: string, span: SourceSpan): CValue {
    const { to } = type;
    // A page that is none would be taken for one.
    if (to.kind === 'struct' && (to.tag === 'page' || to.tag === 'folio')) return addressPointer(0n, spell(to));
    const made: CType | undefined =
      to.kind === 'struct' && this.fields(to.tag)
        ? to
        : to.kind === 'integer'
          ? { kind: 'array', of: to, length: FRESH_ELEMENTS }
          : undefined;
    if (!made) return addressPointer(0n, spell(to));
    const place = this.adopt(name, made, undefined);
    const value = this.load(place, name, span);
    return value.kind === 'pointer' ? value : this.pointerTo(place, span);
  }

  // ---- names that are declared nowhere ----

  /** A document leaves declarations out; a file of C does not compile without them. */
  protected get isLenient(): boolean {
    const { source, unit } = this.program;
    return !this.isShell && source === 'text' && unit.mode === 'block' && this.filling === 0;
  }

  protected override expected(node: Expression, type: CType | undefined): void {
    if (!type || type.kind === 'void' || !this.isLenient) return;
    if (node.kind === 'name') this.standFor(node.name, type, node.span);
    else if (node.kind === 'unary' && node.operand.kind === 'name') {
      const { name } = node.operand;
      if (node.operator === '&' && type.kind === 'pointer') this.standFor(name, type.to, node.operand.span);
      else if (node.operator === '*') this.standFor(name, pointerTo(type), node.operand.span);
    }
  }

  protected override expectedOwner(node: Expression, arrow: boolean, field: string): void {
    if (node.kind !== 'name' || !this.isLenient || !this.isUndeclared(node.name)) return;
    const type = this.ownerType(node.name, field);
    this.standFor(node.name, arrow ? pointerTo(type) : type, node.span);
  }
  /** The type of a struct with such a member: the scene's, the only one of the kernel, or one of the name itself. */
  private ownerType(name: string, field: string): CType {
    for (const each of this.candidates()) {
      const tag = this.structOf(each)?.$struct;
      if (tag !== undefined && this.fields(tag)?.has(field)) return structType(tag);
    }
    const known = this.env.structsWith?.(field) ?? [];
    const [only] = known;
    if (only !== undefined && known.length === 1) return structType(only);
    const alike = known.find((tag) => tag === name) ?? known.find((tag) => tag.endsWith(`_${name}`));
    // A struct of the kernel that has no such member is not what is meant.
    return structType(alike ?? (this.fields(name) ? `${name}_` : name));
  }

  private standFor(name: string, type: CType, span: SourceSpan): void {
    if (type.kind === 'void' || type.kind === 'function' || !this.isUndeclared(name)) return;
    const wanted = type.kind === 'pointer' ? type.to : type;
    if (wanted.kind === 'struct')
      for (const each of this.candidates()) {
        const object = this.structOf(each);
        if (!object || !sameType(structType(object.$struct), wanted)) continue;
        this.told(name, `the scene's ${each.name}, a ${wanted.name}, stands for it`, span);
        this.alias(name, type, object, span);
        return;
      }
    const ofMachine = type.kind === 'pointer' ? this.env.objectOf?.(spell(type.to)) : undefined;
    this.told(name, ofMachine ? `that of the machine stands for it` : `a fresh ${spell(type)} stands for it`, span);
    if (type.kind !== 'pointer') {
      const object = type.kind === 'struct' && !this.fields(type.tag) ? ({ $struct: type.tag } as CStruct) : undefined;
      this.adopt(name, type, object);
      return;
    }
    const isOpaque = type.to.kind === 'struct' && !this.fields(type.to.tag);
    const value = ofMachine ?? (isOpaque ? undefined : this.fresh(type, `*${name}`, span));
    if (value) this.store(this.adopt(name, type, undefined), this.convert(value, type, span, true), span);
    else if (type.to.kind === 'struct') this.alias(name, type, { $struct: type.to.tag }, span);
  }
  private alias(name: string, type: CType, object: CObject, span: SourceSpan): void {
    if (type.kind !== 'pointer') this.adopt(name, type, object);
    else {
      const value = { kind: 'pointer' as const, to: spell(type.to), target: { kind: 'object' as const, object } };
      this.store(this.adopt(name, type, undefined), value, span);
    }
  }
  private told(name: string, what: string, span: SourceSpan): void {
    this.tell('undeclared', `${name} is not declared: ${what}.`, span, 'error');
  }
}
