import type { Api } from './api.ts';
import { clusterDomain, dnsAddress } from './components.ts';
import { corednsImage } from './images.ts';
import { storageClass } from './volumes.ts';

/** Objects that make a bare API server a usable cluster: DNS and a default StorageClass. */

const labels = { 'k8s-app': 'kube-dns' };
const metadata = { name: 'coredns', namespace: 'kube-system' };
const dnsPort = 5353;

export const corefile = `.:${dnsPort} {
  errors
  health :8080
  ready :8181
  kubernetes ${clusterDomain} in-addr.arpa {
    pods insecure
    fallthrough in-addr.arpa
    ttl 5
  }
  forward . /etc/resolv.conf
  cache 5
}
`;

const role = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: { name: 'coredns' },
  rules: [
    { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
  ],
};

const binding = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  metadata: { name: 'coredns' },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'coredns' },
  subjects: [{ kind: 'ServiceAccount', ...metadata }],
};

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata,
  spec: {
    replicas: 1,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        serviceAccountName: 'coredns',
        priorityClassName: 'system-cluster-critical',
        dnsPolicy: 'Default',
        securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            name: 'coredns',
            image: corednsImage,
            imagePullPolicy: 'Never',
            ports: [
              { name: 'dns', containerPort: dnsPort, protocol: 'UDP' },
              { name: 'dns-tcp', containerPort: dnsPort, protocol: 'TCP' },
            ],
            readinessProbe: { httpGet: { path: '/ready', port: 8181 }, periodSeconds: 1 },
            livenessProbe: { httpGet: { path: '/health', port: 8080 }, periodSeconds: 10 },
            securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
            resources: { requests: { cpu: '10m', memory: '20Mi' }, limits: { memory: '200Mi' } },
            volumeMounts: [{ name: 'config', mountPath: '/etc/coredns', readOnly: true }],
          },
        ],
        volumes: [{ name: 'config', configMap: { name: 'coredns' } }],
      },
    },
  },
};

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { ...metadata, name: 'kube-dns', labels },
  spec: {
    clusterIP: dnsAddress,
    selector: labels,
    ports: [
      { name: 'dns', port: 53, targetPort: dnsPort, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, targetPort: dnsPort, protocol: 'TCP' },
    ],
  },
};

const storage = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: storageClass, annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'kubernetes.io/no-provisioner',
  volumeBindingMode: 'WaitForFirstConsumer',
  reclaimPolicy: 'Retain',
};

/** Applies all of it; again changes nothing. */
export const applyAddons = async (api: Api): Promise<void> => {
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const inSystem = '/api/v1/namespaces/kube-system';
  await api.apply(`/apis/storage.k8s.io/v1/storageclasses/${storageClass}`, storage);
  await api.apply(`${inSystem}/serviceaccounts/coredns`, { apiVersion: 'v1', kind: 'ServiceAccount', metadata });
  await api.apply(`${rbac}/clusterroles/coredns`, role);
  await api.apply(`${rbac}/clusterrolebindings/coredns`, binding);
  await api.apply(`${inSystem}/configmaps/coredns`, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { Corefile: corefile } });
  await api.apply(`${inSystem}/services/kube-dns`, service);
  await api.apply('/apis/apps/v1/namespaces/kube-system/deployments/coredns', deployment);
};
