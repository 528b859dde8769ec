/**
 * What a subject may ask of the Vault over HTTPS (rule C4), and an auditor (B4): every request and reply as a schema. The OpenAPI
 * document is made of this, and the server checks both ways against it.
 */
import { z } from 'zod';
import { usages } from '@scs/protocol';
import { consentStates } from '@scs/protocol/rules/consent.ts';

const Usage = z.enum(usages);
const Time = z.iso.datetime();
const Amount = z
  .string()
  .regex(/^\d{1,30}$/)
  .meta({ description: 'Privacy loss in micro-rho (zCDP), a whole number as text.' });
const PublicKey = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .meta({ description: 'Ed25519 public key, hex.' });
const Empty = z.strictObject({});

/** RFC 9457. `code` is stable; `detail` says what to change. */
export const Problem = z
  .strictObject({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int(),
    code: z.string().regex(/^[A-Z][A-Za-z]+$/),
    detail: z.string(),
  })
  .meta({ description: 'Why not, and what to change (RFC 9457).' });

export const Service = z
  .strictObject({
    vault: z.string(),
    publicKey: PublicKey,
    domains: z.array(z.string()),
    usages: z.array(Usage),
    subjectKeys: z.boolean(),
    login: z.strictObject({ clientId: z.string(), authorizationEndpoint: z.string(), tokenEndpoint: z.string() }).optional(),
  })
  .meta({ description: 'Which Vault this is and how to sign in.' });

const Held = z.strictObject({
  domain: z.string(),
  total: z.string().regex(/^\d{1,18}$/),
  columns: z.array(z.string()),
  records: z.array(z.record(z.string(), z.string().nullable())),
});
export const Holdings = z
  .strictObject({ domains: z.array(Held) })
  .meta({ description: 'What is held, by domain: how many records, and the first of them. The export has all.' });

export const Uses = z
  .strictObject({
    uses: z.array(
      z.strictObject({
        task: z.string(),
        domain: z.string(),
        usage: z.string(),
        submitter: z.strictObject({ address: z.string(), name: z.string().optional() }),
        state: z.enum(['reserved', 'committed']),
        microRho: Amount,
        reservedAt: Time.nullable(),
        openedAt: Time.nullable(),
        releasedAt: Time.nullable(),
      }),
    ),
    budgets: z.array(z.strictObject({ domain: z.string(), usage: Usage, limit: Amount, reserved: Amount, spent: Amount })),
    accesses: z.array(z.strictObject({ time: Time, what: z.string(), by: z.string() })),
  })
  .meta({ description: 'Tasks that were charged to the subject, matched or not; what is left of the budgets; who looked.' });

const ConsentState = z.enum(consentStates);
export const Consents = z
  .strictObject({
    consents: z.array(z.strictObject({ usage: Usage, state: ConsentState })),
    history: z.array(z.strictObject({ usage: z.string(), state: ConsentState, time: Time })),
  })
  .meta({ description: 'No consent recorded is no consent.' });

export const Keys = z
  .strictObject({ keys: z.array(z.strictObject({ publicKey: PublicKey, since: Time })) })
  .meta({ description: 'Keys that may sign requests in the name of the subject.' });

export const Export = z
  .strictObject({
    vault: z.string(),
    exportedAt: Time,
    subject: z.string(),
    consents: Consents,
    uses: Uses,
    keys: Keys,
    domains: z.array(Held),
  })
  .meta({ description: 'All that is held of the subject.' });

export const Audit = z
  .strictObject({
    vault: z.string(),
    journal: z.strictObject({ sequence: z.string(), head: z.string() }),
    scopes: z.array(z.strictObject({ domain: z.string(), usage: Usage, limit: Amount, reserved: Amount, spent: Amount, left: Amount })),
    tasks: z.array(
      z.strictObject({
        number: z.string(),
        task: z.string(),
        domain: z.string(),
        usage: z.string(),
        submitter: z.strictObject({ address: z.string(), name: z.string().optional() }),
        state: z.enum(['reserved', 'committed', 'released']),
        microRho: Amount,
        reservedAt: Time.nullable(),
        releasedAt: Time.nullable(),
      }),
    ),
  })
  .meta({ description: 'Limits, odometers and tasks; nothing of a subject.' });

const Base = z
  .string()
  .regex(/^\d{1,20}$/)
  .meta({ description: 'Base units of SYM (10^-8), a whole number as text.' });
const Address = z.string().regex(/^0x[0-9a-f]{64}$/);
const Hash = z.string().regex(/^[0-9a-f]{64}$/);
export const Earnings = z
  .strictObject({
    proofs: z
      .strictObject({
        account: Address,
        claims: z.array(z.strictObject({ number: Base, index: z.int(), amount: Base, path: z.array(Hash) })),
      })
      .meta({ description: 'As a file, what kubectl symphony claim --dividends takes (K6).' }),
    receipts: z.array(z.strictObject({ epoch: z.int(), number: Base, amount: Base, signature: z.string().regex(/^[0-9a-f]{128}$/) })),
  })
  .meta({ description: "Proofs of the producer's own dividends, newest first, and the Vault's signed word for each." });

export const Erasure = z.strictObject({ confirm: z.literal('erase') });
export const Erased = z.strictObject({ erased: z.boolean() });
export const ConsentChange = z.strictObject({ state: ConsentState });
export const NewKey = z.strictObject({ publicKey: PublicKey });

/** Who may ask: anyone; a subject; an auditor; a producer, by the key of their account. */
export type Audience = 'anyone' | 'subject' | 'auditor' | 'producer';
export interface Operation {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** One `{parameter}` at most, the last segment. */
  readonly path: string;
  readonly summary: string;
  readonly audience: Audience;
  readonly parameter?: z.ZodType;
  readonly query: z.ZodObject;
  readonly body?: z.ZodType;
  readonly reply: z.ZodType;
  /** Changes something: counted against a stricter rate. */
  readonly writes?: true;
}
const operation = <const O extends Omit<Operation, 'query'> & { readonly query?: z.ZodObject }>(of: O) => ({ query: Empty, ...of });

export const operations = {
  service: operation({
    method: 'GET',
    path: '/v1/service',
    summary: 'Which Vault this is and how to sign in',
    audience: 'anyone',
    reply: Service,
  }),
  held: operation({ method: 'GET', path: '/v1/held', summary: 'What is held on me', audience: 'subject', reply: Holdings }),
  uses: operation({
    method: 'GET',
    path: '/v1/uses',
    summary: 'Who used it, for what and when, and what is left of my budgets',
    audience: 'subject',
    reply: Uses,
  }),
  consents: operation({ method: 'GET', path: '/v1/consents', summary: 'What I agreed to', audience: 'subject', reply: Consents }),
  consent: operation({
    method: 'PUT',
    path: '/v1/consents/{usage}',
    summary: 'Grant or revoke one usage',
    audience: 'subject',
    parameter: Usage,
    body: ConsentChange,
    reply: Consents,
    writes: true,
  }),
  export: operation({
    method: 'GET',
    path: '/v1/export',
    summary: 'All of it as JSON, or the records of one domain as CSV',
    audience: 'subject',
    query: z.strictObject({ format: z.enum(['json', 'csv']).default('json'), domain: z.string().min(1).max(100).optional() }),
    reply: Export,
    writes: true,
  }),
  erase: operation({
    method: 'POST',
    path: '/v1/erase',
    summary: 'Erase my records, consents and keys; what was charged stays under a keyed hash',
    audience: 'subject',
    body: Erasure,
    reply: Erased,
    writes: true,
  }),
  keys: operation({ method: 'GET', path: '/v1/keys', summary: 'Keys that may sign for me', audience: 'subject', reply: Keys }),
  addKey: operation({
    method: 'POST',
    path: '/v1/keys',
    summary: 'Let a key sign for me',
    audience: 'subject',
    body: NewKey,
    reply: Keys,
    writes: true,
  }),
  removeKey: operation({
    method: 'DELETE',
    path: '/v1/keys/{publicKey}',
    summary: 'No longer let a key sign for me',
    audience: 'subject',
    parameter: PublicKey,
    reply: Keys,
    writes: true,
  }),
  dividends: operation({
    method: 'GET',
    path: '/v1/dividends',
    summary: 'What my records earned, with the proofs to claim it on the chain',
    audience: 'producer',
    reply: Earnings,
    writes: true,
  }),
  audit: operation({
    method: 'GET',
    path: '/v1/audit',
    summary: 'Limits, odometers and tasks of this Vault, newest first, without subjects',
    audience: 'auditor',
    query: z.strictObject({
      before: z
        .string()
        .regex(/^\d{1,18}$/)
        .optional(),
    }),
    reply: Audit,
  }),
} as const satisfies Record<string, Operation>;
export type OperationName = keyof typeof operations;

/** By the names that the OpenAPI document gives them. */
export const components = {
  Problem,
  Service,
  Holdings,
  Uses,
  Consents,
  ConsentChange,
  Keys,
  NewKey,
  Export,
  Erasure,
  Erased,
  Earnings,
  Audit,
} as const;
