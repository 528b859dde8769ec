/**
 * NetworkPolicy as Kubernetes defines it, small: a pod that a policy selects for a direction takes or sends only what some policy of
 * that direction allows. Peers by labels only; what lies outside the cluster, and nodes, are a peer without labels.
 */
import { z } from 'zod';

const Selector = z.strictObject({ matchLabels: z.record(z.string(), z.string()).optional() });
const Peer = z.strictObject({ podSelector: Selector.optional(), namespaceSelector: Selector.optional() });
const Port = z.strictObject({ port: z.int(), protocol: z.enum(['TCP', 'UDP']) });
const ports = z.array(Port).optional();
const Policy = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string() }),
  spec: z.strictObject({
    podSelector: Selector,
    policyTypes: z.array(z.enum(['Ingress', 'Egress'])),
    ingress: z.array(z.strictObject({ from: z.array(Peer).optional(), ports })).optional(),
    egress: z.array(z.strictObject({ to: z.array(Peer).optional(), ports })).optional(),
  }),
});
export type NetworkPolicy = z.infer<typeof Policy>;
/** Throws where a policy uses more than the model knows. */
export const networkPolicy = (object: unknown): NetworkPolicy => Policy.parse(object);

export type Party = { readonly namespace: string; readonly labels: Readonly<Record<string, string>> };
export const outside: Party = { namespace: '', labels: {} };
export const partyOf = (namespace: string, name: string, more: Readonly<Record<string, string>> = {}): Party => ({
  namespace,
  labels: { 'app.kubernetes.io/name': name, ...more },
});

const selects = (selector: z.infer<typeof Selector>, labels: Party['labels']): boolean =>
  Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);

/** A namespace's only label that Kubernetes itself gives is its name. */
const isPeer = (peer: z.infer<typeof Peer>, party: Party, home: string): boolean => {
  if (party === outside) return false;
  const inNamespace = peer.namespaceSelector
    ? selects(peer.namespaceSelector, { 'kubernetes.io/metadata.name': party.namespace })
    : party.namespace === home;
  return inNamespace && selects(peer.podSelector ?? {}, party.labels);
};

type Rule = { readonly peers: readonly z.infer<typeof Peer>[] | undefined; readonly ports: z.infer<typeof ports> };
const rulesOf = ({ spec }: NetworkPolicy, direction: 'Ingress' | 'Egress'): Rule[] =>
  direction === 'Ingress'
    ? (spec.ingress ?? []).map((rule) => ({ peers: rule.from, ports: rule.ports }))
    : (spec.egress ?? []).map((rule) => ({ peers: rule.to, ports: rule.ports }));

const passes = (
  policies: readonly NetworkPolicy[],
  direction: 'Ingress' | 'Egress',
  subject: Party,
  other: Party,
  port: number,
  protocol: 'TCP' | 'UDP',
): boolean => {
  if (subject === outside) return true;
  const bound = policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === subject.namespace && spec.policyTypes.includes(direction) && selects(spec.podSelector, subject.labels),
  );
  if (bound.length === 0) return true;
  return bound.some((policy) =>
    rulesOf(policy, direction).some(
      (rule) =>
        (!rule.peers || rule.peers.some((peer) => isPeer(peer, other, policy.metadata.namespace))) &&
        (!rule.ports || rule.ports.some((allowed) => allowed.port === port && allowed.protocol === protocol)),
    ),
  );
};

/** Whether `from` may open a connection to `to` at `port`. */
export const mayConnect = (
  policies: readonly NetworkPolicy[],
  from: Party,
  to: Party,
  port: number,
  protocol: 'TCP' | 'UDP' = 'TCP',
): boolean => passes(policies, 'Egress', from, to, port, protocol) && passes(policies, 'Ingress', to, from, port, protocol);
