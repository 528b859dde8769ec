/** What every system in this comparison says of one load. */
export interface Load {
  /** Commands under way at any time; in batching systems the batch. */
  readonly inFlight: number;
  readonly commands: number;
}
export interface Outcome extends Load {
  /** Of the whole load. */
  readonly ms: number;
  /** From handing a command over until it is known to be decided. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}
/** A group of replicas that runs; `stop` removes all of it. */
export interface Peer {
  readonly name: string;
  readonly run: (load: Load) => Promise<Outcome>;
  readonly stop: () => Promise<void>;
}
/** Bytes of a command. */
export const COMMAND_BYTES = 256;
