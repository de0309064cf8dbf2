/** The conditions of `#if`, over the texts of their tokens. */
import type { Release } from '../kernel/release.ts';
import { integerBinary } from './arithmetic.ts';
import type { BinaryOperator } from './ast.ts';
import { BINARY_LEVELS } from './operators.ts';
import { BadAccess, integer } from './value.ts';

export interface ConditionNames {
  isDefined(name: string): boolean;
  /** LINUX_VERSION_CODE. */
  readonly version: bigint;
}

export function versionCode(release: Release): bigint {
  const [major = 0, minor = 0] = release.split('.').map(Number);
  return kernelVersion(BigInt(major), BigInt(minor), 0n);
}
const kernelVersion = (major: bigint, minor: bigint, patch: bigint): bigint => (major << 16n) + (minor << 8n) + patch;

const MAX_DEPTH = 100;

class Unreadable extends Error {}

const truth = (value: boolean): bigint => (value ? 1n : 0n);

/** Undefined where it cannot be read. A name that is nothing is 0, as in C. */
export function conditionHolds(tokens: readonly string[], names: ConditionNames): boolean | undefined {
  let index = 0;
  let depth = 0;
  const expect = (text: string): void => {
    if (tokens[index++] !== text) throw new Unreadable();
  };
  const list = (): bigint[] => {
    const values: bigint[] = [];
    expect('(');
    while (tokens[index] !== ')') {
      values.push(conditional());
      if (tokens[index] !== ')') expect(',');
    }
    index++;
    return values;
  };
  const name = (): string => {
    const bracketed = tokens[index] === '(';
    if (bracketed) index++;
    const found = tokens[index++] ?? '';
    if (bracketed) expect(')');
    return found;
  };
  const unary = (): bigint => {
    if (++depth > MAX_DEPTH) throw new Unreadable();
    const token = tokens[index++] ?? '';
    const value = ((): bigint => {
      if (token === '!') return truth(unary() === 0n);
      if (token === '-') return -unary();
      if (token === '+') return unary();
      if (token === '~') return ~unary();
      if (token === '(') {
        const inner = conditional();
        expect(')');
        return inner;
      }
      const digits = /^(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)[uUlL]*$/.exec(token.slice(0, 100))?.[1];
      if (digits !== undefined) return /^0\d/.test(digits) ? BigInt(`0o${digits.slice(1)}`) : BigInt(digits);
      if (token === 'defined') return truth(names.isDefined(name()));
      if (token === 'IS_ENABLED' || token === 'IS_BUILTIN' || token === 'IS_REACHABLE')
        return truth(names.isDefined(name()));
      if (token === 'IS_MODULE') return truth(name() === '');
      if (token === 'LINUX_VERSION_CODE') return names.version;
      if (token === 'KERNEL_VERSION') {
        const [major = 0n, minor = 0n, patch = 0n] = list();
        return kernelVersion(major, minor, patch);
      }
      if (/^[A-Za-z_]\w*$/.test(token)) {
        if (tokens[index] === '(') list();
        return token === 'true' || (token.startsWith('CONFIG_') && names.isDefined(token)) ? 1n : 0n;
      }
      throw new Unreadable();
    })();
    depth--;
    return value;
  };
  const binary = (level: number): bigint => {
    const operators = BINARY_LEVELS[level];
    if (!operators) return unary();
    let left = binary(level + 1);
    for (;;) {
      const operator = operators.find((each) => each === tokens[index]);
      if (operator === undefined) return left;
      index++;
      left = applied(operator, left, binary(level + 1));
    }
  };
  const conditional = (): bigint => {
    const test = binary(0);
    if (tokens[index] !== '?') return test;
    index++;
    const then = conditional();
    expect(':');
    const otherwise = conditional();
    return test ? then : otherwise;
  };
  try {
    const value = conditional();
    return index === tokens.length ? value !== 0n : undefined;
  } catch (error) {
    if (error instanceof Unreadable || error instanceof RangeError || error instanceof BadAccess) return undefined;
    throw error;
  }
}

function applied(operator: BinaryOperator, a: bigint, b: bigint): bigint {
  if (operator === '||') return truth(a !== 0n || b !== 0n);
  if (operator === '&&') return truth(a !== 0n && b !== 0n);
  return integerBinary(operator, integer(a, 'long long'), integer(b, 'long long')).value;
}
