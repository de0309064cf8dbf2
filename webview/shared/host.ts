/**
 * The host seam: the only place that talks to whatever embeds the panel. In VS Code that is
 * `acquireVsCodeApi`; in a plain browser, window events; in a test, memory.
 */

export interface Host<Out> {
  post(message: Out): void;
  /** Messages are untrusted: the listener parses them. Answers how to stop listening. */
  listen(listener: (data: unknown) => void): () => void;
  /** What `setState` kept when the panel was last open; untrusted too. */
  getState(): unknown;
  setState(state: unknown): void;
}

interface VsCodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

/** Event names of the plain-browser stand-in: a page that embeds a panel listens to the first, sends the second. */
export const BROWSER_OUT = 'zonescope:toHost';
export const BROWSER_IN = 'zonescope:toPanel';

export function connectHost<Out>(): Host<Out> {
  const acquire: unknown = Reflect.get(globalThis, 'acquireVsCodeApi');
  return typeof acquire === 'function' ? vsCodeHost(acquire() as VsCodeApi) : browserHost();
}

function vsCodeHost<Out>(api: VsCodeApi): Host<Out> {
  return {
    post: (message) => api.postMessage(message),
    listen: (listener) => {
      const onMessage = (event: MessageEvent<unknown>) => listener(event.data);
      window.addEventListener('message', onMessage);
      return () => window.removeEventListener('message', onMessage);
    },
    getState: () => api.getState(),
    setState: (state) => api.setState(state),
  };
}

function browserHost<Out>(): Host<Out> {
  const key = `zonescope:${location.pathname}`;
  return {
    post: (message) => void window.dispatchEvent(new CustomEvent(BROWSER_OUT, { detail: message })),
    listen: (listener) => {
      const onMessage = (event: Event) => listener((event as CustomEvent<unknown>).detail);
      window.addEventListener(BROWSER_IN, onMessage);
      return () => window.removeEventListener(BROWSER_IN, onMessage);
    },
    getState: () => {
      try {
        return JSON.parse(sessionStorage.getItem(key) ?? 'null');
      } catch {
        return null;
      }
    },
    setState: (state) => sessionStorage.setItem(key, JSON.stringify(state)),
  };
}

/** A host in memory: what was posted, and a way to speak to the panel. */
export interface MemoryHost<Out> extends Host<Out> {
  readonly posted: Out[];
  send(data: unknown): void;
}

export function memoryHost<Out>(state: unknown = undefined): MemoryHost<Out> {
  const listeners = new Set<(data: unknown) => void>();
  const posted: Out[] = [];
  let kept = state;
  return {
    posted,
    post: (message) => void posted.push(message),
    listen: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    send: (data) => {
      for (const listener of listeners) listener(data);
    },
    getState: () => kept,
    setState: (next) => {
      kept = next;
    },
  };
}
