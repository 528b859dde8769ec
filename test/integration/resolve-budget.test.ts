/** B4: `resolve --budget` on a real API server, from the Domain object just as masters project it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeGenesis } from '@scs/protocol';
import { customResourceDefinition } from '@scs/protocol/resources/crd.ts';
import { definitions } from '@scs/protocol/resources/definitions.ts';
import { aGenesis, vaultNames } from '@scs/protocol/testing/genesis.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { createCluster } from '@scs/operator/kube/client.ts';
import type { KubeObject } from '@scs/operator/kube/objects.ts';
import { wantedObject } from '@scs/operator/master/projection/cluster-objects.ts';
import { symphony } from '../../cli/src/testing/cli.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { kubectlOf } from '../cluster/kubectl.ts';

const genesis = aGenesis();
const example = resolve(import.meta.dirname, '../../examples/campaign/task.yaml');
let folder: string;
let controlPlane: ControlPlane;
const world = World.ready(genesis);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'scs-budget-'));
  writeFileSync(join(folder, 'genesis.bin'), encodeGenesis(genesis));
  controlPlane = await startControlPlane({ name: 'budget' });
  const config = new KubeConfig();
  config.loadFromFile(controlPlane.kubeconfig);
  const cluster = createCluster(config, { fieldManager: 'scs-test' });
  const kubectl = await kubectlOf(controlPlane.kubeconfig);
  const definition = definitions.find(({ kind }) => kind === 'Domain')!;
  await cluster.apply(customResourceDefinition(definition) as KubeObject);
  await kubectl('wait', '--for=condition=Established', `crd/${definition.plural}.scp.symphony.foundation`, '--timeout=30s');
  world.runTo(world.submit(aTask()), 'verifying');
  world.submit(aTask());
  const { spec, status } = wantedObject({ genesis, state: world.state, leaf: () => undefined }, 'Domain', 'retail.purchase')!;
  await kubectl.apply({ apiVersion: 'scp.symphony.foundation/v1alpha1', kind: 'Domain', metadata: { name: 'retail.purchase' }, spec });
  await kubectl('patch', 'domain', 'retail.purchase', '--subresource=status', '--type=merge', '-p', JSON.stringify({ status }));
}, 120_000);
afterAll(async () => {
  await controlPlane.stop();
  rmSync(folder, { recursive: true });
});

const budget = (...args: string[]) =>
  symphony(['resolve', '-f', example, '--budget', '--kubeconfig', controlPlane.kubeconfig, ...args], {
    environment: { SCS_GENESIS: join(folder, 'genesis.bin') },
  });

test('how many more such tasks the odometers allow', async () => {
  const { code, out, err } = await budget();
  expect([code, err]).toEqual([0, '']);
  expect(out.split('\n').slice(-4)).toEqual([
    "such tasks now    2 with the quorum, the submitter's share of the epoch not counted",
    ...vaultNames.map((vault) => `                  ${vault}: 250000 micro-rho left, 2 such tasks`),
  ]);
});
test('as JSON', async () => {
  const { out } = await budget('-o', 'json');
  expect(JSON.parse(out).budget).toMatchObject({ tasks: '2', shareCounted: false, vaults: [{ left: '250000' }, {}, {}] });
});
