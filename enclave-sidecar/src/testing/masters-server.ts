/** Three masters' public gRPC services over one `World` of the real rules: what they refuse, the rules refuse. For tests. */
import { create } from '@bufbuild/protobuf';
import { Server, status, type handleServerStreamingCall, type handleUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';
import { blobDigest, decideMessage, decodeCommand, hex, sign, type CertifiedLeaf, type Command, type Head } from '@scs/protocol';
import { masterKey } from '@scs/protocol/testing/keys.ts';
import type { World } from '@scs/protocol/testing/world.ts';
import {
  CertifiedLeafSchema,
  GetBlobReplySchema,
  leafToWire,
  Masters,
  PutBlobReplySchema,
  serviceDefinition,
  SubmitReplySchema,
  type CertifiedLeaf as WireLeaf,
  type GetBlobReply,
  type GetBlobRequest,
  type GetLeafRequest,
  type PutBlobReply,
  type PutBlobRequest,
  type SubmitReply,
  type SubmitRequest,
  type WatchTasksRequest,
} from '@scs/proto';
import { authoritiesOf, serverCredentials, type TlsFiles } from '@scs/proto/tls.ts';
import { Changes } from '../changes.ts';

type Watcher = ServerWritableStream<WatchTasksRequest, WireLeaf>;

export class MastersServer {
  readonly world: World;
  readonly blobs = new Map<string, Uint8Array>();
  /** Names of all blobs in the order in which they came. */
  readonly put: string[] = [];
  /** Commands that were decided. */
  readonly decided: Command[] = [];
  /** What a lying master hands out instead; undefined: the stored blob. */
  tamper: (name: string, blob: Uint8Array) => Promise<Uint8Array> = (_name, blob) => Promise.resolve(blob);
  /** Says that it is decided, and drops it: a lying master. */
  swallows: (command: Command) => boolean = () => false;
  readonly changes = new Changes();
  readonly #watchers = new Set<Watcher>();
  readonly #servers: Server[] = [];

  constructor(world: World) {
    this.world = world;
  }

  leaf(key: string): CertifiedLeaf | undefined {
    const { state, genesisDigest, height } = this.world;
    const value = state.map.get(key);
    const path = state.map.prove(key);
    if (!value || !path) return undefined;
    const head: Head = { genesis: genesisDigest, generation: 0n, height, stateRoot: hex(state.root()), block: state.must('meta').block };
    const votes = [0, 2].map((master) => ({ master, signature: sign(masterKey(master).seed, decideMessage(head)) }));
    return { key, value: hex(value), siblings: path.siblings.map(hex), certificate: { head, votes } };
  }

  /** Decides a command, if the rules take it, and tells everybody. */
  decide(command: Command): { code: string; message: string } | undefined {
    const applied = this.world.try(command);
    if (!applied.ok) return applied.fault;
    this.world.block(command);
    this.world.followUp();
    this.decided.push(command);
    this.tellAll();
    return undefined;
  }

  /** After the world was moved by hand. */
  tellAll(): void {
    for (const watcher of this.#watchers) this.#tell(watcher);
    this.changes.announce();
  }

  #tell(watcher: Watcher): void {
    const leaf = this.leaf(`task/${watcher.request.uid}`);
    if (leaf) watcher.write(create(CertifiedLeafSchema, leafToWire(leaf)));
  }

  readonly #submit: handleUnaryCall<SubmitRequest, SubmitReply> = (call, reply) => {
    const command = decodeCommand(call.request.command);
    const fault = this.swallows(command) ? undefined : this.decide(command);
    reply(null, create(SubmitReplySchema, fault ? { code: fault.code, message: fault.message } : { height: this.world.height }));
  };
  readonly #getLeaf: handleUnaryCall<GetLeafRequest, WireLeaf> = (call, reply) => {
    const leaf = this.leaf(call.request.key);
    if (leaf) reply(null, create(CertifiedLeafSchema, leafToWire(leaf)));
    else reply({ code: status.NOT_FOUND, details: 'no such leaf' });
  };
  readonly #watchTasks: handleServerStreamingCall<WatchTasksRequest, WireLeaf> = (call) => {
    this.#watchers.add(call);
    call.on('cancelled', () => this.#watchers.delete(call));
    this.#tell(call);
  };
  readonly #putBlob: handleUnaryCall<PutBlobRequest, PutBlobReply> = (call, reply) => {
    const { name, blob } = call.request;
    this.blobs.set(name, Uint8Array.from(blob));
    this.put.push(name);
    this.changes.announce();
    reply(null, create(PutBlobReplySchema, { digest: blobDigest(blob) }));
  };
  readonly #getBlob: handleUnaryCall<GetBlobRequest, GetBlobReply> = (call, reply) => {
    const blob = this.blobs.get(call.request.name);
    if (!blob) return reply({ code: status.NOT_FOUND, details: 'no such blob' });
    const answer = async (): Promise<void> => reply(null, create(GetBlobReplySchema, { blob: await this.tamper(call.request.name, blob) }));
    void answer();
  };

  /** One server a master; gives their addresses. */
  async listen(tls: readonly TlsFiles[]): Promise<readonly string[]> {
    return Promise.all(
      tls.map(async (files) => {
        const server = new Server();
        server.addService(serviceDefinition(Masters), {
          submit: this.#submit,
          getLeaf: this.#getLeaf,
          watchTasks: this.#watchTasks,
          putBlob: this.#putBlob,
          getBlob: this.#getBlob,
        });
        this.#servers.push(server);
        return `127.0.0.1:${await bind(server, '127.0.0.1:0', files, this.world)}`;
      }),
    );
  }

  close(): void {
    for (const server of this.#servers) server.forceShutdown();
  }
}

/** Listens with mutual TLS; gives the port. */
export const bind = (server: Server, address: string, tls: TlsFiles, { genesis }: World): Promise<number> =>
  new Promise((resolve, reject) =>
    server.bindAsync(address, serverCredentials(tls, authoritiesOf(genesis)), (error, port) => (error ? reject(error) : resolve(port))),
  );
