/** struct list_head of a program: include/linux/list.h. */
import type { SourceSpan } from '../task/task.ts';
import type { Evaluating, Simple } from './builtins.ts';
import { pointer } from './helperArguments.ts';
import { type CObject, type CPointer, type CValue, integer, isNull, NULL, VOID } from './value.ts';

const head = (e: Evaluating, value: CPointer, span: SourceSpan): CObject => {
  const place = e.dereference({ ...value, to: 'struct list_head' }, 'this list', span);
  if (place.kind !== 'object') throw e.badAccess('This is no struct list_head.', span);
  return place.object;
};
function link(e: Evaluating, of: CPointer, way: 'next' | 'prev', span: SourceSpan): CPointer {
  const value = e.load(e.member(head(e, of, span), way, span), way, span);
  if (value.kind === 'pointer') return value;
  throw e.badAccess('This is no struct list_head.', span);
}
function join(e: Evaluating, first: CPointer, second: CPointer, span: SourceSpan): void {
  e.store(e.member(head(e, first, span), 'next', span), { ...second, to: 'struct list_head' }, span);
  e.store(e.member(head(e, second, span), 'prev', span), { ...first, to: 'struct list_head' }, span);
}
function insert(e: Evaluating, entry: CPointer, before: CPointer, after: CPointer, span: SourceSpan): CValue {
  join(e, entry, after, span);
  join(e, before, entry, span);
  return VOID;
}
function unlink(e: Evaluating, entry: CPointer, span: SourceSpan): void {
  const [before, after] = [link(e, entry, 'prev', span), link(e, entry, 'next', span)];
  if (isNull(before) || isNull(after)) throw e.badAccess('This entry is on no list: its links are NULL.', span);
  join(e, before, after, span);
}
const isEmpty = (e: Evaluating, list: CPointer, span: SourceSpan): boolean =>
  e.samePointer(link(e, list, 'next', span), list);

export const LISTS: readonly (readonly [string, Simple])[] = [
  [
    'INIT_LIST_HEAD',
    (e, args, span) => {
      const list = pointer(e, args, 0, span);
      join(e, list, list, span);
      return VOID;
    },
  ],
  [
    'list_add',
    (e, args, span) => {
      const [entry, list] = [pointer(e, args, 0, span), pointer(e, args, 1, span)];
      return insert(e, entry, list, link(e, list, 'next', span), span);
    },
  ],
  [
    'list_add_tail',
    (e, args, span) => {
      const [entry, list] = [pointer(e, args, 0, span), pointer(e, args, 1, span)];
      return insert(e, entry, link(e, list, 'prev', span), list, span);
    },
  ],
  [
    'list_del',
    (e, args, span) => {
      const entry = pointer(e, args, 0, span);
      unlink(e, entry, span);
      for (const way of ['next', 'prev'])
        e.store(e.member(head(e, entry, span), way, span), { ...NULL, to: 'struct list_head' }, span);
      return VOID;
    },
  ],
  [
    'list_del_init',
    (e, args, span) => {
      const entry = pointer(e, args, 0, span);
      unlink(e, entry, span);
      join(e, entry, entry, span);
      return VOID;
    },
  ],
  [
    'list_move',
    (e, args, span) => {
      const [entry, list] = [pointer(e, args, 0, span), pointer(e, args, 1, span)];
      unlink(e, entry, span);
      return insert(e, entry, list, link(e, list, 'next', span), span);
    },
  ],
  [
    'list_move_tail',
    (e, args, span) => {
      const [entry, list] = [pointer(e, args, 0, span), pointer(e, args, 1, span)];
      unlink(e, entry, span);
      return insert(e, entry, link(e, list, 'prev', span), list, span);
    },
  ],
  ['list_empty', (e, args, span) => integer(isEmpty(e, pointer(e, args, 0, span), span) ? 1 : 0)],
  [
    'list_is_singular',
    (e, args, span) => {
      const list = pointer(e, args, 0, span);
      const [next, last] = [link(e, list, 'next', span), link(e, list, 'prev', span)];
      return integer(!isEmpty(e, list, span) && e.samePointer(next, last) ? 1 : 0);
    },
  ],
  [
    'list_is_last',
    (e, args, span) =>
      integer(e.samePointer(link(e, pointer(e, args, 0, span), 'next', span), pointer(e, args, 1, span)) ? 1 : 0),
  ],
];
