export { simulatedMeasurement, simulatedTee, tsmTee, type Tee } from './attest.ts';
export { combine, isSuppressed } from './combine.ts';
export { generateKeys, type EnclaveKeys } from './keys.ts';
export { runAggregator } from './aggregator.ts';
export { runSlice, type SliceSession } from './slice.ts';
export { serveExecutor } from './local-server.ts';
export { followTask, TaskView } from './task-view.ts';
export { WorkDesk } from './work-desk.ts';
export type { Ending, Session } from './session.ts';
