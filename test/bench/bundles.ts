/** What is shipped, beside its budget: the sizes of the last build, which must be a production build to mean anything. */

import { statSync } from 'node:fs';
import { budgets } from '../../build.mjs';
import type { Report } from './run.ts';

export function bench(report: Report): void {
  for (const { name, files, limit } of budgets) {
    const sizes = files.map((path) => statSync(new URL(`../../${path}`, import.meta.url), { throwIfNoEntry: false }));
    const size = sizes.reduce((sum, file) => sum + (file?.size ?? 0), 0);
    report({ name: `bundle: ${name}`, value: size / 1024, unit: 'KiB', target: `<= ${limit / 1024}` });
  }
}
