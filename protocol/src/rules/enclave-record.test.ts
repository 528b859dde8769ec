import { expect, test } from 'vitest';
import { encodeCanonical } from '../encoding/canonical.ts';
import { aggregateCommand } from '../testing/statements.ts';
import { aTask } from '../testing/task.ts';
import { World } from '../testing/world.ts';
import type { TaskRecord } from '../state.ts';
import { aggregateFault, sliceFault } from './aggregation.ts';

const enclavesOf = ({ parts, aggregatorEnclave }: TaskRecord) => [...parts.map(({ enclave }) => enclave), aggregatorEnclave];
const dispatched = () => {
  const world = World.ready();
  const uid = world.submit(aTask());
  world.runTo(uid, 'dispatched');
  world.ready(uid);
  world.release(uid);
  world.aggregatorReady(uid);
  return { world, uid };
};

test('A5: while it is dispatched a task holds its enclaves’ attestations, for others to check; afterwards their digests alone', () => {
  const { world, uid } = dispatched();
  for (const enclave of enclavesOf(world.task(uid))) expect(enclave?.attestation).toBeDefined();
  const before = encodeCanonical(world.task(uid)).length;
  world.aggregate(uid);
  const task = world.task(uid);
  for (const enclave of enclavesOf(task)) expect([enclave?.attestation, enclave?.attested?.length]).toEqual([undefined, 64]);
  expect(encodeCanonical(task).length).toBeLessThan(before / 2);
});
test('T3: a task that ends without a result holds none either', () => {
  const world = World.ready();
  const uid = world.submit(aTask());
  world.runTo(uid, 'dispatched');
  world.ready(uid);
  world.block({ type: 'task.cancel', uid });
  const { state, parts } = world.task(uid);
  expect(state).toBe('rejected');
  for (const { enclave } of parts) expect([enclave?.attestation, enclave?.attested?.length]).toEqual([undefined, 64]);
});
test('A3: evidence is checked against the record of a settled task as it was before, attestations by their digests', () => {
  const { world, uid } = dispatched();
  const { aggregate, slices } = aggregateCommand(world, world.task(uid), world.aggregator(uid).address);
  world.aggregate(uid);
  const task = world.task(uid);
  expect(aggregateFault(task, aggregate, world)).toBeUndefined();
  for (const [i, part] of task.parts.entries()) expect(sliceFault(task, part, slices[i], world)).toBeUndefined();
  const { attestation } = slices[0]!.evidence;
  const swapped = { ...aggregate, evidence: { ...aggregate.evidence, attestation } };
  expect(aggregateFault(task, swapped, world)?.code).toBe('EnclaveReplaced');
});
