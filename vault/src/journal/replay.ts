/**
 * Doing again what the journal says (rule B8), in a database that is behind it: ledger, consents, erasures, stored outputs. Records
 * are no part of the journal: they are imported again. A reservation that is replayed has no snapshot until it is asked for.
 */
import { z } from 'zod';
import { decodeCanonical, fromHex, usages } from '@scs/protocol';
import { consentVersion, raiseVersion } from '../store/subjects.ts';
import { keepPromise, unpackLeaves } from '../dividends/tables.ts';
import { eraseAccount } from '../store/consents.ts';
import { lookAgain, noteErasure } from '../store/erasures.ts';
import type { Cell } from '../store/columns.ts';
import type { Sql } from '../store/database.ts';
import { journalRow, nextHead, type JournalEntry, type JournalHead } from '../store/journal.ts';
import { dropCharged, releaseCharge } from '../store/ledger.ts';
import { keepAudience, markActivated } from '../store/audiences.ts';
import { applyReplenishment } from '../store/replenish.ts';
import { useRow } from '../store/quota-uses.ts';
import { outputRow, reservationOfTask, reservationRow, settleReservation, type Reservation } from '../store/reservations.ts';
import { JournalError } from './copy.ts';
import { unpackNumbers } from './numbers.ts';

const usage = z.enum(usages);
const task = z.string();
const amount = z.bigint().min(0n);
const accounts = z.object({ first: amount, hashes: z.string() });
const Entry = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('lost') }),
  z.object({ kind: z.literal('records'), accounts }),
  /** `more`: others of the same file follow. A copy may end between them: then the file is to be imported again. */
  z.object({ kind: z.literal('consents'), accounts, digest: z.string(), said: z.string(), more: z.literal(true).exactOptional() }),
  z.object({ kind: z.literal('consent'), accounts, account: amount, usage, granted: z.boolean(), time: amount }),
  z.object({
    kind: z.literal('subject-key'),
    accounts,
    account: amount,
    publicKey: z.string().regex(/^[0-9a-f]{64}$/),
    added: z.boolean(),
    time: amount,
  }),
  /** Without a time: of before it was kept. */
  z.object({ kind: z.literal('erase'), account: amount, time: amount.optional() }),
  z.object({
    kind: z.literal('reserve'),
    task,
    id: amount,
    domain: z.string(),
    usage,
    submitter: z.string(),
    nonce: z.string(),
    ask: amount,
    firstSnapshot: z.string(),
    firstConsent: z.string(),
    /** Absent before there were quotas. */
    time: amount.optional(),
    subjects: z.string(),
  }),
  z.object({ kind: z.literal('refresh'), task, attempt: amount, dropped: z.string() }),
  z.object({
    kind: z.literal('output'),
    task,
    envelope: z.string(),
    output: z.string(),
    evidence: z.string(),
    audience: z.object({ expires: amount, members: z.string() }).exactOptional(),
  }),
  z.object({ kind: z.literal('activate'), task, time: amount, members: z.string() }),
  z.object({ kind: z.literal('commit'), task, used: amount, height: amount }),
  z.object({ kind: z.literal('release'), task }),
  z.object({ kind: z.literal('replenish'), usage, count: amount }),
  z.object({ kind: z.literal('dividends'), epoch: amount, root: z.string().regex(/^[0-9a-f]{64}$/), bits: amount, leaves: z.string() }),
]);
type Entry = z.infer<typeof Entry>;
type Of<K extends Entry['kind']> = Extract<Entry, { kind: K }>;

const HASH = 64;
const enrolAgain = (sql: Sql, { first, hashes }: z.infer<typeof accounts>): Promise<void> => {
  if (!/^[0-9a-f]*$/.test(hashes) || hashes.length % HASH !== 0) throw new RangeError('malformed hashes');
  const rows = Array.from({ length: hashes.length / HASH }, (_, i) => [first + BigInt(i), hashes.slice(i * HASH, (i + 1) * HASH)]);
  return sql.append('accounts', rows);
};
/** Row of the table `consents`. */
const saidOf = (text: string): readonly Cell[] => {
  const match = /^(\d{1,18}) ([a-z]{1,20}) (true|false) (\d{1,18})$/.exec(text);
  if (!match) throw new RangeError('malformed consent');
  return [BigInt(match[1]!), match[2]!, match[3] === 'true', BigInt(match[4]!)];
};
const reservationOf = (e: Of<'reserve'>): Reservation => ({
  id: e.id,
  task: e.task,
  domain: e.domain,
  usage: e.usage,
  submitter: e.submitter,
  nonce: e.nonce,
  ask: e.ask,
  used: 0n,
  state: 'reserved',
  attempt: 1n,
  snapshot: 0n,
  consentVersion: 0n,
  consentNonce: '',
  receipt: new Uint8Array(),
  firstSnapshot: e.firstSnapshot,
  firstConsent: e.firstConsent,
  ended: false,
});
const known = async (sql: Sql, name: string): Promise<Reservation> => {
  const found = await reservationOfTask(sql, name);
  if (!found) throw new RangeError('an entry names a reservation that was never made');
  return found;
};

/** B8: all that a Vault without its journal can still do: nobody consented, and nothing is left (the mark `journal/lost`). */
export const countAsLost = async (sql: Sql): Promise<void> => {
  await sql.run('INSERT INTO consents SELECT id, usage, false, max(time) FROM consents GROUP BY id, usage');
  // C2: reservations that are open look again.
  for (const name of usages) await raiseVersion(sql, consentVersion(name));
  await sql.run("INSERT OR REPLACE INTO meta VALUES ('journal/lost', $value)", { value: new Uint8Array([1]) });
};

export const isLost = async (sql: Sql): Promise<boolean> => (await sql.rows("SELECT 1 FROM meta WHERE key = 'journal/lost'")).length > 0;

const apply = async (sql: Sql, e: Entry, sequence: bigint, recordTables: readonly string[]): Promise<void> => {
  switch (e.kind) {
    case 'lost':
      return countAsLost(sql);
    case 'records':
      return enrolAgain(sql, e.accounts);
    case 'consents':
      await enrolAgain(sql, e.accounts);
      await sql.append('consents', e.said === '' ? [] : e.said.split(',').map(saidOf));
      if (e.more) return;
      return sql.run("INSERT INTO imports VALUES ('consents', '', $digest, $sequence::BIGINT)", { digest: e.digest, sequence });
    case 'consent':
      await enrolAgain(sql, e.accounts);
      return sql.append('consents', [[e.account, e.usage, e.granted, e.time]]);
    case 'subject-key':
      await enrolAgain(sql, e.accounts);
      return e.added
        ? sql.append('subject_keys', [[e.account, e.publicKey, e.time]])
        : sql.run('DELETE FROM subject_keys WHERE public_key = $publicKey', { publicKey: e.publicKey });
    case 'erase':
      await eraseAccount(sql, e.account, recordTables);
      return noteErasure(sql, e.account, sequence, e.time ?? 0n);
    case 'reserve':
      await sql.append('reservations', [reservationRow(reservationOf(e))]);
      await sql.append('quota_uses', [useRow({ ...e, time: Number(e.time ?? 0n) })]);
      return sql.appendSets('reservation_subjects', [{ reservation: e.id, numbers: unpackNumbers(e.subjects) }]);
    case 'refresh':
      await dropCharged(sql, (await known(sql, e.task)).id, unpackNumbers(e.dropped));
      return sql.run('UPDATE reservations SET attempt = $attempt::BIGINT, snapshot = 0 WHERE task = $task', e);
    case 'activate':
      return markActivated(sql, e.task, e.time, unpackNumbers(e.members));
    case 'output':
      if (e.audience) await keepAudience(sql, e.task, e.audience.expires, unpackNumbers(e.audience.members));
      return sql.append('outputs', [
        outputRow({ task: e.task, envelope: e.envelope, output: fromHex(e.output), evidence: fromHex(e.evidence), height: undefined }),
      ]);
    case 'commit':
      await settleReservation(sql, e.task, 'committed', e.used);
      return sql.run('UPDATE outputs SET height = $height::BIGINT WHERE task = $task', e);
    case 'release':
      await releaseCharge(sql, (await known(sql, e.task)).id);
      return settleReservation(sql, e.task, 'released', 0n);
    case 'replenish':
      return applyReplenishment(sql, e.usage, e.count);
    case 'dividends':
      return keepPromise(sql, { epoch: Number(e.epoch), root: e.root, bits: Number(e.bits) }, unpackLeaves(e.leaves));
  }
};

/** Applies the entries that follow `from`, within one transaction. Returns the head reached. Throws JournalError. */
export const replay = async (
  sql: Sql,
  from: JournalHead,
  entries: AsyncIterable<JournalEntry>,
  recordTables: readonly string[],
): Promise<JournalHead> => {
  let head = from;
  for await (const { sequence, head: next, nonce, entry } of entries) {
    if (sequence !== head.sequence + 1n || nextHead(head.head, nonce, entry) !== next)
      throw new JournalError(
        'JournalForked',
        `entry ${sequence} of the journal's copy does not follow what this Vault has at ${head.sequence}`,
      );
    const parsed = Entry.safeParse(decodeCanonical(entry));
    if (!parsed.success)
      throw new JournalError('JournalDamaged', `entry ${sequence} of the journal's copy is none that this program knows`);
    await apply(sql, parsed.data, sequence, recordTables);
    await sql.append('journal', [journalRow({ sequence, head: next, nonce, entry }, parsed.data.kind)]);
    head = { sequence, head: next };
  }
  if (head.sequence === from.sequence) return head;
  for (const name of usages) await raiseVersion(sql, consentVersion(name));
  await lookAgain(sql);
  const [row] = await sql.rows(
    'SELECT greatest((SELECT coalesce(max(id), 0) FROM reservations), (SELECT coalesce(max(id), 0) FROM snapshots))::BIGINT AS last',
  );
  await sql.run(`CREATE OR REPLACE SEQUENCE numbers START WITH ${(row!['last'] as bigint) + 1n}`);
  return head;
};
