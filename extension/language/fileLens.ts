/** Lenses over the functions of a C file that speaks of what the simulator knows. Any other C file is left alone. */
import * as vscode from 'vscode';
import { functionsOf } from '../../sim/index.ts';
import type { Reporter } from '../report.ts';
import type { LensTargets } from './lensTargets.ts';

export const C_FILES: vscode.DocumentSelector = [{ language: 'c' }];

/** Names of the kernel's memory mirroring and device memory. A look at the text: the engine is not needed for it. */
const MENTIONS =
  /\b(hmm_(range|mirror|devmem|vma|pfn)\w*|migrate_vma\w*|mmu_(interval_)?notifier\w*|dev_pagemap\w*|devm?_?memremap_pages|memunmap_pages|make_device_exclusive\w*|MEMORY_DEVICE_\w+)\b/;

/** A file beyond this is somebody's database. */
const LONGEST = 1 << 20;

export class FileLenses implements vscode.CodeLensProvider {
  private readonly targets: LensTargets;
  private readonly report: Reporter;

  constructor(targets: LensTargets, report: Reporter) {
    this.targets = targets;
    this.report = report;
  }

  provideCodeLenses(document: vscode.TextDocument): vscode.CodeLens[] {
    const settings = vscode.workspace.getConfiguration('zonescope', document);
    if (!settings.get('codeLens', true) || !settings.get('runCFiles', true)) return [];
    const text = document.getText();
    if (text.length > LONGEST || !MENTIONS.test(text)) return [];
    const functions = this.report.quietly('find the functions of a C file', () => functionsOf(text)) ?? [];
    const uri = document.uri.toString();
    return functions.flatMap(({ name, head }) => {
      const at = document.positionAt(head.start);
      const range = new vscode.Range(at, at);
      return [
        new vscode.CodeLens(
          range,
          this.targets.commandOf('zonescope.runFile', '$(play) Run in simulator', [uri, name]),
        ),
        new vscode.CodeLens(range, this.targets.commandOf('zonescope.debugFile', '$(debug-alt) Debug', [uri, name])),
      ];
    });
  }
}
