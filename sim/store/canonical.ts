/**
 * A state as text: equal states give equal bytes. The columns come as runs, the objects
 * one a line, numbered in the order they are first met, so that sharing and cycles are
 * part of the text. Properties are sorted by name, because what they mean does not
 * depend on their order; maps, sets and arrays keep theirs, because it does.
 *
 * Not told: class names (bundling changes them), private `#` fields, and how far a
 * generator has run.
 */

import type { PageColumn } from './column.ts';
import { PFN_LIMIT } from './radix.ts';

/** `names` are objects that are told by name wherever they are met, and not looked into. */
export function canonicalText(
  columns: ReadonlyMap<string, PageColumn>,
  names: ReadonlyMap<object, string>,
  roots: Record<string, unknown>,
): string {
  const lines: string[] = [];
  for (const [name, column] of columns) tellColumn(name, column, lines);
  const graph = new Graph(names);
  for (const name of Object.keys(roots).sort()) lines.push(`root ${name} ${graph.value(roots[name])}`);
  graph.tell(lines);
  return `${lines.join('\n')}\n`;
}

function tellColumn(name: string, column: PageColumn, lines: string[]): void {
  lines.push(`column ${name}`);
  column.runs(0, PFN_LIMIT, (start, end, value) => {
    lines.push(`  ${hex(start)}-${hex(end)} ${hex(value)}`);
    return undefined;
  });
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** The objects met so far. They are told in turn rather than nested: chains of objects can be long. */
class Graph {
  private readonly names: ReadonlyMap<object, string>;
  private readonly numbers = new Map<object, number>();
  private readonly met: object[] = [];

  constructor(names: ReadonlyMap<object, string>) {
    this.names = names;
  }

  value(value: unknown): string {
    switch (typeof value) {
      case 'string':
        return JSON.stringify(value);
      case 'number':
        return Object.is(value, -0) ? '-0' : String(value);
      case 'bigint':
        return `${value}n`;
      case 'function':
        return `function ${value.name}`;
      case 'object':
        return value === null ? 'null' : this.reference(value);
      default:
        return String(value);
    }
  }

  /** Tells all objects met, and those met in telling them. */
  tell(lines: string[]): void {
    for (let i = 0; i < this.met.length; i++) lines.push(`#${i + 1} ${this.content(this.met[i] as object)}`);
  }

  private reference(object: object): string {
    const name = this.names.get(object);
    if (name !== undefined) return name;
    let number = this.numbers.get(object);
    if (number === undefined) {
      number = this.met.push(object);
      this.numbers.set(object, number);
    }
    return `#${number}`;
  }

  private content(object: object): string {
    if (Array.isArray(object)) return `[${this.elements(object)}]`;
    if (object instanceof Map) {
      const pairs: [unknown, unknown][] = Array.from(object);
      const entries = pairs.map(([key, value]) => `${this.value(key)} => ${this.value(value)}`);
      return `Map{${entries.join(', ')}}`;
    }
    if (object instanceof Set) return `Set{${Array.from(object, (each) => this.value(each)).join(', ')}}`;
    if (object instanceof ArrayBuffer) return `ArrayBuffer[${new Uint8Array(object).join(',')}]`;
    if (ArrayBuffer.isView(object)) return viewText(object);
    const fields = object as Record<string, unknown>;
    const names = Object.keys(fields).sort();
    return `{${names.map((name) => `${JSON.stringify(name)}: ${this.value(fields[name])}`).join(', ')}}`;
  }

  private elements(array: readonly unknown[]): string {
    const texts: string[] = [];
    for (let i = 0; i < array.length; i++) texts.push(i in array ? this.value(array[i]) : 'hole');
    return texts.join(', ');
  }
}

function viewText(view: ArrayBufferView): string {
  const kind = Object.prototype.toString.call(view).slice('[object '.length, -1);
  const elements = view instanceof DataView ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : view;
  return `${kind}[${Array.from(elements as unknown as ArrayLike<number | bigint>, String).join(',')}]`;
}
