/** A master's process: reads its files, starts it, reports its health, stops in order. `main.js log [HEIGHT]` prints the log of the one that runs. */
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { pino } from 'pino';
import { committeeOf, decodeGenesisFile, genesisDigest, publicKeyOf, type Genesis } from '@scs/protocol';
import { counterAuthorities } from '@scs/proto/tls.ts';
import { realClock } from '../kube/clock.ts';
import { createCluster } from '../kube/client.ts';
import { createRegistry, startHealth } from '../kube/health.ts';
import { readConfig, type MasterConfig } from './config.ts';
import { agreementStore } from './consensus/runtime/agreement-store.ts';
import { connectCounter } from './consensus/runtime/grpc-counter.ts';
import { Archive } from './log/archive/archive.ts';
import { folderStore } from './log/archive/archive-store.ts';
import { printLog, serveLog } from './log/log-socket.ts';
import { openMasterFile } from './log/sqlite-disk.ts';
import { startMaster } from './master.ts';
import { MASTER_MANAGER } from './projection/result-files.ts';
import { aptosChain } from './settlement/aptos-chain.ts';

const secret = async (folder: string, file: string): Promise<string> => {
  const seed = (await readFile(join(folder, file), 'utf8')).trim();
  if (!/^[0-9a-f]{64}$/.test(seed))
    throw new Error(`${file} in ${folder} is not a key of 32 bytes in hex. Make it with kubectl symphony keygen.`);
  return seed;
};

/** The durable key must be the one that genesis names for this index: another would sign for nobody. */
const durableSeed = async ({ SCS_KEYS, SCS_MASTER_INDEX }: MasterConfig, genesis: Genesis): Promise<string> => {
  const seed = await secret(SCS_KEYS, 'durable.key');
  const key = publicKeyOf(seed);
  const { generation, former = [] } = committeeOf(genesis);
  const until = former.find(({ keys }) => keys[SCS_MASTER_INDEX] === key);
  if (key !== genesis.masters[SCS_MASTER_INDEX]?.publicKey && until)
    throw new Error(
      `durable.key was the key of master ${SCS_MASTER_INDEX} up to block ${until.last}; in generation ${generation} another has its seat. Mount that one's Secret, or let this process be. See docs/troubleshooting.md#replacing-a-master.`,
    );
  if (key !== genesis.masters[SCS_MASTER_INDEX]?.publicKey)
    throw new Error(
      `durable.key is not the key that genesis names for master ${SCS_MASTER_INDEX}. Check SCS_MASTER_INDEX and the mounted Secret.`,
    );
  return seed;
};

const hostOf = (address: string): { host: string; port: number } => {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
};

const run = async (config: MasterConfig): Promise<void> => {
  const logger = pino({ name: 'master', level: config.SCS_LOG_LEVEL, base: { master: config.SCS_MASTER_INDEX } });
  const genesis = decodeGenesisFile(await readFile(config.SCS_GENESIS));
  const digest = genesisDigest(genesis);
  const [seed, gasKey, certificatePem, keyPem] = await Promise.all([
    durableSeed(config, genesis),
    secret(config.SCS_KEYS, 'gas.key'),
    readFile(join(config.SCS_TLS, 'tls.crt'), 'utf8'),
    readFile(join(config.SCS_TLS, 'tls.key'), 'utf8'),
  ]);
  mkdirSync(config.SCS_DATA, { recursive: true });
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromDefault();
  const registry = createRegistry();
  const tls = { certificatePem, keyPem };
  const { disk, file } = openMasterFile({ file: join(config.SCS_DATA, 'log.db'), genesis: digest, master: config.SCS_MASTER_INDEX });
  const agreement = {
    store: agreementStore(file, disk),
    counter: connectCounter(config.SCS_MASTER_INDEX, config.SCS_COUNTER, tls, counterAuthorities(genesis, config.SCS_MASTER_INDEX)),
  };
  const archive = new Archive({
    file,
    disk,
    store: folderStore(join(config.SCS_DATA, 'archive')),
    genesis: digest,
    committee: committeeOf(genesis),
  });
  const door = await serveLog(config.SCS_DATA, archive, logger);
  const master = await startMaster({
    genesis,
    genesisDigest: digest,
    index: config.SCS_MASTER_INDEX,
    seed,
    tls,
    disk,
    agreement,
    archive,
    liveBlocks: config.SCS_LIVE_BLOCKS,
    cluster: createCluster(kubeConfig, { fieldManager: MASTER_MANAGER }),
    chain: aptosChain({
      url: config.SCS_CHAIN_URL,
      chainId: genesis.chain.chainId,
      contract: genesis.chain.contract,
      genesis: digest,
      gasKey,
      ...(config.SCS_CHAIN_API_KEY && { apiKey: config.SCS_CHAIN_API_KEY }),
    }),
    namespaces: config.SCS_NAMESPACES,
    namespace: config.SCS_NAMESPACE,
    peers: config.SCS_PEERS,
    listen: { peers: config.SCS_PEERS_LISTEN, public: config.SCS_LISTEN },
    instance: `${hostname().slice(0, 60)}-${randomUUID().slice(0, 8)}`,
    clock: realClock,
    logger,
    registry,
  });
  const health = await startHealth({ ...hostOf(config.SCS_HEALTH_LISTEN), registry, logger });
  master.reportTo(health);
  logger.info({ genesis: digest, height: Number(master.log.height()), simulated: genesis.enclave.kind === 'simulated' }, 'master started');

  let stopping: Promise<void> | undefined;
  const stop = (signal: string): void => {
    logger.info({ signal }, 'stopping');
    stopping ??= door
      .close()
      .then(() => master.stop())
      .then(() => health.close())
      .then(
        () => process.exit(0),
        (error: unknown) => {
          logger.error({ error: error instanceof Error ? error.message : String(error) }, 'the stop failed');
          process.exit(1);
        },
      );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
};

try {
  const { SCS_DATA: data } = process.env;
  if (process.argv[2] === 'log') await printLog(data ?? '/var/lib/scs', BigInt(process.argv[3] ?? 1), process.stdout);
  else await run(readConfig(process.env));
} catch (error) {
  // before the logger, or instead of a start: one line that says what to change
  process.stderr.write(`master: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
