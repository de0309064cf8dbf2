/** What the Zones panel remembers of its own between openings: interface state, never content. */
import { PROTOCOL_VERSION } from '../protocol/common.ts';

export const BLOCKS = ['nodes', 'sections', 'devices', 'resources', 'log'] as const;
export type Block = (typeof BLOCKS)[number];

export interface ZonesState {
  version: number;
  collapsed: Block[];
  /** First sections of the runs whose sub-sections are shown. */
  open: number[];
  /** The item that has, or last had, the focus. */
  focus: string;
  scroll: number;
}

export function readZonesState(kept: unknown): ZonesState {
  const state: ZonesState = { version: PROTOCOL_VERSION, collapsed: [], open: [], focus: '', scroll: 0 };
  if (typeof kept !== 'object' || kept === null) return state;
  const { version, collapsed, open, focus, scroll } = kept as Record<string, unknown>;
  if (version !== PROTOCOL_VERSION) return state;
  if (Array.isArray(collapsed)) state.collapsed = BLOCKS.filter((block) => collapsed.includes(block));
  if (Array.isArray(open)) state.open = open.filter((n): n is number => Number.isSafeInteger(n)).slice(0, 64);
  if (typeof focus === 'string') state.focus = focus.slice(0, 200);
  if (typeof scroll === 'number' && Number.isFinite(scroll)) state.scroll = scroll;
  return state;
}
