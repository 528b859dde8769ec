import { describe, expect, test } from 'vitest';
import { apiserverFlags, etcdFlags } from './components.ts';

describe('command lines', () => {
  const options = { address: '127.0.0.1', port: 1, etcdPort: 2, pki: '/p', nodes: false, serviceAccounts: false };

  test('without controllers, pods need no service account', () => {
    expect(apiserverFlags(options)).toContain('--disable-admission-plugins=ServiceAccount');
    expect(apiserverFlags({ ...options, serviceAccounts: true })).not.toContain('--disable-admission-plugins=ServiceAccount');
  });

  test('with nodes, the Node authorizer and kubelet credentials are on', () => {
    expect(apiserverFlags({ ...options, nodes: true })).toEqual(
      expect.arrayContaining([
        '--authorization-mode=Node,RBAC',
        '--enable-admission-plugins=NodeRestriction',
        '--kubelet-certificate-authority=/p/ca.crt',
      ]),
    );
    expect(apiserverFlags(options)).toContain('--authorization-mode=RBAC');
  });

  test('etcd listens on the loopback address only', () => {
    const urls = etcdFlags({ dataFolder: '/d', clientPort: 3, peerPort: 4 }).filter((flag) => flag.includes('http'));
    expect(urls.every((flag) => flag.includes('http://127.0.0.1:'))).toBe(true);
  });
});
