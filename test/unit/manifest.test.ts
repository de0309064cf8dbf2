import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { CATEGORY, COMMAND_IDS, COMMANDS, CONTEXT_KEYS, PANELS, SCHEME, VIEWS } from '../../extension/commands.ts';
import { presets, RELEASES } from '../../sim/index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Contributed {
  command: string;
  title?: string;
  category?: string;
  icon?: string;
  enablement?: string;
  when?: string;
}

interface Manifest {
  main: string;
  browser: string;
  icon?: string;
  activationEvents: string[];
  capabilities: { untrustedWorkspaces: { supported: boolean }; virtualWorkspaces: boolean };
  contributes: {
    commands: Contributed[];
    menus: Record<string, Contributed[]>;
    keybindings: (Contributed & { key: string; mac: string })[];
    languages: { id: string; filenames: string[] }[];
    viewsContainers: { activitybar: { id: string; icon: string }[] };
    views: Record<string, { id: string; icon: string }[]>;
    viewsWelcome: { view: string; contents: string }[];
    configuration: { properties: Record<string, { default: unknown; enum?: string[]; pattern?: string }> };
    jsonValidation: { url: string }[];
    terminal: { profiles: { id: string }[] };
    walkthroughs: {
      steps: { description: string; media: { svg: string; altText: string }; completionEvents: string[] }[];
    }[];
  };
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
const { contributes } = manifest;

const sources = readdirSync(join(root, 'extension'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(root, 'extension', name), 'utf8'));
const source = sources.join('\n');

/** Keys of VS Code's own that our clauses use, with the values they are compared to. */
const EDITOR_KEYS = new Set(['resourcePath', 'view', 'editorTextFocus', 'activeWebviewPanelId']);
const KEYS_OF_VALUES = new Set<string>([...Object.values(VIEWS), ...Object.values(PANELS)]);

function whenClauses(): string[] {
  const items = [...contributes.commands, ...Object.values(contributes.menus).flat(), ...contributes.keybindings];
  return items.flatMap(({ when, enablement }) => [when, enablement].filter((clause) => clause !== undefined));
}

/** Commands that texts link to. */
function linkedCommands(): string[] {
  const texts = [
    ...contributes.viewsWelcome.map(({ contents }) => contents),
    ...contributes.walkthroughs.flatMap(({ steps }) => steps.map(({ description }) => description)),
  ];
  return texts.flatMap((text) => [...text.matchAll(/\(command:([\w.]+)/g)].map(([, id]) => id ?? ''));
}

describe('the manifest', () => {
  test('contributes every command of the table, with its title, category, icon and condition', () => {
    const expected = COMMAND_IDS.filter((id) => COMMANDS[id].internal === undefined).map((id) => {
      const { title, icon, enablement } = COMMANDS[id];
      return {
        command: id,
        title,
        category: CATEGORY,
        ...(icon === undefined ? {} : { icon: `$(${icon})` }),
        ...(enablement === undefined ? {} : { enablement }),
      };
    });
    expect(contributes.commands).toEqual(expected);
  });

  test('every command has exactly one handler', () => {
    for (const id of COMMAND_IDS) {
      const handlers = sources.filter((text) => /satisfies Partial<Handlers>/.test(text) && text.includes(`'${id}': `));
      expect(handlers, id).toHaveLength(1);
    }
  });

  test('menus, keys and texts name commands that are contributed', () => {
    const contributed = new Set(contributes.commands.map(({ command }) => command));
    const named = [...Object.values(contributes.menus).flat(), ...contributes.keybindings].map(
      ({ command }) => command,
    );
    const own = [...named, ...linkedCommands()].filter((id) => id.startsWith('zonescope.'));
    expect(own.filter((id) => !contributed.has(id))).toEqual([]);
    expect(linkedCommands().filter((id) => !id.startsWith('zonescope.'))).toEqual(['workbench.action.openSettings']);
  });

  test('conditions use keys that the extension sets, or that the editor has', () => {
    const known = new Set<string>([...CONTEXT_KEYS, ...EDITOR_KEYS, ...KEYS_OF_VALUES, 'in']);
    const unknown = whenClauses().flatMap((clause) =>
      (clause.match(/[A-Za-z][\w.]*/g) ?? []).filter((word) => !known.has(word)),
    );
    expect(unknown).toEqual([]);
    for (const key of CONTEXT_KEYS) expect(source, key).toContain(`this.set('${key}'`);
  });

  test('keys do nothing outside a kernel document or a panel', () => {
    for (const { key, mac, when } of contributes.keybindings) {
      expect(key && mac).toBeTruthy();
      for (const part of (when ?? '').split('||')) {
        expect(part).toMatch(/resourcePath in zonescope\.openDocuments|activeWebviewPanelId == /);
      }
    }
  });

  test('it activates for kernel documents, C files with their lenses and what it contributes, never at startup', () => {
    const valid = [
      'onLanguage:restructuredtext',
      'onLanguage:c',
      'onDebugResolve:zonescope',
      ...Object.values(PANELS).map((id) => `onWebviewPanel:${id}`),
      `onFileSystem:${SCHEME}`,
      'workspaceContains:hmm.rst',
      'workspaceContains:memory-model.rst',
    ];
    expect(manifest.activationEvents).toEqual(valid);
    // A pattern here would have every folder searched.
    expect(manifest.activationEvents.filter((event) => event.includes('*'))).toEqual([]);
    expect(source).toContain('registerWebviewPanelSerializer(PANELS[kind.id]');
    expect(source).toContain('registerFileSystemProvider(SCHEME');
  });

  test('it works without trust and in virtual workspaces', () => {
    expect(manifest.capabilities.untrustedWorkspaces.supported).toBe(true);
    expect(manifest.capabilities.virtualWorkspaces).toBe(true);
  });

  test('it has no language of its own: names are added to one that is built in', () => {
    expect(contributes.languages.map(({ id }) => id)).toEqual(['restructuredtext']);
    expect(contributes.languages[0]?.filenames).toContain('hmm.txt');
  });

  test('its views and terminal profile are those the code registers', () => {
    const views = contributes.views.zonescope?.map(({ id }) => id) ?? [];
    expect([...views].sort()).toEqual(Object.values(VIEWS).sort());
    for (const { view } of contributes.viewsWelcome) expect(views).toContain(view);
    for (const { id } of contributes.terminal.profiles)
      expect(source).toContain(`registerTerminalProfileProvider('${id}'`);
  });

  test('its settings are those the code reads, with defaults that hold', () => {
    const read = [...source.matchAll(/\.get(?:<\w+>)?\(\s*'(\w+)',\s*(?:''|true|false|\[\])\)/g)].map(
      ([, name]) => `zonescope.${name}`,
    );
    const { properties } = contributes.configuration;
    expect([...new Set(read)].sort()).toEqual(Object.keys(properties).sort());
    expect(properties['zonescope.machine']?.enum).toEqual(presets().map(({ name }) => name));
    expect(presets().map(({ name }) => name)).toContain(properties['zonescope.machine']?.default);
    expect(RELEASES).toContain(properties['zonescope.release']?.default);
    const pattern = new RegExp(properties['zonescope.release']?.pattern ?? '');
    expect(RELEASES.filter((release) => !pattern.test(release))).toEqual([]);
  });

  test('the walkthrough has five steps, each with a picture and a way to complete it', () => {
    const steps = contributes.walkthroughs.flatMap((walkthrough) => walkthrough.steps);
    expect(steps).toHaveLength(5);
    const ids: readonly string[] = COMMAND_IDS;
    for (const { media, completionEvents } of steps) {
      expect(media.altText).not.toBe('');
      for (const event of completionEvents) expect(ids).toContain(event.replace(/^onCommand:/, ''));
    }
  });

  test('files it names are there', () => {
    const icons = [...contributes.viewsContainers.activitybar, ...Object.values(contributes.views).flat()];
    const files = [
      ...icons.map(({ icon }) => icon),
      ...contributes.walkthroughs.flatMap(({ steps }) => steps.map(({ media }) => media.svg)),
      ...contributes.jsonValidation.map(({ url }) => url),
      ...(manifest.icon === undefined ? [] : [manifest.icon]),
    ];
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});
