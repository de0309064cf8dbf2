/** The strip at the top of both panels: where the timeline stands, and moving along it. */
import '@vscode-elements/elements/dist/vscode-button/index.js';
import '@vscode-elements/elements/dist/vscode-progress-ring/index.js';
import { html, nothing, type TemplateResult } from 'lit';
import type { Position } from '../../sim/view/types.ts';
import type { CommandId } from '../protocol/common.ts';

export interface ToolbarActions {
  run(id: CommandId): void;
}

/** The word and the mark for what the last step changed. */
export function changedMark(what = 'changed by the last step'): TemplateResult {
  return html`<span class="changed-mark" aria-hidden="true" title=${what}>▲</span><span class="sr-only"> (${what})</span>`;
}

function iconButton(
  icon: string,
  label: string,
  run: () => void,
  options: { disabled?: boolean } = {},
): TemplateResult {
  return html`<button
    type="button" class="icon-button" title=${label} aria-label=${label}
    ?disabled=${options.disabled ?? false} @click=${run}
  ><i class="codicon codicon-${icon}" aria-hidden="true"></i></button>`;
}

export function toolbar(
  position: Position | undefined,
  busy: string,
  other: { id: CommandId; icon: string; label: string },
  actions: ToolbarActions,
): TemplateResult {
  const step = position?.step ?? 0;
  const steps = position?.steps ?? 0;
  return html`
    <div class="toolbar" role="toolbar" aria-label="Timeline and machine">
      <span class="group">
        ${iconButton('arrow-left', 'Step back', () => actions.run('stepBack'), { disabled: step <= 0 })}
        ${iconButton('arrow-right', 'Step forward', () => actions.run('stepForward'), { disabled: step >= steps })}
        ${iconButton('debug-restart', 'Reset the machine', () => actions.run('reset'), { disabled: steps === 0 })}
      </span>
      <span class="where">
        <span class="position">${position === undefined ? '' : step === 0 && steps === 0 ? 'Booted' : `Step ${step} of ${steps}`}</span>
        ${
          busy === ''
            ? html`<span class="last mono" title=${position?.lastStep ?? ''}>${position?.lastStep ?? ''}</span>`
            : html`<span class="busy" role="status"><vscode-progress-ring aria-hidden="true"></vscode-progress-ring>${busy}</span>`
        }
      </span>
      <span class="group">
        ${
          position === undefined
            ? nothing
            : html`<button type="button" class="icon-button text" title="Choose another machine"
                aria-label="Machine ${position.machine}: choose another" @click=${() => actions.run('chooseMachine')}
              ><i class="codicon codicon-server" aria-hidden="true"></i>${position.machine}</button>
              <button type="button" class="icon-button text" title="Choose another kernel release"
                aria-label="Linux ${position.release}: choose another release" @click=${() => actions.run('chooseRelease')}
              ><i class="codicon codicon-tag" aria-hidden="true"></i>${position.release}</button>`
        }
        ${iconButton(other.icon, other.label, () => actions.run(other.id))}
      </span>
    </div>
    ${position?.paused === undefined ? nothing : pausedBanner(position.paused, actions)}
  `;
}

function pausedBanner(paused: NonNullable<Position['paused']>, actions: ToolbarActions): TemplateResult {
  return html`
    <div class="banner" role="group" aria-label="Paused program">
      <i class="codicon codicon-debug-pause" aria-hidden="true"></i>
      <span class="what"><strong>Paused</strong> ${paused.why} · ${paused.where}</span>
      <span class="actions">
        <vscode-button ?disabled=${!paused.canContinue} @click=${() => actions.run('continue')}>Continue</vscode-button>
        <vscode-button secondary @click=${() => actions.run('stop')}>Stop</vscode-button>
      </span>
    </div>
  `;
}

/** The whole panel when there is nothing to draw. */
export function noticePage(kind: 'empty' | 'error' | 'busy', text: string): TemplateResult {
  const [icon, title] =
    kind === 'error'
      ? ['error', 'This could not be shown']
      : kind === 'busy'
        ? ['loading codicon-modifier-spin', 'One moment']
        : ['circuit-board', 'No machine to show'];
  return html`
    <div class="notice" role=${kind === 'error' ? 'alert' : 'status'}>
      <i class="codicon codicon-${icon}" aria-hidden="true"></i>
      <h2>${title}</h2>
      <p>${text}</p>
    </div>
  `;
}

/** An error while the last good snapshot stays in sight. */
export function failureBanner(message: string): TemplateResult {
  return html`<div class="banner failure" role="alert">
    <i class="codicon codicon-error" aria-hidden="true"></i><span class="what">${message}</span>
  </div>`;
}
