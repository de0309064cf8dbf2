/** What types the names of a piece of C have, as far as declarations, records and use tell. */
import {
  type CallNode,
  type Expression,
  type FunctionNode,
  type KernelRecord,
  parseC,
  type Release,
  recordsOf,
  type Statement,
  spanHolds,
  type TypeNode,
} from '../../../sim/index.ts';
import { fieldOf, structsWith } from './standing.ts';
import { calledName, eachExpressionIn, eachStatement } from './walk.ts';

/** `struct hmm_range *` is `{tag: 'hmm_range', pointers: 1}`; other types have a name. */
export interface TypeRef {
  readonly tag?: string;
  readonly name?: string;
  readonly pointers: number;
}

export type FunctionType = Extract<TypeNode, { kind: 'function' }>;

export function refOf(type: TypeNode): TypeRef | undefined {
  switch (type.kind) {
    case 'struct':
      return { tag: type.tag, pointers: 0 };
    case 'named':
      return { name: type.name, pointers: 0 };
    case 'enum':
      return { name: `enum ${type.tag}`, pointers: 0 };
    case 'pointer': {
      const to = refOf(type.to);
      return to && { ...to, pointers: to.pointers + 1 };
    }
    case 'array': {
      const of = refOf(type.of);
      return of && { ...of, pointers: of.pointers + 1 };
    }
    default:
      return undefined;
  }
}

const TYPE_TEXT =
  /^(?:(?:const|volatile)\s+)*(?:(struct|union)\s+)?((?:enum\s+)?[A-Za-z_][\w ]*?)\s*((?:\*\s*(?:const\s*)?)*)(\[\])?$/;

/** A type as records write it. */
export function refOfText(text: string): TypeRef | undefined {
  const match = TYPE_TEXT.exec(text);
  if (match?.[2] === undefined) return undefined;
  const pointers = (match[3]?.match(/\*/g)?.length ?? 0) + (match[4] === undefined ? 0 : 1);
  return match[1] === undefined ? { name: match[2], pointers } : { tag: match[2], pointers };
}

const parsed = new Map<string, FunctionType | undefined>();

/** The type of a prototype as the records write it: their number is small, so that each is read once. */
export function prototypeType(prototype: string): FunctionType | undefined {
  if (!parsed.has(prototype)) {
    const [item] = parseC(`${prototype};`, 'file').items;
    const alone = item?.kind === 'declaration' ? item.declarators[0]?.type : undefined;
    parsed.set(prototype, functionIn(alone ?? memberType(prototype)));
  }
  return parsed.get(prototype);
}

const functionIn = (type: TypeNode | undefined): FunctionType | undefined => {
  const called = type?.kind === 'pointer' ? type.to : type;
  return called?.kind === 'function' ? called : undefined;
};

/** `vm_fault_t (*fault)(...)` alone may be a call; as a member it is none. */
function memberType(prototype: string): TypeNode | undefined {
  const [item] = parseC(`struct s { ${prototype}; };`, 'file').items;
  return item?.kind === 'declaration' && item.base.kind === 'struct' ? item.base.fields?.[0]?.type : undefined;
}

export interface KnownFunction {
  readonly record: Extract<KernelRecord, { kind: 'function' }>;
  readonly variant: Extract<KernelRecord, { kind: 'function' }>['variants'][number];
  readonly type: FunctionType;
}

/** A kernel function as it is in a release. */
export function functionAt(name: string, release: Release): KnownFunction | undefined {
  for (const record of recordsOf(name)) {
    if (record.kind !== 'function') continue;
    const variant = record.variants.find((each) => spanHolds(each, release));
    const type = variant && prototypeType(variant.prototype);
    if (variant && type) return { record, variant, type };
  }
  return undefined;
}

/** Parameters of a function; `(void)` has none. */
export function parametersOf(type: FunctionType): FunctionType['parameters'] {
  const [only] = type.parameters;
  const isVoid = type.parameters.length === 1 && only?.type.kind === 'named' && only.type.name === 'void';
  return isVoid ? [] : type.parameters;
}

/** Statements that share their variables: a function, or all statements of a block outside functions. */
export interface Body {
  readonly node?: FunctionNode;
  readonly statements: readonly Statement[];
  /** What is declared in it or around it. */
  readonly declared: ReadonlyMap<string, TypeRef | undefined>;
  /** Types that declared nothing but that follow from the way a name is used. */
  readonly used: ReadonlyMap<string, TypeRef>;
  /** `...` where declarations or parameters may stand. */
  readonly isOpen: boolean;
}

/** Puts together what is known of the names in a body. `around`: what the text declares elsewhere. */
export function bodyOf(
  statements: readonly Statement[],
  node: FunctionNode | undefined,
  file: ReadonlyMap<string, TypeRef | undefined>,
  tags: ReadonlyMap<string, string | undefined>,
  release: Release,
): Body {
  const declared = new Map(file);
  let isOpen = node?.type.hole !== undefined;
  for (const { name, type } of node ? parametersOf(node.type) : []) declared.set(name, refOf(type));
  if (node) declared.set(node.name, undefined);
  eachStatement(statements, (statement) => {
    if (statement.kind === 'declaration')
      for (const { name, type } of statement.declarators) if (!declared.has(name)) declared.set(name, refOf(type));
    if (statement.kind === 'define') declared.set(statement.name, undefined);
    if (statement.kind === 'function') declared.set(statement.name, undefined);
    if (statement.kind === 'hole' && statement.form === '...') isOpen = true;
  });
  return {
    ...(node ? { node } : {}),
    statements,
    declared,
    used: usedTypes(statements, declared, tags, release),
    isOpen,
  };
}

function usedTypes(
  statements: readonly Statement[],
  declared: ReadonlyMap<string, TypeRef | undefined>,
  tags: ReadonlyMap<string, string | undefined>,
  release: Release,
): Map<string, TypeRef> {
  const used = new Map<string, TypeRef>();
  const fields = new Map<string, Set<string>>();
  const arrows = new Map<string, number>();
  const wants = (node: Expression, type: TypeRef | undefined): void => {
    if (type?.tag === undefined || type.pointers !== 1) return;
    if (node.kind === 'name' && !declared.has(node.name)) used.set(node.name, type);
    if (
      node.kind === 'unary' &&
      node.operator === '&' &&
      node.operand.kind === 'name' &&
      !declared.has(node.operand.name)
    )
      used.set(node.operand.name, { ...type, pointers: 0 });
  };
  const known = (name: string): TypeRef | undefined => declared.get(name) ?? used.get(name);
  eachExpressionIn(statements, (node) => {
    if (node.kind === 'call') {
      const type = functionAt(calledName(node) ?? '', release)?.type;
      if (type) for (const [i, each] of parametersOf(type).entries()) wants(argument(node, i), refOf(each.type));
    }
    if (node.kind === 'assign' && node.operator === '=' && node.left.kind === 'member')
      wants(node.right, typeOf(node.left, known, release));
    if (node.kind === 'member' && node.object.kind === 'name' && !declared.has(node.object.name)) {
      const { name } = node.object;
      fields.set(name, (fields.get(name) ?? new Set()).add(node.field));
      arrows.set(name, (arrows.get(name) ?? 0) + (node.arrow ? 1 : -1));
    }
    return undefined;
  });
  for (const [name, set] of fields) {
    if (used.has(name)) continue;
    const tag = tags.get(name) ?? onlyStructWith(set);
    if (tag !== undefined) used.set(name, { tag, pointers: (arrows.get(name) ?? 0) > 0 ? 1 : 0 });
  }
  return used;
}

const NOTHING: Expression = { kind: 'error', span: { start: 0, end: 0 }, height: 1, message: '' };
const argument = (call: CallNode, index: number): Expression => call.arguments[index] ?? NOTHING;

/** The one struct that has, or had, all the fields; two at least, or a name says too little. */
function onlyStructWith(fields: ReadonlySet<string>): string | undefined {
  if (fields.size < 2) return undefined;
  let tags: string[] | undefined;
  for (const field of fields) {
    const having = structsWith(field);
    tags = tags === undefined ? [...having] : tags.filter((tag) => having.has(tag));
  }
  return tags?.length === 1 ? tags[0] : undefined;
}

/** The type of an expression, where that can be told. */
export function typeOf(
  node: Expression,
  known: (name: string) => TypeRef | undefined,
  release: Release,
): TypeRef | undefined {
  const of = (inner: Expression): TypeRef | undefined => typeOf(inner, known, release);
  const by = (type: TypeRef | undefined, pointers: number): TypeRef | undefined =>
    type && type.pointers + pointers >= 0 ? { ...type, pointers: type.pointers + pointers } : undefined;
  switch (node.kind) {
    case 'name':
      return known(node.name);
    case 'unary':
      return node.operator === '&'
        ? by(of(node.operand), 1)
        : node.operator === '*'
          ? by(of(node.operand), -1)
          : undefined;
    case 'index':
      return by(of(node.object), -1);
    case 'member': {
      const object = of(node.object);
      const field = object?.tag === undefined ? undefined : fieldOf(object.tag, node.field, release);
      return field && refOfText(field.type);
    }
    case 'call': {
      const type = functionAt(calledName(node) ?? '', release)?.type;
      return type && refOf(type.returns);
    }
    case 'cast':
      return refOf(node.type);
    default:
      return undefined;
  }
}
