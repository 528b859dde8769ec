/** The state as one command writes it. Discarded when the command has a fault; so rules write first and needn't undo. */
import { State, type RecordKind, type Records } from '../state.ts';

/** Kinds that only the rules read: nobody projects them. */
const internal: readonly RecordKind[] = ['index', 'queue', 'nonce', 'work'];

export class Draft {
  #state: State;
  readonly #touched = new Set<string>();
  constructor(state: State) {
    this.#state = state;
  }

  get<K extends RecordKind>(kind: K, name = ''): Records[K] | undefined {
    return this.#state.get(kind, name);
  }
  /** Throws if absent: for records that the rules know to exist. */
  must<K extends RecordKind>(kind: K, name = ''): Records[K] {
    return this.#state.must(kind, name);
  }
  put<K extends RecordKind>(kind: K, name: string, record: Records[K]): void {
    this.#state = this.#state.put(kind, name, record);
    if (!internal.includes(kind)) this.#touched.add(`${kind}/${name}`);
  }
  putRaw(key: string, bytes: Uint8Array): void {
    this.#state = this.#state.putRaw(key, bytes);
    this.#touched.add(key);
  }
  drop(kind: RecordKind, name: string): void {
    this.#state = this.#state.drop(kind, name);
  }

  get state(): State {
    return this.#state;
  }
  /** Keys of the records written, in the order of the first write. */
  get touched(): readonly string[] {
    return [...this.#touched];
  }
}
/** What both a State and a Draft can do. */
export type Readable = Pick<State, 'get' | 'must'>;
