/** Scopes and variables of a program that stands. References are good until it goes on. */
import {
  countsOf,
  entryText,
  type FrameVariable,
  globalsOf,
  type Names,
  namesOf,
  type Part,
  partsOf,
  type Role,
  rolesOf,
  type Shown,
  type TreeNode,
  textOf,
  variablesOf,
  vmaAt,
} from '../../sim/index.ts';
import type { Debuggee } from '../session/types.ts';
import { contractOf, framesOf } from './frames.ts';
import { MemoryReferences } from './memory.ts';
import type { Scope, Variable } from './protocol.ts';
import { variableKey } from './steering.ts';

/** Something that has children. */
type Container =
  | { readonly kind: 'parts'; readonly shown: Shown; readonly expression: string | undefined; readonly frame: number }
  | { readonly kind: 'variables'; readonly frame: number; readonly of: 'locals' | 'file' | 'shell' }
  | { readonly kind: 'rows'; readonly rows: () => readonly Row[] }
  | { readonly kind: 'pages'; readonly pid: number; readonly vpn: number; readonly count: number };

/** A line that C has no name for. */
interface Row {
  readonly name: string;
  readonly value: string;
  readonly inside?: Container;
  readonly watch?: string;
}

export interface Child extends Variable {
  /** What its changes can be watched as. */
  readonly watch?: string;
}

const MOST = 1000;

export class Variables {
  private containers: Container[] = [];
  private roles: ReturnType<typeof rolesOf> | undefined;
  private names: { readonly frame: number; readonly names: Names } | undefined;
  readonly memory = new MemoryReferences();

  /** The program goes on: what was shown is gone. */
  clear(): void {
    this.containers = [];
    this.roles = undefined;
    this.names = undefined;
  }

  private reference(container: Container): number {
    return this.containers.push(container);
  }

  scopes(debuggee: Debuggee, frame: number, tree: () => readonly TreeNode[], returned: Row | undefined): Scope[] {
    const scopes: Scope[] = [];
    const add = (name: string, container: Container, hint?: NonNullable<Scope['presentationHint']>): void => {
      const variablesReference = this.reference(container);
      scopes.push({ name, variablesReference, expensive: false, ...(hint ? { presentationHint: hint } : {}) });
    };
    const view = framesOf(debuggee).find(({ index }) => index === frame);
    if (returned) add('Return Value', { kind: 'rows', rows: () => [returned] }, 'returnValue');
    if (view?.kind === 'kernel') {
      const rows = view.args.map(({ name, value }, i) => ({ name: name === '' ? `argument ${i + 1}` : name, value }));
      add('Arguments', { kind: 'rows', rows: () => rows }, 'arguments');
      add('Contract', { kind: 'rows', rows: () => contractRows(view.name, debuggee) });
    } else if (view?.kind === 'c') {
      add('Locals', { kind: 'variables', frame, of: 'locals' }, 'locals');
      if (globalsOf(debuggee.program, frame).length > 0) add('File', { kind: 'variables', frame, of: 'file' });
    }
    if (shellVariables(debuggee).length > 0) add('Shell', { kind: 'variables', frame, of: 'shell' });
    add('Machine', { kind: 'rows', rows: () => tree().map((node) => this.row(node, debuggee)) });
    return scopes;
  }

  children(debuggee: Debuggee, reference: number, start: number, count: number | undefined): Child[] | undefined {
    const container = this.containers[reference - 1];
    if (!container) return undefined;
    const most = Math.min(count === undefined || count <= 0 ? MOST : count, MOST);
    switch (container.kind) {
      case 'rows':
        return container.rows().map((row) => this.ofRow(row, debuggee));
      case 'pages':
        return this.pages(container, debuggee, start, most);
      case 'variables': {
        const { frame, of } = container;
        const all =
          of === 'shell'
            ? shellVariables(debuggee)
            : of === 'locals'
              ? variablesOf(debuggee.program, frame)
              : globalsOf(debuggee.program, frame);
        return all.slice(0, MOST).map((variable) => this.ofVariable(variable, debuggee, frame));
      }
      case 'parts': {
        const { shown, expression, frame } = container;
        return partsOf(debuggee.machine, shown, start, most).map((part) =>
          this.ofPart(part, debuggee, expression, frame),
        );
      }
    }
  }

  /** Any value, shown as a variable is. */
  shown(debuggee: Debuggee, shown: Shown, expression: string | undefined, frame: number): Omit<Child, 'name'> {
    const whole = this.withRole(shown, debuggee);
    const { named, indexed } = countsOf(whole);
    const memoryReference = this.memory.of(debuggee.machine, whole.slot);
    return {
      value: textOf(debuggee.machine, whole, this.namesIn(debuggee, frame)),
      variablesReference: named + indexed > 0 ? this.reference({ kind: 'parts', shown: whole, expression, frame }) : 0,
      ...(shown.type === '' ? {} : { type: shown.type }),
      ...(indexed > 0 ? { indexedVariables: indexed, namedVariables: 0 } : {}),
      ...(expression === undefined ? {} : { evaluateName: expression }),
      ...(memoryReference === undefined ? {} : { memoryReference }),
    };
  }

  /** What an array means that some struct in sight points to. */
  private withRole(shown: Shown, debuggee: Debuggee): Shown {
    if (shown.role !== undefined) return shown;
    const { slot } = shown;
    if (typeof slot !== 'object') return shown;
    const target = 'kind' in slot && 'target' in slot ? slot.target : undefined;
    const object = typeof target === 'object' && 'object' in target ? target.object : 'kind' in slot ? undefined : slot;
    if (typeof object !== 'object') return shown;
    this.roles ??= rolesOf(this.inSight(debuggee));
    const role: Role | undefined = this.roles.get(object as Parameters<typeof this.roles.get>[0]);
    return role ? { ...shown, role } : shown;
  }

  /** What C calls things where a frame stands: its own variables before those of the file and the shell. */
  private namesIn(debuggee: Debuggee, frame: number): Names {
    if (this.names?.frame === frame) return this.names.names;
    const { program } = debuggee;
    const all = [...variablesOf(program, frame), ...globalsOf(program, frame), ...shellVariables(debuggee)];
    const names = namesOf(all.map(({ name, object, key }) => [name, object[key] ?? 0n]));
    this.names = { frame, names };
    return names;
  }

  private *inSight(debuggee: Debuggee) {
    const { program } = debuggee;
    for (const { object, key } of shellVariables(debuggee)) {
      const slot = object[key];
      if (slot !== undefined) yield slot;
    }
    for (let index = 0; index < program.frames.length; index++)
      for (const { object, key } of [...variablesOf(program, index), ...globalsOf(program, index)]) {
        const slot = object[key];
        if (slot !== undefined) yield slot;
      }
  }

  private ofVariable({ name, type, object, key, isUnset }: FrameVariable, debuggee: Debuggee, frame: number): Child {
    const slot = object[key] ?? 0n;
    const shown = this.shown(debuggee, { slot, type }, name, frame);
    const function_ = debuggee.program.frames[frame]?.name ?? '';
    return {
      name,
      ...shown,
      ...(isUnset && typeof slot === 'bigint' ? { value: `${shown.value} (never set)` } : {}),
      watch: variableKey(frame, function_, name),
    };
  }

  private ofPart(part: Part, debuggee: Debuggee, outer: string | undefined, frame: number): Child {
    const { name, access, text, watch } = part;
    const expression = outer === undefined || access === undefined ? undefined : `${wrapped(outer)}${access}`;
    if (text !== undefined)
      return {
        name,
        value: text,
        variablesReference: 0,
        ...(expression === undefined ? {} : { evaluateName: expression }),
        ...(watch === undefined ? {} : { watch }),
      };
    const function_ = debuggee.program.frames[frame]?.name ?? '';
    const key = watch ?? (expression === undefined ? undefined : variableKey(frame, function_, expression));
    return { name, ...this.shown(debuggee, part, expression, frame), ...(key === undefined ? {} : { watch: key }) };
  }

  /* ---- the machine ---- */

  private row(node: TreeNode, debuggee: Debuggee): Row {
    const { id, label, description } = node;
    const watch = /^zone:\d+:\w+:(spanned|present|managed|free)$/.test(id) ? id : undefined;
    const vma = /^process:(\d+):([0-9a-f]+)$/.exec(id);
    const pages = vma && vmaAt(debuggee.machine, Number(vma[1]), vma[2] ?? '');
    const rows = (): Row[] => [
      ...node.children.map((child) => this.row(child, debuggee)),
      ...(pages
        ? [{ name: 'page table', value: `${pages.count} entries`, inside: { kind: 'pages', ...pages } as const }]
        : []),
    ];
    const isLeaf = node.children.length === 0 && !pages;
    return {
      name: label,
      value: description,
      ...(isLeaf ? {} : { inside: { kind: 'rows', rows } as const }),
      ...(watch === undefined ? {} : { watch }),
    };
  }

  private ofRow({ name, value, inside, watch }: Row, _debuggee: Debuggee): Child {
    const indexed = inside?.kind === 'pages' ? { indexedVariables: inside.count, namedVariables: 0 } : {};
    return {
      name,
      value,
      variablesReference: inside ? this.reference(inside) : 0,
      ...indexed,
      ...(watch === undefined ? {} : { watch }),
    };
  }

  private pages(
    { pid, vpn, count }: Extract<Container, { kind: 'pages' }>,
    { machine }: Debuggee,
    start: number,
    most: number,
  ): Child[] {
    const rows: Child[] = [];
    for (let at = vpn + start; at < vpn + Math.min(count, start + most); at++) {
      const address = `0x${(BigInt(at) * 4096n).toString(16)}`;
      rows.push({
        name: address,
        value: entryText(machine.kernel, pid, at) ?? 'gone',
        variablesReference: 0,
        memoryReference: address,
        watch: `pte:${pid}:${address}`,
      });
    }
    return rows;
  }

  /** The container behind a reference, for whoever sets a variable in it. */
  placeOf(reference: number, name: string): { expression: string; frame: number } | undefined {
    const container = this.containers[reference - 1];
    if (container?.kind === 'variables') return { expression: name, frame: container.frame };
    if (container?.kind !== 'parts' || container.expression === undefined) return undefined;
    const isElement = /^\[\d+\]$/.test(name);
    const target = container.shown.slot;
    const arrow = typeof target === 'object' && 'kind' in target && !isElement;
    const access = isElement ? name : `${arrow ? '->' : '.'}${name}`;
    return { expression: `${wrapped(container.expression)}${access}`, frame: container.frame };
  }
}

const wrapped = (expression: string): string => (/^[\w.[\]>-]+$/.test(expression) ? expression : `(${expression})`);

/** What lines of the shell, and those before the example, have defined. */
function shellVariables({ machine }: Debuggee): FrameVariable[] {
  const { shell } = machine.kernel.state;
  const types = shell.$types;
  if (typeof types !== 'object') return [];
  return Object.entries(types)
    .filter(([key]) => !key.startsWith('$') && Object.hasOwn(shell, key))
    .map(([key, type]) => ({ name: key, type: String(type), object: shell, key, isUnset: false }));
}

function contractRows(name: string, { machine }: Debuggee): Row[] {
  const contract = contractOf(name, machine.release);
  if (!contract) return [{ name, value: 'a function inside the simulator' }];
  const { prototype, file, promise, note, errors } = contract;
  return [
    { name: 'prototype', value: prototype },
    { name: 'file', value: file },
    { name: 'promise', value: promise },
    ...(note === undefined ? [] : [{ name: 'note', value: note }]),
    ...errors.map(({ returns, when }): Row => ({ name: returns, value: when })),
  ];
}
