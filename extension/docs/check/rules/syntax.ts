/** What a compiler would not read: brackets, semicolons, and comments where an argument has to stand. */
import type { FindingCode } from '../../../../sim/index.ts';
import type { Context } from '../context.ts';

const SYNTAX: ReadonlySet<FindingCode> = new Set<FindingCode>([
  'syntax',
  'missing-parenthesis',
  'missing-semicolon',
  'missing-brace',
  'too-deep',
  'too-many-errors',
]);

/** `for_each_node(nid) {` is a loop to those who know the macro. */
function isLoopMacro(text: string, at: number): boolean {
  const line = text.slice(text.lastIndexOf('\n', at - 1) + 1, at);
  return text.charAt(at) === '{' && /\bfor_each\w*\s*\(.*\)\s*$/.test(line.slice(-200));
}

export function syntax(context: Context): void {
  for (const code of context.codes) {
    for (const finding of code.unit.findings) {
      if (!SYNTAX.has(finding.code) || isLoopMacro(code.unit.text, finding.span.start)) continue;
      const at = context.at(code, finding.span);
      const fix =
        finding.code === 'missing-parenthesis' && finding.message.includes('")"')
          ? { start: at.end, end: at.end, title: 'Add the ")"', text: ')' }
          : undefined;
      context.report(finding.code, 'error', at, finding.message, { fix });
    }
    for (const hole of code.unit.holes) {
      const { position, form, span } = hole;
      if (form !== 'comment' || position.kind !== 'argument') continue;
      context.reportIn(
        code,
        'comment-as-argument',
        'error',
        span,
        `A comment stands where argument ${position.index + 1} of ${position.call} has to be: this does not compile.`,
      );
    }
    for (const body of code.bodies)
      for (const { label, span } of code.flow(body).missing)
        context.reportIn(code, 'no-such-label', 'error', span, `No statement here has the label ${label}.`);
  }
}
