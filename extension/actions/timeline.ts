/** Moving along the timeline, and looking at one page. */
import * as vscode from 'vscode';
import { ReaderError } from '../report.ts';
import type { Handlers, Services } from '../services.ts';
import { timelineEntries } from '../views/timelineTree.ts';
import { type Frames, parsePage } from './pageNumber.ts';

export function timelineActions({ reader, panels }: Services) {
  return {
    'zonescope.stepBack': () => reader.get().stepBack(),
    'zonescope.stepForward': () => reader.get().stepForward(),
    'zonescope.goToStep': async (step?: number) => {
      const session = reader.get();
      const chosen = typeof step === 'number' ? step : await askStep(timelineEntries(session));
      if (chosen === undefined) return;
      if (chosen < 0 || chosen > session.position.steps) {
        throw new ReaderError(`There is no step ${chosen}: the timeline has ${session.position.steps}.`);
      }
      session.travel(chosen);
    },
    'zonescope.resetMachine': () => reader.get().reset(),
    'zonescope.showPage': async (pfn?: number) => {
      const chosen = typeof pfn === 'number' ? pfn : await askPage(reader.get().pagemap());
      if (chosen === undefined) return;
      await panels.openPagemap(true);
      reader.get().select(chosen);
      reader.get().reveal({ startPfn: chosen, endPfn: chosen + 1 });
    },
    'zonescope.reveal': async (startPfn: number, endPfn: number) => {
      if (!Number.isSafeInteger(startPfn) || !Number.isSafeInteger(endPfn) || endPfn <= startPfn) return;
      if (!panels.isAnyVisible) await panels.openBoth();
      reader.get().reveal({ startPfn, endPfn });
    },
  } satisfies Partial<Handlers>;
}

async function askStep(entries: ReturnType<typeof timelineEntries>): Promise<number | undefined> {
  if (entries.length === 1) {
    void vscode.window.showInformationMessage('Nothing was run yet: run an example, or a line in the shell.');
    return undefined;
  }
  const items = entries.map(({ step, label, current, undone }) => ({
    step,
    label: `${current ? '$(arrow-right)' : undone ? '$(circle-outline)' : '$(circle-filled)'} ${label}`,
    description: [step === 0 ? '' : `step ${step}`, current ? 'now' : undone ? 'undone' : '']
      .filter(Boolean)
      .join(' · '),
  }));
  const chosen = await vscode.window.showQuickPick(items.reverse(), {
    title: 'Go to Step',
    placeHolder: 'The machine goes back, or forward, to the state after this step',
    matchOnDescription: true,
  });
  return chosen?.step;
}

async function askPage(frames: Frames): Promise<number | undefined> {
  const text = await vscode.window.showInputBox({
    title: 'Show Page',
    prompt: 'A page frame number, or a physical address that begins with 0x',
    placeHolder: 'for example 1310720, pfn 0x140000, or 0x140000000',
    validateInput(value) {
      if (value.trim() === '') return undefined;
      const result = parsePage(value, frames);
      return 'problem' in result ? result.problem : undefined;
    },
  });
  if (text === undefined || text.trim() === '') return undefined;
  const result = parsePage(text, frames);
  return 'pfn' in result ? result.pfn : undefined;
}
