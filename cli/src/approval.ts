/** What masters approve by their durable keys (rule G5): a file that goes from one to the next, and then to the masters. Pure. */
import { z } from 'zod';
import { Command, genesisDigest, publicKeyOf, signStatement, statementFits, type Genesis } from '@scs/protocol';
import { CliError } from './errors.ts';

/** Commands that carry approvals. */
export const approvable = ['budget.replenish', 'catalogue.change', 'version.activate', 'master.replace'] as const;
const ApprovalFile = z.strictObject({
  type: z.enum(approvable),
  statement: z.unknown(),
  approvals: z
    .array(z.strictObject({ master: z.int().min(0).max(2), signature: z.string().regex(/^[0-9a-f]{128}$/) }))
    .max(3)
    .default([]),
});
export type ApprovalFile = z.infer<typeof ApprovalFile>;
type Approved = Extract<Command, { type: (typeof approvable)[number] }>;

/** In place of missing ones, so that the statement can be checked before anybody signs. */
const FILLER = [0, 1].map((master) => ({ master, signature: '0'.repeat(128) }));

/** Numbers of a seat beyond what JSON counts in are written as canonical bytes write them: "#1". */
const withGeneration = (content: ApprovalFile): ApprovalFile => {
  if (content.type !== 'master.replace') return content;
  const text = z.object({ terms: z.looseObject({ generation: z.string().regex(/^#(?:0|[1-9]\d{0,17})$/) }) }).loose();
  const { success, data } = text.safeParse(content.statement);
  return success
    ? { ...content, statement: { ...data, terms: { ...data.terms, generation: BigInt(data.terms.generation.slice(1)) } } }
    : content;
};
export const printApproval = (file: ApprovalFile): string =>
  JSON.stringify(file, (_key, value: unknown) => (typeof value === 'bigint' ? `#${value}` : value), 2);

/** The file, its statement being one that masters take. Throws CliError. */
export const readApproval = (content: unknown, file: string): ApprovalFile => {
  const shaped = ApprovalFile.safeParse(content);
  const parsed = shaped.success ? { ...shaped, data: withGeneration(shaped.data) } : shaped;
  const problem = parsed.success ? Command.safeParse({ ...parsed.data, approvals: FILLER }).error : parsed.error;
  if (problem || !parsed.success)
    throw new CliError('ApprovalInvalid', `${file} is nothing that masters approve:\n${problem ? z.prettifyError(problem) : ''}`);
  return parsed.data;
};

/** Throws CliError when an approval in the file does not fit: it would be refused. */
export const checkApprovals = ({ type, statement, approvals }: ApprovalFile, genesis: Genesis): void => {
  const digest = genesisDigest(genesis);
  const wrong = approvals.find(
    ({ master, signature }) => !statementFits(genesis.masters[master]!.publicKey, type, digest, statement, signature),
  );
  if (wrong)
    throw new CliError(
      'ApprovalInvalid',
      `The approval of master ${wrong.master} does not fit this statement and genesis. Ask for it again.`,
    );
};

/** With this master's approval; the same file when it is there already. Throws CliError when the key is no master's. */
export const withApproval = (file: ApprovalFile, genesis: Genesis, seed: string): ApprovalFile => {
  checkApprovals(file, genesis);
  const master = genesis.masters.findIndex(({ publicKey }) => publicKey === publicKeyOf(seed));
  if (master < 0) throw new CliError('WrongKey', 'That key is none of the masters of this genesis.');
  if (file.approvals.some((approval) => approval.master === master)) return file;
  const signature = signStatement(seed, file.type, genesisDigest(genesis), file.statement);
  return { ...file, approvals: [...file.approvals, { master, signature }].toSorted((a, b) => a.master - b.master) };
};

/** Throws CliError when it lacks approvals. */
export const commandOf = (file: ApprovalFile, genesis: Genesis): Approved => {
  checkApprovals(file, genesis);
  if (file.approvals.length < 2)
    throw new CliError(
      'ApprovalsMissing',
      'Two different masters must approve. Have another one run kubectl symphony approve on this file.',
    );
  return Command.parse(file) as Approved;
};
