/** What the Vault answers to subjects and auditors (rules C4, B4): from the store to the API's shapes. */
import type { z } from 'zod';
import { dividendProofsJson, usages, type Usage } from '@scs/protocol';
import type { Dividends } from '../dividends/dividends.ts';
import { limitOf, type Judge } from '../judge.ts';
import { odometerBy } from '../store/audit-view.ts';
import { consentsBy, heldBy, keysBy, MAX_RECORDS, usesBy, type HeldRecords, type SubjectUses } from '../store/subject-view.ts';
import type { VaultStore } from '../store/vault-store.ts';
import type { Audit, Consents, Earnings, Erased, Export, Holdings, Keys, NewKey, OperationName, Service, Uses } from './api.ts';
import { csvOf } from './csv.ts';
import { Refused } from './problem.ts';
import type { Caller } from './who.ts';

export interface RightsContext extends Pick<Judge, 'genesis' | 'manifest'> {
  readonly store: VaultStore;
  /** Where the Vault reckons dividends (K6). */
  readonly dividends?: Pick<Dividends, 'earnedBy' | 'earns'>;
  /** Civil time in milliseconds. */
  readonly now: () => number;
}
/** Checked by the operation's schemas. */
export interface Asked {
  readonly parameter: unknown;
  readonly query: unknown;
  readonly body: unknown;
}
/** Records shown beside their number; the export has all. */
const SHOWN = 100;

/** A file instead of JSON. */
export class CsvFile {
  readonly name: string;
  readonly text: string;
  constructor(name: string, text: string) {
    this.name = name;
    this.text = text;
  }
}

const service = ({ store, manifest }: RightsContext): z.infer<typeof Service> => {
  const { oidc, subjectKeys } = manifest.rights!;
  return {
    vault: store.vault,
    publicKey: store.keys.publicKey,
    domains: [...store.domains],
    usages: [...usages],
    subjectKeys,
    ...(oidc?.login && { login: oidc.login }),
  };
};

const shown = (held: readonly HeldRecords[]): z.infer<typeof Holdings>['domains'] =>
  held.map(({ domain, total, columns, records }) => ({ domain, total: String(total), columns: [...columns], records: [...records] }));

const submitterOf = (address: string, { genesis }: RightsContext): { address: string; name?: string } => {
  const name = genesis.actors.find((actor) => actor.address === address)?.name;
  return { address, ...(name !== undefined && { name }) };
};
/** Each domain and usage that the manifest offers, with the most that a subject may lose there. */
const scopesOf = ({ genesis, manifest }: RightsContext): readonly { domain: string; usage: Usage; limit: bigint }[] =>
  manifest.domains.flatMap(({ name, usages: offered }) => {
    const overlapBound = genesis.catalogue.domains.find((domain) => domain.name === name)?.overlapBound ?? 1;
    return offered.map((usage) => ({
      domain: name,
      usage,
      limit: limitOf({ usage, overlapBound }, { genesis, manifest }),
    }));
  });
const usesAnswer = ({ uses, spendings, accesses }: SubjectUses, context: RightsContext): z.infer<typeof Uses> => ({
  uses: uses.map((use) => ({
    ...use,
    state: use.state === 'committed' ? 'committed' : 'reserved',
    submitter: submitterOf(use.submitter, context),
  })),
  budgets: scopesOf(context).map(({ domain, usage, limit }) => {
    const lost = spendings.find((of) => of.usage === usage)!;
    return { domain, usage, limit: String(limit), reserved: String(lost.reserved), spent: String(lost.spent) };
  }),
  accesses: [...accesses],
});
const consentsAnswer = async ({ store }: RightsContext, subject: string): Promise<z.infer<typeof Consents>> => {
  const { consents, history } = await consentsBy(store, subject);
  const state = (granted: boolean) => (granted ? ('granted' as const) : ('revoked' as const));
  return {
    consents: consents.map(({ usage, granted }) => ({ usage, state: state(granted) })),
    history: history.map((entry) => ({ ...entry, state: state(entry.state === 'granted') })),
  };
};
const keysAnswer = async ({ store }: RightsContext, subject: string): Promise<z.infer<typeof Keys>> => ({
  keys: (await keysBy(store, subject)).map(({ publicKey, since }) => ({ publicKey, since: new Date(since).toISOString() })),
});

/** Said again, a consent changes nothing and needs no entry. */
const changeConsent = async (
  context: RightsContext,
  subject: string,
  usage: Usage,
  granted: boolean,
): Promise<z.infer<typeof Consents>> => {
  const { store, now } = context;
  const { consents } = await consentsBy(store, subject);
  if (consents.find((of) => of.usage === usage)?.granted !== granted)
    await store.consent({ subject, usage, state: granted ? 'granted' : 'revoked', time: now() });
  return consentsAnswer(context, subject);
};

const exported = async (context: RightsContext, subject: string, domain: string | undefined): Promise<readonly HeldRecords[]> => {
  const held = (await heldBy(context.store, subject, MAX_RECORDS)).filter((of) => domain === undefined || of.domain === domain);
  if (held.some(({ total }) => total > MAX_RECORDS)) throw new Refused('ExportTooLarge');
  await context.store.noteSubjectAccess(subject, 'exported', 'subject');
  return held;
};
const exportAnswer = async (
  context: RightsContext,
  subject: string,
  { format, domain }: { format: 'json' | 'csv'; domain?: string },
): Promise<z.infer<typeof Export> | CsvFile> => {
  const { store, now } = context;
  if (domain !== undefined && !store.domains.includes(domain)) throw new Refused('NotFound');
  if (format === 'csv') {
    const [held] = domain === undefined ? [] : await exported(context, subject, domain);
    if (!held) throw new Refused('RequestInvalid');
    return new CsvFile(`${held.domain}.csv`, csvOf(held.columns, held.records));
  }
  return {
    vault: store.vault,
    exportedAt: new Date(now()).toISOString(),
    subject,
    consents: await consentsAnswer(context, subject),
    uses: usesAnswer(await usesBy(store, subject), context),
    keys: await keysAnswer(context, subject),
    domains: shown(await exported(context, subject, domain)),
  };
};

const auditAnswer = async (context: RightsContext, before: string | undefined): Promise<z.infer<typeof Audit>> => {
  const { store } = context;
  const { scopes, tasks } = await odometerBy(store, scopesOf(context), before === undefined ? undefined : BigInt(before));
  const { sequence, head } = await store.journal();
  return {
    vault: store.vault,
    journal: { sequence: String(sequence), head },
    scopes: scopes.map(({ domain, usage, limit, reserved, spent }) => {
      const left = limit - reserved - spent;
      return { domain, usage, limit: String(limit), reserved: String(reserved), spent: String(spent), left: String(left > 0n ? left : 0n) };
    }),
    tasks: tasks.map((task) => ({ ...task, submitter: submitterOf(task.submitter, context) })),
  };
};

const earningsAnswer = async ({ dividends }: RightsContext, account: string): Promise<z.input<typeof Earnings>> => {
  if (!dividends) throw new Refused('NotFound');
  const { claims, receipts } = await dividends.earnedBy(account);
  return {
    proofs: dividendProofsJson({ account, claims }),
    receipts: receipts.map(({ epoch, number, amount, signature }) => ({ epoch, number: `${number}`, amount: `${amount}`, signature })),
  };
};

const keyChanged = async (context: RightsContext, subject: string, publicKey: string, added: boolean): Promise<z.infer<typeof Keys>> => {
  const change = { subject, publicKey, by: 'subject' } as const;
  if (added) {
    const done = await context.store.addKey(change);
    if (!done.ok) throw new Refused(done.code);
  } else if (!(await context.store.removeKey(change))) throw new Refused('NotFound');
  return keysAnswer(context, subject);
};
const erased = async ({ store }: RightsContext, subject: string): Promise<z.infer<typeof Erased>> => ({
  erased: await store.erase(subject),
});

const forSubject = async (
  name: OperationName,
  context: RightsContext,
  subject: string,
  { parameter, query, body }: Asked,
): Promise<unknown> => {
  switch (name) {
    case 'held':
      return { domains: shown(await heldBy(context.store, subject, SHOWN)) };
    case 'uses':
      return usesAnswer(await usesBy(context.store, subject), context);
    case 'consents':
      return consentsAnswer(context, subject);
    case 'consent':
      return changeConsent(context, subject, parameter as Usage, (body as { state: string }).state === 'granted');
    case 'export':
      return exportAnswer(context, subject, query as { format: 'json' | 'csv'; domain?: string });
    case 'erase':
      return erased(context, subject);
    case 'keys':
      return keysAnswer(context, subject);
    case 'addKey':
      return keyChanged(context, subject, (body as z.infer<typeof NewKey>).publicKey, true);
    case 'removeKey':
      return keyChanged(context, subject, parameter as string, false);
    default:
      throw new Refused('NotPermitted');
  }
};

/** Throws Refused, StoreError and JournalError. */
export const answer = (name: OperationName, context: RightsContext, caller: Caller | undefined, asked: Asked): Promise<unknown> => {
  if (name === 'service') return Promise.resolve(service(context));
  if (name === 'audit' && caller?.kind === 'auditor') return auditAnswer(context, (asked.query as { before?: string }).before);
  if (name === 'dividends' && caller?.kind === 'producer') return earningsAnswer(context, caller.account);
  if (caller?.kind === 'subject') return forSubject(name, context, caller.subject, asked);
  return Promise.reject(new Refused('NotPermitted'));
};
