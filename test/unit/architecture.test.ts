import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const files = ['sim', 'extension', 'webview'].flatMap((room) =>
  readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(room, name)),
);
interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
}
const imports: Import[] = files.flatMap((file) =>
  [...readFileSync(join(ROOT, file), 'utf8').matchAll(/^\s*(import|export)\s+(type\s)?[^;]*?from\s+'([^']+)'/gm)].map(
    (match) => ({
      from: file,
      to: match[3]?.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(file), match[3])) : (match[3] ?? ''),
      typeOnly: match[2] !== undefined,
    }),
  ),
);
const broken = (who: (file: string) => boolean, may: (edge: Import) => boolean): string[] =>
  imports.filter((edge) => who(edge.from) && !may(edge)).map((edge) => `${edge.from} → ${edge.to}`);
const inside = (room: string) => (file: string) => file.startsWith(`${room}/`);

describe('who may know whom', () => {
  it('there is something to check', () => {
    expect(imports.length).toBeGreaterThan(300);
  });
  it('sim imports only sim, and the validator of machine files', () => {
    expect(broken(inside('sim'), (edge) => inside('sim')(edge.to) || edge.to === 'valibot')).toEqual([]);
  });
  it('the extension enters the engine by its door', () => {
    expect(broken(inside('extension'), (edge) => !inside('sim')(edge.to) || edge.to === 'sim/index.ts')).toEqual([]);
  });
  it('docs and session know no vscode and no node', () => {
    expect(
      broken(
        (file) => inside('extension/docs')(file) || inside('extension/session')(file) || inside('extension/cli')(file),
        (edge) => edge.to !== 'vscode' && !edge.to.startsWith('node:'),
      ),
    ).toEqual([]);
  });
  it('only the ways in import node', () => {
    expect(
      broken(
        (file) => !/^extension\/main\.\w+\.ts$/.test(file),
        (edge) => !edge.to.startsWith('node:'),
      ),
    ).toEqual([]);
  });
  it('a webview knows its protocol, what is shared, and types of the views', () => {
    expect(
      broken(
        inside('webview'),
        (edge) =>
          inside('webview')(edge.to) ||
          (edge.to === 'sim/view/types.ts' && edge.typeOnly) ||
          /^(lit|@vscode)/.test(edge.to),
      ),
    ).toEqual([]);
  });
  it('nothing imports in a circle', () => {
    const edges = new Map<string, string[]>();
    for (const { from, to, typeOnly } of imports)
      if (!typeOnly && files.includes(to)) edges.set(from, [...(edges.get(from) ?? []), to]);
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      if (path.includes(file) || done.has(file)) return;
      for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(circles).toEqual([]);
  });
});
