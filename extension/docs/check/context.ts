/** What the rules look at: the C of a document, read once, and the release it is held against. */
import { type CUnit, parseC, type Release, type SourceSpan, type Statement } from '../../../sim/index.ts';
import { commentsIn } from '../codeTokens.ts';
import { dedent } from '../dedent.ts';
import type { LiteralBlock, RstDocument, Span } from '../rstTypes.ts';
import { type Flow, flowOf } from './flow.ts';
import type { CheckInput, DocFinding, Fix, Severity } from './types.ts';
import { type Body, bodyOf, parametersOf, refOf, type TypeRef } from './typing.ts';
import { eachStatement } from './walk.ts';

/** One literal block of C. */
export interface Code {
  readonly block: LiteralBlock;
  readonly unit: CUnit;
  readonly bodies: readonly Body[];
  toSource(offset: number): number;
  /** The ways through a body. */
  flow(body: Body): Flow;
}

export interface Details {
  readonly since?: Release | undefined;
  readonly fix?: Fix | undefined;
  readonly related?: DocFinding['related'] | undefined;
}

export interface Context {
  readonly input: CheckInput;
  readonly release: Release;
  readonly codes: readonly Code[];
  /** The struct that a name has wherever the document declares it, for blocks that do not. */
  readonly tags: ReadonlyMap<string, string | undefined>;
  /** Every name that the document itself declares. */
  readonly declared: ReadonlySet<string>;
  /** Reports something at a span of the document. */
  report(code: string, severity: Severity, span: Span, message: string, details?: Details): void;
  /** Reports something at a span of a block's text. */
  reportIn(of: Code, code: string, severity: Severity, span: SourceSpan, message: string, details?: Details): void;
  /** The span of the document for one of a block's text. */
  at(of: Code, span: SourceSpan): Span;
}

/** Blocks of a kernel document have a hundred lines at most; what is far longer is not read. */
const MAX_BLOCK = 1 << 16;
/** Whether a block is C: half of its lines end as C does or go on as it does, and nothing says otherwise. */
export function isCode({ language, directive }: LiteralBlock, text: string): boolean {
  if (language !== undefined && language !== 'none' && language !== 'default') return language.toLowerCase() === 'c';
  if (directive !== undefined && !/code|literal/.test(directive)) return false;
  if (/^(?:[-+]{3} \S|@@ )|^\s*[$#%>] /m.test(text)) return false;
  let bare = '';
  let from = 0;
  for (const { start, end } of commentsIn(text, 0, text.length)) {
    bare += text.slice(from, start);
    from = end;
  }
  const lines = (bare + text.slice(from)).split('\n').filter((line) => line.trim() !== '');
  const ended = lines.filter((line) => /[;{}]\s*$/.test(line)).length;
  const broken = lines.filter((line) => /[,(=&|+\-<>]\s*$/.test(line)).length;
  return ended > 0 && (ended + broken) * 2 >= lines.length;
}

/** Of a text that nothing marks as C: whether reading it as C went wrong so often that it is something else. */
function isBroken({ language }: LiteralBlock, { findings, text }: CUnit): boolean {
  if (language?.toLowerCase() === 'c') return false;
  const errors = findings.filter(({ code }) => code === 'syntax' || code === 'missing-semicolon').length;
  return errors > 3 && errors * 4 > text.split('\n').length;
}

export function tooLongBlocks(document: RstDocument): LiteralBlock[] {
  return document.blocks.filter(({ start, end }) => end - start > MAX_BLOCK);
}

/** Texts of blocks that were read, so that an edit elsewhere does not read them again. */
const units = new Map<string, CUnit | undefined>();
const MAX_UNITS = 200;

function unitOf(block: LiteralBlock, text: string): CUnit | undefined {
  const key = `${block.language ?? ''}\0${block.directive ?? ''}\0${text}`;
  let unit = units.get(key);
  if (unit === undefined && !units.has(key)) {
    unit = isCode(block, text) ? parseC(text, 'block') : undefined;
    if (unit !== undefined && isBroken(block, unit)) unit = undefined;
    if (units.size >= MAX_UNITS) units.clear();
    units.set(key, unit);
  }
  return unit;
}

interface Read {
  readonly block: LiteralBlock;
  readonly unit: CUnit;
  readonly toSource: (offset: number) => number;
}

function readBlocks({ document, source }: CheckInput): Read[] {
  const read: Read[] = [];
  for (const block of document.blocks) {
    if (block.end - block.start > MAX_BLOCK) continue;
    const { text, toSource } = dedent(source, block);
    const unit = unitOf(block, text);
    if (unit !== undefined) read.push({ block, unit, toSource });
  }
  return read;
}

/** The types of what a text declares, functions and parameters included. `undefined`: it has no one struct. */
function declarationsOf(read: readonly Read[], { literals }: RstDocument): Map<string, string | undefined> {
  const tags = new Map<string, string | undefined>();
  const note = (name: string, type: TypeRef | undefined): void => {
    if (name === '') return;
    tags.set(name, !tags.has(name) || tags.get(name) === type?.tag ? type?.tag : undefined);
  };
  for (const { unit } of read)
    eachStatement(unit.items, (statement) => {
      const types =
        statement.kind === 'function' ? [statement] : statement.kind === 'declaration' ? statement.declarators : [];
      for (const { name, type } of types) {
        note(name, refOf(type));
        if (type.kind === 'function') for (const each of parametersOf(type)) note(each.name, refOf(each.type));
      }
    });
  // ``f(struct a *b)`` in prose says what `b` is in the rest of it.
  for (const { text } of literals)
    if (text.length < MAX_LITERAL)
      for (const [, tag, name = ''] of text.matchAll(PARAMETER))
        if (!tags.has(name)) note(name, { tag: tag ?? '', pointers: 1 });
  return tags;
}

const MAX_LITERAL = 300;
const PARAMETER = /\bstruct\s+(\w+)\s+\**(\w+)/g;

function bodiesOf(items: readonly Statement[], tags: Context['tags'], release: Release): Body[] {
  const bodies: Body[] = [];
  const file = new Map<string, TypeRef | undefined>();
  for (const item of items) {
    if (item.kind === 'declaration') for (const { name, type } of item.declarators) file.set(name, refOf(type));
    if (item.kind === 'function') file.set(item.name, undefined);
    if (item.kind === 'define') file.set(item.name, undefined);
  }
  const loose = items.filter((item) => item.kind !== 'function');
  if (loose.length > 0) bodies.push(bodyOf(loose, undefined, new Map(), tags, release));
  for (const item of items)
    if (item.kind === 'function') bodies.push(bodyOf(item.body.items, item, file, tags, release));
  return bodies;
}

export function contextOf(input: CheckInput, release: Release, findings: DocFinding[]): Context {
  const read = readBlocks(input);
  const tags = declarationsOf(read, input.document);
  const codes = read.map(({ block, unit, toSource }): Code => {
    const flows = new Map<Body, Flow>();
    return {
      block,
      unit,
      toSource,
      bodies: bodiesOf(unit.items, tags, release),
      flow(body) {
        const flow = flows.get(body) ?? flowOf(body.statements);
        flows.set(body, flow);
        return flow;
      },
    };
  });
  const context: Context = {
    input,
    release,
    codes,
    tags,
    declared: new Set(tags.keys()),
    at: (of, span) => ({ start: of.toSource(span.start), end: of.toSource(span.end) }),
    report(code, severity, { start, end }, message, { since, fix, related } = {}) {
      findings.push({
        code,
        severity,
        start,
        end: Math.max(start, end),
        message,
        ...(since === undefined ? {} : { since }),
        ...(related === undefined ? {} : { related }),
        ...(fix === undefined ? {} : { fix }),
      });
    },
    reportIn: (of, code, severity, span, message, details) =>
      context.report(code, severity, context.at(of, span), message, details),
  };
  return context;
}
