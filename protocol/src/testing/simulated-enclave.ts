export * from '../simulated-enclave.ts';
