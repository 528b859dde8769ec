/** Where the system runs: the embedded cluster, or a context that the user names. Images get there, and users get kubeconfigs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash } from 'node:crypto';
import { imageSpecs } from '../../images/specs.ts';
import { down, ensureKubectl, isRunning, loadImages, up, userKubeconfig } from '../cluster/cluster.ts';
import { buildImage, bundleProgram, type Image } from '../cluster/images.ts';
import { writeArchive } from '../cluster/load.ts';
import { step } from '../cluster/progress.ts';
import { run } from '../cluster/run.ts';
import { groupFolder } from './folders.ts';
import type { Images } from './system.ts';

export interface ClusterUnderTest {
  readonly kubeconfig: string;
  readonly userKubeconfig: (user: string) => Promise<string>;
  readonly load: (images: readonly Image[]) => Promise<void>;
}

/** The embedded cluster, started anew so that nothing of an earlier run is in it. */
export const embeddedCluster = async (fresh: boolean): Promise<ClusterUnderTest> => {
  if (fresh && isRunning('default')) await step('stopping the cluster of an earlier run', () => down());
  const { kubeconfig } = await step(
    'embedded Kubernetes cluster: etcd, API server, controllers, scheduler, containerd, kubelet, kube-proxy, CoreDNS',
    () => up(),
  );
  return {
    kubeconfig,
    userKubeconfig: (user) => Promise.resolve(userKubeconfig(user)),
    load: async (images) => void (await loadImages(images)),
  };
};

/** A context of the user's kubeconfig. Images are loaded with kind where the context is kind's; else they have to be there already. */
export const namedCluster = async (context: string, folder = groupFolder('demo')): Promise<ClusterUnderTest> => {
  const kubectl = await ensureKubectl();
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, await run(kubectl, ['config', 'view', '--raw', '--minify', '--flatten', '--context', context]), {
    mode: 0o600,
  });
  return {
    kubeconfig,
    userKubeconfig: (user) => certifiedUser(kubectl, kubeconfig, user, folder),
    load: async (images) => {
      if (!context.startsWith('kind-'))
        throw new Error(
          `context ${context} is not kind's: build the images with images/*.Dockerfile, push them, and install the charts as docs/install.md says`,
        );
      const archive = join(mkdtempSync(join(tmpdir(), 'scs-images-')), 'images.tar');
      await writeArchive(images, archive);
      await run('kind', ['load', 'image-archive', archive, '--name', context.slice('kind-'.length)], { timeoutMs: 600_000 });
      rmSync(archive);
    },
  };
};

/** A user by the cluster's own certificate signing, as an administrator would make one. */
const certifiedUser = async (kubectl: string, kubeconfig: string, user: string, folder: string): Promise<string> => {
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  const at = (suffix: string) => join(folder, `user-${user}.${suffix}`);
  await run('openssl', [
    'req',
    '-new',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-subj',
    `/CN=${user}`,
    '-keyout',
    at('key'),
    '-out',
    at('csr'),
  ]);
  const name = `scs-demo-${user}`;
  await run(kubectl, ['delete', 'csr', name, '--ignore-not-found'], { env });
  const request = {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: {
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['client auth'],
      request: readFileSync(at('csr')).toString('base64'),
    },
  };
  await run(kubectl, ['apply', '-f', '-'], { env, input: JSON.stringify(request) });
  await run(kubectl, ['certificate', 'approve', name], { env });
  const certificate = await run(
    kubectl,
    ['wait', 'csr', name, '--for=jsonpath={.status.certificate}', '--timeout=30s', '-o', 'jsonpath={.status.certificate}'],
    { env },
  );
  writeFileSync(at('crt'), Buffer.from(certificate, 'base64'));
  const mine = at('kubeconfig');
  writeFileSync(mine, readFileSync(kubeconfig), { mode: 0o600 });
  const own = { ...process.env, KUBECONFIG: mine };
  await run(
    kubectl,
    ['config', 'set-credentials', user, `--client-certificate=${at('crt')}`, `--client-key=${at('key')}`, '--embed-certs'],
    { env: own },
  );
  await run(kubectl, ['config', 'set-context', '--current', `--user=${user}`], { env: own });
  return mine;
};

/** Builds our images without Docker. The sidecar's measurement is that of its program: what the genesis must allow (A2). */
export const buildImages = async (): Promise<{ built: readonly Image[]; images: Images; measurement: string }> => {
  const specs = await imageSpecs();
  const built = await Promise.all(specs.map((spec) => buildImage(spec)));
  const ref = (name: string): string => {
    const index = specs.findIndex((spec) => spec.name === name);
    const image = built[index];
    if (!image) throw new Error(`images/specs.ts has no ${name}`);
    return image.ref;
  };
  const sidecar = specs.find((spec) => spec.name === 'scs-enclave-sidecar')!;
  return {
    built,
    images: {
      master: ref('scs-master'),
      agent: ref('scs-agent'),
      vault: ref('scs-vault'),
      sidecar: ref('scs-enclave-sidecar'),
      executor: ref('scs-executor'),
      devnet: ref('scs-devnet'),
    },
    measurement: hash('sha384', await bundleProgram(sidecar), 'hex'),
  };
};
