export * from './gen/scs/v1/masters_pb.ts';
export * from './gen/scs/v1/peers_pb.ts';
export * from './gen/scs/v1/vault_pb.ts';
export * from './gen/scs/v1/enclave_pb.ts';
export * from './grpc.ts';
export * from './sealing.ts';
