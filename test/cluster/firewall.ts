import { podRange } from './components.ts';
import { attempt } from './run.ts';
import { findIn, pathFolders } from './tools.ts';

/** Docker and ufw drop what is forwarded or comes in unless a rule lets it pass: ours do, for pods, and go with the cluster. */
const comment = ['-m', 'comment', '--comment', 'scs-cluster'];

const rules: readonly (readonly string[])[] = [
  ['FORWARD', '-s', podRange, ...comment, '-j', 'ACCEPT'],
  ['FORWARD', '-d', podRange, ...comment, '-j', 'ACCEPT'],
  ['INPUT', '-s', podRange, ...comment, '-j', 'ACCEPT'],
];

const iptables = (): string | undefined => findIn(pathFolders(), 'iptables');

/** Whether `iptables -S <chain>` shows a chain that drops what no rule accepts. */
export const dropsByDefault = (rulesShown: string): boolean => /^-P \S+ DROP$/m.test(rulesShown);

/** Lets traffic of pods pass where a chain's policy is to drop; changes nothing elsewhere. */
export const openFirewall = async (): Promise<void> => {
  const command = iptables();
  if (command === undefined) return;
  for (const [chain = '', ...rule] of rules) {
    if (dropsByDefault((await attempt(command, ['-S', chain])).stdout)) await attempt(command, ['-I', chain, ...rule]);
  }
};

/** Removes our rules, all copies of each. */
export const closeFirewall = async (): Promise<void> => {
  const command = iptables();
  if (command === undefined) return;
  const shown = (await attempt(command, ['-S'])).stdout;
  if (!shown.includes('scs-cluster')) return;
  for (const rule of rules) while ((await attempt(command, ['-D', ...rule])).code === 0);
};
