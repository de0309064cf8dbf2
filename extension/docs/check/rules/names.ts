/** Names that the kernel of the release does not have: in code, in its comments, and in prose. */
import { ALL_RECORDS, recordsOf, type SourceSpan, type TypeNode } from '../../../../sim/index.ts';
import { type Candidate, commentsIn, tokenAt } from '../../codeTokens.ts';
import type { Span } from '../../rstTypes.ts';
import type { Code, Context } from '../context.ts';
import { fieldStanding, looseFieldStanding, type Standing, saying, standing, standingInCode } from '../standing.ts';
import { eachExpressionIn, eachStatement } from '../walk.ts';

type Wrong = Exclude<Standing, { state: 'here' }>;

const isWrong = (standing: Standing | undefined): standing is Wrong =>
  standing !== undefined && standing.state !== 'here';

export function names(context: Context): void {
  for (const code of context.codes) inCode(context, code);
  const { paragraphs, sections } = context.input.document;
  for (const { titleSpan } of sections) inProse(context, titleSpan);
  for (const paragraph of paragraphs) inProse(context, paragraph);
  for (const { block } of context.codes)
    for (const comment of commentsIn(context.input.source, block.start, block.end)) inProse(context, comment);
}

function tell(context: Context, span: Span, name: string, wrong: Wrong): void {
  const code = wrong.state === 'never' ? 'never-existed' : wrong.state === 'gone' ? 'gone-name' : 'not-yet';
  const instead = wrong.state === 'not-yet' ? undefined : wrong.instead;
  const fix =
    instead !== undefined && isRename(name, instead)
      ? { ...span, title: `Write ${instead}`, text: instead }
      : undefined;
  context.report(code, 'error', span, `${name} ${saying(wrong, context.release, isFunction(name))}`, {
    since: wrong.state === 'never' ? undefined : wrong.since,
    fix: fix && context.input.source.slice(span.start, span.end) === name ? fix : undefined,
  });
}

const isFunction = (name: string): boolean => recordsOf(name).some((record) => record.kind === 'function');

/** Whether the new name can simply be written: functions that replace others are called with other arguments. */
function isRename(name: string, instead: string): boolean {
  if (!/^\w+$/.test(instead)) return false;
  const [record] = recordsOf(name);
  if (record?.kind === 'callback') return recordsOf(instead).some((each) => each.kind === 'callback');
  return record?.kind === 'never';
}

function inCode(context: Context, code: Code): void {
  const { release } = context;
  const ask = (span: SourceSpan, key: string, shown: string): void => {
    const known = standingInCode(key, release);
    if (isWrong(known)) tell(context, tight(context, context.at(code, span), shown), shown, known);
  };
  const types = (type: TypeNode, defines: boolean): void => {
    switch (type.kind) {
      case 'struct':
        if (!defines || type.fields === undefined) ask(type.span, `struct ${type.tag}`, `struct ${type.tag}`);
        else if (isWrong(standing(`struct ${type.tag}`, release)))
          ask(type.span, `struct ${type.tag}`, `struct ${type.tag}`);
        for (const field of type.fields ?? []) types(field.type, false);
        return;
      case 'pointer':
        types(type.to, false);
        return;
      case 'array':
        types(type.of, false);
        return;
      case 'function':
        types(type.returns, false);
        for (const each of type.parameters) types(each.type, false);
        return;
      default:
        return;
    }
  };
  eachStatement(code.unit.items, (statement) => {
    if (statement.kind === 'declaration') {
      const seen = new Set<TypeNode>();
      if (statement.declarators.length === 0) types(statement.base, true);
      for (const { name, type, span } of statement.declarators) {
        if (type.kind === 'function') ask(nameIn(code, span, name), name, name);
        if (!seen.has(type)) types(type, true);
        seen.add(type);
      }
    }
    if (statement.kind === 'function') types(statement.type, false);
  });
  for (const body of code.bodies)
    eachExpressionIn(body.statements, (node) => {
      if (node.kind === 'name' && !body.declared.has(node.name)) ask(node.span, node.name, node.name);
      if (node.kind === 'cast' || node.kind === 'type') types(node.type, false);
      return undefined;
    });
}

/** The name alone, of a span that has more than it. */
function tight({ input }: Context, span: Span, shown: string): Span {
  const at = input.source.slice(span.start, span.end).indexOf(shown);
  return at < 0 ? span : { start: span.start + at, end: span.start + at + shown.length };
}

function nameIn(code: Code, span: SourceSpan, name: string): SourceSpan {
  const at = code.unit.text.slice(span.start, span.end).search(new RegExp(`\\b${name}\\b`));
  return at < 0 ? span : { start: span.start + at, end: span.start + at + name.length };
}

const START = /->(?=[A-Za-z_])|(?<!\w)[A-Za-z_]/g;
/** A paragraph has some hundred words; one of a megabyte is read to here. */
const MAX_PROSE = 1 << 17;

function inProse(context: Context, { start, end }: Span): void {
  const { source } = context.input;
  const limit = Math.min(end, start + MAX_PROSE);
  START.lastIndex = start;
  for (let match = START.exec(source); match !== null && match.index < limit; match = START.exec(source)) {
    const token = tokenAt(source, match.index, limit);
    let next = token?.end ?? match.index + 1;
    for (const candidate of token?.candidates ?? []) {
      const found = inCandidate(context, candidate);
      if (found === undefined) continue;
      if (isWrong(found.standing)) tell(context, found.span, found.name, found.standing);
      next = Math.max(next, candidate.end);
      break;
    }
    START.lastIndex = Math.max(next, match.index + 1);
  }
}

interface Found {
  readonly name: string;
  readonly span: Span;
  readonly standing: Standing;
}

/** What is known of a piece of prose. Undefined: nothing, so that a shorter piece of it may be looked at. */
function inCandidate(context: Context, candidate: Candidate): Found | undefined {
  const { release, declared, tags } = context;
  const { form, names: written, isCode } = candidate;
  const [longest = ''] = written;
  const text = longest.replace(/\(\)$/, '');
  const isCalled = context.input.source.startsWith('()', candidate.end - 2);
  const span = { start: candidate.start, end: candidate.end - (isCalled ? 2 : 0) };
  if (form === 'struct') {
    if (!longest.includes(' ')) return undefined;
    const known = standing(longest, release);
    return known && { name: longest, span, standing: known };
  }
  if (!isCode || text.includes('/')) return undefined;
  const parts = text.split(/->|\./).filter((part) => part !== '');
  const name = parts.at(-1) ?? '';
  if (parts.length > 1) {
    const owner = parts[0] ?? '';
    if (parts.length > 2) return undefined;
    const tag = tags.get(owner) ?? (recordsOf(owner).some((each) => each.kind === 'struct') ? owner : undefined);
    const known = tag === undefined ? undefined : fieldStanding(tag, name, release);
    const own = { start: span.end - name.length, end: span.end };
    return known && { name: `${name} of struct ${tag}`, span: own, standing: known };
  }
  const own = { start: span.end - name.length, end: span.end };
  const isArrow = longest.startsWith('->');
  if (declared.has(name) && !recordsOf(name).some((each) => each.kind === 'function')) return undefined;
  const never = neverMember(context, name);
  const records = recordsOf(name);
  // Plain words may be callbacks of a struct that is spoken of; else they may be anything.
  if (records.length > 0 && !isArrow && !name.includes('_') && records.every((each) => each.kind === 'callback')) {
    const spokenOf = records.some((each) => each.kind === 'callback' && context.input.source.includes(each.struct));
    if (!spokenOf) return undefined;
  }
  const known =
    records.some((each) => each.kind === 'struct') && !name.includes('_')
      ? undefined
      : form === 'call'
        ? standingInCode(name, release)
        : standing(name, release);
  if (known !== undefined) return { name, span: own, standing: known };
  if (never !== undefined && form === 'call') return { name, span: own, standing: never };
  if (/^[A-Z][A-Z_]{7,}$/.test(name)) {
    const config = standing(`CONFIG_${name}`, release);
    if (config !== undefined) return { name, span: own, standing: config };
  }
  const field = name.includes('_') ? looseFieldStanding(name, release) : undefined;
  return field && { name, span: own, standing: field };
}

let members: Map<string, { tag: string; key: string }> | undefined;

/** `update()` where a struct is spoken of that documents give a member of that name, and the kernel never did. */
function neverMember(context: Context, name: string): Standing | undefined {
  if (members === undefined) {
    members = new Map();
    for (const { kind, name: key } of ALL_RECORDS) {
      const [, tag, member] = kind === 'never' ? (/^(\w+)\.(\w+)$/.exec(key) ?? []) : [];
      if (tag !== undefined && member !== undefined) members.set(member, { tag, key });
    }
  }
  const known = members.get(name);
  return known !== undefined && context.input.source.includes(known.tag)
    ? standing(known.key, context.release)
    : undefined;
}
