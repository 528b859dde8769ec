/**
 * Who may use whose records for what (rules C1, C4, C5). Two yeses are needed: the Vault permits actor, class and usage; the
 * subject consented to the usage. Nothing recorded is a no.
 */
import type { TaskClass, Usage } from '../policy.ts';
import type { VaultSpec } from '../resources/vault.ts';

export const consentStates = ['granted', 'revoked'] as const;
export interface ConsentEntry {
  readonly subject: string;
  readonly usage: Usage;
  readonly state: (typeof consentStates)[number];
  /** Milliseconds since 1970, when the subject said so. */
  readonly time: number;
}

/**
 * C4: the latest entry wins; of two at the same time the revocation. So a history gives one answer in whatever order it
 * was recorded, and no entry is ever overwritten.
 */
export const consents = (history: readonly ConsentEntry[], subject: string, usage: Usage): boolean => {
  const latest = history
    .filter((entry) => entry.subject === subject && entry.usage === usage)
    .reduce<ConsentEntry | undefined>((last, entry) => (last && !isLater(entry, last) ? last : entry), undefined);
  return latest?.state === 'granted';
};
const isLater = (a: ConsentEntry, b: ConsentEntry): boolean => a.time > b.time || (a.time === b.time && a.state === 'revoked');

export interface Use {
  readonly submitter: string;
  readonly class: TaskClass;
  readonly domain: string;
  readonly usage: Usage;
}
export interface UseRefusal {
  readonly code: 'UsageNotOffered' | 'ClassNotOffered' | 'ActorNotPermitted';
  readonly message: string;
}
/** C1, C5: undefined when the Vault's manifest permits the use; deny by default. Reads public state only (B4). */
export const useRefusal = (manifest: Pick<VaultSpec, 'domains' | 'actors'>, use: Use): UseRefusal | undefined => {
  const inDomain = manifest.domains.filter(({ name }) => name === use.domain);
  const forUsage = inDomain.filter(({ usages }) => usages.includes(use.usage));
  if (forUsage.length === 0)
    return {
      code: 'UsageNotOffered',
      message: `this Vault does not offer ${use.usage} on ${use.domain}; its operator may, in spec.domains`,
    };
  if (!forUsage.some(({ classes }) => classes.includes(use.class)))
    return {
      code: 'ClassNotOffered',
      message: `this Vault does not offer tasks of class ${use.class} on ${use.domain}; its operator may, in spec.domains`,
    };
  if (!manifest.actors.includes(use.submitter))
    return {
      code: 'ActorNotPermitted',
      message: `this Vault does not permit actor ${use.submitter}; its operator may list it in spec.actors`,
    };
  return undefined;
};
