/**
 * What processes must read: every page of every process with what it may hold. It knows nothing of page tables,
 * swap or devices, only what mmap, fork and writes promise; where the kernel leaves something open (MADV_FREE, who
 * of two that write at the same time is last), it knows the possibilities.
 */

/** Word i of a page holds base + i * step (0 or 1): base * 2 + step. */
export type Value = number;
export const wordsOf = (base: number, step: number): Value => (base >>> 0) * 2 + (step === 0 ? 0 : 1);
export const ZERO: Value = 0;
/** The value of page `page` of a buffer whose word i holds base + i * step. */
export const pageOf = (base: number, step: number, page: number): Value => wordsOf(base + page * 1024 * step, step);
export const textOf = (value: Value): string => `${value % 2 ? 'i+' : ''}${Math.floor(value / 2)}`;

/** What a page may hold: one of these; undefined: nobody knows. */
export type Cell = ReadonlySet<Value> | undefined;
const of = (...values: Value[]): Cell => new Set(values);
const union = (a: Cell, b: Cell): Cell => (a && b ? new Set([...a, ...b]) : undefined);

/** A file, or the object behind shared memory. */
export interface FileModel {
  readonly name: string;
  size: number;
  readonly cells: Map<number, Cell>;
}

export type Kind = 'anon' | 'file' | 'hugetlb' | 'device';

/** A page of a process. */
export interface Page {
  readonly kind: Kind;
  readonly shared: boolean;
  /** Of shared memory, and of a file. */
  readonly file: FileModel | undefined;
  readonly index: number;
  prot: number;
  /** Of private memory: what it holds; `undefined` with a file: what the file holds. */
  own: { cell: Cell } | undefined;
  /** The copy may not have been taken: it may be the file's still. */
  maybe: boolean;
  /** MADV_FREE: zeros at any time until it is written. */
  lazy: boolean;
  /** MADV_PAGEOUT: swap may have what it holds, and then only a write of the CPU says that it has changed. */
  clean: boolean;
  /** A device wrote it while it was clean. test_hmm does not mark pages dirty: it may hold the old again any time. */
  loose: boolean;
  /** Whoever touches it may get a bus error: there is no huge page left, or the driver's page is unmapped. */
  mayBus: boolean;
}

/** An open file of a device: whose memory it mirrors. */
export interface MirrorModel {
  readonly device: number;
  readonly pid: number;
}

export interface ProcessModel {
  readonly pid: number;
  readonly pages: Map<number, Page>;
  readonly fds: MirrorModel[];
  /** Calls that change mappings are under way: at rest the engine says what came out. */
  unsettled: boolean;
}

export const READ = 1;
export const WRITE = 2;

export class Model {
  readonly processes = new Map<number, ProcessModel>();
  readonly files = new Map<string, FileModel>();
  /** Several programs are under way: everything that happens only adds possibilities. */
  flux = false;
  /**
   * test_hmm maps what it moved, or made its own, without asking whether it was unmapped meanwhile (MADV_DONTNEED and
   * the OOM reaper need the mmap lock for reading only, as it does), and does not hear of what it moves itself between
   * the look at the page tables and the entry in its own: from then on a device may read and write pages of others.
   */
  stale = false;
  /** It may have come to that since the last time that nobody was in the middle of something. */
  mayBeStale = false;

  process(pid: number): ProcessModel {
    const found = this.processes.get(pid);
    if (!found) throw new Error(`no process ${pid} in the model`);
    return found;
  }

  /** The same once more, so that going back in time finds it. */
  clone(): Model {
    const copy = new Model();
    copy.stale = this.stale;
    copy.mayBeStale = this.mayBeStale;
    const files = new Map<FileModel, FileModel>();
    const fileOf = (file: FileModel | undefined): FileModel | undefined => {
      if (!file) return undefined;
      let found = files.get(file);
      if (!found) {
        found = { ...file, cells: new Map(file.cells) };
        files.set(file, found);
      }
      return found;
    };
    for (const [name, file] of this.files) copy.files.set(name, fileOf(file) as FileModel);
    const fds = new Map<MirrorModel, MirrorModel>();
    for (const { pid, pages, fds: open, unsettled } of this.processes.values()) {
      const same = open.map((fd) => {
        const known = fds.get(fd) ?? { ...fd };
        fds.set(fd, known);
        return known;
      });
      const own = new Map<number, Page>();
      for (const [vpn, page] of pages) own.set(vpn, copyOf(page, fileOf(page.file)));
      copy.processes.set(pid, { pid, pages: own, fds: same, unsettled });
    }
    return copy;
  }

  /* ---- what a page may hold ---- */

  cellOf(page: Page): Cell {
    const { own, file, index } = page;
    const fromFile = (): Cell => (file?.cells.has(index) ? file.cells.get(index) : of(ZERO));
    if (!own) return fromFile();
    let cell = own.cell;
    if (page.maybe) cell = union(cell, fromFile());
    return page.lazy ? union(cell, of(ZERO)) : cell;
  }

  /** Somebody read the page. What does not fit is told. */
  see(page: Page, value: Value): string | undefined {
    if (page.loose) return undefined;
    const cell = this.cellOf(page);
    if (cell && !cell.has(value)) return `holds ${textOf(value)}, not ${[...cell].map(textOf).join(' or ')}`;
    if (this.flux) return undefined;
    const { own, file, index } = page;
    if (!own) file?.cells.set(index, of(value));
    else if (page.maybe) {
      if (own.cell && !own.cell.has(value)) {
        page.own = undefined;
        page.maybe = false;
        file?.cells.set(index, of(value));
      }
    } else if (!page.lazy) page.own = { cell: of(value) };
    else if (value === ZERO && !own.cell?.has(ZERO)) {
      page.own = { cell: of(ZERO) };
      page.lazy = false;
    }
    return undefined;
  }

  /** The page is written; `sure` unless the call failed half way. */
  write(page: Page, value: Value, sure: boolean): void {
    const isSure = sure && !this.flux;
    const { file, index } = page;
    if (page.shared) {
      file?.cells.set(index, isSure ? of(value) : union(this.cellOf(page), of(value)));
      return;
    }
    if (isSure) {
      page.own = { cell: of(value) };
      settle(page);
      return;
    }
    const cell = union(this.cellOf(page), of(value));
    if (!page.own) page.maybe = true;
    page.own = { cell };
  }

  /** A device writes. */
  writeByDevice(page: Page, value: Value, sure: boolean): void {
    this.write(page, value, sure && !page.clean && !page.lazy);
    if (page.clean || page.lazy) page.loose = true;
  }

  /** `+N`: every word grows. */
  add(page: Page, by: number, sure: boolean): void {
    const cell = this.cellOf(page);
    const grown: Cell = cell && new Set([...cell].map((value) => wordsOf(Math.floor(value / 2) + by, value % 2)));
    const isSure = sure && !this.flux;
    const result = isSure ? grown : union(cell, grown);
    if (page.shared) page.file?.cells.set(page.index, result);
    else {
      if (!page.own && !isSure) page.maybe = true;
      page.own = { cell: result };
      if (isSure) settle(page);
    }
  }

  /** A write fault may have taken a copy of a file's page. */
  mayCopy(page: Page): void {
    if (page.shared || !page.file) return;
    if (page.own && !page.maybe) return;
    page.own = { cell: this.cellOf(page) };
    page.maybe = true;
  }

  /** MADV_DONTNEED and its kin: private memory is as fresh. */
  drop(page: Page, sure: boolean): void {
    if (page.shared) return;
    if (page.kind === 'device') page.mayBus = true;
    if (sure && !this.flux) {
      page.own = page.file ? undefined : { cell: of(ZERO) };
      settle(page);
    } else if (page.file) this.mayDrop(page);
    else page.own = { cell: union(this.cellOf(page), of(ZERO)) };
  }

  private mayDrop(page: Page): void {
    if (page.own) page.maybe = true;
  }
}

export const fresh = (kind: Kind, shared: boolean, file: FileModel | undefined, index: number, prot: number): Page => ({
  kind,
  shared,
  file,
  index,
  prot,
  own: shared || file ? undefined : { cell: of(ZERO) },
  maybe: false,
  lazy: false,
  clean: false,
  loose: false,
  mayBus: false,
});

/** The CPU wrote, or there is a fresh page. */
function settle(page: Page): void {
  page.maybe = false;
  page.lazy = false;
  page.clean = false;
  page.loose = false;
}

export const copyOf = (page: Page, file = page.file): Page => ({ ...page, file, own: page.own && { ...page.own } });
