import { createHash } from 'node:crypto';
/** A short name for a state, so that two that differ do not print a thousand lines. */
export const short = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
