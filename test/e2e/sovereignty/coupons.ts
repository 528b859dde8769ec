/** A pod of the submitter's: takes activations over HTTPS and prints them; and from it, requests to Services in the cluster. */
import { randomBytes } from 'node:crypto';
import { issue, newAuthority } from '../../cluster/certificates.ts';
import { buildNodeImage, userId } from '../../cluster/images.ts';
import { loadImages } from '../../cluster/cluster.ts';
import type { Kubectl } from '../../cluster/kubectl.ts';

const NAMESPACE = 'roastery';
export const authority = newAuthority('sovereignty-ca');
export const activationKey = randomBytes(32);
export const COUPONS_URL = `https://coupons.${NAMESPACE}.svc:8443/activate`;

const SERVE = `
  const fs = require('fs');
  const tls = { cert: fs.readFileSync('/tls/tls.crt'), key: fs.readFileSync('/tls/tls.key') };
  require('https').createServer(tls, (request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      const { headers } = request;
      console.log(JSON.stringify({ body, timestamp: headers['scs-timestamp'], signature: headers['scs-signature'], key: headers['idempotency-key'] }));
      response.writeHead(204).end();
    });
  }).listen(8443, '0.0.0.0');`;
/** Its argument is what to send; it prints the answer. */
const ASK = `
  const { url, method, headers, body } = JSON.parse(process.argv[1]);
  const request = require('https').request(url, { method, headers, ca: require('fs').readFileSync('/tls/ca.crt') }, (response) => {
    let text = '';
    response.on('data', (chunk) => (text += chunk));
    response.on('end', () => console.log(JSON.stringify({ status: response.statusCode, text })));
  });
  request.end(body);`;

const secret = (name: string, namespace: string, entries: Readonly<Record<string, string | Buffer>>, type = 'Opaque'): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  type,
  data: Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
});
const tlsSecret = (name: string, namespace: string, host: string): object => {
  const { certificate, key } = issue(authority, { user: host }, [host]);
  return secret(name, namespace, { 'tls.crt': certificate, 'tls.key': key, 'ca.crt': authority.certificate }, 'kubernetes.io/tls');
};
/** What a Vault's manifest names: the certificate that subjects see, and the key of its activations. */
export const vaultSecrets = (namespace: string): readonly object[] => [
  tlsSecret('rights-tls', namespace, `vault-shoppers-rights.${namespace}.svc`),
  secret('coupons', namespace, { key: activationKey, 'ca.crt': authority.certificate }),
];

export const startCoupons = async (kubectl: Kubectl): Promise<void> => {
  await loadImages([await buildNodeImage()]);
  const labels = { app: 'coupons' };
  await kubectl.apply(tlsSecret('coupons-tls', NAMESPACE, `coupons.${NAMESPACE}.svc`), {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'coupons', namespace: NAMESPACE },
    spec: { selector: labels, ports: [{ port: 8443 }] },
  });
  await kubectl.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'coupons', namespace: NAMESPACE, labels },
    spec: {
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: userId, fsGroup: userId, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'coupons',
          image: 'scs.local/node:24',
          imagePullPolicy: 'Never',
          args: ['-e', SERVE],
          readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
          volumeMounts: [{ name: 'tls', mountPath: '/tls', readOnly: true }],
          securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
        },
      ],
      volumes: [{ name: 'tls', secret: { secretName: 'coupons-tls', defaultMode: 0o440 } }],
    },
  });
  await kubectl('wait', '-n', NAMESPACE, 'pod/coupons', '--for=condition=Ready', '--timeout=60s');
};

export interface Activation {
  readonly body: string;
  readonly timestamp: string;
  readonly signature: string;
  readonly key: string;
}
export const activations = async (kubectl: Kubectl): Promise<readonly Activation[]> =>
  (await kubectl('logs', '-n', NAMESPACE, 'coupons'))
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Activation);

export interface Request {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}
/** Sent from inside the cluster, by name, believing the test's authority alone. */
export const ask = async (kubectl: Kubectl, request: Request): Promise<{ readonly status: number; readonly text: string }> =>
  JSON.parse(
    await kubectl(
      'exec',
      '-n',
      NAMESPACE,
      'coupons',
      '--',
      '/usr/local/bin/node',
      '-e',
      ASK,
      JSON.stringify({ method: 'GET', ...request }),
    ),
  ) as { status: number; text: string };
