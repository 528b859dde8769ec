import type { Logger } from '../../../kube/logger.ts';

export const silentLogger: Logger = { info: () => {}, warn: () => {}, error: () => {} };
