/** A node's answers, read strictly: whatever isn't what was asked for is the node's fault. */
import { ChainError } from './chain.ts';

export const misbehaves = (what: string): ChainError => new ChainError({ code: 'ChainMisbehaves', detail: `the node answered no ${what}` });
export const integer = (value: unknown): bigint => {
  if (typeof value === 'string' && /^\d{1,39}$/.test(value)) return BigInt(value);
  throw misbehaves('integer');
};
export const integers = (value: unknown): bigint[] => {
  if (!Array.isArray(value)) throw misbehaves('list of integers');
  return value.map(integer);
};
export const present = (value: bigint | undefined): bigint => {
  if (value === undefined) throw misbehaves('figure for each address');
  return value;
};
export const text = (value: unknown): string => {
  if (typeof value === 'string') return value;
  throw misbehaves('text');
};
export const truth = (value: unknown): boolean => {
  if (typeof value === 'boolean') return value;
  throw misbehaves('truth value');
};
export const digest = (value: unknown): string => {
  const found = /^0x([0-9a-f]{64})$/.exec(text(value))?.[1];
  if (found === undefined) throw misbehaves('digest');
  return found;
};
