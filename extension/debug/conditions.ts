/** When a breakpoint counts: its condition, how often it was passed, and what a logpoint says instead of stopping. */
import { evaluateInFrame, type Machine, type Program } from '../../sim/index.ts';

export interface When {
  readonly condition?: string;
  readonly hitCondition?: string;
  readonly logMessage?: string;
}

export type Outcome =
  | { readonly kind: 'pass' }
  | { readonly kind: 'stop'; readonly note?: string }
  | { readonly kind: 'log'; readonly text: string };

const PASS: Outcome = { kind: 'pass' };
const MAX_TEXT = 2000;

export class Counted {
  readonly when: When;
  hits = 0;

  constructor(when: When) {
    this.when = when;
  }

  /** Whether its condition holds where the program stands; a text says why it cannot be evaluated. */
  holds(machine: Machine, program: Program): boolean | string {
    const { condition } = this.when;
    if (condition === undefined || condition.trim() === '') return true;
    const result = evaluateInFrame(machine, program, program.frames.length - 1, condition);
    if (!result.ok) return `The condition "${condition}" cannot be evaluated: ${result.message}`;
    const { value } = result;
    if (value.kind === 'integer') return value.value !== 0n;
    return value.kind === 'pointer' && (value.target.kind !== 'address' || value.target.address !== 0n);
  }

  /** What a breakpoint does where the program stands now. A condition that cannot be evaluated stops, and says why. */
  reached(machine: Machine, program: Program): Outcome {
    const { hitCondition, logMessage } = this.when;
    const holds = this.holds(machine, program);
    if (typeof holds === 'string') return { kind: 'stop', note: holds };
    if (!holds) return PASS;
    this.hits++;
    const wanted = hitCondition === undefined ? undefined : hitTest(hitCondition);
    if (wanted && !wanted(this.hits)) return PASS;
    if (logMessage === undefined) return { kind: 'stop' };
    return { kind: 'log', text: filled(logMessage, machine, program, program.frames.length - 1) };
  }
}

const HIT = /^\s*(>=|<=|==|=|>|<|%)?\s*(\d{1,9})\s*$/;

/** `5`, `>= 5`, `% 3`: undefined if it is none of these. */
export function hitTest(text: string): ((hits: number) => boolean) | undefined {
  const match = HIT.exec(text);
  if (!match) return undefined;
  const count = Number(match[2]);
  switch (match[1]) {
    case '>=':
      return (hits) => hits >= count;
    case '<=':
      return (hits) => hits <= count;
    case '>':
      return (hits) => hits > count;
    case '<':
      return (hits) => hits < count;
    case '%':
      return (hits) => count > 0 && hits % count === 0;
    default:
      return (hits) => hits === count;
  }
}

/** A log message with what stands in `{}` evaluated. */
function filled(message: string, machine: Machine, program: Program, frame: number): string {
  const text = message.slice(0, MAX_TEXT).replace(/\{([^{}]*)\}/g, (_, expression: string) => {
    const result = evaluateInFrame(machine, program, frame, expression);
    return result.ok ? result.text : `{${expression}: ${result.message}}`;
  });
  return text.replace(/\\([{}])/g, '$1');
}

export const counted = (when: When): Counted => new Counted(when);
