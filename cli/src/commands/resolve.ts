/** `resolve`: what a task would ask and cost; a dry run that charges nothing. */
import { z } from 'zod';
import {
  domainsRead,
  OwnAttribute,
  ownOfManifest,
  type Catalogue,
  type OwnAttributesOf,
  type Plan,
  type Policy,
  type TaskSpec,
} from '@scs/protocol';
import { vaultLimit } from '@scs/protocol/rules/odometer.ts';
import { readCatalogue } from '../catalogue-file.ts';
import type { Command, Invocation } from '../command.ts';
import { CliError, UsageError } from '../errors.ts';
import { estimate, estimateJson, estimateLines, leastOf, type Estimate, type Odometer } from '../estimate.ts';
import { findGenesis, GENESIS_HELP, genesisOptions } from '../genesis-file.ts';
import { readText } from '../keys/key-folder.ts';
import { connect, KUBE_HELP, kubeOptions, type KubeAccess } from '../kube.ts';
import { readManifestFile } from '../manifest-file.ts';
import { formatOf } from '../options.ts';
import { resolvedJson, resolvedLines, resolveTask } from '../resolve-task.ts';
import { completeSpec, readManifest } from '../sign-task.ts';
import { checked, parseYaml } from '../yaml-file.ts';

/** In place of what only the key folder knows: no part of the plan or the price depends on it. */
const NOBODY = { submitter: `0x${'0'.repeat(64)}`, resultKey: '0'.repeat(64) };

const VaultManifest = z.object({
  kind: z.literal('Vault'),
  metadata: z.object({ namespace: z.string().max(63), name: z.string().max(253) }),
  spec: z.object({ attributes: z.array(OwnAttribute).max(32).default([]) }),
});
const sizeBandsOf = (invocation: Invocation): readonly number[] | undefined => {
  const text = invocation.text('vaults');
  if (text === undefined) return undefined;
  if (!/^\d{1,2}(,\d{1,2}){0,999}$/.test(text)) throw new UsageError('--vaults takes size bands, one a Vault, such as 1,1,2.');
  return text.split(',').map(Number);
};

/** Kubernetes names have no underscores; the masters name a Domain so. */
const objectName = (domain: string): string => domain.replaceAll('_', '-');
const budgetOf = async (kube: KubeAccess, plan: Plan, { submitter: named, coordination }: TaskSpec, policy: Policy): Promise<Estimate> => {
  const shown: (readonly Odometer[])[] = [];
  for (const domain of domainsRead(plan)) {
    const odometers = await kube.odometers(objectName(domain));
    if (!odometers) throw new CliError('OdometersMissing', `The masters show no odometers of domain ${domain}. See kubectl get domains.`);
    shown.push(odometers.filter(({ vault }) => plan.vault === undefined || vault === plan.vault));
  }
  const submitter = named === NOBODY.submitter ? undefined : named;
  const limit = vaultLimit(policy, plan.usage, plan.overlapBound);
  const share = (limit * BigInt(policy.privacy.actorShareBasisPoints)) / 10_000n;
  return estimate(leastOf(shown, plan.usage, { limit, share }, submitter), plan, coordination.quorum, submitter);
};

const catalogueFile = async (invocation: Invocation): Promise<Catalogue | undefined> => {
  const file = invocation.text('catalogue');
  return file === undefined ? undefined : readCatalogue(await readText(file, 'a semantic catalogue'), file, 'CatalogueInvalid');
};

/** S3: own attributes as a Vault's manifest says them; in force or about to be. */
const ownAttributes = async (invocation: Invocation): Promise<OwnAttributesOf | undefined> => {
  const file = invocation.text('vault-manifest');
  if (file === undefined) return undefined;
  const code = 'VaultManifestInvalid';
  const { metadata, spec } = checked(VaultManifest, parseYaml(await readText(file, 'a Vault manifest'), file, code), file, code);
  const own = ownOfManifest(spec.attributes);
  return (vault) => (vault === `${metadata.namespace}/${metadata.name}` ? own : undefined);
};

export const resolve: Command = {
  words: ['resolve'],
  summary: 'say what a task would ask and cost at most; charges nothing',
  help: `kubectl symphony resolve -f task.yaml [--vaults BAND,BAND,...] [--budget]

Resolves the query here, by the rules, catalogue and policy that the masters use: the plan with its digest, the predicates as
Vaults will run them, the privacy it spends and the price; or the reason for which it would be rejected. Nothing is sent. What
only the masters know is not judged: the escrow and the Vaults' offers. With --budget the cluster's public odometers say how many
more such tasks they allow; spec.submitter's share of the epoch counts if the manifest names one.

  -f, --file FILE       manifest of the Task; - reads standard input
  --catalogue FILE      a later catalogue than the genesis', such as one about to be approved; YAML or JSON
  --vault-manifest FILE manifest of the Vault whose own attributes the query names
  --vaults BANDS        public size band of each Vault that would be asked, such as 1,1,2
  --budget              read the public odometers of the domain
  -o, --output FORMAT   text or json
${GENESIS_HELP}
${KUBE_HELP}`,
  options: {
    ...kubeOptions,
    ...genesisOptions,
    file: { type: 'string', short: 'f' },
    vaults: { type: 'string' },
    catalogue: { type: 'string' },
    'vault-manifest': { type: 'string' },
    budget: { type: 'boolean' },
    output: { type: 'string', short: 'o', default: 'text' },
  },
  run: async (invocation) => {
    const format = formatOf(invocation, ['text', 'json']);
    const sizeBands = sizeBandsOf(invocation);
    const { file, yaml } = await readManifestFile(invocation);
    const { genesis } = await findGenesis(invocation, () => connect(invocation));
    const spec = completeSpec(readManifest(yaml, file).spec, NOBODY, file);
    const catalogue = await catalogueFile(invocation);
    const resolved = resolveTask(spec, catalogue ? { ...genesis, catalogue } : genesis, sizeBands, await ownAttributes(invocation));
    const budget = invocation.flag('budget') ? await budgetOf(connect(invocation), resolved.plan, spec, genesis.policy) : undefined;
    if (format === 'json') invocation.out(resolvedJson(resolved, budget && estimateJson(budget)));
    else for (const line of [...resolvedLines(resolved), ...(budget ? estimateLines(budget) : [])]) invocation.out(line);
  },
};
