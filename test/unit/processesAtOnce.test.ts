/** Several in the middle of something with one process, one file or one device. */
import { describe, expect, it } from 'vitest';
import { pte_pfn } from '../../sim/arch/pte.ts';
import { type Machine, type Program, runShellLine, shellProgram } from '../../sim/index.ts';
import { pteAt } from '../../sim/mm/pgtable.ts';
import { lru_add_drain } from '../../sim/mm/swap.ts';
import { pageout_folio } from '../../sim/mm/vmscan.ts';
import { checkAddressSpaces } from '../support/addressSpaces.ts';
import { checkDevicesAtRest } from '../support/lifetimeDevices.ts';
import { boot, sh } from '../support/machines.ts';
import { run } from '../support/testDevice.ts';

/** Runs a line until `frame` is entered, or until it waits. */
function begin(machine: Machine, line: string, frame = ''): Program {
  const program = machine.start(shellProgram(machine.kernel, line));
  machine.advance(program, { shouldPause: (point) => point.kind === 'call' && point.frame.name === frame });
  expect(program.isOver, `${line} is under way`).toBe(false);
  return program;
}

function finish(machine: Machine, program: Program): void {
  machine.advance(program);
  machine.runReady();
  expect([program.status, program.error?.message], program.spec.label).toEqual(['done', undefined]);
}

const rest = (machine: Machine): void => {
  checkAddressSpaces(machine);
  checkDevicesAtRest(machine);
};

describe('processes and who is in the middle of something with them', () => {
  it('two children that are made at a time have a PID each', () => {
    const machine = boot();
    sh(machine, 'proc new');
    const first = begin(machine, 'proc fork 100', 'dup_mmap');
    const second = runShellLine(machine, 'proc fork 100');
    finish(machine, first);
    expect([first.output, second?.output]).toEqual([['101'], ['102']]);
    expect([...machine.kernel.state.processes.keys()]).toEqual([100, 102, 101]);
    rest(machine);
  });

  it('a fork that fails takes no PID', () => {
    const machine = boot();
    sh(machine, 'swapon /swap 600000', 'proc new', 'proc mmap 100 700000', 'swapoff /swap');
    const before = machine.kernel.state.nextPid;
    expect(runShellLine(machine, 'proc fork 100')?.error?.message).toMatch(/ENOMEM/);
    expect(machine.kernel.state.nextPid).toBe(before);
    rest(machine);
  });

  it('a process ends when the calls on its memory have returned, and nothing is mapped afterwards', () => {
    const machine = boot();
    sh(machine, 'proc new', 'proc mmap 100 4 at=0x7f0000000000');
    const reader = begin(machine, 'proc read 100 0x7f0000000000 4', 'exc_page_fault');
    const exit = begin(machine, 'proc exit 100');
    expect(exit.waitsFor?.holders()).toEqual(['proc read 100 0x7f0000000000 4']);
    finish(machine, reader);
    expect(exit.status).toBe('done');
    expect([machine.kernel.state.mms.size, machine.kernel.state.folios.size]).toEqual([0, 0]);
  });

  it('a mapping of a file that is refused leaves the file to who maps it', () => {
    const machine = boot();
    sh(machine, 'proc new', 'proc new', 'proc mmap 100 1 at=0x7f0000000000');
    const refused = begin(machine, 'proc mmap 100 1 file:data at=0x7f0000000000', 'do_mmap');
    sh(machine, 'proc mmap 101 1 file:data shared at=0x7f0000000000', 'proc write 101 0x7f0000000000 1 7');
    machine.advance(refused);
    expect(refused.error?.message).toMatch(/EEXIST/);
    expect(machine.kernel.state.files.get('data')?.pages.size).toBe(1);
    rest(machine);
  });
});

describe('two faults on one page', () => {
  it('the second one, which saw the entry before the first changed it, changes nothing', () => {
    const machine = boot();
    sh(machine, 'modprobe test_hmm', 'proc new', 'gpu open 0 100', 'proc mmap 100 1 at=0x7f0000000000');
    sh(machine, 'proc write 100 0x7f0000000000 1 7', 'proc fork 100');
    const late = begin(machine, 'proc write 100 0x7f0000000000 1 8', 'do_wp_page');
    sh(machine, 'proc write 100 0x7f0000000000 1 9');
    finish(machine, late);
    expect(sh(machine, 'proc read 100 0x7f0000000000 1').output).toEqual(['0x7f0000000000 1 page(s): 8']);
    expect(sh(machine, 'proc read 101 0x7f0000000000 1').output).toEqual(['0x7f0000000000 1 page(s): 7']);
    rest(machine);
  });

  it('nor does one that saw a swap slot which is free again', () => {
    const machine = boot();
    sh(machine, 'swapon /swap 40', 'proc new', 'proc mmap 100 1 at=0x7f0000000000');
    sh(machine, 'proc write 100 0x7f0000000000 1 7', 'proc madvise 100 0x7f0000000000 1 PAGEOUT');
    const late = begin(machine, 'proc read 100 0x7f0000000000 1', 'do_swap_page');
    sh(machine, 'proc write 100 0x7f0000000000 1 9', 'swapoff /swap');
    finish(machine, late);
    expect(late.output).toEqual(['0x7f0000000000 1 page(s): 9']);
    rest(machine);
  });
});

describe('reclaim and a write to the page that it takes', () => {
  it.each(['5.8', '6.1', '6.12', '7.3'] as const)(
    'the copy stays mapped, and the page that was to go loses nothing twice (%s)',
    (release) => {
      const machine = boot('qemu-2g', release);
      sh(machine, 'modprobe test_hmm', 'swapon /swap 40', 'proc new', 'gpu open 0 100');
      sh(machine, 'proc mmap 100 1 at=0x7f0000000000', 'proc write 100 0x7f0000000000 1 7');
      // Alone with the page again, and not allowed to write to it without a look.
      sh(machine, 'proc fork 100', 'proc exit 101');
      const out = begin(machine, 'proc madvise 100 0x7f0000000000 1 PAGEOUT', 'invalidate');
      sh(machine, 'proc write 100 0x7f0000000000 1 8');
      finish(machine, out);
      expect(sh(machine, 'proc read 100 0x7f0000000000 1').output).toEqual(['0x7f0000000000 1 page(s): 8']);
      expect(machine.kernel.state.processes.get(100)?.mm?.rss).toEqual([0, 1, 0, 0]);
      rest(machine);
    },
  );
});

describe('the test GPU and who is in the middle of something with it', () => {
  it('the module is in use as soon as somebody opens its device', () => {
    const machine = boot();
    sh(machine, 'modprobe test_hmm', 'proc new');
    const open = begin(machine, 'gpu open 0 100', 'mmu_interval_notifier_insert');
    expect(runShellLine(machine, 'rmmod test_hmm')?.error).toMatchObject({ status: -16 });
    finish(machine, open);
    sh(machine, 'gpu close 0 100', 'rmmod test_hmm');
  });

  it('a close leaves a call on the file to its end', () => {
    const machine = boot();
    sh(machine, 'modprobe test_hmm', 'proc new', 'proc mmap 100 4 at=0x7f0000000000', 'gpu open 0 100');
    const read = begin(machine, 'gpu read 0 100 0x7f0000000000 4', 'hmm_range_fault');
    sh(machine, 'gpu close 0 100');
    expect(machine.kernel.state.dmirror?.mirrors).toHaveLength(1);
    finish(machine, read);
    expect(read.output[0]).toBe('ret 0 cpages 4 faults 1');
    expect(machine.kernel.state.dmirror?.mirrors).toEqual([]);
    rest(machine);
  });

  it('nobody has a device open whose last close is under way', () => {
    const machine = boot();
    sh(machine, 'modprobe test_hmm', 'proc new', 'gpu open 0 100');
    const close = begin(machine, 'gpu close 0 100', 'mmu_interval_notifier_remove');
    expect(runShellLine(machine, 'gpu release 0')?.error).toMatchObject({ status: -9 });
    finish(machine, close);
    expect(machine.kernel.state.dmirror?.mirrors).toEqual([]);
    rest(machine);
  });

  it('a module that goes takes no one in, and who loads it again waits', () => {
    const machine = boot();
    sh(machine, 'modprobe test_hmm', 'proc new');
    const gone = begin(machine, 'rmmod test_hmm', 'memunmap_pages');
    expect(runShellLine(machine, 'gpu open 0 100')?.error).toMatchObject({ status: -19 });
    expect(runShellLine(machine, 'rmmod test_hmm')?.error).toMatchObject({ status: -16 });
    const again = begin(machine, 'modprobe test_hmm');
    expect(again.waitsFor?.holders()).toEqual(['rmmod test_hmm']);
    finish(machine, gone);
    expect([again.status, machine.kernel.state.dmirror?.module]).toEqual(['done', 'live']);
    sh(machine, 'gpu open 0 100');
  });

  it('a child that maps the device of its parent gets the pages, wherever the device looks', () => {
    const machine = boot();
    sh(machine, 'modprobe test_hmm', 'proc new', 'gpu open 0 100', 'proc fork 100', 'proc exit 100');
    sh(machine, 'gpu mmap 0 101 2 r');
    expect(machine.kernel.state.processes.get(101)?.mm?.total_vm).toBe(2);
    rest(machine);
    sh(machine, 'proc exit 101', 'rmmod test_hmm');
    expect(machine.kernel.state.folios.size).toBe(0);
  });

  it('a fresh page of a device in a locked mapping is not mlocked', () => {
    const machine = boot();
    sh(machine, 'modprobe test_hmm', 'proc new', 'gpu open 0 100', 'proc mmap 100 4 at=0x7f0000000000');
    expect(runShellLine(machine, 'proc mlock 100 0x7f0000000000 5')?.error?.message).toMatch(/ENOMEM/);
    sh(machine, 'gpu to-dev 0 100 0x7f0000000000 4');
    expect(machine.kernel.state.vm.get('nr_mlock') ?? 0).toBe(0);
    rest(machine);
  });

  it.each(['5.8', '6.1', '6.12', '7.3'] as const)(
    'a page that somebody holds on its device is waited for by whoever touches it (%s)',
    (release) => {
      const machine = boot('qemu-2g', release);
      sh(machine, 'modprobe test_hmm', 'proc new', 'gpu open 0 100', 'proc mmap 100 2 at=0x7f0000000000');
      sh(machine, 'proc write 100 0x7f0000000000 2 7', 'gpu to-dev 0 100 0x7f0000000000 2');
      sh(machine, 'inject pin 100 0x7f0000000000');
      const read = begin(machine, 'proc read 100 0x7f0000000000 2');
      expect(read.waitsFor?.holders()).toEqual(['inject pin']);
      // The mmap lock is free meanwhile.
      sh(machine, 'proc mmap 100 1', 'inject clear');
      expect([read.status, read.output]).toEqual(['done', ['0x7f0000000000 2 page(s): 7']]);
      rest(machine);
    },
  );

  it('get_user_pages waits for such a page, too', () => {
    const machine = boot();
    sh(machine, 'modprobe test_hmm', 'proc new', 'gpu open 0 100', 'proc mmap 100 1 at=0x7f0000000000');
    sh(machine, 'gpu to-dev 0 100 0x7f0000000000 1', 'inject pin 100 0x7f0000000000');
    const gup = begin(machine, 'proc gup 100 0x7f0000000000 1 write');
    sh(machine, 'inject clear');
    expect([gup.status, gup.output]).toEqual(['done', ['1 page(s)']]);
    rest(machine);
  });

  it.each(['6.1', '6.12', '7.3'] as const)(
    'who comes to a fault after the page has gone home finds it there (%s)',
    (release) => {
      const machine = boot('qemu-2g', release);
      sh(machine, 'modprobe test_hmm', 'proc new', 'gpu open 0 100', 'proc mmap 100 1 at=0x7f0000000000');
      sh(machine, 'proc write 100 0x7f0000000000 1 7', 'gpu to-dev 0 100 0x7f0000000000 1');
      const late = begin(machine, 'proc read 100 0x7f0000000000 1', 'do_swap_page');
      sh(machine, 'proc read 100 0x7f0000000000 1');
      finish(machine, late);
      expect(late.output).toEqual(['0x7f0000000000 1 page(s): 7']);
      rest(machine);
    },
  );
});

describe('pages that went to swap before a fork', () => {
  it.each(['4.14', '5.10', '6.12', '7.3'] as const)(
    'belong to all who may map them when the child brings them back (%s)',
    (release) => {
      const machine = boot('qemu-2g', release);
      sh(machine, 'swapon /swap 40', 'proc new', 'proc mmap 100 4 at=0x7f0000000000');
      const mm = machine.kernel.state.processes.get(100)?.mm;
      sh(machine, 'proc write 100 0x7f0000000000 4 7');
      // What reclaim would do: to 5.3 there is no MADV_PAGEOUT.
      run(machine, function* (kernel) {
        lru_add_drain(kernel);
        for (let vpn = 0x7f0000000; mm && vpn < 0x7f0000004; vpn++)
          yield* pageout_folio(kernel, pte_pfn(pteAt(mm, vpn)));
      });
      expect(mm?.rss).toEqual([0, 0, 4, 0]);
      sh(machine, 'proc fork 100', 'proc write 101 0x7f0000000000 4 8');
      expect(sh(machine, 'proc read 100 0x7f0000000000 4').output).toEqual(['0x7f0000000000 4 page(s): 7']);
      expect(sh(machine, 'proc read 101 0x7f0000000000 4').output).toEqual(['0x7f0000000000 4 page(s): 8']);
      rest(machine);
    },
  );
});
