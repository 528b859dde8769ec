import { expect, test } from 'vitest';
import { mastersLines, parseMetrics } from './masters-table.ts';

const text = (primary: number, condition?: string): string =>
  [
    '# HELP scs_log_height Height of the last decided block.',
    'scs_log_height 12',
    `scs_log_primary ${primary}`,
    'scs_agreement_view 3',
    'scs_log_live_from 5',
    'scs_archive_bytes 1572864',
    'scs_agreement_counter_info{key="0123456789abcdef"} 1',
    `scs_agreement_condition{code="NotAdmitted"} ${condition === 'NotAdmitted' ? 1 : 0}`,
    'a line that is none',
  ].join('\n');

test('N7: who leads, how far each is, whose counter counts', () => {
  const figures = [parseMetrics(text(1)), parseMetrics(text(0, 'NotAdmitted')), parseMetrics(text(0))];
  expect(mastersLines(figures)).toEqual([
    'master  height  live from  archive  view  role     counter           condition',
    '0       12      5          1.5 MiB  3     primary  0123456789abcdef  fine',
    '1       12      5          1.5 MiB  3              0123456789abcdef  NotAdmitted',
    '2       12      5          1.5 MiB  3              0123456789abcdef  fine',
    '',
    'Two of three take part: one more lost, and nothing is decided.',
  ]);
});
test('G4: a proof of two votes is told', () => {
  const figures = parseMetrics(text(1));
  const holder = parseMetrics(`${text(0)}\nscs_offences 1`);
  expect(mastersLines([figures, figures, figures]).at(-1)).toBe('One of three may fail.');
  expect(mastersLines([figures, holder, figures]).at(-1)).toContain('MasterVotedTwice');
});
test('X1: a master that lacks blocks of the log is told of', () => {
  const figures = parseMetrics(text(1));
  const lacks = parseMetrics(`${text(0)}\nscs_archive_missing_blocks 256`);
  expect(mastersLines([figures, lacks, figures]).at(-1)).toContain('Master 1 lacks 256 decided blocks');
});
test('masters that are away, and one that tells little', () => {
  const lines = mastersLines([parseMetrics('scs_log_height 5\nscs_log_primary 1'), undefined, undefined]);
  expect(lines.slice(1, 3)).toEqual([
    '0       5                -          -        -     primary  -        fine',
    '1       does not answer',
  ]);
  expect(lines.at(-1)).toContain('the group is read-only');
});
test('what a master says can put nothing else on the terminal', () => {
  const figures = parseMetrics('scs_agreement_condition{code="\u001b[31mX"} 1\nscs_log_height 1e309');
  expect(mastersLines([figures, undefined, undefined]).join('')).not.toContain('\u001b');
});
