/** G5, B2: from the first signature to a command that the rules take. */
import { describe, expect, test } from 'vitest';
import { apply, genesisDigest, initialState } from '@scs/protocol';
import { aGenesis } from '@scs/protocol/testing/genesis.ts';
import { masterKey, testKey } from '@scs/protocol/testing/keys.ts';
import { commandOf, readApproval, withApproval, type ApprovalFile } from './approval.ts';

const genesis = aGenesis();
const replenish = (): ApprovalFile => readApproval({ type: 'budget.replenish', statement: { usage: 'marketing', epoch: 0 } }, 'file');
const signed = (...masters: readonly number[]): ApprovalFile =>
  masters.reduce((file, master) => withApproval(file, genesis, masterKey(master).seed), replenish());

test('two approvals make a command that the rules take', () => {
  const command = commandOf(signed(2, 0), genesis);
  expect(command.approvals.map(({ master }) => master)).toEqual([0, 2]);
  const context = { genesis, genesisDigest: genesisDigest(genesis), time: genesis.time, height: 1n };
  expect(apply(initialState(genesis), command, context)).toMatchObject({ ok: true, touched: ['replenishment/marketing'] });
});
test('a master that approves twice is there once', () => expect(signed(1, 1)).toEqual(signed(1)));
test('what one printed is what the next one reads', () =>
  expect(readApproval(JSON.parse(JSON.stringify(signed(1))), 'file')).toEqual(signed(1)));

describe('refused', () => {
  test.each<[string, string, () => unknown]>([
    ['one approval', 'ApprovalsMissing', () => commandOf(signed(1), genesis)],
    ["a key that is no master's", 'WrongKey', () => withApproval(replenish(), genesis, testKey('stranger').seed)],
    ['an altered statement', 'ApprovalInvalid', () => commandOf({ ...signed(0, 1), statement: { usage: 'training', epoch: 0 } }, genesis)],
    ['another genesis', 'ApprovalInvalid', () => withApproval(signed(0), aGenesis({ name: 'other' }), masterKey(1).seed)],
    ['an unknown kind', 'ApprovalInvalid', () => readApproval({ type: 'tick', statement: {} }, 'file')],
    [
      'no statement of that kind',
      'ApprovalInvalid',
      () => readApproval({ type: 'budget.replenish', statement: { usage: 'fun', epoch: 0 } }, 'file'),
    ],
    [
      'more than it takes',
      'ApprovalInvalid',
      () => readApproval({ type: 'budget.replenish', statement: { usage: 'training', epoch: 0, more: 1 } }, 'file'),
    ],
    ['text', 'ApprovalInvalid', () => readApproval('approve!', 'file')],
  ])('%s: %s', (_, code, act) => expect(act).toThrow(expect.objectContaining({ code })));
});
