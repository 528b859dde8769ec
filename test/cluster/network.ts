import { readFileSync, writeFileSync } from 'node:fs';
import { nodeAddress, podRange } from './components.ts';
import { closeFirewall, openFirewall } from './firewall.ts';
import { attempt, run } from './run.ts';

/** The node's interface: a bridge without ports, whose address the API server and the kubelet listen on. */
const interfaceName = 'scs0';
/** Our own table: pods may reach beyond the machine under its address. */
const tableName = 'scs-cluster';
const forwarding = '/proc/sys/net/ipv4/ip_forward';

const table = `table ip ${tableName} {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ip saddr ${podRange} ip daddr != ${podRange} masquerade
  }
}
`;

export const interfaceExists = async (): Promise<boolean> => (await attempt('ip', ['link', 'show', interfaceName])).code === 0;

/** Makes interface and table and switches forwarding on. Returns the forwarding setting found before, for `removeNetwork`. */
export const makeNetwork = async (): Promise<string> => {
  if (!(await interfaceExists())) await run('ip', ['link', 'add', interfaceName, 'type', 'bridge']);
  await run('ip', ['address', 'replace', `${nodeAddress}/32`, 'dev', interfaceName]);
  await run('ip', ['link', 'set', interfaceName, 'up']);
  const before = readFileSync(forwarding, 'utf8').trim();
  writeFileSync(forwarding, '1\n');
  await attempt('nft', ['delete', 'table', 'ip', tableName]);
  await run('nft', ['-f', '-'], { input: table });
  await openFirewall();
  return before;
};

/** Pods apart from each other, for tests; a table of its own, which goes with the cluster. */
const partitionName = 'scs-partition';
/** Packets between one pod and others are dropped, both ways; those of connections that exist too. The node still reaches all of them. */
export const partitionTable = (pod: string, others: readonly string[]): string => `table ip ${partitionName} {
  chain forward {
    type filter hook forward priority -10;
    ip saddr ${pod} ip daddr { ${others.join(', ')} } drop
    ip daddr ${pod} ip saddr { ${others.join(', ')} } drop
  }
}
`;
/** By addresses. One partition at a time: it takes the place of the one before. */
export const partitionPods = async (pod: string, others: readonly string[]): Promise<void> => {
  await healPods();
  await run('nft', ['-f', '-'], { input: partitionTable(pod, others) });
};
/** Quiet where nothing is cut. */
export const healPods = async (): Promise<void> => void (await attempt('nft', ['delete', 'table', 'ip', partitionName]));

/** Removes what `makeNetwork` and kube-proxy made; quiet where there is nothing. */
export const removeNetwork = async (forwardingBefore: string | undefined): Promise<void> => {
  await attempt('ip', ['link', 'delete', interfaceName]);
  for (const [family, name] of [
    ['ip', tableName],
    ['ip', partitionName],
    ['ip', 'kube-proxy'],
    ['ip6', 'kube-proxy'],
  ] as const) {
    await attempt('nft', ['delete', 'table', family, name]);
  }
  await closeFirewall();
  if (forwardingBefore === '0') writeFileSync(forwarding, '0\n');
};
