/**
 * First-in-first-out queues in the state: work for the next block, tasks ready to settle. Adding, removing and looking at the
 * first cost the same however long the queue is; each item is a leaf of its own.
 */
import type { Draft, Readable } from './draft.ts';

const EMPTY = { head: 0, tail: 0 } as const;
const itemName = (queue: string, n: number): string => `${queue}/${n}`;

export const queueLength = (state: Readable, queue: string): number => {
  const { head, tail } = state.get('queue', queue) ?? EMPTY;
  return tail - head;
};
export const enqueue = (draft: Draft, queue: string, item: readonly string[]): void => {
  const { head, tail } = draft.get('queue', queue) ?? EMPTY;
  draft.put('index', itemName(queue, tail), item);
  draft.put('queue', queue, { head, tail: tail + 1 });
};
/** The first items, at most `limit`, without removing them. */
export const firstItems = (state: Readable, queue: string, limit: number): (readonly string[])[] => {
  const { head, tail } = state.get('queue', queue) ?? EMPTY;
  return Array.from({ length: Math.min(limit, tail - head) }, (_, i) => state.must('index', itemName(queue, head + i)));
};
/** Removes the first `count` items; the record of an emptied queue goes too. */
export const dequeue = (draft: Draft, queue: string, count: number): void => {
  const { head, tail } = draft.must('queue', queue);
  if (count > tail - head) throw new RangeError(`queue ${queue} has fewer than ${count} items`);
  for (let n = head; n < head + count; n++) draft.drop('index', itemName(queue, n));
  if (head + count === tail) draft.drop('queue', queue);
  else draft.put('queue', queue, { head: head + count, tail });
};
