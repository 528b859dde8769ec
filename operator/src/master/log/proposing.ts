/** The Lease holder's rounds: hear, choose, vote, collect a second vote, tell (rules in `voting.ts`). One block in flight. */
import { blobDigest, blockDigest, decodeBlock, encodeCommand, headOf, type Command, type Vote } from '@scs/protocol';
import type { Clock } from '../../kube/clock.ts';
import { backoffMs } from '../../kube/backoff.ts';
import { type Logger, errorFields } from '../../kube/logger.ts';
import { buildBlock, type Chosen } from './build-block.ts';
import type { CatchUp } from './catch-up.ts';
import type { CoSigner } from './co-signer.ts';
import type { Candidates } from './log.ts';
import type { Peer, ProposeAnswer } from './peers.ts';
import type { Pool } from './pool.ts';
import type { Replica } from './replica.ts';
import type { Rules } from './rules-port.ts';
import { mayOriginate, nextStep, type Heard, type VotedBlock } from './voting.ts';

export interface ProposingOptions {
  readonly replica: Replica;
  readonly coSigner: CoSigner;
  readonly catchUp: CatchUp;
  readonly pool: Pool;
  readonly candidates: Candidates;
  readonly rules: Rules;
  readonly peers: readonly Peer[];
  readonly index: number;
  readonly genesis: string;
  readonly generation: bigint;
  /** T5's bound, milliseconds. */
  readonly clockBoundMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Told how long a round took from vote to certificate, milliseconds. */
  readonly onRound?: (ms: number, commands: number) => void;
}
/** `resign`: this holder can't get on, another may. */
export type TermEnd = 'ended' | 'resign';
type Outcome = 'decided' | 'again' | 'idle' | 'failed' | 'blocked';

/** How long an idle holder waits before it looks again for what has become due. */
const IDLE_MS = 100;
const FAILURES_BEFORE_RESIGNING = 8;
const retry = { baseMs: 40, capMs: 1_000 };
/** Of the bound on a block's time, one part goes to making it. */
const MAKING_SHARE = 5;
/** How long a peer whose vote wasn't needed has to answer before it is sent the decision. */
const LATE_VOTE_MS = 100;

/** Commands on which masters look at the world: peers are asked before a vote is spent on them. */
const worldly: ReadonlySet<Command['type']> = new Set(['task.admit', 'task.cancel', 'chain.observed', 'aggregate.evidence', 'tick']);
/** Answers that another try may change. A first proposal that came late is in time as one proposed again (T5). */
const transient = new Set(['Busy', 'Behind', 'Unavailable', 'Barred', 'VotedOtherwise', 'TimeOutOfBound']);

const commandDigest = (command: Command): string => blobDigest(encodeCommand(command));

export class Proposing {
  readonly #o: ProposingOptions;
  /** A "none" answer for this height, and the count of own ones when it was asked for. */
  #clear: { readonly height: bigint; readonly asked: number } | undefined;
  /** Commands that the others doubt: left out of the next block, so that the rest goes on. */
  readonly #setAside = new Set<string>();
  #woken = new AbortController();
  /**
   * How long a block may take to make, milliseconds. It is applied again here and decoded at the voters before they look at its
   * time, so a large one would always come late (T5): halved when one did, doubled again when one was decided.
   */
  #makingMs: number;

  constructor(options: ProposingOptions) {
    this.#o = options;
    this.#makingMs = options.clockBoundMs / MAKING_SHARE;
  }

  #late(answers: readonly (ProposeAnswer | undefined)[]): void {
    if (answers.some((a) => a?.code === 'TimeOutOfBound')) this.#makingMs = Math.max(1, this.#makingMs / 2);
  }

  wake(): void {
    this.#woken.abort();
  }

  /** Rounds until the term ends or nothing moves any more. */
  async term(signal: AbortSignal): Promise<TermEnd> {
    const { clock, random, replica, logger } = this.#o;
    this.#clear = undefined;
    let failures = 0;
    while (!signal.aborted) {
      if (replica.halted()) return 'resign';
      const outcome = await this.#round(signal);
      failures = outcome === 'failed' ? failures + 1 : 0;
      if (outcome === 'blocked' || failures >= FAILURES_BEFORE_RESIGNING) {
        logger.warn({ outcome, height: Number(replica.height()) }, 'this master can not get on; it leaves the lease to another');
        return 'resign';
      }
      if (outcome === 'failed') await clock.sleep(backoffMs(failures, retry, random), signal);
      if (outcome === 'idle') await this.#pause(signal);
    }
    return 'ended';
  }

  async #pause(signal: AbortSignal): Promise<void> {
    if (this.#woken.signal.aborted) this.#woken = new AbortController();
    else await this.#o.clock.sleep(IDLE_MS, AbortSignal.any([signal, this.#woken.signal]));
    if (this.#woken.signal.aborted) this.#woken = new AbortController();
  }

  async #round(signal: AbortSignal): Promise<Outcome> {
    const { replica, coSigner } = this.#o;
    const next = replica.height() + 1n;
    const clear = this.#clear;
    if (clear?.height === next && mayOriginate(replica.ballot(), clear.asked, coSigner.noneGiven()))
      return this.#originate(clear.asked, signal);
    const asked = coSigner.noneGiven();
    const heard = await this.#hear(next);
    if (signal.aborted) return 'again';
    const refused = new Set<string>();
    for (;;) {
      const step = nextStep(replica.ballot(), heard, refused);
      switch (step.kind) {
        case 'catchUp':
          await this.#o.catchUp.from(step.from);
          return replica.height() >= next ? 'again' : 'failed';
        case 'conclude':
          return this.#decide(step.block.bytes, step.block, step.votes) ? 'decided' : 'failed';
        case 'repropose':
          return this.#collect(step.own, true, signal);
        case 'originate':
          this.#clear = { height: next, asked };
          return this.#originate(asked, signal);
        case 'wait':
          if (step.why === 'BlankDisk') return replica.ballot().bar > 2n ** 61n ? 'failed' : 'blocked';
          return step.why === 'TwoVotesFound' || step.why === 'OneSilent' ? 'blocked' : 'failed';
        case 'examine': {
          const outcome = await this.#adopt(step.found);
          if (outcome !== 'refused') return outcome;
          refused.add(step.found.head.block);
        }
      }
    }
  }

  async #hear(height: bigint): Promise<readonly Heard[]> {
    const answers = await Promise.all(this.#o.peers.map((peer) => this.hearOne(peer, height)));
    return answers.filter((a) => a !== undefined);
  }

  /** undefined when the peer is silent or shows a vote that isn't its own. */
  async hearOne(peer: Peer, height: bigint): Promise<Heard | undefined> {
    const { replica, genesis, logger } = this.#o;
    try {
      const { height: decided, found } = await peer.getVote(height);
      if (!found) return { master: peer.index, decided };
      const head = headOf(decodeBlock(found.bytes), genesis, found.stateRoot);
      if (found.vote.master !== peer.index || !replica.voteFits(head, found.vote)) throw new Error('the vote shown is not the peer’s');
      return { master: peer.index, decided, found: { head, bytes: found.bytes, vote: found.vote } };
    } catch (thrown) {
      logger.info({ peer: peer.index, ...errorFields(thrown) }, 'a peer was not heard');
      return undefined;
    }
  }

  async #adopt(found: VotedBlock): Promise<Outcome | 'refused'> {
    const { coSigner, logger } = this.#o;
    const block = decodeBlock(found.bytes);
    const examined = await coSigner.examine(block, found.bytes, found.head.stateRoot, true);
    if (!examined.ok) {
      logger.warn(
        { code: examined.answer.code, maker: block.proposer },
        'a vote found at another master is for a block that does not fit here',
      );
      return transient.has(examined.answer.code) ? 'failed' : 'refused';
    }
    const answer = coSigner.adopt(examined.evaluated, found.vote);
    if (answer.vote) this.#tell(found.bytes, new Set());
    return answer.vote ? 'decided' : 'again';
  }

  async #originate(asked: number, signal: AbortSignal): Promise<Outcome> {
    const { replica, coSigner, logger } = this.#o;
    const chosen = this.#build();
    if (!chosen) return 'idle';
    if (chosen.block.commands.some((c) => worldly.has(c.type))) {
      const fits = await this.#askFirst(chosen);
      if (fits !== 'fits') return fits;
    }
    const evaluation = replica.evaluate(chosen.bytes);
    if (!evaluation.ok) {
      logger.error({ code: evaluation.fault.code }, `a block made here is refused by the rules: ${evaluation.fault.message}`);
      return 'failed';
    }
    if (signal.aborted || !mayOriginate(replica.ballot(), asked, coSigner.noneGiven())) return 'again';
    return this.#collect(replica.vote(evaluation.evaluated), false, signal);
  }

  #build(): Chosen | undefined {
    const { replica, rules, pool, candidates, clock, index, generation } = this.#o;
    const state = replica.state();
    const time = Math.max(clock.now(), replica.time());
    const submitted = pool.commands();
    const fromPool = new Set(submitted);
    const gathered = candidates.take(state, time);
    const offered = new Set(gathered);
    const aside = new Set(this.#setAside);
    this.#setAside.clear();
    const end = clock.now() + this.#makingMs;
    return buildBlock({
      rules,
      state,
      enough: () => clock.now() >= end,
      base: { height: replica.height() + 1n, generation, parent: replica.parent(), time, proposer: index },
      commands: [...rules.next(state, time), ...submitted, ...gathered].filter((c) => aside.size === 0 || !aside.has(commandDigest(c))),
      refused: (command, { code, message }) => {
        if (fromPool.has(command)) pool.refused(command, code, message);
        if (offered.has(command)) candidates.refused(command, code, message);
      },
    });
  }

  /** What the others would say; what both refuse is taken out of the running, so that no vote is spent on it. */
  async #askFirst({ bytes, block }: Chosen): Promise<'fits' | Outcome> {
    const { replica, peers } = this.#o;
    const evaluation = replica.evaluate(bytes);
    if (!evaluation.ok) return 'failed';
    const message = { bytes, stateRoot: evaluation.evaluated.head.stateRoot, again: false };
    const answers = await Promise.all(peers.map((peer) => this.#ask(peer, message)));
    if (answers.some((a) => a?.code === '')) return 'fits';
    this.#late(answers);
    const ahead = answers.findIndex((a) => a !== undefined && a.height > replica.height());
    if (ahead >= 0) {
      await this.#o.catchUp.from(peers[ahead]!.index);
      return 'again';
    }
    const heard = answers.filter((a) => a !== undefined);
    const doubted = heard.flatMap((a) => (a.command === undefined ? [] : [{ ...a, refused: block.commands[a.command] }]));
    const final = heard.length === peers.length && !heard.some((a) => transient.has(a.code));
    for (const { refused, code, message: why } of doubted) {
      if (!refused) continue;
      this.#setAside.add(commandDigest(refused));
      this.#o.candidates.refused(refused, code, why);
      if (final) this.#o.pool.refused(refused, code, why);
    }
    return doubted.length > 0 ? 'again' : 'failed';
  }

  async #ask(peer: Peer, message: Parameters<Peer['propose']>[0]): Promise<ProposeAnswer | undefined> {
    try {
      return await peer.propose(message);
    } catch (thrown) {
      this.#o.logger.info({ peer: peer.index, ...errorFields(thrown) }, 'a peer did not answer a proposal');
      return undefined;
    }
  }

  /** Shows the own stored vote to both peers; the first valid vote in return decides. */
  async #collect(own: VotedBlock, again: boolean, signal: AbortSignal): Promise<Outcome> {
    const { replica, coSigner, peers, clock } = this.#o;
    const startedAt = clock.now();
    const asked = coSigner.noneGiven();
    const message = { bytes: own.bytes, stateRoot: own.head.stateRoot, vote: own.vote, again };
    const voted = new Set<number>();
    const decided = Promise.withResolvers<boolean>();
    const answers = peers.map(async (peer) => {
      const answer = await this.#ask(peer, message);
      if (answer?.vote?.master !== peer.index || !replica.voteFits(own.head, answer.vote)) return { peer, answer };
      voted.add(peer.index);
      if (replica.height() < own.head.height) decided.resolve(this.#decide(own.bytes, own, [own.vote, answer.vote], voted));
      return { peer, answer };
    });
    const all = Promise.all(answers);
    const quick = await Promise.race([decided.promise, all]);
    if (quick === true) {
      this.#makingMs = Math.min(this.#o.clockBoundMs / MAKING_SHARE, this.#makingMs * 2);
      this.#clear = { height: own.head.height + 1n, asked };
      this.#o.onRound?.(clock.now() - startedAt, decodeBlock(own.bytes).commands.length);
      return 'decided';
    }
    return signal.aborted ? 'again' : this.#unanswered(await all);
  }

  async #unanswered(answers: readonly { peer: Peer; answer: ProposeAnswer | undefined }[]): Promise<Outcome> {
    const { replica, catchUp } = this.#o;
    this.#late(answers.map(({ answer }) => answer));
    const ahead = answers.find(({ answer }) => answer !== undefined && answer.height > replica.height());
    if (ahead) {
      const before = replica.height();
      await catchUp.from(ahead.peer.index);
      return replica.height() > before ? 'again' : 'failed';
    }
    const refusals = answers.filter(({ answer }) => answer !== undefined && !transient.has(answer.code));
    for (const { peer, answer } of refusals)
      this.#o.logger.warn({ peer: peer.index, code: answer?.code }, `a peer refuses the block: ${answer?.message ?? ''}`);
    return refusals.length === answers.length ? 'blocked' : 'failed';
  }

  #decide(bytes: Uint8Array, { head }: VotedBlock, votes: readonly Vote[], voted: ReadonlySet<number> = new Set()): boolean {
    const { replica, logger } = this.#o;
    const certificate = replica.certify(head, votes);
    if (!certificate) return false;
    try {
      replica.decide(bytes, certificate);
    } catch (thrown) {
      logger.error(errorFields(thrown), 'a certified block could not be stored');
      return false;
    }
    this.#tell(bytes, voted);
    return true;
  }

  /** Sends the decision to whoever has not voted for it, and so may not know. Nothing waits for it. */
  #tell(bytes: Uint8Array, voted: ReadonlySet<number>): void {
    const { replica, peers, clock, logger } = this.#o;
    const certificate = replica.certificate();
    if (!certificate || certificate.head.block !== blockDigest(decodeBlock(bytes))) return;
    const send = async (peer: Peer): Promise<void> => {
      await clock.sleep(LATE_VOTE_MS);
      if (voted.has(peer.index)) return;
      try {
        await peer.decide({ bytes, certificate });
      } catch (thrown) {
        logger.info({ peer: peer.index, ...errorFields(thrown) }, 'a decision did not reach a peer; it will fetch it');
      }
    };
    for (const peer of peers) void send(peer);
  }
}
