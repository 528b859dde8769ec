import { Deserializer, TransactionAuthenticator } from '@aptos-labs/ts-sdk';
import { BcsReader } from './bcs-reader.ts';
import { sha3 } from './bytes.ts';
import { isIdentifier } from './move-types.ts';
import type { MoveType } from './move-types.ts';
import { Refusal, invalidInput, invalidTransaction } from './refusal.ts';
import { readTypeTag, typeTagBytes } from './type-tags.ts';
import type { FunctionCall } from './vm.ts';

/** A signed transaction as it came, taken apart. Amounts of gas in devnet gas units, price in devnet gas a unit. */
export type SignedTransaction = {
  readonly hash: Uint8Array;
  /** BCS of the raw transaction: what is signed, after a prefix. */
  readonly rawBytes: Uint8Array;
  readonly sender: Uint8Array;
  readonly sequenceNumber: bigint;
  readonly call: FunctionCall;
  readonly typeArguments: readonly MoveType[];
  readonly maxGasAmount: bigint;
  readonly gasUnitPrice: bigint;
  readonly expirationSecs: bigint;
  readonly chainId: number;
  readonly authenticator: TransactionAuthenticator;
};

/** Aptos' bound on a transaction. */
export const maxTransactionBytes = 64 * 1024;

const hashPrefix = sha3(Buffer.from('APTOS::Transaction'));
const userTransaction = Uint8Array.of(0);
const entryFunctionVariant = 2;
const variantNames = ['script', 'module bundle', 'entry function', 'multisig', 'orderless or other inner'];

/** An entry function or a view: the same bytes. Names are checked here, since the VM would end the process over a malformed one. */
export const readFunctionCall = (reader: BcsReader): { call: FunctionCall; typeArguments: readonly MoveType[] } => {
  const address = reader.bytes(32);
  const [module, name] = [reader.string(), reader.string()];
  if (!isIdentifier(module) || !isIdentifier(name)) throw invalidInput('The function has a name that is no identifier');
  const typeArguments = reader.vector(() => readTypeTag(reader));
  const args = reader.vector(() => reader.lengthPrefixed());
  return { typeArguments, call: { address, module, name, typeArguments: typeArguments.map(typeTagBytes), arguments: args } };
};

const readPayload = (reader: BcsReader) => {
  const variant = reader.uleb128();
  if (variant === entryFunctionVariant) return readFunctionCall(reader);
  throw invalidInput(`The devnet takes entry functions only, not a ${variantNames[variant] ?? 'payload of unknown kind'}`);
};

const readAuthenticator = (bytes: Uint8Array): TransactionAuthenticator => {
  const deserializer = new Deserializer(bytes);
  const authenticator = TransactionAuthenticator.deserialize(deserializer);
  // One transaction, one encoding: else one signature would give many hashes.
  if (deserializer.remaining() > 0 || !Buffer.from(authenticator.bcsToBytes()).equals(bytes))
    throw invalidInput('The authenticator is not canonical BCS');
  return authenticator;
};

/** Takes a signed transaction apart. Checks its form, not its signatures. Throws `Refusal`. */
export const readTransaction = (body: Uint8Array): SignedTransaction => {
  if (body.length > maxTransactionBytes) throw invalidTransaction('EXCEEDED_MAX_TRANSACTION_SIZE');
  try {
    const reader = new BcsReader(body);
    const sender = reader.bytes(32);
    const sequenceNumber = reader.unsigned(8);
    const { call, typeArguments } = readPayload(reader);
    const [maxGasAmount, gasUnitPrice, expirationSecs] = [reader.unsigned(8), reader.unsigned(8), reader.unsigned(8)];
    const chainId = reader.u8();
    const rawBytes = body.subarray(0, body.length - reader.remaining);
    const authenticator = readAuthenticator(body.subarray(rawBytes.length));
    const hash = sha3(hashPrefix, userTransaction, body);
    return {
      hash,
      rawBytes,
      sender,
      sequenceNumber,
      call,
      typeArguments,
      maxGasAmount,
      gasUnitPrice,
      expirationSecs,
      chainId,
      authenticator,
    };
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw invalidInput(`Not a signed transaction in BCS: ${error instanceof Error ? error.message : String(error)}`);
  }
};
