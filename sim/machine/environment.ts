/** The machine as C text sees it: names, values, addresses, and calls into the kernel. */
import { PteKind, pte_pfn, pteKind } from '../arch/pte.ts';
import type { CEnvironment } from '../c/environment.ts';
import { CStop } from '../c/environment.ts';
import { callC, makeProgram } from '../c/evaluate.ts';
import { Layouts } from '../c/layout.ts';
import { parseC } from '../c/parse.ts';
import { fieldsIn, parseTypeName, spell } from '../c/types.ts';
import {
  CallArgs,
  type CObject,
  type CStruct,
  type CValue,
  integer,
  objectPointer,
  pagePointer,
  type Target,
} from '../c/value.ts';
import { currentProcess } from '../kernel/current.ts';
import { ALL_RECORDS, constantValue, lookup, recordsOf, variantOf } from '../kernel/names.ts';
import { spanHolds } from '../kernel/release.ts';
import { mmStruct, taskStruct, vmaStruct } from '../mm/cviews.ts';
import { pageMember } from '../mm/pageMembers.ts';
import { pteAt } from '../mm/pgtable.ts';
import type { KernelGenerator } from '../task/task.ts';
import { hex, type Kernel } from './kernel.ts';

export type EnvironmentParts = Pick<CEnvironment, 'hole' | 'standIn' | 'report'> &
  Partial<Pick<CEnvironment, 'program' | 'shell' | 'fieldStandIn' | 'outside' | 'declarations' | 'argument' | 'print'>>;

const STATEMENT_BUDGET = 1_000_000;
const ELEMENT_BUDGET = 4_000_000;

/** What C text run on `kernel` may use; `parts` is what its scene or the shell adds. */
export function createEnvironment(kernel: Kernel, parts: EnvironmentParts): CEnvironment {
  const env: CEnvironment = {
    ...parts,
    release: kernel.release,
    store: kernel.store,
    budget: { statements: STATEMENT_BUDGET, elements: ELEMENT_BUDGET },
    sizes: { 'struct page': kernel.arch.sizeofPage },
    lacks: (option) => option === 'CONFIG_PAGE_EXTENSION' && !kernel.config.config.pageExtension,
    lookup: (name) => lookup(name, kernel.release),
    lookupAny: (name) => recordsOf(name)[0],
    constant: (name) => {
      const value = constantValue(name, kernel.release, kernel.arch.name);
      return value === undefined
        ? undefined
        : integer(value, value > 0x7fffffffn || value < -0x80000000n ? 'unsigned long' : 'int');
    },
    symbol: (name) => symbol(kernel, name),
    objectOf: (type) => objectOf(kernel, type),
    structsWith: (field) =>
      ALL_RECORDS.flatMap((record) =>
        record.kind === 'struct' && spanHolds(record, kernel.release) && fieldsIn(record, kernel.release).has(field)
          ? [record.name]
          : [],
      ),
    call: (name, args) => call(kernel, name, args, env),
    loadPage: (pfn, field, of) => loadPage(kernel, pfn, field, of),
    pageField: (pfn, field, of) => {
      const value = loadPage(kernel, pfn, field, of);
      return value?.kind === 'aggregate' ? { kind: 'object', object: value.object } : undefined;
    },
    storePage: () => false,
    addressOf: (target) => addressOf(kernel, target, env),
    atAddress: (address) => atAddress(kernel, address),
    warn: (text) => kernel.WARN(text),
    printk: (level, text) => {
      const line = text.replace(/\n$/, '');
      if (level <= 3) kernel.pr_err(line);
      else if (level <= 4) kernel.pr_warn(line);
      else kernel.pr_info(line);
    },
  };
  return env;
}

function symbol(kernel: Kernel, name: string): CValue | undefined {
  switch (name) {
    case 'iomem_resource':
      return { kind: 'aggregate', object: kernel.state.iomem };
    case 'max_pfn':
      return integer(kernel.state.max_pfn, 'unsigned long');
    case 'max_low_pfn':
      return integer(kernel.state.max_low_pfn, 'unsigned long');
    case 'jiffies':
      return integer(kernel.state.jiffies, 'unsigned long');
    case 'current': {
      const process = currentProcess(kernel);
      if (!process)
        throw new CStop('unsupported', 'current: no process is alive here; proc new makes one, proc use chooses one.');
      return objectPointer(taskStruct(kernel, process));
    }
    case 'vmemmap':
      return pagePointer(0);
    default:
      return undefined;
  }
}

/** Of the process that is current: its task, its address space and its first mapping. */
function objectOf(kernel: Kernel, type: string): CValue | undefined {
  const process = currentProcess(kernel);
  if (!process) return undefined;
  const [vma] = process.mm.vmas;
  switch (type) {
    case 'struct task_struct':
      return objectPointer(taskStruct(kernel, process));
    case 'struct mm_struct':
      return objectPointer(mmStruct(kernel, process.mm));
    case 'struct vm_area_struct':
      return vma && objectPointer(vmaStruct(kernel, vma));
    case 'struct page': {
      const entry = vma && pteAt(process.mm, vma.start);
      return entry !== undefined && pteKind(entry) === PteKind.Present ? pagePointer(pte_pfn(entry)) : undefined;
    }
    default:
      return undefined;
  }
}

/** Calls a kernel function by its record in this release; one that the engine does not run stops with a word on it. */
function* call(kernel: Kernel, name: string, args: readonly CValue[], env: CEnvironment): KernelGenerator<CValue> {
  const record = lookup(name, kernel.release);
  if (record?.kind !== 'function') {
    const other = recordsOf(name).find((candidate) => candidate.kind === 'function');
    throw new CStop(
      'not-in-release',
      other
        ? `${name}() does not exist in ${kernel.release}.`
        : `${name}() is no kernel function that the simulator knows.`,
    );
  }
  const run = variantOf(record, kernel.release)?.run;
  if (!run)
    throw new CStop('unsupported', `${name}() of ${kernel.release} is known but not simulated yet; nothing was done.`);
  kernel.callBack = (pointer, values) => {
    if (pointer.target.kind !== 'function')
      throw new CStop(
        'not-a-function',
        `The kernel called ${hex(env.addressOf(pointer.target))}, which is no function.`,
      );
    return callC(pointer.target.function, values, env);
  };
  kernel.trace.watcher?.called(name);
  const result = run(kernel, new CallArgs(name, args));
  return 'kind' in result ? result : yield* result;
}

/** A member of a page, or of the folio that begins with it, if the release has it. */
function loadPage(kernel: Kernel, pfn: number, field: string, of = 'page'): CValue | undefined {
  const record = lookup(`struct ${of}`, kernel.release) ?? lookup(of, kernel.release);
  const type = record?.kind === 'struct' ? fieldsIn(record, kernel.release).get(field) : undefined;
  return type && pageMember(kernel, pfn, field, spell(type));
}

function addressOf(kernel: Kernel, target: Target, env: CEnvironment): bigint {
  switch (target.kind) {
    case 'address':
      return target.address;
    case 'page':
      return kernel.arch.VMEMMAP_START + BigInt(target.pfn) * BigInt(kernel.arch.sizeofPage);
    case 'object':
      return kernel.addressOf(target.object);
    case 'slot':
      return kernel.addressOf(target.object) + BigInt(offsetOf(target.object, target.key, env));
    case 'function':
      return kernel.addressOf(target.function);
  }
}

const NOWHERE = { start: 0, end: 0 };
const WORD = 8;

/** Bytes from the start of an object to what it holds under a key; where no layout is known, each part has a word. */
function offsetOf(object: CObject, key: string | number, env: CEnvironment): number {
  const layouts = new Layouts(env, env.program ?? makeProgram(parseC('', 'file')));
  if ('$array' in object) return Number(key) * (layouts.size(parseTypeName(object.$array as string), NOWHERE) ?? WORD);
  const struct = object as CStruct;
  const known = layouts.layout(struct.$struct, NOWHERE)?.offsets.get(String(key));
  if (known !== undefined) return known;
  const names = Object.keys(struct).filter((name) => !name.startsWith('$'));
  return WORD * Math.max(0, names.indexOf(String(key)));
}

function atAddress(kernel: Kernel, address: bigint): Target | undefined {
  const { arch } = kernel;
  const size = BigInt(arch.sizeofPage);
  const distance = address - arch.VMEMMAP_START;
  const limit = (1n << BigInt(arch.MAX_PHYSMEM_BITS - arch.PAGE_SHIFT)) * size;
  if (distance >= 0n && distance < limit && distance % size === 0n)
    return { kind: 'page', pfn: Number(distance / size) };
  for (const [object, known] of kernel.state.addresses)
    if (known === address && ('$struct' in object || '$array' in object))
      return { kind: 'object', object: object as CObject };
  return undefined;
}
