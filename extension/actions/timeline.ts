/** Moving along the timeline, and looking at one page. */
import * as vscode from 'vscode';
import type { PagemapSnapshot } from '../../sim/index.ts';
import { parsePlace } from '../../webview/protocol/place.ts';
import { ReaderError } from '../report.ts';
import type { Handlers, Services } from '../services.ts';
import { timelineEntries } from '../views/timelineEntries.ts';

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
  const items = entries.map(({ step, label, current, undone, isGap }) => ({
    step,
    label: `${isGap ? '$(ellipsis)' : current ? '$(arrow-right)' : undone ? '$(circle-outline)' : '$(circle-filled)'} ${label}`,
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

async function askPage({ pageSize, extents }: PagemapSnapshot): Promise<number | undefined> {
  const has = (pfn: number): boolean => extents.some(({ startPfn, endPfn }) => startPfn <= pfn && pfn < endPfn);
  const text = await vscode.window.showInputBox({
    title: 'Show Page',
    prompt: 'A page frame number, or a physical address',
    placeHolder: 'for example 0x140000, 0x140000000, or 5G',
    validateInput(value) {
      if (value.trim() === '' || parsePlace(value, pageSize, has) !== undefined) return undefined;
      const last = (extents.at(-1)?.endPfn ?? 1) - 1;
      return `${value.trim()} is no page frame and no address of this machine, whose last page frame is 0x${last.toString(16)}`;
    },
  });
  return text === undefined ? undefined : parsePlace(text, pageSize, has);
}
