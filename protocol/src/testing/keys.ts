/** Deterministic keys for tests: a name gives a seed. Nothing here is secret. */
import { hex, utf8 } from '../encoding/bytes.ts';
import { sha3 } from '../encoding/hash.ts';
import { addressOf, publicKeyOf } from '../keys.ts';

export interface TestKey {
  readonly seed: string;
  readonly publicKey: string;
  readonly address: string;
}
/** 32 bytes in hex that depend on the text alone. */
export const digestOf = (text: string): string => hex(sha3(utf8(`SCS testing ${text}`)));
const made = new Map<string, TestKey>();
export const testKey = (name: string): TestKey => {
  const known = made.get(name);
  if (known) return known;
  const key = newKey(name);
  made.set(name, key);
  return key;
};
const newKey = (name: string): TestKey => {
  const seed = digestOf(name);
  const publicKey = publicKeyOf(seed);
  return { seed, publicKey, address: addressOf(publicKey) };
};
export const masterKey = (index: number): TestKey => testKey(`master ${index}`);
export const actorKey = (name: string): TestKey => testKey(`actor ${name}`);
/** `vault` is `namespace/name`. */
export const vaultKey = (vault: string): TestKey => testKey(`vault ${vault}`);
