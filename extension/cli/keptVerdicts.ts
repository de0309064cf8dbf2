/** What earlier runs found of claims. A verdict depends on claim and release only: it is kept with the program. */
import type { Release } from '../../sim/index.ts';
import type { Claim, ClaimVerdict } from '../docs/claims.ts';
import { failedAt, heldIn } from '../session/claims.ts';
import type { Surroundings } from './surroundings.ts';

export class KeptVerdicts {
  private readonly verdicts: Surroundings['verdicts'];
  /** By release and claim: that it holds, or the line at which it failed. */
  private readonly found: Map<string, true | string>;
  private isMore = false;

  private constructor(verdicts: Surroundings['verdicts'], found: Map<string, true | string>) {
    this.verdicts = verdicts;
    this.found = found;
  }

  /** `isFresh`: nothing is taken from earlier runs. */
  static async read({ verdicts }: Surroundings, isFresh: boolean): Promise<KeptVerdicts> {
    return new KeptVerdicts(verdicts, isFresh ? new Map() : foundIn(await verdicts.read()));
  }

  /** Undefined: nobody has judged it yet. */
  of(claim: Claim, release: Release): ClaimVerdict | undefined {
    const found = this.found.get(keyOf(claim, release));
    if (found === undefined) return undefined;
    return found === true ? heldIn(claim, release) : failedAt(claim, release, found);
  }

  add({ claim, release, holds, failed }: ClaimVerdict): void {
    const found = holds || failed;
    // What could not be judged is tried again.
    if (found === undefined) return;
    this.found.set(keyOf(claim, release), found);
    this.isMore = true;
  }

  async save(): Promise<void> {
    if (this.isMore) await this.verdicts.write(JSON.stringify(Object.fromEntries(this.found)));
  }
}

const keyOf = (claim: Claim, release: Release): string => `${release} ${claim.id}`;

function foundIn(text: string | undefined): Map<string, true | string> {
  const kept = text === undefined ? {} : (JSON.parse(text) as Record<string, unknown>);
  const isFound = (entry: [string, unknown]): entry is [string, true | string] =>
    entry[1] === true || typeof entry[1] === 'string';
  return new Map(Object.entries(kept).filter(isFound));
}
