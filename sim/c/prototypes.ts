/**
 * Declarations that are run: a prototype is called, with arguments from the scene or such as make sense, and the
 * definition of a struct is held against the kernel's struct of that name.
 */
import { variantOf } from '../kernel/names.ts';
import { prose } from '../kernel/prose.ts';
import type { FunctionRecord } from '../kernel/registry.ts';
import { spanHolds } from '../kernel/release.ts';
import type { KernelGenerator, SourceSpan } from '../task/task.ts';
import type { DeclarationNode, Declarator, Expression, FieldNode, ParameterNode, TypeNode } from './ast.ts';
import type { Prototype } from './calls.ts';

import { functionRecord } from './environment.ts';
import { parseC } from './parse.ts';
import { formatValue } from './print.ts';
import { StandIns } from './standIns.ts';
import { type CType, fieldsIn, spell } from './types.ts';
import { type CObject, type CValue, errorOf, integer, stringPointer } from './value.ts';
import { decayed } from './values.ts';

type FunctionType = Extract<TypeNode, { kind: 'function' }>;
type CallNode = Extract<Expression, { kind: 'call' }>;

/** How the arguments of a call that the text leaves open are called: by place, or by the name of the parameter. */
export const argumentNames = (call: string, index: number, parameter: string): string[] => [
  `argument ${index + 1} of ${call}`,
  ...(parameter ? [`${call}.${parameter}`] : []),
];

/** The declarators of a declaration that are prototypes of functions. */
export const prototypesIn = (node: DeclarationNode): (Declarator & { type: FunctionType })[] =>
  node.storage === 'typedef'
    ? []
    : node.declarators.flatMap((each) => {
        // `struct x *f(int)`: the declarator is a function that returns a pointer, already.
        const { type } = each;
        return type.kind === 'function' && each.name ? [{ ...each, type }] : [];
      });

export abstract class Prototypes extends StandIns {
  /** The declarators of prototypes that can be called: those whose name the release has, or the scene defines. */
  protected callable(node: DeclarationNode): (Declarator & { type: FunctionType })[] {
    if (!this.env.declarations) return [];
    return prototypesIn(node).filter(({ name, span }) => {
      if (this.program.functions.has(name)) return false;
      if (functionRecord(this.env.lookup(name)) || this.env.program?.functions.has(name)) return true;
      this.unknown(name, span);
      return false;
    });
  }

  /** Calls what a prototype declares, and says what came of it. */
  protected *callPrototype(declarator: Declarator & { type: FunctionType }): KernelGenerator<CValue> {
    const { name, type, span } = declarator;
    const pointer = this.functionNamed(name);
    if (pointer?.target.kind !== 'function') throw this.unknown(name, span);
    const record = functionRecord(this.env.lookup(name));
    const theirs = record?.macro ? undefined : this.prototype(name);
    const differs = theirs !== undefined && theirs.nodes.length !== type.parameters.length;
    if (differs) {
      const [count, here] = [theirs.nodes.length, type.parameters.length];
      const message = `${name}() of ${this.env.release} takes ${count} arguments, not ${here}.`;
      this.tell('prototype-differs', message, span, 'error');
    }
    // Where they are not as declared, what the text names alike is what is meant.
    const args = yield* this.argumentsFor(name, differs ? theirs.nodes : type.parameters, span, type.parameters);
    const value = yield* this.invoke(pointer.target.function, args, span);
    this.env.print?.(this.outcome(name, record, value));
    return value;
  }

  private outcome(name: string, record: FunctionRecord | undefined, value: CValue): string {
    if (value.kind === 'void') return `${name}() returned`;
    const error =
      errorOf(value) ??
      (value.kind === 'integer' && value.value < 0n && value.value >= -4095n ? Number(value.value) : undefined);
    const shown =
      error !== undefined && value.kind === 'integer'
        ? `${this.errorName(error)} (${error})`
        : formatValue(value, { addressOf: (target) => this.env.addressOf(target), depth: 1 });
    if (error === undefined || !record) return `${name}() returned ${shown}`;
    const errors = variantOf(record, this.env.release)?.errors ?? [];
    const why = errors.filter((each) => each.returns.includes(this.errorName(error))).map((each) => prose(each.when));
    return `${name}() returned ${shown}${why.length === 1 ? `: ${why[0]}` : why.length > 1 ? `: either ${why.join(', or ')}` : ''}`;
  }

  // ---- arguments that nobody wrote ----

  /** Arguments for every parameter: the scene's, or such as make sense. */
  *argumentsFor(
    call: string,
    parameters: readonly ParameterNode[],
    span: SourceSpan,
    named: readonly ParameterNode[] = parameters,
    from = 0,
  ): KernelGenerator<CValue[]> {
    const args: CValue[] = [];
    for (const [place, parameter] of parameters.entries()) {
      if (place < from) continue;
      const same = named.findIndex((each) => each.name === parameter.name);
      const index = same >= 0 ? same : place;
      const type = decayed(this.resolve(parameter.type));
      const given = this.env.argument?.(call, index, parameter.name);
      if (given === undefined) args.push(this.defaultFor(type, parameter, span));
      else args.push(this.convert(yield* this.given(given, call, index, parameter.span), type, parameter.span));
    }
    return args;
  }
  /** A call with too few arguments or too many, as another release has it: those that fit, and for the others what the scene has. */
  protected override *completed(node: CallNode, name: string, args: CValue[]): KernelGenerator<CValue[]> {
    const theirs = this.isLenient && this.env.argument ? this.prototype(name) : undefined;
    if (!theirs || theirs.variadic || args.length === theirs.nodes.length) return args;
    const { span } = node;
    const [count, here] = [theirs.nodes.length, args.length];
    const message = `${name}() of ${this.env.release} takes ${count} argument${count === 1 ? '' : 's'}, and is given ${here}.`;
    this.tell('argument-count', message, span, 'error');
    const meant = meantBy(theirs, node, args) ?? theirs.nodes.map((_, index) => args[index]);
    const all: CValue[] = [];
    for (const [index, value] of meant.entries())
      if (value) all.push(value);
      else all.push(...(yield* this.argumentsFor(name, theirs.nodes.slice(0, index + 1), span, theirs.nodes, index)));
    return all;
  }
  private *given(text: string, call: string, index: number, span: SourceSpan): KernelGenerator<CValue> {
    const unit = parseC(text, 'expression');
    const [only] = unit.items;
    const problem = unit.findings.find((finding) => finding.severity === 'error');
    if (problem || only?.kind !== 'expression' || unit.items.length !== 1)
      throw this.stop(
        'hole',
        `Argument ${index + 1} of ${call} is not an expression: ${problem?.message ?? text}`,
        span,
      );
    return yield* this.filled(text, span, (inner) => inner.value(only.expression));
  }

  /** The scene's object of the type, one of the machine, a fresh zeroed one, NULL or 0. */
  private defaultFor(type: CType, { name }: ParameterNode, span: SourceSpan): CValue {
    const known = this.variableOf(type, name);
    if (known) return known;
    if (type.kind === 'integer') return integer(0, type.type);
    if (type.kind === 'struct') return { kind: 'aggregate', object: this.zero(type, false, span) as CObject };
    if (type.kind !== 'pointer') return integer(0);
    const { to } = type;
    const ofMachine = this.env.objectOf?.(spell(to));
    if (ofMachine) return ofMachine;
    if (to.kind === 'integer' && to.type === 'char') return stringPointer(name);
    return this.fresh(type, name || 'argument', span);
  }

  // ---- struct definitions ----

  /** A struct that the declaration defines, and that is to be held against the kernel's. */
  protected definedStruct(node: DeclarationNode): Extract<TypeNode, { kind: 'struct' }> | undefined {
    const { base } = node;
    return this.env.declarations && base.kind === 'struct' && base.fields && !base.tag.includes('@') ? base : undefined;
  }
  /** Declares it, and tells in what its members are not those of the kernel. */
  protected compareStruct(node: Extract<TypeNode, { kind: 'struct' }>): void {
    this.resolve(node);
    const { release } = this.env;
    const record = this.structRecord(node.tag);
    const { fields = [], tag } = node;
    if (!record) {
      const name = this.env.lookupAny(`struct ${tag}`) ? `struct ${tag}` : undefined;
      if (name) this.unknown(name, node.span);
      this.env.print?.(`struct ${tag}: ${name ? `${release} has no such struct` : 'declared by this text'}`);
      return;
    }
    const theirs = fieldsIn(record, release);
    const differing: string[] = [];
    for (const field of fields) {
      const own = record.fields.find((each) => each.name === field.name && spanHolds(each, release));
      if (!own) this.noSuchField(tag, field.name, field.span);
      const difference = own && this.difference(field, own.type);
      if (difference) {
        const message = `${field.name} of struct ${tag} is otherwise in ${release}: ${difference}.`;
        this.tell('field-differs', message, field.span, 'error');
      }
      if (!own || difference) differing.push(field.name);
    }
    const missing = [...theirs.keys()].filter((name) => !fields.some((field) => field.name === name));
    const also = missing.length ? `; the kernel's has also ${missing.join(', ')}` : '';
    const count = `${fields.length} member${fields.length === 1 ? '' : 's'}`;
    this.env.print?.(
      `struct ${tag}: ${count}, ${differing.length ? `${differing.length} not as in ${release} (${differing.join(', ')})` : `all as in ${release}`}${also}`,
    );
  }
  /** In what a member's type is not `theirs`; undefined where it is the same. */
  private difference(field: FieldNode, theirs: string): string | undefined {
    const own = field.type;
    const unit = parseC(
      theirs.includes('(*)') ? `${theirs.replace('(*)', '(*member)')};` : `${theirs} member;`,
      'file',
    );
    const [item] = unit.items;
    const type = item?.kind === 'declaration' && unit.findings.length === 0 ? item.declarators[0]?.type : undefined;
    if (!type) return undefined;
    const [mine, other] = [callType(own), callType(type)];
    if (!mine || !other) {
      const [a, b] = [spell(this.resolve(own)), spell(this.resolve(type))];
      return a === b || !mine !== !other ? undefined : `it is ${theirs}`;
    }
    if (mine.parameters.length !== other.parameters.length)
      return `it takes ${other.parameters.length} arguments, not ${mine.parameters.length}`;
    const wrong = mine.parameters.findIndex(
      (parameter, index) =>
        spell(this.resolve(parameter.type)) !== spell(this.resolve((other.parameters[index] as ParameterNode).type)),
    );
    if (wrong >= 0) {
      const wanted = other.parameters[wrong] as ParameterNode;
      return `argument ${wrong + 1} is ${spell(this.resolve(wanted.type))}${wanted.name ? ` ${wanted.name}` : ''}`;
    }
    const [a, b] = [spell(this.resolve(mine.returns)), spell(this.resolve(other.returns))];
    return a === b ? undefined : `it returns ${b}, not ${a}`;
  }
}

/** For each parameter the argument that is called like it or, of the others, the first that fits; undefined: some fit nowhere. */
function meantBy(theirs: Prototype, node: CallNode, args: readonly CValue[]): (CValue | undefined)[] | undefined {
  const types = theirs.parameters.map(decayed);
  const left = new Set(args.keys());
  const taken = types.map((type, place) => {
    const at = [...left].find((i) => nameOf(node.arguments[i]) === theirs.nodes[place]?.name && fits(type, args[i]));
    if (at !== undefined) left.delete(at);
    return at;
  });
  for (const [place, type] of types.entries()) {
    const at = taken[place] ?? [...left].find((i) => fits(type, args[i]));
    taken[place] = at;
    if (at !== undefined) left.delete(at);
  }
  const isEachUsed = taken.filter((at) => at !== undefined).length === Math.min(types.length, args.length);
  return isEachUsed ? taken.map((at) => (at === undefined ? undefined : args[at])) : undefined;
}
const nameOf = (node: Expression | undefined): string | undefined =>
  node?.kind === 'name'
    ? node.name
    : node?.kind === 'unary' && node.operator === '&'
      ? nameOf(node.operand)
      : undefined;
const fits = (type: CType, value: CValue | undefined): boolean =>
  type.kind === 'pointer'
    ? value?.kind === 'pointer' && (value.to === spell(type.to) || value.to === 'void')
    : type.kind === value?.kind;

const callType = (type: TypeNode): FunctionType | undefined =>
  type.kind === 'pointer' ? callType(type.to) : type.kind === 'function' ? type : undefined;
