import { createPublicKey, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import {
  AccountAuthenticatorEd25519,
  AccountAuthenticatorMultiEd25519,
  AccountAuthenticatorMultiKey,
  AccountAuthenticatorSingleKey,
  AnyPublicKey,
  Ed25519PublicKey,
  Secp256k1PublicKey,
  TransactionAuthenticatorEd25519,
  TransactionAuthenticatorFeePayer,
  TransactionAuthenticatorMultiAgent,
  TransactionAuthenticatorMultiEd25519,
  TransactionAuthenticatorSingleSender,
} from '@aptos-labs/ts-sdk';
import type { AccountAddress, AccountAuthenticator, PublicKey } from '@aptos-labs/ts-sdk';
import { bcsVector, concat, keyOf, sha3 } from './bytes.ts';
import { invalidInput, invalidTransaction } from './refusal.ts';
import type { SignedTransaction } from './transaction.ts';

/** One who signed: its address, and the authentication key that its public key derives to. */
export type Signer = { readonly address: Uint8Array; readonly authenticationKey: Uint8Array };
/** Whose signers the VM gets, in order, and who pays the gas. */
export type Signers = { readonly senders: readonly Signer[]; readonly payer: Signer };

type Claim = { readonly address: Uint8Array; readonly authenticator: AccountAuthenticator; readonly messages: readonly Uint8Array[] };

const rawPrefix = sha3(Buffer.from('APTOS::RawTransaction'));
const withDataPrefix = sha3(Buffer.from('APTOS::RawTransactionWithData'));
const multiAgentVariant = Uint8Array.of(0);
const feePayerVariant = Uint8Array.of(1);
const zeroAddress = new Uint8Array(32);
const maxSecondarySigners = 16;

const addressesBytes = (addresses: readonly AccountAddress[]): Uint8Array => bcsVector(addresses.map((a) => a.toUint8Array()));

const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');
/** Taking a key apart costs as much as verifying with it, and senders come again. */
const parsedKeys = new Map<string, KeyObject>();
const maxParsedKeys = 1_000;
const parsedKey = (key: Uint8Array): KeyObject => {
  const name = keyOf(key);
  const known = parsedKeys.get(name);
  if (known !== undefined) return known;
  const parsed = createPublicKey({ key: Buffer.concat([spkiPrefix, key]), format: 'der', type: 'spki' });
  if (parsedKeys.size >= maxParsedKeys) parsedKeys.clear();
  parsedKeys.set(name, parsed);
  return parsed;
};
const verifyEd25519 = (key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean =>
  verify(null, message, parsedKey(key), signature);

/** Kinds of key whose signature can be checked from the transaction alone. Keyless ones need a prover's keys. */
const assertPlain = (keys: readonly PublicKey[]): void => {
  for (const key of keys) {
    const plain = key instanceof AnyPublicKey ? key.publicKey : key;
    if (!(plain instanceof Ed25519PublicKey || plain instanceof Secp256k1PublicKey))
      throw invalidInput('The devnet verifies Ed25519 and Secp256k1 keys only');
  }
};

const signatureFits = (authenticator: AccountAuthenticator, message: Uint8Array): boolean => {
  if (authenticator instanceof AccountAuthenticatorEd25519)
    return verifyEd25519(authenticator.public_key.toUint8Array(), message, authenticator.signature.toUint8Array());
  if (authenticator instanceof AccountAuthenticatorSingleKey)
    return authenticator.public_key.verifySignature({ message, signature: authenticator.signature });
  if (authenticator instanceof AccountAuthenticatorMultiEd25519)
    return authenticator.public_key.verifySignature({ message, signature: authenticator.signature });
  if (authenticator instanceof AccountAuthenticatorMultiKey)
    return authenticator.public_keys.verifySignature({ message, signature: authenticator.signatures });
  return false;
};

const publicKeyOf = (authenticator: AccountAuthenticator): { authKey: () => { toUint8Array: () => Uint8Array } } => {
  if (authenticator instanceof AccountAuthenticatorEd25519) return authenticator.public_key;
  if (authenticator instanceof AccountAuthenticatorMultiEd25519) return authenticator.public_key;
  if (authenticator instanceof AccountAuthenticatorSingleKey) {
    assertPlain([authenticator.public_key]);
    return authenticator.public_key;
  }
  if (authenticator instanceof AccountAuthenticatorMultiKey) {
    assertPlain(authenticator.public_keys.publicKeys);
    return authenticator.public_keys;
  }
  throw invalidInput('The devnet verifies single keys, multi keys and multi Ed25519 only');
};

const safely = (check: () => boolean): boolean => {
  try {
    return check();
  } catch {
    return false; // malformed keys and signatures make the libraries throw: they don't fit
  }
};

const claims = (tx: SignedTransaction): readonly Claim[] => {
  const { authenticator } = tx;
  const raw = concat(rawPrefix, tx.rawBytes);
  const one = (account: AccountAuthenticator): Claim[] => [{ address: tx.sender, authenticator: account, messages: [raw] }];
  if (authenticator instanceof TransactionAuthenticatorEd25519)
    return one(new AccountAuthenticatorEd25519(authenticator.public_key, authenticator.signature));
  if (authenticator instanceof TransactionAuthenticatorMultiEd25519)
    return one(new AccountAuthenticatorMultiEd25519(authenticator.public_key, authenticator.signature));
  if (authenticator instanceof TransactionAuthenticatorSingleSender) return one(authenticator.sender);
  if (!(authenticator instanceof TransactionAuthenticatorMultiAgent || authenticator instanceof TransactionAuthenticatorFeePayer))
    throw invalidInput('Unknown kind of authenticator');
  const { secondary_signer_addresses: addresses, secondary_signers: secondary } = authenticator;
  if (addresses.length !== secondary.length || addresses.length > maxSecondarySigners) throw invalidTransaction('INVALID_SIGNATURE');
  const withData = (variant: Uint8Array, tail: Uint8Array): Uint8Array =>
    concat(withDataPrefix, variant, tx.rawBytes, addressesBytes(addresses), tail);
  const everyone = (messages: readonly Uint8Array[]): Claim[] => [
    { address: tx.sender, authenticator: authenticator.sender, messages },
    ...secondary.map((account, i): Claim => ({ address: addresses[i]?.toUint8Array() ?? zeroAddress, authenticator: account, messages })),
  ];
  if (authenticator instanceof TransactionAuthenticatorMultiAgent) return everyone([withData(multiAgentVariant, new Uint8Array())]);
  // Senders may sign before they know who pays: with the zero address in the payer's place. The payer signs with its own.
  const payer = authenticator.fee_payer.address.toUint8Array();
  const named = withData(feePayerVariant, payer);
  return [
    ...everyone([named, withData(feePayerVariant, zeroAddress)]),
    { address: payer, authenticator: authenticator.fee_payer.authenticator, messages: [named] },
  ];
};

const legacyEd25519 = Uint8Array.of(0);
/** The commonest kind by the native hash: the SDK's own is in JavaScript. */
const authenticationKeyOf = (authenticator: AccountAuthenticator, key: ReturnType<typeof publicKeyOf>): Uint8Array =>
  authenticator instanceof AccountAuthenticatorEd25519
    ? sha3(authenticator.public_key.toUint8Array(), legacyEd25519)
    : key.authKey().toUint8Array();

const signerOf = (claim: Claim, verifySignatures: boolean): Signer => {
  const key = publicKeyOf(claim.authenticator);
  if (verifySignatures && !claim.messages.some((message) => safely(() => signatureFits(claim.authenticator, message))))
    throw invalidTransaction('INVALID_SIGNATURE');
  return { address: claim.address, authenticationKey: authenticationKeyOf(claim.authenticator, key) };
};

/**
 * Verifies every signature of the transaction and says who signed. Whether the keys are those of the accounts is for the caller, who knows
 * the state. Throws `Refusal` (INVALID_SIGNATURE).
 */
export const authenticate = (tx: SignedTransaction): Signers => {
  const signers = claims(tx).map((claim) => signerOf(claim, true));
  return split(tx, signers);
};

const split = (tx: SignedTransaction, signers: readonly Signer[]): Signers => {
  const sponsored = tx.authenticator instanceof TransactionAuthenticatorFeePayer;
  const senders = sponsored ? signers.slice(0, -1) : signers;
  const payer = sponsored ? signers.at(-1) : signers[0];
  if (payer === undefined) throw invalidTransaction('INVALID_SIGNATURE');
  return { senders, payer };
};

/** For simulation: who would sign, nothing verified. Keys are taken for those of the accounts. */
export const claimedSigners = (tx: SignedTransaction): Signers => {
  const signers = claims(tx).map((claim): Signer => ({ address: claim.address, authenticationKey: claim.address }));
  return split(tx, signers);
};
