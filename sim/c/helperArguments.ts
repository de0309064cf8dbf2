/** The arguments of helpers. */
import type { SourceSpan } from '../task/task.ts';
import type { Evaluating } from './builtins.ts';
import { type CPointer, type CValue, NULL } from './value.ts';

export function pointer(e: Evaluating, args: readonly CValue[], index: number, span: SourceSpan): CPointer {
  const value = args[index];
  if (value?.kind === 'pointer') return value;
  if (value?.kind === 'integer' && value.value === 0n) return NULL;
  throw e.stopped('type', `Argument ${index + 1} is not a pointer.`, span);
}
export function numberAt(e: Evaluating, args: readonly CValue[], index: number, span: SourceSpan): bigint {
  const value = args[index];
  if (value?.kind !== 'integer') throw e.stopped('type', `Argument ${index + 1} is not a number.`, span);
  return value.value;
}
