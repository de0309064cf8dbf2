/** Calls that prose writes between marks: their brackets have to pair up. */
import type { Marked } from '../../rstTypes.ts';
import type { Context } from '../context.ts';

const CALL = /^[\w.>*&\s-]*\w\(/;
const MAX = 500;

export function literals(context: Context): void {
  const { literals: double, defaultRoles, roles } = context.input.document;
  for (const mark of [...double, ...defaultRoles, ...roles]) check(context, mark);
}

function check(context: Context, mark: Marked): void {
  const text = context.input.source.slice(mark.inner.start, mark.inner.end);
  if (text.length > MAX || !CALL.test(text) || /["']/.test(text)) return;
  const open: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '(') open.push(at);
    else if (char === ')' && open.pop() === undefined) {
      report(context, mark, at, ')');
      return;
    }
  }
  const last = open.at(-1);
  if (last === undefined) return;
  // Of brackets that follow each other the second is the one too many.
  const inner = text.charAt(last + 1) === '(' ? last + 1 : text.charAt(last - 1) === '(' ? last : undefined;
  const [first] = open;
  const extra = inner ?? (first !== undefined && text.charAt(first + 1) === '(' ? first + 1 : undefined);
  if (extra === undefined) {
    const end = mark.inner.end;
    const fix = { start: end, end, title: 'Add the ")"', text: ')' };
    context.report('unbalanced-call', 'error', mark, `A ")" is missing in ${text}.`, { fix });
  } else report(context, mark, extra, '(');
}

function report(context: Context, mark: Marked, at: number, bracket: string): void {
  const start = mark.inner.start + at;
  const span = { start, end: start + 1 };
  const fix = { ...span, title: `Remove the "${bracket}"`, text: '' };
  context.report('unbalanced-call', 'error', span, `This "${bracket}" has no partner.`, { fix });
}
