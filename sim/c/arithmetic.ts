/** Operators on C integers, with C's conversions, wrap-around and signedness. */
import type { BinaryOperator } from './ast.ts';
import { commonType, convertInteger, promoted } from './types.ts';
import { BadAccess, type CInteger, integer, widthOf } from './value.ts';

const truth = (value: boolean): CInteger => integer(value ? 1n : 0n, 'int');

/** `left operator right`. Division by zero and `INT_MIN / -1` are bad accesses, as the processor traps on both. */
export function integerBinary(
  operator: Exclude<BinaryOperator, '&&' | '||'>,
  left: CInteger,
  right: CInteger,
): CInteger {
  if (operator === '<<' || operator === '>>') return shift(operator, left, right);
  const type = commonType(left.type, right.type);
  const a = convertInteger(left, type).value;
  const b = convertInteger(right, type).value;
  switch (operator) {
    case '+':
      return integer(a + b, type);
    case '-':
      return integer(a - b, type);
    case '*':
      return integer(a * b, type);
    case '/':
    case '%': {
      if (b === 0n) throw new BadAccess(`Division by zero: ${a} ${operator} 0.`);
      const quotient = integer(a / b, type);
      if (quotient.value !== a / b)
        throw new BadAccess(`Division overflow: ${a} ${operator} ${b} does not fit ${type}.`);
      return operator === '/' ? quotient : integer(a % b, type);
    }
    case '&':
      return integer(a & b, type);
    case '|':
      return integer(a | b, type);
    case '^':
      return integer(a ^ b, type);
    case '<':
      return truth(a < b);
    case '>':
      return truth(a > b);
    case '<=':
      return truth(a <= b);
    case '>=':
      return truth(a >= b);
    case '==':
      return truth(a === b);
    case '!=':
      return truth(a !== b);
  }
}

/** The type is that of the promoted left side; the count is taken modulo the width, as x86 and arm64 do. */
function shift(operator: '<<' | '>>', left: CInteger, right: CInteger): CInteger {
  const type = promoted(left.type);
  const value = convertInteger(left, type).value;
  const count = BigInt.asUintN(8, right.value) % BigInt(widthOf(type).bits);
  return integer(operator === '<<' ? value << count : value >> count, type);
}

export function integerUnary(operator: '+' | '-' | '~' | '!', operand: CInteger): CInteger {
  if (operator === '!') return truth(operand.value === 0n);
  const type = promoted(operand.type);
  const { value } = convertInteger(operand, type);
  return integer(operator === '-' ? -value : operator === '~' ? ~value : value, type);
}
