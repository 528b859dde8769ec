/** The ConfigMap of a result: one a task, and never somebody else's (N10, M5). */
import { expect, test } from 'vitest';
import { isOurs } from './result-files.ts';
import { resultName } from './task-status.ts';

test('names are valid, and no two tasks share one', () => {
  const long = 'a'.repeat(245);
  const names = ['coffee', long, `${long}b`, `${long}.bcdefg`, `${long}.bcdefh`, 'a'.repeat(253)].map(resultName);
  expect(names[0]).toBe('coffee-result');
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) {
    expect(name.length).toBeLessThanOrEqual(253);
    expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
  }
});

const owner = { apiVersion: 'scp.symphony.foundation/v1alpha1', kind: 'Task', name: 'coffee', uid: 'u1' };
test.each([
  ['of somebody else', {}, false],
  ['with the label', { labels: { 'scp.symphony.foundation/task': 'u1' } }, true],
  ['with the label of another task, by somebody else', { labels: { 'scp.symphony.foundation/task': 'u2' } }, false],
  ['owned by the Task', { ownerReferences: [owner] }, true],
  ['stripped of both', { managedFields: [{ manager: 'kubectl-edit' }, { manager: 'scs-master' }] }, true],
  ['written by others only', { managedFields: [{ manager: 'kubectl' }] }, false],
])('a ConfigMap %s', (_what, metadata, ours) => expect(isOurs({ metadata: { name: 'coffee-result', ...metadata } }, 'u1')).toBe(ours));
