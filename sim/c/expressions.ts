/** Running expressions. Everything that may call a function is a generator, so that it can be paused. */
import type { KernelGenerator, SourceSpan } from '../task/task.ts';
import type { AssignNode, BinaryOperator, Expression, MemberNode, StatementsNode, UpdateNode } from './ast.ts';
import { VALUES } from './builtins.ts';
import { Calls } from './calls.ts';
import type { Place } from './memory.ts';
import { isArray, typeOfValue } from './objects.ts';
import { type CType, commonType, convertInteger, ULONG } from './types.ts';
import { type CObject, type CValue, integer, stringPointer } from './value.ts';
import { decayed, isTypeNode } from './values.ts';

export abstract class Expressions extends Calls {
  protected abstract statementsValue(node: StatementsNode): KernelGenerator<CValue>;
  protected abstract initialised(
    type: CType,
    node: Extract<Expression, { kind: 'literal' }>,
  ): KernelGenerator<CObject | undefined>;

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
      case 'statements':
        return yield* this.statementsValue(node);
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
    if (node.right.kind === 'name' || node.right.kind === 'unary') this.expected(node.right, this.staticType(left));
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
    const type = place.type.kind === 'void' ? decayed(typeOfValue(result)) : place.type;
    const stored = this.convert(result, type, node.right.span);
    this.store({ ...place, type }, stored, node.span);
    return stored;
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
        this.expected(node.index, ULONG);
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
    if (base.kind === 'page') {
      const of = base.type.kind === 'struct' && base.type.tag === 'folio' ? 'folio' : 'page';
      return this.pageMember(base.pfn, of, node.field, node.fieldSpan);
    }
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
    this.expectedOwner(object, node.arrow, node.field);
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
}
