/** Rule T6: each reason that a person may meet is explained in docs/troubleshooting.md, and nothing else is. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rejectionCodes } from '@scs/protocol';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const text = readFileSync(join(root, 'docs/troubleshooting.md'), 'utf8');
const headings = [...text.matchAll(/^### (.+)$/gm)].map((match) => match[1]!);

/** Reasons as they are written in the code. */
const reasonsIn = (file: string): string[] =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/reason: (?:[\w.?]+ (?:\?\?|\|\|) )?'([A-Z]\w+)'/g)].map((match) => match[1]!);
const files = [
  'operator/src/agent/decide-slice.ts',
  'operator/src/agent/decide-vault.ts',
  'operator/src/agent/pod-trouble.ts',
  'operator/src/master/admission-probe.ts',
  'operator/src/master/projection/conditions.ts',
  'operator/src/master/settlement/chain-away.ts',
  'operator/src/master/settlement/gas-watch.ts',
  'vault/src/serve.ts',
];
/** Refusals of a Vault's registration (protocol/src/rules/registration.ts), which become its condition's reason. */
const registration = ['NamespaceMismatch', 'DomainUnknown', 'DomainFull', 'OfferInvalid', 'RevisionNotNewer'];

/** Alerts on settlement that are no reason of anything (charts/scs/templates/alerts.yaml). */
const alerts = ['SettlementStuck'];
/** Conditions of the agreement (its metrics list them), and the alerts on masters. */
const agreement = [
  ...readFileSync(join(root, 'operator/src/master/consensus/runtime/metrics.ts'), 'utf8').matchAll(/^ {2}'([A-Z]\w+)',$/gm),
].map((match) => match[1]!);
/** What a master's volume may be found to be; some of it only at the start, when there is no condition yet. */
const disk = [...readFileSync(join(root, 'operator/src/master/log/disk.ts'), 'utf8').matchAll(/^ {2}((?:Disk|Journal)\w+):/gm)].map(
  (match) => match[1]!,
);
const masters = [
  'MastersReadOnly',
  'MasterHalted',
  'MasterVotedTwice',
  'CounterNotAdmitted',
  'FormationBlocked',
  'MasterCutOff',
  'ViewsChangeOften',
  'MasterBehind',
  'ArchiveIncomplete',
];

test('the patterns find reasons', () => {
  for (const file of files) expect(reasonsIn(file), file).not.toEqual([]);
  expect(agreement.length).toBeGreaterThan(5);
  expect(disk).toContain('DiskFull');
});

const known = new Set<string>([
  ...rejectionCodes,
  ...registration,
  ...alerts,
  ...agreement,
  ...disk,
  ...masters,
  ...files.flatMap(reasonsIn),
]);
describe('T6: explained', () => {
  test.each([...known])('%s', (code) => expect(headings).toContain(code));
});

test('nothing is explained that is no reason, or twice', () => {
  expect(headings.filter((heading) => !known.has(heading) && !heading.includes(' '))).toEqual([]);
  expect(headings).toHaveLength(new Set(headings).size);
});

test('links lead to headings', () => {
  const anchors = new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map((match) =>
      match[1]!
        .toLowerCase()
        .replaceAll(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
  const links = [...text.matchAll(/\]\(#([^)]+)\)/g)].map((match) => match[1]!);
  expect(links.filter((link) => !anchors.has(link))).toEqual([]);
});
