/**
 * A program that moved pages between RAM and the test devices of a real 6.12 kernel and looked at everything after
 * each step (the recording d-hmm): the same steps by command lines, and the same to be seen.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { pagemapWord } from '../../sim/fs/procPidPagemap.ts';
import { PG_LRU } from '../../sim/mm/folio_record.ts';
import { all, HmmWorld, PRIVATE } from '../support/hmm.ts';

interface RecordedPage {
  readonly ref: number;
  readonly mapcount: number;
  readonly lru: boolean;
  readonly memcg: boolean;
}
interface RecordedEntry {
  readonly is: 'none' | 'present' | 'swap';
  readonly type?: number;
  /** A page frame of a device; `ram` for one of RAM, which the allocator chooses. */
  readonly offset?: string;
  readonly file?: boolean;
  readonly exclusive?: boolean;
  readonly snapshot: number;
  readonly page?: RecordedPage;
}
interface RecordedEvent {
  readonly section?: string;
  readonly says?: string;
  readonly ioctl?: string;
  readonly npages?: number;
  readonly device?: number | Record<string, RecordedPage>;
  readonly error?: string | null;
  readonly cpages?: number;
  readonly faults?: number;
  readonly state?: string;
  readonly np?: number;
  readonly smaps?: Record<string, number>;
  readonly pages?: readonly RecordedEntry[];
  readonly aggregate?: { present: number; swap: number; none: number; type27?: number; offsets?: [string, string] };
  readonly snapshots?: Record<string, number>;
}

const EVENTS = JSON.parse(
  readFileSync(new URL('../fixtures/recordings/6.12/d-hmm/hmmseq.json', import.meta.url), 'utf8'),
) as readonly RecordedEvent[];

const PAGE = 4096;
const ERRORS: Readonly<Record<string, number>> = {
  'Bad address': -14,
  'No such file or directory': -2,
  'Operation not permitted': -1,
};
const COMMANDS: Readonly<Record<string, string>> = {
  READ: 'read',
  WRITE: 'write',
  MIGRATE_TO_DEV: 'to-dev',
  MIGRATE_TO_SYS: 'to-sys',
  EXCLUSIVE: 'exclusive',
  CHECK_EXCLUSIVE: 'check-exclusive',
  SNAPSHOT: 'snapshot',
};

/** Walks the recording; each step says what it does and is compared with what comes next. */
class Sequence {
  readonly world = new HmmWorld('6.12', PRIVATE);
  readonly pid: number;
  private next = 0;

  constructor() {
    this.pid = Number(this.world.sh('proc new hmm')[0]);
    for (const device of [0, 1]) this.world.sh(`gpu open ${device} ${this.pid}`);
  }

  private take(kind: 'state' | 'ioctl' | 'says'): RecordedEvent {
    const event = EVENTS[this.next++];
    if (event?.[kind] === undefined) throw new Error(`${kind} wanted, recorded: ${JSON.stringify(event)}`);
    return event;
  }

  section(name: string): void {
    // After a section that failed the next one begins where it begins.
    this.next = EVENTS.findIndex((event) => event.section === name) + 1;
    expect(this.next).toBeGreaterThan(0);
  }

  /** What the program said of its own reads. */
  says(text: string): void {
    expect(this.take('says').says).toBe(text);
  }

  /** The next ioctl of the recording, at `at`. */
  ioctl(at: number, pid = this.pid): readonly string[] {
    const event = this.take('ioctl');
    const what = COMMANDS[event.ioctl ?? ''] ?? '';
    const result = this.world.gpu(what, Number(event.device), pid, at, event.npages ?? 0);
    const wanted = { ret: event.error ? ERRORS[event.error] : 0, cpages: event.cpages, faults: event.faults };
    const { ret, cpages, faults } = result;
    expect({ ret, cpages, faults }, `${event.ioctl} before ${EVENTS[this.next]?.state}`).toEqual(wanted);
    return result.lines;
  }

  /** Everything that was recorded after a step. */
  state(name: string, at = 0, pid = this.pid, batch: 'as recorded' | 'any' = 'as recorded'): void {
    const event = this.take('state');
    expect(event.state).toBe(name);
    const seen: Record<string, unknown> = {};
    const wanted: Record<string, unknown> = {};
    const compare = (key: string, value: unknown, recorded: unknown): void => {
      seen[key] = value;
      wanted[key] = recorded;
    };
    const { np = 0 } = event;
    const bytes = np > 0 ? this.world.snapshot(0, pid, at, np) : [];
    if (event.smaps) compare('smaps', this.smaps(pid, at), event.smaps);
    for (const [i, page] of (event.pages ?? []).entries())
      compare(
        `page ${i}`,
        settled({ ...this.entry(pid, at + i * PAGE, page), snapshot: bytes[i] ?? -1 }, batch),
        settled(page, batch),
      );
    if (event.aggregate) compare('aggregate', this.aggregate(pid, at, np, event.aggregate), event.aggregate);
    if (event.snapshots) compare('snapshots', histogram(bytes), event.snapshots);
    if (typeof event.device === 'object')
      for (const [pfn, page] of Object.entries(event.device))
        compare(`device page ${pfn}`, this.page(pid, Number.parseInt(pfn, 16), page), page);
    expect(seen, name).toEqual(wanted);
  }

  private process(pid: number) {
    const mm = this.world.machine.kernel.state.processes.get(pid)?.mm;
    if (!mm) throw new Error(`no process ${pid}`);
    return mm;
  }

  private page(pid: number, pfn: number, recorded: RecordedPage): RecordedPage {
    const { kernel } = this.world.machine;
    const folio = kernel.state.folios.get(pfn);
    return {
      ...recorded,
      ref: kernel.pages.refcount.get(pfn),
      mapcount: (kernel.pages.mapcount.get(pfn) + 1) % 2 ** 32,
      lru: (kernel.pages.flags.get(pfn) & PG_LRU) !== 0,
      memcg: folio?.memcg !== undefined && folio.memcg === this.process(pid).memcg,
    };
  }

  private entry(pid: number, address: number, recorded: RecordedEntry): Omit<RecordedEntry, 'snapshot'> {
    const word = pagemapWord(this.world.machine.kernel, this.process(pid), address / PAGE);
    const isPresent = (word >> 63n) & 1n;
    const isSwap = (word >> 62n) & 1n;
    const marks = {
      ...((word >> 61n) & 1n ? { file: true } : {}),
      ...((word >> 56n) & 1n ? { exclusive: true } : {}),
    };
    if (isPresent) {
      const pfn = Number(word & ((1n << 55n) - 1n));
      return { is: 'present', ...marks, ...(recorded.page ? { page: this.page(pid, pfn, recorded.page) } : {}) };
    }
    if (!isSwap) return { is: 'none', ...marks };
    const offset = Number((word >> 5n) & ((1n << 50n) - 1n));
    return {
      is: 'swap',
      type: Number(word & 31n),
      offset: offset >= 0xf000000 ? offset.toString(16) : 'ram',
      ...marks,
      ...(recorded.page ? { page: this.page(pid, offset, recorded.page) } : {}),
    };
  }

  private aggregate(pid: number, at: number, np: number, recorded: NonNullable<RecordedEvent['aggregate']>) {
    const counts = { present: 0, swap: 0, none: 0 };
    const offsets: number[] = [];
    let type27 = 0;
    for (let i = 0; i < np; i++) {
      const word = pagemapWord(this.world.machine.kernel, this.process(pid), at / PAGE + i);
      if ((word >> 63n) & 1n) counts.present++;
      else if ((word >> 62n) & 1n) {
        counts.swap++;
        if ((word & 31n) === 27n) type27++;
        offsets.push(Number((word >> 5n) & ((1n << 50n) - 1n)));
      } else counts.none++;
    }
    const ends = [Math.min(...offsets).toString(16), Math.max(...offsets).toString(16)];
    return { ...counts, ...(recorded.type27 === undefined ? {} : { type27, offsets: ends }) };
  }

  /** The figures that are not zero of the mapping at `at`, as the program printed them. */
  private smaps(pid: number, at: number): Record<string, number> {
    const found: Record<string, number> = {};
    let inside = false;
    for (const line of this.world.sh(`cat /proc/${pid}/smaps`).join('\n').split('\n')) {
      const range = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line);
      if (range) inside = Number.parseInt(range[1] ?? '', 16) <= at && at < Number.parseInt(range[2] ?? '', 16);
      const figure = /^(\w+):\s+(\d+) kB$/.exec(line);
      if (inside && figure?.[1] && Number(figure[2]) > 0 && !/^(Kernel|MMU)PageSize$/.test(figure[1]))
        found[figure[1]] = Number(figure[2]);
    }
    return found;
  }

  mmap(pages = 4, how = 'rw anon private', pid = this.pid): number {
    return this.world.mmap(pid, pages, how);
  }

  /** One word of a page, as the program touched them. */
  poke(at: number, value: number, pid = this.pid): void {
    this.world.write(pid, at, 1, String(value));
  }

  peek(at: number, pages = 1, pid = this.pid): readonly string[] {
    return this.world.read(pid, at, pages);
  }

  munmap(at: number, pages = 4): void {
    this.world.munmap(this.pid, at, pages);
  }

  get isOver(): boolean {
    return this.next === EVENTS.length;
  }
}

/** A page that waits for its LRU list is held by the batch; with `any`, as if that had been drained. */
function settled(entry: RecordedEntry, batch: 'as recorded' | 'any'): RecordedEntry {
  const { page } = entry;
  return batch === 'any' && page && !page.lru ? { ...entry, page: { ...page, lru: true, ref: page.ref - 1 } } : entry;
}

function histogram(bytes: readonly number[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const byte of bytes) counts[byte] = (counts[byte] ?? 0) + 1;
  return counts;
}

const sequence = new Sequence();
const { world, pid } = sequence;
const page = (at: number, index: number): number => at + index * PAGE;
/** Sections go on from each other: the order of free device pages is part of what is compared. */
const section = (name: string, title: string, run: () => void): void => {
  it(`${name}: ${title}`, () => {
    sequence.section(name);
    run();
  });
};

describe('the recorded sequence of 6.12', () => {
  section('S1', 'four pages go, come back by reading, writing and command, and end on the device', () => {
    const at = sequence.mmap();
    sequence.state('mmap, untouched', at);
    for (let i = 0; i < 4; i++) sequence.poke(page(at, i), 0x41 + i);
    sequence.state('after CPU write', at);
    expect(sequence.ioctl(at)).toEqual([0, 1, 2, 3].map((i) => `words ${i * 1024}-${i * 1024 + 1023}: ${0x41 + i}`));
    sequence.says('device copy: 41 42 43 44');
    sequence.state('after MIGRATE_TO_DEV 4', at);
    sequence.ioctl(page(at, 3));
    sequence.state('after device READ page3 (no fault expected)', at);
    sequence.ioctl(page(at, 3));
    sequence.state('after device WRITE page3', at);
    expect(sequence.peek(page(at, 1))).toEqual(all(1, String(0x42)));
    sequence.says('cpu read page1 = 42');
    sequence.state('after CPU READ page1', at);
    sequence.poke(page(at, 2), 0x55);
    sequence.state('after CPU WRITE page2', at);
    sequence.ioctl(at);
    sequence.state('MIGRATE_TO_DEV 4 again (pages 0,3 already on device)', at);
    sequence.ioctl(at);
    sequence.state('MIGRATE_TO_SYS pages 0-1', at);
    world.madvise(pid, page(at, 2), 1, 'dontneed');
    sequence.state('MADV_DONTNEED device page2', at);
    sequence.munmap(at);
    sequence.state('after munmap (page3 was on device)');
  });

  section('S2', 'nothing and the page of zeros become pages of the device', () => {
    const at = sequence.mmap();
    sequence.peek(at);
    sequence.state('page0 read (zero page), others untouched', at);
    sequence.ioctl(at);
    sequence.state('after MIGRATE_TO_DEV', at);
    // The recorded program's compiler read page 3 first.
    expect(sequence.peek(page(at, 3))).toEqual(all(1, '0'));
    expect(sequence.peek(at)).toEqual(all(1, '0'));
    sequence.says('cpu read 0 0');
    sequence.state('after CPU READ 0 and 3', at);
    sequence.munmap(at);
  });

  section('S3', 'a read-only mapping moves, and stays read-only until it is written', () => {
    const at = sequence.mmap();
    for (let i = 0; i < 4; i++) sequence.poke(page(at, i), i + 1);
    world.mprotect(pid, at, 4, 'r');
    sequence.state('after write, mprotect(READ)', at);
    sequence.ioctl(at);
    sequence.state('MIGRATE_TO_DEV of PROT_READ vma', at);
    sequence.ioctl(at);
    world.mprotect(pid, at, 4, 'rw');
    sequence.state('mprotect back to RW', at);
    sequence.poke(at, 9);
    sequence.state('CPU write page0', at);
    world.mprotect(pid, at, 4, 'none');
    sequence.state('mprotect NONE', at);
    sequence.ioctl(at);
    sequence.munmap(at);
  });

  section('S4', 'parent and child share pages on the device, and bring them home', () => {
    const at = sequence.mmap(2);
    sequence.poke(at, 5);
    sequence.poke(page(at, 1), 5);
    sequence.ioctl(at);
    sequence.state('parent: on device', at);
    const child = world.fork(pid);
    world.sh(`gpu open 0 ${child}`);
    sequence.state('child: after fork', at, child);
    expect(sequence.peek(at, 1, child)).toEqual(all(1, '5'));
    sequence.says('child cpu read 5');
    sequence.state('child: after CPU READ page0', at, child);
    sequence.poke(page(at, 1), 6, child);
    sequence.state('child: after CPU WRITE page1', at, child);
    world.sh(`proc exit ${child}`);
    sequence.state('parent: after child exit', at);
    expect(sequence.peek(at, 2)).toEqual(all(2, '5'));
    sequence.says('parent sees 5 5');
    sequence.state('parent: after CPU read both', at);
    sequence.munmap(at, 2);
  });

  let file = 0;
  section('S5', 'of a private file mapping only the own copy moves', () => {
    // The recorded program wrote its file with write(2), so its pages were on their way to their list; here a
    // process writes it, and its end drains the batch.
    const writer = Number(world.sh('proc new hmm')[0]);
    world.write(writer, world.mmap(writer, 4, 'rw file:tmp shared'), 4, '7');
    world.sh(`proc exit ${writer}`);
    file = sequence.mmap(4, 'rw file:tmp private');
    sequence.peek(file);
    sequence.poke(page(file, 1), 1);
    sequence.state('private file(tmpfs/rootfs) map: 0 read, 1 written(COW), 2-3 untouched', file, pid, 'any');
    sequence.ioctl(file);
    sequence.state('MIGRATE_TO_DEV private file', file, pid, 'any');
    sequence.munmap(file);
  });

  section('S5b', 'pages of a shared file stay', () => {
    const at = sequence.mmap(4, 'rw file:tmp shared');
    sequence.poke(at, 1);
    sequence.state('shared file, page0 written', at);
    sequence.ioctl(at);
    sequence.state('MIGRATE_TO_DEV shared file', at);
    sequence.munmap(at);
  });

  section('S5c', 'shared anonymous pages stay', () => {
    const at = sequence.mmap(4, 'rw anon shared');
    sequence.poke(at, 1);
    sequence.poke(page(at, 1), 1);
    sequence.ioctl(at);
    sequence.state('MIGRATE_TO_DEV shared anon', at);
    sequence.munmap(at);
  });

  section('S6', 'the device takes pages for itself, and the CPU takes them back', () => {
    const at = sequence.mmap();
    for (let i = 0; i < 4; i++) sequence.poke(page(at, i), i + 1);
    sequence.state('before', at);
    sequence.ioctl(at);
    sequence.state('after EXCLUSIVE', at);
    sequence.ioctl(at);
    expect(sequence.peek(at)).toEqual(all(1, '1'));
    sequence.says('cpu read 1');
    sequence.state('after CPU read page0', at);
    sequence.ioctl(at);
    sequence.ioctl(at);
    sequence.state('MIGRATE_TO_DEV of exclusive', at);
    sequence.munmap(at);
  });

  section('S7', 'a page in a pipe stays, an mlocked one moves', () => {
    const at = sequence.mmap();
    for (let i = 0; i < 4; i++) sequence.poke(page(at, i), i + 1);
    const where = `${pid} 0x${at.toString(16)} 1`;
    world.sh(`proc gup ${where} fast`);
    sequence.says('vmsplice ret 4096');
    world.sh(`proc mlock ${pid} 0x${page(at, 1).toString(16)} 1`);
    sequence.state('page0 in a pipe (extra ref), page1 mlocked', at);
    sequence.ioctl(at);
    sequence.state('MIGRATE_TO_DEV', at);
    world.sh(`proc gup-put ${where}`);
    sequence.ioctl(at);
    sequence.state('pipe closed, MIGRATE_TO_DEV again', at);
    sequence.munmap(at);
  });

  section('S8', 'one page of a huge page moves, then all of them', () => {
    const at = sequence.mmap(512);
    world.madvise(pid, at, 512, 'hugepage');
    sequence.poke(at, 1);
    sequence.state('THP first 4 pages', at);
    sequence.state('THP aggregate', at);
    sequence.ioctl(page(at, 4));
    sequence.state('MIGRATE_TO_DEV page4 of the THP: first 8', at);
    sequence.state('aggregate', at);
    sequence.ioctl(at);
    sequence.state('MIGRATE_TO_DEV all 512: aggregate', at);
    sequence.poke(at, 2);
    sequence.state('CPU touches one byte of page0: aggregate', at);
    sequence.state('first 4', at);
    sequence.munmap(at, 512);
  });

  section('S8b', 'an empty range where a huge page could be moves as single pages', () => {
    const at = sequence.mmap(512);
    world.madvise(pid, at, 512, 'hugepage');
    sequence.ioctl(at);
    sequence.state('aggregate', at);
    sequence.munmap(at, 512);
  });

  section('S9', '1024 pages there and back, and the charge stays', () => {
    const at = sequence.mmap(1024);
    sequence.state('untouched', at);
    world.write(pid, at, 1024, '1');
    sequence.state('written', at);
    const { memcg } = world.machine.kernel.state.processes.get(pid)?.mm ?? {};
    const usage = memcg?.usage;
    sequence.ioctl(at);
    expect(memcg?.usage).toBe(usage);
    sequence.state('on device', at);
    sequence.ioctl(at);
    sequence.state('device read', at);
    sequence.peek(at, 1024);
    sequence.state('CPU faulted all back', at);
    expect(memcg?.usage).toBe(usage);
    sequence.ioctl(at);
    sequence.munmap(at, 1024);
    sequence.state('munmapped while on device');
  });

  section('S10', 'two devices: what is on the one comes home for the other', () => {
    const at = sequence.mmap();
    for (let i = 0; i < 4; i++) sequence.poke(page(at, i), i + 1);
    sequence.ioctl(at);
    sequence.ioctl(page(at, 2));
    sequence.state('0-1 on dev0, 2-3 on dev1 (snapshot by dev0)', at);
    expect(sequence.ioctl(at)).toEqual(['pages 0-1: 0x0 NONE', 'pages 2-3: 0x22 DEVPRIV_LOCAL|WRITE']);
    sequence.says('dev1 sees NONE NONE DEVPRIV_LOCAL|WRITE DEVPRIV_LOCAL|WRITE');
    sequence.ioctl(page(at, 2));
    sequence.state('dev0 device-READ of page2 (lives on dev1)', at);
    sequence.ioctl(at);
    sequence.state('dev0 MIGRATE_TO_DEV all', at);
    sequence.munmap(at);
  });

  section('S11', 'mremap takes entries along, pageout leaves them, mlock brings them home', () => {
    // Something lies above, as libraries did: it cannot grow where it is.
    sequence.mmap(1, 'none anon private');
    const at = sequence.mmap();
    for (let i = 0; i < 2; i++) sequence.poke(page(at, i), i + 1);
    sequence.ioctl(at);
    const to = Number(world.sh(`proc mremap ${pid} 0x${at.toString(16)} 4 new=8`)[0]);
    expect(to).toBe(at - 8 * PAGE);
    sequence.says('mremap 0x7f7cec8a1000 -> 0x7f7cec899000');
    sequence.state('after mremap', to);
    world.madvise(pid, to, 4, 'pageout');
    sequence.says('MADV_PAGEOUT r=0');
    sequence.state('after PAGEOUT', to);
    sequence.ioctl(page(to, 2));
    sequence.state('device WRITE to unpopulated page2 (hmm_range_fault)', to);
    sequence.ioctl(page(to, 3));
    sequence.state('device READ of unpopulated page3', to);
    world.sh(`proc mlock ${pid} 0x${to.toString(16)} 4`);
    sequence.says('mlock r=0');
    sequence.state('after mlock(2) of range with device pages', to);
  });

  it('ends where the recording ends', () => {
    expect(sequence.isOver).toBe(true);
  });
});
