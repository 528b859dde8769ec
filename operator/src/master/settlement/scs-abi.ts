/** The functions of `contracts/scs` that masters call, so that the SDK needs no module of the node's to encode arguments. */
import { parseTypeTag } from '@aptos-labs/ts-sdk';
import type { EntryFunctionABI, ViewFunctionABI } from '@aptos-labs/ts-sdk';

const entry = (...parameters: string[]): EntryFunctionABI => ({ typeParameters: [], parameters: parameters.map((p) => parseTypeTag(p)) });
const view = (parameters: string[], returnTypes: string[]): ViewFunctionABI => ({
  ...entry(...parameters),
  returnTypes: returnTypes.map((t) => parseTypeTag(t)),
});

const bytes = 'vector<u8>';
const listOfBytes = 'vector<vector<u8>>';

/** Every certified leaf is taken with the same arguments. */
export const settleAbi = entry(bytes, bytes, listOfBytes, bytes, listOfBytes);
export const observeAbi = view(['vector<address>'], ['u64', 'vector<u64>', 'vector<u64>', 'vector<u64>', 'vector<u64>']);
export const nextNumberAbi = view([], ['u64']);
export const batchAbi = view(['u64'], [bytes, 'u64', 'u64']);
export const submissionAbi = view(['u64'], ['address', 'u64']);
export const genesisAbi = view([], [bytes, 'bool']);
export const committeeAbi = view([], ['u64', listOfBytes]);
export const isInitializedAbi = view([], ['bool']);

export const doneAbi = view(['u64'], ['bool']);
export const dueAbi = view([], ['u64']);
export const mintDueAbi = entry();
export const scheduleAbi = view([], ['u64', 'u128', 'u128', 'u64']);
export const totalsAbi = view([], ['u64', 'u64', 'u128', 'u128', 'u128']);
export const standingAbi = view(['u8', 'vector<address>'], ['vector<u64>']);
export const mastersStandingAbi = view([listOfBytes], ['vector<u64>']);
export const reportAbi = entry('u8', bytes, bytes, bytes, bytes);
export const equivocatedAbi = view(['u64', 'u8'], ['bool', 'u64']);
