/**
 * The published contracts in the devnet's Move VM, without its HTTP server and signatures of accounts: so that thousands of calls
 * take seconds. What a call wrote counts when it succeeded, as in a block.
 */
import { dividendKey, dividendTree, encodeDividendRoot } from '@scs/protocol/dividends.ts';
import { fromHex } from '@scs/protocol/encoding/bytes.ts';
import { encodeGovernanceLeaf, governanceKey } from '@scs/protocol/governance-leaf.ts';
import { nodeRewardsKey, encodeNodeRewards } from '@scs/protocol/inflation.ts';
import { sign } from '@scs/protocol/keys.ts';
import { batchKey, committeeKey, encodeBatch, encodeCommittee } from '@scs/protocol/settlement-layout.ts';
import { encodeSlash, slashKey, stakeMessage } from '@scs/protocol/staking.ts';
import { bcsBytes, bcsVector, u64Bytes } from '../devnet/bytes.ts';
import type { Chain } from '../devnet/chain.ts';
import { overlay } from '../devnet/overlay.ts';
import { parseVmError } from '../devnet/vm-status.ts';
import { certifiedLeaf, committeeKeys, genesisOfModel, masterOf, offeredClaim, offeredVote } from './certified.ts';
import type { CertifiedBytes } from './certified.ts';
import type { Operation } from './operation.ts';

const GAS = 10_000_000_000n;
type Call = readonly [module: string, name: string, sender: number, args: readonly Uint8Array[]];

const signatureList = (signatures: readonly string[]): Uint8Array => bcsVector(signatures.map((s) => bcsBytes(fromHex(s))));
const certified = ({ head, masters, signatures, value, siblings }: CertifiedBytes): Uint8Array[] => [
  bcsBytes(head),
  bcsBytes(masters),
  signatureList(signatures),
  bcsBytes(value),
  bcsVector(siblings.map(bcsBytes)),
];
const role = (n: number): Uint8Array => Uint8Array.of(n);

/** The entry function that an operation is, and its arguments in BCS; undefined for one that is none. */
const callOf = (op: Exclude<Operation, { kind: 'wait' }>, accounts: readonly string[]): Call => {
  switch (op.kind) {
    case 'deposit':
    case 'request_withdrawal':
      return ['escrow', op.kind, op.who, [u64Bytes(op.amount)]];
    case 'withdraw':
    case 'cancel_withdrawal':
      return ['escrow', op.kind, op.who, []];
    case 'claim':
      return ['rewards', 'claim', op.who, []];
    case 'fund':
      return ['treasury', 'fund', op.who, [u64Bytes(op.amount)]];
    case 'mint_due':
      return ['inflation', 'mint_due', op.who, []];
    case 'settle':
      return ['settlement', 'settle', 0, certified(certifiedLeaf(batchKey(op.batch.number), encodeBatch(op.batch), op.votes))];
    case 'reward_nodes':
      return ['settlement', 'reward_nodes', 0, certified(certifiedLeaf(nodeRewardsKey(op.number), encodeNodeRewards(op), op.votes))];
    case 'publish_dividends': {
      const root = { ...dividendTree(op.number, op.shares, op.terms).root, total: op.total };
      return ['dividends', 'publish', 0, certified(certifiedLeaf(dividendKey(op.number), encodeDividendRoot(root), op.votes))];
    }
    case 'roll_over':
      return ['dividends', 'roll_over', op.who, [u64Bytes(op.number)]];
    case 'claim_dividends': {
      const numbersOf = (list: readonly bigint[]): Uint8Array => bcsVector(list.map(u64Bytes));
      const paths = bcsVector(op.claims.map(({ path }) => bcsVector(path.map(bcsBytes))));
      const columns = [op.claims.map((c) => c.number), op.claims.map((c) => BigInt(c.index)), op.claims.map((c) => c.amount)];
      return ['dividends', 'claim', op.who, [...columns.map(numbersOf), paths]];
    }
    case 'advance': {
      const committee = encodeCommittee({ generation: BigInt(op.to), keys: committeeKeys(op.to) });
      return ['committee', 'advance', 0, certified(certifiedLeaf(committeeKey(BigInt(op.to)), committee, op.votes))];
    }
    case 'stake':
    case 'request_unbond':
      return ['staking', op.kind, op.who, [role(op.role), u64Bytes(op.amount)]];
    case 'stake_master': {
      const key = masterOf(op.generation, op.master);
      const signature = sign(key.seed, stakeMessage(genesisOfModel, accounts[op.signedFor]!));
      return ['staking', 'stake_master', op.who, [u64Bytes(op.amount), bcsBytes(fromHex(key.publicKey)), bcsBytes(fromHex(signature))]];
    }
    case 'cancel_unbond':
      return ['staking', 'cancel_unbond', op.who, [role(op.role)]];
    case 'withdraw_stake':
      return ['staking', 'withdraw', op.who, [role(op.role)]];
    case 'slash':
      return ['staking', 'slash', 0, certified(certifiedLeaf(slashKey(op.slash.number), encodeSlash(op.slash), op.votes))];
    case 'govern':
      return ['governance', 'record', 0, certified(certifiedLeaf(governanceKey(op.leaf.number), encodeGovernanceLeaf(op.leaf), op.votes))];
    case 'open_recovery': {
      const { bytes, signatures } = offeredClaim(op);
      return ['recovery', 'open', 0, [bcsBytes(bytes), bcsBytes(Uint8Array.from(op.signers)), signatureList(signatures)]];
    }
    case 'cancel_recovery':
      return ['recovery', 'cancel', 0, certified(certifiedLeaf('none', new Uint8Array(), op.votes)).slice(0, 3)];
    case 'complete_recovery':
      return ['recovery', 'complete', 0, []];
    case 'report': {
      const offered = op.votes.flatMap((vote) => {
        const { head, signature } = offeredVote(vote);
        return [bcsBytes(head), bcsBytes(fromHex(signature))];
      });
      return ['accountability', 'report', 0, [role(op.master), ...offered]];
    }
  }
};

export interface VmContracts {
  /** The abort that it ends in, `module:code`; undefined on success. Throws on any other failure. */
  readonly step: (op: Operation) => string | undefined;
  /** What a view returns, numbers as bigints, in a flat list. */
  readonly view: (module: string, name: string, ...args: Uint8Array[]) => bigint[];
}

const numbers = (value: unknown): bigint[] => {
  if (Array.isArray(value)) return value.flatMap(numbers);
  if (typeof value === 'boolean') return [value ? 1n : 0n];
  return [BigInt(String(value))];
};

/** `startedAt`: seconds; the clock moves by `wait` alone. */
export const vmContracts = (chain: Chain, contract: string, accounts: readonly string[], startedAt: bigint): VmContracts => {
  const state = overlay((key) => chain.store.read(key));
  const address = fromHex(contract.slice(2));
  let now = startedAt;
  let height = chain.tip().height;
  const environment = () => ({ height, timeUs: Number(now) * 1_000_000, transactionHash: new Uint8Array(32) });
  const step = (op: Operation): string | undefined => {
    height += 1;
    if (op.kind === 'wait') {
      now += BigInt(op.seconds);
      return undefined;
    }
    const [module, name, sender, args] = callOf(op, accounts);
    const top = overlay(state.read);
    const call = { address, module, name, typeArguments: [], arguments: args };
    const { outcome } = chain.vm.execute(top, environment(), [fromHex(accounts[sender]!.slice(2))], call, GAS);
    if (outcome.ok) {
      for (const [key, value] of top.writes) state.writes.set(key, value);
      return undefined;
    }
    const failure = parseVmError(outcome.error);
    if (failure.kind !== 'abort') throw new Error(`${module}::${name}: ${outcome.error}`);
    return `${failure.module}:${failure.code}`;
  };
  const view = (module: string, name: string, ...args: Uint8Array[]): bigint[] => {
    const call = { address, module, name, typeArguments: [], arguments: args };
    const { outcome } = chain.vm.view(overlay(state.read), environment(), call, GAS);
    if (!outcome.ok) throw new Error(`${module}::${name}: ${outcome.error}`);
    return numbers(JSON.parse(outcome.value));
  };
  return { step, view };
};
