/** An API server with etcd, controllers and scheduler, fake nodes that run nothing, and what the charts would install there but the pods. */
import { KubeConfig } from '@kubernetes/client-node';
import { createCluster, type Cluster } from '@scs/operator/kube/client.ts';
import { enterprises } from '@scs/protocol/testing/genesis.ts';
import { apiOf } from '../../cluster/api.ts';
import { startControlPlane, type ControlPlane } from '../../cluster/control-plane.ts';
import { readAccess } from '../../cluster/kubeconfig.ts';
import { kubectlOf } from '../../cluster/kubectl.ts';
import { fakeNodeLabel, startKwok } from '../../cluster/kwok.ts';
import { openHelm, type Rendered } from '../../integration/charts/helm.ts';
import { serviceAccount } from '../../integration/charts/access.ts';
import { SUBMITTER, type BenchGroup } from './group.ts';

export const SYSTEM = 'scs';
export const BARE = 'bare';
const NODES = 4;
const TEE_LABEL = 'feature.node.kubernetes.io/cpu-security.sev.snp.enabled';
/** Of the charts' objects, those that are no workload: rights, definitions, admission policies. */
const wanted = /^(CustomResourceDefinition|(Cluster)?Role(Binding)?|ServiceAccount|(Mutating|Validating)AdmissionPolicy(Binding)?)$/;

export interface BenchCluster {
  readonly plane: ControlPlane;
  /** The administrator's. */
  readonly cluster: Cluster;
  /** Kubeconfig of a service account: the charts' rights and no more. */
  readonly asServiceAccount: (namespace: string, name: string) => string;
  readonly asSubmitter: Cluster;
  readonly stop: () => Promise<void>;
}

export const clusterOf = (kubeconfig: string, fieldManager: string): Cluster => {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  return createCluster(config, { fieldManager });
};

/** Slice pods ask for a TEE node and tolerate no taint: the fake nodes get the label and lose their taint. There are no others. */
const openNodes = async (kubeconfig: string): Promise<void> => {
  const api = apiOf(readAccess(kubeconfig));
  try {
    for (let i = 0; i < NODES; i++) {
      const patch = { metadata: { labels: { [TEE_LABEL]: 'true', [fakeNodeLabel]: 'true' } }, spec: { taints: null } };
      const answer = await api.send('PATCH', `/api/v1/nodes/fake-${i}`, patch, 'application/merge-patch+json');
      if (answer.status !== 200) throw new Error(`node fake-${i}: ${answer.body.slice(0, 300)}`);
    }
  } finally {
    api.close();
  }
};

const chartObjects = async ({ genesis }: BenchGroup): Promise<Rendered[]> => {
  const helm = await openHelm();
  try {
    const set = ['simulation=true', 'devnet.enabled=true', `submitterNamespaces={${SUBMITTER}}`];
    const masters = await helm.template('scs', { namespace: SYSTEM, genesis, set });
    const agents = await Promise.all(enterprises.map((namespace) => helm.template('scs-enterprise', { namespace, genesis })));
    return [...masters, ...agents.flat()].filter(({ kind }) => wanted.test(kind));
  } finally {
    helm.close();
  }
};

/** The agent owns its Slices by its Deployment, which runs nothing here: the agents are processes beside. */
const agentDeployment = (namespace: string): object => {
  const labels = { app: 'scs-agent' };
  const container = { name: 'agent', image: 'scs.local/none' };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'scs-agent', namespace },
    spec: { replicas: 0, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [container] } } },
  };
};

const namespaceObject = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, ...(name !== BARE && { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } }) },
});

export const startBenchCluster = async (group: BenchGroup): Promise<BenchCluster> => {
  const rate = { qps: 2000, burst: 4000 };
  const plane = await startControlPlane({ name: 'bench', controllerManager: true, scheduler: true, rate });
  try {
    const kwok = await startKwok(plane.folder, plane.kubeconfig, { nodes: NODES });
    await openNodes(plane.kubeconfig);
    const kubectl = await kubectlOf(plane.kubeconfig);
    await kubectl.apply(...[SYSTEM, SUBMITTER, BARE, ...enterprises].map(namespaceObject));
    await kubectl.apply(...(await chartObjects(group)));
    await kubectl.apply(...enterprises.map(agentDeployment));
    await kubectl('create', 'rolebinding', 'submitters', '-n', SUBMITTER, '--clusterrole=scs-submitter', `--user=${SUBMITTER}`);
    return {
      plane,
      cluster: clusterOf(plane.kubeconfig, 'scs-bench'),
      asServiceAccount: (namespace, name) => {
        const { user, groups } = serviceAccount(namespace, name);
        return plane.user(
          user,
          groups.filter((g) => g !== 'system:authenticated'),
        );
      },
      asSubmitter: clusterOf(plane.user(SUBMITTER), 'scs-bench'),
      stop: async () => {
        await kwok.stop();
        await plane.stop();
      },
    };
  } catch (error) {
    await plane.stop();
    throw error;
  }
};
