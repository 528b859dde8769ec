import { encodeHead, decideMessage } from '@scs/protocol/certificate.ts';
import { hex } from '@scs/protocol/encoding/bytes.ts';
import { encodeBatch, encodeCommittee, encodeSettlementLeaf, listPath, listRoot } from '@scs/protocol/settlement-layout.ts';
import { encodeDividendRoot } from '@scs/protocol/dividends.ts';
import { encodeEnvelope, envelopeDigest } from '@scs/protocol/envelope.ts';
import { claims, governanceLeaves, records, recoveryKeys, refusedRecords } from './continuity.ts';
import { envelope } from './envelope.ts';
import {
  accounts,
  batches,
  committees,
  dividends,
  economyLeaves,
  equivocations,
  forged,
  genesis,
  leafBytes,
  lists,
  mintings,
  penalties,
  slashes,
  sound,
  stakeSignatures,
  state,
  stateEntries,
  tasks,
  unsound,
} from './scenario.ts';

const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);
const json = (value: unknown): string => `${JSON.stringify(value, plain, 2)}\n`;

/** Bytes are lowercase hex, amounts and counters decimal strings; file name -> content. */
export const jsonFiles = (): Map<string, string> => {
  const head = sound.batch_1.certificate.head;
  return new Map([
    ['head.json', json({ head, bytes: hex(encodeHead(head)), decideMessage: hex(decideMessage(head)) })],
    ['envelope.json', json({ envelope, bytes: hex(encodeEnvelope(envelope)), digest: envelopeDigest(envelope) })],
    ['committee.json', json(committees.map((committee) => ({ committee, bytes: hex(encodeCommittee(committee)) })))],
    ['certificate.json', json({ genesis, sound, forged })],
    ['equivocation.json', json(equivocations)],
    ['recovery.json', json({ recoveryKeys, claims })],
    [
      'governance.json',
      json(Object.entries({ ...records, ...refusedRecords }).map(([name, leaf]) => ({ name, leaf, bytes: governanceLeaves[name]!.value }))),
    ],
    ['mintings.json', json(mintings)],
    [
      'dividends.json',
      json(
        dividends.map(({ root, claim }) => ({
          root,
          bytes: hex(encodeDividendRoot(root)),
          claims: Array.from({ length: Number(root.count) }, (_, i) => ({ ...claim(i), path: claim(i).path.map(hex) })),
        })),
      ),
    ],
    [
      'staking.json',
      json({
        genesis,
        slashes: Object.entries(slashes).map(([name, slash]) => ({ slash, bytes: economyLeaves[name]!.value })),
        accounts,
        penalties,
        signatures: stakeSignatures.map((signature, i) => ({ key: committees[0].keys[i], owner: accounts[i], signature })),
      }),
    ],
    [
      'batch.json',
      json({
        sound: batches.map((batch) => ({ batch, bytes: hex(encodeBatch(batch)) })),
        unsound: Object.entries(unsound).map(([name, { code, batch }]) => ({ name, code, batch, bytes: hex(encodeBatch(batch)) })),
      }),
    ],
    ['settlement-leaf.json', json(tasks.flat().map(({ leaf }) => ({ leaf, bytes: hex(encodeSettlementLeaf(leaf)) })))],
    [
      'list-path.json',
      json(
        lists.map((list) => {
          const items = leafBytes(list);
          return { items: items.map(hex), root: hex(listRoot(items)), paths: items.map((_, i) => listPath(i, items).map(hex)) };
        }),
      ),
    ],
    [
      'merkle-path.json',
      json({
        entries: stateEntries.map(([key, value]) => ({ key, value: hex(value), siblings: state.prove(key)!.siblings.map(hex) })),
        root: hex(state.root()),
      }),
    ],
  ]);
};
