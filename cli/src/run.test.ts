/** Dispatch, help, exit codes, and that errors read well. */
import { describe, expect, test } from 'vitest';
import { commands } from './commands/index.ts';
import { invoke, type Command, type Invocation } from './command.ts';
import { symphony, NOW } from './testing/cli.ts';

describe('help', () => {
  test.each([[], ['help'], ['--help'], ['-h']])('the overview names every command: %j', async (...args: string[]) => {
    const { code, out } = await symphony(args);
    expect(code).toBe(0);
    for (const { words, summary } of commands) expect(out).toContain(`  ${words.join(' ').padEnd(20)} ${summary}`);
  });
  test.each(commands.map((command) => [command.words.join(' '), command] as const))('%s --help', async (name, command) => {
    for (const args of [
      [...command.words, '--help'],
      [...command.words, '-h'],
      ['help', ...command.words],
    ]) {
      const { code, out } = await symphony(args);
      expect(code).toBe(0);
      expect(out).toContain(`kubectl symphony ${name}`);
    }
    // Every option is in the help, with its short form.
    for (const [option, { short }] of Object.entries(command.options)) {
      expect(command.help).toContain(`--${option}`);
      if (short) expect(command.help).toContain(`-${short}, --${option}`);
    }
    expect(Math.max(...command.help.split('\n').map((line) => line.length))).toBeLessThanOrEqual(130);
    expect(command.help.trimEnd()).toBe(command.help);
  });
  test('a group of commands by its first word', async () => {
    const { code, out } = await symphony(['genesis', '--help']);
    expect([code, out.includes('genesis build'), out.includes('genesis show'), out.includes('keygen')]).toEqual([0, true, true, false]);
  });
  test('after -- nothing is an option', async () => {
    expect((await symphony(['status', '--', '--help'])).code).toBe(2);
  });
});

describe('wrong usage: exit code 2 and a way on', () => {
  test.each([
    [['fly'], 'There is no command "fly".'],
    [['help', 'fly'], 'There is no command "fly".'],
    [['genesis'], 'There is no command "genesis".'],
    [['genesis', 'build', '--shape', 'x'], "Unknown option '--shape'. See kubectl symphony genesis build --help. (Usage)"],
    [['genesis', 'build', '--out'], 'argument missing. See kubectl symphony genesis build --help. (Usage)'],
    [['genesis', 'build', '--out', 'x'], '--file is required. See kubectl symphony genesis build --help. (Usage)'],
    [['submit', 'task.yaml'], "Unexpected argument 'task.yaml'. See kubectl symphony submit --help. (Usage)"],
    [['keygen'], 'Keys of what? Kinds: master, enterprise, submitter, producer, publisher, recovery, simulated-root. (Usage)'],
    [['keygen', 'pirate', 'x'], 'There is no keygen pirate. Kinds: master,'],
    [['keygen', 'master', '3'], 'keygen master needs the index 0, 1 or 2. (Usage)'],
    [['keygen', 'secrets'], 'Which folder?'],
    [['verify'], 'Which task? Give task/NAME. (Usage)'],
    [['result', 'task/'], 'Which task? Give task/NAME. (Usage)'],
    [['status', 'task/UPPER'], "UPPER is not a task's name. (Usage)"],
    [['verify', 'task/x', '-o', 'yaml'], '-o takes text, json, not yaml. (Usage)'],
    [['fund'], 'How much? kubectl symphony fund AMOUNT, in SYM. (Usage)'],
    [['claim', '5'], "Unexpected argument '5'."],
    [['resolve', '-f', 'x', '--vaults', 'big'], '--vaults takes size bands, one a Vault, such as 1,1,2. (Usage)'],
    [['sign', '-f', 'x', '--keys', 'y', '--valid-for', '1.5'], '--valid-for takes 1 to 86400 seconds. (Usage)'],
  ])('%j', async (args, sentence) => {
    const { code, out, err } = await symphony(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(sentence);
  });
});

describe('what the user can mend: exit code 1', () => {
  test.each([
    [
      ['account'],
      'Which account? Give --keys FOLDER (made by kubectl symphony keygen), --wallet-secret [NAMESPACE/]NAME, or set SCS_KEYS or SCS_WALLET_KEY. (KeysMissing)',
    ],
    [
      ['fund', '1e3', '--keys', 'x'],
      '1e3 is not an amount of SYM: not a decimal with at most 8 digits after the point: 1e3. (AmountInvalid)',
    ],
    [['genesis', 'show'], 'Which genesis? Give its FILE or set SCS_GENESIS. (GenesisMissing)'],
    [['genesis', 'show', '/no/such/file'], "The genesis file /no/such/file can't be read:"],
    [['sign', '-f', '/no/task.yaml', '--keys', 'x', '--genesis', '/no/genesis.bin'], "The genesis file /no/genesis.bin can't be read:"],
    [['status', 'task/x', '--kubeconfig', '/no/kubeconfig'], "The kubeconfig /no/kubeconfig can't be read: ENOENT"],
  ])('%j', async (args, sentence) => {
    const { code, err } = await symphony(args);
    expect(code).toBe(1);
    expect(err).toContain(sentence);
  });
});

const command = (run: (invocation: Invocation) => Promise<void>): Command => ({ words: ['x'], summary: '', help: '', options: {}, run });
const around = (out: string[]) => ({
  out: (line: string) => void out.push(line),
  err: () => undefined,
  environment: { EMPTY: '', FULL: 'yes' },
  now: () => NOW,
  signal: new AbortController().signal,
  input: () => Promise.resolve(''),
});
test('an empty environment variable is no variable', async () => {
  await invoke(
    command(async ({ variable }) => expect([variable('EMPTY'), variable('FULL'), variable('NONE')]).toEqual([undefined, 'yes', undefined])),
    [],
    around([]),
  );
});
test('control characters of others do not reach the terminal', async () => {
  const { err } = await symphony(['genesis', 'show', '/no/\u001b[31mred\u202e']);
  expect(err).toContain('/no/\ufffd[31mred\ufffd');
  expect(err).not.toContain('\u001b');
});
