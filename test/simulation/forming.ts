/** Drives one master's part in formations (rule N9): what it states of itself, and what becomes of its agreement when one opens. */
import { type Chain, evaluate, type Tip, withCertified, withDecided } from '@scs/operator/master/consensus/chain.ts';
import type { Environment } from '@scs/operator/master/consensus/environment.ts';
import { signConfirmation, signStatement } from '@scs/operator/master/consensus/formation.ts';
import type { FormationEnv, OpenFormation } from '@scs/operator/master/consensus/formation-step.ts';
import { admit, type Roster } from '@scs/operator/master/consensus/roster.ts';
import type { SimulatedDisk } from './disk.ts';
import { FORMATION, GENESIS, GROUP, seedOf } from './trust.ts';

/** The formation that every run begins in: given, not formed. */
export const given = (roster: Roster): OpenFormation => ({ number: 1, id: FORMATION, roster, base: { height: 0n, block: GENESIS } });

export const formationEnv = (index: number, isCounterOf: (key: string, master: number) => boolean): FormationEnv<string> => ({
  index,
  group: GROUP,
  freshMs: 1_500,
  signStatement: (value) => signStatement(seedOf(index), value),
  signConfirmation: (value) => signConfirmation(seedOf(index), value),
  attested: (value, attestation) => attestation === value.key && isCounterOf(value.key, value.master),
});

/** The chain as its certified blocks make it; up to the base their admissions were those of formations before. */
export const chainFrom = (
  env: Environment,
  start: Tip,
  blocks: ReturnType<SimulatedDisk['blocks']>,
  { roster, base }: OpenFormation,
  floor: bigint,
): Chain => {
  const digests = new Map([[start.head.height, start.head.block]]);
  const known = env
    .admitted(start.records)
    .filter(({ height }) => height > base.height)
    .reduce((r, admission) => admit(r, admission, admission.height, env.limits.window), roster);
  let chain: Chain = { certified: start, decided: [], digests, marks: new Map(), roster: known, snapshots: [start], floor };
  for (const { bytes, certificate } of blocks) {
    const result = evaluate(env, chain.certified, bytes);
    if (!result.ok) throw new RangeError(`stored block ${certificate.head.height}: ${result.why}`);
    const by = certificate.head.height > base.height ? env : { ...env, admissions: () => [] };
    chain = withCertified(by, withDecided(by, chain, result.tip, result.block), certificate);
  }
  return chain;
};
