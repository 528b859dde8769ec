/** Figures of the agreement: view, formation, rounds, view changes, peers, the counter's identity. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { MinbftLog } from './minbft-log.ts';
import type { PeerLink } from './peer-link.ts';

export interface AgreementMeasured {
  readonly log: MinbftLog;
  readonly links: ReadonlyMap<number, PeerLink>;
}
/** Codes of `AgreementCondition`, so that each has a series from the start and an alert can tell "fine" from "unknown". */
export const conditions = [
  'NotAdmitted',
  'CounterAhead',
  'CounterAway',
  'PeersAway',
  'MasterMissing',
  'DiskBlank',
  'FormationPending',
  'StatementInvalid',
  'CounterTwice',
  'Fork',
  'DecidedInvalid',
  'DiskFull',
  'DiskFailed',
  'DiskCorrupt',
  'JournalFull',
  'VoteExists',
  'ProtocolVersionUnknown',
  'GenerationOver',
  'MasterReplaced',
] as const;

export const agreementMetrics = (registry: Registry, { log, links }: AgreementMeasured): void => {
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number): Gauge =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  gauge('scs_agreement_view', 'View of the agreement; its number modulo three is the primary.', () => log.agreement().view);
  gauge('scs_agreement_formation', 'Number of the formation of counters (N9); 0 before the first.', () => log.agreement().formation);
  gauge('scs_agreement_decided_height', 'Height of the last decided block, which may not be certified yet.', () => log.agreement().decided);
  new Gauge({
    name: 'scs_agreement_condition',
    help: '1 for why this master does not take part as it should.',
    labelNames: ['code'],
    registers,
    collect() {
      const now = log.condition()?.code;
      for (const code of conditions) this.set({ code }, code === now ? 1 : 0);
    },
  });
  new Gauge({
    name: 'scs_agreement_counter_info',
    help: 'The identity of the counter: the first 16 digits of its key.',
    labelNames: ['key'],
    registers,
    collect() {
      this.reset();
      this.set({ key: log.agreement().counter.slice(0, 16) }, 1);
    },
  });
  new Gauge({
    name: 'scs_agreement_peer_lag',
    help: 'Blocks that a peer is behind this master, by its last word.',
    labelNames: ['peer'],
    registers,
    collect() {
      for (const peer of links.keys()) this.set({ peer: String(peer) }, log.lagOf(peer));
    },
  });
  new Gauge({
    name: 'scs_agreement_peer_waiting',
    help: 'Messages that wait to be sent to a peer.',
    labelNames: ['peer'],
    registers,
    collect() {
      for (const [peer, link] of links) this.set({ peer: String(peer) }, link.waiting());
    },
  });
  const changes = new Counter({
    name: 'scs_agreement_view_changes_total',
    help: 'Views entered, by cause: stalled (nothing decided in time), outlived (its quorum ended, N8), neglected (effects undone), asked (both others did).',
    labelNames: ['cause'],
    registers,
  });
  log.onView((cause) => changes.inc({ cause }));
};
