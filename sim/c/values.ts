/** Values: conversions, truth, pointer arithmetic and comparison. */
import { errnoName } from '../include/errno.ts';
import type { SourceSpan } from '../task/task.ts';
import { integerBinary, integerUnary } from './arithmetic.ts';
import type { AnonymousNode, BinaryOperator, Expression, FieldNode, Initialiser, TypeNode } from './ast.ts';
import { Heap } from './heap.ts';
import type { Place } from './memory.ts';
import { isArray, readSlot, sameTarget, typeOfValue } from './objects.ts';
import {
  type CType,
  commonType,
  convertInteger,
  INT,
  integerType,
  namedType,
  parseTypeName,
  pointerTo,
  promoted,
  sameType,
  spell,
  structType,
  ULONG,
} from './types.ts';
import { type CInteger, type CPointer, type CValue, errorOf, integer, isNull, VOID, widthOf } from './value.ts';

export abstract class Values extends Heap {
  /** `value` as `type`; an implicit conversion that a compiler would warn of is a finding. */
  convert(value: CValue, type: CType, span: SourceSpan, explicit = false): CValue {
    if (type.kind === 'void') return VOID;
    if (value.kind === 'void')
      throw this.stop('type', `${this.words(span)} gives no value, and one is needed here.`, span);
    if (type.kind === 'integer') {
      if (value.kind === 'integer') return convertInteger(value, type.type);
      if (value.kind === 'pointer') {
        if (type.type === 'bool') return integer(this.truth(value, span) ? 1n : 0n, 'bool');
        if (!explicit)
          this.tell('conversion', `${this.words(span)} is a pointer and is used as ${type.type} without a cast.`, span);
        return integer(this.address(value), type.type);
      }
    }
    if (type.kind === 'pointer') {
      const to = spell(type.to);
      if (value.kind === 'pointer') return this.convertPointer(value, type.to, to, span, explicit);
      if (value.kind === 'integer') {
        if (!explicit && value.value !== 0n)
          this.tell(
            'conversion',
            `${this.words(span)} is a number and is used as ${spell(type)} without a cast.`,
            span,
          );
        return this.fromAddress(convertInteger(value, 'long').value, to);
      }
    }
    if (type.kind === 'struct' && value.kind === 'aggregate' && sameType(typeOfValue(value), structType(type.tag)))
      return value;
    throw this.stop(
      'type',
      `${this.words(span)} is a ${spell(typeOfValue(value))}, and a ${spell(type)} is needed here.`,
      span,
    );
  }
  private convertPointer(value: CPointer, target: CType, to: string, span: SourceSpan, explicit: boolean): CPointer {
    const from = parseTypeName(value.to);
    if (!explicit && from.kind === 'struct' && target.kind === 'struct' && !sameType(from, target) && !isNull(value))
      this.tell(
        'conversion',
        `${this.words(span)} points to ${value.to}, and a pointer to ${to} is needed here.`,
        span,
      );
    if (value.target.kind === 'address' && value.to !== to) return this.fromAddress(value.target.address, to);
    return { ...this.typed(value, target, span), to };
  }

  truth(value: CValue, span: SourceSpan): boolean {
    if (value.kind === 'integer') return value.value !== 0n;
    if (value.kind === 'pointer') return !isNull(value);
    throw this.stop('type', `${this.words(span)} is neither a number nor a pointer: it cannot be a condition.`, span);
  }
  protected integerOf(value: CValue, span: SourceSpan): CInteger {
    if (value.kind === 'integer') return value;
    const what = value.kind === 'pointer' ? 'a pointer' : value.kind === 'void' ? 'no value' : 'a struct';
    throw this.stop('type', `${this.words(span)} is ${what}, and a number is needed here.`, span);
  }

  protected unaryValue(operator: '+' | '-' | '~' | '!', operand: CValue, span: SourceSpan): CInteger {
    if (operator === '!') return integer(this.truth(operand, span) ? 0n : 1n, 'int');
    return integerUnary(operator, this.integerOf(operand, span));
  }
  protected binaryValue(
    operator: Exclude<BinaryOperator, '&&' | '||'>,
    left: CValue,
    right: CValue,
    span: SourceSpan,
  ): CValue {
    if (left.kind === 'integer' && right.kind === 'integer') {
      try {
        return integerBinary(operator, left, right);
      } catch (error) {
        throw this.bad(error instanceof Error ? error.message : String(error), span);
      }
    }
    if (left.kind === 'pointer' || right.kind === 'pointer') return this.pointerBinary(operator, left, right, span);
    this.integerOf(left, span);
    return this.integerOf(right, span);
  }
  private pointerBinary(operator: BinaryOperator, left: CValue, right: CValue, span: SourceSpan): CValue {
    if (operator === '+' || operator === '-') {
      if (left.kind === 'pointer' && right.kind === 'integer')
        return this.advance(left, operator === '+' ? right.value : -right.value, span);
      if (operator === '+' && left.kind === 'integer' && right.kind === 'pointer')
        return this.advance(right, left.value, span);
      if (operator === '-' && left.kind === 'pointer' && right.kind === 'pointer')
        return this.distance(left, right, span);
    }
    if (operator === '==' || operator === '!=') {
      const same = this.samePointer(this.asPointer(left, span), this.asPointer(right, span));
      return integer(same === (operator === '==') ? 1n : 0n, 'int');
    }
    if (['<', '>', '<=', '>='].includes(operator)) {
      const [a, b] = [this.asPointer(left, span), this.asPointer(right, span)];
      const order = this.order(a, b);
      const holds =
        operator === '<' ? order < 0n : operator === '>' ? order > 0n : operator === '<=' ? order <= 0n : order >= 0n;
      return integer(holds ? 1n : 0n, 'int');
    }
    throw this.stop('type', `"${operator}" cannot be applied to a pointer: ${this.words(span)}.`, span);
  }
  private asPointer(value: CValue, span: SourceSpan): CPointer {
    if (value.kind === 'pointer') return value;
    return this.fromAddress(convertInteger(this.integerOf(value, span), 'long').value, 'void');
  }
  samePointer(a: CPointer, b: CPointer): boolean {
    if (sameTarget(a.target, b.target)) return true;
    if (isNull(a) || isNull(b) || errorOf(a) !== undefined || errorOf(b) !== undefined) return false;
    return this.address(a) === this.address(b);
  }
  private order(a: CPointer, b: CPointer): bigint {
    const [x, y] = [a.target, b.target];
    if (x.kind === 'slot' && y.kind === 'slot' && x.object === y.object && isArray(x.object))
      return BigInt(Number(x.key) - Number(y.key));
    return this.address(a) - this.address(b);
  }
  private sizeOf(type: CType, span: SourceSpan): number {
    const size = this.size(type, span);
    if (size === undefined) throw this.stop('unsupported', `The size of ${spell(type)} is not known.`, span);
    return size;
  }
  /** `pointer + count` */
  advance(pointer: CPointer, count: bigint, span: SourceSpan): CPointer {
    const type = parseTypeName(pointer.to);
    const { target } = this.typed(pointer, type, span);
    if (count === 0n) return { ...pointer, target };
    if (target.kind === 'slot' && isArray(target.object)) {
      const element = parseTypeName(target.object.$array);
      if (sameType(element, type) || this.sizeOf(element, span) === this.sizeOf(type, span)) {
        const key = BigInt(Number(target.key)) + count;
        if (key < -1_000_000_000n || key > 1_000_000_000n)
          throw this.bad(`${this.words(span)} leads far outside its array.`, span);
        return { ...pointer, target: { ...target, key: Number(key) } };
      }
    }
    const step = BigInt(this.sizeOf(type, span));
    const location = this.locate(target);
    if (location) {
      const found = this.atOffset(
        location,
        location.offset + Number(count * step),
        type.kind === 'void' ? undefined : type,
      );
      if (found === 'inside')
        throw this.stop(
          'unsupported',
          `${this.words(span)} leads into the middle of a number: only whole ones are simulated.`,
          span,
        );
      if (found) return { ...pointer, target: found };
    }
    return this.fromAddress(BigInt.asUintN(64, this.address({ ...pointer, target }) + count * step), pointer.to);
  }
  private distance(a: CPointer, b: CPointer, span: SourceSpan): CInteger {
    const [x, y] = [a.target, b.target];
    if (x.kind === 'slot' && y.kind === 'slot' && x.object === y.object && isArray(x.object))
      return integer(Number(x.key) - Number(y.key), 'long');
    const step = BigInt(this.sizeOf(parseTypeName(a.to), span));
    return integer(BigInt.asIntN(64, this.address(a) - this.address(b)) / step, 'long');
  }

  // ---- types of the tree ----

  /** A type of the tree as a type of C. Struct and enum definitions in it become known. */
  resolve(node: TypeNode): CType {
    switch (node.kind) {
      case 'named': {
        const known = namedType(node.name);
        if (known.kind !== 'struct') return known;
        return this.program.typedefs.get(node.name) ?? this.env.program?.typedefs.get(node.name) ?? known;
      }
      case 'pointer':
        return pointerTo(this.resolve(node.to));
      case 'array': {
        const length = node.length && this.constantValue(node.length);
        if (node.length && length === undefined)
          throw this.stop(
            'unsupported',
            `The length of this array, ${this.words(node.length.span)}, is not known here.`,
            node.span,
          );
        if (length !== undefined && (length < 0n || length > 1n << 32n))
          throw this.stop('too-large', `An array cannot have ${length} elements.`, node.span);
        return { kind: 'array', of: this.resolve(node.of), length: length === undefined ? undefined : Number(length) };
      }
      case 'function':
        return {
          kind: 'function',
          returns: this.resolve(node.returns),
          variadic: node.variadic,
          parameters: node.parameters.map((parameter) => decayed(this.resolve(parameter.type))),
        };
      case 'typeof':
        return isTypeNode(node.of) ? this.resolve(node.of) : (this.staticType(node.of) ?? INT);
      case 'enum': {
        let next = 0n;
        for (const member of node.members ?? []) {
          if (member.value) next = this.constantValue(member.value) ?? next;
          this.program.enumerators.set(member.name, next++);
        }
        return INT;
      }
      case 'struct': {
        if (node.fields && !this.program.structs.has(node.tag)) {
          const fields = new Map<string, CType>();
          this.program.structs.set(node.tag, fields);
          if (node.union) this.program.unions.add(node.tag);
          const nested = new Map<string, AnonymousNode>();
          for (const field of node.fields) {
            if (!field.name) continue;
            fields.set(field.name, this.withBits(this.resolve(field.type), field));
            if (field.anonymous) nested.set(field.name, field.anonymous);
          }
          if (nested.size > 0) this.program.anonymous.set(node.tag, nested);
        }
        return structType(node.tag);
      }
    }
  }

  private withBits(type: CType, { bits, name, span }: FieldNode): CType {
    if (!bits || type.kind !== 'integer') return type;
    const count = Number(this.constantValue(bits) ?? -1n);
    if (count > 0 && count <= widthOf(type.type).bits) return { ...type, bits: count };
    throw this.stop('type', `${name} cannot have ${this.words(bits.span)} bits.`, span);
  }

  protected abstract variableNamed(name: string): { place: Place } | undefined;

  /** The value of an expression that needs no call, for array lengths and enum members. */
  protected constantValue(node: Expression): bigint | undefined {
    return this.plain(node)?.value;
  }
  #expansions = 0;
  private plain(node: Expression): CInteger | undefined {
    switch (node.kind) {
      case 'integer':
        return integer(node.value, node.type);
      case 'name': {
        const variable = this.variableNamed(node.name);
        if (variable) {
          const { place } = variable;
          const slot = place.kind === 'slot' ? readSlot(place.object, place.key) : undefined;
          return place.type.kind === 'integer' && typeof slot === 'bigint' ? integer(slot, place.type.type) : undefined;
        }
        const own = this.program.enumerators.get(node.name) ?? this.env.program?.enumerators.get(node.name);
        if (own !== undefined) return integer(own, 'int');
        const define = this.program.defines.get(node.name) ?? this.env.program?.defines.get(node.name);
        if (define) {
          if (this.#expansions > 50) return undefined;
          this.#expansions++;
          const value = this.plain(define);
          this.#expansions--;
          return value;
        }
        const constant = this.env.constant(node.name);
        return constant?.kind === 'integer' ? constant : undefined;
      }
      case 'unary': {
        if (node.operator === '*' || node.operator === '&') return undefined;
        const operand = this.plain(node.operand);
        return operand && integerUnary(node.operator, operand);
      }
      case 'binary': {
        const [left, right] = [this.plain(node.left), this.plain(node.right)];
        if (!left || !right) return undefined;
        if (node.operator === '&&') return integer(left.value && right.value ? 1n : 0n, 'int');
        if (node.operator === '||') return integer(left.value || right.value ? 1n : 0n, 'int');
        if ((node.operator === '/' || node.operator === '%') && right.value === 0n) return undefined;
        return integerBinary(node.operator, left, right);
      }
      case 'conditional': {
        const test = this.plain(node.test);
        return test && (test.value !== 0n ? (node.then ? this.plain(node.then) : test) : this.plain(node.otherwise));
      }
      case 'cast': {
        const type = this.resolve(node.type);
        const operand = this.plain(node.operand);
        return operand && type.kind === 'integer' ? convertInteger(operand, type.type) : undefined;
      }
      case 'sizeof': {
        const size = this.sizeofNode(node.of, node.span);
        return size === undefined ? undefined : integer(size, 'unsigned long');
      }
      default:
        return undefined;
    }
  }
  protected sizeofNode(of: Expression | TypeNode, span: SourceSpan): number | undefined {
    const type = isTypeNode(of) ? this.resolve(of) : this.staticType(of);
    this.isApproximate = false;
    const size = type && this.size(type, span);
    if (type && size !== undefined && this.isApproximate) {
      const message = `The size of ${spell(type)} is laid out from the members the simulation knows.`;
      this.tell('approximate-size', message, span, 'information');
    }
    return size;
  }

  /** The type an expression would have, without running it; `undefined` where only running would tell. */
  staticType(node: Expression): CType | undefined {
    switch (node.kind) {
      case 'integer':
        return integerType(node.type);
      case 'string':
        return { kind: 'array', of: integerType('char'), length: node.value.length + 1 };
      case 'name': {
        const variable = this.variableNamed(node.name);
        if (variable) return variable.place.type;
        const define = this.program.defines.get(node.name);
        if (define) {
          const value = this.constantValue(node) === undefined ? undefined : this.plain(node);
          return value && integerType(value.type);
        }
        if (this.program.enumerators.has(node.name)) return INT;
        const value = this.env.constant(node.name) ?? this.env.symbol(node.name);
        return value && typeOfValue(value);
      }
      case 'unary': {
        if (node.operator === '!') return INT;
        const operand = this.staticType(node.operand);
        if (!operand) return undefined;
        if (node.operator === '&') return pointerTo(operand);
        if (node.operator === '*')
          return operand.kind === 'pointer' ? operand.to : operand.kind === 'array' ? operand.of : undefined;
        return operand.kind === 'integer' ? integerType(promoted(operand.type)) : undefined;
      }
      case 'binary': {
        if (['&&', '||', '==', '!=', '<', '>', '<=', '>='].includes(node.operator)) return INT;
        const [left, right] = [this.staticType(node.left), this.staticType(node.right)].map(
          (type) => type && decayed(type),
        );
        if (!left || !right) return undefined;
        if (left.kind === 'pointer') return right.kind === 'pointer' ? integerType('long') : left;
        if (right.kind === 'pointer') return right;
        if (left.kind !== 'integer' || right.kind !== 'integer') return undefined;
        if (node.operator === '<<' || node.operator === '>>') return integerType(promoted(left.type));
        return integerType(commonType(left.type, right.type));
      }
      case 'assign':
        return this.staticType(node.left);
      case 'update':
        return this.staticType(node.operand);
      case 'comma':
        return this.staticType(node.right);
      case 'conditional': {
        const then = this.staticType(node.then ?? node.test);
        const otherwise = this.staticType(node.otherwise);
        if (then?.kind === 'integer' && otherwise?.kind === 'integer')
          return integerType(commonType(then.type, otherwise.type));
        return then && (decayed(then).kind === 'pointer' ? decayed(then) : ((otherwise && decayed(otherwise)) ?? then));
      }
      case 'cast':
      case 'literal':
        return this.resolve(node.type);
      case 'sizeof':
        return ULONG;
      case 'type':
        return this.resolve(node.type);
      case 'member': {
        const object = this.staticType(node.object);
        const struct = object?.kind === 'pointer' ? object.to : object;
        return struct?.kind === 'struct' ? this.fields(struct.tag)?.get(node.field) : undefined;
      }
      case 'statements': {
        const last = node.body.items.at(-1);
        return last?.kind === 'expression' ? this.staticType(last.expression) : undefined;
      }
      case 'index': {
        const object = this.staticType(node.object);
        return object?.kind === 'pointer' ? object.to : object?.kind === 'array' ? object.of : undefined;
      }
      default:
        return undefined;
    }
  }

  /** For messages about an errno: `-EINVAL`. */
  protected errorName(error: number): string {
    return `-${errnoName(-error) ?? -error}`;
  }
}

/** Arrays and functions as values are pointers. */
export function decayed(type: CType): CType {
  if (type.kind === 'array') return pointerTo(type.of);
  return type.kind === 'function' ? pointerTo(type) : type;
}
export function isTypeNode(node: Expression | TypeNode | Initialiser): node is TypeNode {
  return !('height' in node) && node.kind !== 'initialiser-list';
}
