import { Ed25519Account, Ed25519PrivateKey } from '@aptos-labs/ts-sdk';
import { sha3 } from './bytes.ts';

/**
 * The faucet's key follows from the chain id, for everyone to know: it gives away what has no value, and the same
 * transactions shall give the same state.
 */
export const faucetAccount = (chainId: number): Ed25519Account =>
  new Ed25519Account({ privateKey: new Ed25519PrivateKey(sha3(Buffer.from('scs devnet faucet'), Uint8Array.of(chainId))) });

export const faucetAddress = (chainId: number): Uint8Array => faucetAccount(chainId).accountAddress.toUint8Array();
