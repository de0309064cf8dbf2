/** A C file under the debugger. */
import type { Session } from '../../extension/session/types.ts';
import { Client } from './debugClient.ts';
import { newSession } from './sessions.ts';

/** The file, and the function of it that a launch names. */
export function openFile(text: string, session: Session = newSession().session): Client {
  return new Client({
    session,
    texts: { 'file:///driver.c': text },
    resolve: ({ function: entry, args }) => ({
      kind: 'file',
      request: {
        uri: 'file:///driver.c',
        file: { label: entry ?? 'driver.c', text, args, ...(entry === undefined ? {} : { entry }) },
      },
    }),
  });
}
