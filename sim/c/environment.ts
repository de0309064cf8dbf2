/** What the evaluator asks of the machine it runs on, and how a run ends before its time. */
import type { FunctionRecord, KernelRecord } from '../kernel/registry.ts';
import type { Release } from '../kernel/release.ts';
import type { Store } from '../store/store.ts';
import type { KernelGenerator, SourceSpan } from '../task/task.ts';
import type { AnonymousNode, CUnit, Expression, Finding, FindingCode, FunctionNode, HoleNode } from './ast.ts';
import type { CType } from './types.ts';
import type { CStruct, CValue, Target } from './value.ts';

/** A function a scene defines for a name the kernel does not know. */
export type CCallable = (args: readonly CValue[], span: SourceSpan) => CValue | KernelGenerator<CValue>;

export interface CEnvironment {
  readonly release: Release;
  /** Every write to a variable, member or element goes through it. */
  readonly store: Pick<Store, 'set'>;

  /** The record of a name that exists in this release. Structs are asked for as `struct page`, then as `page`. */
  lookup(name: string): KernelRecord | undefined;
  /** The record of a name of whatever release. */
  lookupAny(name: string): KernelRecord | undefined;
  constant(name: string): CValue | undefined;
  /** A global: an `aggregate` is the object itself (`&iomem_resource` points to it), anything else is a value. */
  symbol(name: string): CValue | undefined;
  /** Calls a kernel function; its arguments are already converted to its prototype. */
  call(name: string, args: readonly CValue[], span: SourceSpan): KernelGenerator<CValue>;

  /** A member of a struct page, or of the folio that begins with it; `undefined` if the engine has no such member. */
  loadPage(pfn: number, field: string, of?: 'page' | 'folio'): CValue | undefined;
  /** False if the engine has no such member, or not for writing. */
  storePage(pfn: number, field: string, value: CValue): boolean;
  /** What `&page->field` points to, where the engine keeps that as an object. */
  pageField?(pfn: number, field: string, of?: 'page' | 'folio'): Target | undefined;

  /** A stable simulated address. */
  addressOf(target: Target): bigint;
  /** What lies at an address, seen as `to` (a type name as C spells it). */
  atAddress(address: bigint, to: string): Target | undefined;

  /** What fills a hole: C text, or a value; `undefined` leaves it open. */
  hole(node: HoleNode): string | CValue | undefined;
  /** What stands for a name that is declared nowhere. An `aggregate` is the object itself, not a copy. */
  standIn(name: string): CValue | CCallable | undefined;
  /** A member to read for one that does not exist: another name, or '' for the struct itself. */
  fieldStandIn?(struct: string, field: string): string | undefined;

  /** Prototypes are called, and definitions of structs held against the kernel's: what a document shows of an interface. */
  readonly declarations?: boolean;
  /** C text for an argument that the text leaves open: of a prototype, or of the function that is run. */
  argument?(call: string, index: number, parameter: string): string | undefined;
  /** A pointer to the machine's object of a type, as C spells it, where there is one that is meant unless told otherwise. */
  objectOf?(type: string): CValue | undefined;
  /** The structs of this release that have a member of a name. */
  structsWith?(field: string): readonly string[];
  /** A line for whoever runs the text. */
  print?(line: string): void;

  /** What WARN() does; without it the text is printed. */
  warn?(text: string): void;
  /** `level` is a digit of KERN_EMERG (0) to KERN_DEBUG (7). */
  printk(level: number, text: string): void;
  report(finding: Finding): void;

  /** Statements that may still run, and elements of objects that may still be made; counted down. */
  readonly budget: { statements: number; elements?: number };
  readonly limits?: Partial<Limits>;
  /** Sizes of types in bytes, by their C spelling. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** Whether the kernel was built without an option that members of structs depend on. */
  readonly lacks?: (option: string) => boolean;
  /** The variables of the shell: a frame record that outlives one command. See `newFrame`. */
  readonly shell?: CStruct;
  /** The same, but named only by what fills holes and arguments: a text of its own does not see them. */
  readonly outside?: CStruct;
  /** A C file whose functions and types the shell's expressions may use. */
  readonly program?: Program;
}

export interface Limits {
  /** Elements of all objects one declaration makes. */
  elements: number;
  /** Calls of C functions within each other. */
  depth: number;
}

/** A parsed text made ready to run: what its functions, types and file-level variables are. */
export interface Program {
  readonly unit: CUnit;
  /** Whose text it is: the reader's, the definitions that a scene adds, or a line of the shell. */
  readonly source: 'text' | 'stand-ins' | 'line';
  readonly functions: ReadonlyMap<string, FunctionNode>;
  readonly defines: ReadonlyMap<string, Expression>;
  /** Structs, typedefs and enum constants met so far. */
  readonly structs: Map<string, ReadonlyMap<string, CType>>;
  readonly unions: Set<string>;
  /** The members of structs that stand in anonymous structs or unions of them. */
  readonly anonymous: Map<string, ReadonlyMap<string, AnonymousNode>>;
  readonly typedefs: Map<string, CType>;
  readonly enumerators: Map<string, bigint>;
  /** File-level and static variables. */
  readonly globals: CStruct;
  globalsReady: boolean;
  /** Findings already told, so that a loop tells each once. */
  readonly told: Set<string>;
}

/** A run that cannot go on for a reason that is not the machine's: told to the reader, never an oops. */
export class CStop extends Error {
  override readonly name = 'CStop';
  readonly code: FindingCode | 'not-a-function' | 'no-entry' | 'type';
  span: SourceSpan | undefined;
  constructor(code: CStop['code'], message: string, span?: SourceSpan) {
    super(message);
    this.code = code;
    this.span = span;
  }
}

/** The statements of a run are used up, or its calls nest too deeply. */
export class BudgetExceeded extends Error {
  override readonly name = 'BudgetExceeded';
  readonly what: 'statements' | 'depth';
  span: SourceSpan | undefined;
  constructor(what: 'statements' | 'depth', span?: SourceSpan) {
    super(
      what === 'statements'
        ? 'This ran for too many statements: does its loop ever end?'
        : 'Functions call each other too deeply: does the recursion ever end?',
    );
    this.what = what;
    this.span = span;
  }
}

/** The function record of a name, if it is one. */
export function functionRecord(record: KernelRecord | undefined): FunctionRecord | undefined {
  return record?.kind === 'function' ? record : undefined;
}
