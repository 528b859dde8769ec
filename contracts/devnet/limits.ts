/** Bounds of the devnet: Aptos' own where Aptos has one. */

/** One devnet gas unit is so many of the VM's; a transfer then costs about what it costs on Aptos. */
export const vmGasPerUnit = 100n;
export const maxGasAmount = 2_000_000n;
export const minGasAmount = 2n;
export const minGasUnitPrice = 100n;
export const maxGasUnitPrice = 10_000_000_000n;
/** For a view, in the VM's gas: well under a second. */
export const viewGas = 200_000_000n;

export const maxWriteOps = 8192;
export const maxWriteOpBytes = 1024 * 1024;
export const maxWriteBytes = 10 * 1024 * 1024;
export const maxEventBytes = 1024 * 1024;
export const maxEventsBytes = 10 * 1024 * 1024;

export const mempoolTransactions = 10_000;
export const mempoolTransactionsPerSender = 1_000;
export const blockTransactions = 500;
/** A block is closed after so long, so that requests get their turn. */
export const blockBudgetMs = 100;
/** A transaction may not expire later than this from now (Aptos has the like for its mempool). */
export const maxTimeToLiveSecs = 24 * 3600;
export const maxWaiters = 2_000;
export const waitByHashMs = 1_000;
