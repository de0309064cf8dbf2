/** The points a program has passed, so that one can go back to any of them. */

export interface Passed {
  /** `Program.points` there. */
  readonly points: number;
  /** Frames that were open. */
  readonly depth: number;
  readonly isCall: boolean;
  /** Where the statement begins; -1 for a call. */
  readonly start: number;
}

const WIDTH = 3;

export class History {
  private words = new Int32Array(WIDTH * 1024);
  private count = 0;

  note(points: number, depth: number, start: number): void {
    if (this.count > 0 && points <= (this.words[(this.count - 1) * WIDTH] ?? 0)) this.cut(points - 1);
    const at = this.count * WIDTH;
    if (at + WIDTH > this.words.length) {
      const larger = new Int32Array(this.words.length * 2);
      larger.set(this.words);
      this.words = larger;
    }
    this.words[at] = points;
    this.words[at + 1] = depth;
    this.words[at + 2] = start;
    this.count++;
  }

  get length(): number {
    return this.count;
  }

  at(index: number): Passed | undefined {
    if (index < 0 || index >= this.count) return undefined;
    const [points = 0, depth = 0, start = -1] = this.words.subarray(index * WIDTH, index * WIDTH + WIDTH);
    return { points, depth, start, isCall: start < 0 };
  }

  /** Forgets what lies behind `points`. */
  cut(points: number): void {
    while (this.count > 0 && (this.words[(this.count - 1) * WIDTH] ?? 0) > points) this.count--;
  }

  /** The last point before `points` for which `is` holds. */
  before(points: number, is: (passed: Passed) => boolean): Passed | undefined {
    for (let index = this.count - 1; index >= 0; index--) {
      const passed = this.at(index);
      if (passed && passed.points < points && is(passed)) return passed;
    }
    return undefined;
  }

  /** The first point of all that is a statement. */
  first(): Passed | undefined {
    for (let index = 0; index < this.count; index++) {
      const passed = this.at(index);
      if (passed && !passed.isCall) return passed;
    }
    return undefined;
  }

  /** Where the innermost frame at `depth` that is open at `points` was entered: its call, and its first statement. */
  entryOf(points: number, depth: number): { call: Passed | undefined; statement: Passed | undefined } {
    let statement: Passed | undefined;
    for (let index = this.count - 1; index >= 0; index--) {
      const passed = this.at(index);
      if (!passed || passed.points > points) continue;
      if (passed.depth < depth) return { call: undefined, statement };
      if (passed.depth !== depth) continue;
      if (passed.isCall) return { call: passed, statement };
      statement = passed;
    }
    return { call: undefined, statement };
  }

  clear(): void {
    this.count = 0;
  }
}
