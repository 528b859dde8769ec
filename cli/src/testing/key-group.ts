/** All key folders that the demo's genesis names, made by `keygen` itself, in `folder`. For tests. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { symphony } from './cli.ts';

const examples = resolve(import.meta.dirname, '../../../examples/demo');
export const MEASUREMENT = 'ab'.repeat(48);

const must = async (...args: string[]): Promise<string> => {
  const { code, out, err } = await symphony(args);
  if (code !== 0) throw new Error(err);
  return out;
};

/** Returns the path of genesis.yaml beside them. */
export const keyGroup = async (folder: string): Promise<string> => {
  const keys = join(folder, 'keys');
  mkdirSync(keys);
  const keygen = (...args: string[]) => must('keygen', ...args, '--out', keys);
  await keygen('simulated-root');
  await keygen('publisher');
  for (const index of ['0', '1', '2']) {
    await keygen('master', index);
    await keygen('recovery', index);
  }
  for (const name of ['alder', 'birch', 'cedar']) await keygen('enterprise', name, '--simulated-root', join(keys, 'simulated-root'));
  for (const name of ['roastery', 'stranger']) await keygen('submitter', name);
  for (const file of ['genesis.yaml', 'catalogue.yaml']) copyFileSync(join(examples, file), join(folder, file));
  return join(folder, 'genesis.yaml');
};

/** The genesis file made from them. */
export const genesisOf = async (config: string): Promise<string> => {
  const out = config.replace(/\.yaml$/, '.bin');
  await must('genesis', 'build', '-f', config, '--out', out, '--measurement', MEASUREMENT);
  return out;
};
