/** A master's figures. Names and numbers only: nothing here depends on records or on who was in a result. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { MinbftLog } from './consensus/runtime/minbft-log.ts';
import type { Archive } from './log/archive/archive.ts';
import type { Archivist } from './log/archive/archivist.ts';
import type { TaskIndex } from './task-index.ts';

export interface MasterMetrics {
  round(ms: number, commands: number): void;
  chainFault(code: string): void;
}
export interface Measured {
  readonly log: MinbftLog;
  readonly tasks: TaskIndex;
  readonly streams: () => number;
  readonly offences: () => number;
  readonly chainReadAt: () => number;
  /** Base units of gas coin; undefined before the first look. */
  readonly gas: () => bigint | undefined;
  readonly settlementStuck: () => boolean;
  readonly waiting: () => number;
}

const gauge = (registry: Registry, name: string, help: string, value: () => number): Gauge =>
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value());
    },
  });

export const masterMetrics = (registry: Registry, m: Measured): MasterMetrics => {
  const registers = [registry];
  gauge(registry, 'scs_log_height', 'Height of the last decided block.', () => Number(m.log.height()));
  gauge(registry, 'scs_log_primary', '1 where this master proposes.', () => (m.log.isPrimary() ? 1 : 0));
  gauge(registry, 'scs_log_halted', '1 where this master takes no part any more.', () => (m.log.halted() ? 1 : 0));
  gauge(registry, 'scs_log_pending_commands', 'Submitted commands that wait for a block.', () => m.log.pending().length);
  gauge(registry, 'scs_offences', 'Proofs that a master signed twice.', m.offences);
  gauge(registry, 'scs_task_streams', 'Open streams of task changes.', m.streams);
  gauge(registry, 'scs_tasks_waiting', 'Task objects that are not in the log yet.', m.waiting);
  gauge(registry, 'scs_chain_read_timestamp_seconds', 'When this master last read the chain.', () => m.chainReadAt() / 1000);
  gauge(registry, 'scs_gas_balance', "What this master's gas account holds, base units of gas coin; -1 before it was read.", () =>
    Number(m.gas() ?? -1n),
  );
  gauge(registry, 'scs_settlement_stuck', '1 while something cannot land on the chain until somebody acts.', () =>
    m.settlementStuck() ? 1 : 0,
  );
  new Gauge({
    name: 'scs_tasks',
    help: 'Tasks by state.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, uids] of m.tasks.counts()) this.set({ state }, uids.size);
    },
  });
  const decided = new Counter({ name: 'scs_commands_decided_total', help: 'Decided commands by type.', labelNames: ['type'], registers });
  m.log.onDecided(({ block }) => {
    for (const { type } of block.commands) decided.inc({ type });
  });
  const took = new Histogram({
    name: 'scs_round_seconds',
    help: 'From a stored vote to a certificate.',
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5],
    registers,
  });
  const sizes = new Histogram({ name: 'scs_block_commands', help: 'Commands a block.', buckets: [1, 2, 5, 10, 50, 100, 400], registers });
  const faults = new Counter({ name: 'scs_settlement_faults_total', help: 'Failed settlements by code.', labelNames: ['code'], registers });
  return {
    round: (ms, commands) => {
      took.observe(ms / 1000);
      sizes.observe(commands);
    },
    chainFault: (code) => faults.inc({ code }),
  };
};

/** Where the log is: in the live file from one height on, below it in the archive, and what of it is nowhere here. */
export const archiveMetrics = (
  registry: Registry,
  archive: Pick<Archive, 'figures' | 'live'>,
  archivist: Pick<Archivist, 'missing'>,
): void => {
  gauge(registry, 'scs_log_live_from', 'Lowest height of which the block is in the live log.', () => Number(archive.live() ?? 0n));
  gauge(registry, 'scs_archive_height', 'Highest height in the archive.', () => Number(archive.figures().last));
  gauge(registry, 'scs_archive_files', 'Files of the archive.', () => archive.figures().files);
  gauge(registry, 'scs_archive_bytes', 'Bytes of the archive.', () => archive.figures().bytes);
  gauge(registry, 'scs_archive_missing_blocks', 'Decided blocks that are neither in the live log nor in the archive here.', () =>
    archivist.missing(),
  );
};
