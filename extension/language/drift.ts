/** Where an offset has moved to since a text was edited. Free of vscode. */

export interface Edit {
  readonly rangeOffset: number;
  readonly rangeLength: number;
  readonly text: string;
}

export class Drift {
  private readonly edits: { at: number; removed: number; added: number }[] = [];

  get isEmpty(): boolean {
    return this.edits.length === 0;
  }

  /** Edits of one change, each in offsets of the text as it was before the ones that follow it in the list. */
  note(edits: readonly Edit[]): void {
    for (const { rangeOffset, rangeLength, text } of edits) {
      this.edits.push({ at: rangeOffset, removed: rangeLength, added: text.length });
    }
  }

  map(offset: number): number {
    let moved = offset;
    for (const { at, removed, added } of this.edits) {
      if (moved >= at + removed) moved += added - removed;
      else if (moved > at) moved = at + added;
    }
    return moved;
  }

  clear(): void {
    this.edits.length = 0;
  }
}
