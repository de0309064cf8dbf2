/**
 * The examples of a document: every literal block that is C, and every formula. At the place of an authored scene it
 * runs as that scene says; anywhere else in a scene derived from the block, so that a text that was edited, or is of a
 * release between, runs as well.
 */
import { type CUnit, type DeclarationNode, parseC, RELEASES, type Release, type Statement } from '../../sim/index.ts';
import type { Anchor } from './anchors.ts';
import { dedent } from './dedent.ts';
import { openHoles } from './exampleHoles.ts';
import type { DocExample, ExampleKind } from './exampleTypes.ts';
import { type Formula, formulaOf } from './formula.ts';
import type { LiteralBlock, RstDocument } from './rstTypes.ts';
import { type PlacedScene, placeScenes, type Scene } from './scenes.ts';

export type { DocExample, ExampleKind } from './exampleTypes.ts';

/** A block beyond this is no example of a document. */
const LONGEST_BLOCK = 1 << 16;
const MOST_EXAMPLES = 500;

export function examplesOf(
  document: RstDocument,
  source: string,
  kind: Anchor['document'],
  releases: readonly Release[],
  scenes: readonly Scene[],
): DocExample[] {
  return examplesAmong(placeScenes(scenes, kind, releases, document, source), document, source, kind);
}

/** A scene at its place, and the example that it runs, if it runs code of the text. */
export interface PlacedExample extends PlacedScene {
  readonly example?: DocExample;
}

/** All that can be run in a text, in its order: the authored scenes, and the blocks that none of them runs. */
export function placeExamples(
  scenes: readonly Scene[],
  kind: Anchor['document'],
  releases: readonly Release[],
  document: RstDocument,
  source: string,
): PlacedExample[] {
  const placed = placeScenes(scenes, kind, releases, document, source);
  const examples = examplesAmong(placed, document, source, kind);
  const authored = placed.map((one): PlacedExample => {
    const example = examples.find(({ scene, block }) => scene === one.scene && block.start === one.span.start);
    return example ? { ...one, example } : one;
  });
  const own = examples
    .filter(({ isAuthored }) => !isAuthored)
    .map((example): PlacedExample => {
      const { scene, block } = example;
      const span = { start: block.start, end: block.end };
      return { scene, span, anchor: scene.anchor, isBlock: true, steps: [], example };
    });
  return [...authored, ...own].sort((a, b) => a.span.start - b.span.start);
}

function examplesAmong(
  placed: readonly PlacedScene[],
  document: RstDocument,
  source: string,
  kind: Anchor['document'],
): DocExample[] {
  const examples: DocExample[] = [];
  let ordinal = 0;
  for (const block of document.blocks) {
    if (block.end - block.start > LONGEST_BLOCK || examples.length >= MOST_EXAMPLES) continue;
    const { text, toSource } = dedent(source, block);
    const unit = parsed(text, block.language);
    if (unit === undefined) continue;
    ordinal++;
    const here = placed.find(({ isBlock, span, scene }) => isBlock && span.start === block.start && !scene.run?.length);
    const kindOf = kindOfUnit(unit);
    examples.push({
      id: here?.scene.id ?? `block-${ordinal}`,
      kind: kindOf,
      block,
      text,
      toSource: (offset) => toSource(offset),
      scene: here?.scene ?? derived(unit, kindOf, ordinal, kind),
      isAuthored: here !== undefined,
    });
  }
  const formulas = document.directives.flatMap((directive) => formulaOf(source, directive) ?? []);
  for (const [index, formula] of formulas.slice(0, MOST_EXAMPLES).entries())
    examples.push(formulaExample(formula, index + 1, kind));
  return examples.sort((a, b) => a.block.start - b.block.start);
}

/** The text of a block if it is C; undefined: it is something else, such as a drawing or a list of flags. */
function parsed(text: string, language: LiteralBlock['language']): CUnit | undefined {
  if (language !== undefined && language !== 'none') return language === 'c' ? parseC(text, 'block') : undefined;
  const lines = text
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const ended = lines.filter((line) => /[;{}:]\s*$/.test(line) && !/^\s*\S+\s*:$/.test(line));
  const broken = lines.filter((line) => /[,(=&|+\-<>]\s*$/.test(line));
  const isMarked = ended.length > 0 && (ended.length + broken.length) * 2 >= lines.length;
  if (!isMarked && !lines.every((line) => ASSIGNMENT.test(line))) return undefined;
  const unit = parseC(text, 'block');
  return unit.items.some((item) => RUNS.has(item.kind)) ? unit : undefined;
}

/** A statement that sets something, with or without its semicolon. */
const ASSIGNMENT = /^\s*\*?[A-Za-z_][\w.[\]>-]*\s*[|&+-]?=(?!=)\s*\S/;
const RUNS: ReadonlySet<Statement['kind']> = new Set([
  'declaration',
  'function',
  'compound',
  'expression',
  'if',
  'while',
  'do',
  'for',
  'switch',
  'label',
  'goto',
  'return',
]);

function kindOfUnit({ items }: CUnit): ExampleKind {
  const real = items.filter(({ kind }) => kind !== 'hole' && kind !== 'empty' && kind !== 'define');
  if (real.some(({ kind }) => kind === 'function')) return 'function';
  const declarations = real.filter((item): item is DeclarationNode => item.kind === 'declaration');
  if (declarations.length === real.length && declarations.length > 0) {
    if (declarations.every(isPrototype)) return 'prototypes';
    if (declarations.every(isDefinition)) return 'struct';
  }
  const isAssigned = (item: Statement): boolean => item.kind === 'expression' && item.expression.kind === 'assign';
  return real.length > 0 && real.every(isAssigned) ? 'assignments' : 'fragment';
}

const isPrototype = ({ declarators, storage }: DeclarationNode): boolean =>
  storage !== 'typedef' && declarators.length > 0 && declarators.every(({ type }) => type.kind === 'function');
const isDefinition = ({ declarators, base }: DeclarationNode): boolean =>
  declarators.length === 0 &&
  ((base.kind === 'struct' && base.fields !== undefined) || (base.kind === 'enum' && base.members !== undefined));

/** What names a block for people: its functions, its struct, or what it sets first. */
function nameOf(unit: CUnit, kind: ExampleKind): string | undefined {
  for (const item of unit.items) {
    if (item.kind === 'function') return `${item.name}()`;
    if (item.kind !== 'declaration') continue;
    if (kind === 'prototypes' && item.declarators[0]) return `${item.declarators[0].name}()`;
    if (kind === 'struct' && 'tag' in item.base) return `${item.base.kind} ${item.base.tag}`;
  }
  const first = unit.items.find((item) => item.kind === 'expression');
  return first && unit.text.slice(first.span.start, first.span.end).split('\n')[0]?.slice(0, 60);
}

const WORDS: Readonly<Record<ExampleKind, string>> = {
  prototypes: 'Calls it with the arguments that you give.',
  function: 'Runs the function with what you put into its gaps.',
  fragment: 'Runs the statements one after the other.',
  assignments: 'Runs the assignments.',
  struct: 'Declares it, and compares its members with those of the kernel.',
  formula: 'Computes it with the constants of the machine.',
};

function derived(unit: CUnit, kind: ExampleKind, ordinal: number, document: Anchor['document']): Scene {
  const holes = openHoles(unit.text);
  return {
    id: `block-${ordinal}`,
    release: every(),
    anchor: { document, section: '', words: [] },
    title: nameOf(unit, kind) ?? `Block ${ordinal}`,
    teaches: WORDS[kind],
    ...(Object.keys(holes).length > 0 ? { holes } : {}),
    variants: [{ id: 'as-written', title: 'Run as written' }],
  };
}
const every = (): string => `${RELEASES[0]}..`;

function formulaExample(formula: Formula, ordinal: number, document: Anchor['document']): DocExample {
  const id = `formula-${ordinal}`;
  return {
    id,
    kind: 'formula',
    block: formula.block,
    text: formula.text,
    toSource: formula.toSource,
    isAuthored: false,
    scene: {
      id,
      release: every(),
      anchor: { document, section: '', words: [] },
      title: formula.name,
      teaches: WORDS.formula,
      expect: [{ line: `result == ${formula.name}`, is: '1' }],
      variants: [{ id: 'as-written', title: 'Compute' }],
    },
  };
}
