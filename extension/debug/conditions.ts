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

  /** What a breakpoint does where the program stands now. A condition that cannot be evaluated stops, and says why. */
  reached(machine: Machine, program: Program): Outcome {
    const { condition, hitCondition, logMessage } = this.when;
    const frame = program.frames.length - 1;
    if (condition !== undefined && condition.trim() !== '') {
      const result = evaluateInFrame(machine, program, frame, condition);
      if (!result.ok)
        return { kind: 'stop', note: `The condition "${condition}" cannot be evaluated: ${result.message}` };
      const { value } = result;
      const holds =
        value.kind === 'integer'
          ? value.value !== 0n
          : value.kind === 'pointer'
            ? value.target.kind !== 'address' || value.target.address !== 0n
            : false;
      if (!holds) return PASS;
    }
    this.hits++;
    const wanted = hitCondition === undefined ? undefined : hitTest(hitCondition);
    if (wanted && !wanted(this.hits)) return PASS;
    if (logMessage === undefined) return { kind: 'stop' };
    return { kind: 'log', text: filled(logMessage, machine, program, frame) };
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
