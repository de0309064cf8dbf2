/** Running expressions. Everything that may call a function is a generator, so that it can be paused. */
import { ERRNO } from '../include/errno.ts';
import type { KernelRecord } from '../kernel/registry.ts';
import { spanHolds } from '../kernel/release.ts';
import type { KernelGenerator, SourceSpan } from '../task/task.ts';
import type {
  AssignNode,
  BinaryOperator,
  CallNode,
  Expression,
  FunctionNode,
  HoleNode,
  MemberNode,
  UpdateNode,
} from './ast.ts';
import { type Evaluating, FALLBACK, SIMPLE, SPECIAL, VALUES } from './builtins.ts';
import { type CCallable, type CStop, functionRecord, type Program } from './environment.ts';
import { escapedTarget, isArray, isUnwritten, type Place, typeOfValue } from './memory.ts';
import { parseC } from './parse.ts';
import { type CType, commonType, convertInteger, INT } from './types.ts';
import {
  BadAccess,
  type CFunction,
  type CObject,
  type CPointer,
  type CStruct,
  type CValue,
  errorOf,
  integer,
  isNull,
  stringPointer,
  VOID,
} from './value.ts';
import { decayed, isTypeNode, Values } from './values.ts';

/** A C function as a value: its tree, and the program its names belong to. */
export interface CDefinition {
  readonly node: FunctionNode;
  readonly program: Program;
}

const warned = new WeakMap<Program, Set<number>>();
const prototypes = new Map<string, { parameters: readonly CType[]; returns: CType; variadic: boolean } | undefined>();

export abstract class Expressions extends Values implements Evaluating {
  #expanding = 0;

  protected abstract invokeC(
    definition: CDefinition,
    args: readonly CValue[],
    span: SourceSpan,
  ): KernelGenerator<CValue>;
  protected abstract initialised(
    type: CType,
    node: Extract<Expression, { kind: 'literal' }>,
  ): KernelGenerator<CObject | undefined>;
  /** A variable for a name that is declared nowhere. */
  protected abstract adopt(name: string, type: CType, object: CObject | undefined): Place;
  protected abstract readonly isShell: boolean;

  // ---- what builtins use ----

  resolveArgument(node: Expression | undefined, span: SourceSpan): CType {
    if (node?.kind === 'type') return this.resolve(node.type);
    if (node?.kind === 'name') return this.resolve({ kind: 'named', name: node.name, span });
    throw this.stop('type', 'A type is needed here.', span);
  }
  zeroed(place: Place, span: SourceSpan): void {
    if (place.kind === 'object') {
      const zero = this.zero(place.type, false, span);
      if (typeof zero === 'object' && !('kind' in zero)) {
        if (isArray(zero as CObject)) throw this.stop('unsupported', 'This array cannot be cleared as a whole.', span);
        this.copy(zero as CObject, place.object, span);
      }
    } else this.store(place, this.convert(integer(0), place.type, span, true), span);
  }
  copyPlace(from: Place, to: Place, span: SourceSpan): void {
    this.store(to, this.convert(this.load(from, this.words(span), span), to.type, span, true), span);
  }
  allocated(bytes: bigint, automatic: boolean): CPointer {
    return this.allocate(bytes, automatic);
  }
  once(span: SourceSpan): boolean {
    const seen = warned.get(this.program) ?? new Set();
    warned.set(this.program, seen);
    const { start } = this.at(span);
    return seen.size < seen.add(start).size;
  }
  badAccess(message: string, span: SourceSpan): BadAccess {
    return this.bad(message, span);
  }
  stopped(code: CStop['code'], message: string, span: SourceSpan): CStop {
    return this.stop(code, message, span);
  }

  // ---- values ----

  *value(node: Expression): KernelGenerator<CValue> {
    switch (node.kind) {
      case 'integer':
        return integer(node.value, node.type);
      case 'string':
        return stringPointer(node.value);
      case 'name':
        return yield* this.nameValue(node.name, node.span);
      case 'unary':
        return yield* this.unary(node.operator, node.operand, node.span);
      case 'update':
        return yield* this.update(node);
      case 'binary': {
        const left = yield* this.value(node.left);
        if (node.operator === '&&' || node.operator === '||') {
          const first = this.truth(left, node.left.span);
          if (first === (node.operator === '||')) return integer(first ? 1 : 0);
          return integer(this.truth(yield* this.value(node.right), node.right.span) ? 1 : 0);
        }
        return this.binaryValue(node.operator, left, yield* this.value(node.right), node.span);
      }
      case 'assign':
        return yield* this.assign(node);
      case 'conditional': {
        const test = yield* this.value(node.test);
        const holds = this.truth(test, node.test.span);
        const chosen = holds ? (node.then ? yield* this.value(node.then) : test) : yield* this.value(node.otherwise);
        return this.balanced(chosen, holds ? node.otherwise : (node.then ?? node.test), node.span);
      }
      case 'comma':
        yield* this.value(node.left);
        return yield* this.value(node.right);
      case 'cast':
        return this.convert(yield* this.value(node.operand), this.resolve(node.type), node.span, true);
      case 'literal':
      case 'index':
        return this.load(yield* this.place(node), this.words(node.span), node.span);
      case 'member': {
        const place = yield* this.memberPlace(node);
        return this.load(place, this.words(node.span), node.span);
      }
      case 'sizeof': {
        const size = this.sizeofNode(node.of, node.span);
        if (size === undefined) {
          const what = isTypeNode(node.of) ? this.words(node.of.span) : this.words(node.span);
          throw this.stop('unsupported', `The size of ${what} is not known.`, node.span);
        }
        return integer(size, 'unsigned long');
      }
      case 'call':
        return yield* this.call(node);
      case 'hole':
        return yield* this.fill(node);
      case 'type':
        throw this.stop('syntax', `A type stands where a value should be: ${this.words(node.span)}.`, node.span);
      case 'error':
        throw this.stop('syntax', node.message, node.span);
    }
  }

  /** The arms of `?:` share a type: an integer arm takes the common one, a 0 beside a pointer is NULL. */
  private balanced(chosen: CValue, other: Expression, span: SourceSpan): CValue {
    const type = this.staticType(other);
    if (chosen.kind !== 'integer' || !type) return chosen;
    if (type.kind === 'integer') return convertInteger(chosen, commonType(chosen.type, type.type));
    const pointer = decayed(type);
    return pointer.kind === 'pointer' && chosen.value === 0n ? this.convert(chosen, pointer, span) : chosen;
  }

  private *unary(
    operator: '+' | '-' | '!' | '~' | '*' | '&',
    operand: Expression,
    span: SourceSpan,
  ): KernelGenerator<CValue> {
    if (operator === '&') {
      if (operand.kind === 'name' && !this.variableNamed(operand.name)) {
        const value = this.functionNamed(operand.name);
        if (value) return value;
      }
      if (operand.kind === 'unary' && operand.operator === '*') return yield* this.value(operand.operand);
      return this.pointerTo(yield* this.place(operand), span);
    }
    if (operator === '*') {
      const pointer = yield* this.value(operand);
      if (pointer.kind === 'pointer' && pointer.target.kind === 'function') return pointer;
      if (pointer.kind !== 'pointer')
        throw this.stop('type', `${this.words(operand.span)} is not a pointer: it cannot be followed.`, span);
      return this.load(this.dereference(pointer, this.words(operand.span), span), this.words(span), span);
    }
    return this.unaryValue(operator, yield* this.value(operand), operand.span);
  }

  private *update(node: UpdateNode): KernelGenerator<CValue> {
    const place = yield* this.place(node.operand);
    const before = this.load(place, this.words(node.operand.span), node.operand.span);
    const after = this.binaryValue(node.operator === '++' ? '+' : '-', before, integer(1), node.span);
    const stored = this.convert(after, place.type, node.span);
    this.store(place, stored, node.span);
    return node.prefix ? stored : before;
  }

  private *assign(node: AssignNode): KernelGenerator<CValue> {
    const { left, operator } = node;
    const right = yield* this.value(node.right);
    const place =
      left.kind === 'name' && operator === '=' ? this.target(left.name, right, left.span) : yield* this.place(left);
    if (place.kind === 'object' && isArray(place.object))
      throw this.stop('type', `${this.words(left.span)} is an array: only its elements can be assigned to.`, node.span);
    let result: CValue = right;
    if (operator !== '=') {
      const before = this.load(place, this.words(left.span), left.span);
      result = this.binaryValue(
        operator.slice(0, -1) as Exclude<BinaryOperator, '&&' | '||'>,
        before,
        right,
        node.span,
      );
    }
    const stored = this.convert(result, place.type, node.right.span);
    this.store(place, stored, node.span);
    return stored;
  }
  /** The variable an assignment writes; a name that is declared nowhere becomes one of the value's type. */
  private target(name: string, value: CValue, span: SourceSpan): Place {
    const place = this.namePlace(name, span);
    if (place) return place;
    if (value.kind === 'void') throw this.stop('type', `There is no value to assign to ${name}.`, span);
    if (this.env.lookup(name) && !this.isShell) throw this.stop('type', `${name} cannot be assigned to.`, span);
    if (!this.isShell)
      this.tell('undeclared', `${name} is not declared: it is taken as a variable of the function.`, span, 'error');
    return this.adopt(name, decayed(typeOfValue(value)), undefined);
  }

  // ---- names ----

  private *nameValue(name: string, span: SourceSpan): KernelGenerator<CValue> {
    const variable = this.variableNamed(name);
    if (variable) return this.load(variable.place, name, span);
    const { program } = this.env;
    const enumerator = this.program.enumerators.get(name) ?? program?.enumerators.get(name);
    if (enumerator !== undefined) return integer(enumerator, 'int');
    const define = this.program.defines.get(name) ?? program?.defines.get(name);
    if (define) return yield* this.expand(define, name, span);
    const callable = this.functionNamed(name);
    if (callable) return callable;
    const known = this.env.constant(name) ?? this.env.symbol(name) ?? VALUES.get(name);
    if (known)
      return known.kind === 'aggregate' && isArray(known.object)
        ? this.load({ kind: 'object', object: known.object, type: INT }, name, span)
        : known;
    const errno = ERRNO.get(name);
    if (errno !== undefined) return integer(errno, 'int');
    if (name === '__func__') return stringPointer(this.functionName);
    const place = this.namePlace(name, span);
    if (place) return this.load(place, name, span);
    throw this.unknown(name, span);
  }
  protected abstract readonly functionName: string;

  private *expand(define: Expression, name: string, span: SourceSpan): KernelGenerator<CValue> {
    if (++this.#expanding > 50) throw this.stop('unsupported', `The macro ${name} is defined by itself.`, span);
    const result = yield* this.elsewhere(name, span, (inner) => inner.value(define));
    this.#expanding--;
    return result;
  }
  /** Runs a tree that another text holds, with every span of it reported as `span` of this one. */
  protected *elsewhere<T>(text: string, span: SourceSpan, run: (self: this) => KernelGenerator<T>): KernelGenerator<T> {
    const [outer, words] = [this.override, this.text];
    this.override ??= span;
    this.text = text;
    try {
      return yield* run(this);
    } finally {
      this.override = outer;
      this.text = words;
    }
  }

  /** A function by name, as a pointer. */
  private functionNamed(name: string): CPointer | undefined {
    for (const program of [this.program, this.env.program]) {
      const node = program?.functions.get(name);
      if (program && node)
        return functionPointer({ kind: 'c', name, definition: { node, program } satisfies CDefinition });
    }
    const record = functionRecord(this.env.lookup(name));
    return record ? functionPointer({ kind: 'kernel', name }) : undefined;
  }

  /** The object or variable behind a name, a stand-in adopted as one included. */
  private namePlace(name: string, span: SourceSpan): Place | undefined {
    const variable = this.variableNamed(name);
    if (variable) return variable.place;
    const symbol = this.env.symbol(name);
    if (symbol?.kind === 'aggregate') return { kind: 'object', object: symbol.object, type: typeOfValue(symbol) };
    if (symbol || this.env.constant(name)) return undefined;
    const standIn = this.env.standIn(name);
    if (!standIn || typeof standIn === 'function') return undefined;
    this.tell('undeclared', `${name} is not declared: the scene's ${name} stands for it.`, span, 'error');
    const type = typeOfValue(standIn);
    const place = this.adopt(name, type, standIn.kind === 'aggregate' ? standIn.object : undefined);
    if (place.kind === 'slot' && standIn.kind !== 'aggregate') this.store(place, standIn, span);
    return place;
  }

  private unknown(name: string, span: SourceSpan): CStop {
    const record = this.env.lookupAny(name);
    const { release } = this.env;
    if (record && record.kind !== 'never') {
      const when = spansOf(record).find((each) => !spanHolds(each, release));
      const period = when
        ? when.until
          ? `it exists only from ${when.since} to ${when.until}`
          : `it exists only since ${when.since}`
        : 'it does not exist there';
      const now = 'replacedBy' in record && record.replacedBy ? `; ${record.replacedBy} took its place` : '';
      const message = `${name} is not in ${release}: ${period}${now}.`;
      this.tell('not-in-release', message, span, 'error');
      return this.stop('not-in-release', message, span);
    }
    const instead = record?.kind === 'never' && record.instead ? ` Is ${record.instead} meant?` : '';
    const message = `${name} is declared nowhere.${instead}`;
    this.tell('undeclared', message, span, 'error');
    return this.stop('undeclared', message, span);
  }

  // ---- places ----

  *place(node: Expression): KernelGenerator<Place> {
    switch (node.kind) {
      case 'name': {
        const place = this.namePlace(node.name, node.span);
        if (place) return place;
        const define = this.program.defines.get(node.name);
        if (define) return yield* this.elsewhere(node.name, node.span, (inner) => inner.place(define));
        const known = this.env.symbol(node.name) ?? this.env.constant(node.name) ?? this.env.lookup(node.name);
        if (known || VALUES.has(node.name))
          throw this.stop('type', `${node.name} is a value: it cannot be written or pointed to.`, node.span);
        throw this.unknown(node.name, node.span);
      }
      case 'member':
        return yield* this.memberPlace(node);
      case 'index': {
        const object = yield* this.value(node.object);
        const index = yield* this.value(node.index);
        const what = this.words(node.span);
        const [pointer, count] = object.kind === 'pointer' ? [object, index] : [index, object];
        if (pointer.kind !== 'pointer')
          throw this.stop('type', `${this.words(node.object.span)} is neither an array nor a pointer.`, node.span);
        return this.dereference(
          this.advance(pointer, this.integerOf(count, node.index.span).value, node.span),
          what,
          node.span,
        );
      }
      case 'unary': {
        if (node.operator !== '*') break;
        const pointer = yield* this.value(node.operand);
        if (pointer.kind !== 'pointer')
          throw this.stop(
            'type',
            `${this.words(node.operand.span)} is not a pointer: it cannot be followed.`,
            node.span,
          );
        return this.dereference(pointer, this.words(node.operand.span), node.span);
      }
      case 'literal': {
        const type = this.resolve(node.type);
        const object = yield* this.initialised(type, node);
        if (object) return { kind: 'object', object, type: isArray(object) ? this.objectType(object) : type };
        break;
      }
      case 'comma':
        yield* this.value(node.left);
        return yield* this.place(node.right);
      case 'hole':
      case 'call': {
        const value = yield* this.value(node);
        if (value.kind === 'aggregate') return { kind: 'object', object: value.object, type: typeOfValue(value) };
        break;
      }
      case 'error':
        throw this.stop('syntax', node.message, node.span);
    }
    throw this.stop('type', `${this.words(node.span)} is a value: it cannot be written or pointed to.`, node.span);
  }

  private *memberPlace(node: MemberNode): KernelGenerator<Place> {
    const base = yield* this.memberBase(node);
    if (base.kind === 'page') return this.pageMember(base.pfn, node.field, node.fieldSpan);
    if (base.kind === 'object') return this.member(base.object, node.field, node.fieldSpan);
    throw this.stop(
      'type',
      `${this.words(node.object.span)} is not a struct: it has no member ${node.field}.`,
      node.fieldSpan,
    );
  }
  /** What stands before the `.` or `->`. The wrong one of the two is a finding, and read as the right one. */
  private *memberBase(node: MemberNode): KernelGenerator<Place> {
    const { object } = node;
    if (!node.arrow && object.kind === 'unary' && object.operator === '*') return yield* this.place(object);
    const value = yield* this.value(object);
    const what = this.words(object.span);
    if (value.kind === 'aggregate') {
      if (node.arrow)
        this.tell(
          'member-operator',
          `${what} is a struct, not a pointer: "." reaches its members.`,
          node.span,
          'error',
        );
      return { kind: 'object', object: value.object, type: typeOfValue(value) };
    }
    if (value.kind !== 'pointer')
      throw this.stop('type', `${what} is a number: it has no member ${node.field}.`, node.span);
    if (!node.arrow)
      this.tell('member-operator', `${what} is a pointer: "->" reaches the members behind it.`, node.span, 'error');
    return this.dereference(value, what, node.span);
  }

  // ---- holes ----

  private *fill(node: HoleNode): KernelGenerator<CValue> {
    const filling = this.env.hole(node);
    if (filling === undefined) throw this.openHole(node);
    if (typeof filling !== 'string') return filling;
    const unit = parseC(filling, 'expression');
    const [only] = unit.items;
    const problem = unit.findings.find((finding) => finding.severity === 'error');
    if (problem || only?.kind !== 'expression' || unit.items.length !== 1)
      throw this.stop(
        'hole',
        `What fills ${describeHole(node)} is not an expression: ${problem?.message ?? filling}`,
        node.span,
      );
    return yield* this.elsewhere(filling, node.span, (inner) => inner.value(only.expression));
  }
  protected openHole(node: HoleNode): CStop {
    const message = `The text leaves ${describeHole(node)} open: it must be filled before this can run.`;
    this.tell('hole', message, node.span, 'error');
    return this.stop('hole', message, node.span);
  }

  // ---- calls ----

  private *call(node: CallNode): KernelGenerator<CValue> {
    const { callee } = node;
    if (callee.kind === 'name' && !this.variableNamed(callee.name)) {
      const own = this.program.functions.has(callee.name) || this.env.program?.functions.has(callee.name);
      if (!own) return yield* this.callName(callee.name, node);
    }
    const value = yield* this.value(callee);
    const what = this.words(callee.span);
    if (value.kind === 'pointer' && value.target.kind === 'function') {
      const args = yield* this.values(node.arguments);
      return yield* this.invoke(value.target.function, args, node.span);
    }
    if (value.kind === 'pointer' && isNull(value))
      throw this.bad(`${what} is NULL: there is no function to call.`, node.span);
    if (value.kind === 'pointer' && errorOf(value) !== undefined)
      throw this.bad(
        `${what} is ERR_PTR(${this.errorName(errorOf(value) ?? 0)}): there is no function to call.`,
        node.span,
      );
    throw this.stop('not-a-function', `${what} is not a function: it cannot be called.`, node.span);
  }
  private *values(nodes: readonly Expression[]): KernelGenerator<CValue[]> {
    const values: CValue[] = [];
    for (const node of nodes) values.push(yield* this.value(node));
    return values;
  }

  private *callName(name: string, node: CallNode): KernelGenerator<CValue> {
    const special = SPECIAL.get(name);
    if (special) {
      const result = special(this, node);
      return 'next' in result ? yield* result : result;
    }
    const simple = SIMPLE.get(name);
    if (simple) return simple(this, yield* this.values(node.arguments), node.span);
    if (name === 'IS_ENABLED') {
      const [option] = node.arguments;
      const value = option?.kind === 'name' ? this.env.constant(option.name) : undefined;
      return integer(value?.kind === 'integer' && value.value !== 0n ? 1 : 0);
    }
    if (functionRecord(this.env.lookup(name)))
      return yield* this.invoke({ kind: 'kernel', name }, yield* this.values(node.arguments), node.span);
    const standIn = this.env.standIn(name);
    if (standIn) {
      this.tell('undeclared', `${name} is not declared: the scene's ${name} stands for it.`, node.callee.span, 'error');
      if (typeof standIn === 'function')
        return yield* this.callStandIn(standIn, yield* this.values(node.arguments), node.span);
      if (standIn.kind === 'pointer' && standIn.target.kind === 'function')
        return yield* this.invoke(standIn.target.function, yield* this.values(node.arguments), node.span);
    }
    const fallback = FALLBACK.get(name);
    if (fallback) return fallback(this, yield* this.values(node.arguments), node.span);
    const known =
      this.env.constant(name) ?? this.env.symbol(name) ?? standIn ?? this.program.defines.get(name) ?? VALUES.get(name);
    if (known || this.program.enumerators.has(name))
      throw this.stop('not-a-function', `${name} is not a function: it cannot be called.`, node.span);
    throw this.unknown(name, node.callee.span);
  }

  private *callStandIn(callable: CCallable, args: readonly CValue[], span: SourceSpan): KernelGenerator<CValue> {
    const result = yield* this.located(span, function* () {
      const given = callable(args, span);
      return 'next' in given ? yield* given : given;
    });
    this.escape(args);
    return result;
  }

  /** Calls a function with C's conversions of its arguments and result. */
  *invoke(callee: CFunction, args: readonly CValue[], span: SourceSpan): KernelGenerator<CValue> {
    if (callee.kind === 'c') return yield* this.invokeC(callee.definition as CDefinition, args, span);
    const prototype = this.prototype(callee.name);
    const given = prototype ? this.converted(callee.name, prototype, args, span) : args;
    const { env } = this;
    const at = this.at(span);
    const result = yield* this.located(span, () => env.call(callee.name, given, at));
    this.escape(args);
    if (!prototype || result.kind === 'void' || prototype.returns.kind === 'struct') return result;
    return prototype.returns.kind === 'void' ? VOID : this.convert(result, prototype.returns, span, true);
  }
  /** What the machine throws without a place gets the place of the call. */
  private *located<T>(span: SourceSpan, run: () => KernelGenerator<T>): KernelGenerator<T> {
    try {
      return yield* run();
    } catch (error) {
      if (error instanceof BadAccess) error.span ??= this.at(span);
      throw error;
    }
  }
  private escape(args: readonly CValue[]): void {
    for (const value of args) if (value.kind === 'pointer') escapedTarget(value.target);
  }
  private converted(
    name: string,
    prototype: { parameters: readonly CType[]; variadic: boolean },
    args: readonly CValue[],
    span: SourceSpan,
  ): CValue[] {
    const { parameters, variadic } = prototype;
    if (args.length < parameters.length || (args.length > parameters.length && !variadic)) {
      const message = `${name} takes ${parameters.length} argument${parameters.length === 1 ? '' : 's'}, and is given ${args.length}.`;
      throw this.stop('argument-count', message, span);
    }
    return args.map((value, index) => {
      const type = parameters[index];
      return type && type.kind !== 'struct' ? this.convert(value, type, span) : value;
    });
  }
  private prototype(name: string): { parameters: readonly CType[]; returns: CType; variadic: boolean } | undefined {
    const record = functionRecord(this.env.lookup(name));
    const text = record?.variants.find((variant) => spanHolds(variant, this.env.release))?.prototype;
    if (!text || record?.macro) return undefined;
    if (prototypes.has(text)) return prototypes.get(text);
    const unit = parseC(`${text};`, 'file');
    const [item] = unit.items;
    const type = item?.kind === 'declaration' && unit.findings.length === 0 ? item.declarators[0]?.type : undefined;
    let found: { parameters: readonly CType[]; returns: CType; variadic: boolean } | undefined;
    if (type?.kind === 'function' && !type.hole) {
      const resolved = this.resolve(type);
      if (resolved.kind === 'function') found = resolved;
    }
    if (prototypes.size > 2000) prototypes.clear();
    prototypes.set(text, found);
    return found;
  }

  /** True if a variable of a frame was not written yet. */
  protected isUnset(frame: CStruct, key: string): boolean {
    return isUnwritten(frame, key);
  }
}

const functionPointer = (callee: CFunction): CPointer => ({
  kind: 'pointer',
  to: 'function',
  target: { kind: 'function', function: callee },
});

/** A hole by where it stands: `argument 2 of request()`, `the value of x.start`. */
export function describeHole(node: HoleNode): string {
  const { position } = node;
  const words = node.words ? ` ("${node.words}")` : '';
  switch (position.kind) {
    case 'argument':
      return `argument ${position.index + 1} of ${position.call}()${words}`;
    case 'parameters':
      return `the parameters of ${position.function}()${words}`;
    case 'right-hand-side':
      return `the value of ${position.of}${words}`;
    case 'index':
      return `the index into ${position.of}${words}`;
    case 'condition':
      return `the condition of this ${position.of}${words}`;
    case 'return':
      return `the returned value${words}`;
    case 'operand':
      return `a value${words}`;
    case 'statement':
      return 'what stands for these statements';
    case 'comment':
      return `what the comment stands for${words}`;
  }
}

function spansOf(record: KernelRecord): readonly { since: `${number}.${number}`; until?: `${number}.${number}` }[] {
  switch (record.kind) {
    case 'function':
      return record.variants;
    case 'constant':
    case 'macro':
    case 'errno':
      return record.values;
    case 'never':
      return [];
    default:
      return [record];
  }
}
