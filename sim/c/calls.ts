/** Calls: of builtins, kernel functions, stand-ins and C functions. */
import { spanHolds } from '../kernel/release.ts';
import type { KernelGenerator, SourceSpan } from '../task/task.ts';
import type { CallNode, Expression, ParameterNode } from './ast.ts';
import { type Evaluating, SIMPLE, SPECIAL, VALUES } from './builtins.ts';
import { type CCallable, CStop, functionRecord, type Program } from './environment.ts';
import { CALLING, HELPERS } from './helpers.ts';
import type { Place } from './memory.ts';
import { FALLBACK } from './memoryHelpers.ts';
import { type CDefinition, Names } from './names.ts';
import { escapedTarget, isArray } from './objects.ts';
import { parseC } from './parse.ts';
import { type CType, pointerTo, structType, ULONG } from './types.ts';
import {
  BadAccess,
  type CFunction,
  type CObject,
  type CPointer,
  type CValue,
  errorOf,
  integer,
  isNull,
  VOID,
} from './value.ts';
import { decayed } from './values.ts';

const warned = new WeakMap<Program, Set<number>>();
export interface Prototype {
  readonly parameters: readonly CType[];
  readonly nodes: readonly ParameterNode[];
  readonly returns: CType;
  readonly variadic: boolean;
}
const prototypes = new Map<string, Prototype | undefined>();

export abstract class Calls extends Names implements Evaluating {
  protected abstract invokeC(
    definition: CDefinition,
    args: readonly CValue[],
    span: SourceSpan,
  ): KernelGenerator<CValue>;
  abstract place(node: Expression): KernelGenerator<Place>;

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
  copied(from: Place, span: SourceSpan): Place {
    if (from.kind !== 'object') throw this.stop('unsupported', 'This cannot be copied as a whole.', span);
    const object = this.zero(from.type, false, span) as CObject;
    this.copy(from.object, object, span);
    return { kind: 'object', object, type: from.type };
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

  // ---- calls ----

  protected *call(node: CallNode): KernelGenerator<CValue> {
    const { callee } = node;
    if (callee.kind === 'name' && !this.variableNamed(callee.name)) {
      const own = this.program.functions.has(callee.name) || this.env.program?.functions.has(callee.name);
      if (!own) return yield* this.callName(callee.name, node);
    }
    const value = yield* this.value(callee);
    const what = this.words(callee.span);
    if (value.kind === 'pointer' && value.target.kind === 'function') {
      const args = yield* this.values(node.arguments, this.parameterTypes(value.target.function));
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
  private *values(nodes: readonly Expression[], types: readonly CType[] = []): KernelGenerator<CValue[]> {
    const values: CValue[] = [];
    for (const [index, node] of nodes.entries()) {
      this.expected(node, types[index]);
      values.push(yield* this.value(node));
    }
    return values;
  }
  private parameterTypes(callee: CFunction): readonly CType[] {
    if (callee.kind === 'kernel') return this.prototype(callee.name)?.parameters ?? this.macroTypes(callee.name);
    const { node, program } = callee.definition as CDefinition;
    return program === this.program ? node.type.parameters.map((each) => decayed(this.resolve(each.type))) : [];
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
    if (functionRecord(this.env.lookup(name))) {
      const callee: CFunction = { kind: 'kernel', name };
      const args = yield* this.values(node.arguments, this.parameterTypes(callee));
      return yield* this.invoke(callee, yield* this.completed(node, name, args), node.span);
    }
    const standIn = this.env.standIn(name);
    if (standIn) {
      this.tell('undeclared', `${name} is not declared: the scene's ${name} stands for it.`, node.callee.span, 'error');
      if (typeof standIn === 'function')
        return yield* this.callStandIn(standIn, yield* this.values(node.arguments), node.span);
      if (standIn.kind === 'pointer' && standIn.target.kind === 'function')
        return yield* this.invoke(standIn.target.function, yield* this.values(node.arguments), node.span);
    }
    const fallback = FALLBACK.get(name) ?? HELPERS.get(name);
    const calling = CALLING.get(name);
    if (calling) return yield* calling(this, yield* this.values(node.arguments), node.span);
    if (fallback) return fallback(this, yield* this.values(node.arguments), node.span);
    const known =
      this.env.constant(name) ?? this.env.symbol(name) ?? standIn ?? this.program.defines.get(name) ?? VALUES.get(name);
    if (known || this.program.enumerators.has(name))
      throw this.stop('not-a-function', `${name} is not a function: it cannot be called.`, node.span);
    throw this.unknown(name, node.callee.span);
  }

  /** A macro says no types, but a parameter that is called like a struct takes a pointer to one. */
  private macroTypes(name: string): CType[] {
    const record = functionRecord(this.env.lookup(name));
    const text = record?.variants.find((variant) => spanHolds(variant, this.env.release))?.prototype ?? '';
    const list = /\(([^()]*)\)/.exec(text)?.[1] ?? '';
    return list.split(',').map((each): CType => {
      const tag = each.trim();
      if (this.structRecord(tag)) return pointerTo(structType(tag));
      return /^(pfn|nr|n|start|end|addr|size)$/.test(tag) ? ULONG : { kind: 'void' };
    });
  }
  /** Arguments for a call that has not as many as it takes. */
  protected abstract completed(
    node: Extract<Expression, { kind: 'call' }>,
    name: string,
    args: CValue[],
  ): KernelGenerator<CValue[]>;

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
      if (error instanceof BadAccess || error instanceof CStop) error.span ??= this.at(span);
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
  /** The prototype of a kernel function in the release that runs; a macro has none. */
  protected prototype(name: string): Prototype | undefined {
    const record = functionRecord(this.env.lookup(name));
    const text = record?.variants.find((variant) => spanHolds(variant, this.env.release))?.prototype;
    if (!text || record?.macro) return undefined;
    if (prototypes.has(text)) return prototypes.get(text);
    const unit = parseC(`${text};`, 'file');
    const [item] = unit.items;
    const type = item?.kind === 'declaration' && unit.findings.length === 0 ? item.declarators[0]?.type : undefined;
    let found: Prototype | undefined;
    if (type?.kind === 'function' && !type.hole) {
      const resolved = this.resolve(type);
      if (resolved.kind === 'function') found = { ...resolved, nodes: type.parameters };
    }
    if (prototypes.size > 2000) prototypes.clear();
    prototypes.set(text, found);
    return found;
  }
}
