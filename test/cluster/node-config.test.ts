import { expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { dropsByDefault } from './firewall.ts';
import { kwokConfig } from './kwok.ts';
import { mountsBelow } from './leftovers.ts';
import { containerdConfig, kubeletConfig, networkConfig } from './node-config.ts';
import { planVolumes } from './volumes.ts';

const paths = { folder: '/state/cluster', pki: '/state/cluster/pki', plugins: '/usr/lib/cni', snapshotter: 'overlayfs' as const };

const line = (id: number, point: string): string => `${id} 1 0:1 / ${point} rw - tmpfs tmpfs rw`;

const volume = (name: string, phase: string): { name: string; phase: string } => ({ name, phase });

test('containerd keeps to its own folders and leaves OOM scores alone', () => {
  const config = containerdConfig(paths);
  for (const key of ['root', 'state', 'address', 'path', 'Root', 'conf_dir']) {
    expect(config).toMatch(new RegExp(`^\\s*${key} = "/state/cluster/`, 'm'));
  }
  expect(config).toContain('restrict_oom_score_adj = true');
  expect(config).toContain('netns_mounts_under_state_dir = true');
});

test('the kubelet asks for certificates and runs on cgroup v1', () => {
  expect(parse(kubeletConfig(paths, '/etc/resolv.conf'))).toMatchObject({
    authentication: { anonymous: { enabled: false } },
    authorization: { mode: 'Webhook' },
    failCgroupV1: false,
    makeIPTablesUtilChains: false,
    enforceNodeAllocatable: [],
  });
});

test('pods are routed, one interface each', () => {
  expect(JSON.parse(networkConfig('/state/cluster'))).toMatchObject({
    plugins: [{ type: 'ptp', ipam: { dataDir: '/state/cluster/cni/addresses' } }],
  });
});

test('mounts below a folder come innermost first, names unescaped', () => {
  const text = [line(1, '/state/cluster/a'), line(2, '/state/cluster/a/b\\040c'), line(3, '/state/cluster-two'), line(4, '/')].join('\n');
  expect(mountsBelow(text, '/state/cluster')).toEqual(['/state/cluster/a/b c', '/state/cluster/a']);
});

test('volumes whose claim is gone are removed, and eight are kept free', () => {
  expect(planVolumes([])).toEqual({ remove: [], make: 8 });
  expect(planVolumes([volume('a', 'Released'), volume('b', 'Bound'), volume('c', 'Available'), volume('d', '')])).toEqual({
    remove: ['a'],
    make: 6,
  });
  expect(planVolumes(Array.from({ length: 12 }, (_, n) => volume(`v${n}`, 'Available')))).toEqual({ remove: [], make: 0 });
});

test('a firewall is opened only where it drops by default', () => {
  expect(dropsByDefault('-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n')).toBe(true);
  expect(dropsByDefault('-P FORWARD ACCEPT\n')).toBe(false);
});

test('kwok plays stages: no parallelism is 0, and completion waits as told', () => {
  const documents = parseAllDocuments(kwokConfig({ completeAfterMs: 250 })).map((document) => document.toJS() as unknown);
  expect(documents[0]).toMatchObject({
    kind: 'KwokConfiguration',
    options: { nodeLeaseParallelism: 4, nodePlayStageParallelism: 4, podPlayStageParallelism: 16 },
  });
  expect(documents).toContainEqual(
    expect.objectContaining({
      metadata: { name: 'job-complete' },
      spec: expect.objectContaining({ delay: { durationMilliseconds: 250 } }) as unknown,
    }),
  );
});
