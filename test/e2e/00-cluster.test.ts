import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../cluster/api.ts';
import { type Cluster, startProgram, stopProgram, up, userKubeconfig } from '../cluster/cluster.ts';
import { buildImage, buildNodeImage, type Image, userId } from '../cluster/images.ts';
import { type Kubectl, kubectlOf } from '../cluster/kubectl.ts';
import { importImages } from '../cluster/load.ts';
import { duckdbParts, moveParts } from '../cluster/native-parts.ts';

/** The embedded cluster itself: what our own tests rely on, seen to work on real pods. */

const namespace = 'cluster-smoke';
const image = 'scs.local/node:24';
const teeLabel = 'feature.node.kubernetes.io/cpu-security.sev.snp.enabled';
let cluster: Cluster;
let kubectl: Kubectl;

const metadata = (name: string, labels: Record<string, string> = {}): object => ({ name, namespace, labels });
const program = (name: string, script: string, more: object = {}): object => ({
  name,
  image,
  imagePullPolicy: 'Never',
  args: ['-e', script],
  ...more,
});
const pod = (name: string, spec: object, labels: Record<string, string> = {}): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: metadata(name, labels),
  spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, ...spec },
});
const phase = async (name: string, wanted: string): Promise<void> => {
  const failed = wanted === 'Failed' ? '' : 'Failed';
  const seen = await until(
    `pod ${name} ${wanted}`,
    async () => {
      const now = await kubectl('-n', namespace, 'get', 'pod', name, '-o', 'jsonpath={.status.phase}');
      return now === wanted || now === failed ? now : undefined;
    },
    { timeoutMs: 90_000, everyMs: 200 },
  );
  if (seen !== wanted)
    throw new Error(`pod ${name} ${seen}: ${(await kubectl.attempt('-n', namespace, 'logs', name, '--all-containers')).stdout}`);
};
const logs = (name: string): Promise<string> => kubectl('-n', namespace, 'logs', name);

beforeAll(async () => {
  cluster = await up();
  kubectl = await kubectlOf(cluster.kubeconfig);
  await importImages(cluster.folder, [await buildNodeImage()]);
  await kubectl('delete', 'namespace', namespace, '--ignore-not-found', '--wait');
  await kubectl.apply({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  });
  await until('default service account', () => kubectl('-n', namespace, 'get', 'serviceaccount', 'default'), {
    timeoutMs: 30_000,
    everyMs: 200,
  });
});

afterAll(async () => {
  await kubectl('label', 'node', 'scs-node', `${teeLabel}-`);
  await kubectl('delete', 'namespace', namespace, '--wait=false');
});

/** What the Pod Security level `restricted` asks for, and a read-only root. */
const restricted = {
  securityContext: { runAsNonRoot: true, runAsUser: userId, fsGroup: userId, seccompProfile: { type: 'RuntimeDefault' } },
};
const confined = { securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } } };

test('a pod with a native sidecar waits for a TEE node, and completes once the node has the label', async () => {
  const sidecar = program('sidecar', "require('http').createServer((_, r) => r.end('sealed')).listen(8123)", {
    ...confined,
    restartPolicy: 'Always',
    startupProbe: { tcpSocket: { port: 8123 }, periodSeconds: 1 },
  });
  const main = program('main', "fetch('http://127.0.0.1:8123').then((r) => r.text()).then(console.log)", confined);
  await kubectl.apply(pod('slice', { ...restricted, nodeSelector: { [teeLabel]: 'true' }, initContainers: [sidecar], containers: [main] }));
  await kubectl(
    '-n',
    namespace,
    'wait',
    'pod/slice',
    '--for=jsonpath={.status.conditions[?(@.type=="PodScheduled")].reason}=Unschedulable',
    '--timeout=30s',
  );
  await kubectl('label', 'node', 'scs-node', `${teeLabel}=true`, '--overwrite');
  await phase('slice', 'Succeeded');
  expect(await kubectl('-n', namespace, 'logs', 'slice', '-c', 'main')).toBe('sealed\n');
});

test('a Service answers on its address and its name, keeps the address of who calls, and pods reach the API server', async () => {
  const server = program('server', "require('http').createServer((q, r) => r.end(q.socket.remoteAddress)).listen(8080, '0.0.0.0')", {
    ...confined,
    readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
  });
  await kubectl.apply(pod('server', { ...restricted, containers: [server] }, { app: 'server' }), {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata('server'),
    spec: { selector: { app: 'server' }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  await kubectl('-n', namespace, 'wait', 'pod/server', '--for=condition=Ready', '--timeout=60s');
  const address = await kubectl('-n', namespace, 'get', 'service', 'server', '-o', 'jsonpath={.spec.clusterIP}');
  const script = `
    const own = Object.values(require('os').networkInterfaces()).flat().find((i) => !i.internal && i.family === 'IPv4').address;
    const again = async (url) => { for (let n = 0; ; n++) try { return await (await fetch(url)).text(); } catch (e) { if (n > 50) throw e; await new Promise((r) => setTimeout(r, 100)); } };
    const api = () => new Promise((resolve, reject) => require('https').get('https://kubernetes.default.svc/version', { ca: require('fs').readFileSync('/var/run/secrets/kubernetes.io/serviceaccount/ca.crt') }, (r) => resolve(r.resume().statusCode)).on('error', reject));
    (async () => console.log(JSON.stringify({ byAddress: await again('http://${address}') === own, byName: await again('http://server.${namespace}.svc.cluster.local') === own, api: await api() })))();`;
  await kubectl.apply(pod('client', { ...restricted, containers: [program('client', script, confined)] }));
  await phase('client', 'Succeeded');
  expect(JSON.parse(await logs('client'))).toEqual({ byAddress: true, byName: true, api: 200 });
  expect(await kubectl('-n', namespace, 'exec', 'server', '--', '/usr/local/bin/node', '-p', '6 * 7')).toBe('42\n');
});

test('a restricted pod keeps data on a volume of the default class; the volume goes with its claim', async () => {
  const claim = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: metadata('data') };
  await kubectl.apply({ ...claim, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } });
  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
  const mounted = { ...confined, volumeMounts: [{ name: 'data', mountPath: '/data' }] };
  const script = (code: string): object[] => [program('main', `const fs = require('fs'); ${code}`, mounted)];
  await kubectl.apply(pod('writer', { ...restricted, volumes, containers: script("fs.writeFileSync('/data/kept', 'kept')") }));
  await phase('writer', 'Succeeded');
  await kubectl.apply(
    pod('reader', { ...restricted, volumes, containers: script("console.log(fs.readFileSync('/data/kept', 'utf8'), process.getuid())") }),
  );
  await phase('reader', 'Succeeded');
  expect(await logs('reader')).toBe(`kept ${userId}\n`);
  const volume = await kubectl('-n', namespace, 'get', 'pvc', 'data', '-o', 'jsonpath={.spec.volumeName}');
  await kubectl('-n', namespace, 'delete', 'pod/writer', 'pod/reader', 'pvc/data');
  await kubectl('wait', `pv/${volume}`, '--for=delete', '--timeout=30s');
  expect(existsSync(`${cluster.folder}/volumes/${volume}`)).toBe(false);
});

const container = (built: Image): object => ({ name: 'main', image: built.ref, imagePullPolicy: 'Never', ...confined });

test('images of ours run native add-ons: DuckDB on a volume, the Move VM', async () => {
  const duckdb = await buildImage({
    name: 'probe-duckdb',
    entry: 'test/cluster/probes/duckdb.ts',
    args: ['/data/probe.duckdb'],
    ...duckdbParts,
  });
  const move = await buildImage({ name: 'probe-move', entry: 'test/cluster/probes/move.ts', ...moveParts });
  await importImages(cluster.folder, [duckdb, move]);
  expect(await importImages(cluster.folder, [duckdb, move])).toEqual([]);
  await kubectl.apply({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: metadata('duckdb'),
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  });
  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'duckdb' } }];
  const onVolume = { ...container(duckdb), volumeMounts: [{ name: 'data', mountPath: '/data' }] };
  await kubectl.apply(
    pod('duckdb', { ...restricted, volumes, containers: [onVolume] }),
    pod('move', { ...restricted, containers: [container(move)] }),
  );
  await phase('duckdb', 'Succeeded');
  expect(await logs('duckdb')).toBe('499500\n');
  await phase('move', 'Succeeded');
  expect(await logs('move')).toBe('function object\n');
});

test('a privileged pod is refused in a restricted namespace', async () => {
  const object = pod('bad', { containers: [program('bad', '0', { securityContext: { privileged: true } })] });
  const refused = await kubectl.apply(object).catch((error: unknown) => String(error));
  expect(refused).toContain('violates PodSecurity "restricted:latest"');
});

test('users are told apart by their certificates', async () => {
  const alice = await kubectlOf(userKubeconfig('alice', ['submitters']));
  const mallory = await kubectlOf(userKubeconfig('mallory'));
  await kubectl.apply({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: metadata('submitters'),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'submitters' }],
  });
  expect(await alice('auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}')).toBe('alice');
  await until('the binding acts', async () => ((await alice.attempt('-n', namespace, 'get', 'pods')).code === 0 ? true : undefined), {
    timeoutMs: 10_000,
  });
  expect((await mallory.attempt('-n', namespace, 'get', 'pods')).stderr).toContain('Forbidden');
});

test('pods survive a restart of kubelet and container runtime', async () => {
  await kubectl.apply(
    pod('steady', { ...restricted, containers: [program('steady', 'console.log(process.pid); setInterval(() => 0, 1000)', confined)] }),
  );
  await phase('steady', 'Running');
  for (const name of ['kubelet', 'containerd']) await stopProgram('default', name);
  for (const name of ['containerd', 'kubelet']) await startProgram('default', name);
  await kubectl.apply(pod('after', { ...restricted, containers: [program('after', "console.log('after')", confined)] }));
  await phase('after', 'Succeeded');
  expect(
    await kubectl('-n', namespace, 'get', 'pod', 'steady', '-o', 'jsonpath={.status.phase} {.status.containerStatuses[0].restartCount}'),
  ).toBe('Running 0');
});
