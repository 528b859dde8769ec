/** N7: what the chart's alerts ask for, and the figures that the issue of agreement names, are figures that masters have. */
import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { agreementMetrics, conditions } from './consensus/runtime/metrics.ts';
import { TestGroup } from './consensus/runtime/testing/group.ts';
import { archiveMetrics, masterMetrics } from './metrics.ts';
import { TaskIndex } from './task-index.ts';

const alerts = readFileSync(new URL('../../../charts/scs/templates/alerts.yaml', import.meta.url), 'utf8');
const expressions = [...alerts.matchAll(/expr: (.*)/g)].map(([, expression = '']) => expression);

/** Names of all that a master tells. */
const toldBy = async (): Promise<string> => {
  const group = new TestGroup([':memory:', ':memory:', ':memory:']);
  const log = group.start(0);
  const registry = new Registry();
  masterMetrics(registry, {
    log,
    tasks: new TaskIndex(log),
    streams: () => 0,
    offences: () => 0,
    chainReadAt: () => 0,
    gas: () => 0n,
    settlementStuck: () => false,
    waiting: () => 0,
  });
  agreementMetrics(registry, { log, links: new Map() });
  archiveMetrics(registry, { figures: () => ({ files: 0, bytes: 0, blocks: 0, last: 0n }), live: () => 1n }, { missing: () => 0 });
  const told = await registry.metrics();
  await group.stopAll();
  return told;
};

test('every figure in an alert is told by masters', async () => {
  const told = await toldBy();
  const asked = new Set(expressions.flatMap((expression) => expression.match(/scs_[a-z_]+/g) ?? []));
  expect(asked.size).toBeGreaterThan(5);
  for (const name of asked) expect(told).toContain(`# TYPE ${name} `);
  for (const name of [
    'scs_agreement_view',
    'scs_log_height',
    'scs_agreement_decided_height',
    'scs_commands_decided_total',
    'scs_block_commands',
    'scs_round_seconds',
    'scs_agreement_view_changes_total',
    'scs_agreement_peer_lag',
    'scs_agreement_counter_info',
    'scs_log_live_from',
    'scs_archive_height',
    'scs_archive_files',
    'scs_archive_bytes',
  ])
    expect(told).toContain(`# TYPE ${name} `);
});

test('every code in an alert is a condition that masters can have', () => {
  const codes = expressions.flatMap((expression) => /code=~?"([^"]*)"/.exec(expression)?.[1]?.split('|') ?? []);
  expect(codes.length).toBeGreaterThan(5);
  for (const code of codes) expect(conditions).toContain(code);
});
