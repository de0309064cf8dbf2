/**
 * The verdicts on claims, for everything that shows them. Claims are judged one after the other, in slices, with a
 * breath between two of them; a verdict does not depend on a text, so it is kept.
 */
import type { Release } from '../../sim/index.ts';
import type { Claim, ClaimVerdict } from '../docs/claims.ts';
import { Judge } from './claims.ts';

export interface VerdictsOptions {
  now(): number;
  /** Lets the host do other work. */
  breathe(): Promise<void>;
  createJudge?: () => Pick<Judge, 'hearing'>;
}

interface Request {
  readonly claim: Claim;
  readonly release: Release;
  readonly isCancelled: () => boolean;
  readonly resolve: (verdict: ClaimVerdict | undefined) => void;
  readonly reject: (error: unknown) => void;
}

const SLICE_MS = 8;
/** More than two documents have claims in a handful of releases. */
const MOST_KEPT = 2000;

export class Verdicts {
  private readonly options: VerdictsOptions;
  private readonly kept = new Map<string, ClaimVerdict>();
  private readonly waiting: Request[] = [];
  private isAtWork = false;

  constructor(options: VerdictsOptions) {
    this.options = options;
  }

  /** The verdict if there is one already. */
  known(claim: Claim, release: Release): ClaimVerdict | undefined {
    const verdict = this.kept.get(keyOf(claim, release));
    return verdict?.claim === claim ? verdict : undefined;
  }

  /** The verdict, once all that was asked before is done; undefined if it was cancelled before its turn. */
  ask(claim: Claim, release: Release, isCancelled: () => boolean = () => false): Promise<ClaimVerdict | undefined> {
    const verdict = this.known(claim, release);
    if (verdict !== undefined) return Promise.resolve(verdict);
    return new Promise((resolve, reject) => {
      this.waiting.push({ claim, release, isCancelled, resolve, reject });
      if (!this.isAtWork) void this.work();
    });
  }

  private async work(): Promise<void> {
    this.isAtWork = true;
    // Its machines are let go when nothing is left to judge.
    let judge: Pick<Judge, 'hearing'> | undefined;
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      const { claim, release, isCancelled, resolve, reject } = next;
      try {
        await this.options.breathe();
        if (isCancelled()) {
          resolve(undefined);
          continue;
        }
        judge ??= this.options.createJudge?.() ?? new Judge();
        const verdict = this.known(claim, release) ?? (await this.hear(judge, claim, release));
        this.keep(verdict);
        resolve(verdict);
      } catch (error) {
        reject(error);
      }
    }
    this.isAtWork = false;
  }

  /** A claim that takes long is judged in slices. */
  private async hear(judge: Pick<Judge, 'hearing'>, claim: Claim, release: Release): Promise<ClaimVerdict> {
    const { options } = this;
    const hearing = judge.hearing(claim, release);
    let began = options.now();
    for (;;) {
      const { done, value } = hearing.next();
      if (done) return value;
      if (options.now() - began < SLICE_MS) continue;
      await options.breathe();
      began = options.now();
    }
  }

  private keep(verdict: ClaimVerdict): void {
    const key = keyOf(verdict.claim, verdict.release);
    this.kept.delete(key);
    this.kept.set(key, verdict);
    const [oldest] = this.kept.keys();
    if (this.kept.size > MOST_KEPT && oldest !== undefined) this.kept.delete(oldest);
  }
}

const keyOf = (claim: Claim, release: Release): string => `${claim.id} ${release}`;
