/** A machine for the tests of the C evaluator: a few kernel names, page members in a map, no journal. */
import type { Finding, HoleNode } from '../../sim/c/ast.ts';
import type { CCallable, CEnvironment } from '../../sim/c/environment.ts';
import { evaluateExpression, type RunOptions, run } from '../../sim/c/evaluate.ts';
import { newFrame } from '../../sim/c/objects.ts';
import { parseC } from '../../sim/c/parse.ts';
import { formatValue } from '../../sim/c/print.ts';
import { CallArgs, type CObject, type CStruct, type CValue, integer, type Target, VOID } from '../../sim/c/value.ts';
import type { FunctionRecord, KernelRecord } from '../../sim/kernel/registry.ts';
import type { KernelGenerator, Point, SourceSpan } from '../../sim/task/task.ts';

type Behaviour = (args: CallArgs, machine: FakeMachine) => CValue | KernelGenerator<CValue>;

const VMEMMAP = 0xffffea0000000000n;
const field = (name: string, type: string, extra: object = {}) => ({
  name,
  type,
  since: '4.3' as const,
  contract: '',
  ...extra,
});

export class FakeMachine implements CEnvironment {
  readonly release = '6.12' as const;
  readonly budget = { statements: 20_000 };
  readonly findings: Finding[] = [];
  readonly log: string[] = [];
  readonly calls: string[] = [];
  readonly writes: string[] = [];
  readonly shell: CStruct = newFrame('shell');
  readonly records = new Map<string, KernelRecord>();
  readonly others = new Map<string, KernelRecord>();
  readonly behaviours = new Map<string, Behaviour>();
  readonly constants = new Map<string, bigint>();
  readonly symbols = new Map<string, CValue>();
  readonly standIns = new Map<string, CValue | CCallable>();
  readonly fieldStandIns = new Map<string, string>();
  readonly pages = new Map<string, CValue>();
  holes: (node: HoleNode) => string | CValue | undefined = () => undefined;
  readonly #addresses = new Map<unknown, bigint>();
  readonly #targets = new Map<bigint, Target>();

  readonly store = {
    set: <T extends object, K extends keyof T>(object: T, key: K, value: T[K]): void => {
      this.writes.push(String(key));
      object[key] = value;
    },
  };

  kernelFunction(prototype: string, behaviour: Behaviour, extra: Partial<FunctionRecord> = {}): this {
    const name = /(\w+)\s*\(/.exec(prototype)?.[1] ?? '';
    const variants = [{ since: '4.3' as const, file: 'mm/x.c', prototype }];
    this.records.set(name, { kind: 'function', name, contract: '', variants, ...extra });
    this.behaviours.set(name, behaviour);
    return this;
  }
  kernelStruct(name: string, fields: readonly (readonly [string, string] | readonly [string, string, object])[]): this {
    const list = fields.map(([each, type, extra]) => field(each, type, extra ?? {}));
    this.records.set(`struct ${name}`, { kind: 'struct', name, since: '4.3', file: 'x.h', contract: '', fields: list });
    return this;
  }

  lookup(name: string): KernelRecord | undefined {
    return this.records.get(name);
  }
  lookupAny(name: string): KernelRecord | undefined {
    return this.records.get(name) ?? this.others.get(name);
  }
  constant(name: string): CValue | undefined {
    const value = this.constants.get(name);
    return value === undefined ? undefined : integer(value, 'int');
  }
  symbol(name: string): CValue | undefined {
    return this.symbols.get(name);
  }
  *call(name: string, args: readonly CValue[], _span: SourceSpan): KernelGenerator<CValue> {
    this.calls.push(`${name}(${args.map((arg) => formatValue(arg)).join(', ')})`);
    const result = this.behaviours.get(name)?.(new CallArgs(name, args), this);
    if (!result) return VOID;
    return 'next' in result ? yield* result : result;
  }
  loadPage(pfn: number, name: string): CValue | undefined {
    return this.pages.get(`${pfn}.${name}`) ?? this.pages.get(name);
  }
  storePage(pfn: number, name: string, value: CValue): boolean {
    this.pages.set(`${pfn}.${name}`, value);
    return true;
  }
  addressOf(target: Target): bigint {
    if (target.kind === 'address') return target.address;
    if (target.kind === 'page') return VMEMMAP + BigInt(target.pfn) * 64n;
    const owner: unknown = target.kind === 'function' ? target.function.name : target.object;
    let base = this.#addresses.get(owner);
    if (base === undefined) {
      base = 0xffff888000000000n + BigInt(this.#addresses.size + 1) * 4096n;
      this.#addresses.set(owner, base);
    }
    const address =
      target.kind === 'slot'
        ? base + BigInt(Number(target.key) || Object.keys(target.object).indexOf(String(target.key))) * 8n
        : base;
    this.#targets.set(address, target);
    return address;
  }
  atAddress(address: bigint, to: string): Target | undefined {
    const pfn = (address - VMEMMAP) / 64n;
    if (to === 'struct page' && address >= VMEMMAP && pfn < 1n << 20n) return { kind: 'page', pfn: Number(pfn) };
    return this.#targets.get(address);
  }
  hole(node: HoleNode): string | CValue | undefined {
    return this.holes(node);
  }
  standIn(name: string): CValue | CCallable | undefined {
    return this.standIns.get(name);
  }
  fieldStandIn(struct: string, name: string): string | undefined {
    return this.fieldStandIns.get(`${struct}.${name}`);
  }
  printk(level: number, text: string): void {
    this.log.push(`<${level}>${text}`);
  }
  report(finding: Finding): void {
    this.findings.push(finding);
  }
  codes(): string[] {
    return this.findings.map((finding) => finding.code);
  }
}

/** Drives a generator to its end. */
export function finish<T>(generator: KernelGenerator<T>, points: Point[] = []): T {
  for (;;) {
    const step = generator.next();
    if (step.done) return step.value;
    points.push(step.value);
  }
}
/** Runs a text as a block, a lone function included, and gives what it returns. */
export function runText(text: string, machine = new FakeMachine(), options: RunOptions = {}): CValue {
  return finish(run(parseC(text, 'block'), machine, options));
}
/** The integer a block returns. */
export function runNumber(text: string, machine = new FakeMachine(), options: RunOptions = {}): bigint {
  const value = runText(text, machine, options);
  if (value.kind !== 'integer') throw new Error(`not an integer: ${formatValue(value)}`);
  return value.value;
}
/** A line of the shell, as the shell prints its value. */
export function shell(line: string, machine = new FakeMachine()): string {
  return formatValue(finish(evaluateExpression(line, machine)), { addressOf: (target) => machine.addressOf(target) });
}
/** The source text of every statement a text pauses at. */
export function statementsOf(text: string, machine = new FakeMachine(), options: RunOptions = {}): string[] {
  const points: Point[] = [];
  finish(run(parseC(text, 'block'), machine, options), points);
  return points.flatMap((point) => (point.kind === 'statement' ? [text.slice(point.span.start, point.span.end)] : []));
}
export function caught(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('nothing was thrown');
}
export const struct = (tag: string, fields: Record<string, bigint | string | CObject>): CStruct => ({
  $struct: tag,
  ...fields,
});
