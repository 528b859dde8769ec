/** The actor's signature on a task (rule N5), over BCS(genesis, chain id, namespace, name, terms, nonce, expiry). */
import { bcs } from '@mysten/bcs';
import { concat, fromHex, utf8 } from './encoding/bytes.ts';
import { encodeCanonical } from './encoding/canonical.ts';
import { digest, type Digest } from './encoding/hash.ts';
import { TaskTerms, type TaskSpec } from './resources/task.ts';

const AuthorizationBcs = bcs.struct('TaskAuthorization', {
  genesis: bcs.vector(bcs.u8()),
  chainId: bcs.u8(),
  namespace: bcs.string(),
  name: bcs.string(),
  terms: bcs.vector(bcs.u8()),
  nonce: bcs.vector(bcs.u8()),
  expiryMs: bcs.u64(),
});

export interface SignedTask {
  readonly genesis: string;
  readonly chainId: number;
  readonly namespace: string;
  readonly name: string;
  readonly spec: TaskSpec;
  readonly nonce: string;
  readonly expiryMs: bigint;
}

/** The spec with defaults, without authorization and ttl: what the signature and the envelope mean by "the task". */
export const termsOf = (spec: TaskSpec): TaskTerms => TaskTerms.parse(spec);
export const termsDigest = (terms: TaskTerms): Digest<'terms'> => digest('terms', encodeCanonical(terms));

export const authorizationMessage = (task: SignedTask): Uint8Array =>
  concat(
    utf8('SCS::task::v1'),
    AuthorizationBcs.serialize({
      genesis: [...fromHex(task.genesis)],
      chainId: task.chainId,
      namespace: task.namespace,
      name: task.name,
      terms: [...encodeCanonical(termsOf(task.spec))],
      nonce: [...fromHex(task.nonce)],
      expiryMs: task.expiryMs,
    }).toBytes(),
  );
