import { TransactionAuthenticatorEd25519 } from '@aptos-labs/ts-sdk';
import { addressText, hex, sha3 } from './bytes.ts';
import type { Executed } from './execute.ts';
import type { Modules, ReadEntry } from './modules.ts';
import { decodeValue, fromVmJson } from './move-json.ts';
import type { Json, Layouts } from './move-json.ts';
import { parseType, substitute, typeText } from './move-types.ts';
import type { MoveType } from './move-types.ts';
import type { SignedTransaction } from './transaction.ts';
import type { RawEvent } from './vm.ts';

/** Transactions, events and values as the Aptos API shows them. */
export type JsonObject = { readonly [name: string]: Json };

export const layoutsOf =
  (modules: Modules, read: ReadEntry): Layouts =>
  (type) =>
    modules.fields(read, type);

/** Values that came over the wire may not fit their types: then the bytes are shown, since the transaction is on record either way. */
const decodeOrHex = (bytes: Uint8Array, type: MoveType, layouts: Layouts): Json => {
  try {
    return decodeValue(bytes, type, layouts);
  } catch {
    return hex(bytes);
  }
};

const isSigner = (type: MoveType): boolean => type.kind === 'primitive' && type.name === 'signer';

const renderArguments = (tx: SignedTransaction, modules: Modules, read: ReadEntry): Json[] => {
  const abi = modules.function(read, tx.call.address, tx.call.module, tx.call.name);
  if (abi === undefined || abi.generic_type_params.length !== tx.typeArguments.length) return tx.call.arguments.map(hex);
  const types = abi.params.map((p) => substitute(parseType(p), tx.typeArguments)).filter((t) => !isSigner(t));
  const layouts = layoutsOf(modules, read);
  return tx.call.arguments.map((bytes, i) => {
    const type = types[i];
    return type === undefined ? hex(bytes) : decodeOrHex(bytes, type, layouts);
  });
};

const renderSignature = (tx: SignedTransaction): JsonObject => {
  const { authenticator } = tx;
  if (authenticator instanceof TransactionAuthenticatorEd25519)
    return {
      type: 'ed25519_signature',
      public_key: hex(authenticator.public_key.toUint8Array()),
      signature: hex(authenticator.signature.toUint8Array()),
    };
  return { type: 'devnet_authenticator', bytes: hex(authenticator.bcsToBytes()) };
};

/** What a transaction says of itself, pending or not. */
export const renderRequest = (tx: SignedTransaction, modules: Modules, read: ReadEntry): JsonObject & { readonly hash: string } => ({
  hash: hex(tx.hash),
  sender: addressText(tx.sender),
  sequence_number: tx.sequenceNumber.toString(),
  max_gas_amount: tx.maxGasAmount.toString(),
  gas_unit_price: tx.gasUnitPrice.toString(),
  expiration_timestamp_secs: tx.expirationSecs.toString(),
  payload: {
    type: 'entry_function_payload',
    function: `${addressText(tx.call.address)}::${tx.call.module}::${tx.call.name}`,
    type_arguments: tx.typeArguments.map(typeText),
    arguments: renderArguments(tx, modules, read),
  },
  signature: renderSignature(tx),
});

/** Module events have no stream of their own: Aptos shows them with an empty guid and sequence number 0. */
export const renderEvent = (event: RawEvent, layouts: Layouts): JsonObject => {
  const type = parseType(event.type);
  const data: Json = JSON.parse(event.data);
  return {
    guid: { creation_number: '0', account_address: '0x0' },
    sequence_number: '0',
    type: typeText(type),
    data: fromVmJson(data, type, layouts),
  };
};

export type Outline = { readonly version: number; readonly timeUs: number; readonly stateRoot: Uint8Array; readonly vmStatus: string };

/** An executed transaction, without its changes, which are read from the store when they are asked for. */
export const renderExecuted = (
  tx: SignedTransaction,
  executed: Executed,
  outline: Outline,
  modules: Modules,
  read: ReadEntry,
): JsonObject => {
  const layouts = layoutsOf(modules, read);
  const events = executed.events.map((e) => renderEvent(e, layouts));
  return {
    type: 'user_transaction',
    version: String(outline.version),
    ...renderRequest(tx, modules, read),
    success: executed.failure === undefined,
    vm_status: outline.vmStatus,
    gas_used: executed.gasUsed.toString(),
    events,
    timestamp: String(outline.timeUs),
    state_change_hash: hex(outline.stateRoot),
    event_root_hash: hex(sha3(Buffer.from(JSON.stringify(events)))),
    accumulator_root_hash: hex(outline.stateRoot),
    state_checkpoint_hash: null,
    replay_protection_nonce: null,
  };
};
