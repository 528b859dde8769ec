/**
 * What falls due when (rule T5: every state has a deadline). Deadlines are rounded up to slots of 100 ms; a slot's entries lie
 * in chunks of 64, slots are found by hour and minute. So adding, finding the earliest and taking what is due cost the same
 * with ten tasks and with ten thousand. Entries are never searched for: one whose task has moved on is skipped when its slot comes.
 *
 *   index/due                 hours with slots, ascending
 *   index/due/h/<hour>        minutes with slots
 *   index/due/m/<minute>      slots with entries
 *   index/due/s/<slot>        [number of entries]
 *   index/due/s/<slot>/<c>    entries of chunk c
 */
import type { Draft, Readable } from './draft.ts';

export const SLOT_MS = 100;
const CHUNK = 64;
const MINUTE = 60_000 / SLOT_MS;
const HOUR = 60 * MINUTE;

/** Rounded up to the end of its slot, milliseconds of log time. */
export const slotTime = (timeMs: number): number => Math.ceil(timeMs / SLOT_MS) * SLOT_MS;

/** The lists from the top to the one that names `slot`, each with the number it must hold. */
const lists = (slot: number): readonly (readonly [name: string, member: number])[] => {
  const hour = Math.floor(slot / HOUR);
  const minute = Math.floor(slot / MINUTE);
  return [
    ['due', hour],
    [`due/h/${hour}`, minute],
    [`due/m/${minute}`, slot],
  ];
};

const insertNumber = (draft: Draft, name: string, member: number): void => {
  const list = draft.get('index', name) ?? [];
  if (list.includes(String(member))) return;
  draft.put(
    'index',
    name,
    [...list, String(member)].toSorted((a, b) => Number(a) - Number(b)),
  );
};
/** True when the list is empty now. */
const removeNumber = (draft: Draft, name: string, member: number): boolean => {
  const left = draft.must('index', name).filter((n) => n !== String(member));
  if (left.length === 0) draft.drop('index', name);
  else draft.put('index', name, left);
  return left.length === 0;
};

/** `timeMs` must be a slot's time (`slotTime`). */
export const addDue = (draft: Draft, timeMs: number, entry: string): void => {
  const slot = timeMs / SLOT_MS;
  if (!Number.isInteger(slot)) throw new RangeError(`${timeMs} is not the time of a slot`);
  const count = Number(draft.get('index', `due/s/${slot}`)?.[0] ?? '0');
  if (count === 0) for (const [name, member] of lists(slot)) insertNumber(draft, name, member);
  const chunk = `due/s/${slot}/${Math.floor(count / CHUNK)}`;
  draft.put('index', chunk, [...(count % CHUNK === 0 ? [] : draft.must('index', chunk)), entry]);
  draft.put('index', `due/s/${slot}`, [String(count + 1)]);
};

/** Time of the earliest slot with entries; undefined when there is none. */
export const earliestDue = (state: Readable): number | undefined => {
  const hour = state.get('index', 'due')?.[0];
  if (hour === undefined) return undefined;
  const minute = state.must('index', `due/h/${hour}`)[0]!;
  return Number(state.must('index', `due/m/${minute}`)[0]!) * SLOT_MS;
};

const dropSlot = (draft: Draft, slot: number): void => {
  draft.drop('index', `due/s/${slot}`);
  for (const [name, member] of lists(slot).toReversed()) if (!removeNumber(draft, name, member)) return;
};

/** Takes one chunk (at most 64 entries) of the earliest slot if it is due at `now`. */
export const takeDue = (draft: Draft, now: number): readonly string[] | undefined => {
  const time = earliestDue(draft);
  if (time === undefined || time > now) return undefined;
  const slot = time / SLOT_MS;
  const last = Math.ceil(Number(draft.must('index', `due/s/${slot}`)[0]) / CHUNK) - 1;
  const entries = draft.must('index', `due/s/${slot}/${last}`);
  draft.drop('index', `due/s/${slot}/${last}`);
  if (last === 0) dropSlot(draft, slot);
  else draft.put('index', `due/s/${slot}`, [String(last * CHUNK)]);
  return entries;
};
