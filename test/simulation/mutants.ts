/**
 * `node test/simulation/mutants.ts [--only text]`: each mutation with the run that shows it; exits with 1 when one is not shown.
 * `--search N` looks for what shows them, among all scenes and N seeds of either kind.
 */
import { parseArgs } from 'node:util';
import { mutant } from './mutant.ts';
import { mutations, type Mutation, type Run } from './mutations.ts';
import { perform } from './scene.ts';
import { sceneNames, scenes } from './scenes.ts';
import type { Algorithm } from './algorithm.ts';
import { returns } from './away.ts';
import { simulate } from './run.ts';

const { values } = parseArgs({ options: { only: { type: 'string', default: '' }, search: { type: 'string' } } });
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const describe = (shown: Run): string => {
  if ('scene' in shown) return shown.scene;
  return 'away' in shown ? `away ${shown.away}` : `seed ${shown.seed}${shown.hostile ? ' --hostile' : ''}`;
};
const runOf = (shown: Run, algorithm: Algorithm): { readonly failure?: string } => {
  if ('scene' in shown) return perform(scenes[shown.scene], algorithm);
  return 'away' in shown ? returns(shown.away, algorithm) : simulate(shown.seed, algorithm, shown.hostile);
};
const failureOf = (shown: Run, algorithm: Algorithm): string | undefined => runOf(shown, algorithm).failure;
const first = (text: string): string => text.split('\n')[0]?.slice(0, 120) ?? '';

const candidates = (seeds: number): readonly Run[] => [
  ...sceneNames.map((scene) => ({ scene })),
  ...Array.from({ length: Math.ceil(seeds / 10) }, (_, i) => ({ away: i + 1 })),
  ...Array.from({ length: seeds }, (_, i) => [
    { seed: i + 1, hostile: true },
    { seed: i + 1, hostile: false },
  ]).flat(),
];
const search = (name: string, algorithm: Algorithm, seeds: number): void => {
  const scenesThat: string[] = [];
  for (const shown of candidates(seeds)) {
    const failure = failureOf(shown, algorithm);
    if (failure === undefined) continue;
    scenesThat.push(`${describe(shown)} (${first(failure)})`);
    if (!('scene' in shown)) break;
  }
  say(`${scenesThat.length === 0 ? 'NONE' : 'found'} ${name}: ${scenesThat.join('; ')}`);
};
/** One that is equal to the original must pass all scenes. */
const check = ({ name, shown }: Mutation, algorithm: Algorithm): boolean => {
  const runs = 'equal' in shown ? sceneNames.map((scene) => ({ scene })) : [shown];
  const failed = runs.map((run) => ({ run, failure: failureOf(run, algorithm) })).find(({ failure }) => failure !== undefined);
  const result = failed ? `${describe(failed.run)}: ${first(failed.failure ?? '')}` : 'equal' in shown ? shown.equal : describe(shown);
  const good = 'equal' in shown === (failed === undefined);
  say(`${failed ? 'caught  ' : 'equal   '} ${good ? '' : 'WRONG '}${name}: ${result}`);
  return good;
};

let survivors = 0;
for (const [index, mutation] of mutations.entries()) {
  if (!mutation.name.includes(values.only)) continue;
  const algorithm = await mutant(index);
  if (values.search !== undefined) search(mutation.name, algorithm, Number(values.search));
  else if (!check(mutation, algorithm)) survivors += 1;
}
process.exitCode = survivors === 0 ? 0 : 1;
