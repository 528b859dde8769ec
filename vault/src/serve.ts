/** The serving process of a Vault: store, local door, gRPC service, follower, health; started in that order, stopped in reverse. */
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import type { S3Place } from '@scs/protocol';
import { createMasters } from '@scs/proto';
import { authoritiesOf } from '@scs/proto/tls.ts';
import { Catalogues } from './catalogues.ts';
import { activationDoor } from './activation/door.ts';
import { socketPath, startAdmin } from './admin/socket.ts';
import { ConfigError, type VaultConfig } from './config.ts';
import { Follower } from './follow.ts';
import { startHealth } from './health.ts';
import { ImportError } from './import/import-error.ts';
import { importSources } from './import/sources.ts';
import { restore } from './backup/backup.ts';
import { KeyKeeper } from './keys/key-file.ts';
import { errorCode, type Logger } from './logger.ts';
import { Pace } from './pace.ts';
import { backupPlaceOf, bucketOf, journalCopyOf, keyRingOf } from './places.ts';
import { Dividends } from './dividends/dividends.ts';
import { startRights } from './rights/server.ts';
import { startServer, type Health } from './server.ts';
import { noteSlow } from './slow.ts';
import { Upkeep } from './upkeep.ts';
import { StoreError } from './store/database.ts';
import { VaultStore } from './store/vault-store.ts';
import type { StoreOptions } from './store/store-options.ts';

const splitListen = (listen: string): { host: string; port: number } => {
  const at = listen.lastIndexOf(':');
  return { host: listen.slice(0, at).replace(/^\[|\]$/g, '') || '0.0.0.0', port: Number(listen.slice(at + 1)) };
};
const IMPORT_RETRY_MS = 30_000;
const UPKEEP_MS = 60_000;
const CATALOGUE_MS = 60_000;
const LOOK_MS = 10_000;
/** Calls to masters that are away may take longer than a pod has to stop: all of them can be repeated. */
const STOP_GRACE_MS = 3_000;

/** Serves until `signal` aborts. Throws ConfigError and StoreError when it can't start. */
export const serve = async (config: VaultConfig, signal: AbortSignal): Promise<void> => {
  const { environment: env, genesis, genesisDigest, manifest, tls } = config;
  const log = pino({ level: env.SCS_LOG_LEVEL, base: { vault: env.SCS_VAULT } });
  const authorities = authoritiesOf(genesis);
  if (!genesis.actors.some(({ address, enterprise }) => address === manifest.enterprise && enterprise))
    throw new ConfigError('SCS_VAULT_SPEC: the enterprise is not registered in the genesis');
  let health: Health = { ready: false, reason: 'Opening', message: "the Vault's file is being opened" };
  let follower: Follower | undefined;
  const probes = await startHealth({
    ...splitListen(env.SCS_HEALTH_LISTEN),
    health: () => health,
    progressAt: () => follower?.progressAt ?? Date.now(),
  });
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => probes.close());
  const broken = new AbortController();
  const ending = AbortSignal.any([signal, broken.signal]);
  ending.addEventListener('abort', () => (health = { ready: false, reason: 'Stopping', message: 'the Vault is being stopped' }), {
    once: true,
  });
  const { store, keeper } = await opened(config, log, {
    onBroken: () => broken.abort(),
    onDuration: (step, ms) => {
      probes.timeStep(step, ms);
      noteSlow(log, step, ms);
    },
  });
  cleanup.defer(() => store.close());
  const place = backupPlaceOf(config);
  const upkeep = new Upkeep({ store, keeper, place, manifest, log, now: () => Date.now(), onDone: probes.countTask });
  const activation = activationDoor({ store, manifest, keyFolder: env.SCS_ACTIVATION, log, now: () => Date.now() });
  const admin = await startAdmin({ store, upkeep, activation }, socketPath(env.SCS_DATA), log);
  cleanup.defer(() => admin.close());
  const masters = createMasters({
    addresses: env.SCS_MASTERS,
    tls,
    genesis,
    genesisDigest,
    onFault: (master, code) => log.warn({ master, code }, 'a master did not serve'),
  });
  cleanup.defer(() => masters.close());
  const catalogues = new Catalogues(genesis, masters, (catalogue) => store.learn(catalogue));
  const pace = new Pace({ now: () => performance.now(), sleep: (ms) => sleep(ms) });
  const context = { store, masters, genesis, genesisDigest, manifest, catalogues, pace };
  const server = await startServer({
    ...context,
    listen: env.SCS_LISTEN,
    tls,
    authorities,
    log,
    health: () => health,
    onCall: probes.countCall,
  });
  cleanup.defer(() => server.close());
  const dividends = new Dividends({ ...context, log });
  if (manifest.rights) {
    const rights = await startRights({
      store,
      dividends,
      genesis,
      manifest,
      log,
      now: () => Date.now(),
      onRefusal: probes.countRightsRefusal,
      ...splitListen(env.SCS_RIGHTS_LISTEN),
      certificate: env.SCS_RIGHTS_TLS,
      page: env.SCS_RIGHTS_PAGE,
    });
    cleanup.defer(() => rights.close());
  }
  const learning = followCatalogues(catalogues, log, ending);
  const sourcePlaces = { folder: env.SCS_IMPORT, bucket: (at: S3Place) => bucketOf(config, at) };
  health = { ready: false, reason: 'Importing', message: 'the sources of the manifest are being loaded' };
  while (!ending.aborted) {
    try {
      await importSources(store, manifest.sources, sourcePlaces, (line) => {
        // Of whom something was left out, and how often, is for the operator at the local door.
        if (!line.includes(': left out: ')) log.info({ import: line.replaceAll(/\d+ rows/g, 'rows') }, 'import');
      });
      break;
    } catch (error) {
      const message = error instanceof ImportError ? error.message : 'the sources could not be loaded; trying again';
      health = { ready: false, reason: errorCode(error), message };
      log.error({ code: errorCode(error) }, 'a source could not be loaded');
      await aborted(ending, IMPORT_RETRY_MS);
    }
  }
  if (ending.aborted) return;
  health = SERVING;
  log.info({ port: server.port }, 'serving');
  follower = new Follower({ ...context, log, onDone: probes.countTask });
  const looking = watchState(store, ending, (state) => {
    if (!ending.aborted) health = state;
  });
  await Promise.race([
    Promise.all([follower.run(ending), keepUp(upkeep, ending), dividends.run(ending), looking, learning]),
    aborted(ending).then(() => aborted(undefined, STOP_GRACE_MS)),
  ]);
  if (broken.signal.aborted) throw new StoreError('StoreBroken', "the Vault's file must be opened anew", undefined);
};

const SERVING: Health = { ready: true, reason: 'Serving', message: 'the Vault serves' };
const FULL: Health = {
  ready: false,
  reason: 'StorageFull',
  message: "the Vault's volume is full: it ends what it began and takes no new work; enlarge its claim",
};
const JOURNAL: Health = {
  ready: false,
  reason: 'JournalUnavailable',
  message:
    "the journal's copy can't be reached: nothing takes effect without it; look at its volume, or at bucket, credentials and egress (spec.journal)",
};
const STORE: Health = { ready: false, reason: 'StoreFailed', message: "the Vault's file takes no writes; look at its volume and its log" };

/** A step that does nothing shows that one could be done: the file can be written, the journal's copy is there and caught up with. */
const stateOf = async (store: VaultStore): Promise<Health> => {
  // A volume that can't even be asked takes no new work either.
  if (!(await store.hasRoom().catch(() => false))) return FULL;
  try {
    await store.write('look', () => Promise.resolve());
    return SERVING;
  } catch (error) {
    return errorCode(error).startsWith('Journal') ? JOURNAL : STORE;
  }
};
const watchState = async (store: VaultStore, signal: AbortSignal, tell: (state: Health) => void): Promise<void> => {
  while (!signal.aborted) {
    tell(await stateOf(store));
    await aborted(signal, LOOK_MS);
  }
};

/** The Vault's file, from a backup if it is to be and there is none yet; caught up with its journal (B8). Throws coded errors. */
const opened = async (
  config: VaultConfig,
  log: Logger,
  watching: Pick<StoreOptions, 'onBroken' | 'onDuration'>,
): Promise<{ readonly store: VaultStore; readonly keeper: KeyKeeper }> => {
  const { environment: env, genesis, manifest } = config;
  const keeper = new KeyKeeper(env.SCS_DATA, keyRingOf(config));
  const from = manifest.backup?.restore;
  if (from !== undefined && (await restore({ folder: env.SCS_DATA, vault: env.SCS_VAULT }, keeper, backupPlaceOf(config)!, from)))
    log.info({ backup: from }, 'restored; it catches up with its journal now');
  const { dataKey, file } = await keeper.open();
  const journalCopy = journalCopyOf(config);
  const store = await VaultStore.open({
    vault: env.SCS_VAULT,
    folder: env.SCS_DATA,
    scratch: env.SCS_SCRATCH,
    ...(env.SCS_IMPORT !== undefined && { importFolder: env.SCS_IMPORT }),
    key: dataKey,
    file,
    httpfs: env.SCS_HTTPFS,
    catalogue: genesis.catalogue,
    domains: manifest.domains.map(({ name }) => name),
    attributes: manifest.attributes,
    ...(journalCopy && { journalCopy, journalLost: manifest.journal?.lost ?? false }),
    memoryLimitBytes: config.memoryLimitBytes,
    threads: config.threads,
    ...watching,
  });
  return { store, keeper };
};

/** Masters that are away are asked again; until then the catalogue is the one that is known. */
const followCatalogues = async (catalogues: Catalogues, log: Logger, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    try {
      await catalogues.learnInForce();
    } catch (error) {
      log.warn({ code: errorCode(error) }, 'the catalogue in force is not known');
    }
    await aborted(signal, CATALOGUE_MS);
  }
};

const keepUp = async (upkeep: Upkeep, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    await upkeep.look();
    await aborted(signal, UPKEEP_MS);
  }
};

/** Resolves when the signal aborts, or after `ms`. */
const aborted = (signal: AbortSignal | undefined, ms?: number): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
    const end = (): void => {
      clearTimeout(timer);
      resolve();
    };
    signal?.addEventListener('abort', end, { once: true });
  });
