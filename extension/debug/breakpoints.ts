/** The breakpoints a client set, and which statement each means in the text that runs. */
import { lookup, type Machine } from '../../sim/index.ts';
import { counted, hitTest, type When } from './conditions.ts';
import { type Breakpoint, type Fields, fieldsOf, listOf, numberIn, textIn } from './protocol.ts';
import type { RunningText } from './runningText.ts';
import type { Place } from './statements.ts';
import { dataTitle, dataValue, type Steering } from './steering.ts';

const MOST = 1000;

export class Breakpoints {
  private readonly steering: Steering;
  private nextId = 1;
  /** What was set by document, also before anything ran. */
  private readonly wanted = new Map<string, Breakpoint[]>();

  constructor(steering: Steering) {
    this.steering = steering;
  }

  /** All breakpoints of one document at once, as the protocol has it. */
  setLines(uri: string, given: unknown, text: RunningText | undefined): Breakpoint[] {
    const found: Breakpoint[] = [];
    const lines: Steering['lines'] = [];
    for (const each of listOf(given).slice(0, MOST)) {
      const fields = fieldsOf(each);
      const line = numberIn(fields, 'line');
      const id = this.nextId++;
      if (line === undefined) {
        found.push({ id, verified: false, message: 'A breakpoint needs a line.' });
        continue;
      }
      const place = this.placeOf(uri, line, text);
      const when = whenOf(fields);
      const problem = problemIn(when);
      if ('message' in place || problem !== undefined) {
        found.push({ id, verified: false, line, message: problem ?? ('message' in place ? place.message : '') });
        continue;
      }
      lines.push({ id, start: place.start, counted: counted(when) });
      found.push({ id, verified: true, line: text?.lineOf(place.start) ?? line });
    }
    this.wanted.set(uri, found);
    if (text?.uri === uri) this.steering.lines = lines;
    return found;
  }

  private placeOf(uri: string, line: number, text: RunningText | undefined): Place | { message: string } {
    if (!text) return { message: 'Nothing runs that has statements.' };
    if (text.uri !== uri) return { message: 'Another document runs.' };
    const { statements, lineOf } = text;
    const [first] = statements;
    const last = statements.at(-1);
    if (!first || !last) return { message: 'The text that runs has no statement.' };
    const exact = statements.find(({ start }) => lineOf(start) >= line);
    // A line near the block means its nearest statement; one elsewhere means another block, which does not run.
    if (line < lineOf(first.start) - NEAR || line > lineOf(last.end) + NEAR)
      return { message: 'No statement of the block that runs is near this line.' };
    return exact ?? last;
  }

  setFunctions(given: unknown, machine: Machine | undefined, own: ReadonlySet<string> | undefined): Breakpoint[] {
    const found: Breakpoint[] = [];
    const functions: Steering['functions'] = [];
    for (const each of listOf(given).slice(0, MOST)) {
      const fields = fieldsOf(each);
      const name = (textIn(fields, 'name') ?? '').replace(/\s|\(\s*\)$/g, '');
      const id = this.nextId++;
      const when = whenOf(fields);
      const problem =
        problemIn(when) ??
        (/^[A-Za-z_]\w*$/.test(name) ? undefined : `${JSON.stringify(name)} is no name of a function.`);
      if (problem !== undefined) {
        found.push({ id, verified: false, message: problem });
        continue;
      }
      functions.push({ id, name, counted: counted(when) });
      const record = machine && lookup(name, machine.release);
      const isKnown = record?.kind === 'function' || own?.has(name) === true;
      const message =
        machine && !isKnown ? `${name}() is no function of ${machine.release} that is simulated.` : undefined;
      found.push({ id, verified: message === undefined, ...(message === undefined ? {} : { message }) });
    }
    this.steering.functions = functions;
    return found;
  }

  setData(given: unknown, machine: Machine | undefined, program: Parameters<typeof dataValue>[2]): Breakpoint[] {
    const found: Breakpoint[] = [];
    const data: Steering['data'] = [];
    for (const each of listOf(given).slice(0, MOST)) {
      const fields = fieldsOf(each);
      const key = textIn(fields, 'dataId');
      const id = this.nextId++;
      const when = whenOf(fields);
      const now = key === undefined || !machine ? undefined : dataValue(key, machine, program);
      const problem =
        problemIn(when) ??
        (key !== undefined && /^(page|pte|zone|var):/.test(key) ? undefined : 'There is nothing to watch.');
      if (key === undefined || problem !== undefined) {
        found.push({ id, verified: false, message: problem ?? '' });
        continue;
      }
      data.push({ id, key, counted: counted(when), last: now });
      const message =
        now === undefined ? `${dataTitle(key)} does not exist now; it is watched from when it does.` : undefined;
      found.push({ id, verified: true, ...(message === undefined ? {} : { message }) });
    }
    this.steering.data = data;
    return found;
  }
}

/** Lines between a breakpoint and the block it is taken to mean. */
const NEAR = 3;

function whenOf(fields: Fields): When {
  const condition = textIn(fields, 'condition');
  const hitCondition = textIn(fields, 'hitCondition');
  const logMessage = textIn(fields, 'logMessage');
  return {
    ...(condition ? { condition } : {}),
    ...(hitCondition ? { hitCondition } : {}),
    ...(logMessage ? { logMessage } : {}),
  };
}

function problemIn({ hitCondition }: When): string | undefined {
  return hitCondition !== undefined && !hitTest(hitCondition)
    ? `"${hitCondition}" is no hit count: 5, >= 5, % 2.`
    : undefined;
}
