/** The enclave's keys: fresh at each start, in memory only, gone with the process (rules A1, A2). */
import { randomBytes } from 'node:crypto';
import { hex, publicKeyOf, signStatement, type StatementKind } from '@scs/protocol';
import { generateSealKey } from '@scs/proto';

export interface EnclaveKeys {
  /** Hex of the Ed25519 and X25519 public keys. */
  readonly signKey: string;
  readonly sealKey: string;
  sign(kind: StatementKind, genesis: string, statement: unknown): string;
  /** X25519 private key, hex. Throws once the keys are wiped. */
  sealPrivateKey(): string;
  /** Best effort: JavaScript strings made from the seed live until the collector takes them. */
  wipe(): void;
}

export const generateKeys = async (): Promise<EnclaveKeys> => {
  const seed = randomBytes(32);
  const seal = await generateSealKey();
  let sealPrivate: string | undefined = seal.privateKey;
  const needed = <T>(value: T | undefined): T => {
    if (value === undefined || sealPrivate === undefined) throw new Error('the enclave keys are wiped');
    return value;
  };
  return {
    signKey: publicKeyOf(hex(seed)),
    sealKey: seal.publicKey,
    sign: (kind, genesis, statement) => signStatement(hex(needed(seed)), kind, genesis, statement),
    sealPrivateKey: () => needed(sealPrivate),
    wipe: () => {
      seed.fill(0);
      sealPrivate = undefined;
    },
  };
};
