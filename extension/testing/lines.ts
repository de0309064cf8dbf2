/** Lines and columns of a text that no editor has open. Free of vscode. */

export class LineMap {
  private readonly starts: number[] = [0];
  private readonly length: number;

  constructor(source: string) {
    this.length = source.length;
    for (const { index, 0: end } of source.matchAll(/\r\n|\r|\n/g)) this.starts.push(index + end.length);
  }

  /** Both from 0, as an editor counts. */
  at(offset: number): { line: number; character: number } {
    const wanted = Math.max(0, Math.min(offset, this.length));
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.starts[middle] ?? 0) <= wanted) low = middle;
      else high = middle - 1;
    }
    return { line: low, character: wanted - (this.starts[low] ?? 0) };
  }
}
