/** N6: who does not lead mends what is shown wrongly, and says that it was left so, unless the primary has hardly had time. */
import { decideMessage, hex, sign, type CertifiedLeaf } from '@scs/protocol';
import { masterKey } from '@scs/protocol/testing/keys.ts';
import { aTask } from '@scs/protocol/testing/task.ts';
import { World } from '@scs/protocol/testing/world.ts';
import { expect, test } from 'vitest';
import type { Cluster } from '../../kube/client.ts';
import { fakeClock } from '../../kube/clock.ts';
import type { Log } from '../log/log.ts';
import { silentLogger } from '../log/testing/silent-logger.ts';
import type { TaskObject } from '../task-objects.ts';
import { Projector } from './projector.ts';

const unused = (): never => {
  throw new Error('not asked here');
};
const FOLLOW_MS = 4_000;

const begin = (primary: boolean) => {
  const world = World.ready();
  const task = aTask().named('shown').signed(world.genesis);
  world.block(task);
  const clock = fakeClock(world.time);
  const object: TaskObject = { metadata: { uid: task.uid, namespace: task.namespace, name: task.name, generation: 1 }, spec: task.spec };
  const repaired: string[] = [];
  let written = Promise.withResolvers<void>();
  const cluster: Cluster = {
    get: unused,
    list: unused,
    apply: unused,
    create: unused,
    replace: unused,
    delete: unused,
    evict: unused,
    rawWatch: unused,
    accessReview: unused,
    applyStatus: async (applied) => applied,
    replaceStatus: async (replaced) => replaced,
  };
  const leaf = (key: string): CertifiedLeaf | undefined => {
    const [value, path] = [world.state.map.get(key), world.state.map.prove(key)];
    if (!value || !path) return undefined;
    const { block } = world.state.must('meta');
    const head = { genesis: world.genesisDigest, generation: 0n, height: world.height, stateRoot: hex(world.state.root()), block };
    const votes = [0, 1].map((master) => ({ master, signature: sign(masterKey(master).seed, decideMessage(head)) }));
    return { key, value: hex(value), siblings: path.siblings.map(hex), certificate: { head, votes } };
  };
  let tell: Parameters<Log['onDecided']>[0] = () => {};
  const log: Log = {
    propose: unused,
    onDecided: (handler) => ((tell = handler), () => {}),
    height: () => world.height,
    time: () => world.time,
    state: () => world.state,
    certificate: () => leaf('meta/')?.certificate,
    leaf,
    block: () => undefined,
    isPrimary: () => primary,
    primary: () => undefined,
    wake: () => {},
  };
  const projector = new Projector({
    cluster,
    log,
    tasks: () => ({ byUid: () => object, uids: () => [task.uid].values() }),
    blobs: { find: async () => undefined },
    blockAt: async () => undefined,
    events: { record: () => written.resolve() },
    genesis: world.genesis,
    genesisDigest: world.genesisDigest,
    committee: { generation: 0n, keys: [0, 1, 2].map((i) => masterKey(i).publicKey) },
    clock,
    logger: silentLogger,
    random: () => 0,
    notAdmitting: () => undefined,
    followMs: FOLLOW_MS,
    onRepaired: (what) => repaired.push(what),
  });
  const block = world.blocks.at(-1)!;
  return {
    clock,
    repaired,
    seen: () => projector.taskChanged({ type: 'added', object }),
    decided: () => tell({ block, certificate: leaf('meta/')!.certificate, touched: [`task/${task.uid}`], state: world.state }),
    /** Once a status has been written. */
    written: async () => {
      await written.promise;
      written = Promise.withResolvers<void>();
      await projector.stop();
    },
  };
};

test('N6: a status that the primary left wrong is repaired, and told', async () => {
  const { clock, repaired, decided, written } = begin(false);
  decided();
  clock.advance(FOLLOW_MS);
  await written();
  expect(repaired).toEqual([expect.stringMatching(/^task\//)]);
});

test('N6: one that was decided a moment ago is no neglect, though it is looked at now', async () => {
  const { clock, repaired, seen, decided, written } = begin(false);
  seen();
  clock.advance(FOLLOW_MS - 1);
  decided();
  clock.advance(1);
  await written();
  expect(repaired).toEqual([]);
});

test('N6: the primary itself neglects nothing by writing late', async () => {
  const { clock, repaired, seen, written } = begin(true);
  seen();
  clock.advance(60_000);
  await written();
  expect(repaired).toEqual([]);
});
