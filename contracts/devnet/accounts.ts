import { BcsReader } from './bcs-reader.ts';
import { bcsBytes, concat, u64Bytes } from './bytes.ts';
import { knownAddress, resourceKey, structType } from './state-keys.ts';
import type { StateAccess } from './vm.ts';

/**
 * The two resources that the node itself keeps, by their BCS: `account::Account` (framework-dev) for sequence numbers, and
 * `devnet_gas::Balance` for fees. On Aptos the VM's epilogue does the same in Move.
 */
export type Account = { readonly authenticationKey: Uint8Array; readonly sequenceNumber: bigint; readonly guidCreationNumber: bigint };

const accountType = structType('0x1::account::Account');
const balanceType = structType('0x1::devnet_gas::Balance');
const framework = knownAddress('0x1');
const chainIdKey = resourceKey(framework, structType('0x1::chain_id::ChainId'));
const faucetKey = resourceKey(framework, structType('0x1::devnet_gas::Faucet'));

type Read = StateAccess['read'];
type Write = StateAccess['write'];

/** The account; one that was never used has sequence number zero and its address as key. */
export const readAccount = (read: Read, address: Uint8Array): Account => {
  const bytes = read(resourceKey(address, accountType));
  if (bytes === undefined) return { authenticationKey: address, sequenceNumber: 0n, guidCreationNumber: 0n };
  const reader = new BcsReader(bytes);
  return { authenticationKey: reader.lengthPrefixed(), sequenceNumber: reader.unsigned(8), guidCreationNumber: reader.unsigned(8) };
};

export const writeAccount = (write: Write, address: Uint8Array, account: Account): void =>
  write(
    resourceKey(address, accountType),
    concat(bcsBytes(account.authenticationKey), u64Bytes(account.sequenceNumber), u64Bytes(account.guidCreationNumber)),
  );

/** In devnet gas, which is not APT. */
export const readGas = (read: Read, address: Uint8Array): bigint => {
  const bytes = read(resourceKey(address, balanceType));
  return bytes === undefined ? 0n : new BcsReader(bytes).unsigned(8);
};

export const writeGas = (write: Write, address: Uint8Array, amount: bigint): void =>
  write(resourceKey(address, balanceType), u64Bytes(amount));

/** What the node puts beside the framework at genesis. */
export const writeChain = (write: Write, chainId: number, faucet: Uint8Array): void => {
  write(chainIdKey, Uint8Array.of(chainId));
  write(faucetKey, faucet);
};
