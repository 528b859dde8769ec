/** The envelope of the golden vectors (rules E1, E3): every field set, none alike. */
import type { TaskEnvelope } from '@scs/protocol/envelope.ts';
import { utf8, hex } from '@scs/protocol/encoding/bytes.ts';
import { sha3 } from '@scs/protocol/encoding/hash.ts';

const digestOf = (text: string): string => hex(sha3(utf8(`SCS vector envelope ${text}`)));
const addressOf = (text: string): string => `0x${digestOf(text)}`;
const vault = (name: string, reservedMicroRho: bigint): TaskEnvelope['vaults'][number] => ({
  vault: name,
  key: digestOf(`${name} key`),
  enterprise: addressOf(`${name} enterprise`),
  snapshotCommitment: digestOf(`${name} snapshot`),
  consentCommitment: digestOf(`${name} consents`),
  reservedMicroRho,
});

export const envelope: TaskEnvelope = {
  protocolVersion: 1n,
  genesis: digestOf('genesis'),
  uid: '6f1c0d9e-0000-4000-8000-00000000abcd',
  namespace: 'roastery',
  name: 'coffee-by-age',
  class: 'query',
  usage: 'marketing',
  submitter: addressOf('submitter'),
  terms: digestOf('terms'),
  nonce: digestOf('nonce').slice(0, 32),
  policyVersion: 3n,
  semanticVersion: digestOf('catalogue'),
  epoch: 12n,
  plan: hex(utf8('{"domain":"retail.purchase"}')),
  resultKey: digestOf('result key'),
  quote: 525_000_000n,
  deadline: 1_767_226_200_000n,
  quorum: 2n,
  vaults: [vault('alder/shoppers', 125_000n), vault('birch/shoppers', 125_001n)],
  aggregators: [addressOf('first aggregator'), addressOf('second aggregator')],
};
