/** The scene of the sovereignty tests: the starter catalogue, receipts, Vaults that serve their subjects and activate audiences. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { Issuer, ISSUER, AUDIENCE } from '@scs/vault/testing/a-rights.ts';
import type { Enterprise } from '../../demo/data.ts';
import { repository } from '../../demo/folders.ts';
import type { Group } from '../../demo/group.ts';
import type { Script } from '../../demo/scenario.ts';
import { importFile } from '../../demo/system.ts';
import { COUPONS_URL, vaultSecrets } from './coupons.ts';
import { makePeople, RECEIPTS, type People } from './people.ts';

/** A fifth of it is each Vault's (overlap bound 5): two tasks of epsilon 1. */
const LIMIT = 5_000_000;
const usages = ['personal', 'marketing', 'analytics', 'training'] as const;

/** The demo's genesis with the starter catalogue, epochs of a minute, and other limits. */
const genesis = (): string => {
  const demo = parse(readFileSync(join(repository, 'examples/demo/genesis.yaml'), 'utf8')) as {
    policy: { privacy: object; epoch: object };
  };
  demo.policy.privacy = { ...demo.policy.privacy, subjectLimitMicroRho: Object.fromEntries(usages.map((usage) => [usage, LIMIT])) };
  demo.policy.epoch = { length: '60s' };
  return stringify(demo);
};

export const issuer = await Issuer.make();
const vault = (group: Group, enterprise: Enterprise): object => ({
  apiVersion: 'scp.symphony.foundation/v1alpha1',
  kind: 'Vault',
  metadata: { name: 'shoppers', namespace: enterprise },
  spec: {
    enterprise: group.addressOf(`enterprise-${enterprise}`),
    domains: [{ name: RECEIPTS, usages, classes: ['query'] }],
    actors: [group.addressOf('submitter-roastery')],
    sizeBand: 1,
    storage: { size: '1Gi' },
    activation: { url: COUPONS_URL, keySecret: 'coupons' },
    rights: { tlsSecret: 'rights-tls', subjectKeys: true, oidc: { issuer: ISSUER, audience: AUDIENCE, jwks: issuer.jwks } },
    // What masters don't know: cedar takes no tasks for usage personal, though it offers them.
    quotas: enterprise === 'cedar' ? [{ usage: 'personal', openTasks: 0 }] : [],
  },
});

export const script: Script<People> = {
  records: 'records: receipts of 9,000 people, made',
  prepare: makePeople,
  files: { genesis: genesis(), catalogue: join(repository, 'examples/retail/catalogue.yaml') },
  enterpriseValues: ['--set', 'subjectRights.enabled=true'],
  manifest: (group, enterprise) =>
    [...vaultSecrets(enterprise), vault(group, enterprise)].map((object) => JSON.stringify(object)).join('\n---\n'),
  load: async (kubectl, enterprise, data) => {
    await importFile(kubectl, enterprise, data.records[enterprise], ['--domain', RECEIPTS]);
    await importFile(kubectl, enterprise, data.consents[enterprise], ['--consents']);
  },
};
