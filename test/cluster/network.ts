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

/** Removes what `makeNetwork` and kube-proxy made; quiet where there is nothing. */
export const removeNetwork = async (forwardingBefore: string | undefined): Promise<void> => {
  await attempt('ip', ['link', 'delete', interfaceName]);
  for (const [family, name] of [
    ['ip', tableName],
    ['ip', 'kube-proxy'],
    ['ip6', 'kube-proxy'],
  ] as const) {
    await attempt('nft', ['delete', 'table', family, name]);
  }
  await closeFirewall();
  if (forwardingBefore === '0') writeFileSync(forwarding, '0\n');
};
