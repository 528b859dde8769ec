/** The model of what outlives a committee: recovery (rule N9) and the record of epochs, policies and protocols (G1, G2, X4). */
import { demand } from './model-state.ts';
import type { ModelState } from './model-state.ts';
import type { Operation, Votes } from './operation.ts';

type Of<K extends Operation['kind']> = Extract<Operation, { kind: K }>;

/** Two of three keys signed, whoever's they are. */
export const checkSigners = (signers: readonly number[], sound: boolean): void => {
  demand(signers.length >= 2, 'committee:3');
  demand(signers.length <= 3, 'committee:6');
  signers.forEach((signer, i) => {
    demand(i === 0 || signer > signers[i - 1]!, 'committee:4');
    demand(signer < 3, 'committee:6');
    demand(sound, 'committee:5');
  });
};
export const checkVotes = (s: ModelState, { generation, masters, fault }: Votes): void => {
  demand(fault !== 'genesis', 'committee:1');
  demand(generation === s.generation, 'committee:2');
  checkSigners(masters, fault !== 'signature');
};

export const recoveryDelay = (s: ModelState): bigint => 3n * s.terms.delay;

export const openRecovery = (s: ModelState, { claim, signers, fault }: Of<'open_recovery'>): void => {
  checkSigners(signers, fault !== 'signature');
  demand(fault !== 'genesis', 'recovery:1');
  demand(claim.round === s.recoveryRound + 1, 'recovery:2');
  demand(claim.generation === s.generation + 1, 'recovery:3');
  demand(claim.height >= s.highest, 'recovery:4');
  demand(fault !== 'equal keys', 'committee:8');
  s.recoveryRound = claim.round;
  s.recovery = { ...claim, ripensAt: s.now + recoveryDelay(s) };
};
export const cancelRecovery = (s: ModelState, { votes }: Of<'cancel_recovery'>): void => {
  demand(s.recovery !== undefined, 'recovery:5');
  checkVotes(s, votes);
  demand(votes.height > s.recovery!.height, 'recovery:7');
  s.recovery = undefined;
};
export const completeRecovery = (s: ModelState): void => {
  const claim = s.recovery;
  if (claim === undefined) return demand(false, 'recovery:5');
  demand(s.now >= claim.ripensAt, 'recovery:6');
  demand(s.highest <= claim.height, 'recovery:4');
  demand(claim.generation === s.generation + 1, 'committee:2');
  s.generation = claim.generation;
  s.highest = claim.height;
  s.recovery = undefined;
};

export const govern = (s: ModelState, { votes, leaf }: Of<'govern'>): void => {
  checkVotes(s, votes);
  demand(votes.fault !== 'path', 'committee:7');
  demand(leaf.number >= s.nextEpoch, 'governance:1');
  demand(leaf.number === s.nextEpoch, 'governance:2');
  demand(leaf.policyVersion >= s.policyVersion && leaf.protocolVersion >= s.protocolVersion, 'governance:3');
  demand((s.policies.get(leaf.policyVersion) ?? leaf.policy) === leaf.policy, 'governance:4');
  s.nextEpoch += 1n;
  s.policyVersion = leaf.policyVersion;
  s.protocolVersion = leaf.protocolVersion;
  s.policies.set(leaf.policyVersion, leaf.policy);
};
