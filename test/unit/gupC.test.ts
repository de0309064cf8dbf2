/** get_user_pages and pin_user_pages from C text, on the process that is current. */
import { expect, it } from 'vitest';
import type { Machine, Release } from '../../sim/index.ts';
import { attempt } from '../support/devices.ts';
import { boot, sh } from '../support/machines.ts';

const start = (release: Release, ...lines: string[]): Machine => {
  const machine = boot(undefined, release);
  sh(machine, 'proc new one', 'a = proc mmap 100 8 rw', 'proc write 100 a 4', 'struct page *pages[8]', ...lines);
  return machine;
};
const text = (machine: Machine, line: string): string | undefined => sh(machine, line).valueText;
const lock = (kind: string): string => `mmap_read_${kind}(current->mm)`;

it('current is the youngest process, or the one that proc use names while it lives', () => {
  const machine = start('6.12', 'proc new two');
  expect(text(machine, 'current->pid')).toBe('101');
  sh(machine, 'proc use 100');
  expect(text(machine, 'current->pid')).toBe('100');
  sh(machine, 'proc exit 100');
  expect(text(machine, 'current->pid')).toBe('101');
  expect(attempt(machine, 'proc use 100').status).toBe(-3);
  sh(machine, 'proc exit 101');
  expect(attempt(machine, 'current->pid').program?.error?.message).toMatch(/proc new/);
});

it.each([
  ['4.9', 'get_user_pages(a, 2, FOLL_WRITE, pages, NULL)'],
  ['4.6', 'get_user_pages(a, 2, 1, 0, pages, NULL)'],
  ['4.3', 'get_user_pages(current, current->mm, a, 2, 1, 0, pages, NULL)'],
  ['6.4', 'get_user_pages(a, 2, FOLL_WRITE, pages, NULL)'],
  ['6.5', 'get_user_pages(a, 2, FOLL_WRITE, pages)'],
] as const)('get_user_pages as %s declares it holds one reference a page', (release, call) => {
  const machine = start(release);
  const up = compare(release) ? 'mmap_read_unlock(current->mm)' : 'up_read(&current->mm->mmap_sem)';
  const down = compare(release) ? 'mmap_read_lock(current->mm)' : 'down_read(&current->mm->mmap_sem)';
  sh(machine, down);
  const result = sh(machine, `n = ${call}`);
  expect(result.valueText).toBe('2');
  const before = text(machine, 'page_count(pages[0])');
  sh(machine, 'put_page(pages[0])', up);
  expect(Number(before) - Number(text(machine, 'page_count(pages[0])'))).toBe(1);
});
const compare = (release: string): boolean => Number(release.split('.')[0]) >= 6;

it('a pin counts 1024, and unpin_user_pages gives all of them back', () => {
  const machine = start('6.12', lock('lock'));
  sh(machine, 'n = pin_user_pages(a, 4, FOLL_WRITE | FOLL_LONGTERM, pages)');
  const pinned = Number(text(machine, 'page_count(pages[3])'));
  sh(machine, 'unpin_user_pages(pages, 4)', lock('unlock'));
  expect(pinned - Number(text(machine, 'page_count(pages[3])'))).toBe(1024);
});

it('fast needs no lock, and faults in what is not there', () => {
  const machine = start('6.12');
  expect(sh(machine, 'get_user_pages_fast(a, 8, FOLL_WRITE, pages)').valueText).toBe('8');
  expect(machine.kernel.state.processes.get(100)?.mm?.rss[1]).toBe(8);
  expect(sh(machine, 'pin_user_pages_fast(a, 8, FOLL_WRITE, pages)').valueText).toBe('8');
  expect(machine.kernel.state.log.some(({ warn }) => warn)).toBe(false);
});

it('without the lock lockdep complains; a hole is -EFAULT; the array must have room', () => {
  const machine = start('6.12');
  expect(sh(machine, 'get_user_pages(0x1000, 1, 0, pages)').valueText).toBe('-14');
  expect(machine.kernel.state.log.at(-1)?.text).toMatch(/^mmap_assert_locked/);
  sh(machine, lock('lock'));
  expect(attempt(machine, 'get_user_pages(a, 9, 0, pages)').program?.error?.message).toMatch(/room for 8/);
});

it('FOLL_LONGTERM without a pin is refused from 6.3, and its number is another one', () => {
  const machine = start('6.3', lock('lock'));
  expect(text(machine, 'FOLL_LONGTERM')).toBe('256');
  expect(sh(machine, 'get_user_pages(a, 1, FOLL_LONGTERM, pages, NULL)').valueText).toBe('-22');
  expect(text(start('5.4'), 'FOLL_LONGTERM')).toMatch(/^65536 /);
});
