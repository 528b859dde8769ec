/** Refusals, each with its reason and advice: what the demo shows last and e2e asserts. */
import { kubectlOf } from '../cluster/kubectl.ts';
import { campaign, followToEnd, signedManifest, submit, type Scene, type TaskManifest } from './scenario.ts';

export interface Refusal {
  readonly what: string;
  readonly expected: string;
  readonly show: (scene: Scene) => Promise<{ readonly lines: readonly string[]; readonly asExpected: boolean }>;
}
const TIMEOUT_MS = 240_000;

/** A task that ends rejected with a stable reason; `kubectl describe` shows reason and advice. */
const rejected = (
  what: string,
  reason: string,
  name: string,
  change: (spec: TaskManifest['spec']) => void,
  as: 'roastery' | 'stranger' = 'roastery',
): Refusal => ({
  what,
  expected: reason,
  show: async (scene) => {
    const manifest = campaign(change);
    manifest.metadata.namespace = as;
    const submitted = await submit(scene, name, manifest, as);
    if (submitted.code !== 0) return { lines: [submitted.stderr.trim()], asExpected: false };
    const { status } = await followToEnd(scene, name, TIMEOUT_MS, undefined, as);
    return {
      lines: [`${status?.state}: ${status?.reason}`, status?.message ?? ''],
      asExpected: status?.state === 'rejected' && status.reason === reason,
    };
  },
});

const namedByAnother: Refusal = {
  what: 'a submitter named by somebody else: the API server refuses',
  expected: 'Forbidden',
  show: async (scene) => {
    const manifest = await signedManifest(scene, 'not-mine', campaign(), 'stranger');
    const named = manifest.replaceAll(scene.group.addressOf('submitter-stranger'), scene.group.addressOf('submitter-roastery'));
    const { code, stderr } = await (await kubectlOf(scene.as.stranger)).attemptText(named);
    return { lines: [stderr.trim()], asExpected: code === 1 && /may not present/.test(stderr) };
  },
};

/** Signed, then altered; applied with plain kubectl. */
const alteredAfterSigning: Refusal = {
  what: 'a signature that does not fit: altered after signing',
  expected: 'SignatureInvalid',
  show: async (scene) => {
    const name = 'altered';
    const manifest = await signedManifest(scene, name, campaign());
    await (await kubectlOf(scene.as.roastery)).applyText(manifest.replace(/epsilon: ["']?0\.5["']?/, 'epsilon: "0.25"'));
    const { status } = await followToEnd(scene, name, TIMEOUT_MS);
    return { lines: [`${status?.state}: ${status?.reason}`, status?.message ?? ''], asExpected: status?.reason === 'SignatureInvalid' };
  },
};

/** Six age bands: the youngest has a few households. Paid, budget spent, the small cells suppressed. */
const suppressed: Refusal = {
  what: 'cells under the minimum cardinality: suppressed, paid, budget spent',
  expected: 'at least one suppressed cell, and a charge',
  show: async (scene) => {
    const name = 'coffee-by-band';
    const submitted = await submit(
      scene,
      name,
      campaign((spec) => {
        spec.query.groupBy = 'age_band';
      }),
    );
    if (submitted.code !== 0) return { lines: [submitted.stderr.trim()], asExpected: false };
    const { status } = await followToEnd(scene, name, TIMEOUT_MS);
    const { stdout } = await scene.group.trySymphony(
      ['result', `task/${name}`, '--keys', scene.group.keys('submitter-roastery'), '-n', 'roastery'],
      { KUBECONFIG: scene.as.roastery },
    );
    return {
      lines: [...stdout.trimEnd().split('\n'), `charged ${status?.fee?.charged} SYM`],
      asExpected: status?.state === 'completed' && /suppressed/.test(stdout) && status.fee?.charged !== undefined,
    };
  },
};

/** Each Vault holds a third of 1.5 rho: four tasks of epsilon 0.5. Two are spent by now; of three more, one is too many. */
const exhausted: Refusal = {
  what: 'the same query again and again: the budget ends',
  expected: 'BudgetExhausted',
  show: async (scene) => {
    const names = ['again-1', 'again-2', 'again-3'];
    for (const name of names) {
      const { code, stderr } = await submit(scene, name, campaign());
      if (code !== 0) return { lines: [stderr.trim()], asExpected: false };
    }
    const ended = await Promise.all(names.map((name) => followToEnd(scene, name, TIMEOUT_MS)));
    const refused = ended.filter((t) => t.status?.state === 'rejected');
    return {
      lines: [
        ...ended.map((t) => `${t.metadata.name}: ${t.status?.state}${t.status?.reason ? ` (${t.status.reason})` : ''}`),
        ...refused.map((t) => t.status?.message ?? ''),
      ],
      asExpected:
        refused.length === 1 &&
        refused[0]?.status?.reason === 'BudgetExhausted' &&
        ended.filter((t) => t.status?.state === 'completed').length === 2,
    };
  },
};

export const refusals: readonly Refusal[] = [
  namedByAnother,
  alteredAfterSigning,
  rejected('a predicate finer than its granularity', 'GranularityExceeded', 'one-day', (spec) => {
    spec.query.where = [{ attribute: 'purchase_day', from: '2017-12-24', until: '2017-12-25' }];
  }),
  rejected('a usage that no Vault offers', 'UsageNotOffered', 'for-training', (spec) => {
    spec.usage = 'training';
  }),
  rejected('an actor whom the Vaults do not permit', 'ActorNotPermitted', 'stranger-asks', () => undefined, 'stranger'),
  rejected('a fee above maxFee', 'FeeAboveMaximum', 'too-cheap', (spec) => {
    spec.maxFee = '1';
  }),
  rejected('an escrow too small', 'EscrowInsufficient', 'too-dear', (spec) => {
    spec.maxFee = '100000';
  }),
  suppressed,
  exhausted,
];
