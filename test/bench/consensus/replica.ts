/**
 * One master's agreement as a process of its own, for the benchmark and for tests that kill it: the real log, store, gRPC and mutual TLS;
 * rules that take any command once, a world that bears out everything. `node replica.ts settings.json`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { create } from '@bufbuild/protobuf';
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { Masters, Peers, SubmitReplySchema, type SubmitReply, type SubmitRequest } from '@scs/proto';
import { authoritiesOf, counterAuthorities, masterIdentity, serverCredentials } from '@scs/proto/tls.ts';
import { decodeCommand, decodeGenesis, genesisDigest } from '@scs/protocol';
import { masterKey } from '@scs/protocol/testing/keys.ts';
import { realClock } from '@scs/operator/kube/clock.ts';
import { connectPeer, peersService } from '@scs/operator/master/api/peers.ts';
import type { Blobs } from '@scs/operator/master/api/blobs.ts';
import { serve } from '@scs/operator/master/api/serve.ts';
import { agreementStore } from '@scs/operator/master/consensus/runtime/agreement-store.ts';
import { connectCounter } from '@scs/operator/master/consensus/runtime/grpc-counter.ts';
import { PeerStreams } from '@scs/operator/master/consensus/runtime/grpc-link.ts';
import { MinbftLog } from '@scs/operator/master/consensus/runtime/minbft-log.ts';
import { PeerLink } from '@scs/operator/master/consensus/runtime/peer-link.ts';
import { testRules } from '@scs/operator/master/consensus/runtime/testing/test-rules.ts';
import { openMasterFile } from '@scs/operator/master/log/sqlite-disk.ts';

export interface ReplicaSettings {
  readonly index: number;
  readonly folder: string;
  readonly genesis: string;
  readonly tls: { readonly certificatePem: string; readonly keyPem: string };
  readonly peers: readonly string[];
  readonly submit: string;
  readonly counter: string;
  readonly batchCommands: number;
}

const run = async (s: ReplicaSettings): Promise<void> => {
  const genesis = decodeGenesis(readFileSync(s.genesis));
  const digest = genesisDigest(genesis);
  const logger = pino({ level: process.env['SCS_BENCH_LOG'] ?? 'warn', base: { master: s.index } });
  const authorities = authoritiesOf(genesis);
  const others = [0, 1, 2].filter((i) => i !== s.index).map((i) => connectPeer(i, s.peers[i]!, s.tls, authorities));
  const { disk, file } = openMasterFile({ file: join(s.folder, `${s.index}.db`), genesis: digest, master: s.index });
  const log = new MinbftLog({
    genesis,
    genesisDigest: digest,
    index: s.index,
    seed: masterKey(s.index).seed,
    rules: testRules(genesis, digest),
    disk,
    store: agreementStore(file, disk),
    counter: connectCounter(s.index, s.counter, s.tls, counterAuthorities(genesis, s.index)),
    links: new Map(others.map((p) => [p.index, new PeerLink({ open: () => p.channel(), clock: realClock, random: Math.random })])),
    witness: { check: async () => ({ kind: 'fits' }) },
    candidates: { take: () => [], refused: () => {} },
    clock: realClock,
    random: Math.random,
    logger,
    limits: { batchCommands: s.batchCommands },
  });
  const context = {
    authorities,
    admits: (identity: string) => [0, 1, 2].some((i) => identity === masterIdentity(i)),
    withinRate: () => true,
    logger,
  };
  const credentials = serverCredentials(s.tls, authorities);
  const noBlobs = { take: () => '', local: () => undefined } as Pick<Blobs, 'take' | 'local'> as Blobs;
  await serve(s.peers[s.index]!, credentials, [
    {
      service: Peers,
      methods: peersService({ agreement: new PeerStreams(log), blobs: noBlobs, archive: { async *blocks() {} } }, context),
    },
  ]);
  const submit = (call: ServerUnaryCall<SubmitRequest, SubmitReply>, reply: sendUnaryData<SubmitReply>): void => {
    void log.propose(decodeCommand(call.request.command)).then((d) => {
      reply(null, create(SubmitReplySchema, d.ok ? { height: d.height } : { code: d.code, message: d.message }));
    });
  };
  const status = (_call: unknown, reply: sendUnaryData<unknown>): void => {
    reply(null, {
      $typeName: 'scs.v1.StatusReply',
      master: log.primary() ?? 99,
      height: log.height(),
      stateRoot: digest,
      leader: log.isPrimary(),
      genesis: digest,
    });
  };
  await serve(s.submit, credentials, [{ service: Masters, methods: { submit, status } }]);
  log.start();
};

await run(JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as ReplicaSettings);
