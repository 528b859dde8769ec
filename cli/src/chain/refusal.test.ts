import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { chainRefusal, refusalOfStatus, sentences } from './refusal.ts';

const ADDRESS = `0x${'ab'.repeat(32)}`;
const sources = join(import.meta.dirname, '../../../contracts/scs/sources');
const snake = (word: string): string => word.replace(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

test.each(Object.keys(sentences).filter((key) => !key.startsWith('fungible_asset::')))('%s is an abort of our contracts', (key) => {
  const [module, word] = key.split('::');
  expect(readFileSync(join(sources, `${module}.move`), 'utf8')).toContain(`const E_${snake(word!)}: u64`);
});

describe('a VM status as a sentence', () => {
  test.each([
    ['Move abort in 0x12::escrow: E_ESCROW_INSUFFICIENT(0x2): EscrowInsufficient: less', 'EscrowInsufficient', 'ask for at most'],
    ['Move abort in 0x1::fungible_asset: EINSUFFICIENT_BALANCE(0x10004): ', 'InsufficientBalance', 'kubectl symphony account'],
    ['Move abort in 0x12::settlement: E_SUMS_DIFFER(0x3): x', 'ChainRefused', 'E_SUMS_DIFFER'],
    ['INSUFFICIENT_BALANCE_FOR_TRANSACTION_FEE', 'GasInsufficient', ADDRESS],
    ['Out of gas', 'GasInsufficient', ADDRESS],
    ['Transaction Executed and Committed with Error OUT_OF_GAS', 'GasInsufficient', ADDRESS],
    ['INVALID_AUTH_KEY', 'KeyRotated', ADDRESS],
    ['SEQUENCE_NUMBER_TOO_OLD', 'ChainBusy', 'try again'],
    ['something new', 'ChainRefused', 'something new'],
  ])('%s', (status, code, part) => {
    const refusal = refusalOfStatus('escrow::deposit', status, ADDRESS);
    expect([refusal.code, refusal.message]).toEqual([code, expect.stringContaining(part)]);
  });
  test('what a node says is cut short', () => expect(refusalOfStatus('x', 'y'.repeat(10_000), ADDRESS).message.length).toBeLessThan(500));
  test('a network that is away', () =>
    expect(chainRefusal('x', new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') })).code).toBe('ChainUnreachable'));
});
