/** Starts the debugger on an example or a scene of a document. */
import * as vscode from 'vscode';
import type { TestLeaf } from './types.ts';

export async function debugTest({ item, subject, document }: TestLeaf): Promise<void> {
  if (subject.kind === 'claim') return;
  const { uri } = document.text;
  const scene = subject.kind === 'example' ? subject.example.scene.id : subject.scene.id;
  await vscode.debug.startDebugging(undefined, {
    type: 'zonescope',
    request: 'launch',
    name: item.label,
    program: uri.toString(),
    scene,
    ...(subject.kind === 'example' ? { variant: subject.variant.id } : {}),
  });
}
