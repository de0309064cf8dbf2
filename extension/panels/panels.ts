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

type AnyPanel = PanelHost<ZonesToHost, HostToZones> | PanelHost<PagemapToHost, HostToPagemap>;

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

  openZones(preserveFocus = false): Promise<void> {
    return this.open(this.zones, this.pagemap, preserveFocus);
  }

  openPagemap(preserveFocus = false): Promise<void> {
    return this.open(this.pagemap, this.zones, preserveFocus);
  }

  /** Both beside the text, one above the other, unless the reader has them somewhere already. */
  async openBoth(): Promise<void> {
    if (this.isAnyVisible) return;
    const open = [this.zones, this.pagemap].filter((panel) => panel.isOpen);
    for (const panel of open) panel.show(BESIDE, true);
    if (open.length > 0) return;
    await this.openZones(true);
    await this.openPagemap(true);
  }

  /** Opens a panel beside the text, below the other one if that stands there alone. */
  private async open(panel: AnyPanel, other: AnyPanel, preserveFocus: boolean): Promise<void> {
    const column = panel.isOpen || !other.isVisible ? undefined : await columnBelow(await other.column());
    panel.show(column ?? panelColumn(), preserveFocus);
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

interface EditorLayout {
  orientation: number;
  groups: { size?: number; groups?: unknown[] }[];
}

/** Splits the right one of two columns, without taking the focus; where that cannot be done, the column itself. */
async function columnBelow(column: vscode.ViewColumn | undefined): Promise<vscode.ViewColumn | undefined> {
  if (column !== vscode.ViewColumn.Two) return column;
  const layout = await vscode.commands.executeCommand<EditorLayout>('vscode.getEditorLayout');
  const [left, right] = layout.groups;
  const isPlain = layout.orientation === 0 && layout.groups.length === 2 && !left?.groups && !right?.groups;
  if (!isPlain || left === undefined || right === undefined) return column;
  const groups = [left, { ...right, groups: [{ size: 0.5 }, { size: 0.5 }] }];
  await vscode.commands.executeCommand('vscode.setEditorLayout', { orientation: 0, groups });
  return vscode.ViewColumn.Three;
}
