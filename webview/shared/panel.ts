/**
 * What both panels are: an element that shows the latest snapshot, in the document's own tree
 * (no shadow root), so that one style sheet, roving focus and screen readers see all of it.
 */
import { html, LitElement, nothing, type TemplateResult } from 'lit';
import type { Position } from '../../sim/view/types.ts';
import { isParseError, type ParseError } from '../protocol/check.ts';
import { type CommandId, type HostToAnyPanel, PROTOCOL_VERSION } from '../protocol/common.ts';
import { announce } from './announce.ts';
import type { Host } from './host.ts';
import { onDidChangeTheme, type ThemeKind, themeKind } from './theme.ts';
import { failureBanner, noticePage, toolbar } from './toolbar.ts';

type AnyOut =
  | { type: 'ready'; version: number }
  | { type: 'command'; id: CommandId; text?: string }
  | { type: 'select'; pfn: number }
  | { type: 'selectRange'; startPfn: number; endPfn: number }
  | { type: 'log'; level: 'info' | 'warn' | 'error'; text: string };

const KEEP_DELAY_MS = 60;

export interface Notice {
  kind: 'empty' | 'error';
  text: string;
}

export abstract class Panel<
  View extends { position: Position },
  In extends { type: string },
  Out extends { type: string },
> extends LitElement {
  static override properties = {
    view: { attribute: false },
    notice: { attribute: false },
    busy: { attribute: false },
    theme: { attribute: false },
  };
  declare view: View | undefined;
  declare notice: Notice | undefined;
  declare busy: string;
  declare theme: ThemeKind;
  /** Undefined only before `attach`. */
  protected host: Host<Out | AnyOut> | undefined;
  private undo: (() => void)[] = [];
  private unsaved: { state: unknown; timer: ReturnType<typeof setTimeout> } | undefined;

  constructor() {
    super();
    this.view = undefined;
    this.notice = undefined;
    this.busy = '';
    this.theme = themeKind();
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  /** Connects the panel to its host and says it is ready. */
  attach(host: Host<Out | AnyOut>, parse: (data: unknown) => In | ParseError): void {
    this.host = host;
    this.restore(host.getState());
    this.undo.push(
      host.listen((data) => {
        const message = parse(data);
        if (isParseError(message)) this.post({ type: 'log', level: 'warn', text: `message ignored: ${message.error}` });
        else this.take(message);
      }),
      onDidChangeTheme((kind) => {
        this.theme = kind;
        this.onTheme();
        this.requestUpdate();
      }),
    );
    const save = () => this.save();
    addEventListener('pagehide', save);
    this.undo.push(() => removeEventListener('pagehide', save));
    this.post({ type: 'ready', version: PROTOCOL_VERSION });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.save();
    for (const dispose of this.undo.splice(0)) dispose();
  }

  /** Remembers interface state for the next opening; a scroll makes many of them, the last one counts. */
  protected keep(state: unknown): void {
    clearTimeout(this.unsaved?.timer);
    this.unsaved = { state, timer: setTimeout(() => this.save(), KEEP_DELAY_MS) };
  }

  private save(): void {
    if (this.unsaved === undefined) return;
    clearTimeout(this.unsaved.timer);
    this.host?.setState(this.unsaved.state);
    this.unsaved = undefined;
  }

  post(message: Out | AnyOut): void {
    this.host?.post(message);
  }

  run(id: CommandId): void {
    this.post({ type: 'command', id });
  }

  copy(text: string): void {
    this.post({ type: 'command', id: 'copyText', text });
    announce('Copied');
  }

  protected abstract take(message: In): void;
  protected abstract restore(state: unknown): void;
  protected onTheme(): void {}

  /** Shows a snapshot unless a later one is shown already. Answers whether it was taken. */
  protected takeSnapshot(view: View): boolean {
    if (this.view !== undefined && view.position.revision < this.view.position.revision) return false;
    const before = this.view?.position;
    this.view = view;
    this.notice = undefined;
    this.busy = '';
    const { step, steps, lastStep, paused } = view.position;
    if (before !== undefined && (before.step !== step || before.lastStep !== lastStep)) {
      announce(`Step ${step} of ${steps}. ${lastStep}${paused === undefined ? '' : `. Paused: ${paused.why}`}`);
    }
    return true;
  }

  /** Messages that both panels understand. */
  protected takeCommon(message: Exclude<HostToAnyPanel, { type: 'reveal' }>): void {
    if (message.type === 'busy') this.busy = message.what;
    else if (message.type === 'error') {
      this.notice = { kind: 'error', text: message.message };
      this.busy = '';
    } else {
      this.view = undefined;
      this.notice = { kind: 'empty', text: message.why };
      this.busy = '';
    }
  }

  protected frame(
    other: { id: CommandId; icon: string; label: string },
    body: (view: View) => TemplateResult,
  ): TemplateResult {
    const bar = toolbar(this.view?.position, this.view === undefined ? '' : this.busy, other, this);
    if (this.view === undefined) {
      const page =
        this.notice !== undefined
          ? noticePage(this.notice.kind, this.notice.text)
          : noticePage('busy', this.busy || 'Waiting for the machine.');
      return html`${bar}<main>${page}</main>`;
    }
    return html`${bar}${this.notice?.kind === 'error' ? failureBanner(this.notice.text) : nothing}${body(this.view)}`;
  }
}
