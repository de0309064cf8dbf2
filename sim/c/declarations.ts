/** The variables of a function or block, and how they get their first values. */
import type { Frame, KernelGenerator, SourceSpan } from '../task/task.ts';
import type { DeclarationNode, Declarator, Expression, Initialiser, InitialiserItem } from './ast.ts';
import type { CEnvironment, Program } from './environment.ts';
import { Expressions } from './expressions.ts';
import type { Place } from './memory.ts';
import { forgotten, isArray, newFrame, readSlot, typeOfValue, variableType, written } from './objects.ts';
import { type CType, parseTypeName, spell } from './types.ts';
import type { CArray, CObject, CStruct, Slot } from './value.ts';
import { decayed } from './values.ts';

export interface Variable {
  readonly frame: CStruct;
  readonly key: string;
  readonly type: CType;
}
export class Scope {
  readonly names = new Map<string, Variable>();
  readonly parent: Scope | undefined;
  constructor(parent: Scope | undefined) {
    this.parent = parent;
  }
  find(name: string): Variable | undefined {
    return this.names.get(name) ?? this.parent?.find(name);
  }
}

/** The activations of frames that a program may stand in, for whoever looks into one. */
const activations = new WeakMap<Frame, Declarations>();
export const activationOf = (frame: Frame): Declarations | undefined => activations.get(frame);

export interface ActivationOptions {
  args?: readonly string[];
  /** Calls of C functions around this one. */
  depth?: number;
  /** A frame record that exists already: the shell's, or the file's. */
  shell?: CStruct;
}

export abstract class Declarations extends Expressions {
  readonly frame: Frame;
  protected readonly isShell: boolean;
  protected readonly functionName: string;
  protected readonly locals: CStruct;
  /** The key in the frame record that each declarator met so far got. */
  protected readonly keys = new Map<Declarator, string>();
  readonly #root = new Scope(undefined);
  protected scope = this.#root;

  constructor(env: CEnvironment, program: Program, name: string, options: ActivationOptions) {
    super(env, program);
    this.text = program.unit.text;
    this.functionName = name;
    this.isShell = options.shell !== undefined;
    this.locals = options.shell ?? newFrame(name);
    this.frame = { name, kind: this.isShell ? 'command' : 'c', args: options.args ?? [], locals: this.locals };
    activations.set(this.frame, this);
  }

  /** The names of the parameters, in the order of the arguments of the frame. */
  parameterNames: readonly string[] = [];

  /** What a name means where the frame stands; a variable that going back in time took away is none. */
  visible(name: string): Variable | undefined {
    const variable = this.scope.find(name);
    return variable && variableType(variable.frame, variable.key) === undefined ? undefined : variable;
  }
  /** Every variable that can be named where the frame stands, outer ones that are hidden left out. */
  *visibleVariables(): Iterable<readonly [string, Variable]> {
    const seen = new Set<string>();
    for (let scope: Scope | undefined = this.scope; scope; scope = scope.parent)
      for (const [name, variable] of scope.names) {
        if (seen.has(name) || variableType(variable.frame, variable.key) === undefined) continue;
        seen.add(name);
        yield [name, variable];
      }
  }

  // ---- variables ----

  protected variableNamed(name: string): { place: Place } | undefined {
    const variable = this.scope.find(name);
    if (variable) return { place: this.within(variable.frame, variable.key, variable.type) };
    const { env, program } = this;
    for (const frame of [program.globals, env.shell, env.program?.globals, this.filling ? env.outside : undefined]) {
      const type = frame && variableType(frame, name);
      if (frame && type !== undefined) return { place: this.within(frame, name, parseTypeName(type)) };
    }
    return undefined;
  }

  protected adopt(name: string, type: CType, object: CObject | undefined): Place {
    const key = this.freshKey(name);
    this.#root.names.set(name, this.variable(this.locals, key, type));
    const slot = object ?? this.zero(type, false, { start: 0, end: 0 });
    this.env.store.set(this.locals, key, slot);
    written.get(this.locals)?.add(key);
    return this.within(this.locals, key, type);
  }
  /** Where to go on looking for a free key. */
  readonly #copies = new Map<string, number>();
  protected freshKey(name: string): string {
    if (this.isShell) return name;
    let key = name;
    let copy = this.#copies.get(name) ?? 2;
    for (; variableType(this.locals, key) !== undefined || key === '__proto__'; copy++) key = `${name}@${copy}`;
    this.#copies.set(name, copy);
    return key;
  }
  protected variable(frame: CStruct, key: string, type: CType): Variable {
    this.env.store.set(frame.$types as CStruct, key, spell(type));
    return { frame, key, type };
  }

  protected *declare(node: DeclarationNode): KernelGenerator<void> {
    this.resolve(node.base);
    for (const declarator of node.declarators) {
      const type = this.resolve(declarator.type);
      if (node.storage === 'typedef') this.program.typedefs.set(declarator.name, type);
      else if (type.kind !== 'function' && declarator.name && node.storage !== 'extern')
        yield* this.declareOne(declarator, type, node.storage === 'static');
    }
  }
  protected *declareOne(declarator: Declarator, type: CType, isStatic: boolean): KernelGenerator<void> {
    const { initialiser, name, span } = declarator;
    if (type.kind === 'void') throw this.stop('type', `${name} cannot be void.`, span);
    if (
      type.kind === 'struct' &&
      type.name === '__auto_type' &&
      initialiser &&
      initialiser.kind !== 'initialiser-list'
    ) {
      const value = yield* this.value(initialiser);
      const own = decayed(typeOfValue(value));
      yield* this.declareOne({ ...declarator, initialiser: undefined }, own, isStatic);
      const place = this.variableNamed(name)?.place;
      if (place) this.store(place, value, span);
      return;
    }
    const atFile = this.locals === this.program.globals;
    const frame = isStatic ? this.program.globals : this.locals;
    const key =
      this.keys.get(declarator) ?? (isStatic && !atFile ? `${this.functionName}.${name}` : this.freshKey(name));
    const existing = isStatic && variableType(frame, key) !== undefined;
    this.keys.set(declarator, key);
    if (existing) {
      this.scope.names.set(name, { frame, key, type: parseTypeName(variableType(frame, key) ?? spell(type)) });
      return;
    }
    const full =
      type.kind === 'array' && type.length === undefined
        ? { ...type, length: yield* this.lengthOf(initialiser) }
        : type;
    this.scope.names.set(name, this.variable(frame, key, full));
    const aggregate = full.kind === 'array' || full.kind === 'struct';
    if (full.kind === 'struct' && !this.fields(full.tag)) this.undescribed(full, span);
    const automatic = !isStatic && !atFile && !initialiser;
    if (!initialiser || aggregate) {
      const slot = this.zero(full, automatic, span);
      if (aggregate || !automatic) this.write(frame, key, slot, span);
      else this.unset(frame, key, slot);
    }
    if (!initialiser) return;
    const place = this.within(frame, key, full);
    yield* this.initialise(place, initialiser);
  }
  private undescribed({ name, tag }: Extract<CType, { kind: 'struct' }>, span: SourceSpan): void {
    const other = [name, tag].find((each) => this.env.lookupAny(each)?.kind === 'struct');
    if (other) this.unknown(other, span);
    else this.tell('undeclared', `${name} is declared nowhere: its members are taken as they are used.`, span);
  }
  /** A declaration without a value leaves the variable as if it had never been written, also the second time. */
  protected unset(frame: CStruct, key: string, slot: Slot): void {
    this.env.store.set(frame, key, slot);
    forgotten(frame, key);
  }

  protected *lengthOf(initialiser: Initialiser | undefined): KernelGenerator<number> {
    if (!initialiser) return 0;
    if (initialiser.kind !== 'initialiser-list')
      return initialiser.kind === 'string' ? new TextEncoder().encode(initialiser.value).length + 1 : 0;
    let [next, length] = [0, 0];
    for (const item of initialiser.items) {
      next = yield* this.itemIndex(item, next);
      length = Math.max(length, ++next);
    }
    return length;
  }
  protected *itemIndex(item: InitialiserItem, next: number): KernelGenerator<number> {
    const [designator] = item.designators;
    const last = designator?.to ?? designator?.index;
    if (!designator || !last) return next;
    return Number(this.integerOf(yield* this.value(last), designator.span).value);
  }

  /** Gives a place of any type its initial value. */
  protected *initialise(place: Place, initialiser: Initialiser): KernelGenerator<void> {
    const { span } = initialiser;
    if (initialiser.kind === 'initialiser-list') {
      if (place.kind === 'object') yield* this.initialiseParts(place.object, initialiser.items, span);
      else if (initialiser.items[0]) yield* this.initialise(place, initialiser.items[0].value);
      else this.store(place, this.convert({ kind: 'integer', type: 'int', value: 0n }, place.type, span), span);
      return;
    }
    if (place.kind === 'object' && isArray(place.object) && initialiser.kind === 'string') {
      const bytes = new TextEncoder().encode(initialiser.value);
      const { object } = place;
      if (bytes.length > object.elements.length) throw this.stop('type', 'The text is longer than its array.', span);
      bytes.forEach((byte, index) => {
        this.write(object, index, BigInt.asIntN(8, BigInt(byte)), span);
      });
      return;
    }
    const value = yield* this.value(initialiser);
    if (place.kind === 'object' && value.kind !== 'aggregate') {
      const first = this.firstPart(place.object);
      if (!first) throw this.stop('type', `${this.words(span)} cannot initialise a ${spell(place.type)}.`, span);
      this.store(first, this.convert(value, first.type, span), span);
      return;
    }
    const type = place.type.kind === 'void' ? decayed(typeOfValue(value)) : place.type;
    this.store({ ...place, type }, this.convert(value, type, span), span);
  }
  /** The first scalar of an aggregate: what `{ 0 }` reaches. */
  protected firstPart(object: CObject): Place | undefined {
    const key = isArray(object) ? 0 : Object.keys(object).find((name) => !name.startsWith('$'));
    if (key === undefined || readSlot(object, key) === undefined) return undefined;
    const type = this.slotType(object, key);
    if (!type) return undefined;
    const place = this.within(object, key, type);
    return place.kind === 'object' ? this.firstPart(place.object) : place;
  }
  /** The parts of an aggregate in order, those that a designator names, and what stands without braces of its own. */
  protected *initialiseParts(
    object: CObject,
    items: readonly InitialiserItem[],
    span: SourceSpan,
  ): KernelGenerator<void> {
    yield* this.fillParts(object, items, { at: 0 }, true, span);
  }
  private *fillParts(
    object: CObject,
    items: readonly InitialiserItem[],
    cursor: { at: number },
    isOutermost: boolean,
    span: SourceSpan,
  ): KernelGenerator<void> {
    const names = isArray(object) ? [] : this.partNames((object as CStruct).$struct);
    for (let next = 0; cursor.at < items.length; ) {
      const item = items[cursor.at] as InitialiserItem;
      const [designator] = item.designators;
      if (designator) {
        // Where it is named, it is a part of the outermost.
        if (!isOutermost) return;
        cursor.at++;
        next = yield* this.designated(object, names, item);
        continue;
      }
      const end = isArray(object) ? object.elements.length : names.length;
      if (next >= end && !isOutermost) return;
      if (next >= end && !isArray(object))
        throw this.stop(
          'type',
          `There are more values than struct ${(object as CStruct).$struct} has members.`,
          item.value.span,
        );
      const place = isArray(object)
        ? this.element(object, next, item.value.span)
        : this.member(object, names[next] ?? '', span);
      next++;
      if (place.kind === 'object' && !this.fillsWhole(place, item.value))
        yield* this.fillParts(place.object, items, cursor, false, span);
      else {
        cursor.at++;
        yield* this.initialise(place, item.value);
      }
    }
  }
  /** Members that values without a name go to: of a union only the first. */
  private partNames(tag: string): readonly string[] {
    const names = [...(this.fields(tag)?.keys() ?? [])];
    return this.program.unions.has(tag) || this.env.program?.unions.has(tag) ? names.slice(0, 1) : names;
  }
  private fillsWhole(place: Place, value: Initialiser): boolean {
    if (value.kind === 'initialiser-list') return true;
    if (place.kind === 'object' && isArray(place.object)) return value.kind === 'string';
    const type = this.staticType(value) ?? (value.kind === 'call' || value.kind === 'hole' ? place.type : undefined);
    return type?.kind === 'struct';
  }
  /** Gives what its designators name its value; the place after it. */
  private *designated(object: CObject, names: readonly string[], item: InitialiserItem): KernelGenerator<number> {
    let place: Place | undefined;
    let next = 0;
    const copies: Place[] = [];
    for (const [depth, designator] of item.designators.entries()) {
      const holder: CObject = depth === 0 ? object : place?.kind === 'object' ? place.object : object;
      if (designator.field !== undefined) {
        if (depth === 0) next = names.indexOf(designator.field);
        place = this.member(holder, designator.field, designator.span);
      } else if (designator.index) {
        const index = Number(this.integerOf(yield* this.value(designator.index), designator.span).value);
        const to = designator.to
          ? Number(this.integerOf(yield* this.value(designator.to), designator.span).value)
          : index;
        if (to < index) throw this.stop('type', 'This range ends before it begins.', designator.span);
        place = this.element(holder, to, designator.span);
        const isLast = depth === item.designators.length - 1;
        for (let each = index; each < to && isLast; each++) copies.push(this.element(holder, each, designator.span));
        if (depth === 0) next = to;
      }
    }
    if (!place) return next + 1;
    yield* this.initialise(place, item.value);
    for (const copy of copies) {
      if (place.kind === 'object' && copy.kind === 'object') this.copy(place.object, copy.object, item.value.span);
      else this.store(copy, this.load(place, 'this value', item.value.span), item.value.span);
    }
    return next + 1;
  }
  protected element(object: CObject, index: number, span: SourceSpan): Place {
    if (!isArray(object)) throw this.stop('type', 'Only an array has elements by number.', span);
    return this.dereference(
      { kind: 'pointer', to: object.$array, target: { kind: 'slot', object, key: index } },
      'this initialiser',
      span,
    );
  }
  protected override *initialised(
    type: CType,
    node: Extract<Expression, { kind: 'literal' }>,
  ): KernelGenerator<CObject | undefined> {
    if (type.kind !== 'struct' && type.kind !== 'array') return undefined;
    const full =
      type.kind === 'array' && type.length === undefined
        ? { ...type, length: yield* this.lengthOf(node.initialiser) }
        : type;
    const object = this.zero(full, false, node.span) as CStruct | CArray;
    yield* this.initialiseParts(object, node.initialiser.items, node.span);
    return object;
  }
}
