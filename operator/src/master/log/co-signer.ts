/** What a master answers its peers: it evaluates and checks what a maker proposes by itself, stores its vote, then signs (rules G4, T5). */
import { decodeBlock, headOf, type Block, type Head, type Vote } from '@scs/protocol';
import type { Clock } from '../../kube/clock.ts';
import { type Logger, errorFields } from '../../kube/logger.ts';
import type { CatchUp } from './catch-up.ts';
import type { Disk } from './disk.ts';
import type { Testimony, Witness } from './log.ts';
import type { CertifiedBlock, ProposeAnswer, ProposeMessage, VoteAnswer } from './peers.ts';
import { type Evaluated, type Replica, ReplicaError } from './replica.ts';
import { judgeProposal, timeFault } from './voting.ts';

export interface CoSignerOptions {
  readonly replica: Replica;
  readonly disk: Disk;
  readonly witness: Witness;
  readonly catchUp: CatchUp;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly genesis: string;
  /** T5's bound, milliseconds. */
  readonly clockBoundMs: number;
}
/** Blocks given in one Sync; the caller asks again. */
const SYNC_PAGE = 50;
const SYNC_MOST = 2_000;
const VOUCHED = 16;
const FITS: Testimony = { kind: 'fits' };

type Examined =
  { readonly ok: true; readonly evaluated: Evaluated } | { readonly ok: false; readonly answer: Omit<ProposeAnswer, 'height'> };
const no = (code: string, message: string, command?: number): Examined => ({
  ok: false,
  answer: { code, message: message.slice(0, 500), ...(command === undefined ? {} : { command }) },
});

export class CoSigner {
  readonly #o: CoSignerOptions;
  /** Peers with a proposal under examination: one each, so that none can pile up work. */
  readonly #examining = new Set<number>();
  /** Digests of blocks that this master's own reading of the world bore out. */
  readonly #vouched = new Set<string>();
  #noneGiven = 0;

  constructor(options: CoSignerOptions) {
    this.#o = options;
  }

  /** How often this master has said that it has no vote; see `mayOriginate`. */
  noneGiven(): number {
    return this.#noneGiven;
  }

  async propose(from: number, message: ProposeMessage): Promise<ProposeAnswer> {
    const answer = await this.#answer(from, message);
    return { ...answer, height: this.#o.replica.height() };
  }

  async #answer(from: number, message: ProposeMessage): Promise<Omit<ProposeAnswer, 'height'>> {
    const block = decoded(message.bytes);
    if (!block) return { code: 'BlockMalformed', message: 'the proposal is not a block' };
    if (block.proposer !== from) return { code: 'WrongProposer', message: `the block names master ${block.proposer} as its maker` };
    const head = headOf(block, this.#o.genesis, message.stateRoot);
    const verdict = judgeProposal(this.#o.replica.ballot(), head);
    switch (verdict.kind) {
      case 'decided':
        return { code: 'AlreadyDecided', message: 'that height is decided' };
      case 'behind':
        void this.#o.catchUp.from(from);
        return { code: 'Behind', message: 'blocks before it are missing here' };
      case 'barred':
        return { code: 'Barred', message: 'this master has a new disk and does not vote yet' };
      case 'otherwise':
        return { code: 'VotedOtherwise', message: 'this master has voted for another block at that height' };
      case 'repeat':
        this.#conclude(head, message, verdict.own.vote);
        return { vote: verdict.own.vote, code: '', message: '' };
      case 'examine':
        return this.#examined(from, block, head, message);
    }
  }

  async #examined(from: number, block: Block, head: Head, message: ProposeMessage): Promise<Omit<ProposeAnswer, 'height'>> {
    if (message.vote && (message.vote.master !== from || !this.#o.replica.voteFits(head, message.vote)))
      return { code: 'BadVote', message: 'the proposal does not carry its maker’s vote' };
    if (this.#examining.has(from)) return { code: 'Busy', message: 'a proposal of yours is being examined' };
    this.#examining.add(from);
    try {
      const examined = await this.examine(block, message.bytes, message.stateRoot, message.again);
      if (!examined.ok) return examined.answer;
      return message.vote ? this.adopt(examined.evaluated, message.vote) : { code: '', message: '' };
    } finally {
      this.#examining.delete(from);
    }
  }

  /** Rules, state root, time and the world, in this order: what a master must agree with before it votes. */
  async examine(block: Block, bytes: Uint8Array, stateRoot: string, again: boolean): Promise<Examined> {
    const { replica, clock, clockBoundMs, witness } = this.#o;
    const late = timeFault(block.time, replica.time(), clock.now(), clockBoundMs, again);
    if (late) return no(late.code, `the block's time is off by ${late.offByMs} ms`);
    const evaluation = replica.evaluate(bytes);
    if (!evaluation.ok) return no(evaluation.fault.code, evaluation.fault.message);
    const { evaluated } = evaluation;
    if (evaluated.head.stateRoot !== stateRoot) return no('StateRootMismatch', 'the block gives another state here');
    // what it has seen to be true a moment ago it need not look up again, and the block may not stall on a world that moved on since
    const { block: digest } = evaluated.head;
    const testimony = this.#vouched.has(digest) ? FITS : await witness.check(block, evaluated.before, evaluated.state);
    if (testimony.kind === 'unknown') return no('Unavailable', testimony.message, testimony.command);
    if (testimony.kind === 'refused') return no(testimony.code, testimony.message, testimony.command);
    this.#vouchFor(digest);
    return { ok: true, evaluated };
  }

  #vouchFor(digest: string): void {
    this.#vouched.add(digest);
    const oldest = this.#vouched.values().next().value;
    if (this.#vouched.size > VOUCHED && oldest !== undefined) this.#vouched.delete(oldest);
  }

  /** Votes for a block that has its maker's vote; the two make a certificate, so it is decided at once. */
  adopt(evaluated: Evaluated, makers: Vote): Omit<ProposeAnswer, 'height'> {
    // the world turned while the block was being examined: judge again
    const verdict = judgeProposal(this.#o.replica.ballot(), evaluated.head);
    if (verdict.kind === 'decided') return { code: 'AlreadyDecided', message: 'that height is decided' };
    if (verdict.kind !== 'examine' && verdict.kind !== 'repeat') return { code: 'VotedOtherwise', message: 'another block came first' };
    const own = this.#o.replica.vote(evaluated);
    this.#conclude(evaluated.head, { bytes: evaluated.bytes, vote: makers }, own.vote);
    return { vote: own.vote, code: '', message: '' };
  }

  #conclude(head: Head, { bytes, vote }: Pick<ProposeMessage, 'bytes' | 'vote'>, own: Vote): void {
    const certificate = vote && this.#o.replica.certify(head, [vote, own]);
    if (!certificate) return;
    try {
      this.#o.replica.decide(bytes, certificate);
    } catch (thrown) {
      this.#o.logger.error(errorFields(thrown), 'a block with two votes could not be stored');
    }
  }

  decide(from: number, { bytes, certificate }: CertifiedBlock): bigint {
    const { replica, catchUp, logger } = this.#o;
    try {
      if (certificate.head.height > replica.height() + 1n) void catchUp.from(from);
      else replica.decide(bytes, certificate);
    } catch (thrown) {
      if (!(thrown instanceof ReplicaError)) throw thrown;
      logger.warn({ peer: from, ...errorFields(thrown) }, 'a peer sent a block that is not decided');
    }
    return replica.height();
  }

  getVote(_from: number, height: bigint): VoteAnswer {
    const { decided, own } = this.#o.replica.ballot();
    if (own?.head.height !== height && height > decided) this.#noneGiven += 1;
    return own ? { height: decided, found: { bytes: own.bytes, stateRoot: own.head.stateRoot, vote: own.vote } } : { height: decided };
  }

  *sync(from: bigint): Generator<CertifiedBlock> {
    for (let at = from; at < from + BigInt(SYNC_MOST); at += BigInt(SYNC_PAGE)) {
      const page = this.#o.disk.blocks(at, SYNC_PAGE);
      yield* page;
      if (page.length < SYNC_PAGE) return;
    }
  }
}

const decoded = (bytes: Uint8Array): Block | undefined => {
  try {
    return decodeBlock(bytes);
  } catch {
    return undefined; // a peer's rubbish is an answer, not an error
  }
};
