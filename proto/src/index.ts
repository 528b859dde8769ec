export * from './gen/scs/v1/masters_pb.ts';
export * from './gen/scs/v1/peers_pb.ts';
export * from './gen/scs/v1/vault_pb.ts';
export * from './gen/scs/v1/enclave_pb.ts';
export * from './grpc.ts';
export * from './sealing.ts';
export * from './certified-leaf.ts';
export { createMasters, MastersUnavailable, LeafInvalid } from './masters-client.ts';
export type { Masters as MastersPort, MastersOptions, Submitted, Waiting } from './masters-client.ts';
