/** The two panels, and where they open. */
import * as vscode from 'vscode';
import {
  type HostToPagemap,
  MAX_TILES_ASKED,
  type PagemapToHost,
  parsePagemapToHost,
} from '../../webview/protocol/pagemap.ts';
import { type HostToZones, parseZonesToHost, type ZonesToHost } from '../../webview/protocol/zones.ts';
import { PanelHost, type PanelKind, type PanelServices } from './panelHost.ts';

const ZONES: PanelKind<ZonesToHost, HostToZones> = {
  id: 'zones',
  title: 'Zones',
  parse: parseZonesToHost,
  snapshot: (session) => [{ type: 'snapshot', view: session.zones() }],
  answer: () => [],
};

const PAGEMAP: PanelKind<PagemapToHost, HostToPagemap> = {
  id: 'pagemap',
  title: 'Pagemap',
  parse: parsePagemapToHost,
  snapshot(session) {
    const { selected } = session;
    const messages: HostToPagemap[] = [{ type: 'snapshot', view: session.pagemap() }];
    if (selected !== undefined) messages.push({ type: 'page', page: session.page(selected) });
    return messages;
  },
  answer({ level, indices }, session) {
    const tiles = session.tiles(level, indices.slice(0, MAX_TILES_ASKED));
    return [{ type: 'tiles', revision: session.position.revision, level, tiles }];
  },
};

export class Panels implements vscode.Disposable {
  readonly zones: PanelHost<ZonesToHost, HostToZones>;
  readonly pagemap: PanelHost<PagemapToHost, HostToPagemap>;

  constructor(services: PanelServices) {
    this.zones = new PanelHost(ZONES, services);
    this.pagemap = new PanelHost(PAGEMAP, services);
  }

  get isAnyVisible(): boolean {
    return this.zones.isVisible || this.pagemap.isVisible;
  }

  async openZones(preserveFocus = false): Promise<void> {
    await this.open(this.zones, this.pagemap, 'workbench.action.moveEditorToAboveGroup', preserveFocus);
  }

  async openPagemap(preserveFocus = false): Promise<void> {
    await this.open(this.pagemap, this.zones, 'workbench.action.moveEditorToBelowGroup', preserveFocus);
  }

  /** Both beside the text, one above the other, unless the reader has them somewhere already. */
  async openBoth(): Promise<void> {
    if (this.zones.isOpen || this.pagemap.isOpen) {
      if (!this.isAnyVisible)
        for (const panel of [this.zones, this.pagemap]) if (panel.isOpen) panel.show(BESIDE, true);
      return;
    }
    await this.openZones(true);
    await this.openPagemap(true);
  }

  /** Opens a panel beside the text; above or below the other one if that stands there. */
  private async open(
    panel: PanelHost<ZonesToHost, HostToZones> | PanelHost<PagemapToHost, HostToPagemap>,
    other: PanelHost<ZonesToHost, HostToZones> | PanelHost<PagemapToHost, HostToPagemap>,
    move: string,
    preserveFocus: boolean,
  ): Promise<void> {
    if (panel.isOpen || !other.isOpen || !other.isVisible || other.column === undefined) {
      panel.show(panelColumn(), preserveFocus);
      return;
    }
    const editor = vscode.window.activeTextEditor;
    panel.show(other.column, false);
    await vscode.commands.executeCommand(move);
    if (!preserveFocus || editor === undefined) return;
    await vscode.window.showTextDocument(editor.document, {
      preserveFocus: false,
      preview: false,
      selection: editor.selection,
      ...(editor.viewColumn === undefined ? {} : { viewColumn: editor.viewColumn }),
    });
  }

  dispose(): void {
    this.zones.dispose();
    this.pagemap.dispose();
  }
}

const BESIDE = vscode.ViewColumn.Beside;

/** Beside a text; in place where nothing is open. */
function panelColumn(): vscode.ViewColumn {
  return vscode.window.tabGroups.all.some(({ tabs }) => tabs.length > 0) ? BESIDE : vscode.ViewColumn.Active;
}
