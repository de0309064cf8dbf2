/** What the three kinds of extension host do differently. Each `main.*.ts` fills it. */
export interface Platform {
  /** Lets the host do other work for a moment. */
  breathe(): Promise<void>;
  /** Milliseconds, rising. */
  now(): number;
  /** Folders where distributions put documents. */
  readonly packages: readonly string[];
  /** The root of the machine's own files, where it runs Linux and they can be read. */
  readonly thisMachine: string | undefined;
  /** Folders that hold documents fetched before. */
  readonly caches: readonly string[];
}
