/** The command line of `zonescope`: what was asked for, or what is wrong with it. */
import { RELEASES, type Release } from '../../sim/index.ts';

export type Request =
  | { command: 'help' }
  | { command: 'version' }
  | { command: 'sh'; machine?: string; from?: string; release?: Release; json: boolean; lines: string[]; file?: string }
  | { command: 'machine'; from: string; json: boolean }
  | {
      command: 'run';
      file: string;
      line: number;
      machine?: string;
      release?: Release;
      json: boolean;
      set: Record<string, string>;
      variant?: string;
    }
  | CheckRequest
  | { command: 'docs'; json: boolean; files: string[] }
  | { command: 'machines' | 'releases'; json: boolean }
  | { command: 'terms'; name?: string; release?: Release; json: boolean };

export interface CheckRequest {
  command: 'check';
  files: string[];
  /** The release the text is taken as. */
  release?: Release;
  /** The release it is held against, if that is another one. */
  against?: Release;
  format: 'text' | 'json' | 'sarif';
  /** Only the rules: nothing is run. */
  rulesOnly: boolean;
  /** Judge every claim, whatever earlier runs have kept. */
  fresh: boolean;
}

export const USAGE = `zonescope: explore the kernel's memory-model documents beside a simulation

  zonescope sh [--machine NAME|FILE | --from DIR] [--release R] [--json] [-c LINE]... [FILE]
        run command lines and C expressions; without -c or FILE, from standard input
  zonescope machine --from DIR [--json]
        print the machine file of a real machine, from copies of its proc and sys files and its
        kernel log (DIR/proc/zoneinfo, DIR/sys/devices/system/node/..., DIR/dmesg); / is this machine
  zonescope run FILE:LINE [--variant ID] [--set NAME=EXPR]... [--machine NAME|FILE] [--release R] [--json]
        run the example at a line of a document, as its lens does
  zonescope check [--release R] [--against R] [--rules-only | --fresh] [--json | --sarif] FILE...
        what is wrong in documents, or in the documents of a kernel tree: by rules, by claims that no
        longer hold, by examples that do not run; exits 1 if there are errors. Verdicts on claims are
        kept for the next run of this version: --fresh judges all anew
  zonescope docs [--json] [FILE...]
        where the documents are, or which releases the files belong to
  zonescope machines | releases | terms [NAME] [--release R]
  zonescope help | version`;

/** A mistake on the command line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function parseArguments(argv: readonly string[]): Request {
  const [command, ...rest] = argv;
  const words: string[] = [];
  const options = new Map<string, string[]>();
  const flags = new Set<string>();
  const takesValue = new Set(['--machine', '--from', '--release', '--against', '-c', '--set', '--variant']);
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i] ?? '';
    const [name = '', inline] = word.startsWith('--') ? splitOnce(word) : [word];
    if (takesValue.has(name)) {
      const value = inline ?? rest[++i];
      if (value === undefined) throw new UsageError(`${name} needs a value`);
      options.set(name, [...(options.get(name) ?? []), value]);
    } else if (['--json', '--sarif', '--rules-only', '--fresh'].includes(word)) flags.add(word);
    else if (word === '--help' || word === '-h') flags.add('--help');
    else if (word.startsWith('-') && word !== '-')
      throw new UsageError(`${word}: no such option; zonescope help lists them`);
    else words.push(word);
  }
  const json = flags.has('--json');
  if (flags.has('--help')) return { command: 'help' };
  const one = (name: string): string | undefined => options.get(name)?.at(-1);
  const release = releaseOf(one('--release'));
  const machine = one('--machine');
  const from = one('--from');
  if (from !== undefined && command !== 'sh' && command !== 'machine')
    throw new UsageError('--from goes with sh and machine');
  if (from === '') throw new UsageError('--from needs a folder');
  const against = releaseOf(one('--against'));
  for (const name of ['--sarif', '--rules-only', '--fresh', ...(against ? ['--against'] : [])])
    if (command !== 'check' && (flags.has(name) || options.has(name))) throw new UsageError(`${name} goes with check`);
  const shared = { ...(machine ? { machine } : {}), ...(release ? { release } : {}), json };
  switch (command) {
    case undefined:
    case 'help':
    case '--help':
    case '-h':
      return { command: 'help' };
    case 'version':
    case '--version':
      return { command: 'version' };
    case 'sh':
      if (words.length > 1) throw new UsageError('sh takes one FILE');
      if (machine !== undefined && from !== undefined)
        throw new UsageError('--machine and --from are two machines; name one');
      return {
        command,
        ...shared,
        ...(from ? { from } : {}),
        lines: options.get('-c') ?? [],
        ...(words[0] ? { file: words[0] } : {}),
      };
    case 'machine':
      if (from === undefined || words.length > 0)
        throw new UsageError('machine takes --from DIR, a folder of copies of proc and sys; / is this machine');
      return { command, from, json };
    case 'run': {
      const match = /^(.+):(\d+)$/.exec(words[0] ?? '');
      if (!match?.[1] || words.length > 1) throw new UsageError('run takes FILE:LINE, for example hmm.rst:276');
      const variant = one('--variant');
      return {
        command,
        ...shared,
        file: match[1],
        line: Number(match[2]),
        set: assignments(options.get('--set') ?? []),
        ...(variant ? { variant } : {}),
      };
    }
    case 'check':
      if (words.length === 0) throw new UsageError('check takes FILE..., documents or the folder of a kernel tree');
      if (flags.has('--rules-only') && flags.has('--fresh'))
        throw new UsageError('--rules-only judges no claim, --fresh all of them; name one');
      if (json && flags.has('--sarif')) throw new UsageError('--json and --sarif are two forms; name one');
      return {
        command,
        files: words,
        ...(release ? { release } : {}),
        ...(against ? { against } : {}),
        format: json ? 'json' : flags.has('--sarif') ? 'sarif' : 'text',
        rulesOnly: flags.has('--rules-only'),
        fresh: flags.has('--fresh'),
      };
    case 'docs':
      return { command, json, files: words };
    case 'machines':
    case 'releases':
      return { command, json };
    case 'terms':
      return { command, json, ...(words[0] ? { name: words.join(' ') } : {}), ...(release ? { release } : {}) };
    default:
      throw new UsageError(`${command}: no such command; zonescope help lists them`);
  }
}

function splitOnce(word: string): [string, string | undefined] {
  const at = word.indexOf('=');
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}

function releaseOf(text: string | undefined): Release | undefined {
  if (text === undefined) return undefined;
  const wanted = text.replace(/^v/, '');
  if (!(RELEASES as readonly string[]).includes(wanted))
    throw new UsageError(
      `${text}: no release the engine knows; ${RELEASES[0]} to ${RELEASES[RELEASES.length - 1]} are, for example 6.12`,
    );
  return wanted as Release;
}

function assignments(list: readonly string[]): Record<string, string> {
  const set: Record<string, string> = {};
  for (const entry of list) {
    const [name, value] = splitOnce(entry);
    if (!name || value === undefined) throw new UsageError(`--set ${entry}: write NAME=EXPR`);
    set[name] = value;
  }
  return set;
}
