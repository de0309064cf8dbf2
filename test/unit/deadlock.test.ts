/** Tasks that wait for each other in a circle. */
import { describe, expect, it } from 'vitest';
import { Machine } from '../../sim/index.ts';
import { mm_alloc, newProcess } from '../../sim/kernel/fork.ts';
import { down_read, down_write, rwsem, up_write } from '../../sim/kernel/locking.ts';
import { lineProgram } from '../../sim/machine/machine.ts';
import { presets } from '../../sim/machine/presets.ts';

function booted() {
  const [config] = presets();
  if (!config) throw new Error('no preset');
  const machine = new Machine(config, '6.12');
  const { kernel } = machine;
  const [a, b] = ['a', 'b'].map((name) => {
    const process = newProcess(kernel, name);
    return typeof process === 'number' ? undefined : mm_alloc(kernel, process).mmap_lock;
  });
  if (!a || !b) throw new Error('no locks');
  return { machine, kernel, a, b };
}

describe('a circle of waits', () => {
  it('is told with every task and lock in it, and never entered: the other task goes on', () => {
    const { machine, kernel, a, b } = booted();
    const first = machine.start(
      lineProgram('first', function* () {
        yield* down_write(kernel, a);
        yield { kind: 'pause', why: 'has a' };
        yield* down_write(kernel, b);
        up_write(kernel, b);
        up_write(kernel, a);
        return undefined;
      }),
    );
    expect(machine.advance(first)).toBe('pause');
    const second = machine.start(
      lineProgram('second', function* () {
        yield* down_read(kernel, b);
        yield { kind: 'pause', why: 'has b' };
        yield* down_read(kernel, a);
        return undefined;
      }),
    );
    expect(machine.advance(second)).toBe('pause');
    expect(machine.advance(first)).toBe('waiting');
    expect(machine.advance(second)).toBe('failed');
    expect(second.error?.message).toMatch(
      /deadlock: "second" waits for mmap_lock of a \(100\) for reading, held by "first"; "first" waits for mmap_lock of b \(101\) for writing, held by "second"/,
    );
    machine.runReady();
    expect(first.status).toBe('done');
    expect([a.readers, a.writer, b.readers, b.writer]).toEqual([[], undefined, [], undefined]);
    // The same by going back and forth.
    const end = machine.canonical();
    machine.travel(0);
    machine.travel(machine.steps.length);
    expect(machine.canonical()).toBe(end);
  });

  it('can be as small as one task that asks again for what it has', () => {
    const { machine, kernel, a } = booted();
    const program = machine.run(
      lineProgram('twice', function* () {
        yield* down_write(kernel, a);
        yield* down_write(kernel, a);
        return undefined;
      }),
    );
    expect(program.error?.message).toMatch(/deadlock: "twice" waits for mmap_lock of a/);
    expect(a.writer).toBe(undefined);
    expect(a.waiting).toEqual([]);
  });

  it('is none where a task waits for one that can go on', () => {
    const { machine, kernel } = booted();
    const sem = rwsem('a lock');
    const holder = machine.start(
      lineProgram('holder', function* () {
        yield* down_write(kernel, sem);
        yield { kind: 'pause', why: 'has it' };
        up_write(kernel, sem);
        return undefined;
      }),
    );
    machine.advance(holder);
    const waiter = machine.start(lineProgram('waiter', () => down_read(kernel, sem) as never));
    expect(machine.advance(waiter)).toBe('waiting');
    expect(waiter.waitsFor?.holders()).toEqual(['holder']);
    machine.advance(holder);
    machine.runReady();
    expect(waiter.status).toBe('done');
  });
});
