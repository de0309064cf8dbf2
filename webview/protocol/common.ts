/**
 * What both panels and the host say to each other. Snapshots, not deltas: every
 * `snapshot` is whole, carries a rising revision, and the latest wins.
 */
import type { Position } from '../../sim/view/types.ts';
import { both, type Check, flag, oneOf, optional, range, shape, text, whole } from './check.ts';

/** Rises when a message or the persisted panel state changes its shape. */
export const PROTOCOL_VERSION = 1;

/** Every command a panel may ask for; nothing else a webview says runs anything. */
export const COMMANDS = [
  'stepBack',
  'stepForward',
  'reset',
  'chooseMachine',
  'chooseRelease',
  'continue',
  'stop',
  'openPagemap',
  'openZones',
  'copyText',
] as const;
export type CommandId = (typeof COMMANDS)[number];

/** Show and mark these page frames: somebody selected them elsewhere. */
export interface Reveal {
  type: 'reveal';
  startPfn: number;
  endPfn: number;
}
/** There is nothing to draw, and why. */
export interface Empty {
  type: 'empty';
  why: string;
}
/** Something failed: what was wrong, where, and what to do. */
export interface Failure {
  type: 'error';
  message: string;
}
/** The engine works; the last snapshot stays visible. An empty `what` ends it, as does the next snapshot. */
export interface Busy {
  type: 'busy';
  what: string;
}
export type HostToAnyPanel = Reveal | Empty | Failure | Busy;

/** The panel listens now. The host answers with a snapshot, `empty` or `error`. */
export interface Ready {
  type: 'ready';
  version: number;
}
export interface Select {
  type: 'select';
  pfn: number;
}
export interface SelectRange {
  type: 'selectRange';
  startPfn: number;
  endPfn: number;
}
export interface Command {
  type: 'command';
  id: CommandId;
  /** Only for `copyText`: what goes to the clipboard. */
  text?: string;
}
export interface Log {
  type: 'log';
  level: 'info' | 'warn' | 'error';
  text: string;
}
export type AnyPanelToHost = Ready | Select | SelectRange | Command | Log;

export const isPosition: Check<Position> = shape<Position>({
  revision: whole(),
  step: whole(),
  steps: whole(),
  machine: text,
  release: text,
  lastStep: text,
  paused: optional(shape<NonNullable<Position['paused']>>({ why: text, where: text, canContinue: flag })),
});

const isRangeMessage = (type: 'reveal' | 'selectRange'): Check<unknown> =>
  both(shape<{ type: string }>({ type: oneOf([type]) }), (value, at) => range(value, at));

export const hostChecks = {
  reveal: isRangeMessage('reveal') as Check<Reveal>,
  empty: shape<Empty>({ type: oneOf(['empty']), why: text }),
  error: shape<Failure>({ type: oneOf(['error']), message: text }),
  busy: shape<Busy>({ type: oneOf(['busy']), what: text }),
};

export const panelChecks = {
  ready: shape<Ready>({ type: oneOf(['ready']), version: whole() }),
  select: shape<Select>({ type: oneOf(['select']), pfn: whole(0, 2 ** 44) }),
  selectRange: isRangeMessage('selectRange') as Check<SelectRange>,
  command: both(shape<Command>({ type: oneOf(['command']), id: oneOf(COMMANDS), text: optional(text) }), (value, at) =>
    (value.id === 'copyText') === (value.text !== undefined)
      ? undefined
      : `${at}.text: goes with copyText and with nothing else`,
  ),
  log: shape<Log>({ type: oneOf(['log']), level: oneOf(['info', 'warn', 'error']), text }),
};
