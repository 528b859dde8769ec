/** The state machine's surroundings in a real master: signatures by the durable key, certificates by the committee (G4), admissions (N8). */
import { certificateFault, decideMessage, generationAfter, signerOf, verifySignature, type Committee } from '@scs/protocol';
import { isOver } from '@scs/protocol/rules/replacement.ts';
import type { Rules } from '../../log/rules-port.ts';
import type { Environment, Limits } from '../environment.ts';
import { uiHolds } from '../usig.ts';

export interface EnvironmentOptions {
  readonly index: number;
  readonly genesisDigest: string;
  /** Seed of the durable key, hex. */
  readonly seed: string;
  readonly rules: Rules;
  readonly committee: Committee;
  readonly limits: Limits;
  /** Digest that names the formation; before the first, the genesis does. */
  readonly formation: string | undefined;
}

export const environmentOf = (o: EnvironmentOptions): Environment => {
  const { index, genesisDigest, seed, rules, committee, limits, formation } = o;
  const sign = signerOf(seed);
  return {
    index,
    genesis: genesisDigest,
    generation: committee.generation,
    ended: (records) => isOver(records, committee.generation),
    generationAfter: (head) => generationAfter(committee, head),
    formation: formation ?? genesisDigest,
    limits,
    rules,
    holds: {
      ui: uiHolds,
      vote: (head, { master, signature }) => verifySignature(committee.keys[master] ?? '', decideMessage(head), signature),
      certificate: (certificate) => certificateFault(certificate, genesisDigest, committee) === undefined,
    },
    sign: (head) => ({ master: index, signature: sign(decideMessage(head)) }),
    admitted: (records) =>
      [0, 1, 2].flatMap((master) => {
        const counter = records.get('counter', String(master));
        return counter ? [{ master, key: counter.key, height: counter.height }] : [];
      }),
    admissions: (block) =>
      block.commands.flatMap((c) => (c.type === 'counter.admit' ? [{ master: c.statement.master, key: c.statement.key }] : [])),
  };
};
