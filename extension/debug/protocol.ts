/**
 * What crosses between a debugger's user interface and us: the messages of the Debug Adapter Protocol as far as we
 * use them, and readers for arguments, which come from outside and may be anything.
 */

export interface Request {
  readonly seq: number;
  readonly type: 'request';
  readonly command: string;
  readonly arguments?: unknown;
}
export interface Response {
  seq: number;
  readonly type: 'response';
  readonly request_seq: number;
  readonly success: boolean;
  readonly command: string;
  readonly message?: string;
  readonly body?: unknown;
}
export interface Event {
  seq: number;
  readonly type: 'event';
  readonly event: string;
  readonly body?: unknown;
}
export type Outgoing = Response | Event;

/** A request that cannot be answered: the words are for the reader. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
}

export interface Source {
  name?: string;
  path?: string;
  sourceReference?: number;
  presentationHint?: 'normal' | 'emphasize' | 'deemphasize';
  origin?: string;
}
export interface Breakpoint {
  id: number;
  verified: boolean;
  message?: string;
  source?: Source;
  line?: number;
  column?: number;
}
export interface StackFrame {
  id: number;
  name: string;
  source?: Source;
  line: number;
  column: number;
  endLine?: number;
  endColumn?: number;
  presentationHint?: 'normal' | 'label' | 'subtle';
  canRestart?: boolean;
}
export interface Scope {
  name: string;
  presentationHint?: 'arguments' | 'locals' | 'registers' | 'returnValue';
  variablesReference: number;
  namedVariables?: number;
  indexedVariables?: number;
  expensive: boolean;
}
export interface Variable {
  name: string;
  value: string;
  type?: string;
  evaluateName?: string;
  variablesReference: number;
  namedVariables?: number;
  indexedVariables?: number;
  memoryReference?: string;
  presentationHint?: { kind?: string; attributes?: string[] };
}

/** What the adapter can do, as `initialize` answers. */
export const CAPABILITIES = {
  supportsConfigurationDoneRequest: true,
  supportsFunctionBreakpoints: true,
  supportsConditionalBreakpoints: true,
  supportsHitConditionalBreakpoints: true,
  supportsLogPoints: true,
  supportsEvaluateForHovers: true,
  supportsStepBack: true,
  supportsSetVariable: true,
  supportsSetExpression: true,
  supportsRestartFrame: true,
  supportsRestartRequest: true,
  supportsCompletionsRequest: true,
  completionTriggerCharacters: ['.', '>'],
  supportsExceptionInfoRequest: true,
  supportsExceptionFilterOptions: true,
  supportsDataBreakpoints: true,
  supportsReadMemoryRequest: true,
  supportsTerminateRequest: true,
  supportsDelayedStackTraceLoading: true,
  supportsBreakpointLocationsRequest: true,
  exceptionBreakpointFilters: [
    {
      filter: 'stop',
      label: 'Failures',
      description:
        'What the program cannot go on from, as a bad access or a budget used up: stops where it happened, and one can step back.',
      default: true,
    },
    { filter: 'warn', label: 'Kernel warnings (WARN)', default: false },
    {
      filter: 'errno',
      label: 'Errors returned',
      description: 'A kernel function, or one of the text, returns a negative errno or ERR_PTR.',
      default: false,
      supportsCondition: true,
      conditionDescription: 'Only these: EBUSY EAGAIN',
    },
  ],
};

/* ---- arguments ---- */

export type Fields = Readonly<Record<string, unknown>>;
export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
export const textIn = (fields: Fields, name: string): string | undefined => {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return typeof value === 'string' ? value : undefined;
};
export const numberIn = (fields: Fields, name: string): number | undefined => {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return typeof value === 'number' && Number.isFinite(value) ? Math.trunc(value) : undefined;
};
/** A list of strings, or of nothing if it is anything else. */
export const textsIn = (fields: Fields, name: string): string[] =>
  listOf(fields[name]).filter((each): each is string => typeof each === 'string');
export function needText(fields: Fields, name: string): string {
  const value = textIn(fields, name);
  if (value === undefined) throw new RequestError(`"${name}" is missing, or is no text.`);
  return value;
}
export function needNumber(fields: Fields, name: string): number {
  const value = numberIn(fields, name);
  if (value === undefined) throw new RequestError(`"${name}" is missing, or is no number.`);
  return value;
}
