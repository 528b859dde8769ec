/** Dividends by a file of proofs from the Vault (rules K5, K6): where each stands, and the calls that collect what is left. */
import { MoveVector } from '@aptos-labs/ts-sdk';
import { z } from 'zod';
import {
  dividendLeaf,
  formatSym,
  hex,
  parseDividendProofs,
  rootFromPath,
  stakeRoles,
  type DividendClaim,
  type DividendProofs,
} from '@scs/protocol';
import { whole, type Call, type Ledger, type LedgerPoint } from '../chain/ledger.ts';
import { CliError } from '../errors.ts';
import { readText } from '../keys/key-folder.ts';

export const DIVIDENDS_HELP = `  --dividends FILE      proofs from the Vault: {"account", "claims": [{"number", "index", "amount", "path"}]}`;
const MAX_FILE_CHARS = 32 * 1024 * 1024;

export type ClaimState = 'claimable' | 'claimed' | 'expired' | 'not published' | 'proof does not fit' | 'above the total';
export interface JudgedClaim {
  readonly claim: DividendClaim;
  readonly state: ClaimState;
  /** Base units that the owner would get now: half without the stake that the root asks for (K5). */
  readonly pays: bigint;
}
/** What `-o json` prints. */
export interface ShownClaim {
  readonly number: string;
  readonly index: number;
  readonly amount: string;
  readonly pays: string;
  readonly state: ClaimState;
}
export const shownClaim = ({ claim: { number, index, amount }, state, pays }: JudgedClaim): ShownClaim => ({
  number: `${number}`,
  index,
  amount: formatSym(amount),
  pays: formatSym(pays),
  state,
});

/** Throws CliError that names the field at fault, or whose proofs they are. */
export const readDividendFile = async (path: string, address: string): Promise<DividendProofs> => {
  const text = await readText(path, 'a file of dividend proofs from the Vault');
  if (text.length > MAX_FILE_CHARS) throw new CliError('DividendFileInvalid', `${path} is above 32 MiB: no Vault writes such a file.`);
  const proofs = parsed(text, path);
  if (proofs.account !== address)
    throw new CliError(
      'DividendsOfAnother',
      `${path} holds the proofs of ${proofs.account}; the wallet is ${address}. Only the owner can claim.`,
    );
  return proofs;
};
const parsed = (text: string, path: string): DividendProofs => {
  try {
    return parseDividendProofs(JSON.parse(text));
  } catch (cause) {
    if (cause instanceof SyntaxError) throw new CliError('DividendFileInvalid', `${path} is not JSON: ${cause.message}`);
    if (cause instanceof z.ZodError)
      throw new CliError('DividendFileInvalid', `${path} is not a file of dividend proofs:\n${z.prettifyError(cause).slice(0, 1000)}`);
    throw cause;
  }
};

interface Root {
  readonly root: string;
  readonly count: number;
  readonly left: bigint;
  /** Whether this owner gets all of a leaf (K5). */
  readonly full: boolean;
  readonly expired: boolean;
}
/** The owner's bond as a producer, and the chain's time. */
interface Owner {
  readonly account: string;
  readonly bonded: bigint;
  readonly since: bigint;
  readonly expelled: boolean;
  readonly point: LedgerPoint;
}
const ownerOf = async (ledger: Ledger, account: string): Promise<Owner> => {
  const point = await ledger.check();
  const [bonded, since, , , , expelled] = await ledger.view('staking::bond', [stakeRoles.producer, account], point);
  return { account, bonded: whole(bonded), since: whole(since), expelled: expelled === true, point };
};

const rootOf = async (ledger: Ledger, owner: Owner, number: bigint): Promise<Root | undefined> => {
  const [published] = await ledger.view('dividends::is_published', [number], owner.point);
  if (published !== true) return undefined;
  const [[root, count, total, paid], terms] = await Promise.all([
    ledger.view('dividends::root', [number], owner.point),
    ledger.view('dividends::terms', [number], owner.point),
  ]);
  const [least, since, expiresAt] = terms.map(whole) as [bigint, bigint, bigint];
  return {
    root: String(root).replace(/^0x/, ''),
    count: Number(whole(count)),
    left: whole(total) - whole(paid),
    full: !owner.expelled && owner.bonded >= least && (least === 0n || owner.since <= since),
    expired: owner.point.seconds >= expiresAt,
  };
};

const stateOf = async (ledger: Ledger, { account, point }: Owner, claim: DividendClaim, root: Root | undefined): Promise<ClaimState> => {
  if (!root) return 'not published';
  const [claimed] = await ledger.view('dividends::is_claimed', [claim.number, BigInt(claim.index)], point);
  if (claimed === true) return 'claimed';
  const led = rootFromPath(claim.index, root.count, dividendLeaf({ account, amount: claim.amount }), claim.path);
  if (led === undefined || hex(led) !== root.root) return 'proof does not fit';
  if (claim.amount <= root.left) return 'claimable';
  return root.expired ? 'expired' : 'above the total';
};
const judge = async (ledger: Ledger, owner: Owner, claim: DividendClaim, root: Root | undefined): Promise<JudgedClaim> => {
  const state = await stateOf(ledger, owner, claim, root);
  const open = state === 'claimable' ? claim.amount : 0n;
  return { claim, state, pays: root?.full ? open : open / 2n };
};

/** Questions at a time to one node. */
const AT_ONCE = 8;
const inChunks = async <T, R>(items: readonly T[], each: (item: T) => Promise<R>): Promise<R[]> => {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += AT_ONCE)
    results.push(...(await Promise.all(items.slice(from, from + AT_ONCE).map(each))));
  return results;
};

/** In the order of the file. A leaf named twice counts once. */
export const judgeClaims = async (ledger: Ledger, { account, claims }: DividendProofs): Promise<JudgedClaim[]> => {
  const once = [...new Map(claims.map((claim) => [`${claim.number}/${claim.index}`, claim])).values()];
  const numbers = [...new Set(once.map(({ number }) => number))];
  const owner = await ownerOf(ledger, account);
  const roots = new Map(await inChunks(numbers, async (number) => [number, await rootOf(ledger, owner, number)] as const));
  return inChunks(once, (claim) => judge(ledger, owner, claim, roots.get(claim.number)));
};

/** What one call of the contract takes, and what one transaction holds beside signature and the rest. */
const MAX_CLAIMS = 64;
const MAX_BYTES = 48 * 1024;
const bytesOf = ({ path }: DividendClaim): number => 40 + 33 * path.length;

const callOf = (claims: readonly DividendClaim[]): Call => ({
  name: 'dividends::claim',
  args: [
    MoveVector.U64(claims.map(({ number }) => number)),
    MoveVector.U64(claims.map(({ index }) => index)),
    MoveVector.U64(claims.map(({ amount }) => amount)),
    new MoveVector(claims.map(({ path }) => new MoveVector(path.map((sibling) => MoveVector.U8(sibling))))),
  ],
});
/** As few transactions as the limits allow. */
export const dividendCalls = (claims: readonly DividendClaim[]): Call[] => {
  const batches: DividendClaim[][] = [];
  let bytes = Infinity;
  for (const claim of claims) {
    bytes += bytesOf(claim);
    const last = batches.at(-1);
    if (last && last.length < MAX_CLAIMS && bytes <= MAX_BYTES) last.push(claim);
    else {
      batches.push([claim]);
      bytes = bytesOf(claim);
    }
  }
  return batches.map(callOf);
};
