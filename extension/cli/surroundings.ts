/** What the command line is given of the machine it runs on: files, output, input, time. */
import type { GlossaryEntry } from '../docs/glossary.ts';
import type { DocumentFiles } from '../docs/locate.ts';
import type { FolderFiles } from '../session/machineFolder.ts';

export interface Surroundings {
  print(text: string): void;
  complain(text: string): void;
  /** Lines of standard input, with a prompt if someone types them. */
  lines(prompt: () => string): AsyncIterable<string>;
  readText(path: string): Promise<string>;
  readBytes(path: string): Promise<Uint8Array>;
  readonly files: DocumentFiles;
  readonly machines: FolderFiles;
  readonly folder: string;
  readonly version: string;
  readonly cache: string;
  glossary(): Promise<readonly GlossaryEntry[]>;
  scenes(): Promise<unknown>;
  claims(): Promise<unknown>;
  /** The table of codes that findings have. */
  findings(): Promise<unknown>;
  /** Verdicts on claims that an earlier run of this very program kept, as it wrote them. */
  readonly verdicts: { read(): Promise<string | undefined>; write(text: string): Promise<void> };
  now(): number;
  breathe(): Promise<void>;
}
