/** The reader for `hmm.txt` (4.14 to 4.17): no markup, titles `4) Like this` below a rule of dashes. */
import { Lines } from './rstLines.ts';
import { isAdornment } from './rstMarkers.ts';
import { emptyLists, type RstDocument, sectionsOf, type Title } from './rstTypes.ts';

const RULE = 10;
const NUMBERED = /^\d{1,3}[.)]\s+(\S.*?)\s*:?$/;

export function readPlainText(source: string): RstDocument {
  const lines = new Lines(source);
  const lists = emptyLists();
  const titles: Title[] = [];
  let afterRule = false;
  let line = 0;
  while (line < lines.count) {
    const start = lines.textAt(line);
    const indent = lines.indentAt(line);
    if (isRule(lines, line)) {
      afterRule = true;
      line++;
      continue;
    }
    const title = titleAt(lines, line, afterRule);
    afterRule = false;
    if (title !== undefined) {
      titles.push(title);
      line++;
      continue;
    }
    let next = line + 1;
    while (!lines.gapBefore(next) && lines.indentAt(next) === indent && !isRule(lines, next)) next++;
    const end = lines.endAt(next - 1);
    lists.paragraphs.push({ kind: 'paragraph', start, end });
    line = next;
    const code = lines.indentedAfter(next, indent);
    if (code.end > next && (source.charAt(end - 1) === ':' || BEGINS_CODE.test(lines.textOf(next)))) {
      lists.blocks.push({
        start: lines.startAt(next),
        end: lines.endAt(code.end - 1),
        column: code.column,
        form: 'indented',
      });
      line = code.end;
    }
  }
  return { format: 'plain', sections: sectionsOf(titles, source.length), ...lists };
}

function isRule(lines: Lines, line: number): boolean {
  const start = lines.textAt(line);
  const end = lines.endAt(line);
  return line < lines.count && end - start >= RULE && isAdornment(lines.source, start, end);
}

/** The first line of the text, if it stands alone, and the numbered line below a rule. The list of contents has none. */
function titleAt(lines: Lines, line: number, afterRule: boolean): Title | undefined {
  if (!lines.gapBefore(line + 1)) return undefined;
  const text = lines.textOf(line);
  const span = { start: lines.textAt(line), end: lines.endAt(line) };
  const place = { start: span.start, bodyStart: span.end };
  if (line === 0 && lines.indentAt(line) === 0) return { level: 1, title: text, titleSpan: span, ...place };
  const numbered = afterRule && text.length < MAX_TITLE ? NUMBERED.exec(text)?.[1] : undefined;
  if (numbered === undefined) return undefined;
  return { level: 2, title: numbered, titleSpan: span, ...place };
}

const MAX_TITLE = 200;
/** What no line of prose ends like: a struct or a function that begins. One block of 4.14 comes behind a full stop. */
const BEGINS_CODE = /^[A-Za-z_][\w\s*]*(?:\{|\([^)]*,)$/;
