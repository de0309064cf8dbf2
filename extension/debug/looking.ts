/** What a client asks of a program that stands: its frames and variables, expressions, memory, what can be watched. */
import { evaluateInFrame, isShellLine } from '../../sim/index.ts';
import type { Debuggee, Session } from '../session/types.ts';
import { completions } from './completions.ts';
import { framesOf, type Places, stackFrame, VirtualTexts } from './frames.ts';
import { base64 } from './memory.ts';
import { type Fields, fieldsOf, needNumber, needText, numberIn, RequestError, textIn } from './protocol.ts';
import { dataTitle, dataValue, type Steering, variableKey } from './steering.ts';
import { Variables } from './variables.ts';

export interface LookingHost {
  readonly places: Places;
  session(): Session;
  /** What stands; where nothing does, a reason is thrown. */
  standing(): Debuggee;
  /** The shell lines of a scene, as its script counts them. */
  lines(debuggee: Debuggee): readonly string[] | undefined;
  returned(): Steering['returned'];
  say(text: string): void;
  event(event: string, body?: unknown): void;
  /** What the kernel has said so far was shown. */
  hasSeenLog(): void;
}

export class Looking {
  private readonly host: LookingHost;
  private readonly variables = new Variables();
  private readonly texts = new VirtualTexts();

  constructor(host: LookingHost) {
    this.host = host;
  }

  /** The program goes on: what was shown is gone. */
  clear(): void {
    this.variables.clear();
  }

  source(fields: Fields): unknown {
    const reference = numberIn(fields, 'sourceReference') ?? numberIn(fieldsOf(fields.source), 'sourceReference') ?? 0;
    const content = this.texts.text(reference);
    if (content === undefined) throw new RequestError('There is no such text.');
    return { content };
  }

  dataInfo(fields: Fields): unknown {
    const debuggee = this.host.standing();
    const name = needText(fields, 'name');
    const reference = numberIn(fields, 'variablesReference') ?? 0;
    const frame = (numberIn(fields, 'frameId') ?? 0) - 2;
    const child =
      reference > 0
        ? this.variables
            .children(debuggee, reference, indexIn(name) ?? 0, indexIn(name) === undefined ? undefined : 1)
            ?.find((each) => each.name === name)
        : undefined;
    const top = debuggee.program.frames.length - 1;
    const index = frame >= 0 ? frame : top;
    const key =
      reference > 0
        ? child?.watch
        : /^(page|pte|zone):/.test(name)
          ? name
          : variableKey(index, debuggee.program.frames[index]?.name ?? '', name);
    const now = key === undefined ? undefined : dataValue(key, debuggee.machine, debuggee.program);
    if (key === undefined || now === undefined) return { dataId: null, description: `${name} cannot be watched.` };
    return {
      dataId: key,
      description: `${dataTitle(key)}, now ${now}`,
      accessTypes: ['write'],
      canPersist: !key.startsWith('var:'),
    };
  }

  stackTrace(fields: Fields): unknown {
    const debuggee = this.host.standing();
    const all = framesOf(debuggee);
    const start = Math.max(0, numberIn(fields, 'startFrame') ?? 0);
    const levels = numberIn(fields, 'levels') ?? 0;
    const shown = all.slice(start, levels > 0 ? start + levels : undefined);
    const lines = this.host.lines(debuggee);
    return {
      stackFrames: shown.map((view) => stackFrame(view, debuggee, this.host.places, this.texts, lines)),
      totalFrames: all.length,
    };
  }

  scopes(fields: Fields): unknown {
    const debuggee = this.host.standing();
    const frame = needNumber(fields, 'frameId') - 2;
    const returned = this.host.returned();
    const isTop = frame === debuggee.program.frames.length - 1;
    const row = isTop && returned ? { name: returned.name, value: returned.value } : undefined;
    return { scopes: this.variables.scopes(debuggee, frame, () => this.host.session().tree(), row) };
  }

  variablesOf(fields: Fields): unknown {
    const debuggee = this.host.standing();
    const start = Math.max(0, numberIn(fields, 'start') ?? 0);
    const children = this.variables.children(
      debuggee,
      needNumber(fields, 'variablesReference'),
      start,
      numberIn(fields, 'count'),
    );
    if (!children) throw new RequestError('The program went on: this is no longer what it holds.');
    const filter = textIn(fields, 'filter');
    const isIndexed = (name: string): boolean => /^\[\d+\]$|^0x/.test(name);
    const kept = children.filter(({ name }) => filter === undefined || (filter === 'indexed') === isIndexed(name));
    return { variables: kept.map(({ watch: _, ...variable }) => variable) };
  }

  async evaluate(fields: Fields): Promise<unknown> {
    const expression = needText(fields, 'expression');
    const context = textIn(fields, 'context') ?? 'watch';
    const debuggee = this.host.standing();
    const id = numberIn(fields, 'frameId');
    const frame = id === undefined ? debuggee.program.frames.length - 1 : id - 2;
    if (context === 'repl') return await this.command(expression, frame);
    const result = evaluateInFrame(debuggee.machine, debuggee.program, frame, expression);
    if (!result.ok) throw new RequestError(result.message);
    return this.shownResult(debuggee, result, expression, frame);
  }

  /** A line of the console: of the shell, or C in the frame. What it changes is a step. */
  private async command(text: string, frame: number): Promise<unknown> {
    const session = this.host.session();
    if (text.trim() === '') return { result: '', variablesReference: 0 };
    if (isShellLine(text)) {
      const { output, value, printk = [], blockedOn } = await session.runLine(text);
      this.variables.clear();
      const waits = blockedOn ? [`waits for ${blockedOn.what}: held by ${blockedOn.holders.join(', ')}`] : [];
      this.host.hasSeenLog();
      this.host.event('invalidated', { areas: ['variables'] });
      const lines = [output || value || '', ...printk, ...waits].filter((line) => line !== '');
      return { result: lines.join('\n'), variablesReference: 0 };
    }
    const result = await session.evaluateInExample(frame, text);
    for (const note of result.notes) this.host.say(`${note}\n`);
    if (!result.ok) throw new RequestError(result.message);
    if (result.changed) {
      this.variables.clear();
      this.host.event('invalidated', { areas: ['variables'] });
    }
    const isExpression = !/;\s*$/.test(text);
    const debuggee = this.host.standing();
    return this.shownResult(debuggee, result, isExpression && !result.changed ? text : undefined, frame);
  }

  private shownResult(
    debuggee: Debuggee,
    result: Extract<ReturnType<typeof evaluateInFrame>, { ok: true }>,
    expression: string | undefined,
    frame: number,
  ): unknown {
    const { value } = result;
    if (value.kind === 'void') return { result: '', type: 'void', variablesReference: 0 };
    const slot = value.kind === 'integer' ? value.value : value.kind === 'aggregate' ? value.object : value;
    const {
      value: text,
      evaluateName: _,
      ...shown
    } = this.variables.shown(debuggee, { slot, type: result.type }, expression, frame);
    return { result: value.kind === 'integer' && value.type === 'bool' ? result.text : text, ...shown };
  }

  async setVariable(fields: Fields): Promise<unknown> {
    this.host.standing();
    const place = this.variables.placeOf(needNumber(fields, 'variablesReference'), needText(fields, 'name'));
    if (!place) throw new RequestError('This is no variable of C: it cannot be set here.');
    return await this.set(place.frame, place.expression, needText(fields, 'value'), 'value');
  }

  async setExpression(fields: Fields): Promise<unknown> {
    const { program } = this.host.standing();
    const id = numberIn(fields, 'frameId');
    const frame = id === undefined ? program.frames.length - 1 : id - 2;
    return await this.set(frame, needText(fields, 'expression'), needText(fields, 'value'), 'value');
  }

  private async set(frame: number, place: string, value: string, key: string): Promise<unknown> {
    const result = await this.host.session().setInExample(frame, place, value);
    if (!result.ok) throw new RequestError(result.message);
    const debuggee = this.host.standing();
    const { result: text, ...more } = this.shownResult(debuggee, result, place, frame) as { result: string };
    this.host.event('invalidated', { areas: ['variables'] });
    return { [key]: text, ...more };
  }

  completions(fields: Fields): unknown {
    const text = needText(fields, 'text');
    const column = numberIn(fields, 'column') ?? text.length + 1;
    const debuggee = this.host.standing();
    const id = numberIn(fields, 'frameId');
    return {
      targets: completions(
        debuggee,
        id === undefined ? debuggee.program.frames.length - 1 : id - 2,
        text.slice(0, column - 1),
      ),
    };
  }

  readMemory(fields: Fields): unknown {
    const { machine } = this.host.standing();
    const count = needNumber(fields, 'count');
    const offset = numberIn(fields, 'offset') ?? 0;
    const { address, bytes } = this.variables.memory.read(machine, needText(fields, 'memoryReference'), offset, count);
    const missing = count - bytes.length;
    return {
      address,
      ...(missing > 0 ? { unreadableBytes: missing } : {}),
      ...(bytes.length > 0 ? { data: base64(bytes) } : {}),
    };
  }
}

const indexIn = (name: string): number | undefined => {
  const match = /^\[(\d+)\]$/.exec(name);
  return match ? Number(match[1]) : undefined;
};
