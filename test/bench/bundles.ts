/** What is shipped, beside its budget: the sizes of the last build, which must be a production build to mean anything. */

import { statSync } from 'node:fs';
import type { Report } from './run.ts';

const BUDGETS: readonly (readonly [path: string, kilobytes: number])[] = [
  ['dist/extension.cjs', 400],
  ['dist/extension.web.cjs', 400],
  ['dist/webview/zones.js', 150],
  ['dist/webview/pagemap.js', 150],
];

export function bench(report: Report): void {
  for (const [path, limit] of BUDGETS) {
    const file = statSync(new URL(`../../${path}`, import.meta.url), { throwIfNoEntry: false });
    if (file) report({ name: path, value: file.size / 1000, unit: 'KB', target: `<= ${limit}` });
  }
}
