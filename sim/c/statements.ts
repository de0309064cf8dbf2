/** Statements: what runs next, and the points between. */
import type { KernelGenerator, SourceSpan } from '../task/task.ts';
import type { DeclarationNode, FunctionNode, Statement, StatementsNode } from './ast.ts';
import { type ActivationOptions, Scope } from './declarations.ts';
import { BudgetExceeded, type CEnvironment, type Program } from './environment.ts';
import { type CDefinition, describeHole } from './names.ts';
import { parseC } from './parse.ts';
import { formatValue } from './print.ts';
import { Prototypes } from './prototypes.ts';
import { type CValue, VOID } from './value.ts';
import { decayed } from './values.ts';

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

const DEPTH = 40;

export class Activation extends Prototypes {
  readonly #depth: number;

  constructor(env: CEnvironment, program: Program, name: string, options: ActivationOptions = {}) {
    super(env, program, name, options);
    this.#depth = options.depth ?? 0;
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
        const outer = this.scope;
        this.scope = new Scope(outer);
        if (entry !== undefined) this.skipped(statement.items, entry);
        const completion = yield* this.list(statement.items, entry);
        this.scope = outer;
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
        yield* this.declaration(statement);
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

  private *declaration(node: DeclarationNode): KernelGenerator<void> {
    const struct = this.definedStruct(node);
    if (struct) {
      yield* this.pause(node.span);
      this.compareStruct(struct);
      if (node.declarators.length === 0) return;
    }
    const callable = this.callable(node);
    for (const declarator of callable) {
      yield* this.pause(callable.length > 1 ? declarator.span : node.span);
      this.last = yield* this.callPrototype(declarator);
    }
    if (this.isPrototype(node)) this.resolve(node.base);
    else {
      yield* this.pause(node.span);
      yield* this.declare(node);
    }
  }

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
        const key = this.keys.get(declarator) ?? this.freshKey(declarator.name);
        const known = this.keys.has(declarator);
        this.keys.set(declarator, key);
        this.scope.names.set(declarator.name, this.variable(this.locals, key, type));
        if (!known) this.unset(this.locals, key, this.zero(type, true, declarator.span));
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
    const outer = this.scope;
    this.scope = new Scope(outer);
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
    this.scope = outer;
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
    return yield* this.filled(filling, node.span, (inner) => inner.list(unit.items));
  }

  protected override *statementsValue({ body, span }: StatementsNode): KernelGenerator<CValue> {
    const outer = this.last;
    this.last = VOID;
    const completion = yield* this.run(body, undefined);
    const value = this.last;
    this.last = outer;
    if (completion.kind !== 'normal')
      throw this.stop(
        'unsupported',
        `A "${completion.kind}" out of statements in an expression is not simulated.`,
        span,
      );
    return value;
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

export function* callDefinition(
  definition: CDefinition,
  args: readonly CValue[],
  env: CEnvironment,
  depth: number,
): KernelGenerator<CValue> {
  const { node, program } = definition;
  if (program.unit.mode === 'file') yield* prepare(program, env);
  const shown = args.map((value) => formatValue(value, { depth: 1 }));
  const activation = new Activation(env, program, node.name, { args: shown, depth });
  activation.parameterNames = node.type.parameters.map((parameter) => parameter.name);
  yield { kind: 'call', frame: activation.frame };
  const value = yield* activation.body(node, args);
  yield { kind: 'return', frame: activation.frame, value: formatValue(value, { depth: 1 }) };
  return value;
}
