/** Processes: fork, exit, who keeps an address space alive, and memory that is read and written. */
import { describe, expect, it } from 'vitest';
import type { Mm, Process } from '../../sim/include/mm_types.ts';
import { type Machine, type Release, runShellLine, statusOf } from '../../sim/index.ts';
import { open_device } from '../../sim/kernel/exit.ts';
import { mmdrop, mmget_not_zero, mmgrab, mmput } from '../../sim/kernel/fork.ts';
import { down_read, down_write, up_read, up_write } from '../../sim/kernel/locking.ts';
import { lineProgram } from '../../sim/machine/machine.ts';
import { checkAddressSpaces } from '../support/addressSpaces.ts';
import { boot, sh } from '../support/machines.ts';
import { short } from '../support/same.ts';

function start(release: Release = '6.12'): Machine {
  const machine = boot('qemu-2g', release);
  sh(machine, 'p = proc new prog');
  return machine;
}

const processOf = (machine: Machine, pid = 100): Process & { mm: Mm } => {
  const found = machine.kernel.state.processes.get(pid);
  if (!found?.mm) throw new Error(`no process ${pid}`);
  return found as Process & { mm: Mm };
};

const output = (machine: Machine, line: string): string => sh(machine, line).output.join('\n');
const freePages = (machine: Machine): number =>
  machine.kernel.nodes.reduce((sum, node) => sum + node.node_zones.reduce((all, zone) => all + zone.nr_free, 0), 0);

function refused(machine: Machine, line: string): string {
  const before = short(machine.canonical());
  const program = runShellLine(machine, line);
  expect(program && statusOf(program), line).toBeLessThan(0);
  expect(short(machine.canonical()), `${line} changes nothing`).toBe(before);
  return program?.error?.message ?? '';
}

describe('fork', () => {
  it('copies what is mapped and shares the pages; each keeps what it writes', () => {
    const machine = start();
    sh(machine, 'a = proc mmap p 4', 'proc write p a 4', 'c = proc fork p');
    const [page] = [...machine.kernel.state.folios.values()];
    expect(machine.kernel.pages.mapcount.get(page?.pfn ?? 0)).toBe(1);
    checkAddressSpaces(machine);
    sh(machine, 'proc write c a 2 -i', 'proc write p a+0x3000 1 7');
    expect(output(machine, 'proc read p a 4')).toBe(
      '0x7ffff7ffb000 3 page(s): word i holds i\n0x7ffff7ffe000 1 page(s): 7',
    );
    expect(output(machine, 'proc read c a 4')).toBe(
      '0x7ffff7ffb000 2 page(s): word i holds -i\n0x7ffff7ffd000 2 page(s): word i holds i',
    );
    checkAddressSpaces(machine);
  });

  it('shares what is mapped shared: the parent sees what the child writes', () => {
    const machine = start();
    sh(machine, 'a = proc mmap p 2 shared', 'proc write p a 2', 'c = proc fork p', 'proc write c a 2 -i');
    expect(output(machine, 'proc read p a 2')).toBe('0x7ffff7ffd000 2 page(s): word i holds -i');
    checkAddressSpaces(machine);
    sh(machine, 'proc exit p', 'proc exit c');
    expect([...machine.kernel.state.files.keys()]).toEqual([]);
    expect(machine.kernel.state.folios.size).toBe(0);
  });

  it('puts the child in the memory cgroup of its parent', () => {
    const machine = start();
    sh(machine, 'a = proc mmap p 2', 'c = proc fork p', 'proc write c a 2');
    expect(processOf(machine, 101).mm.memcg.name).toBe('prog');
    expect(machine.kernel.state.memcgs.get('prog')?.usage).toBe(2);
    checkAddressSpaces(machine);
  });

  it('waits for the mmap lock, and says who holds it', () => {
    const machine = start();
    sh(machine, 'a = proc mmap p 1');
    const { kernel } = machine;
    const { mmap_lock } = processOf(machine).mm;
    const holder = machine.start(
      lineProgram('someone', function* () {
        yield* down_read(kernel, mmap_lock);
        yield { kind: 'pause', why: 'in the middle' };
        up_read(kernel, mmap_lock);
        return undefined;
      }),
    );
    machine.advance(holder);
    const fork = runShellLine(machine, 'proc fork p');
    expect([fork?.status, fork?.waitsFor?.what]).toEqual(['waiting', 'mmap_lock of prog (100) for writing']);
    expect(fork?.waitsFor?.holders()).toEqual(['someone']);
    // A reader that comes later waits behind the writer.
    const reader = runShellLine(machine, 'proc read p a 1');
    expect(reader?.status).toBe('waiting');
    machine.advance(holder);
    machine.runReady();
    expect([fork?.status, reader?.status]).toEqual(['done', 'done']);
    checkAddressSpaces(machine);
  });
});

describe('exit', () => {
  it('gives every page and page table back', () => {
    const machine = start();
    const before = freePages(machine);
    sh(machine, 'a = proc mmap p 600', 'proc write p a 600', 'b = proc mmap p 3 file:data shared', 'proc read p b 1');
    sh(machine, 'proc exit p SIGKILL');
    const cached = machine.kernel.state.folios.size;
    expect(freePages(machine)).toBe(before - cached);
    expect([...machine.kernel.state.mms.keys()]).toEqual([]);
    checkAddressSpaces(machine);
  });

  it('leaves a zombie to a parent that lives, and is gone with it', () => {
    const machine = start();
    sh(machine, 'c = proc fork p', 'd = proc fork c');
    expect(output(machine, 'proc exit c SIGTERM')).toBe('101 was ended by SIGTERM');
    expect(machine.kernel.state.processes.get(101)?.exit).toEqual({ code: 15, signal: 'SIGTERM' });
    expect(refused(machine, 'proc exit c')).toMatch(/ESRCH/);
    sh(machine, 'proc exit p');
    expect([...machine.kernel.state.processes.keys()]).toEqual([102]);
    sh(machine, 'proc exit 102');
    expect(machine.kernel.state.processes.size).toBe(0);
  });

  it('closes a device after the address space is gone, and only the last of those who share it', () => {
    const machine = start();
    const { kernel } = machine;
    const closed: string[] = [];
    machine.run(
      lineProgram('open', function* () {
        yield { kind: 'pause', why: '' };
        return undefined;
      }),
    );
    const process = processOf(machine);
    const file = open_device(kernel, process, 'gpu0', function* () {
      yield* [];
      closed.push(process.mm === undefined ? 'without an mm' : 'with its mm');
    });
    sh(machine, 'c = proc fork p', 'proc exit c');
    expect([closed, file.f_count]).toEqual([[], 1]);
    sh(machine, 'proc exit p');
    expect(closed).toEqual(['without an mm']);
  });

  it('waits as long as someone else uses the address space', () => {
    const machine = start();
    const { kernel } = machine;
    sh(machine, 'a = proc mmap p 2', 'proc write p a 2');
    const { mm } = processOf(machine);
    expect(mmget_not_zero(kernel, mm)).toBe(true);
    sh(machine, 'proc exit p');
    // exit_mm is past; the pages live on with the other user.
    expect([mm.mm_users, mm.vmas.length, kernel.state.folios.size]).toEqual([1, 1, 2]);
    mmgrab(kernel, mm);
    machine.run(
      lineProgram('mmput', function* () {
        yield* mmput(kernel, mm);
        return undefined;
      }),
    );
    expect([mm.mm_users, mm.vmas.length, kernel.state.folios.size, kernel.state.mms.size]).toEqual([0, 0, 0, 1]);
    expect(mmget_not_zero(kernel, mm)).toBe(false);
    mmdrop(kernel, mm);
    expect(kernel.state.mms.size).toBe(0);
  });

  it('waits for who holds the mmap lock', () => {
    const machine = start();
    const { kernel } = machine;
    sh(machine, 'a = proc mmap p 2', 'proc write p a 2');
    const { mmap_lock } = processOf(machine).mm;
    const holder = machine.start(
      lineProgram('someone', function* () {
        yield* down_write(kernel, mmap_lock);
        yield { kind: 'pause', why: 'in the middle' };
        up_write(kernel, mmap_lock);
        return undefined;
      }),
    );
    machine.advance(holder);
    const exit = runShellLine(machine, 'proc exit p');
    expect(exit?.waitsFor?.what).toBe('mmap_lock of prog (100) for reading');
    machine.stop(holder);
    machine.runReady();
    expect(exit?.status).toBe('done');
    checkAddressSpaces(machine);
  });
});

describe('reading and writing', () => {
  it('maps the zero page for a read, and a page of its own for a write', () => {
    const machine = start();
    sh(machine, 'a = proc mmap p 4');
    expect(output(machine, 'proc read p a 4')).toBe('0x7ffff7ffb000 4 page(s): 0');
    expect([machine.kernel.state.folios.size, processOf(machine).mm.rss]).toEqual([0, [0, 0, 0, 0]]);
    sh(machine, 'proc write p a+0x1000 1 5');
    expect(output(machine, 'proc read p a 4')).toBe(
      '0x7ffff7ffb000 1 page(s): 0\n0x7ffff7ffc000 1 page(s): 5\n0x7ffff7ffd000 2 page(s): 0',
    );
    checkAddressSpaces(machine);
  });

  it('a fresh page has the reference of its mapping and that of the LRU batch, as recorded', () => {
    const machine = start();
    sh(machine, 'a = proc mmap p 4', 'proc write p a 4');
    const { kernel } = machine;
    for (const { pfn } of kernel.state.folios.values()) {
      expect([kernel.pages.refcount.get(pfn), kernel.pages.mapcount.get(pfn)]).toEqual([2, 0]);
      // uptodate | swapbacked, not yet on the LRU.
      expect(kernel.pages.flags.get(pfn) & 0x20828).toBe(0x20808);
    }
  });

  it('writes patterns over the whole range, and adds to what is there', () => {
    const machine = start();
    sh(machine, 'a = proc mmap p 4', 'proc write p a 4', 'proc write p a 4 +1');
    expect(output(machine, 'proc read p a 4')).toBe('0x7ffff7ffb000 4 page(s): word i holds i+1');
    sh(machine, 'proc write p a 4 i+100');
    expect(output(machine, 'proc read p a 1')).toBe(
      '0x7ffff7ffb000 1 page(s): word i holds i+100\n0x64 0x65 0x66 0x67 0x68 0x69 0x6a 0x6b',
    );
    expect(sh(machine, 'v = proc read p a 1').valueText).toMatch(/100/);
  });

  it('refuses what is not mapped or not allowed with -EFAULT, before anything is touched', () => {
    const machine = start();
    sh(machine, 'a = proc mmap p 4', 'proc mprotect p a+0x2000 1 r', 'proc mprotect p a+0x3000 1 none');
    expect(refused(machine, 'proc write p a 4')).toBe('proc write: -EFAULT (Bad address): SIGSEGV at 0x7ffff7ffd000');
    expect(refused(machine, 'proc read p a 4')).toMatch(/SIGSEGV at 0x7ffff7ffe000/);
    expect(refused(machine, 'proc read p 0x1000 1')).toMatch(/EFAULT/);
    expect(refused(machine, 'proc read p a 0')).toMatch(/EINVAL/);
    expect(refused(machine, 'proc write p a 1 often')).toMatch(/EINVAL/);
    expect(refused(machine, 'proc read p nowhere 1')).toMatch(/nowhere is no number/);
    expect(refused(machine, 'proc dance p')).toMatch(/usage/);
    sh(machine, 'b = proc mmap p 4 file:short', 'd = proc mmap p 8 file:short');
    expect(refused(machine, 'proc read p d 8')).toMatch(/SIGBUS/);
    checkAddressSpaces(machine);
  });

  it('can be undone and done again to the same bytes', () => {
    const machine = start();
    const first = short(machine.canonical());
    const at = machine.position;
    sh(machine, 'a = proc mmap p 8', 'proc write p a 8', 'c = proc fork p', 'proc munmap c a+0x1000 2', 'proc exit p');
    const end = short(machine.canonical());
    const last = machine.position;
    machine.travel(at);
    expect(short(machine.canonical())).toBe(first);
    machine.travel(last);
    expect(short(machine.canonical())).toBe(end);
  });
});

describe('NAME = command', () => {
  it('keeps what a command returns, for later lines and in paths', () => {
    const machine = start();
    sh(machine, 'a = proc mmap p 4', 'b = a + 4096');
    expect(output(machine, 'proc read p $b 1')).toMatch(/^0x7ffff7ffc000/);
    expect(output(machine, 'echo $p')).toBe('0x64');
    expect(output(machine, 'cat /proc/$p/maps')).toMatch(/^7ffff7ffb000-7ffff7fff000 rw-p/);
  });

  it('says so where a command returns nothing', () => {
    const machine = start();
    expect(runShellLine(machine, 'x = dmesg')?.error?.message).toMatch(/returns nothing/);
    expect(runShellLine(machine, 'proc = proc new')?.error?.message).toMatch(/is a command/);
  });
});
