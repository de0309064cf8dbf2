/**
 * Macros of the kernel that declare something, loop, or take more than values, in our own words: what they stand for
 * is what they do. Those that are values are builtins of the evaluator.
 */
import { type Macro, macroOf } from './macro.ts';

const DECLARING: readonly (readonly [string, string, string])[] = [
  ['DEFINE_MUTEX', '(name)', 'struct mutex name = { }'],
  ['DEFINE_SPINLOCK', '(name)', 'spinlock_t name = { }'],
  ['DEFINE_RAW_SPINLOCK', '(name)', 'raw_spinlock_t name = { }'],
  ['DECLARE_RWSEM', '(name)', 'struct rw_semaphore name = { }'],
  ['DECLARE_COMPLETION', '(name)', 'struct completion name = { }'],
  ['DECLARE_BITMAP', '(name, bits)', 'unsigned long name[((bits) + 63) / 64]'],
  ['ATOMIC_INIT', '(value)', '{ value }'],
  ['ATOMIC64_INIT', '(value)', '{ value }'],
  ['ATOMIC_LONG_INIT', '(value)', '{ value }'],
  ['REFCOUNT_INIT', '(value)', '{ { value } }'],
  ['KREF_INIT', '(value)', '{ { { value } } }'],
  ['LIST_HEAD', '(name)', 'struct list_head name = { &name, &name }'],
  ['LIST_HEAD_INIT', '(name)', '{ &name, &name }'],
];
/** A loop goes by a link of its own, so that its variable never leads to the head. */
const LISTS: readonly (readonly [string, string, string])[] = [
  ['list_entry', '(link, type, member)', 'container_of(link, type, member)'],
  ['list_first_entry', '(head, type, member)', 'container_of((head)->next, type, member)'],
  ['list_last_entry', '(head, type, member)', 'container_of((head)->prev, type, member)'],
  ['list_next_entry', '(at, member)', 'container_of((at)->member.next, typeof(*(at)), member)'],
  ['list_prev_entry', '(at, member)', 'container_of((at)->member.prev, typeof(*(at)), member)'],
  [
    'list_first_entry_or_null',
    '(head, type, member)',
    '(list_empty(head) ? NULL : container_of((head)->next, type, member))',
  ],
  ['list_for_each', '(at, head)', 'for (at = (head)->next; at != (head); at = at->next)'],
  [
    'list_for_each_safe',
    '(at, other, head)',
    'for (at = (head)->next, other = at->next; at != (head); at = other, other = at->next)',
  ],
  ['list_for_each_entry', '(at, head, member)', forEntry('next')],
  ['list_for_each_entry_reverse', '(at, head, member)', forEntry('prev')],
  ['list_for_each_entry_safe', '(at, other, head, member)', forEntry('next')],
  ['list_for_each_entry_safe_reverse', '(at, other, head, member)', forEntry('prev')],
];
function forEntry(way: 'next' | 'prev'): string {
  return (
    `for (struct list_head *link_ = (head)->${way}, *after_ = link_->${way};` +
    ' link_ != (head) && ((at = container_of(link_, typeof(*at), member)), 1);' +
    ` link_ = after_, after_ = link_->${way})`
  );
}
const VALUES: readonly (readonly [string, string | undefined, string])[] = [
  ['struct_size', '(p, member, count)', '(sizeof(*(p)) + sizeof(*(p)->member) * (count))'],
  ['sizeof_field', '(type, member)', 'sizeof(((type *)0)->member)'],
  ['FIELD_SIZEOF', '(type, member)', 'sizeof(((type *)0)->member)'],
  ['BITS_TO_LONGS', '(bits)', '(((bits) + 63) / 64)'],
  ['clamp', '(value, low, high)', 'min(max(value, low), high)'],
  ['clamp_t', '(type, value, low, high)', 'min_t(type, max_t(type, value, low), high)'],
  ['time_after', '(a, b)', '((long)((b) - (a)) < 0)'],
  ['time_before', '(a, b)', '((long)((a) - (b)) < 0)'],
  ['time_after_eq', '(a, b)', '((long)((a) - (b)) >= 0)'],
  ['time_before_eq', '(a, b)', '((long)((b) - (a)) >= 0)'],
  ['min3', '(a, b, c)', 'min(min(a, b), c)'],
  ['max3', '(a, b, c)', 'max(max(a, b), c)'],
  ['container_of_const', '(p, type, member)', 'container_of(p, type, member)'],
  ['rcu_access_pointer', '(p)', 'READ_ONCE(p)'],
  ['ACCESS_ONCE', '(x)', '(x)'],
  ['__stringify', '(x...)', '#x'],
  ['spin_lock_irqsave', '(lock, flags)', '((flags) = 0, spin_lock(lock))'],
  ['spin_unlock_irqrestore', '(lock, flags)', '((void)(flags), spin_unlock(lock))'],
  ['raw_spin_lock_irqsave', '(lock, flags)', '((flags) = 0, raw_spin_lock(lock))'],
  ['raw_spin_unlock_irqrestore', '(lock, flags)', '((void)(flags), raw_spin_unlock(lock))'],
  ['PAGE_MASK', undefined, '(~(PAGE_SIZE - 1))'],
  ['offset_in_page', '(p)', '((unsigned long)(p) & (PAGE_SIZE - 1))'],
  ['KBUILD_MODNAME', undefined, '"driver"'],
  ['THIS_MODULE', undefined, '((struct module *)0)'],
];
/** They say something to the compiler or to whoever loads the module, and nothing to who runs. */
const NOTHING: readonly (readonly [string, string | undefined])[] = [
  ...['MODULE_LICENSE', 'MODULE_AUTHOR', 'MODULE_DESCRIPTION', 'MODULE_VERSION', 'MODULE_ALIAS', 'MODULE_FIRMWARE'],
  ...['MODULE_IMPORT_NS', 'MODULE_SOFTDEP', 'MODULE_DEVICE_TABLE', 'MODULE_PARM_DESC', 'module_param', 'MODULE_INFO'],
  ...['module_param_named', 'EXPORT_SYMBOL', 'EXPORT_SYMBOL_GPL', 'EXPORT_SYMBOL_NS', 'EXPORT_SYMBOL_NS_GPL'],
  ...['__printf', '__scanf', '__aligned', '__section', '__acquires', '__releases', '__must_hold', '__counted_by'],
  ...['__cond_acquires', '__alloc_size', '__free', '__assume_aligned', '__no_sanitize', '__counted_by_le'],
].map((name): readonly [string, string | undefined] => [name, '(x...)']);
const PLAIN = [
  ...['fallthrough', '__fallthrough', '__hot', '__sched', 'notrace', '__visible', '__pure', '__attribute_const__'],
  ...[
    '__deprecated',
    '__bitwise',
    '__randomize_layout',
    '__refdata',
    '__initconst',
    '__initdata_or_module',
    '__malloc',
  ],
  ...['__net_init', '__net_exit', '__init_or_module', '__latent_entropy', '__nonstring', '__noreturn', '__rcu_pointer'],
  ...['____cacheline_aligned', '____cacheline_aligned_in_smp', '__extension__', '__no_randomize_layout', '__noclone'],
  ...[
    '__devinit',
    '__devexit',
    '__cpuinit',
    '__meminitdata',
    '__exitdata',
    '__data_racy',
    '__guarded',
    'noinline_for_stack',
  ],
];

const DEFINITIONS = new Map<string, readonly [list: string | undefined, body: string]>([
  ...[...DECLARING, ...LISTS, ...VALUES].map(([name, list, body]) => [name, [list, body]] as const),
  ...NOTHING.map(([name, list]) => [name, [list, '']] as const),
  ...PLAIN.map((name) => [name, [undefined, '']] as const),
]);
const read = new Map<string, Macro>();

export const isKernelMacro = (name: string): boolean => DEFINITIONS.has(name);

/** A definition is read when it is first used. */
export function kernelMacro(name: string): Macro | undefined {
  const definition = DEFINITIONS.get(name);
  if (!definition) return undefined;
  const macro = read.get(name) ?? macroOf(name, ...definition);
  read.set(name, macro);
  return macro;
}
