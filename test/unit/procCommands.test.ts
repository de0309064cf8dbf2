/** Command lines about processes and the test GPU as a newcomer types them: what each answers, above all when it is wrong. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseArguments } from '../../extension/cli/args.ts';
import { CStop } from '../../sim/c/environment.ts';
import { BadAccess } from '../../sim/c/value.ts';
import { type Machine, type Release, runShellLine, statusOf } from '../../sim/index.ts';
import { ShellError } from '../../sim/shell/error.ts';
import { checkAddressSpaces } from '../support/addressSpaces.ts';
import { boot, sh } from '../support/machines.ts';
import { short } from '../support/same.ts';
import '../support/seed.ts';
import { newSession } from '../support/sessions.ts';

const RELEASES: readonly Release[] = ['4.14', '5.8', '6.12', '7.3'];
const EPERM = -1;
const ESRCH = -3;
const EBADF = -9;
const ENOMEM = -12;
const EFAULT = -14;
const EBUSY = -16;
const EEXIST = -17;
const ENODEV = -19;
const EINVAL = -22;

/** Process 100 with eight pages at `a`, and device 0 open where the release has the module. */
function start(release: Release): Machine {
  const machine = boot('qemu-2g', release);
  sh(machine, 'proc new app', 'a = proc mmap 100 8', 'proc write 100 a 8');
  if (machine.kernel.facts.testHmm) sh(machine, 'modprobe test_hmm', 'gpu open 0 100');
  return machine;
}

/** A line that has to fail and to change nothing: its status and what it says. */
function refused(machine: Machine, line: string): [status: number, says: string] {
  const before = short(machine.canonical());
  const program = runShellLine(machine, line);
  expect(program?.isOver, `${line} ends`).toBe(true);
  expect(short(machine.canonical()), `${line} changes nothing`).toBe(before);
  return [program ? statusOf(program) : 0, program?.error?.message ?? ''];
}

describe.each(RELEASES)('bad command lines in %s', (release) => {
  const machine = start(release);
  it.each<[line: string, status: number, says: RegExp]>([
    // Who is not there.
    [
      'proc read 99 a 1',
      ESRCH,
      /^proc read: -ESRCH \(No such process\): there is no process 99; proc list shows them$/,
    ],
    ['proc fork 99', ESRCH, /no process 99/],
    ['proc exit 99', ESRCH, /no process 99/],
    ['pagemap 99 a 1', ESRCH, /no process 99/],
    ['inject pin 99 a', ESRCH, /^inject pin: .*no process 99/],
    ['inject non-blockable 99', ESRCH, /^inject non-blockable: .*no process 99/],
    // What is not mapped.
    ['proc read 100 0x1000 1', EFAULT, /SIGSEGV at 0x1000$/],
    ['proc write 100 a+0x7000 2', EFAULT, /SIGSEGV at 0x7ffff7fff000$/],
    ['proc mprotect 100 0x1000 1 r', ENOMEM, /ENOMEM/],
    ['proc mremap 100 0x1000 1', EFAULT, /EFAULT/],
    ['proc madvise 100 0x1000 1 DONTNEED', ENOMEM, /ENOMEM/],
    ['proc gup 100 0x1000 1', EFAULT, /^get_user_pages: -EFAULT/],
    ['inject pin 100 0x1000', EFAULT, /^inject pin: -EFAULT \(Bad address\): there is no page at 0x1000$/],
    // Where no page begins, and what is no length.
    ['proc munmap 100 a+1 1', EINVAL, /a\+1 is not a multiple of 4096$/],
    ['proc mmap 100 1 at=0x1001', EINVAL, /0x1001 is not a multiple of 4096$/],
    ['inject pin 100 a+1', EINVAL, /a\+1 is not a multiple of 4096$/],
    ['proc mmap 100 -5', EINVAL, /-5 pages$/],
    ['proc munmap 100 a -1', EINVAL, /-1 pages$/],
    ['proc mmap 100 0', EINVAL, /EINVAL/],
    ['proc munmap 100 a 0', EINVAL, /EINVAL/],
    ['proc read 100 a 0', EINVAL, /no pages$/],
    // Numbers beyond everything.
    ['proc mmap 100 99999999999999999999999', EINVAL, /99999999999999999999999 does not fit 64 bits$/],
    ['proc read 100 0x10000000000000000 1', EINVAL, /0x10000000000000000 does not fit 64 bits$/],
    ['proc read 100 99999999999999999999 1', EINVAL, /is no address$/],
    ['proc read 100 a 1048577', EINVAL, /at most 1048576 pages at a time$/],
    ['proc read 100 0xffffffffffff0000 1', EFAULT, /SIGSEGV/],
    ['proc mmap 100 1048576', ENOMEM, /ENOMEM/],
    // Words that are none.
    ['proc', EINVAL, /^usage:\n {2}proc .*\n[\s\S]*\n {2}proc fork PID\n/],
    ['proc dance 100', EINVAL, /^usage:/],
    ['proc new 9x', EINVAL, /a name has 1 to 15/],
    ['proc new a b', EINVAL, /^usage: proc new \[NAME\]$/],
    ['proc read 100 nowhere 1', EINVAL, /nowhere is no number and no variable that holds one$/],
    ['proc read 100 a', EINVAL, /^usage: proc read PID ADDR PAGES$/],
    ['proc read 100 a 1 2', EINVAL, /^usage: proc read/],
    ['proc write 100 a 1 often', EINVAL, /often: a number, i, i\+N/],
    ['proc mmap 100 1 sideways', EINVAL, /^usage: proc mmap/],
    ['proc mprotect 100 a 1 x', EINVAL, /^proc mprotect: -EINVAL .*x: one of none, r, rw$/],
    ['proc madvise 100 a 1 PLEASE', EINVAL, /^proc madvise: -EINVAL .*PLEASE: one of DONTNEED, /],
    ['proc exit 100 SIGNIFICANT', EINVAL, /one of SIGBUS, SIGKILL, SIGSEGV, SIGTERM$/],
    ['proc gup 100 a 1 gently', EINVAL, /^usage: proc gup/],
    ['proc gup-put 100 a 1', EINVAL, /nobody holds 0x7ffff7ff7000 of 100$/],
    ['proc mmap 100 512 hugetlb', ENOMEM, /no huge pages; echo 8 > \/proc\/sys\/vm\/nr_hugepages makes some$/],
    ['inject trouble', EINVAL, /^usage: inject page\|/],
    ['inject page 0', EINVAL, /between 1 and/],
    ['inject unpin 100 a', EINVAL, /is not pinned by inject$/],
    ['modprobe', EINVAL, /^usage: modprobe test_hmm/],
    ['modprobe xfs', -2, /Module xfs not found/],
    ['rmmod xfs', -2, /Module xfs is not currently loaded/],
    ['gpu', EINVAL, /^usage: gpu open\|close N PID\n {7}gpu read\|/],
    ['gpu dance 0 100', EINVAL, /^usage: gpu open/],
    ['gpu read 0 100 a 1 7', EINVAL, /^usage: gpu read N PID ADDR PAGES$/],
  ])('%s', (line, status, says) => {
    expect(refused(machine, line)).toEqual([status, expect.stringMatching(says)]);
  });

  if (!machine.kernel.facts.testHmm)
    it('there is no module, and so no device', () => {
      expect(refused(machine, 'modprobe test_hmm')).toEqual([-2, expect.stringMatching(/not found/)]);
      expect(refused(machine, 'gpu read 0 100 a 1')).toEqual([
        ENODEV,
        'gpu read: device 0: -ENODEV (No such device): test_hmm is not loaded; modprobe test_hmm',
      ]);
    });
  else
    it.each<[line: string, status: number, says: RegExp]>([
      ['gpu open 9 100', ENODEV, /^gpu open: device 9: -ENODEV .*there are hmm_dmirror0 to hmm_dmirror\d$/],
      ['gpu open -1 100', ENODEV, /^gpu open: device -1: -ENODEV/],
      ['gpu open 0', EINVAL, /^usage: gpu open N PID$/],
      ['gpu open 0 99', ESRCH, /^gpu open: .*no process 99/],
      ['gpu read 1 100 a 1', EBADF, /process 100 has \/dev\/hmm_dmirror1 not open: -EBADF .*; gpu open 1 100$/],
      ['gpu close 1 100', EBADF, /not open/],
      ['gpu read 0 100 a', EINVAL, /^usage: gpu read N PID ADDR PAGES$/],
      ['gpu write 0 100 a 1 often', EINVAL, /often: a number, i, i\+N/],
      ['gpu read 0 100 a+8 1', EINVAL, /EINVAL/],
      ['gpu read 0 100 a 0', EINVAL, /EINVAL/],
      ['gpu read 0 100 a -1', EINVAL, /EINVAL/],
      ['gpu read 0 100 0xfffffffffffff000 2', EINVAL, /EINVAL/],
      ['gpu read 0 100 a 99999999999', EINVAL, /at most 4194304 pages at a time$/],
      ['gpu read 0 100 0x1000 1', EFAULT, /EFAULT/],
      ['gpu to-dev 0 100 0x1000 1', EINVAL, /EINVAL/],
      ['gpu mmap 0 100 0', EINVAL, /EINVAL/],
      ['gpu mmap 0 100 8 often', EINVAL, /^usage: gpu mmap/],
      ['gpu flags 0 100 2', EINVAL, /^usage: gpu flags N PID 0\|1$/],
      ['gpu release 1', EINVAL, /EINVAL|EBADF/],
      ['rmmod test_hmm', EBUSY, /Module test_hmm is in use/],
    ])('%s', (line, status, says) => {
      const [found, message] = refused(machine, line);
      expect(message).toMatch(says);
      if (line !== 'gpu release 1') expect(found).toBe(status);
    });
});

describe('what releases lack, they say', () => {
  it.each<[Release, string, RegExp]>([
    ['4.14', 'proc gup 100 a 1 pin', /4\.14 has no FOLL_PIN/],
    ['5.8', 'gpu to-sys 0 100 a 1', /the device of 5\.8 has no such command$/],
    ['5.8', 'gpu exclusive 0 100 a 1', /no such command$/],
    ['6.12', 'gpu read-unlocked 0 100 a 1', /no such command$/],
    ['4.14', 'proc mremap 100 a 1 dontunmap', /EINVAL/],
  ])('%s: %s', (release, line, says) => {
    expect(refused(start(release), line)).toEqual([EINVAL, expect.stringMatching(says)]);
  });

  it('an address that is taken: MAP_FIXED_NOREPLACE from 4.17, a hint before', () => {
    const line = 'proc mmap 100 1 at=a';
    expect(refused(start('6.12'), line)[0]).toBe(EEXIST);
    expect(sh(start('4.14'), line).output).not.toEqual(['0x7ffff7ff7000']);
  });

  it('two devices at one place: the module is not loaded, and what it had mapped is gone', () => {
    const machine = boot('qemu-2g', '6.12');
    const regions = (): string[] => sh(machine, 'cat /proc/iomem').output;
    const before = regions();
    const line = 'modprobe test_hmm spm_addr_dev0=0x200000000 spm_addr_dev1=0x200000000';
    const program = runShellLine(machine, line);
    expect([program && statusOf(program), program?.error?.message]).toEqual([
      ENOMEM,
      expect.stringMatching(/could not insert 'test_hmm'/),
    ]);
    expect([regions(), machine.kernel.state.pgmaps, machine.kernel.state.dmirror]).toEqual([before, [], undefined]);
    sh(machine, 'modprobe test_hmm');
  });

  it('a page zero mapping needs privilege', () => {
    expect(refused(start('6.12'), 'proc mmap 100 1 at=0')[0]).toBe(EPERM);
  });
});

describe('what a newcomer finds', () => {
  it('help names every word, and help NAME its lines', () => {
    const machine = boot();
    const help = (line: string): string => sh(machine, line).output.join('\n');
    for (const name of ['proc', 'gpu', 'inject', 'modprobe', 'rmmod', 'pagemap', 'swapon'])
      expect(help('help')).toMatch(new RegExp(`^${name}\\b`, 'm'));
    for (const text of help('help').split('\n')) expect(text.length, text).toBeLessThan(140);
    expect(help('help gpu')).toMatch(/^gpu open\|close N PID\ngpu read\|/);
    for (const word of [
      'new',
      'fork',
      'exit',
      'mmap',
      'munmap',
      'read',
      'write',
      'mprotect',
      'mremap',
      'madvise',
      'gup',
    ])
      expect(help('help proc')).toContain(`proc ${word} `);
    for (const word of ['open', 'to-dev', 'to-sys', 'snapshot', 'exclusive', 'check-exclusive', 'release'])
      expect(help('help gpu')).toContain(word);
  });

  it('--help is understood anywhere', () => {
    for (const argv of [['--help'], ['sh', '--help'], ['run', 'hmm.rst:3', '-h']])
      expect(parseArguments(argv)).toEqual({ command: 'help' });
    expect(() => parseArguments(['sh', '--frobnicate'])).toThrow(/no such option/);
  });

  it('the fields of --json: what was returned, what is waited for, and what ends later', async () => {
    const { session } = newSession();
    const run = (line: string) => session.runLine(line);
    expect(await run('proc new')).toEqual({ line: 'proc new', status: 0, output: '100', value: '100', steps: 1 });
    expect(await run('a = proc mmap 100 2')).toMatchObject({ status: 0, output: '0x7ffff7ffd000', steps: 1 });
    expect(await run('pagemap 100 a 1')).toMatchObject({ status: 0, steps: 0 });
    expect(await run('proc munmap 100 a -2')).toMatchObject({ status: EINVAL, steps: 0 });
    await run('mm = get_task_mm(find_task_by_vpid(100))');
    await run('mmap_write_lock(mm)');
    expect(await run('proc read 100 a 1')).toMatchObject({
      status: 0,
      output: '',
      blockedOn: { what: 'mmap_lock of process (100) for reading', holders: ['mmap_write_lock(mm)'] },
    });
    expect((await run('proc write 100 a+0x2000 1')).blockedOn).toBeDefined();
    expect((await run('mmap_write_unlock(mm)')).ended).toEqual([
      { line: 'proc read 100 a 1', status: 0, output: '0x7ffff7ffd000 1 page(s): 0' },
      {
        line: 'proc write 100 a+0x2000 1',
        status: EFAULT,
        output: 'proc write: -EFAULT (Bad address): SIGSEGV at 0x7ffff7fff000',
      },
    ]);
    expect((await run('proc list')).ended).toBeUndefined();
  });
});

describe('any words at all', () => {
  const word = fc.oneof(
    fc.constantFrom('0', '1', '8', '100', '101', '-1', '512', '0x1000', 'a', 'a+0x1000', 'a-0x1000', '$a', 'b', ''),
    fc.constantFrom('r', 'rw', 'none', 'anon', 'file:f', 'hugetlb', 'shared', 'private', 'at=a', 'at=0x600000000000'),
    fc.constantFrom('DONTNEED', 'PAGEOUT', 'COLLAPSE', 'pin', 'write', 'new=4', 'to=a', 'dontunmap', 'i', '+1', '-i'),
    fc.constantFrom('18446744073709551615', '0xfffffffffffff000', '9'.repeat(400), '0x', '1e9', '__proto__', 'NaN'),
    fc.string({ maxLength: 8 }),
  );
  const first = fc.oneof(
    fc.tuple(
      fc.constant('proc'),
      fc.constantFrom(
        ...['new', 'fork', 'exit', 'list', 'mmap', 'munmap', 'mprotect', 'mremap', 'madvise', 'mlock', 'munlock'],
        ...['read', 'write', 'gup', 'gup-put', 'constructor', ''],
      ),
    ),
    fc.tuple(
      fc.constant('gpu'),
      fc.constantFrom(
        ...['open', 'close', 'read', 'read-unlocked', 'write', 'to-dev', 'to-sys', 'snapshot', 'exclusive'],
        ...['check-exclusive', 'release', 'flags', 'mmap', 'toString'],
      ),
    ),
    fc.tuple(
      fc.constantFrom('inject', 'modprobe', 'rmmod', 'pagemap', 'swapon', 'swapoff'),
      fc.constantFrom(
        'page',
        'pin',
        'unpin',
        'non-blockable',
        'clear',
        'list',
        'test_hmm',
        '100',
        'swap0',
        'hasOwnProperty',
      ),
    ),
  );
  // Words that are likely to mean something: a process, an address, a count.
  const usual = fc.tuple(
    fc.constantFrom('0', '100', '101'),
    fc.constantFrom('100', 'a', '1'),
    fc.constantFrom('a', '1', '8'),
  );
  const line = fc.tuple(
    first,
    fc.oneof(
      fc.array(word, { maxLength: 6 }),
      usual.chain((some) => fc.array(word, { maxLength: 3 }).map((more) => [...some, ...more])),
    ),
  );

  it.each(RELEASES)('%s: is refused as a command is refused, and then nothing has changed', (release) => {
    const machine = start(release);
    fc.assert(
      fc.property(line, ([command, words]) => {
        const text = [...command, ...words].join(' ').replace(/[\r\n;#]/g, '_');
        const before = machine.canonical();
        const program = runShellLine(machine, text);
        if (!program?.error) {
          if (program && !program.isOver) machine.stop(program);
          return;
        }
        const { error } = program;
        const isOurs = [ShellError, CStop, BadAccess].some((kind) => error instanceof kind);
        expect(isOurs, `${text}: ${error.stack}`).toBe(true);
        expect(error.message.length, text).toBeLessThan(3000);
        if (machine.canonical() !== before) {
          // What the kernel does on the way to a refusal: pages faulted in, pages moved; never what the line names.
          expect(statusOf(program), `${text}: ${error.message}`).not.toBe(EINVAL);
        }
      }),
      { numRuns: 250 },
    );
    checkAddressSpaces(machine);
  });
});
