/** Loads the algorithm with one mutation applied. The mutated sources exist in memory only, each under a query of its own. */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Algorithm } from './algorithm.ts';
import { editsOf, mutations } from './mutations.ts';

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
    const edits = mutation ? editsOf(mutation).filter((e) => e.file === file) : [];
    if (!mutation || edits.length === 0) return next(url, context);
    let source = readFileSync(fileURLToPath(url.replace(/\?.*/, '')), 'utf8');
    for (const { find, replace } of edits) {
      if (source.split(find).length !== 2) throw new Error(`mutation "${mutation.name}": its text is not once in ${file}`);
      source = source.replace(find, () => replace);
    }
    return { format: 'module-typescript', source, shortCircuit: true };
  },
});

const load = <K extends keyof Algorithm>(file: string, index: number): Promise<Pick<Algorithm, K>> =>
  import(`${folder}${file}?mutation=${index}`) as Promise<Pick<Algorithm, K>>;
/** The algorithm with the mutation of that index in `mutations`. */
export const mutant = async (index: number): Promise<Algorithm> => {
  const [{ step }, { recover }, { formationStep }, { leave }] = await Promise.all([
    load<'step'>('step.ts', index),
    load<'recover'>('recover.ts', index),
    load<'formationStep'>('formation-step.ts', index),
    load<'leave'>('leave.ts', index),
  ]);
  return { step, recover, formationStep, leave };
};
