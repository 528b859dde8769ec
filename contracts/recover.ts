/**
 * When the masters are lost (rule N9; docs/contracts.md): two of the three recovery keys of the genesis appoint the next committee.
 *
 *     node contracts/recover.ts claim --genesis genesis.bin --chain-url URL/v1 --masters KEY,KEY,KEY --height 4711 --state-root HEX --claim claim.json
 *     node contracts/recover.ts sign --genesis genesis.bin --claim claim.json --keys keys/recovery-0      # offline; and again with another
 *     node contracts/recover.ts open --genesis genesis.bin --claim claim.json --chain-url URL/v1 --payer keys/publisher
 *     node contracts/recover.ts complete --genesis genesis.bin --chain-url URL/v1 --payer keys/publisher  # after the delay; anyone may
 *     node contracts/recover.ts status --genesis genesis.bin --chain-url URL/v1
 *
 * The payer only pays gas.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Account, Aptos, AptosConfig, Ed25519PrivateKey, MoveVector, Network, isUserTransactionResponse } from '@aptos-labs/ts-sdk';
import type { InputEntryFunctionData, MoveValue } from '@aptos-labs/ts-sdk';
import { decodeGenesis, genesisDigest, type Genesis } from '@scs/protocol';
import { fromHex } from '@scs/protocol/encoding/bytes.ts';
import { isPublicKey, publicKeyOf, sign, verifySignature } from '@scs/protocol/keys.ts';
import { encodeRecoveryClaim, recoveryMessage } from '@scs/protocol/recovery.ts';
import { z } from 'zod';

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const counter = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform(BigInt);
const Claim = z.strictObject({
  genesis: digest,
  round: counter,
  generation: counter,
  height: counter,
  stateRoot: digest,
  keys: z.array(digest).length(3),
});
const ClaimFile = z.strictObject({
  claim: Claim,
  signatures: z.array(z.strictObject({ key: z.int().min(0).max(2), signature: z.string().regex(/^[0-9a-f]{128}$/) })).max(3),
});
/** A claim with the signatures that it has so far; `key` is the index 0..2 in the genesis. */
export type ClaimFile = z.infer<typeof ClaimFile>;

export const readClaim = (text: string): ClaimFile => ClaimFile.parse(JSON.parse(text));
export const writeClaim = (file: ClaimFile): string =>
  `${JSON.stringify(file, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value), 2)}\n`;

export interface RecoveryStatus {
  readonly round: bigint;
  /** The claim under way. `ripensAt`: seconds of chain time. */
  readonly pending?: { readonly generation: bigint; readonly height: bigint; readonly ripensAt: bigint };
  readonly generation: bigint;
  /** The highest height that a certificate was shown of: a claim may not start below. */
  readonly highest: bigint;
}
const view = async (aptos: Aptos, contract: string, name: string): Promise<MoveValue[]> =>
  aptos.view({ payload: { function: `${contract}::${name}` as `${string}::${string}::${string}`, functionArguments: [] } });

export const recoveryStatus = async (aptos: Aptos, contract: string): Promise<RecoveryStatus> => {
  const [round, isPending, next, height, ripensAt] = await view(aptos, contract, 'recovery::pending');
  const [generation] = await view(aptos, contract, 'committee::current');
  const [highest] = await view(aptos, contract, 'committee::highest');
  const integer = (value: unknown): bigint => BigInt(String(value));
  const pending = isPending === true && { pending: { generation: integer(next), height: integer(height), ripensAt: integer(ripensAt) } };
  return { round: integer(round), generation: integer(generation), highest: integer(highest), ...pending };
};

/** A claim for the next generation, unsigned. Throws RangeError when the height lies below what the chain knows to be certified. */
export const newClaim = (
  genesis: Genesis,
  status: RecoveryStatus,
  { masters, height, stateRoot }: { masters: readonly string[]; height: bigint; stateRoot: string },
): ClaimFile => {
  if (masters.length !== 3 || new Set(masters).size !== 3 || !masters.every(isPublicKey))
    throw new RangeError('--masters takes three different public keys of 64 hex digits.');
  if (height < status.highest) throw new RangeError(`Height ${status.highest} was certified: the new committee may not start below it.`);
  const keys = [...masters];
  const claim = { genesis: genesisDigest(genesis), round: status.round + 1n, generation: status.generation + 1n, height, stateRoot, keys };
  return { claim, signatures: [] };
};

/** Throws RangeError when the seed is of no recovery key of this genesis, or the claim of another genesis. */
export const signClaim = (genesis: Genesis, { claim, signatures }: ClaimFile, seed: string): ClaimFile => {
  if (claim.genesis !== genesisDigest(genesis)) throw new RangeError('The claim is of another genesis.');
  const key = genesis.recoveryKeys.indexOf(publicKeyOf(seed));
  if (key < 0) throw new RangeError('The key is none of the recovery keys of this genesis.');
  const others = signatures.filter((s) => s.key !== key);
  return { claim, signatures: [...others, { key, signature: sign(seed, recoveryMessage(claim)) }].toSorted((a, b) => a.key - b.key) };
};

/** The entry function that opens the recovery. Throws RangeError unless two recovery keys signed. */
export const openCall = (genesis: Genesis, { claim, signatures }: ClaimFile): InputEntryFunctionData => {
  const sound = signatures.filter((s) => verifySignature(genesis.recoveryKeys[s.key]!, recoveryMessage(claim), s.signature));
  if (sound.length < 2) throw new RangeError('Two of the three recovery keys must sign the claim first.');
  return {
    function: `${genesis.chain.contract as `0x${string}`}::recovery::open`,
    functionArguments: [
      MoveVector.U8(encodeRecoveryClaim(claim)),
      MoveVector.U8(sound.map((s) => s.key)),
      new MoveVector(sound.map((s) => MoveVector.U8(fromHex(s.signature)))),
    ],
  };
};
export const completeCall = ({ chain }: Genesis): InputEntryFunctionData => ({
  function: `${chain.contract as `0x${string}`}::recovery::complete`,
  functionArguments: [],
});

/** Throws the SDK's errors, an abort's name in them. */
export const transact = async (aptos: Aptos, signer: Account, data: InputEntryFunctionData): Promise<string> => {
  const transaction = await aptos.transaction.build.simple({ sender: signer.accountAddress, data, options: { maxGasAmount: 200_000 } });
  const { hash } = await aptos.signAndSubmitTransaction({ signer, transaction });
  const done = await aptos.waitForTransaction({ transactionHash: hash });
  if (!isUserTransactionResponse(done)) throw new Error(`Transaction ${hash} came back as something else.`);
  return hash;
};

const text = { type: 'string' } as const;
const options = { genesis: text, 'chain-url': text, masters: text, height: text, 'state-root': text, claim: text, keys: text, payer: text };

const main = async (): Promise<void> => {
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const given = (name: keyof typeof options): string => {
    const value = values[name];
    if (value === undefined) throw new Error(`--${name} is required. The head of contracts/recover.ts has examples.`);
    return value;
  };
  const genesis = decodeGenesis(readFileSync(given('genesis')));
  const chain = (): Aptos => new Aptos(new AptosConfig({ network: Network.CUSTOM, fullnode: given('chain-url').replace(/\/$/, '') }));
  const seed = (folder: string, file: string): string => readFileSync(join(folder, file), 'utf8').trim();
  const payer = (): Account => Account.fromPrivateKey({ privateKey: new Ed25519PrivateKey(`0x${seed(given('payer'), 'account.key')}`) });
  const claimFile = (): ClaimFile => readClaim(readFileSync(given('claim'), 'utf8'));
  const actions: Readonly<Record<string, () => Promise<void>>> = {
    claim: async () => {
      const wanted = {
        masters: given('masters').split(','),
        height: BigInt(given('height')),
        stateRoot: digest.parse(given('state-root')),
      };
      writeFileSync(given('claim'), writeClaim(newClaim(genesis, await recoveryStatus(chain(), genesis.chain.contract), wanted)));
    },
    sign: async () => writeFileSync(given('claim'), writeClaim(signClaim(genesis, claimFile(), seed(given('keys'), 'recovery.key')))),
    open: async () => console.log(await transact(chain(), payer(), openCall(genesis, claimFile()))),
    complete: async () => console.log(await transact(chain(), payer(), completeCall(genesis))),
    status: async () => console.log(await recoveryStatus(chain(), genesis.chain.contract)),
  };
  const action = actions[positionals[0] ?? ''];
  if (!action) throw new Error(`usage: node contracts/recover.ts ${Object.keys(actions).join('|')} ...; its head has examples.`);
  await action();
};

if (import.meta.main)
  await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
