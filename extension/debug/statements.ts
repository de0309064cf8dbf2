/** Where one can stop in a C text: the statements that the evaluator pauses before. */
import { parseC, type Statement } from '../../sim/index.ts';

export interface Place {
  readonly start: number;
  readonly end: number;
}

const MOST = 20_000;

/** The statements of a text, in its order. Prototypes count where they are run as calls. */
export function statementsOf(text: string, mode: 'block' | 'file'): Place[] {
  const found: Place[] = [];
  const add = ({ start, end }: Place): void => {
    if (end > start && found.length < MOST) found.push({ start, end });
  };
  const visitAll = (items: readonly Statement[]): void => {
    for (const item of items) visit(item);
  };
  const visit = (item: Statement): void => {
    switch (item.kind) {
      case 'compound':
        visitAll(item.items);
        break;
      case 'function':
      case 'case':
      case 'label':
        visit(item.body);
        break;
      case 'if':
        add(item.head);
        visit(item.then);
        if (item.otherwise) visit(item.otherwise);
        break;
      case 'while':
      case 'do':
      case 'for':
      case 'switch':
        add(item.head);
        visit(item.body);
        break;
      case 'define':
        break;
      case 'declaration':
        if (item.storage !== 'typedef' && item.storage !== 'extern') add(item.span);
        break;
      default:
        add(item.span);
    }
  };
  for (const item of parseC(text, mode).items) if (mode === 'block' || item.kind === 'function') visit(item);
  return found.sort((a, b) => a.start - b.start);
}

/** The statement that a line means: the first that begins on it or below, or else the last one above. */
export function statementAt(
  statements: readonly Place[],
  lineOf: (offset: number) => number,
  line: number,
): Place | undefined {
  return statements.find(({ start }) => lineOf(start) >= line) ?? statements.at(-1);
}
