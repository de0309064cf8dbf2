/** Calls of which there are very many: counted in the trace, and frames of their task only where it stops in them. */
import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../sim/machine/kernel.ts';
import type { KernelGenerator } from '../../sim/task/task.ts';
import { HmmWorld } from '../support/hmm.ts';
import { boot } from '../support/machines.ts';
import { begin, done, goOn } from '../support/mirrors.ts';

const call = <T>(kernel: Kernel, name: string, body: KernelGenerator<T>): KernelGenerator<T> =>
  kernel.call(
    name,
    () => [name],
    body,
    () => '',
  );

function* nothing(): KernelGenerator<void> {}

describe('a walk that calls a function a thousand times', () => {
  it('shows the first calls by name and counts the others, each once, whatever they call themselves', () => {
    const machine = boot();
    const { kernel } = machine;
    function* inner(): KernelGenerator<void> {
      yield* call(kernel, 'inner', nothing());
    }
    done(machine, 'walk', () =>
      call(
        kernel,
        'walk',
        (function* () {
          for (let i = 0; i < 999; i++) yield* call(kernel, 'one', inner());
        })(),
      ),
    );
    const walk = machine.steps.at(-1)?.trace.find(({ name }) => name === 'walk');
    expect((walk?.calls.length ?? 0) + (walk?.more ?? 0)).toBe(999);
    expect(walk?.calls.length).toBe(200);
    expect(walk?.calls[0]?.name).toBe('one');
  });

  it('has all frames of the one that stops', () => {
    const machine = boot();
    const { kernel } = machine;
    function* one(i: number): KernelGenerator<number> {
      if (i === 700) yield { kind: 'pause', why: 'here' };
      return i;
    }
    function* outer(i: number): KernelGenerator<number> {
      return yield* call(kernel, 'one', one(i));
    }
    function* walk(): KernelGenerator<number> {
      let sum = 0;
      for (let i = 0; i < 999; i++) sum += yield* call(kernel, 'outer', outer(i));
      return sum;
    }
    const { program, result } = begin(machine, 'walk', () => call(kernel, 'walk', walk()));
    const names = program.frames.map(({ name }) => name);
    expect(names.slice(names.indexOf('walk'))).toEqual(['walk', 'outer', 'one']);
    goOn(machine, program);
    expect(result.value).toBe((998 * 999) / 2);
    expect(program.frames.filter(({ kind }) => kind === 'kernel')).toEqual([]);
  });

  it('fails where one of them fails, and leaves nothing behind', () => {
    const machine = boot();
    const { kernel } = machine;
    // biome-ignore lint/correctness/useYield: it fails before it would
    function* failing(): KernelGenerator<void> {
      throw new Error('the 500th');
    }
    function* walk(): KernelGenerator<string> {
      try {
        for (let i = 0; i < 999; i++) yield* call(kernel, 'one', i === 500 ? failing() : nothing());
      } catch (error) {
        return `${(error as Error).message}, quiet: ${kernel.isQuiet()}`;
      }
      return 'no error';
    }
    expect(done(machine, 'walk', () => call(kernel, 'walk', walk()))).toBe('the 500th, quiet: false');
  });
});

describe('a process that copies a thousand pages on write, and a device that maps them', () => {
  it('tells the device of each of them, also where calls are only counted', () => {
    const world = new HmmWorld('6.12');
    const pid = world.newProcess(0);
    const at = world.mmap(pid, 1000);
    world.sh(`gpu write 0 ${pid} ${at} 1000 7`);
    const mirror = world.machine.kernel.state.dmirror?.mirrors[0];
    expect(mirror?.pt.size).toBe(1000);
    world.sh(`proc fork ${pid}`);
    world.sh(`gpu read 0 ${pid} ${at} 1000`);
    expect(mirror?.pt.size).toBe(1000);
    world.sh(`proc write ${pid} ${at} 1000 9`);
    expect(mirror?.pt.size).toBe(0);
    expect(world.sh(`gpu read 0 ${pid} ${at} 1000`).join(' ')).toMatch(/: 9$/);
  });
});
