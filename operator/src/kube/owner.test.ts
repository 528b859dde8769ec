import { expect, test } from 'vitest';
import { adoptable, ownerLabels, ownerReference } from './owner.ts';

const task = { apiVersion: 'scp.symphony.foundation/v1alpha1', kind: 'Task', metadata: { namespace: 'a', name: 't', uid: 'u1' } };
const found = (metadata: object) => ({ metadata: { name: 'x', ...metadata } });

test('N10: only what carries our uid is adopted, by reference or by label, and not on its way out', () => {
  expect(adoptable(found({ ownerReferences: [ownerReference(task)] }), 'u1')).toBe(true);
  expect(adoptable(found({ labels: ownerLabels(task) }), 'u1')).toBe(true);
  expect(adoptable(found({}), 'u1')).toBe(false); // the right name proves nothing
  expect(adoptable(found({ ownerReferences: [{ ...ownerReference(task), uid: 'u2' }], labels: ownerLabels(task) }), 'u1')).toBe(false);
  expect(adoptable(found({ ownerReferences: [{ ...ownerReference(task), controller: false }] }), 'u1')).toBe(false);
  expect(adoptable(found({ labels: ownerLabels(task), deletionTimestamp: '2030-01-01T00:00:00Z' }), 'u1')).toBe(false);
});

test('an owner that is not stored yet owns nothing', () => {
  expect(() => ownerReference({ ...task, metadata: { name: 't' } })).toThrow('no uid');
  expect(() => ownerLabels({ ...task, metadata: { name: 't' } })).toThrow('no uid');
});
