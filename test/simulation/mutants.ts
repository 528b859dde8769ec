/**
 * `node test/simulation/mutants.ts [--seeds 60] [--only text]`: each mutation in turn, seed after seed, until a run fails. Exits with 1
 * when one survives that is not listed as such. The mutated sources exist in memory only.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Algorithm } from './algorithm.ts';
import { mutations, notShown, type Mutation } from './mutations.ts';
import { simulate } from './run.ts';

const folder = new URL('./', import.meta.resolve('@scs/operator/master/consensus/step.ts')).href;
const mutationIn = (url: string): number | undefined => {
  const at = url.startsWith(folder) ? /\?mutation=(\d+)$/.exec(url)?.[1] : undefined;
  return at === undefined ? undefined : Number(at);
};

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const mutation = mutationIn(context.parentURL ?? '');
    if (mutation === undefined || !resolved.url.startsWith(folder)) return resolved;
    return { ...resolved, url: `${resolved.url}?mutation=${mutation}` };
  },
  load(url, context, next) {
    const index = mutationIn(url);
    const mutation = index === undefined ? undefined : mutations[index];
    const file = url.slice(folder.length).replace(/\?.*/, '');
    const edit = [mutation, mutation?.also].find((e) => e?.file === file);
    if (!mutation || !edit) return next(url, context);
    const source = readFileSync(fileURLToPath(url.replace(/\?.*/, '')), 'utf8');
    if (source.split(edit.find).length !== 2) throw new Error(`mutation "${mutation.name}": its text is not once in ${file}`);
    return { format: 'module-typescript', source: source.replace(edit.find, () => edit.replace), shortCircuit: true };
  },
});

const mutated = async (index: number): Promise<Algorithm> => {
  const [{ step }, { recover }] = await Promise.all([
    import(`${folder}step.ts?mutation=${index}`) as Promise<Pick<Algorithm, 'step'>>,
    import(`${folder}recover.ts?mutation=${index}`) as Promise<Pick<Algorithm, 'recover'>>,
  ]);
  return { step, recover };
};

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '60' }, only: { type: 'string', default: '' } } });
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const caught = async (index: number): Promise<boolean> => {
  const { name }: Mutation = mutations[index] ?? { name: '', file: '', find: '', replace: '' };
  const algorithm = await mutated(index);
  for (let seed = 1; seed <= Number(values.seeds); seed += 1) {
    const { failure } = simulate(seed, algorithm, seed % 4 !== 0);
    if (failure === undefined) continue;
    say(`caught   ${name}: seed ${seed}: ${failure.split('\n')[0]?.slice(0, 110)}`);
    return true;
  }
  say(`SURVIVES ${name}: ${values.seeds} seeds`);
  return false;
};

let survivors = 0;
for (const [index, { name }] of mutations.entries())
  if (name.includes(values.only) && !(await caught(index)) && !notShown.has(name)) survivors += 1;
process.exitCode = survivors === 0 ? 0 : 1;
