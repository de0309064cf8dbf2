/** Which directives hold ordinary text, which hold code, and what their argument is. */

/** Their text is shown verbatim. */
const CODE = new Set(['code', 'code-block', 'sourcecode', 'parsed-literal']);

/** Their text may begin on the line of the directive. */
const TEXT = new Set([
  ...['note', 'warning', 'tip', 'important', 'caution', 'danger', 'error', 'hint', 'attention', 'seealso', 'todo'],
  ...['compound', 'epigraph', 'highlights', 'pull-quote'],
]);

/** Their argument is a title, their body text. */
const TITLED = new Set(['admonition', 'topic', 'sidebar', 'table', 'list-table', 'flat-table', 'rubric']);

/** Their argument is no text, their body is. */
const WRAPPING = new Set([
  ...['container', 'only', 'figure', 'class', 'kernel-figure'],
  ...['versionadded', 'versionchanged', 'deprecated'],
]);

export type DirectiveKind = 'code' | 'text' | 'titled' | 'wrapping' | 'opaque';

export function directiveKind(name: string): DirectiveKind {
  if (CODE.has(name)) return 'code';
  if (TEXT.has(name)) return 'text';
  if (TITLED.has(name)) return 'titled';
  return WRAPPING.has(name) ? 'wrapping' : 'opaque';
}
