/** The ways through a piece of C: a node for each expression, with an edge to whatever may come next. */
import type { Declarator, Expression, SourceSpan, Statement } from '../../../sim/index.ts';
import { eachStatement, valuesOf } from './walk.ts';

export interface FlowNode {
  readonly expressions: readonly Expression[];
  readonly next: number[];
  /** Of a test: where it goes if it is true, and if not. */
  readonly yes?: number;
  readonly no?: number;
  readonly declares?: Declarator;
  /** `...`: anything may happen here. */
  readonly anything?: boolean;
  /** The `return`, for messages. */
  readonly returns?: SourceSpan;
}

export interface Flow {
  readonly nodes: readonly FlowNode[];
  readonly entry: number;
  /** Behind the last statement and behind each `return`. */
  readonly exit: number;
  /** Where the text ends without a `return`. */
  readonly end: number;
  /** Labels that a `goto` names and nothing defines. */
  readonly missing: readonly { readonly label: string; readonly span: SourceSpan }[];
}

export const flowOf = (statements: readonly Statement[]): Flow => new FlowBuilder().build(statements);

interface Around {
  readonly breaks?: number;
  readonly continues?: number;
  readonly cases?: number[];
  readonly hasDefault?: { is: boolean };
}

class FlowBuilder {
  private readonly nodes: FlowNode[] = [];
  private readonly labels = new Map<string, number>();
  private readonly missing: { label: string; span: SourceSpan }[] = [];
  private readonly exit = this.add({ expressions: [], next: [] });

  build(statements: readonly Statement[]): Flow {
    eachStatement(statements, (statement) => {
      if (statement.kind === 'label') this.labels.set(statement.name, this.place());
    });
    const end = this.add({ expressions: [], next: [this.exit] });
    const entry = this.list(statements, end, {});
    return { nodes: this.nodes, entry, exit: this.exit, end, missing: this.missing };
  }

  private add(node: FlowNode): number {
    return this.nodes.push(node) - 1;
  }
  private place(): number {
    return this.add({ expressions: [], next: [] });
  }
  private join(place: number, next: number): number {
    this.nodes[place]?.next.push(next);
    return place;
  }

  private list(statements: readonly Statement[], next: number, around: Around): number {
    let at = next;
    for (let i = statements.length - 1; i >= 0; i--) {
      const statement = statements[i];
      if (statement !== undefined) at = this.statement(statement, at, around);
    }
    return at;
  }

  /** Where a statement begins that goes on at `next`. */
  private statement(statement: Statement, next: number, around: Around): number {
    switch (statement.kind) {
      case 'expression':
        return this.add({ expressions: [statement.expression], next: [next] });
      case 'declaration': {
        let at = next;
        for (const declares of [...statement.declarators].reverse())
          at = this.add({ expressions: valuesOf(declares.initialiser), next: [at], declares });
        return at;
      }
      case 'compound':
        return this.list(statement.items, next, around);
      case 'if': {
        const no = statement.otherwise ? this.statement(statement.otherwise, next, around) : next;
        return this.test(statement.test, this.statement(statement.then, next, around), no);
      }
      case 'while': {
        const head = this.place();
        const body = this.statement(statement.body, head, { ...around, breaks: next, continues: head });
        return this.join(head, this.test(statement.test, body, next));
      }
      case 'do': {
        const test = this.place();
        const body = this.statement(statement.body, test, { ...around, breaks: next, continues: test });
        this.join(test, this.test(statement.test, body, next));
        return body;
      }
      case 'for': {
        const { initial, test, step } = statement;
        const head = this.place();
        const advance = step ? this.add({ expressions: [step], next: [head] }) : head;
        const body = this.statement(statement.body, advance, { ...around, breaks: next, continues: advance });
        this.join(head, test ? this.test(test, body, next) : body);
        if (!initial) return head;
        return initial.kind === 'declaration'
          ? this.statement(initial, head, around)
          : this.add({ expressions: [initial], next: [head] });
      }
      case 'switch': {
        const cases: number[] = [];
        const hasDefault = { is: false };
        this.statement(statement.body, next, { ...around, breaks: next, cases, hasDefault });
        return this.add({ expressions: [statement.test], next: hasDefault.is ? cases : [...cases, next] });
      }
      case 'case': {
        const at = this.statement(statement.body, next, around);
        around.cases?.push(at);
        if (around.hasDefault && statement.value === undefined) around.hasDefault.is = true;
        return at;
      }
      case 'label':
        return this.join(this.labels.get(statement.name) ?? next, this.statement(statement.body, next, around));
      case 'goto': {
        const label = this.labels.get(statement.label);
        if (label === undefined && statement.label !== '')
          this.missing.push({ label: statement.label, span: statement.span });
        return label ?? this.exit;
      }
      case 'break':
        return around.breaks ?? this.exit;
      case 'continue':
        return around.continues ?? this.exit;
      case 'return':
        return this.add({
          expressions: statement.value ? [statement.value] : [],
          next: [this.exit],
          returns: statement.span,
        });
      case 'hole':
        return statement.form === '...' ? this.add({ expressions: [], next: [next], anything: true }) : next;
      default:
        return next;
    }
  }

  /** Where a condition begins; `&&`, `||` and `!` are edges, so that each node asks one thing. */
  private test(node: Expression, yes: number, no: number): number {
    if (node.kind === 'unary' && node.operator === '!') return this.test(node.operand, no, yes);
    if (node.kind === 'binary' && node.operator === '&&')
      return this.test(node.left, this.test(node.right, yes, no), no);
    if (node.kind === 'binary' && node.operator === '||')
      return this.test(node.left, yes, this.test(node.right, yes, no));
    if (node.kind === 'integer') return node.value === 0n ? no : yes;
    if (node.kind === 'call' && node.callee.kind === 'name' && /^(?:un)?likely$/.test(node.callee.name)) {
      const [inner] = node.arguments;
      if (inner !== undefined) return this.test(inner, yes, no);
    }
    return this.add({ expressions: [node], next: [yes, no], yes, no });
  }
}
