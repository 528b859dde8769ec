/** The Data Sovereignty node: what tests and tools of other folders may use. */
export { readConfig, readEnvironment } from './config.ts';
export { dutyOf, type Duty } from './duty.ts';
export { Follower, type FollowOptions } from './follow.ts';
export { taskRefusal, limitOf, type Judge } from './judge.ts';
export { startServer, type ServerOptions } from './server.ts';
export { serve } from './serve.ts';
export { VaultStore } from './store/vault-store.ts';
export type { StoreOptions } from './store/store-options.ts';
