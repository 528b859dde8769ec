import { actorKey } from '@scs/protocol/testing/keys.ts';
import { scpKind } from '@scs/operator/kube/kinds.ts';
import type { KubeObject } from '@scs/operator/kube/objects.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Api, until } from '../cluster/api.ts';
import { allVerbs, allowed, allowedOf, attemptsOf, serviceAccount } from './charts/access.ts';
import type { Rendered } from './charts/helm.ts';
import { enterprises, type Installed, installCharts, namespace, scp, scsValues, SUBMITTERS } from './charts/installed.ts';
import { podsOf } from './charts/pods.ts';

/** Both charts on a real API server: accepted, installed by Helm, bound to least privilege, and removed. */
let installed: Installed;
let api: Api;
let rendered: readonly Rendered[];
beforeAll(async () => {
  installed = await installCharts('charts');
  ({ api, rendered } = installed);
});
afterAll(() => installed.stop());

describe('objects', () => {
  test('each is accepted under strict validation, by server-side apply', async () => {
    for (const object of rendered) {
      const answer = await strictApply(object);
      expect(answer, `${object.kind} ${object.metadata.name}: ${answer.body.slice(0, 300)}`).toMatchObject({ status: 200 });
    }
  });

  test('the policies compile, and the API server has no warning about them', async () => {
    const policies = await until(
      'type-checked policies',
      async () => {
        const list = (await api.get(`/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies`)) as { items: Policy[] };
        return list.items.every((item) => item.status?.typeChecking !== undefined) ? list.items : undefined;
      },
      { timeoutMs: 20_000 },
    );
    expect(policies.map((policy) => policy.metadata.name)).toEqual(['scs-check-presenter', 'scs-check-stamp']);
    expect(policies.flatMap((policy) => policy.status?.typeChecking?.expressionWarnings ?? [])).toEqual([]);
  });

  test('A2: pods of masters, counters, devnet, agents, Vaults and slices meet Pod Security "restricted"', async () => {
    const pods = podsOf(rendered);
    expect(pods.map((pod) => pod.metadata.name)).toEqual(
      expect.arrayContaining(['scs-master-0', 'scs-counter-0', 'scs-devnet', 'scs-agent', 'vault-shoppers', 'slice', 'aggregator']),
    );
    for (const pod of pods)
      await installed.cluster.create({ ...pod, metadata: { ...pod.metadata, namespace: 'elsewhere' } }, { dryRun: true });
    const bare = { ...pods[0]!, spec: { ...pods[0]!.spec!, securityContext: {} } };
    await expect(
      installed.cluster.create({ ...bare, metadata: { name: 'bare', namespace: 'elsewhere' } }, { dryRun: true }),
    ).rejects.toMatchObject({
      code: 'Forbidden',
    });
  });
});

type Policy = KubeObject & { status?: { typeChecking?: { expressionWarnings?: unknown[] } } };

/** Where the API server keeps an object. */
const pathOf = async ({ apiVersion, kind, metadata }: Rendered): Promise<string> => {
  const group = apiVersion.includes('/') ? `apis/${apiVersion}` : `api/${apiVersion}`;
  const { resources } = (await api.get(`/${group}`)) as { resources: { name: string; kind: string }[] };
  const found = resources.find((resource) => resource.kind === kind && !resource.name.includes('/'));
  if (!found) throw new Error(`${group} has no ${kind}`);
  return `/${group}/${metadata.namespace ? `namespaces/${metadata.namespace}/` : ''}${found.name}/${metadata.name}`;
};
const strictApply = async (object: Rendered) => {
  const query = 'fieldManager=strict&force=true&fieldValidation=Strict&dryRun=All';
  return api.send('PATCH', `${await pathOf(object)}?${query}`, object, 'application/apply-patch+yaml');
};

const own = ['tasks', 'vaults', 'slices'].flatMap((plural) => [`${plural}.${scp}`, `${plural}.${scp}/status`]);
const builtIn = [
  'pods',
  'pods/exec',
  'pods/log',
  'secrets',
  'configmaps',
  'services',
  'serviceaccounts',
  'serviceaccounts/token',
  'persistentvolumeclaims',
  'events',
  'events.events.k8s.io',
  'statefulsets.apps',
  'deployments.apps',
  'leases.coordination.k8s.io',
  'networkpolicies.networking.k8s.io',
  'roles.rbac.authorization.k8s.io',
  'rolebindings.rbac.authorization.k8s.io',
];
const projections = ['policyversions', 'epochs', 'settlements', 'actors', 'domains', 'canonicalattributes', 'queryattributes'];
const everything = [...own, ...builtIn];

describe('N10: rights', () => {
  const master = serviceAccount('scs', 'scs-master-1');
  const agent = serviceAccount('alder', 'scs-agent');

  test.each([...enterprises, 'elsewhere', 'kube-system'])('masters reach nothing in namespace %s', async (where) => {
    expect(await allowedOf(api, master, attemptsOf(allVerbs, everything, [where]))).toEqual([]);
  });

  test('masters reach what they need in a submitter namespace, and no more', async () => {
    expect(await allowedOf(api, master, attemptsOf(allVerbs, everything, [SUBMITTERS]))).toEqual(
      [
        ['get', 'list', 'watch', 'create', 'delete'].map((verb) => `${verb} tasks.${scp}`),
        ['get', 'update', 'patch'].map((verb) => `${verb} tasks.${scp}/status`),
        ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'].map((verb) => `${verb} configmaps`),
        ['create', 'update', 'patch'].map((verb) => `${verb} events.events.k8s.io`),
      ]
        .flat()
        .map((right) => `${right} ${SUBMITTERS}`),
    );
  });

  test("in their own namespace, masters write events: they read nothing, not even each other's keys", async () => {
    expect(await allowedOf(api, master, attemptsOf(allVerbs, everything, ['scs']))).toEqual(
      ['create', 'update', 'patch'].map((verb) => `${verb} events.events.k8s.io scs`),
    );
  });

  test('N7: a counter has no rights at all', async () => {
    const counter = serviceAccount('scs', 'scs-counter-1');
    const asked = attemptsOf(allVerbs, everything, [...enterprises, SUBMITTERS, 'scs', undefined]);
    expect(await allowedOf(api, counter, asked)).toEqual([]);
  });

  test('cluster-wide, masters write projections and nothing else', async () => {
    const plurals = projections.flatMap((plural) => [`${plural}.${scp}`, `${plural}.${scp}/status`]);
    const rest = ['namespaces', 'nodes', 'clusterroles.rbac.authorization.k8s.io', 'customresourcedefinitions.apiextensions.k8s.io'];
    const passed = await allowedOf(api, master, attemptsOf(allVerbs, [...plurals, ...everything, ...rest], [undefined]));
    expect(passed.filter((right) => !projections.some((plural) => right.includes(` ${plural}.${scp}`)))).toEqual([]);
    expect(passed).toEqual(expect.arrayContaining([`create actors.${scp}`, `patch epochs.${scp}/status`, `delete domains.${scp}`]));
    expect(await allowed(api, master, { verb: 'impersonate', resource: 'users' })).toBe(false);
  });

  test.each(['birch', SUBMITTERS, 'scs', 'kube-system', undefined])('an agent reaches nothing in namespace %s', async (where) => {
    expect(await allowedOf(api, agent, attemptsOf(allVerbs, everything, [where]))).toEqual([]);
  });

  test('an agent writes no Vault, no role, no Task, and changes no Secret; it reads what is public', async () => {
    const passed = await allowedOf(api, agent, attemptsOf(allVerbs, everything, ['alder']));
    const wrong = [
      'create vaults',
      'update vaults',
      'patch vaults',
      'delete vaults',
      'tasks',
      'roles',
      'serviceaccounts',
      'exec',
      'leases',
    ];
    expect(passed.filter((right) => wrong.some((part) => right.includes(part) && !right.includes('/status')))).toEqual([]);
    expect(passed.filter((right) => right.includes(' secrets'))).toEqual(['get secrets alder', 'create secrets alder']);
    expect(
      await allowedOf(
        api,
        agent,
        attemptsOf(
          allVerbs,
          projections.map((p) => `${p}.${scp}`),
          [undefined],
        ),
      ),
    ).toEqual(projections.flatMap((plural) => ['get', 'list', 'watch'].map((verb) => `${verb} ${plural}.${scp}`)));
  });

  test.each([
    ['get', `vaults.${scp}`],
    ['watch', `slices.${scp}`],
    ['create', `slices.${scp}`],
    ['patch', `slices.${scp}`],
    ['delete', `slices.${scp}`],
    ['patch', `vaults.${scp}/status`],
    ['patch', `slices.${scp}/status`],
    ['update', `vaults.${scp}/finalizers`],
    ['create', 'pods'],
    ['delete', 'pods'],
    ['watch', 'pods'],
    ['patch', 'configmaps'],
    ['patch', 'services'],
    ['delete', 'services'],
    ['create', 'secrets'],
    ['patch', 'statefulsets.apps'],
    ['create', 'networkpolicies.networking.k8s.io'],
    ['create', 'events.events.k8s.io'],
  ])('an agent may %s %s at home', async (verb, resource) => {
    expect(await allowed(api, agent, { verb, resource, namespace: 'alder' })).toBe(true);
  });

  test('N6: a submitter presents Tasks and reads results, but writes no status and no projection', async () => {
    const submitter = { user: 'roastery', groups: ['submitters', 'system:authenticated'] };
    const passed = await allowedOf(api, submitter, attemptsOf(allVerbs, everything, [SUBMITTERS]));
    expect(passed).toEqual(
      [
        ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'].map((verb) => `${verb} tasks.${scp} ${SUBMITTERS}`),
        ['get', 'list', 'watch'].map((verb) => `${verb} configmaps ${SUBMITTERS}`),
      ].flat(),
    );
    const writes = ['create', 'update', 'patch', 'delete', 'deletecollection'];
    const shown = projections.flatMap((plural) => [`${plural}.${scp}`, `${plural}.${scp}/status`]);
    expect(await allowedOf(api, submitter, attemptsOf(writes, shown, [undefined]))).toEqual([]);
    expect(await allowedOf(api, submitter, attemptsOf(allVerbs, everything, [...enterprises, 'scs']))).toEqual([]);
  });
});

describe('removal', () => {
  test('helm uninstall leaves the definitions with their objects, and nothing else of ours', async () => {
    await installed.cluster.create({
      apiVersion: `${scp}/v1alpha1`,
      kind: 'Vault',
      metadata: { namespace: 'alder', name: 'shoppers' },
      spec: {
        enterprise: actorKey('alder').address,
        domains: [{ name: 'retail.purchase', usages: ['marketing'], classes: ['query'] }],
        sizeBand: 1,
      },
    } as KubeObject);
    for (const name of enterprises) await installed.helm.uninstall('agent', name, installed.plane.kubeconfig);
    await installed.helm.uninstall('scs', 'scs', installed.plane.kubeconfig);

    const left: string[] = [];
    for (const object of rendered) {
      const { status } = await api.send('GET', await pathOf(object));
      if (status !== 404) left.push(`${object.kind} ${object.metadata.name}`);
    }
    const definitions = rendered.filter((object) => object.kind === 'CustomResourceDefinition');
    expect(definitions).toHaveLength(10);
    expect(left.toSorted()).toEqual(definitions.map((object) => `CustomResourceDefinition ${object.metadata.name}`).toSorted());
    expect(await installed.cluster.get({ kind: scpKind('Vault'), namespace: 'alder', name: 'shoppers' })).toBeDefined();
  });

  test('no finalizer holds anything back: the namespaces go', async () => {
    expect(await installed.kubectl('delete', 'namespace', SUBMITTERS, 'alder', '--timeout=60s')).toContain('deleted');
  });

  test('installed again, it takes over the definitions that it left', async () => {
    await installed.cluster.apply(namespace(SUBMITTERS));
    expect(await installed.helm.install('scs', 'scs', installed.plane.kubeconfig, scsValues)).toContain('STATUS: deployed');
  });
});
