/** `explain`: the memory models' arithmetic, page->flags and sections as text. It only looks. */
import type { MemoryModel } from '../arch/layout.ts';
import { sectionFlagsIn } from '../include/section_flags.ts';
import type { Release } from '../kernel/release.ts';
import type { Kernel } from '../machine/kernel.ts';
import { memoryModel } from '../mm/memory_model.ts';
import { earlyFlags, sectionNumbers } from '../mm/model_sections.ts';
import {
  type Conversion,
  flagsOf,
  hx,
  type ModelInstance,
  type ModelSetup,
  NoModel,
  pfnLimit,
} from '../mm/model_setup.ts';
import { FIELD_NAMES, type PageFlagsLayout } from '../mm/page_flags_layout.ts';
import { section_mem_map, sectionSpans } from '../mm/section_word.ts';
import { sectionFlags, subsection_map } from '../mm/sparse.ts';
import type { Command } from './command.ts';
import { ShellError } from './error.ts';
import { type ExplainRequest, readExplain, USAGE } from './explainArgs.ts';
import { EXPLAIN_PTE, explainPte, explainSwapTypes, explainSwpEntry } from './explainPte.ts';

const MODEL_TITLES: Readonly<Record<MemoryModel, string>> = {
  flatmem: 'FLATMEM',
  discontigmem: 'DISCONTIGMEM',
  'sparsemem-static': 'SPARSEMEM, static table',
  'sparsemem-extreme': 'SPARSEMEM_EXTREME',
  'sparsemem-vmemmap': 'SPARSEMEM_VMEMMAP',
};
const MAX_LINES = 64;

export const EXPLAIN: Command = {
  name: 'explain',
  usage: 'explain WHAT [...]',
  summary: 'show how pfn_to_page, page_to_pfn, page-flags, sections, pte or swap-types work out, step by step',
  run({ kernel, print }, args) {
    const [what, ...rest] = args;
    switch (what) {
      case 'pfn_to_page':
      case 'page_to_pfn':
        print(explainConversion(kernel, what, rest));
        break;
      case 'page-flags':
        print(explainFlags(readExplain(kernel, rest, undefined)));
        break;
      case 'sections':
        print(explainSections(readExplain(kernel, rest, undefined)));
        break;
      case 'pte':
        print(explainPte(kernel, rest));
        break;
      case 'swap-types':
        if (rest.length > 0) throw new ShellError(`usage: ${EXPLAIN_PTE}`);
        print(explainSwapTypes(kernel));
        break;
      case 'swp_entry':
        print(explainSwpEntry(kernel, rest));
        break;
      default:
        throw new ShellError(
          `${what === undefined ? '' : `explain: ${what}: unknown\n`}usage: ${USAGE}\n${EXPLAIN_PTE}`,
        );
    }
    return undefined;
  },
};

const heading = (model: MemoryModel, setup: ModelSetup): string =>
  `${MODEL_TITLES[model]}, ${setup.layout.name} (${setup.layout.variant}), ${setup.release}, ${setup.source}${setup.booted && model === 'sparsemem-vmemmap' ? ' as it runs now' : ''}`;

/** The text of each model; one that is not there is an error unless all were asked for. */
function eachModel(request: ExplainRequest, show: (model: MemoryModel) => string): string {
  return request.models
    .map((model) => {
      try {
        return show(model);
      } catch (error) {
        if (!(error instanceof NoModel)) throw error;
        if (!request.all) throw new ShellError(`explain: ${MODEL_TITLES[model]}: ${error.message}`);
        return `${heading(model, request.setup)}\n  not here: ${error.message}`;
      }
    })
    .join('\n\n');
}

function explainConversion(kernel: Kernel, what: 'pfn_to_page' | 'page_to_pfn', args: readonly string[]): string {
  const forward = what === 'pfn_to_page';
  const request = readExplain(kernel, args, forward ? 'PFN' : 'ADDRESS');
  const operand = request.operand ?? 0n;
  const { setup } = request;
  const limit = pfnLimit(setup);
  if (forward && operand >= BigInt(limit))
    throw new ShellError(
      `explain: pfn ${hx(operand)} is beyond ${hx(limit - 1)}, the last one of ${setup.layout.name}`,
      -34,
    );
  if (operand >= 1n << BigInt(setup.layout.BITS_PER_LONG))
    throw new ShellError(`explain: ${hx(operand)} is no address of ${setup.layout.BITS_PER_LONG} bits`, -34);
  return eachModel(request, (model) => {
    const instance = memoryModel(model, setup);
    const conversion = forward ? instance.pfnToPage(Number(operand)) : instance.pageToPfn(operand);
    return [
      `${what}(${hx(operand)}): ${heading(model, setup)}`,
      ...stepLines(conversion),
      ...remarks(instance, conversion),
    ].join('\n');
  });
}

/** `name = expression = numbers = value` in columns. */
function stepLines({ steps }: Conversion): string[] {
  const rows = steps.map((step) => [step.name, step.expression, step.numbers, step.text ?? hx(step.value)]);
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const [names, expressions, numbers] = [width(0), width(1), width(2)];
  return rows.map(
    ([name = '', expression = '', own = '', value = '']) =>
      `  ${name.padEnd(names)} = ${expression.padEnd(expressions)} ${own === '' ? ' ' : '='} ${own.padEnd(numbers)} = ${value}`,
  );
}

const remarks = (instance: ModelInstance, conversion: Conversion): string[] =>
  [...conversion.notes, `the map: ${instance.rule}`, ...instance.remarks].map((note) => `  # ${note}`);

function explainFlags(request: ExplainRequest): string {
  const { setup } = request;
  return eachModel(request, (model) => {
    if (model.startsWith('sparsemem')) sectionNumbers(setup, model !== 'sparsemem-static');
    const layout = flagsOf(setup, model);
    return [
      `page->flags: ${heading(model, setup)}`,
      '  field        width  shift  bits',
      ...FIELD_NAMES.map((name) => fieldLine(name, layout.width[name], layout.shift[name])),
      ...freeLine(layout),
      fieldLine('flags', layout.NR_PAGEFLAGS, 0),
      ...flagNotes(setup, model, layout).map((note) => `  # ${note}`),
    ].join('\n');
  });
}

function fieldLine(name: string, width: number, shift: number): string {
  const bits = width === 0 ? '-' : width === 1 ? String(shift) : `${shift + width - 1}-${shift}`;
  return `  ${name.padEnd(11)} ${String(width).padStart(6)} ${String(shift).padStart(6)}  ${bits}`;
}

function freeLine(layout: PageFlagsLayout): string[] {
  const used = FIELD_NAMES.reduce((sum, name) => sum + layout.width[name], layout.NR_PAGEFLAGS);
  const free = layout.BITS_PER_LONG - used;
  return free > 0 ? [fieldLine('(free)', free, layout.NR_PAGEFLAGS)] : [];
}

function flagNotes(setup: ModelSetup, model: MemoryModel, layout: PageFlagsLayout): string[] {
  const notes = [`NR_PAGEFLAGS ${layout.NR_PAGEFLAGS}: ${[...layout.flagNames].sort().join(' ')}`];
  if (layout.NODE_NOT_IN_PAGE_FLAGS)
    notes.push(
      `NODE_NOT_IN_PAGE_FLAGS: ${setup.flags.NODES_SHIFT} bits do not fit; page_to_nid looks in section_to_node_table by the section`,
    );
  if (layout.LAST_CPUPID_NOT_IN_PAGE_FLAGS)
    notes.push(
      `LAST_CPUPID_NOT_IN_PAGE_FLAGS: ${setup.flags.LAST_CPUPID_SHIFT} bits do not fit; struct page gets a member _last_cpupid`,
    );
  notes.push(`sizeof(struct page) ${layout.sizeofPage}`, ...layout.problems);
  const note = setup.layout.notes[model];
  return note === undefined ? notes : [...notes, note];
}

function explainSections(request: ExplainRequest): string {
  const models = request.models.filter((model) => model.startsWith('sparsemem'));
  if (models.length === 0)
    throw new ShellError(`explain: ${MODEL_TITLES[request.models[0] ?? 'flatmem']} has no sections`);
  const { setup } = request;
  return eachModel({ ...request, models }, (model) => {
    const instance = memoryModel(model, setup);
    const { layout } = setup;
    const flags = sectionFlagsIn(setup.release).map((flag) => `${letter(flag.name)} ${flag.name} ${flag.value}`);
    const rows = setup.booted && model === 'sparsemem-vmemmap' ? bootedRows(setup.booted) : computedRows(instance);
    return [
      `sections: ${heading(model, setup)}`,
      `  SECTION_SIZE_BITS ${layout.SECTION_SIZE_BITS}, MAX_PHYSMEM_BITS ${layout.MAX_PHYSMEM_BITS}`,
      ...instance.facts.map((fact) => `  ${fact}`),
      ...tableLine(setup, model),
      `  flags: ${flags.join(', ')}`,
      ...rows.slice(0, MAX_LINES).map((row) => `  ${row}`),
      ...(rows.length > MAX_LINES ? [`  ... and ${rows.length - MAX_LINES} more`] : []),
      ...instance.remarks.map((remark) => `  # ${remark}`),
    ].join('\n');
  });
}

/** Of the running machine, the roots that it has; a computed model says so itself. */
function tableLine(setup: ModelSetup, model: MemoryModel): string[] {
  if (model !== 'sparsemem-vmemmap') return [];
  const numbers = sectionNumbers(setup, true);
  const roots = setup.booted ? `, ${setup.booted.state.sectionRoots.size} allocated` : '';
  return [
    `  NR_MEM_SECTIONS ${numbers.NR_MEM_SECTIONS}, SECTIONS_PER_ROOT ${numbers.SECTIONS_PER_ROOT}, NR_SECTION_ROOTS ${numbers.NR_SECTION_ROOTS}${roots}, sizeof(struct mem_section) ${numbers.sizeofSection}`,
  ];
}

/** SECTION_HAS_MEM_MAP is M, as page-types of the recordings and the panel write them. */
const LETTERS: Readonly<Record<string, string>> = { SECTION_MARKED_PRESENT: 'P', SECTION_HAS_MEM_MAP: 'M' };
const letter = (name: string): string => LETTERS[name] ?? /^SECTION_(?:IS_)?(.)/.exec(name)?.[1] ?? '?';
const letters = (release: Release, bits: number): string =>
  sectionFlagsIn(release)
    .map((flag) => ((bits & flag.value) !== 0 ? letter(flag.name) : '-'))
    .join('');

const numberOf = (first: number, count: number): string => (count === 1 ? `${first}` : `${first}-${first + count - 1}`);

function bootedRows(kernel: Kernel): string[] {
  const pages = 2 ** (kernel.arch.SECTION_SIZE_BITS - kernel.arch.PAGE_SHIFT);
  const end = kernel.nodes.reduce(
    (top, node) => Math.max(top, node.node_start_pfn + node.node_spanned_pages),
    kernel.state.max_pfn,
  );
  const rows: string[] = [];
  for (const span of sectionSpans(kernel, end)) {
    const name = numberOf(span.start / pages, (span.end - span.start) / pages);
    const shown = letters(kernel.release, sectionFlags(kernel, span.start));
    const map = kernel.facts.subsectionHotplug
      ? ` subsection_map=${subsection_map(kernel, span.start)
          .map((word) => word.toString(16).padStart(8, '0'))
          .join(',')}`
      : '';
    rows.push(
      `sec=${name} phys=${hx(span.start * 2 ** kernel.arch.PAGE_SHIFT)} raw=${hx(section_mem_map(kernel, span.start))} ${shown}${map}`,
    );
  }
  return rows;
}

function computedRows(instance: ModelInstance): string[] {
  const { setup, maps } = instance;
  const numbers = sectionNumbers(setup, instance.model !== 'sparsemem-static');
  const size = BigInt(instance.flags.sizeofPage);
  const bits = earlyFlags(setup);
  return maps.map((piece) => {
    const first = piece.start / numbers.PAGES_PER_SECTION;
    const coded = BigInt.asUintN(setup.layout.BITS_PER_LONG, piece.address - BigInt(piece.start) * size) | BigInt(bits);
    const name = numberOf(first, piece.pages / numbers.PAGES_PER_SECTION);
    return `sec=${name} first raw=${hx(coded)} ${letters(setup.release, bits)} map=${hx(piece.address)}`;
  });
}
