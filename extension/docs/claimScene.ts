/** A claim as something the reader runs: what changes the machine as a scene, what shows it as lines for the shell. */
import type { Release } from '../../sim/index.ts';
import { type Claim, linesOf } from './claims.ts';
import { type Scene, textFor } from './scenes.ts';

/** A claim about a kernel configured otherwise has no machine that a reader could choose. */
export const canBeShown = ({ config }: Claim): boolean => config === undefined;

export function claimScene(claim: Claim, release: Release, machine: string): Scene {
  return {
    id: `claim-${claim.id.toLowerCase()}`,
    release,
    machine: claim.machine ?? machine,
    anchor: claim.anchor,
    title: claim.says,
    teaches: claim.says,
    run: linesOf(claim, release),
    variants: [{ id: 'run', title: 'Run' }],
  };
}

/** The lines that are looked at in a release, each once, those it is compared with included. */
export function linesToShow({ expect }: Claim, release: Release): string[] {
  const lines = expect.flatMap(({ line, sameAs, differsFrom, ...tests }) => {
    const texts = [tests.is, tests.isNot, tests.has, tests.lacks, tests.fails];
    const isAbout = texts.every((text) => text === undefined || textFor(text, release) !== undefined);
    return isAbout ? [line, sameAs, differsFrom].filter((each) => each !== undefined) : [];
  });
  return [...new Set(lines)];
}
