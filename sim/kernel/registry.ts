/**
 * The function and type registry: one record of one kernel name. The C evaluator,
 * the shell, the hovers, the checker and the trace all read it; nothing about a
 * function is written twice.
 */

import type { CallArgs, CValue } from '../c/value.ts';
import type { Kernel } from '../machine/kernel.ts';
import type { KernelGenerator } from '../task/task.ts';
import type { Release, Span } from './release.ts';

export type { Span } from './release.ts';

/** What a function returns for which mistake: `when` in our own words. */
export interface ErrorCase {
  /** `-EINVAL`, `NULL`, `false`, `WARN` ... */
  returns: string;
  when: string;
}

export interface FunctionVariant extends Span {
  /** Kernel file the function lives in, e.g. `mm/memremap.c`. */
  file: string;
  /** C prototype without the trailing semicolon. */
  prototype: string;
  errors?: readonly ErrorCase[];
  /** What is particular to these releases, in our own words. */
  note?: string;
  /** Runs it. Absent: the engine knows the function but does not simulate it. */
  run?: (kernel: Kernel, args: CallArgs) => CValue | KernelGenerator<CValue>;
}

export interface FunctionRecord {
  kind: 'function';
  name: string;
  /** One to three sentences in our own words: what it promises. */
  contract: string;
  variants: readonly FunctionVariant[];
  /** The name that replaced it, where it ended. */
  replacedBy?: string;
  macro?: boolean;
}

/** A callback member of an ops table, e.g. `page_free` of `struct dev_pagemap_ops`. */
export interface CallbackRecord extends Span {
  kind: 'callback';
  name: string;
  struct: string;
  prototype: string;
  contract: string;
  file: string;
  replacedBy?: string;
}

export interface FieldRecord extends Span {
  name: string;
  /** C type as written in the header: `struct range`, `unsigned long *`, `enum memory_type`. */
  type: string;
  /** What it holds, in our own words. */
  contract: string;
  /** The name that replaced it, where it ended. */
  replacedBy?: string;
  /** The configuration option that brings it. */
  option?: string;
}

export interface StructRecord extends Span {
  kind: 'struct';
  name: string;
  file: string;
  contract: string;
  fields: readonly FieldRecord[];
  /** What took its place, where it ended. */
  replacedBy?: string;
}

/** A macro or enum constant with its value per release and architecture. */
export interface ConstantRecord {
  kind: 'constant' | 'macro' | 'errno';
  name: string;
  file: string;
  contract: string;
  values: readonly (Span & { value: bigint; arch?: string; expression?: string })[];
  /** What took its place, where it ended. */
  replacedBy?: string;
  /** The release it is there from, where its value is known only from a later one. */
  namedSince?: Release;
}

/** A global object: `iomem_resource`, `mem_map`, `vmemmap`. */
export interface SymbolRecord extends Span {
  kind: 'symbol';
  name: string;
  file: string;
  type: string;
  contract: string;
}

export interface ConfigRecord extends Span {
  kind: 'config';
  name: string;
  file: string;
  contract: string;
  /** What took its place, where it ended. */
  replacedBy?: string;
}

/** A name that documents use but no kernel ever had. */
export interface NeverRecord {
  kind: 'never';
  name: string;
  /** The releases whose documents use it. */
  documents: Span;
  contract: string;
  /** What was meant, as the term it stands for: `mem_section`. */
  instead?: string;
}

export type KernelRecord =
  | FunctionRecord
  | CallbackRecord
  | StructRecord
  | ConstantRecord
  | SymbolRecord
  | ConfigRecord
  | NeverRecord;

/* ---- ways to write records ---- */

export const fn = (
  name: string,
  contract: string,
  variants: readonly FunctionVariant[],
  more: { replacedBy?: string; macro?: boolean } = {},
): FunctionRecord => ({ kind: 'function', name, contract, variants, ...more });

export const variant = (
  since: Release,
  file: string,
  prototype: string,
  run: FunctionVariant['run'],
  errors: readonly ErrorCase[] = [],
  until?: Release,
): FunctionVariant => ({ since, file, prototype, errors, ...(run ? { run } : {}), ...(until ? { until } : {}) });

type Run = NonNullable<FunctionVariant['run']>;

/** Gives records their code: for all releases, or by the release in which a variant begins. Others stay as they are. */
export const withCode = (
  records: readonly FunctionRecord[],
  code: Readonly<Record<string, Run | Readonly<Record<string, Run>>>>,
): FunctionRecord[] =>
  records.map((record) => {
    const own = code[record.name];
    if (!own) return record;
    const runOf = (since: Release): Run | undefined => (typeof own === 'function' ? own : own[since]);
    return {
      ...record,
      variants: record.variants.map((variant) => {
        const run = runOf(variant.since);
        return run ? { ...variant, run } : variant;
      }),
    };
  });
