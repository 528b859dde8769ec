/**
 * Ed25519 keys and Aptos addresses (rules N5, G4). Verification is a pure function; node:crypto is used because it is
 * 13-20 times faster than a pure JavaScript curve (docs/adr/0002). Keys and signatures are bare lowercase hex.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign as signBytes, verify as verifyBytes } from 'node:crypto';
import { concat, fromHex, hex } from './encoding/bytes.ts';
import { sha3 } from './encoding/hash.ts';

const SPKI_ED25519 = fromHex('302a300506032b6570032100');
const PKCS8_ED25519 = fromHex('302e020100300506032b657004220420');
const SINGLE_ED25519_SCHEME = Uint8Array.of(0);

export const isPublicKey = (key: string): boolean => /^[0-9a-f]{64}$/.test(key);
export const isSignature = (signature: string): boolean => /^[0-9a-f]{128}$/.test(signature);
export const isAddress = (address: string): boolean => /^0x[0-9a-f]{64}$/.test(address);

/** False for a malformed key or signature too: what comes from outside never throws here. */
export const verifySignature = (publicKey: string, message: Uint8Array, signature: string): boolean => {
  if (!isPublicKey(publicKey) || !isSignature(signature)) return false;
  return verifyBytes(null, message, keyObjectOf(publicKey), fromHex(signature));
};

/** Parsed keys, the latest few thousand: parsing costs a third of a verification, and the same keys come again and again. */
const parsed = new Map<string, KeyObject>();
const MOST_PARSED = 4096;
const keyObjectOf = (publicKey: string): KeyObject => {
  const known = parsed.get(publicKey);
  if (known) return known;
  const key = createPublicKey({ key: Buffer.from(concat(SPKI_ED25519, fromHex(publicKey))), format: 'der', type: 'spki' });
  parsed.set(publicKey, key);
  const oldest = parsed.keys().next().value;
  if (parsed.size > MOST_PARSED && oldest !== undefined) parsed.delete(oldest);
  return key;
};

/** Signs with a 32-byte seed in hex. Deterministic (RFC 8032). */
export const sign = (seed: string, message: Uint8Array): string => signerOf(seed)(message);
/** For whoever signs often: parsing the key costs several times what signing does. */
export const signerOf = (seed: string): ((message: Uint8Array) => string) => {
  const key = privateKeyOf(seed);
  return (message) => hex(signBytes(null, message, key));
};

export const publicKeyOf = (seed: string): string => {
  const spki = createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' });
  return hex(spki.subarray(SPKI_ED25519.length));
};

/** Aptos account address of a single Ed25519 key: SHA3-256(key || 0x00), long form. */
export const addressOf = (publicKey: string): string => `0x${hex(sha3(fromHex(publicKey), SINGLE_ED25519_SCHEME))}`;

const privateKeyOf = (seed: string) =>
  createPrivateKey({ key: Buffer.from(concat(PKCS8_ED25519, fromHex(seed))), format: 'der', type: 'pkcs8' });
