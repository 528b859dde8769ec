/** What a Vault's store is opened with. */
import type { Catalogue, OwnAttribute } from '@scs/protocol';
import type { JournalCopy } from '../journal/copy.ts';
import type { DatabaseOptions } from './database.ts';
import type { VaultKeys } from './keys.ts';
import type { Room } from './room.ts';

export interface StoreOptions extends Pick<DatabaseOptions, 'key' | 'file' | 'httpfs' | 'memoryLimitBytes' | 'threads'> {
  /** `namespace/name`. */
  readonly vault: string;
  /** On the volume. */
  readonly folder: string;
  /** Memory-backed: plaintext of a snapshot is here while it is cut or sent. */
  readonly scratch: string;
  /** Folder that files to import are read from, besides `incoming` on the volume. */
  readonly importFolder?: string;
  readonly catalogue: Catalogue;
  readonly domains: readonly string[];
  /** S3: local attributes of the manifest whose values are kept. */
  readonly attributes?: readonly Pick<OwnAttribute, 'domain' | 'local' | 'type'>[];
  /** B8: the journal's copy outside the volume, once the Vault's keys are known. Without it the chain is local. */
  readonly journalCopy?: (keys: VaultKeys) => JournalCopy;
  /** B8: the operator declares the copy lost. */
  readonly journalLost?: boolean;
  /** Civil time in milliseconds. */
  readonly now?: () => number;
  /** Room on the volume; tests say how much. */
  readonly room?: () => Promise<Room>;
  /** Told of each step's name and duration. */
  readonly onDuration?: (step: string, ms: number) => void;
  /** The file can't be written any more until it is opened anew. */
  readonly onBroken?: () => void;
  /** Told of each durable step's begin and end; crash tests kill the process there. */
  readonly onStep?: (step: string) => void;
}
