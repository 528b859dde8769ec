/** The next change of a world's catalogue, approved. */
import type { CatalogueChange } from '../catalogue-change.ts';
import type { Command } from '../commands.ts';
import { signStatement } from '../evidence.ts';
import { masterKey } from './keys.ts';
import type { World } from './world.ts';

type Change = Extract<Command, { type: 'catalogue.change' }>;

export const aCatalogueChange = (
  world: World,
  changes: CatalogueChange[],
  at: Partial<Change['statement']> = {},
  masters: readonly number[] = [0, 2],
): Change => {
  const { changes: decided, staged } = world.state.must('semantics');
  const statement = { number: decided + 1, base: staged ?? world.state.must('meta').semanticVersion, changes, ...at };
  const approve = (master: number) => ({
    master,
    signature: signStatement(masterKey(master).seed, 'catalogue.change', world.genesisDigest, statement),
  });
  return { type: 'catalogue.change', statement, approvals: masters.map(approve) };
};
