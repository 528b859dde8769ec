import { expect, test } from 'vitest';
import { activationParts } from './activation-objects.ts';

test('T1: the key is mounted and the webhook’s port is open, where the manifest names a webhook', () => {
  const parts = activationParts({ activation: { url: 'https://coupons.example:8443/hook', keySecret: 'coupons' } });
  expect(parts.egress).toEqual([{ ports: [{ port: 8443, protocol: 'TCP' }] }]);
  expect(parts.volumes[0]!.secret).toMatchObject({ secretName: 'coupons', optional: true });
  expect(parts.mounts[0]!.mountPath).toBe(parts.env[0]!.value);
  expect(activationParts({ activation: { url: 'https://coupons.example/', keySecret: 'k' } }).egress[0]!.ports[0]!.port).toBe(443);
});
test('T1: nothing without it', () => expect(activationParts({})).toEqual({ env: [], mounts: [], volumes: [], egress: [] }));
