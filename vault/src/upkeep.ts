/** What a serving Vault does for its own keeping, each minute a look: keys wrapped anew when their source changed, backups when due. */
import type { VaultSpec } from '@scs/protocol';
import { backups, makeBackup, prune, timeOfBackup } from './backup/backup.ts';
import type { BackupPlace } from './backup/place.ts';
import type { KeyKeeper } from './keys/key-file.ts';
import { rotateDataKey } from './keys/rotate.ts';
import { errorCode, type Logger } from './logger.ts';
import type { VaultStore } from './store/vault-store.ts';

export interface UpkeepOptions {
  readonly store: VaultStore;
  readonly keeper: KeyKeeper;
  readonly place: BackupPlace | undefined;
  readonly manifest: Pick<VaultSpec, 'backup'>;
  readonly log: Logger;
  /** Civil time in milliseconds. */
  readonly now: () => number;
  /** Told of each outcome, for metrics: `backup`, `backup failed`, `keys renewed`, `keys failed`. */
  readonly onDone?: (what: string) => void;
}
const HOUR_MS = 3_600_000;

export class Upkeep {
  readonly #options: UpkeepOptions;
  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  /** One look. Failures are logged by code and tried again with the next look. */
  async look(): Promise<void> {
    const { keeper, log, onDone } = this.#options;
    await this.#guarded('keys', async () => {
      if (!(await keeper.renew())) return;
      log.info({}, 'the data key is wrapped by the present key');
      onDone?.('keys renewed');
    });
    await this.#guarded('backup', async () => {
      if (await this.#isDue()) await this.backup();
    });
  }

  /** Returns its id. Throws BackupError, KeyError and StoreError. */
  async backup(): Promise<string> {
    const { store, keeper, place, manifest, now, log, onDone } = this.#options;
    if (!place || !manifest.backup) throw new RangeError('spec.backup is not set');
    const id = await makeBackup(store, keeper, place, now());
    await prune(place, manifest.backup.keep);
    log.info({ backup: id }, 'backed up');
    onDone?.('backup');
    return id;
  }
  /** Oldest first; none without a place. Throws BackupError. */
  backups(): Promise<readonly string[]> {
    const { place } = this.#options;
    return place ? backups(place) : Promise.resolve([]);
  }
  /** A new data key, and the file encrypted anew. Throws KeyError and StoreError. */
  async rotate(): Promise<void> {
    const { store, keeper, log, onDone } = this.#options;
    await rotateDataKey(store, keeper);
    log.info({}, 'the file is encrypted under a new data key');
    onDone?.('data key rotated');
  }

  async #isDue(): Promise<boolean> {
    const { place, manifest, now } = this.#options;
    if (!place || !manifest.backup) return false;
    const last = (await backups(place)).at(-1);
    return last === undefined || now() - timeOfBackup(last) >= manifest.backup.everyHours * HOUR_MS;
  }
  async #guarded(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.log.warn({ what, code: errorCode(error) }, 'upkeep not done; trying again');
      this.#options.onDone?.(`${what} failed`);
    }
  }
}
