/** Whether an object is what we would write: keys in any order, fields that are undefined left out. */
import { isDeepStrictEqual } from 'node:util';

/** As JSON carries it: without undefined fields. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null)) as unknown;
/** `found` came out of JSON; `wanted` goes into it. */
export const sameJson = (found: unknown, wanted: unknown): boolean => isDeepStrictEqual(found ?? null, plain(wanted));
