/** The state at height 0 (rule G7): what the genesis file says, as records. */
import { FIRST_GENERATION } from '../certificate.ts';
import { semanticVersion } from '../catalogue.ts';
import { genesisDigest, type Actor, type Genesis } from '../genesis.ts';
import { committeeKey, encodeCommittee, FIRST_BATCH } from '../settlement-layout.ts';
import { State } from '../state.ts';
import { genesisAt } from '../succession.ts';
import { withCatalogue } from './semantics.ts';

/** Name of the index of enterprises that contribute compute (M4). */
export const AGGREGATORS = 'aggregators';

const withActor = (state: State, actor: Actor): State => {
  const { address: account } = actor;
  const known = state.put('actor', account, actor);
  // Nothing is known of an escrow until a reading of the chain is decided (K2).
  return actor.role === 'producer'
    ? known
    : known.put('escrow', account, { account, balance: 0n, withdrawing: 0n, locked: 0n, ledgerVersion: 0n });
};

export const initialState = (today: Genesis): State => {
  const genesis = genesisAt(today, FIRST_GENERATION);
  const digest = genesisDigest(genesis);
  const keys = genesis.masters.map(({ publicKey }) => publicKey);
  const aggregators = genesis.actors.filter((a) => a.enterprise?.contributesCompute).map(({ address }) => address);
  const base = new State()
    .put('meta', '', {
      protocolVersion: genesis.protocolVersion,
      genesis: digest,
      height: 0n,
      time: genesis.time,
      block: digest,
      epoch: 0,
      epochStart: genesis.time,
      policyVersion: genesis.policy.version,
      semanticVersion: semanticVersion(genesis.catalogue),
      nextBatch: FIRST_BATCH,
      chain: null,
    })
    .put('epoch', '0', { number: 0, start: genesis.time, end: null, policyVersion: genesis.policy.version, tasks: 0 })
    .put('index', AGGREGATORS, aggregators.toSorted())
    .putRaw(committeeKey(FIRST_GENERATION), encodeCommittee({ generation: FIRST_GENERATION, keys }));
  return genesis.actors.reduce(withActor, withCatalogue(base, genesis.catalogue));
};
