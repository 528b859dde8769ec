/**
 * B4, K1: whatever leaves a Vault unsealed is the same for neighbouring data: who answers, in what order, how long, at what price;
 * and of what is sealed, how much there is.
 */
import { expect, test } from 'vitest';
import { encodeCommand } from '@scs/protocol';
import { aTask } from '@scs/protocol/testing/task.ts';
import { Follower } from './follow.ts';
import { startHealth } from './health.ts';
import { silent } from './logger.ts';
import { openSlice, type SealedPart } from './open-slice.ts';
import { release } from './release.ts';
import { aGroup, OTHERS, OURS } from './testing/a-group.ts';
import { SliceEnclave } from './testing/a-slice.ts';
import { aFolder, bought, fill, granted, openStore } from './testing/a-store.ts';

/** Lines of /metrics that are the Vault's own. */
const metricsOf = async (port: number): Promise<readonly string[]> =>
  (await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).split('\n').filter((line) => line.startsWith('scs_'));

/** A task that is released and one that is cancelled, as everybody outside sees them. */
const seenOf = async (subjects: readonly string[], consenting: readonly string[]): Promise<object> => {
  const { folder, remove } = await aFolder();
  const store = await openStore(folder, { vault: OURS });
  const probes = await startHealth({
    host: '127.0.0.1',
    port: 0,
    health: () => ({ ready: true, reason: 'Serving', message: '' }),
    progressAt: () => Date.now(),
  });
  try {
    await fill(store, subjects.map(bought), consenting.map(granted));
    const { masters, context } = aGroup(store);
    const { world } = masters;
    const follower = new Follower({ ...context, masters, log: silent, onDone: probes.countTask });
    const uid = world.submit(aTask());
    await follower.settle(world.task(uid));
    world.answer(uid, OTHERS);
    const enclave = await SliceEnclave.start(world.genesisDigest);
    world.block(enclave.ready(uid));
    const opened = await openSlice(uid, enclave.sealKey, context);
    if (!opened.ok) throw new Error(opened.refusal.code);
    const stream: SealedPart[] = [];
    for await (const part of opened.parts) stream.push(part);
    const { input } = await enclave.receive(stream, world.task(uid).envelope!);
    if (input.kind !== 'snapshot') throw new Error('stored before anything was released');
    const asked = await enclave.compute(uid, input, [BigInt(consenting.length), 0n, 0n]);
    const tooEarly = await release({ ...asked, task: 'unknown' }, context);
    const first = await release(asked, context);
    const again = await release(asked, context);
    await follower.settle(world.task(uid));
    const cancelled = world.submit(aTask().named('cancelled'));
    await follower.settle(world.task(cancelled));
    world.block({ type: 'task.cancel', uid: cancelled });
    world.followUp();
    await follower.settle(world.task(cancelled));
    const { quote, parts, state } = world.task(uid);
    return {
      sealed: [stream.map(({ ciphertext }) => ciphertext.length), asked.sealedOutput.length, asked.evidence.length],
      tooEarly,
      first,
      again,
      state,
      quote,
      released: parts.find(({ vault }) => vault === OURS)!.release!.microRho,
      commands: masters.submitted.map((command) => [command.type, encodeCommand(command).length]),
      journal: (await store.journal()).sequence,
      metrics: await metricsOf(probes.port),
    };
  } finally {
    await probes.close();
    await store.close();
    await remove();
  }
};

test('B4, K1: answers, refusals, prices, sizes, journal and metrics are equal for neighbouring data', async () => {
  const all = await seenOf(['ann', 'bob'], ['ann', 'bob']);
  expect(all).toMatchObject({ first: { ok: true }, again: { ok: true }, tooEarly: { ok: false, refusal: { code: 'TaskUnknown' } } });
  expect(await seenOf(['ann', 'bob', 'cem'], ['ann', 'bob', 'cem'])).toEqual(all);
  expect(await seenOf(['ann', 'bob'], ['ann'])).toEqual(all);
});
