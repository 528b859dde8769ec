/**
 * Versions of the protocol (rules X4, G5): each master announces the newest that its build carries, two approve the next one by their
 * durable keys, and it is active from the end of the epoch at which all three have announced it. Until then masters of either build run
 * side by side. A build that does not carry the active version takes no block any more.
 */
import { MASTERS } from '../certificate.ts';
import type { Command } from '../commands.ts';
import { statementFits } from '../evidence.ts';
import { NEWEST_PROTOCOL } from '../protocol-version.ts';
import { approvalFault } from './approvals.ts';
import { fault, type Fault, type RuleContext } from './context.ts';
import type { Draft, Readable } from './draft.ts';

type Announce = Extract<Command, { type: 'version.announce' }>;
type Activate = Extract<Command, { type: 'version.activate' }>;

/** undefined when this build carries the version that is active. */
export const versionFault = (state: Readable, { newest = NEWEST_PROTOCOL }: Pick<RuleContext, 'newest'>): Fault | undefined => {
  const { protocolVersion } = state.must('meta');
  return protocolVersion <= newest
    ? undefined
    : fault('ProtocolVersionUnknown', `version ${protocolVersion} of the protocol is active, and this build carries them up to ${newest}`);
};

/** version.announce: a lower one than before means that a master went back to an older build. */
export const announceVersion = (draft: Draft, { statement, signature }: Announce, ctx: RuleContext): Fault | undefined => {
  const { master, newest, sequence } = statement;
  const last = draft.get('version', String(master));
  if (last?.newest === newest) return fault('AlreadyDecided', `master ${master} has announced version ${newest}`);
  if (sequence !== (last?.sequence ?? 0) + 1)
    return fault('Conflicts', `announcement ${(last?.sequence ?? 0) + 1} of master ${master} is next`);
  if (!statementFits(ctx.genesis.masters[master]?.publicKey ?? '', 'version.announce', ctx.genesisDigest, statement, signature))
    return fault('SignatureInvalid', `master ${master} did not sign this announcement`);
  draft.put('version', String(master), { newest, sequence });
  return undefined;
};

/** Masters whose build is not known to carry the version. */
const without = (state: Readable, version: number): readonly number[] =>
  Array.from({ length: MASTERS }, (_, master) => master).filter((master) => (state.get('version', String(master))?.newest ?? 0) < version);

/** version.activate: one version after the other. */
export const activateVersion = (draft: Draft, command: Activate, ctx: RuleContext): Fault | undefined => {
  const unapproved = approvalFault('version.activate', command, ctx);
  if (unapproved) return unapproved;
  const { version } = command.statement;
  const present = draft.must('meta').protocolVersion;
  const staged = draft.get('upgrade')?.version;
  if (version <= present || version === staged) return fault('AlreadyDecided', `version ${version} is decided`);
  if (version !== present + 1) return fault('Conflicts', `version ${present + 1} is next`);
  const missing = without(draft, version);
  if (missing.length > 0) return fault('NotAgreed', `master ${missing.join(' and ')} has not announced version ${version}`);
  draft.put('upgrade', '', { version });
  return undefined;
};

/** At the end of an epoch. If a master went back to an older build meanwhile, it waits for the end of the next one. */
export const adoptVersion = (draft: Draft): void => {
  const staged = draft.get('upgrade')?.version;
  if (staged === undefined || without(draft, staged).length > 0) return;
  draft.drop('upgrade', '');
  draft.put('meta', '', { ...draft.must('meta'), protocolVersion: staged });
};
