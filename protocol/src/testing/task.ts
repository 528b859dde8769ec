/** A task as a submitter would write it: `aTask().query('coffee').maxFee('5').signed(genesis)`. */
import { authorizationMessage } from '../authorization.ts';
import type { Command } from '../commands.ts';
import { genesisDigest, type Genesis } from '../genesis.ts';
import { sign } from '../keys.ts';
import type { Usage } from '../policy.ts';
import { TaskSpec, type Query } from '../resources/task.ts';
import { instantMs } from '../rules/log-time.ts';
import { actorKey, digestOf, testKey } from './keys.ts';

export type AdmitCommand = Extract<Command, { type: 'task.admit' }>;
let made = 0;

export class TaskBuilder {
  #name = `task-${++made}`;
  #submitter = 'roastery';
  #user: string | undefined;
  #expiry = '2026-01-10T00:00:00Z';
  #nonce: string | undefined;
  #spec: Record<string, unknown> = {
    class: 'query',
    usage: 'marketing',
    query: {
      domain: 'retail.purchase',
      where: [
        { attribute: 'product_group', in: ['coffee'] },
        { attribute: 'purchase_day', from: '2017-10-04', until: '2018-01-02' },
      ],
      groupBy: 'age_group',
    },
    privacy: { epsilon: '0.5', minimumResultCardinality: 20 },
    coordination: { quorum: 2 },
    maxFee: '10',
    resultKey: testKey('result').publicKey,
  };

  named(name: string): this {
    this.#name = name;
    return this;
  }
  /** Which product group is counted. */
  query(group: string): this {
    return this.asking({ where: [{ attribute: 'product_group', in: [group] }] });
  }
  asking(query: Partial<Query>): this {
    return this.with({ query: { ...(this.#spec['query'] as object), ...query } });
  }
  by(submitter: string): this {
    this.#submitter = submitter;
    return this;
  }
  presentedBy(user: string): this {
    this.#user = user;
    return this;
  }
  usage(usage: Usage): this {
    return this.with({ usage });
  }
  epsilon(epsilon: string): this {
    return this.with({ privacy: { ...(this.#spec['privacy'] as object), epsilon } });
  }
  minimum(minimumResultCardinality: number): this {
    return this.with({ privacy: { ...(this.#spec['privacy'] as object), minimumResultCardinality } });
  }
  quorum(quorum: number): this {
    return this.with({ coordination: { quorum } });
  }
  maxFee(maxFee: string): this {
    return this.with({ maxFee });
  }
  deadline(deadlineSeconds: number): this {
    return this.with({ deadlineSeconds });
  }
  expiring(expiry: string): this {
    this.#expiry = expiry;
    return this;
  }
  nonce(nonce: string): this {
    this.#nonce = nonce;
    return this;
  }
  with(fields: Record<string, unknown>): this {
    this.#spec = { ...this.#spec, ...fields };
    return this;
  }

  get uid(): string {
    return digestOf(`uid ${this.#name}`).slice(0, 32);
  }
  spec(): TaskSpec {
    return TaskSpec.parse({ submitter: actorKey(this.#submitter).address, ...this.#spec });
  }
  unsigned(): AdmitCommand {
    const user = this.#user ?? this.#submitter;
    return { type: 'task.admit', uid: this.uid, namespace: 'roastery', name: this.#name, spec: this.spec(), user };
  }
  /** Signed by the submitter's key for this genesis. */
  signed(genesis: Genesis): AdmitCommand {
    const { namespace, name, spec, ...rest } = this.unsigned();
    const { seed, publicKey } = actorKey(this.#submitter);
    const nonce = this.#nonce ?? digestOf(`nonce ${name}`).slice(0, 32);
    const expiryMs = BigInt(instantMs(this.#expiry) ?? 0);
    const { chainId } = genesis.chain;
    const message = authorizationMessage({ genesis: genesisDigest(genesis), chainId, namespace, name, spec, nonce, expiryMs });
    const authorization = { publicKey, nonce, expiry: this.#expiry, signature: sign(seed, message) };
    return { ...rest, namespace, name, spec: { ...spec, authorization } };
  }
}
export const aTask = (): TaskBuilder => new TaskBuilder();
