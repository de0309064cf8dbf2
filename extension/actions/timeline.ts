/** Moving along the timeline, and looking at one page. */
import * as vscode from 'vscode';
import { ReaderError } from '../report.ts';
import type { Handlers, Services } from '../services.ts';
import { timelineEntries } from '../views/timelineTree.ts';

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

interface Frames {
  pageSize: number;
  extents: readonly { startPfn: number; endPfn: number; label: string }[];
}

/** `0x` makes it a physical address, anything else a page frame number. */
export function parsePage(text: string, { pageSize, extents }: Frames): { pfn: number } | { problem: string } {
  const plain = text.trim().replaceAll('_', '');
  const address = /^0x[0-9a-f]{1,13}$/i.test(plain);
  const pfn = /^pfn\s*0x([0-9a-f]{1,12})$/i.exec(plain)?.[1];
  const number =
    pfn !== undefined ? Number.parseInt(pfn, 16) : address || /^\d{1,14}$/.test(plain) ? Number(plain) : -1;
  if (number < 0) return { problem: 'A page frame number (1310720, pfn 0x140000) or a physical address (0x140000000)' };
  const page = address ? Math.floor(number / pageSize) : number;
  const end = extents.at(-1)?.endPfn ?? 0;
  if (page < end) return { pfn: page };
  return { problem: `Page frame ${page} is beyond the machine's last one, ${end - 1} (0x${(end - 1).toString(16)})` };
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
