/** Both charts installed by Helm into an API server of their own, with the demo's namespaces. */
import { KubeConfig } from '@kubernetes/client-node';
import { type Cluster, createCluster } from '@scs/operator/kube/client.ts';
import type { KubeObject } from '@scs/operator/kube/objects.ts';
import { type Api, apiOf } from '../../cluster/api.ts';
import { type ControlPlane, startControlPlane } from '../../cluster/control-plane.ts';
import { readAccess } from '../../cluster/kubeconfig.ts';
import { type Kubectl, kubectlOf } from '../../cluster/kubectl.ts';
import { type Helm, openHelm, type Rendered } from './helm.ts';

export const scp = 'scp.symphony.foundation';
export const SUBMITTERS = 'retail';
export const enterprises = ['alder', 'birch'] as const;
export const scsValues = { namespace: 'scs', set: ['simulation=true', 'devnet.enabled=true', `submitterNamespaces={${SUBMITTERS}}`] };

export type Installed = {
  readonly plane: ControlPlane;
  readonly cluster: Cluster;
  readonly api: Api;
  readonly kubectl: Kubectl;
  readonly helm: Helm;
  /** What `helm template` gives for the same values. */
  readonly rendered: readonly Rendered[];
  stop(): Promise<void>;
};

export const namespace = (name: string, labels: Record<string, string> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels },
});
export const clusterOf = (kubeconfig: string): Cluster => {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  return createCluster(config, { fieldManager: 'scs-test' });
};

/** Group `submitters` may present Tasks in namespace SUBMITTERS; every namespace enforces Pod Security `restricted`. */
export const installCharts = async (name: string): Promise<Installed> => {
  const [plane, helm] = await Promise.all([startControlPlane({ name, controllerManager: true }), openHelm()]);
  const api = apiOf(readAccess(plane.kubeconfig));
  const stop = async (): Promise<void> => {
    api.close();
    helm.close();
    await plane.stop();
  };
  try {
    const cluster = clusterOf(plane.kubeconfig);
    const kubectl = await kubectlOf(plane.kubeconfig);
    for (const each of ['scs', SUBMITTERS, 'elsewhere', ...enterprises])
      await cluster.apply(namespace(each, { 'pod-security.kubernetes.io/enforce': 'restricted' }));
    const rendered = [
      ...(await helm.template('scs', scsValues)),
      ...(await Promise.all(enterprises.map((each) => helm.template('scs-enterprise', { namespace: each })))).flat(),
    ];
    await helm.install('scs', 'scs', plane.kubeconfig, scsValues);
    for (const each of enterprises) await helm.install('agent', 'scs-enterprise', plane.kubeconfig, { namespace: each });
    await kubectl('create', 'rolebinding', 'submitters', '-n', SUBMITTERS, '--clusterrole=scs-submitter', '--group=submitters');
    return { plane, cluster, api, kubectl, helm, rendered, stop };
  } catch (error) {
    await stop();
    throw error;
  }
};
