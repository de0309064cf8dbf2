/** The tests of the extension host's suite: each file beside this one adds its own when it is loaded. */

interface Test {
  name: string;
  body: () => Promise<void> | void;
}

export interface Outcome {
  name: string;
  ms: number;
  error?: string;
}

const TEST_TIMEOUT_MS = 60_000;
const tests: Test[] = [];

/** Adds a test. It fails when its body throws, or is not done within a minute. */
export function test(name: string, body: Test['body']): void {
  tests.push({ name, body });
}

async function runOne({ name, body }: Test): Promise<Outcome> {
  const began = performance.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${TEST_TIMEOUT_MS / 1000} s`)), TEST_TIMEOUT_MS);
  });
  const done = (): { name: string; ms: number } => ({ name, ms: Math.round(performance.now() - began) });
  try {
    await Promise.race([Promise.resolve().then(body), timeout]);
    return done();
  } catch (error) {
    return { ...done(), error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

/** Runs all tests one after another, in the order they were added. */
export async function runAll(): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const each of tests) outcomes.push(await runOne(each));
  return outcomes;
}
