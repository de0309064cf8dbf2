/** The example that is running or was run last: where it stands in its document, and what it has done. */
import { type Block, ERRNO, type Machine, type Program, type Step } from '../../sim/index.ts';
import type { SceneVariant } from '../docs/scenes.ts';
import { type ExampleText, exampleText } from './example.ts';
import { fromPlaces, type SavedExample } from './programs.ts';
import type { ExampleRequest, ExampleState, RunControl } from './types.ts';

export interface Running {
  program: number;
  state: ExampleState;
  text: ExampleText | undefined;
  request: ExampleRequest | undefined;
  /** From the block to the document; absent where no text of a document runs. */
  toDocument: ((offset: number) => number) | undefined;
  shown: Set<number>;
  findings: readonly Pick<Block['findings'][number], 'message' | 'severity' | 'span'>[];
  /** Who drives it, if it is debugged. */
  control?: RunControl;
  pauseRequested?: boolean;
}

/** One step of an example, for the command line. */
export interface ExampleStep {
  line: string;
  status: number;
  output: string;
}

export function stepsOf(running: Running, machine: Machine): ExampleStep[] {
  const isIdle = ({ from, to, trace, output }: Step): boolean =>
    from === to && trace.length === 0 && output.length === 0 && running.state.status !== 'failed';
  const own = machine.steps.filter((step) => step.program === running.program && !isIdle(step));
  return own.map((step, index) => {
    if (index === own.length - 1 && running.state.status === 'failed')
      return { line: step.label, status: -14, output: running.state.why };
    const failed = step.trace.find((call) => call.result.startsWith('ERR_PTR(-'));
    return {
      line: step.label,
      status: failed ? -(errnoOf(failed.result.slice(9, -1)) ?? 1) : 0,
      output: [
        ...step.printk.map((entry) => (entry.warn ? `WARNING: ${entry.text}` : entry.text)),
        ...step.trace.map((call) => `${call.name}(${call.args.join(', ')})${call.result ? ` = ${call.result}` : ''}`),
        ...step.output,
      ].join('\n'),
    };
  });
}

/** The statement it stands at or failed in, in the document. */
export function spanOf(running: Running, program: Program): { start: number; end: number } | undefined {
  const { toDocument, text } = running;
  const span = program.base?.span;
  if (!toDocument || !text || !span || program.status === 'done') return undefined;
  return { start: toDocument(text.toBlock(span.start)), end: toDocument(text.toBlock(span.end)) };
}

/** An example of a session that was kept, standing where it stood; one that was running then has stopped. */
export function runningAgain({ program, state, shown, request }: SavedExample, findings: Running['findings']): Running {
  const { places, ...rest } = request ?? { places: [] };
  const whole = request && { ...(rest as Omit<ExampleRequest, 'toDocument'>), toDocument: fromPlaces(places) };
  return {
    program,
    state: state.status === 'running' ? { ...state, status: 'stopped', why: 'the window was closed' } : state,
    text: whole && exampleText(whole.text, variantOfScene(whole)),
    request: whole,
    toDocument: whole?.toDocument,
    shown: new Set(shown),
    findings,
  };
}

export const variantOfScene = ({ scene, variant }: Pick<ExampleRequest, 'scene' | 'variant'>): SceneVariant =>
  scene.variants.find((each) => each.id === variant) ?? scene.variants[0] ?? { id: '', title: '' };

/** `EINVAL` or `22` as a number. */
const errnoOf = (text: string): number | undefined => (/^\d+$/.test(text) ? Number(text) : ERRNO.get(text));

/** The error, and what the kernel had said before it. */
export function whyItFailed(program: Program, machine: Machine, logged: number): string {
  const warnings = machine.kernel.state.log.slice(logged).filter((line) => line.warn || line.level <= 4);
  const failed = machine.steps
    .filter((step) => step.program === program.id)
    .flatMap((step) => step.trace)
    .filter((call) => call.result.startsWith('ERR_PTR('));
  const before = [
    ...warnings.map((line) => `the kernel warned “${line.text}”`),
    ...failed.map((call) => `${call.name}() returned ${call.result.slice(8, -1)}`),
  ];
  const error = program.error?.message ?? 'failed';
  // A call that was stopped at when it returned is told of by the step before and the step after.
  return before.length > 0 ? `${[...new Set(before)].join('; ')}. ${error}` : error;
}
