/**
 * Tasks: how kernel functions sleep, call back into C, and are paused.
 *
 * A kernel function that may do any of these is a generator. It yields a `Point`
 * whenever someone might want to stop there; a `wait` point is left only when what
 * it waits for is true. A C callback is a frame of the same task, so it can be
 * stepped, interrupted and undone like any other.
 */

/** A place in the text that is being executed, in UTF-16 offsets. */
export interface SourceSpan {
  start: number;
  end: number;
}

/** One level of a task's stack: a kernel function, or a function or block of C text. */
export interface Frame {
  readonly name: string;
  readonly kind: 'kernel' | 'c' | 'command';
  /** The arguments as printed for people. */
  readonly args: readonly string[];
  /** Where a C frame is now. */
  span?: SourceSpan;
  /** The local variables of a C frame. */
  readonly locals?: import('../c/value.ts').CStruct;
}

/** What a task waits for, and who can make it true. */
export interface WaitObject {
  /** What, for people: `pagemap references of "GPU memory" to drop to zero`. */
  readonly what: string;
  readonly ready: () => boolean;
  /** Who holds it now, for people. */
  readonly holders: () => readonly string[];
  /** The tasks among the holders: a cycle through them is a deadlock. */
  readonly holderTasks?: () => readonly number[];
  /** The jiffies at which it gives up. */
  readonly until?: number;
}

export type Point =
  | { kind: 'statement'; span: SourceSpan; frame: Frame }
  | { kind: 'call'; frame: Frame }
  | { kind: 'return'; frame: Frame; value: string }
  | { kind: 'pause'; why: string; span?: SourceSpan }
  | { kind: 'wait'; on: WaitObject };

export type KernelGenerator<T> = Generator<Point, T, undefined>;

/** A kernel function that is over already: what `next` of a generator gives at its end. */
class Finished<T> implements KernelGenerator<T> {
  readonly done = true;
  readonly value: T;

  constructor(value: T) {
    this.value = value;
  }

  next(): IteratorReturnResult<T> {
    return this;
  }

  return(value: T): IteratorResult<Point, T> {
    return { done: true, value };
  }

  throw(error: unknown): never {
    throw error;
  }

  [Symbol.iterator](): KernelGenerator<T> {
    return this;
  }

  [Symbol.dispose](): void {}

  readonly [Symbol.toStringTag] = 'Finished';
}

/** For a function that may sleep and need not: its result, without a generator. */
export const finished = <T>(value: T): KernelGenerator<T> =>
  value === 0 ? (ZERO as KernelGenerator<T>) : new Finished(value);
const ZERO: KernelGenerator<unknown> = new Finished(0);

/** The same where there is no result. */
export const DONE: KernelGenerator<void> = finished(undefined);

/** Is it over, with nothing left to do? Then its value can be read. */
export const isFinished = <T>(call: KernelGenerator<T>): call is Finished<T> => call instanceof Finished;

/**
 * Goes on with what a call gives: at once where it did not have to sleep, and then without a generator. `then` gets
 * what it works on as arguments, so that nothing is made for it where that is done for every page.
 */
export const after = <T, U, K, S>(
  call: KernelGenerator<T>,
  then: (kernel: K, subject: S, value: T) => KernelGenerator<U>,
  kernel: K,
  subject: S,
): KernelGenerator<U> => (isFinished(call) ? then(kernel, subject, call.value) : goOn(call, then, kernel, subject));

function* goOn<T, U, K, S>(
  call: KernelGenerator<T>,
  then: (kernel: K, subject: S, value: T) => KernelGenerator<U>,
  kernel: K,
  subject: S,
): KernelGenerator<U> {
  return yield* then(kernel, subject, yield* call);
}

/** What a call gives instead of its own result, when it is over. */
export const giving = <T>(call: KernelGenerator<unknown>, value: T): KernelGenerator<T> =>
  isFinished(call) ? finished(value) : finallyGiving(call, value);

function* finallyGiving<T>(call: KernelGenerator<unknown>, value: T): KernelGenerator<T> {
  yield* call;
  return value;
}
