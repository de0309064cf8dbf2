/** What a step shows of the kernel's calls, and the points at which a task passes them. */
import type { Frame, KernelGenerator, Point } from '../task/task.ts';

/** One call made by the kernel while a step ran. */
export interface TraceNode {
  name: string;
  args: readonly string[];
  result: string;
  calls: TraceNode[];
  /** Calls beyond the first MAX_CALLS, which are only counted. */
  more?: number;
}

/** A call that has not returned. */
export interface OpenCall {
  node: TraceNode;
  readonly frame: Frame;
  /** Calls it made, in the statement of C text that runs. */
  made: number;
}

/** Arguments as printed for people; a function where they are made often and rarely looked at. */
export type CallArgs = readonly string[] | (() => readonly string[]);
/** What a call does; a function where it may be over without a generator, which begins when the call does. */
export type CallBody<T> = KernelGenerator<T> | (() => KernelGenerator<T>);
export const printed = (args: CallArgs): readonly string[] => (typeof args === 'function' ? args() : args);

/** The calls one task makes, step by step. */
export class Trace {
  roots: TraceNode[] = [];
  readonly open: OpenCall[] = [];
  /** Calls of the statement of C text that runs, or of the line. */
  made = 0;
  /** Told of each call as it begins and ends, but for those that are only counted; and of all that C text calls. */
  watcher: { called(name: string): void; entered(call: TraceNode): void; left(call: TraceNode): void } | undefined;
  /** Does whoever runs the task let it go on at this point? Then it has counted it, and it need not be yielded. */
  passes: ((point: Point) => boolean) | undefined;

  /** A statement of C text begins: it may make as many calls as any. */
  statement(): void {
    this.made = 0;
    const last = this.open.at(-1);
    if (last) last.made = 0;
  }

  /** Ends a step: its calls so far. Calls still open go on in the next step as calls of the same name. */
  cut(): TraceNode[] {
    const { roots } = this;
    this.roots = [];
    let into = this.roots;
    for (const call of this.open) {
      call.node = { ...call.node, calls: [] };
      into.push(call.node);
      into = call.node.calls;
    }
    return roots;
  }
}

export const beginOf = ({ frame }: OpenCall): Point => ({ kind: 'call', frame });
export const endOf = ({ frame, node }: OpenCall): Point => ({ kind: 'return', frame, value: node.result });

/** The rest of a quiet call that came to its first point: a frame after all. Those around it learn it the same way. */
export function* stopped<T>(
  name: string,
  args: CallArgs,
  body: KernelGenerator<T>,
  point: Point,
  print: (value: T) => string,
): KernelGenerator<T> {
  const frame = { name, kind: 'kernel', args: printed(args) } as const;
  let isOver = false;
  try {
    yield { kind: 'call', frame };
    yield point;
    const value = yield* body;
    isOver = true;
    yield { kind: 'return', frame, value: print(value) };
    return value;
  } finally {
    if (!isOver) body.return(undefined as T);
  }
}
