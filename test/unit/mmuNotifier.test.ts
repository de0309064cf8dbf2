/** mm/mmu_notifier.c: who is told of changes, and the sequence numbers of intervals. */
import { describe, expect, it } from 'vitest';
import type { Mm } from '../../sim/include/mm_types.ts';
import { mmput } from '../../sim/kernel/fork.ts';
import { down_read, down_write, up_read, up_write } from '../../sim/kernel/locking.ts';
import type { Kernel } from '../../sim/machine/kernel.ts';
import {
  type IntervalOps,
  type IntervalSub,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_RELEASE,
  MMU_NOTIFY_UNMAP,
  mmu_interval_notifier_insert,
  mmu_interval_notifier_insert_locked,
  mmu_interval_notifier_remove,
  mmu_interval_read_begin,
  mmu_interval_read_retry,
  mmu_interval_set_seq,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_range,
  VPN_LIMIT,
} from '../../sim/mm/mmu_notifier.ts';
import {
  mmu_notifier_get,
  mmu_notifier_put,
  mmu_notifier_register,
  mmu_notifier_unregister,
} from '../../sim/mm/mmu_notifier_list.ts';
import { type ListNotifierOps, newListNotifier, subscriptionsOf } from '../../sim/mm/mmu_notifier_state.ts';
import type { KernelGenerator } from '../../sim/task/task.ts';
import { begin, done, goOn, listener, pause, type World, world } from '../support/mirrors.ts';

const EAGAIN = -11;
const ENOMEM = -12;
const EINVAL = -22;
const EOVERFLOW = -75;

const stateOf = (mm: Mm) => {
  const state = subscriptionsOf(mm);
  if (!state) throw new Error('no subscriptions');
  return state;
};

function insert(
  { machine, kernel, mm }: World,
  start: number,
  end: number,
  ops: IntervalOps = listener(),
): IntervalSub {
  const sub = done(machine, 'insert', () => mmu_interval_notifier_insert(kernel, mm, start, end, ops));
  if (typeof sub === 'number') throw new Error(`insert: ${sub}`);
  return sub;
}

/** A task that stands between start and end. */
function* change(kernel: Kernel, mm: Mm, start: number, end: number): KernelGenerator<void> {
  const range = mmu_notifier_range(MMU_NOTIFY_CLEAR, mm, start, end);
  yield* mmu_notifier_invalidate_range_start(kernel, range);
  yield pause;
  yield* mmu_notifier_invalidate_range_end(kernel, range);
}
const changing = ({ machine, kernel, mm }: World, start: number, end: number, label = 'change') =>
  begin(machine, label, () => change(kernel, mm, start, end)).program;

describe('sequence numbers of interval notifiers', () => {
  it('the sequence of an mm begins even, at 2, and a new interval has an odd one that no reader waits for', () => {
    const w = world();
    const sub = insert(w, 100, 200);
    expect(stateOf(w.mm).invalidate_seq).toBe(2);
    expect(sub.invalidate_seq).toBe(1);
    const seq = done(w.machine, 'read', () => mmu_interval_read_begin(w.kernel, sub));
    expect(mmu_interval_read_retry(sub, seq)).toBe(false);
  });

  it('an invalidation that meets the interval makes the sequence odd, and its end even again', () => {
    const w = world();
    const ops = listener();
    const sub = insert(w, 100, 200, ops);
    const seq = done(w.machine, 'read', () => mmu_interval_read_begin(w.kernel, sub));
    const program = changing(w, 150, 160);
    expect(stateOf(w.mm)).toMatchObject({ invalidate_seq: 3, active_invalidate_ranges: 1 });
    expect(ops.heard).toMatchObject([{ seq: 3, range: { start: 150, end: 160, event: MMU_NOTIFY_CLEAR } }]);
    expect(mmu_interval_read_retry(sub, seq)).toBe(true);
    goOn(w.machine, program);
    expect(stateOf(w.mm)).toMatchObject({ invalidate_seq: 4, active_invalidate_ranges: 0, active: [] });
    expect(sub.invalidate_seq).toBe(3);
  });

  it.each([
    [50, 100],
    [200, 250],
  ])(
    'an invalidation of [%i, %i) beside the interval [100, 200) tells nobody and leaves the sequence even',
    (from, to) => {
      const w = world();
      const ops = listener();
      insert(w, 100, 200, ops);
      changing(w, from, to);
      expect(ops.heard).toEqual([]);
      expect(stateOf(w.mm)).toMatchObject({ invalidate_seq: 2, active_invalidate_ranges: 1 });
    },
  );

  it('a reader that comes in between waits for the task that changes the page table, and says so', () => {
    const w = world();
    const sub = insert(w, 100, 200);
    const writer = changing(w, 100, 101, 'munmap of another task');
    const { program, result } = begin(w.machine, 'read', () => mmu_interval_read_begin(w.kernel, sub));
    expect(program.status).toBe('waiting');
    expect(program.waitsFor?.holders()[0]).toMatch(/^munmap of another task \(0x64000-0x65000, MMU_NOTIFY_CLEAR\)/);
    expect(program.waitsFor?.holderTasks?.()).toEqual([writer.id]);
    goOn(w.machine, writer);
    expect(program.status).toBe('done');
    expect(result.value).toBe(3);
    expect(mmu_interval_read_retry(sub, 3)).toBe(false);
  });

  it('an interval that the running invalidation does not meet can be read meanwhile', () => {
    const w = world();
    insert(w, 100, 200);
    const other = insert(w, 300, 400);
    changing(w, 100, 101);
    expect(done(w.machine, 'read', () => mmu_interval_read_begin(w.kernel, other))).toBe(1);
  });

  it('two invalidations at once: the sequence is odd until the last has ended', () => {
    const w = world();
    insert(w, 100, 200);
    const first = changing(w, 100, 101);
    const second = changing(w, 150, 151);
    goOn(w.machine, first);
    expect(stateOf(w.mm)).toMatchObject({ invalidate_seq: 3, active_invalidate_ranges: 1 });
    goOn(w.machine, second);
    expect(stateOf(w.mm).invalidate_seq).toBe(4);
  });

  it('a second invalidation collides with a reader of the first: same number, and it must retry nothing twice', () => {
    const w = world();
    const sub = insert(w, 100, 200);
    const first = changing(w, 100, 101);
    goOn(w.machine, first);
    const seq = done(w.machine, 'read', () => mmu_interval_read_begin(w.kernel, sub));
    goOn(w.machine, changing(w, 100, 101));
    expect(seq).toBe(3);
    expect(sub.invalidate_seq).toBe(5);
    expect(mmu_interval_read_retry(sub, seq)).toBe(true);
  });

  it('intervals are told in the order of their start, each once', () => {
    const w = world();
    const told: number[] = [];
    const ops: IntervalOps = {
      // biome-ignore lint/correctness/useYield: a driver that does not sleep
      *invalidate(_kernel, sub) {
        told.push(sub.start);
        return true;
      },
    };
    for (const start of [300, 100, 200]) insert(w, start, start + 50, ops);
    goOn(w.machine, changing(w, 120, 320));
    expect(told).toEqual([100, 200, 300]);
  });
});

describe('insert and remove while an invalidation runs', () => {
  it('an interval inserted while the sequence is odd waits on the deferred list, and its readers for the end', () => {
    const w = world();
    insert(w, 100, 200);
    const writer = changing(w, 100, 101);
    const ops = listener();
    const late = insert(w, 100, 200, ops);
    expect(late).toMatchObject({ in_tree: false, invalidate_seq: 3 });
    const reader = begin(w.machine, 'read', () => mmu_interval_read_begin(w.kernel, late)).program;
    expect(reader.status).toBe('waiting');
    goOn(w.machine, writer);
    expect(reader.status).toBe('done');
    expect(late.in_tree).toBe(true);
    expect(ops.heard).toEqual([]);
    expect(stateOf(w.mm).deferred_list).toEqual([]);
  });

  it('while an invalidation runs that met no interval, inserting makes the sequence odd and enters the tree at once', () => {
    const w = world();
    insert(w, 900, 901);
    const writer = changing(w, 100, 101);
    const sub = insert(w, 100, 200);
    expect(sub).toMatchObject({ in_tree: true, invalidate_seq: 3 });
    expect(stateOf(w.mm).invalidate_seq).toBe(3);
    goOn(w.machine, writer);
    expect(stateOf(w.mm).invalidate_seq).toBe(4);
  });

  it('removal sleeps until the invalidation is over, then the mm loses a reference', () => {
    const w = world();
    const sub = insert(w, 100, 200);
    const references = w.mm.mm_count;
    const writer = changing(w, 100, 101);
    const remover = begin(w.machine, 'remove', () => mmu_interval_notifier_remove(w.kernel, sub)).program;
    expect(remover.status).toBe('waiting');
    expect(sub.in_tree).toBe(true);
    goOn(w.machine, writer);
    expect(remover.status).toBe('done');
    expect(sub.in_tree).toBe(false);
    expect(w.mm.mm_count).toBe(references - 1);
    expect(stateOf(w.mm).itree).toEqual([]);
  });

  it('an interval whose insertion is still deferred is removed without a wait', () => {
    const w = world();
    insert(w, 100, 200);
    const writer = changing(w, 100, 101);
    const late = insert(w, 100, 200);
    done(w.machine, 'remove', () => mmu_interval_notifier_remove(w.kernel, late));
    goOn(w.machine, writer);
    expect(stateOf(w.mm).itree).toHaveLength(1);
  });

  it('a task that is stopped between start and end ends its invalidation', () => {
    const w = world();
    const sub = insert(w, 100, 200);
    const writer = changing(w, 100, 101);
    w.machine.stop(writer);
    expect(stateOf(w.mm)).toMatchObject({ invalidate_seq: 4, active_invalidate_ranges: 0, active: [] });
    done(w.machine, 'read', () => mmu_interval_read_begin(w.kernel, sub));
  });
});

describe('mmu_interval_notifier_insert', () => {
  it.each([
    ['of length 0', 100, 100],
    ['beyond the last address', VPN_LIMIT - 1, VPN_LIMIT + 1],
  ])('an interval %s is -EOVERFLOW, and takes no reference', (_what, start, end) => {
    const w = world();
    const references = w.mm.mm_count;
    const insertIt = () => mmu_interval_notifier_insert(w.kernel, w.mm, start, end, listener());
    expect(done(w.machine, 'insert', insertIt)).toBe(EOVERFLOW);
    expect(w.mm.mm_count).toBe(references);
  });

  it('an interval over all addresses is taken', () => {
    const w = world();
    expect(insert(w, 0, VPN_LIMIT).in_tree).toBe(true);
  });

  it('of a process that is over it is -EINVAL and a warning', () => {
    const w = world();
    w.kernel.store.set(w.mm, 'mm_users', 0);
    const insertIt = () => mmu_interval_notifier_insert(w.kernel, w.mm, 1, 2, listener());
    expect(done(w.machine, 'insert', insertIt)).toBe(EINVAL);
    expect(w.kernel.state.log.at(-1)).toMatchObject({ warn: true });
  });

  it('without memory for the first registration it is -ENOMEM, and the next one succeeds', () => {
    const w = world();
    w.kernel.store.mapSet(w.kernel.state.injected, 'notifier', 1);
    const insertIt = () => mmu_interval_notifier_insert(w.kernel, w.mm, 1, 2, listener());
    expect(done(w.machine, 'insert', insertIt)).toBe(ENOMEM);
    expect(w.mm.notifier_subscriptions).toBeUndefined();
    expect(insert(w, 1, 2).in_tree).toBe(true);
  });

  it('the first of an mm takes the mmap lock for writing, a further one does not', () => {
    const w = world();
    const { kernel, mm, machine } = w;
    const reader = begin(machine, 'reader', function* () {
      yield* down_read(kernel, mm.mmap_lock);
      yield pause;
      up_read(kernel, mm.mmap_lock);
    }).program;
    const first = begin(machine, 'insert', () => mmu_interval_notifier_insert(kernel, mm, 1, 2, listener())).program;
    expect(first.waitsFor?.holders()).toEqual(['reader']);
    goOn(machine, reader);
    expect(first.status).toBe('done');
    begin(machine, 'reader', function* () {
      yield* down_read(kernel, mm.mmap_lock);
      yield pause;
    });
    insert(w, 3, 4);
  });

  it('the locked form is for who holds it for writing', () => {
    const { machine, kernel, mm } = world();
    const sub = done(machine, 'insert', function* () {
      yield* down_write(kernel, mm.mmap_lock);
      const made = mmu_interval_notifier_insert_locked(kernel, mm, 1, 2, listener());
      up_write(kernel, mm.mmap_lock);
      return made;
    });
    expect(sub).toMatchObject({ in_tree: true });
    expect(kernel.state.log.filter(({ warn }) => warn)).toEqual([]);
  });
});

describe('invalidations that may not sleep', () => {
  const nonBlocking = (w: World): number =>
    done(w.machine, 'reap', () =>
      mmu_notifier_invalidate_range_start(
        w.kernel,
        mmu_notifier_range(MMU_NOTIFY_UNMAP, w.mm, 100, 101, undefined, false),
      ),
    );

  it('a driver that would sleep answers false: -EAGAIN, and the invalidation is over without an end', () => {
    const w = world();
    insert(w, 100, 200, listener(false));
    expect(nonBlocking(w)).toBe(EAGAIN);
    expect(stateOf(w.mm)).toMatchObject({ invalidate_seq: 4, active_invalidate_ranges: 0, active: [] });
  });

  it('where it may sleep, false is a mistake: a warning, and the invalidation goes on', () => {
    const w = world();
    insert(w, 100, 200, listener(false));
    changing(w, 100, 101);
    expect(w.kernel.state.log.at(-1)?.text).toMatch(/mmu_notifier_range_blockable/);
    expect(stateOf(w.mm).active_invalidate_ranges).toBe(1);
  });

  const deaf: ListNotifierOps = {
    // biome-ignore lint/correctness/useYield: a driver that does not sleep
    *invalidate_range_start() {
      return EAGAIN;
    },
  };
  it('a list notifier that fails makes it -EAGAIN, and from 5.12 the others hear of an end', () => {
    for (const [release, ends] of [
      ['5.11', 0],
      ['5.12', 1],
    ] as const) {
      const w = world(release);
      let ended = 0;
      const other: ListNotifierOps = {
        // biome-ignore lint/correctness/useYield: a driver that does not sleep
        *invalidate_range_end() {
          ended++;
        },
      };
      for (const ops of [deaf, other])
        done(w.machine, 'register', () => mmu_notifier_register(w.kernel, newListNotifier(ops), w.mm));
      expect(nonBlocking(w)).toBe(EAGAIN);
      expect(ended).toBe(ends);
    }
  });
});

describe('the exit of a process', () => {
  it('tells every interval RELEASE over all addresses, then every list notifier, and the mm stays referenced', () => {
    const w = world();
    const { machine, kernel, mm } = w;
    const ops = listener();
    insert(w, 100, 200, ops);
    insert(w, 5000, 6000, ops);
    let released = 0;
    const list: ListNotifierOps = {
      // biome-ignore lint/correctness/useYield: a driver that does not sleep
      *release() {
        released++;
        expect(ops.heard).toHaveLength(2);
      },
    };
    const sub = newListNotifier(list);
    done(machine, 'register', () => mmu_notifier_register(kernel, sub, mm));
    done(machine, 'exit', () => mmput(kernel, mm));
    const whole = { start: 0, end: VPN_LIMIT, event: MMU_NOTIFY_RELEASE, blockable: true };
    expect(ops.heard).toMatchObject([{ range: whole }, { range: whole }]);
    expect(released).toBe(1);
    // Two intervals and a notifier; the process's own reference is gone.
    expect(mm.mm_count).toBe(3);
    done(machine, 'unregister', () => mmu_notifier_unregister(kernel, sub, mm));
    expect([mm.mm_count, released]).toEqual([2, 1]);
  });

  it('unregistering before that calls release once', () => {
    const { machine, kernel, mm } = world();
    let released = 0;
    const ops: ListNotifierOps = {
      // biome-ignore lint/correctness/useYield: a driver that does not sleep
      *release() {
        released++;
      },
    };
    const sub = newListNotifier(ops);
    done(machine, 'register', () => mmu_notifier_register(kernel, sub, mm));
    done(machine, 'unregister', () => mmu_notifier_unregister(kernel, sub, mm));
    done(machine, 'exit', () => mmput(kernel, mm));
    expect(released).toBe(1);
    expect(kernel.state.mms.has(mm.id)).toBe(false);
  });
});

describe('notifiers that are shared by their ops', () => {
  it('mmu_notifier_get gives the same one to all, and the last put frees it without release', () => {
    const { machine, kernel, mm } = world('5.4');
    const freed: unknown[] = [];
    const ops: ListNotifierOps = {
      alloc_notifier: () => newListNotifier(ops),
      free_notifier: (_kernel, sub) => void freed.push(sub),
      // biome-ignore lint/correctness/useYield: a driver that does not sleep
      *release() {
        throw new Error('release is for the exit');
      },
    };
    const get = () => done(machine, 'get', () => mmu_notifier_get(kernel, ops, mm));
    const sub = get();
    expect(get()).toBe(sub);
    if (typeof sub === 'number') throw new Error('get');
    mmu_notifier_put(kernel, sub);
    expect([sub.users, freed.length, mm.mm_count]).toEqual([1, 0, 2]);
    mmu_notifier_put(kernel, sub);
    expect([freed, mm.mm_count]).toEqual([[sub], 1]);
    expect(stateOf(mm).list).toEqual([]);
  });
});

describe('going back', () => {
  it('undoes an invalidation and redoes it to the same state', () => {
    const w = world();
    const { machine } = w;
    const quiet: IntervalOps = {
      // biome-ignore lint/correctness/useYield: a driver that does not sleep
      *invalidate(kernel, sub, _range, cur_seq) {
        mmu_interval_set_seq(kernel, sub, cur_seq);
        return true;
      },
    };
    insert(w, 100, 200, quiet);
    const before = machine.canonical();
    const at = machine.position;
    const writer = changing(w, 100, 101);
    goOn(machine, writer);
    const after = machine.canonical();
    const end = machine.position;
    machine.travel(at);
    expect(machine.canonical()).toBe(before);
    machine.travel(end);
    expect(machine.canonical()).toBe(after);
  });
});
