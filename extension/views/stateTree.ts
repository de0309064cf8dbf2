/** The State tree: nodes, zones, devices, resources of the machine as it is now. */
import * as vscode from 'vscode';
import type { TreeNode } from '../../sim/index.ts';
import { commandOf } from '../language/lensCommands.ts';
import type { ReaderSession } from '../readerSession.ts';
import type { Reporter } from '../report.ts';

const CHANGED = '▲';
const DELAY_MS = 100;

export class StateTree implements vscode.TreeDataProvider<TreeNode>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly subscription: vscode.Disposable;
  private readonly reader: ReaderSession;
  private readonly report: Reporter;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(reader: ReaderSession, report: Reporter) {
    this.reader = reader;
    this.report = report;
    this.subscription = reader.onDidChange(() => {
      this.timer ??= setTimeout(() => {
        this.timer = undefined;
        this.changed.fire(undefined);
      }, DELAY_MS);
    });
  }

  getChildren(node?: TreeNode): TreeNode[] {
    return node?.children ?? this.report.quietly('read the state of the machine', () => this.reader.get().tree()) ?? [];
  }

  getTreeItem(node: TreeNode): vscode.TreeItem {
    const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
    const hasChildren = node.children.length > 0;
    const item = new vscode.TreeItem(node.label, hasChildren ? (isFirstLevel(node) ? Expanded : Collapsed) : None);
    // VS Code remembers by it what is open.
    item.id = node.id;
    item.description = node.changed ? `${node.description} ${CHANGED}` : node.description;
    const change = node.changed ? 'changed by the last step' : '';
    item.tooltip = [node.tooltip || node.description, change].filter(Boolean).join('\n');
    item.iconPath = new vscode.ThemeIcon(
      node.icon,
      node.changed ? new vscode.ThemeColor('notificationsWarningIcon.foreground') : undefined,
    );
    item.accessibilityInformation = { label: [node.label, node.description, change].filter(Boolean).join(', ') };
    item.contextValue = node.reveal === undefined ? 'plain' : 'revealable';
    if (node.reveal !== undefined) {
      const { startPfn, endPfn } = node.reveal;
      item.command = commandOf('zonescope.reveal', 'Reveal in the Panels', [startPfn, endPfn]);
    }
    return item;
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.subscription.dispose();
    this.changed.dispose();
  }
}

const isFirstLevel = (node: TreeNode): boolean => node.id.startsWith('node:') && !node.id.slice(5).includes(':');
