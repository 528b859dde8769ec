/** What two masters approve by their durable keys (rule G5): a command carries statement and approvals, and anybody may bring it. */
import { statementFits, type StatementKind } from '../evidence.ts';
import { fault, type Fault, type RuleContext } from './context.ts';

export interface Approved {
  readonly statement: unknown;
  readonly approvals: readonly { readonly master: number; readonly signature: string }[];
}
/** undefined when two different masters of the genesis signed this statement of this kind, and everyone named did. */
export const approvalFault = (kind: StatementKind, { statement, approvals }: Approved, ctx: RuleContext): Fault | undefined => {
  const masters = new Set(approvals.map(({ master }) => master));
  if (masters.size < 2 || masters.size !== approvals.length) return fault('SignatureInvalid', 'two different masters must approve');
  const keys = ctx.genesis.masters.map(({ publicKey }) => publicKey);
  const wrong = approvals.find(
    ({ master, signature }) => !statementFits(keys[master] ?? '', kind, ctx.genesisDigest, statement, signature),
  );
  return wrong && fault('SignatureInvalid', `the approval of master ${wrong.master} does not fit`);
};
