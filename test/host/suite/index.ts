/** The door by which VS Code runs the suite (`extensionTestsPath`). */

import { writeFileSync } from 'node:fs';
import { runAll } from './registry.ts';

/**
 * Runs every test and writes the outcomes to the file that ZONESCOPE_RESULT names; who started the run reads both
 * this file and the exit code.
 *
 * @throws when a test failed, which makes VS Code exit with a code other than 0
 */
export async function run(): Promise<void> {
  const tests = await runAll();
  const failed = tests.filter(({ error }) => error !== undefined).length;
  const result = { passed: tests.length - failed, failed, skipped: 0, tests };
  const file = process.env.ZONESCOPE_RESULT;
  if (!file) throw new Error('ZONESCOPE_RESULT names no file for the result');
  writeFileSync(file, JSON.stringify(result, null, 2));
  if (failed > 0) throw new Error(`${failed} of ${tests.length} tests failed`);
}
