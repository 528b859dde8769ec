import { stringify } from 'yaml';
import { clusterDomain, dnsAddress, flags, nodeAddress, podRange, type Rate } from './components.ts';

/** Configuration of what runs on the one node. Pure: text from paths. */

export const nodeName = 'scs-node';
export const pauseImage = 'scs.local/pause:1';
const networkName = 'scs-pods';

export type NodePaths = {
  /** The cluster's folder. */
  folder: string;
  pki: string;
  /** Folder with the network plugins `ptp`, `host-local` and `loopback`. */
  plugins: string;
  snapshotter: 'overlayfs' | 'native';
};

export const containerdSocket = (folder: string): string => `${folder}/containerd/containerd.sock`;

/** Own root, state, socket and plugin folders, so that nothing else on the machine is touched. Format 2 is read by containerd 1.6 to 2.x. */
export const containerdConfig = ({ folder, plugins, snapshotter }: NodePaths): string => `version = 2
root = "${folder}/containerd/root"
state = "${folder}/containerd/state"
oom_score = 0
[grpc]
  address = "${containerdSocket(folder)}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${folder}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Without CAP_SYS_RESOURCE (root in a sandbox) nobody may lower an OOM score.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "${snapshotter}"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "${folder}/containerd/runc"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${plugins}"
    conf_dir = "${folder}/cni/conf"
`;

/**
 * Each pod hangs on its own pair of interfaces and everything is routed: Services answer between pods without bridge netfilter, and nftables rules in the
 * forward hook see (and can cut) all traffic between pods.
 */
export const networkConfig = (folder: string): string =>
  JSON.stringify({
    cniVersion: '0.4.0',
    name: networkName,
    plugins: [
      {
        type: 'ptp',
        ipMasq: false,
        ipam: {
          type: 'host-local',
          dataDir: `${folder}/cni/addresses`,
          ranges: [[{ subnet: podRange, rangeStart: '10.244.1.1', gateway: nodeAddress }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
    ],
  });

export const kubeletConfig = ({ folder, pki }: NodePaths, resolvConf: string): string =>
  stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: nodeAddress,
    port: 10250,
    healthzBindAddress: '127.0.0.1',
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: `${pki}/ca.crt` } },
    authorization: { mode: 'Webhook' },
    tlsCertFile: `${pki}/kubelet.crt`,
    tlsPrivateKeyFile: `${pki}/kubelet.key`,
    containerRuntimeEndpoint: `unix://${containerdSocket(folder)}`,
    clusterDNS: [dnsAddress],
    clusterDomain,
    resolvConf,
    cgroupDriver: 'cgroupfs',
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    oomScoreAdj: 0,
    makeIPTablesUtilChains: false,
    podLogsDir: `${folder}/pod-logs`,
    volumePluginDir: `${folder}/kubelet/volume-plugins`,
    // Images are imported, never pulled: one that is collected does not come back.
    imageGCHighThresholdPercent: 100,
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%', 'nodefs.inodesFree': '1%' },
    // A crashing pod of a test comes back within seconds, not minutes.
    crashLoopBackOff: { maxContainerRestartPeriod: '10s' },
    nodeStatusUpdateFrequency: '5s',
    maxPods: 200,
  });

export const kubeletFlags = (folder: string): string[] =>
  flags({
    config: `${folder}/kubelet.yaml`,
    kubeconfig: `${folder}/kubelet.kubeconfig`,
    'root-dir': `${folder}/kubelet`,
    'cert-dir': `${folder}/kubelet/pki`,
    'hostname-override': nodeName,
    'node-ip': nodeAddress,
  });

export const kubeProxyConfig = (folder: string): string =>
  stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    bindAddress: nodeAddress,
    healthzBindAddress: '127.0.0.1:10256',
    metricsBindAddress: '127.0.0.1:10249',
    clusterCIDR: podRange,
    hostnameOverride: nodeName,
    oomScoreAdj: 0,
    conntrack: { maxPerCore: 0, min: 0 },
    nftables: { minSyncPeriod: '100ms' },
    clientConnection: { kubeconfig: `${folder}/kube-proxy.kubeconfig` },
  });

export const schedulerConfig = (folder: string, rate: Rate): string =>
  stringify({
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    leaderElection: { leaderElect: false },
    clientConnection: { kubeconfig: `${folder}/scheduler.kubeconfig`, qps: rate.qps, burst: rate.burst },
  });

export const schedulerFlags = (folder: string): string[] =>
  flags({
    config: `${folder}/scheduler.yaml`,
    'authentication-kubeconfig': `${folder}/scheduler.kubeconfig`,
    'authorization-kubeconfig': `${folder}/scheduler.kubeconfig`,
    'bind-address': '127.0.0.1',
    'secure-port': 0,
  });
