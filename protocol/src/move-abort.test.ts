import { expect, test } from 'vitest';
import { moveAbort } from './move-abort.ts';

test.each`
  status                                                                                     | abort
  ${'Move abort in 0x7::escrow: E_ESCROW_INSUFFICIENT(0x10003): The escrow holds less'}      | ${{ module: 'escrow', word: 'EscrowInsufficient' }}
  ${'{"vm_status":"Move abort in 0xab::fungible_asset: EINSUFFICIENT_BALANCE(0x10004): x"}'} | ${{ module: 'fungible_asset', word: 'InsufficientBalance' }}
  ${'Move abort in 0x7::escrow: 0x10003'}                                                    | ${undefined}
  ${'Move abort in 0x5c5::committee: E_TOO_FEW_VOTES(0x3): A certificate needs two'}         | ${{ module: 'committee', word: 'TooFewVotes' }}
  ${'OUT_OF_GAS'}                                                                            | ${undefined}
`('$status', ({ status, abort }) => {
  expect(moveAbort(status)).toEqual(abort);
});
