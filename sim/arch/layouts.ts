/** The layout of every architecture the engine knows, by name, configuration and release. */
import type { Release } from '../kernel/release.ts';
import { armLayout } from './arm.ts';
import { arm64Layout } from './arm64.ts';
import { DISCONTIG_ARCHS, discontigLayout } from './discontig.ts';
import type { ArchLayout, ArchName, ArchOptions } from './layout.ts';
import { x86_32Layout } from './x86_32.ts';
import { x86_64Layout } from './x86_64.ts';

export const ARCH_NAMES: readonly ArchName[] = ['x86_64', 'x86_32', 'arm64', 'arm', ...DISCONTIG_ARCHS];

export function archLayout(name: ArchName, release: Release, options: ArchOptions = {}): ArchLayout {
  switch (name) {
    case 'x86_64':
      return x86_64Layout(release, options);
    case 'x86_32':
      return x86_32Layout(release, options);
    case 'arm64':
      return arm64Layout(release, options);
    case 'arm':
      return armLayout(release);
    default: {
      const layout = discontigLayout(name, release);
      if (!layout) throw new RangeError(`no layout for ${name}`);
      return layout;
    }
  }
}
