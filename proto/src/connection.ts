/**
 * A gRPC channel that is given up and made anew when it gets no connection for a while. An attempt whose packets are dropped (a pod that
 * was replaced behind its Service, a network that was cut) otherwise waits for the kernel, which repeats at ever longer intervals, for
 * minutes after the way is free again; grpc-js has no limit of its own.
 */
import { Client, connectivityState, type ChannelCredentials, type ChannelOptions } from '@grpc/grpc-js';

/** Longer than a handshake takes on a busy machine, and than the pause between two attempts. */
const PATIENCE_MS = 8_000;

export class Connection {
  readonly #make: () => Client;
  readonly #patienceMs: number;
  #client: Client;
  #closed = false;

  /** Connects at the first call. Calls that wait for a connection when it is given up fail with UNAVAILABLE. */
  constructor(address: string, credentials: ChannelCredentials, options: ChannelOptions, patienceMs = PATIENCE_MS) {
    // with the pool that all share, the new channel would wait for the old one's attempt
    this.#make = () => new Client(address, credentials, { ...options, 'grpc.use_local_subchannel_pool': 1 });
    this.#patienceMs = patienceMs;
    this.#client = this.#begin();
  }
  /** For the next call; another one later. */
  client(): Client {
    return this.#client;
  }
  close(): void {
    this.#closed = true;
    this.#client.close();
  }

  #begin(): Client {
    const client = this.#make();
    this.#watch(client);
    return client;
  }
  /** `since` when there is no connection though one is wanted. */
  #watch(client: Client, since?: number): void {
    const channel = client.getChannel();
    const state = channel.getConnectivityState(false);
    const { IDLE, READY } = connectivityState;
    const rests = state === IDLE || state === READY;
    const from = since ?? Date.now();
    channel.watchConnectivityState(state, rests ? Infinity : from + this.#patienceMs, (late) => {
      if (this.#closed) return;
      if (!late) return this.#watch(client, rests ? undefined : from);
      this.#client = this.#begin();
      client.close();
    });
  }
}
