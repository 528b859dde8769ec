/** Lines on what was asked (rules N5, N6, T2, E1, E2, S6, M4): manifest, record, history, envelope, plan, Vaults. */
import {
  authorizationMessage,
  decodeEnvelope,
  decodeRecord,
  encodeEnvelope,
  encodePlan,
  envelopeDigest,
  envelopeKey,
  fromHex,
  hex,
  instantMs,
  leafFault,
  mayMove,
  parseSym,
  semanticVersion,
  termsOf,
  verifySignature,
  type Catalogue,
  type CertifiedLeaf,
  type TaskRecord,
} from '@scs/protocol';
import { policyOf } from '@scs/protocol/rules/context.ts';
import { envelopeOf } from '@scs/protocol/rules/dispatch.ts';
import { resolveQuery } from '@scs/protocol/rules/resolution.ts';
import { check, type Check } from './check.ts';
import { differs, first, partOf, same, type Subject } from './subject.ts';

export const manifest = ({ task, genesis, digest }: Subject): Check =>
  check('manifest', 'signature', 'an actor of the genesis signed this spec, under this name, for this group and chain', () => {
    const { authorization, submitter } = task.spec;
    if (!authorization) return 'the task carries no authorization';
    const actor = genesis.actors.find(({ address }) => address === submitter);
    if (!actor) return 'the submitter is no actor of the genesis';
    if (authorization.publicKey !== actor.publicKey) return "the key is not the submitter's";
    const expiryMs = instantMs(authorization.expiry);
    if (expiryMs === undefined) return 'the expiry is no time';
    const message = authorizationMessage({
      genesis: digest,
      chainId: genesis.chain.chainId,
      namespace: task.metadata.namespace!,
      name: task.metadata.name,
      spec: task.spec,
      nonce: authorization.nonce,
      expiryMs: BigInt(expiryMs),
    });
    return verifySignature(actor.publicKey, message, authorization.signature) ? undefined : 'the signature does not fit';
  });

const leafProblem = ({ digest, committee }: Subject, leaf: CertifiedLeaf, key: string): string | undefined =>
  leaf.key === key ? leafFault(leaf, digest, committee)?.code : `the leaf is ${leaf.key}, not ${key}`;

export const taskRecord = (subject: Subject): Check =>
  check('task-record', 'certificate', 'two of three masters certified this record of the task', () => {
    const { task, bundle, record } = subject;
    return leafProblem(subject, bundle.task, `task/${task.metadata.uid}`) ?? differs('the uid', record().uid === task.metadata.uid);
  });

export const history = ({ task, record, bundle }: Subject): Check =>
  check(
    'history',
    'recomputation',
    'the states follow each other as the rules allow, from an admission before the signature expired',
    () => {
      const { history: entries, state } = record();
      const expiry = instantMs(task.spec.authorization?.expiry ?? '');
      const [admitted, last] = [entries[0]!, entries.at(-1)!];
      const broken = entries.find((entry, i) => {
        const before = entries[i - 1];
        return before && (!mayMove(before.state, entry.state) || entry.height < before.height || entry.time < before.time);
      });
      return first(
        admitted.state === 'accepted' ? undefined : `it begins with ${admitted.state}`,
        broken && `${broken.state} may not come where it does`,
        differs('the last state', last.state === state),
        expiry !== undefined && admitted.time < expiry ? undefined : 'the signature had expired at admission',
        last.height <= bundle.task.certificate.head.height ? undefined : 'it is ahead of its certificate',
      );
    },
  );

/** Status may leave figures out; what it shows must be so. */
const shows = <T>(what: string, shown: T | undefined, certified: T | undefined): string | undefined =>
  shown === undefined ? undefined : differs(what, shown === certified);

export const projection = ({ task, record }: Subject): Check =>
  check('projection', 'recomputation', 'what kubectl shows of the task is what the masters certified', () => {
    const { status, spec } = task;
    const certified = record();
    const entries = status?.history?.map((h) => [h.state, h.height, instantMs(h.time) ?? 'no time', h.reason ?? '']);
    return first(
      differs('the spec', same(spec, certified.spec)),
      differs('the state', status?.state === certified.state),
      differs('the envelope digest', status?.envelopeDigest === certified.envelope),
      differs('the result digest', status?.result?.digest === certified.sealedResult),
      differs(
        'the history',
        same(
          entries,
          certified.history.map((h) => [h.state, Number(h.height), h.time, h.reason ?? '']),
        ),
      ),
      shows('the quote', amount(status?.fee?.quoted), certified.quote),
      shows('the charge', amount(status?.fee?.charged), certified.charge),
      shows('the locked fee', amount(status?.fee?.locked), certified.locked),
      status?.vaults &&
        differs(
          'the list of Vaults',
          same(
            status.vaults.map((v) => [v.vault, v.state, v.reason ?? null]),
            certified.parts.map((p) => [p.vault, p.state, p.refusal?.code ?? null]),
          ),
        ),
      shows('the aggregator', status?.aggregator, certified.aggregators?.[certified.aggregator ?? 0]),
      shows('whether it is provisional', status?.result?.provisional, certified.readyAt === undefined),
      shows('the batch', status?.settlement && BigInt(status.settlement.batch), certified.batch),
      shows('the transaction', status?.settlement?.transaction, certified.transaction?.hash),
    );
  });
const amount = (text: string | undefined): bigint | undefined => (text === undefined ? undefined : parseSym(text));

export const envelope = (subject: Subject): Check =>
  check('envelope', 'certificate', 'two of three masters certified this TaskEnvelope', () =>
    leafProblem(subject, subject.bundle.envelope, envelopeKey(subject.task.metadata.uid ?? '')),
  );

/** The parts as they were at dispatch: those that had reserved. What became of them since is in the record. */
const atDispatch = ({ parts }: TaskRecord): TaskRecord['parts'] =>
  parts.filter((p) => p.reservedMicroRho !== undefined && p.state !== 'absent').map((p) => ({ ...p, state: 'reserved' }));

/** Field by field, so that the line can name what differs. */
export const envelopeFits = ({ task, bundle, envelope: decoded, record, context }: Subject): Check =>
  check(
    'envelope-fits',
    'recomputation',
    'the envelope follows from the manifest and the record, and all evidence carries its digest',
    () => {
      const certified = record();
      const { uid, namespace, name } = task.metadata;
      const asSigned = { ...certified, uid: uid!, namespace: namespace!, name, spec: task.spec, parts: atDispatch(certified) };
      const expected = envelopeOf(asSigned, certified.aggregators ?? [], decoded().protocolVersion, context);
      if (hex(encodeEnvelope(expected)) === bundle.envelope.value)
        return differs('the digest', envelopeDigest(expected) === certified.envelope);
      const found = decodeEnvelope(fromHex(bundle.envelope.value));
      const field = (Object.keys(expected) as (keyof typeof expected)[]).find((key) => !same(expected[key], found[key]));
      return `its ${field ?? 'encoding'} differs`;
    },
  );

/** The genesis' catalogue, or a later one that the bundle brings and the version's digest fits. */
const catalogueOf = ({ genesis, bundle }: Subject, version: string): Catalogue | undefined =>
  [genesis.catalogue, bundle.catalogue].find((catalogue) => catalogue !== undefined && semanticVersion(catalogue) === version);

export const plan = (subject: Subject): Check =>
  check('plan', 'recomputation', "the Vaults were asked just what the manifest says, resolved by the envelope's semantic version", () => {
    const { task, envelope: decoded, genesis, record } = subject;
    const { semanticVersion: version, policyVersion, plan: bytes } = decoded();
    const catalogue = catalogueOf(subject, version);
    if (!catalogue) return `the catalogue of semantic version ${version} is neither the genesis' nor in the proof`;
    const vault = record().plan?.vault;
    const { own } = subject.bundle;
    const unproven = vault !== undefined && own ? leafProblem(subject, own, `own/${vault}`) : undefined;
    if (unproven !== undefined) return `the attributes of Vault ${vault}: ${unproven}`;
    const attributes = own && decodeRecord('own', own.value);
    const resolved = resolveQuery(termsOf(task.spec), catalogue, policyOf(genesis, Number(policyVersion)), record().epoch, (of) =>
      of === vault ? attributes : undefined,
    );
    if (!resolved.ok) return 'the manifest does not resolve';
    return differs('the plan', hex(encodePlan(resolved.value.plan)) === bytes);
  });

/** That each key was registered by its enterprise rests on the certificate: the registration itself is not in the bundle. */
export const vaults = ({ record, envelope: decoded, genesis }: Subject): Check =>
  check(
    'vaults',
    'recomputation',
    'each Vault is of an enterprise of the genesis, in its namespace, and at least the quorum delivered',
    () => {
      const { survivors = [], parts } = record();
      const foreign = decoded().vaults.find(({ vault, enterprise }) => {
        const owner = genesis.actors.find(({ address }) => address === enterprise);
        return owner?.enterprise?.namespace !== vault.split('/')[0];
      });
      const delivered = parts.filter((p) => p.release).map((p) => p.vault);
      return first(
        foreign && `${foreign.vault} is not in a namespace of its enterprise`,
        differs('the list of Vaults that delivered', same(delivered, survivors)),
        survivors.every((vault) => partOf(record(), vault).state === 'released') ? undefined : 'a Vault counts that released nothing',
        BigInt(survivors.length) >= decoded().quorum ? undefined : 'fewer Vaults than the quorum delivered',
      );
    },
  );
