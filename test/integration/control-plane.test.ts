import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { apiOf } from '../cluster/api.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { readAccess } from '../cluster/kubeconfig.ts';

test('two control planes side by side answer their administrators and users, and leave nothing', async () => {
  const [one, two] = await Promise.all([
    startControlPlane({ name: 'side-a', controllerManager: true }),
    startControlPlane({ name: 'side-b' }),
  ]);
  try {
    for (const plane of [one, two]) {
      const admin = apiOf(readAccess(plane.kubeconfig));
      expect(await admin.get('/api/v1/namespaces/default')).toMatchObject({ kind: 'Namespace' });
      const user = apiOf(readAccess(plane.user('alice', ['submitters'])));
      const review = await user.send('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'SelfSubjectReview',
      });
      expect(JSON.parse(review.body)).toMatchObject({
        status: { userInfo: { username: 'alice', groups: expect.arrayContaining(['submitters']) as unknown } },
      });
      expect((await user.send('GET', '/api/v1/namespaces')).status).toBe(403);
      admin.close();
      user.close();
    }
    expect(one.server).not.toBe(two.server);
  } finally {
    await Promise.all([one.stop(), two.stop()]);
  }
  expect([one.folder, two.folder].filter((folder) => existsSync(folder))).toEqual([]);
});
