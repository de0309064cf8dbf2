/** The requests that say where to stop. */
import type { Breakpoints } from './breakpoints.ts';
import { type Fields, fieldsOf, listOf, needNumber, numberIn, textIn, textsIn } from './protocol.ts';
import type { RunningText } from './runningText.ts';
import type { Steering } from './steering.ts';

export class BreakpointRequests {
  /** Stops at what the program cannot go on from, rather than to end. */
  stopsAtFailure = true;
  private readonly breakpoints: Breakpoints;
  private readonly steering: Steering;
  private readonly uriOf: (path: string) => string;
  private readonly text: () => RunningText | undefined;

  constructor(
    breakpoints: Breakpoints,
    steering: Steering,
    uriOf: (path: string) => string,
    text: () => RunningText | undefined,
  ) {
    this.breakpoints = breakpoints;
    this.steering = steering;
    this.uriOf = uriOf;
    this.text = text;
  }

  setLines(fields: Fields): unknown {
    const source = fieldsOf(fields.source);
    const path = textIn(source, 'path');
    const given = fields.breakpoints ?? listOf(fields.lines).map((line) => ({ line }));
    if (path === undefined)
      return {
        breakpoints: listOf(given).map(() => ({
          id: 0,
          verified: false,
          message: 'One cannot stop in this text by its lines; step instead.',
        })),
      };
    return { breakpoints: this.breakpoints.setLines(this.uriOf(path), given, this.text()) };
  }

  locations(fields: Fields): unknown {
    const path = textIn(fieldsOf(fields.source), 'path');
    const from = needNumber(fields, 'line');
    const to = numberIn(fields, 'endLine') ?? from;
    const text = this.text();
    if (!text || path === undefined || this.uriOf(path) !== text.uri) return { breakpoints: [] };
    const lines = new Set(text.statements.map(({ start }) => text.lineOf(start)));
    return { breakpoints: [...lines].filter((line) => line >= from && line <= to).map((line) => ({ line })) };
  }

  setExceptions(fields: Fields): { readonly breakpoints: readonly unknown[] } {
    const options = listOf(fields.filterOptions).map(fieldsOf);
    const chosen = new Map<string, string>(textsIn(fields, 'filters').map((filter) => [filter, '']));
    for (const option of options) chosen.set(textIn(option, 'filterId') ?? '', textIn(option, 'condition') ?? '');
    this.stopsAtFailure = chosen.has('stop');
    this.steering.stopsAtWarnings = chosen.has('warn');
    const errno = chosen.get('errno');
    this.steering.errnos = errno === undefined ? undefined : new Set(errno.toUpperCase().match(/E[A-Z0-9]+/g) ?? []);
    return { breakpoints: [...textsIn(fields, 'filters'), ...options].map(() => ({ verified: true })) };
  }
}
