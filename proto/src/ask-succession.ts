/** Asks the masters who follows them (rules G5, P5): for whoever makes the genesis file that goes on. */
import { encodeSuccession, successionOf, type Genesis } from '@scs/protocol';
import { Masters } from './gen/scs/v1/masters_pb.ts';
import { grpcClient } from './grpc.ts';
import { MastersUnavailable } from './masters-client.ts';
import { longerSuccession } from './succession.ts';
import { authoritiesOf, clientCredentials, masterIdentity, type TlsFiles } from './tls.ts';

export interface AskSuccession {
  /** `host:port` of the masters, in their index order. */
  readonly addresses: readonly string[];
  readonly tls: TlsFiles;
  readonly genesis: Genesis;
  readonly timeoutMs?: number;
}
/** Two committees proved that they follow the same one: then two of its three masters lied. */
export class SuccessionForked extends Error {
  readonly code = 'SuccessionForked';
  constructor() {
    super('two masters show different committees, each proven: two of the three before signed both');
    this.name = 'SuccessionForked';
  }
}

/**
 * The genesis with the links that any of the masters can prove beyond it; undefined when none can. Throws MastersUnavailable when nobody
 * answers, SuccessionForked when what two prove excludes each other.
 */
export const askSuccession = async ({ addresses, tls, genesis, timeoutMs = 10_000 }: AskSuccession): Promise<Genesis | undefined> => {
  const authorities = authoritiesOf(genesis);
  const answers = await Promise.allSettled(
    addresses.map(async (address, i) => {
      const client = grpcClient(Masters, address, clientCredentials(tls, authorities, masterIdentity(i)));
      try {
        return longerSuccession(genesis, (await client.succession({}, { timeoutMs })).links);
      } finally {
        client.close();
      }
    }),
  );
  const told = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  if (told.length === 0) throw new MastersUnavailable('their succession', answers.find((a) => a.status === 'rejected')?.reason);
  const [longest, ...others] = told
    .flatMap((found) => found ?? [])
    .toSorted((a, b) => successionOf(b).links.length - successionOf(a).links.length);
  for (const other of others) if (longest && !leadsTo(other, longest)) throw new SuccessionForked();
  return longest;
};

const keysOf = (genesis: Genesis): string => genesis.masters.map(({ publicKey }) => publicKey).join();
const leadsTo = (a: Genesis, b: Genesis): boolean =>
  successionOf(a).links.length < successionOf(b).links.length
    ? longerSuccession(a, encodeSuccession(successionOf(b).links)) !== undefined
    : keysOf(a) === keysOf(b);
