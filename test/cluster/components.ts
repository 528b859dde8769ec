/** Command lines of the control plane. Pure: every path, port and address comes in. */

export const flags = (values: Readonly<Record<string, string | number | boolean>>): string[] =>
  Object.entries(values).map(([name, value]) => `--${name}=${String(value)}`);

export type EtcdOptions = { dataFolder: string; clientPort: number; peerPort: number };

/** Without fsync: a test cluster's data need not survive a power cut, and disks are slow. */
export const etcdFlags = ({ dataFolder, clientPort, peerPort }: EtcdOptions): string[] =>
  flags({
    name: 'only',
    'data-dir': dataFolder,
    'listen-client-urls': `http://127.0.0.1:${clientPort}`,
    'advertise-client-urls': `http://127.0.0.1:${clientPort}`,
    'listen-peer-urls': `http://127.0.0.1:${peerPort}`,
    'initial-advertise-peer-urls': `http://127.0.0.1:${peerPort}`,
    'initial-cluster': `only=http://127.0.0.1:${peerPort}`,
    'unsafe-no-fsync': true,
    'quota-backend-bytes': 2 * 1024 ** 3,
    'auto-compaction-mode': 'periodic',
    'auto-compaction-retention': '10m',
    'log-level': 'warn',
  });

export type ApiserverOptions = {
  address: string;
  port: number;
  etcdPort: number;
  pki: string;
  /** Nodes and pods exist: Node authorizer, kubelet credentials, endpoints of the Service `kubernetes`. */
  nodes: boolean;
  /** Off where no controller makes service accounts, or no pod could be created. */
  serviceAccounts: boolean;
};

export const apiserverFlags = (options: ApiserverOptions): string[] => [
  ...flags({
    'bind-address': options.address,
    'advertise-address': options.address,
    'secure-port': options.port,
    'etcd-servers': `http://127.0.0.1:${options.etcdPort}`,
    'tls-cert-file': `${options.pki}/apiserver.crt`,
    'tls-private-key-file': `${options.pki}/apiserver.key`,
    'client-ca-file': `${options.pki}/ca.crt`,
    'token-auth-file': `${options.pki}/tokens.csv`,
    'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
    'service-account-key-file': `${options.pki}/service-account.pub`,
    'service-account-signing-key-file': `${options.pki}/service-account.key`,
    'service-cluster-ip-range': serviceRange,
    'authorization-mode': options.nodes ? 'Node,RBAC' : 'RBAC',
    'allow-privileged': true,
    profiling: false,
  }),
  ...(options.nodes
    ? flags({
        'enable-admission-plugins': 'NodeRestriction',
        'kubelet-preferred-address-types': 'InternalIP',
        'kubelet-client-certificate': `${options.pki}/apiserver-kubelet.crt`,
        'kubelet-client-key': `${options.pki}/apiserver-kubelet.key`,
        'kubelet-certificate-authority': `${options.pki}/ca.crt`,
      })
    : flags({ 'endpoint-reconciler-type': 'none' })),
  ...(options.serviceAccounts ? [] : flags({ 'disable-admission-plugins': 'ServiceAccount' })),
];

export const serviceRange = '10.96.0.0/16';
export const podRange = '10.244.0.0/16';
export const nodeAddress = '10.244.0.1';
export const dnsAddress = '10.96.0.10';
export const clusterDomain = 'cluster.local';

/** Requests per second and burst that controllers may send. The defaults make Jobs and garbage collection crawl. */
export type Rate = { qps: number; burst: number };
export const usualRate: Rate = { qps: 200, burst: 400 };

export type ControllerManagerOptions = { pki: string; kubeconfig: string; rate: Rate; controllers: readonly string[] };

export const controllerManagerFlags = ({ pki, kubeconfig, rate, controllers }: ControllerManagerOptions): string[] =>
  flags({
    kubeconfig,
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'bind-address': '127.0.0.1',
    'secure-port': 0,
    'leader-elect': false,
    'use-service-account-credentials': true,
    'service-account-private-key-file': `${pki}/service-account.key`,
    'root-ca-file': `${pki}/ca.crt`,
    'cluster-signing-cert-file': `${pki}/ca.crt`,
    'cluster-signing-key-file': `${pki}/ca.key`,
    'kube-api-qps': rate.qps,
    'kube-api-burst': rate.burst,
    controllers: controllers.join(','),
    profiling: false,
  });
