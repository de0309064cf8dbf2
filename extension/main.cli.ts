/** The way in from a terminal: `zonescope`. */
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArguments, USAGE, UsageError } from './cli/args.ts';
import { execute } from './cli/commands.ts';
import type { Surroundings } from './cli/surroundings.ts';
import { CACHE, nameOfBuild, readKept, writeKept } from './main.kept.ts';

const VERSION = process.env.ZONESCOPE_VERSION ?? '';

async function data(name: string): Promise<unknown> {
  return JSON.parse(await readFile(join(__dirname, name), 'utf8'));
}

/** Lines of standard input. Typed ones get a prompt; Ctrl-D ends. */
async function* lines(prompt: () => string): AsyncGenerator<string> {
  const typed = process.stdin.isTTY === true;
  const reader = createInterface({ input: process.stdin, ...(typed ? { output: process.stdout } : {}) });
  const ask = (): void => {
    if (!typed) return;
    reader.setPrompt(prompt());
    reader.prompt();
  };
  ask();
  for await (const line of reader) {
    yield line;
    ask();
  }
}

/** Text of a file in /proc too, whose size is said to be 0; undefined where there is none to read. */
async function textUpTo(path: string, limit: number): Promise<string | undefined> {
  try {
    if (!(await stat(path)).isFile()) return undefined;
    const file = await open(path);
    try {
      const chunks: Buffer[] = [];
      for (let length = 0; length <= limit; ) {
        const chunk = Buffer.alloc(1 << 16);
        const { bytesRead } = await file.read(chunk);
        if (bytesRead === 0) break;
        chunks.push(chunk.subarray(0, bytesRead));
        length += bytesRead;
      }
      return Buffer.concat(chunks).toString('utf8');
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

/** A verdict depends on the program and on its claims. */
let build: Promise<string> | undefined;
function buildOfVerdicts(): Promise<string> {
  build ??= Promise.all([readFile(__filename), readFile(join(__dirname, 'claims.json'))]).then((files) =>
    nameOfBuild(...files),
  );
  return build;
}
const VERDICTS = join(CACHE, 'verdicts');

const around: Surroundings = {
  print: (text) => void process.stdout.write(`${text}\n`),
  complain: (text) => void process.stderr.write(`${text}\n`),
  lines,
  readText: (path) => readFile(path, 'utf8'),
  readBytes: async (path) => new Uint8Array(await readFile(path)),
  files: {
    exists: (path) =>
      stat(path).then(
        () => true,
        () => false,
      ),
    list: (path) => readdir(path),
    read: async (path) => new Uint8Array(await readFile(path)),
  },
  machines: { list: (path) => readdir(path).catch(() => []), readText: textUpTo },
  folder: process.cwd(),
  version: VERSION,
  cache: join(CACHE, 'documents'),
  glossary: async () => (await data('glossary.json')) as Awaited<ReturnType<Surroundings['glossary']>>,
  scenes: () => data('scenes.json'),
  claims: () => data('claims.json'),
  findings: () => data('findings.json'),
  verdicts: {
    read: async () => readKept(join(VERDICTS, await buildOfVerdicts()))?.toString('utf8'),
    write: async (text) => {
      const name = await buildOfVerdicts();
      writeKept(join(VERDICTS, name), name, Buffer.from(text));
    },
  },
  now: () => performance.now(),
  breathe: () => new Promise((resolve) => setImmediate(resolve)),
};

async function main(): Promise<number> {
  const request = parseArguments(process.argv.slice(2));
  if (request.command === 'help') {
    around.print(USAGE);
    return 0;
  }
  if (request.command === 'version') {
    around.print(VERSION);
    return 0;
  }
  return await execute(request, around);
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // `zonescope sh ... | head` ends the reader before us.
  if (error.code === 'EPIPE') process.exit(0);
});

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    around.complain(`zonescope: ${message}`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  },
);
