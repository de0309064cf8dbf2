/**
 * Runs the C of documents and of the shell on a machine, one statement at a time:
 * a generator that yields before every statement, so that whoever drives it can
 * stop, step, cancel, or let others run in between.
 */
import type { Frame, KernelGenerator, SourceSpan } from '../task/task.ts';
import type {
  CUnit,
  DeclarationNode,
  Declarator,
  Expression,
  FunctionNode,
  Initialiser,
  InitialiserItem,
  Statement,
} from './ast.ts';
import { BudgetExceeded, type CEnvironment, CStop, type Program } from './environment.ts';
import { type CDefinition, describeHole, Expressions } from './expressions.ts';
import { forgotten, isArray, newFrame, type Place, readSlot, variableType } from './memory.ts';
import { parseC } from './parse.ts';
import { formatValue } from './print.ts';
import { type CType, parseTypeName, spell } from './types.ts';
import { type CArray, type CFunction, type CObject, type CStruct, type CValue, type Slot, VOID } from './value.ts';
import { decayed } from './values.ts';

interface Variable {
  readonly frame: CStruct;
  readonly key: string;
  readonly type: CType;
}
class Scope {
  readonly names = new Map<string, Variable>();
  readonly parent: Scope | undefined;
  constructor(parent: Scope | undefined) {
    this.parent = parent;
  }
  find(name: string): Variable | undefined {
    return this.names.get(name) ?? this.parent?.find(name);
  }
}

/** How a statement ended. */
type Completion =
  | { kind: 'normal' }
  | { kind: 'break' }
  | { kind: 'continue' }
  | { kind: 'goto'; label: string; span: SourceSpan }
  | { kind: 'return'; value: CValue };
const NORMAL: Completion = { kind: 'normal' };

const labels = new WeakMap<Statement, ReadonlySet<string>>();
/** The labels in a statement, at any depth. */
function labelsIn(statement: Statement): ReadonlySet<string> {
  const known = labels.get(statement);
  if (known) return known;
  const found = new Set<string>();
  if (statement.kind === 'label') found.add(statement.name);
  for (const part of partsOf(statement)) for (const label of labelsIn(part)) found.add(label);
  labels.set(statement, found);
  return found;
}
function partsOf(statement: Statement): readonly Statement[] {
  switch (statement.kind) {
    case 'compound':
      return statement.items;
    case 'if':
      return statement.otherwise ? [statement.then, statement.otherwise] : [statement.then];
    case 'while':
    case 'do':
    case 'for':
    case 'switch':
    case 'case':
    case 'label':
      return [statement.body];
    default:
      return [];
  }
}
/** The `case` labels that belong to a switch with this body, in order. */
function casesOf(body: Statement): Extract<Statement, { kind: 'case' }>[] {
  if (body.kind === 'switch') return [];
  const inner = partsOf(body).flatMap(casesOf);
  return body.kind === 'case' ? [body, ...inner] : inner;
}
/** Where to go in: a label by name, or a `case` itself. */
type Entry = string | Statement;
const holds = (statement: Statement, entry: Entry): boolean =>
  typeof entry === 'string'
    ? labelsIn(statement).has(entry)
    : statement === entry || partsOf(statement).some((part) => holds(part, entry));

/** Collects what a text defines. */
export function makeProgram(unit: CUnit): Program {
  const functions = new Map<string, FunctionNode>();
  const defines = new Map<string, Expression>();
  for (const item of unit.items) {
    if (item.kind === 'function') functions.set(item.name, item);
    else if (item.kind === 'define') defines.set(item.name, item.value);
  }
  return {
    unit,
    functions,
    defines,
    structs: new Map(),
    unions: new Set(),
    typedefs: new Map(),
    enumerators: new Map(),
    globals: newFrame('of the file'),
    globalsReady: false,
    told: new Set(),
  };
}

const DEPTH = 40;

class Activation extends Expressions {
  readonly frame: Frame;
  protected readonly isShell: boolean;
  protected readonly functionName: string;
  readonly #locals: CStruct;
  readonly #keys = new Map<Declarator, string>();
  readonly #root = new Scope(undefined);
  readonly #depth: number;
  #scope = this.#root;

  constructor(
    env: CEnvironment,
    program: Program,
    name: string,
    options: { args?: readonly string[]; depth?: number; shell?: CStruct },
  ) {
    super(env, program);
    this.text = program.unit.text;
    this.functionName = name;
    this.isShell = options.shell !== undefined;
    this.#locals = options.shell ?? newFrame(name);
    this.#depth = options.depth ?? 0;
    this.frame = { name, kind: this.isShell ? 'command' : 'c', args: options.args ?? [], locals: this.#locals };
  }

  // ---- variables ----

  protected variableNamed(name: string): { place: Place } | undefined {
    const variable = this.#scope.find(name);
    if (variable) return { place: this.within(variable.frame, variable.key, variable.type) };
    const { env, program } = this;
    for (const frame of [program.globals, env.shell, env.program?.globals]) {
      const type = frame && variableType(frame, name);
      if (frame && type !== undefined) return { place: this.within(frame, name, parseTypeName(type)) };
    }
    return undefined;
  }

  protected adopt(name: string, type: CType, object: CObject | undefined): Place {
    const key = this.freshKey(name);
    this.#root.names.set(name, this.variable(this.#locals, key, type));
    const slot = object ?? this.zero(type, false, { start: 0, end: 0 });
    this.env.store.set(this.#locals, key, slot);
    return this.within(this.#locals, key, type);
  }
  private freshKey(name: string): string {
    if (this.isShell) return name;
    let key = name;
    for (let copy = 2; variableType(this.#locals, key) !== undefined || key === '__proto__'; copy++)
      key = `${name}@${copy}`;
    return key;
  }
  private variable(frame: CStruct, key: string, type: CType): Variable {
    this.env.store.set(frame.$types as CStruct, key, spell(type));
    return { frame, key, type };
  }

  private *declare(node: DeclarationNode): KernelGenerator<void> {
    this.resolve(node.base);
    for (const declarator of node.declarators) {
      const type = this.resolve(declarator.type);
      if (node.storage === 'typedef') this.program.typedefs.set(declarator.name, type);
      else if (type.kind !== 'function' && declarator.name && node.storage !== 'extern')
        yield* this.declareOne(declarator, type, node.storage === 'static');
    }
  }
  private *declareOne(declarator: Declarator, type: CType, isStatic: boolean): KernelGenerator<void> {
    const { initialiser, name, span } = declarator;
    if (type.kind === 'void') throw this.stop('type', `${name} cannot be void.`, span);
    const atFile = this.#locals === this.program.globals;
    const frame = isStatic ? this.program.globals : this.#locals;
    const key =
      this.#keys.get(declarator) ?? (isStatic && !atFile ? `${this.functionName}.${name}` : this.freshKey(name));
    const existing = isStatic && variableType(frame, key) !== undefined;
    this.#keys.set(declarator, key);
    if (existing) {
      this.#scope.names.set(name, { frame, key, type: parseTypeName(variableType(frame, key) ?? spell(type)) });
      return;
    }
    const full =
      type.kind === 'array' && type.length === undefined
        ? { ...type, length: yield* this.lengthOf(initialiser) }
        : type;
    this.#scope.names.set(name, this.variable(frame, key, full));
    const aggregate = full.kind === 'array' || full.kind === 'struct';
    if (full.kind === 'struct' && !this.fields(full.tag) && !initialiser)
      this.tell('undeclared', `${full.name} is declared nowhere: its members are taken as they are used.`, span);
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
  /** A declaration without a value leaves the variable as if it had never been written, also the second time. */
  private unset(frame: CStruct, key: string, slot: Slot): void {
    this.env.store.set(frame, key, slot);
    forgotten(frame, key);
  }

  private *lengthOf(initialiser: Initialiser | undefined): KernelGenerator<number> {
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
  private *itemIndex(item: InitialiserItem, next: number): KernelGenerator<number> {
    const [designator] = item.designators;
    if (!designator?.index) return next;
    return Number(this.integerOf(yield* this.value(designator.index), designator.span).value);
  }

  /** Gives a place of any type its initial value. */
  private *initialise(place: Place, initialiser: Initialiser): KernelGenerator<void> {
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
    this.store(place, this.convert(value, place.type, span), span);
  }
  /** The first scalar of an aggregate: what `{ 0 }` reaches. */
  private firstPart(object: CObject): Place | undefined {
    const key = isArray(object) ? 0 : Object.keys(object).find((name) => !name.startsWith('$'));
    if (key === undefined || readSlot(object, key) === undefined) return undefined;
    const type = this.slotType(object, key);
    if (!type) return undefined;
    const place = this.within(object, key, type);
    return place.kind === 'object' ? this.firstPart(place.object) : place;
  }
  private *initialiseParts(
    object: CObject,
    items: readonly InitialiserItem[],
    span: SourceSpan,
  ): KernelGenerator<void> {
    const names = isArray(object) ? [] : [...(this.fields((object as CStruct).$struct)?.keys() ?? [])];
    let next = 0;
    for (const item of items) {
      let place: Place | undefined;
      for (const [depth, designator] of item.designators.entries()) {
        const holder: CObject = depth === 0 ? object : place?.kind === 'object' ? place.object : object;
        if (designator.field !== undefined) {
          if (depth === 0) next = names.indexOf(designator.field);
          place = this.member(holder, designator.field, designator.span);
        } else if (designator.index) {
          const index = Number(this.integerOf(yield* this.value(designator.index), designator.span).value);
          if (depth === 0) next = index;
          place = this.element(holder, index, designator.span);
        }
      }
      if (!place) {
        if (!isArray(object) && names[next] === undefined)
          throw this.stop(
            'type',
            `There are more values than struct ${(object as CStruct).$struct} has members.`,
            item.value.span,
          );
        place = isArray(object)
          ? this.element(object, next, item.value.span)
          : this.member(object, names[next] ?? '', span);
      }
      yield* this.initialise(place, item.value);
      next++;
    }
  }
  private element(object: CObject, index: number, span: SourceSpan): Place {
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

  // ---- statements ----

  /** The point before a statement. */
  private *pause(span: SourceSpan): KernelGenerator<void> {
    const { budget } = this.env;
    const at = this.at(span);
    if (--budget.statements < 0) throw new BudgetExceeded('statements', at);
    this.frame.span = at;
    yield { kind: 'statement', span: at, frame: this.frame };
  }

  *list(items: readonly Statement[], entry?: Entry): KernelGenerator<Completion> {
    let index = 0;
    let inside = entry;
    if (entry !== undefined)
      index = Math.max(
        0,
        items.findIndex((item) => holds(item, entry)),
      );
    while (index < items.length) {
      const item = items[index];
      if (!item) break;
      const completion = yield* this.run(item, inside);
      inside = undefined;
      if (completion.kind === 'goto') {
        const { label } = completion;
        const found = items.findIndex((each) => holds(each, label));
        if (found < 0) return completion;
        index = found;
        inside = label;
        continue;
      }
      if (completion.kind !== 'normal') return completion;
      index++;
    }
    return NORMAL;
  }

  private *run(statement: Statement, entry: Entry | undefined): KernelGenerator<Completion> {
    switch (statement.kind) {
      case 'compound': {
        const outer = this.#scope;
        this.#scope = new Scope(outer);
        if (entry !== undefined) this.skipped(statement.items, entry);
        const completion = yield* this.list(statement.items, entry);
        this.#scope = outer;
        return completion;
      }
      case 'if':
        return yield* this.choose(statement, entry);
      case 'while':
      case 'do':
      case 'for':
        return yield* this.loop(statement, entry);
      case 'switch':
        return yield* this.select(statement, entry);
      case 'case':
      case 'label':
        return yield* this.run(
          statement.body,
          entry === undefined ||
            entry === statement ||
            entry === (statement.kind === 'label' ? statement.name : undefined)
            ? undefined
            : entry,
        );
      case 'hole':
        return yield* this.holeStatement(statement);
      case 'function':
      case 'define':
      case 'empty':
        if (statement.kind === 'empty' && statement.span.end > statement.span.start) yield* this.pause(statement.span);
        return NORMAL;
      case 'declaration':
        if (this.isPrototype(statement)) this.resolve(statement.base);
        else {
          yield* this.pause(statement.span);
          yield* this.declare(statement);
        }
        return NORMAL;
    }
    yield* this.pause(statement.span);
    switch (statement.kind) {
      case 'expression':
        this.last = yield* this.value(statement.expression);
        return NORMAL;
      case 'goto':
        return { kind: 'goto', label: statement.label, span: statement.span };
      case 'break':
      case 'continue':
        return { kind: statement.kind };
      case 'return':
        return { kind: 'return', value: statement.value ? yield* this.value(statement.value) : VOID };
    }
  }
  /** The value of the last expression statement: what the shell shows. */
  last: CValue = VOID;

  /** Prototypes, type definitions and typedefs are no statements: nothing happens at them. */
  private isPrototype(node: DeclarationNode): boolean {
    if (node.storage === 'typedef') {
      for (const declarator of node.declarators)
        this.program.typedefs.set(declarator.name, this.resolve(declarator.type));
      return true;
    }
    return node.storage === 'extern' || node.declarators.every((declarator) => declarator.type.kind === 'function');
  }
  /** Variables whose declarations a jump passes over exist, unset. */
  private skipped(items: readonly Statement[], entry: Entry): void {
    for (const item of items) {
      if (holds(item, entry)) return;
      if (item.kind !== 'declaration' || this.isPrototype(item)) continue;
      for (const declarator of item.declarators) {
        const type = this.resolve(declarator.type);
        const key = this.#keys.get(declarator) ?? this.freshKey(declarator.name);
        const known = this.#keys.has(declarator);
        this.#keys.set(declarator, key);
        this.#scope.names.set(declarator.name, this.variable(this.#locals, key, type));
        if (!known) this.unset(this.#locals, key, this.zero(type, true, declarator.span));
      }
    }
  }

  private *choose(node: Extract<Statement, { kind: 'if' }>, entry: Entry | undefined): KernelGenerator<Completion> {
    if (entry !== undefined) {
      const branch = holds(node.then, entry) ? node.then : node.otherwise;
      return branch ? yield* this.run(branch, entry) : NORMAL;
    }
    yield* this.pause(node.head);
    const test = this.truth(yield* this.value(node.test), node.test.span);
    const branch = test ? node.then : node.otherwise;
    return branch ? yield* this.run(branch, undefined) : NORMAL;
  }

  private *loop(
    node: Extract<Statement, { kind: 'while' | 'do' | 'for' }>,
    entry: Entry | undefined,
  ): KernelGenerator<Completion> {
    const outer = this.#scope;
    this.#scope = new Scope(outer);
    let inside = entry;
    if (node.kind === 'for' && entry === undefined) {
      yield* this.pause(node.head);
      if (node.initial?.kind === 'declaration') yield* this.declare(node.initial);
      else if (node.initial) yield* this.value(node.initial);
    }
    let result = NORMAL;
    for (let first = true; ; first = false) {
      const checked = inside === undefined && !(node.kind === 'do' && first);
      if (checked) {
        if (node.kind !== 'for' || !first) yield* this.pause(node.head);
        if (node.kind === 'for' && !first && node.step) yield* this.value(node.step);
        if (node.test && !this.truth(yield* this.value(node.test), node.test.span)) break;
      }
      let completion = yield* this.run(node.body, inside);
      inside = undefined;
      // A jump to a label of the body itself, which is no block.
      while (completion.kind === 'goto' && holds(node.body, completion.label))
        completion = yield* this.run(node.body, completion.label);
      if (completion.kind === 'break') break;
      if (completion.kind === 'goto' || completion.kind === 'return') {
        result = completion;
        break;
      }
    }
    this.#scope = outer;
    return result;
  }

  private *select(node: Extract<Statement, { kind: 'switch' }>, entry: Entry | undefined): KernelGenerator<Completion> {
    let inside = entry;
    if (inside === undefined) {
      yield* this.pause(node.head);
      const test = this.integerOf(yield* this.value(node.test), node.test.span).value;
      const cases = casesOf(node.body);
      for (const each of cases) {
        if (!each.value) continue;
        const from = this.integerOf(yield* this.value(each.value), each.value.span).value;
        const to = each.to ? this.integerOf(yield* this.value(each.to), each.to.span).value : from;
        if (test < from || test > to) continue;
        inside = each;
        break;
      }
      inside ??= cases.find((each) => !each.value);
      if (inside === undefined) return NORMAL;
    }
    const completion = yield* this.run(node.body, inside);
    return completion.kind === 'break' ? NORMAL : completion;
  }

  private *holeStatement(node: Extract<Statement, { kind: 'hole' }>): KernelGenerator<Completion> {
    const filling = this.env.hole(node);
    if (filling === undefined) {
      if (node.position.kind === 'comment') return NORMAL;
      yield* this.pause(node.span);
      throw this.openHole(node);
    }
    if (typeof filling !== 'string') return NORMAL;
    const unit = parseC(filling, 'expression');
    const problem = unit.findings.find((finding) => finding.severity === 'error');
    if (problem)
      throw this.stop('hole', `What fills ${describeHole(node)} cannot be read: ${problem.message}`, node.span);
    return yield* this.elsewhere(filling, node.span, (inner) => inner.list(unit.items));
  }

  // ---- functions ----

  protected override *invokeC(
    definition: CDefinition,
    args: readonly CValue[],
    span: SourceSpan,
  ): KernelGenerator<CValue> {
    if (this.#depth + 1 > (this.env.limits?.depth ?? DEPTH)) throw new BudgetExceeded('depth', this.at(span));
    return yield* callDefinition(definition, args, this.env, this.#depth + 1);
  }
  *body(node: FunctionNode, args: readonly CValue[]): KernelGenerator<CValue> {
    const { type } = node;
    if (
      args.length < type.parameters.length ||
      (args.length > type.parameters.length && !type.variadic && !type.hole)
    ) {
      const count = type.parameters.length;
      throw this.stop(
        'argument-count',
        `${node.name} takes ${count} argument${count === 1 ? '' : 's'}, and is given ${args.length}.`,
        node.head,
      );
    }
    for (const [index, parameter] of type.parameters.entries()) {
      const value = args[index] ?? VOID;
      const declared = decayed(this.resolve(parameter.type));
      const place = this.adopt(parameter.name || `argument ${index + 1}`, declared, undefined);
      this.store(place, this.convert(value, declared, parameter.span), parameter.span);
    }
    const completion = yield* this.list(node.body.items);
    if (completion.kind === 'goto')
      throw this.stop('syntax', `There is no label "${completion.label}" in ${node.name}().`, completion.span);
    const returns = this.resolve(type.returns);
    if (completion.kind !== 'return' || returns.kind === 'void') return VOID;
    if (completion.value.kind === 'void') return VOID;
    return this.convert(completion.value, returns, node.span);
  }
  /** The items of a block that has no function around it. */
  *block(items: readonly Statement[]): KernelGenerator<CValue> {
    const completion = yield* this.list(items);
    if (completion.kind === 'goto')
      throw this.stop('syntax', `There is no label "${completion.label}" here.`, completion.span);
    if (completion.kind === 'break' || completion.kind === 'continue') return this.last;
    return completion.kind === 'return' ? completion.value : this.last;
  }
  /** File-level variables, before anything runs. */
  *globals(): KernelGenerator<void> {
    for (const item of this.program.unit.items) if (item.kind === 'declaration') yield* this.declare(item);
  }
}

/** Makes the file-level variables of a text, once: its own run does so too. */
export function* prepare(program: Program, env: CEnvironment): KernelGenerator<void> {
  if (program.globalsReady) return;
  program.globalsReady = true;
  const globals = new Activation(env, program, 'the file', { shell: program.globals });
  yield* globals.globals();
}

function* callDefinition(
  definition: CDefinition,
  args: readonly CValue[],
  env: CEnvironment,
  depth: number,
): KernelGenerator<CValue> {
  const { node, program } = definition;
  if (program.unit.mode === 'file') yield* prepare(program, env);
  const shown = args.map((value) => formatValue(value, { depth: 1 }));
  const activation = new Activation(env, program, node.name, { args: shown, depth });
  yield { kind: 'call', frame: activation.frame };
  const value = yield* activation.body(node, args);
  yield { kind: 'return', frame: activation.frame, value: formatValue(value, { depth: 1 }) };
  return value;
}

/** A run that ends the JavaScript stack has nested too deeply, whatever its calls were. */
function* guarded<T>(inner: KernelGenerator<T>): KernelGenerator<T> {
  try {
    return yield* inner;
  } catch (error) {
    if (error instanceof RangeError && /stack/i.test(error.message)) throw new BudgetExceeded('depth');
    throw error;
  }
}

/** Calls a C function as part of the calling task: `ops->page_free(page)` of the engine. */
export function* callC(callee: CFunction, args: readonly CValue[], env: CEnvironment): KernelGenerator<CValue> {
  if (callee.kind === 'kernel') return yield* env.call(callee.name, args, { start: 0, end: 0 });
  return yield* guarded(callDefinition(callee.definition as CDefinition, args, env, 0));
}

export interface RunOptions {
  /** The function to call. Without it: the text's statements, or its only function. */
  entry?: string;
  args?: readonly CValue[];
  /** To share the state of file-level variables between runs. */
  program?: Program;
}

const RUNS = new Set([
  'expression',
  'if',
  'while',
  'do',
  'for',
  'switch',
  'label',
  'goto',
  'return',
  'compound',
  'break',
  'continue',
  'case',
]);

/**
 * Runs a parsed text: its statements in order, or if it has none, its function. Yields before
 * every statement. Ends with a value, or throws `BadAccess`, `CStop` or `BudgetExceeded`.
 */
export function* run(unit: CUnit, env: CEnvironment, options: RunOptions = {}): KernelGenerator<CValue> {
  const program = options.program ?? makeProgram(unit);
  return yield* guarded(start(program, env, options));
}
function* start(program: Program, env: CEnvironment, options: RunOptions): KernelGenerator<CValue> {
  const { unit } = program;
  const hasStatements = unit.items.some((item) => RUNS.has(item.kind));
  const name = options.entry ?? (hasStatements ? undefined : onlyFunction(program));
  if (name !== undefined) {
    const node = program.functions.get(name);
    if (!node) throw new CStop('no-entry', `There is no function ${name}() in this text.`);
    yield* prepare(program, env);
    return yield* callDefinition({ node, program }, options.args ?? [], env, 0);
  }
  if (unit.mode === 'file' && !hasStatements && program.functions.size > 0) {
    const names = [...program.functions.keys()].slice(0, 10).join(', ');
    throw new CStop('no-entry', `Which function should run? This text has ${names}.`);
  }
  const activation = new Activation(env, program, 'block', {});
  yield { kind: 'call', frame: activation.frame };
  const value = yield* activation.block(unit.items);
  yield { kind: 'return', frame: activation.frame, value: formatValue(value, { depth: 1 }) };
  return value;
}
function onlyFunction(program: Program): string | undefined {
  const names = [...program.functions.keys()];
  const open = names.filter((name) => !program.functions.get(name)?.static);
  return names.length === 1 ? names[0] : open.length === 1 ? open[0] : undefined;
}

/**
 * One line of the shell: an expression with or without effects, a declaration, or any statement.
 * Variables live in `env.shell`; a name that is assigned to and declared nowhere becomes one.
 */
export function* evaluateExpression(text: string, env: CEnvironment): KernelGenerator<CValue> {
  const unit = parseC(text, 'expression');
  const problem = unit.findings.find((finding) => finding.severity === 'error');
  if (problem) throw new CStop(problem.code, problem.message, problem.span);
  const program = { ...makeProgram(unit), ...(env.program ? sharedTypes(env.program) : {}) };
  const activation = new Activation(env, program, 'shell', { shell: env.shell ?? newFrame('shell') });
  return yield* guarded(activation.block(unit.items));
}
const sharedTypes = (program: Program): Partial<Program> => ({
  structs: program.structs,
  unions: program.unions,
  typedefs: program.typedefs,
  enumerators: program.enumerators,
});
