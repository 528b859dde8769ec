import { expect, test } from 'vitest';
import { OwnAttribute, type Vault, type VaultRecord } from '@scs/protocol';
import { decideVault, type VaultHealth, type VaultInput } from './decide-vault.ts';

const enterprise = `0x${'a'.repeat(64)}`;
const head = { sequence: 3n, head: '1'.repeat(64) };
const vault: Vault = {
  apiVersion: 'scp.symphony.foundation/v1alpha1',
  kind: 'Vault',
  metadata: { name: 'shoppers', namespace: 'alder', uid: 'v-uid', generation: 2 },
  spec: {
    enterprise,
    domains: [{ name: 'retail.purchase', usages: ['marketing'], classes: ['query'] }],
    actors: [],
    sizeBand: 1,
    measurements: [],
    limits: [],
    storage: { size: '1Gi' },
    sources: [],
    attributes: [],
    quotas: [],
  },
};
const health: VaultHealth = {
  ready: true,
  reason: '',
  message: '',
  publicKey: '2'.repeat(64),
  noiseKeyCommitment: '3'.repeat(64),
  journal: head,
};
const offer = {
  vault: 'alder/shoppers',
  uid: 'v-uid',
  enterprise,
  publicKey: health.publicKey,
  noiseKeyCommitment: health.noiseKeyCommitment,
  domains: vault.spec.domains,
  actors: [],
  sizeBand: 1,
  revision: 2,
  journal: head,
};
const certified: VaultRecord = { ...offer, registeredAt: 7n };
const decide = (input: Partial<VaultInput>) =>
  decideVault(
    {
      vault,
      enterprise,
      pod: undefined,
      health,
      certified: undefined,
      mastersReachable: true,
      refusal: undefined,
      subjectRights: false,
      ...input,
    },
    0,
  );

test.each`
  rule    | what                                  | input                                                                         | state             | reason                  | registers
  ${'C5'} | ${'a ready Vault is registered'}      | ${{}}                                                                         | ${'Registering'}  | ${'Registering'}        | ${true}
  ${'C5'} | ${'once certified, it serves'}        | ${{ certified }}                                                              | ${'Ready'}        | ${'Registered'}         | ${false}
  ${'C5'} | ${'a changed manifest is registered'} | ${{ certified: { ...certified, revision: 1 } }}                               | ${'Registering'}  | ${'Registering'}        | ${true}
  ${'B8'} | ${'a moved journal is no new offer'}  | ${{ certified: { ...certified, journal: { ...head, sequence: 9n } } }}        | ${'Ready'}        | ${'Registered'}         | ${false}
  ${'N3'} | ${'another enterprise in the spec'}   | ${{ enterprise: `0x${'b'.repeat(64)}` }}                                      | ${'Degraded'}     | ${'WrongEnterprise'}    | ${false}
  ${'N1'} | ${'masters away: it says so'}         | ${{ mastersReachable: false }}                                                | ${'Degraded'}     | ${'MastersUnavailable'} | ${false}
  ${'B8'} | ${'importing: not registered yet'}    | ${{ health: { ...health, ready: false, reason: 'Importing', message: 'x' } }} | ${'Importing'}    | ${'Importing'}          | ${false}
  ${'T6'} | ${'refused: the reason is shown'}     | ${{ refusal: { code: 'DomainFull', message: 'x' } }}                          | ${'Degraded'}     | ${'DomainFull'}         | ${true}
  ${'C5'} | ${'no answer yet'}                    | ${{ health: undefined }}                                                      | ${'Provisioning'} | ${'Starting'}           | ${false}
`('$rule: $what', ({ input, state, reason, registers }) => {
  const { status, register } = decide(input);
  expect([status.state, status.conditions?.find(({ type }) => type === 'Ready')?.reason, register !== undefined]).toEqual([
    state,
    reason,
    registers,
  ]);
});

test('a Vault that was deleted and made again under its name takes a newer revision', () =>
  expect(decide({ certified: { ...certified, uid: 'old-uid', revision: 9 } }).register?.revision).toBe(10));

test('B8: says where the journal is', () => {
  const reason = (spec: Vault['spec']) =>
    decide({ vault: { ...vault, spec } }).status.conditions?.find(({ type }) => type === 'JournalCopied')?.reason;
  expect(reason(vault.spec)).toBe('LocalOnly');
  expect(reason({ ...vault.spec, journal: { volumeClaim: 'far-away', lost: false } })).toBe('SecondVolume');
});

test.each`
  asked    | allowed  | status       | reason
  ${false} | ${true}  | ${undefined} | ${undefined}
  ${true}  | ${false} | ${'False'}   | ${'NotAllowed'}
  ${true}  | ${true}  | ${'True'}    | ${'Configured'}
`('C4: rights asked $asked and allowed $allowed: $reason', ({ asked, allowed, status, reason }: Record<string, unknown>) => {
  const rights = { tlsSecret: 'cert', subjectKeys: true, auditorKeys: [] };
  const withRights = asked === true ? { ...vault, spec: { ...vault.spec, rights } } : vault;
  const { conditions } = decide({ vault: withRights, subjectRights: allowed === true }).status;
  const condition = conditions?.find(({ type }) => type === 'SubjectsServed');
  expect([condition?.status, condition?.reason]).toEqual([status, reason]);
});

test('C4: nothing is said of subjects any more once the manifest asks no longer', () => {
  const rights = { tlsSecret: 'cert', subjectKeys: true, auditorKeys: [] };
  const { status } = decide({ vault: { ...vault, spec: { ...vault.spec, rights } }, subjectRights: true });
  const { conditions } = decide({ vault: { ...vault, status }, subjectRights: true }).status;
  expect(conditions?.map(({ type }) => type)).toEqual(['JournalCopied', 'Ready']);
});

test('S3: local attributes are shown and offered; a change of them is a new revision', () => {
  const one = { domain: 'retail.purchase', name: 'STORE_ID', type: 'integer', coverage: 'most' } as const;
  const first = decide({ health: { ...health, localAttributes: [one] } });
  expect([first.status.localAttributes, first.register?.localAttributes, first.register?.revision]).toEqual([[one], [one], 2]);
  const known: VaultRecord = { ...certified, localAttributes: [one] };
  expect(decide({ health: { ...health, localAttributes: [one] }, certified: known }).register).toBeUndefined();
  const changed = decide({ health: { ...health, localAttributes: [{ ...one, coverage: 'some' }] }, certified: known });
  expect(changed.register).toMatchObject({ revision: 3, localAttributes: [{ coverage: 'some' }] });
  expect(decide({ certified: known }).register).toMatchObject({ revision: 3 });
});

test('S3: what the manifest promotes goes into the offer', () => {
  const attributes = [
    OwnAttribute.parse({ name: 'is_big', domain: 'retail.purchase', local: 'ID', type: 'string', kind: 'boolean', values: ['1'] }),
  ];
  expect(decide({ vault: { ...vault, spec: { ...vault.spec, attributes } } }).register).toMatchObject({ attributes });
  expect(decide({}).register).not.toHaveProperty('attributes');
});

test('C5: what the manifest narrows goes into the offer, in whole micro-rho', () => {
  const limits: Vault['spec']['limits'] = [{ usage: 'marketing', microRho: '124999.9', replenishEvery: 2 }, { usage: 'analytics' }];
  expect(decide({ vault: { ...vault, spec: { ...vault.spec, limits } } }).register?.limits).toEqual([
    { usage: 'marketing', microRho: 124_999n, replenishEvery: 2 },
    { usage: 'analytics' },
  ]);
});
