/** What names and holes stand for. */

import { ERRNO } from '../include/errno.ts';
import { spansOf } from '../kernel/names.ts';
import type { KernelRecord } from '../kernel/registry.ts';
import { RELEASES, type Release, spanHolds } from '../kernel/release.ts';
import type { KernelGenerator, SourceSpan } from '../task/task.ts';
import type { Expression, FunctionNode, HoleNode } from './ast.ts';
import { VALUES } from './builtins.ts';
import type { CStop } from './environment.ts';
import { functionRecord, type Program } from './environment.ts';
import type { Place } from './memory.ts';
import { isArray, typeOfValue } from './objects.ts';
import { parseC } from './parse.ts';
import { type CType, INT } from './types.ts';
import type { CFunction } from './value.ts';
import { type CObject, type CPointer, type CValue, integer, stringPointer } from './value.ts';
import { decayed, Values } from './values.ts';

/** A C function as a value: its tree, and the program its names belong to. */
export interface CDefinition {
  readonly node: FunctionNode;
  readonly program: Program;
}

export abstract class Names extends Values {
  #expanding = 0;

  abstract value(node: Expression): KernelGenerator<CValue>;
  /** A variable for a name that is declared nowhere. */
  protected abstract adopt(name: string, type: CType, object: CObject | undefined): Place;
  protected abstract readonly isShell: boolean;
  protected abstract readonly functionName: string;

  /**
   * A value of a type stands at `node`: a name in it that is declared nowhere gets a stand-in of that type, so that a
   * text which leaves its declarations out still runs.
   */
  protected abstract expected(node: Expression, type: CType | undefined): void;
  /** A member of `node` is named: the same for a struct that has such a member. */
  protected abstract expectedOwner(node: Expression, arrow: boolean, field: string): void;
  /** Whether nothing at all is known by a name. */
  protected isUndeclared(name: string): boolean {
    if (this.variableNamed(name) || this.functionNamed(name) || VALUES.has(name) || ERRNO.has(name)) return false;
    const { program } = this.env;
    for (const each of [this.program, program])
      if (each && (each.enumerators.has(name) || each.defines.has(name))) return false;
    if (this.env.constant(name) || this.env.symbol(name) || this.env.standIn(name)) return false;
    return !this.recordNamed(name) && !/^__func__$|^__FUNCTION__$|^(__)?GFP_/.test(name);
  }

  /** The record of whatever release of something that is called so: a struct is not called by its tag alone. */
  private recordNamed(name: string): KernelRecord | undefined {
    const record = this.env.lookupAny(name);
    const isTag = record?.kind === 'struct' && !name.startsWith('struct ') && !/_t$/.test(name);
    return isTag || record?.kind === 'callback' ? undefined : record;
  }

  // ---- names ----

  protected *nameValue(name: string, span: SourceSpan): KernelGenerator<CValue> {
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
    if (name === '__func__' || name === '__FUNCTION__') return stringPointer(this.functionName);
    if (/^(__)?GFP_[A-Z_]+$/.test(name)) return this.gfp(name, span);
    const place = this.namePlace(name, span);
    if (place) return this.load(place, name, span);
    throw this.unknown(name, span);
  }

  /** Flags of the allocator that have another number in this release, which nothing here depends on. */
  private gfp(name: string, span: SourceSpan): CValue {
    const message = `The number of ${name} in ${this.env.release} is not known here: 0 stands for it.`;
    this.tell('unsupported', message, span, 'information');
    return integer(0, 'unsigned int');
  }

  protected *expand(define: Expression, name: string, span: SourceSpan): KernelGenerator<CValue> {
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
  protected functionNamed(name: string): CPointer | undefined {
    for (const program of [this.program, this.env.program]) {
      const node = program?.functions.get(name);
      if (program && node)
        return functionPointer({ kind: 'c', name, definition: { node, program } satisfies CDefinition });
    }
    const record = functionRecord(this.env.lookup(name));
    return record ? functionPointer({ kind: 'kernel', name }) : undefined;
  }

  /** The object or variable behind a name, a stand-in adopted as one included. */
  protected namePlace(name: string, span: SourceSpan): Place | undefined {
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

  protected unknown(name: string, span: SourceSpan): CStop {
    const record = this.recordNamed(name);
    const { release } = this.env;
    if (record && record.kind !== 'never') {
      const spans = spansOf(record);
      if (spans.some((each) => spanHolds(each, release))) {
        const message = `${name} of ${release} is known, but has no value in C.`;
        this.tell('unsupported', message, span, 'error');
        return this.stop('unsupported', message, span);
      }
      const period = periodsOf(spans);
      const now = 'replacedBy' in record && record.replacedBy ? `; ${record.replacedBy} took its place` : '';
      const message = `${name} is not in ${release}: ${period ? `it exists only ${period}` : 'it does not exist there'}${now}.`;
      this.tell('not-in-release', message, span, 'error');
      return this.stop('not-in-release', message, span);
    }
    const instead = record?.kind === 'never' && record.instead ? ` Is ${record.instead} meant?` : '';
    const message = `${name} is declared nowhere.${instead}`;
    this.tell('undeclared', message, span, 'error');
    return this.stop('undeclared', message, span);
  }

  /** The variable an assignment writes; a name that is declared nowhere becomes one of the value's type. */
  protected target(name: string, value: CValue, span: SourceSpan): Place {
    const place = this.namePlace(name, span);
    if (place) return place;
    if (value.kind === 'void') throw this.stop('type', `There is no value to assign to ${name}.`, span);
    if (this.env.lookup(name) && !this.isShell) throw this.stop('type', `${name} cannot be assigned to.`, span);
    if (!this.isShell)
      this.tell('undeclared', `${name} is not declared: it is taken as a variable of the function.`, span, 'error');
    return this.adopt(name, decayed(typeOfValue(value)), undefined);
  }

  // ---- holes ----

  protected *fill(node: HoleNode): KernelGenerator<CValue> {
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
    return yield* this.filled(filling, node.span, (inner) => inner.value(only.expression));
  }
  /** As `elsewhere`, for a text that a scene or its reader wrote. */
  protected *filled<T>(text: string, span: SourceSpan, run: (self: this) => KernelGenerator<T>): KernelGenerator<T> {
    this.filling++;
    try {
      return yield* this.elsewhere(text, span, run);
    } finally {
      this.filling--;
    }
  }
  protected filling = 0;
  protected openHole(node: HoleNode): CStop {
    const message = `The text leaves ${describeHole(node)} open: it must be filled before this can run.`;
    this.tell('hole', message, node.span, 'error');
    return this.stop('hole', message, node.span);
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

/** The releases that any of these is of: `from 4.14 to 4.18 and in 4.20`, `since 5.8`. */
function periodsOf(spans: ReturnType<typeof spansOf>): string {
  const runs: Release[][] = [];
  let isOpen = false;
  for (const release of RELEASES) {
    const isIn = spans.some((each) => spanHolds(each, release));
    if (isIn && isOpen) runs.at(-1)?.push(release);
    else if (isIn) runs.push([release]);
    isOpen = isIn;
  }
  return runs
    .map((run) => {
      const [first, last] = [run[0], run.at(-1)];
      if (last === RELEASES.at(-1)) return `since ${first}`;
      return first === last ? `in ${first}` : `from ${first} to ${last}`;
    })
    .join(' and ');
}
