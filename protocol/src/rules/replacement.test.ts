/** G5, P5: a master's key replaced by governance: who may, when it counts, and that nobody of before certifies anything after. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Block } from '../block.ts';
import { certificateFault, type Certificate } from '../certificate.ts';
import { Command } from '../commands.ts';
import { genesisDigest, type Genesis } from '../genesis.ts';
import { committeeKey, encodeCommittee } from '../settlement-layout.ts';
import { committeeOf, decodeGenesisFile, encodeGenesisFile, succeeded, successionOf, type ReplacementLink } from '../succession.ts';
import { aGenesis } from '../testing/genesis.ts';
import { masterKey, testKey } from '../testing/keys.ts';
import { certificateOf, replacementCommand, replacementLink, type ReplacementOptions } from '../testing/replacement.ts';
import { applyBlock } from './apply.ts';
import { initialState } from './genesis-state.ts';
import { encodeLogged, replayNext, replayStart } from './replay.ts';

const recovery = testKey('recovery of the test');
const genesis = { ...aGenesis(), recoveryKeys: [recovery.publicKey, ...aGenesis().recoveryKeys.slice(1)] };
const group = genesisDigest(genesis);
const epochMs = genesis.policy.epoch.lengthMs;

/** A log: each block is certified by the first two masters of its time. */
class Log {
  genesis: Genesis = genesis;
  state = initialState(genesis);
  /** Number of each master's key. */
  readonly keys = [0, 1, 2];
  readonly lines: Uint8Array[] = [];
  readonly certificates: Certificate[] = [];
  #time = genesis.time;

  next(...commands: Command[]): Block {
    const { height, block: parent } = this.state.must('meta');
    const { generation } = committeeOf(this.genesis);
    return { height: height + 1n, generation, parent, time: this.#time, proposer: 0, commands };
  }
  try(...commands: Command[]) {
    return applyBlock(this.state, this.next(...commands), { genesis: this.genesis, genesisDigest: group });
  }
  faultOf(...commands: Command[]): string | undefined {
    const applied = this.try(...commands);
    return applied.ok ? undefined : applied.fault.code;
  }
  block(...commands: Command[]): Certificate {
    const block = this.next(...commands);
    const applied = this.try(...commands);
    if (!applied.ok) throw new Error(`${applied.fault.code}: ${applied.fault.message}`);
    this.state = applied.state;
    const certificate = certificateOf(block, group, this.state, [[0, this.keys[0]!], [1, this.keys[1]!]]); // prettier-ignore
    this.lines.push(encodeLogged({ block, certificate }));
    this.certificates.push(certificate);
    return certificate;
  }
  endEpoch(): Certificate {
    this.#time = this.state.must('meta').epochStart + epochMs;
    return this.block({ type: 'tick' });
  }
  replace(options: ReplacementOptions): Command {
    const generation = committeeOf(this.genesis).generation + 1n;
    const by = [0, 2].map((master) => [master, this.keys[master]!] as const);
    return replacementCommand(group, { by, ...options, terms: { generation, ...options.terms } });
  }
  /** Goes on with the file that the masters' last block gives. */
  succeed(certificate: Certificate): ReplacementLink {
    const link = replacementLink(this.state, certificate);
    const { first, links } = successionOf(this.genesis);
    this.genesis = decodeGenesisFile(encodeGenesisFile(first, [...links, link]));
    return link;
  }
}
/** Master 1 has another key from the end of the epoch on. */
const replaced = (): { log: Log; link: ReplacementLink } => {
  const log = new Log();
  log.block(log.replace({ master: 1, key: 7 }));
  return { log, link: log.succeed(log.endEpoch()) };
};

describe('G5: replacing a master', () => {
  test('is noted, and takes effect with the block that ends the epoch, which is the last of its masters', () => {
    const log = new Log();
    log.block(log.replace({ master: 1, key: 7 }));
    log.block();
    expect(log.state.get('succession', '1')).toBeUndefined();
    const end = log.endEpoch();
    expect(log.state.get('succession', '1')).toMatchObject({ last: end.head.height, seat: { terms: { master: 1 } } });
    const keys = [0, 7, 2].map((n) => masterKey(n).publicKey);
    expect(log.state.map.get(committeeKey(1n))).toEqual(encodeCommittee({ generation: 1n, keys }));
    expect(log.state.get('replacement')).toBeUndefined();
    expect(log.faultOf()).toBe('GenerationOver');
  });

  test('the next block is by the next committee; the old key certifies nothing above, the new one nothing below (P5)', () => {
    const { log } = replaced();
    const committee = committeeOf(log.genesis);
    const last = log.certificates.at(-1)!;
    expect(committee).toMatchObject({ generation: 1n, keys: [0, 7, 2].map((n) => masterKey(n).publicKey) });
    expect(log.genesis.masters[1]).toMatchObject({ tlsAuthority: 'the new authority' });
    log.keys[1] = 7;
    const first = log.block();
    expect([last, first].map((c) => certificateFault(c, group, committee))).toEqual([undefined, undefined]);
    const block = log.next();
    const applied = log.try();
    const stateOf = applied.ok ? applied.state : log.state;
    const by = (key: number) => certificateOf(block, group, stateOf, [[1, key], [2, 2]]); // prettier-ignore
    expect(certificateFault(by(7), group, committee)).toBeUndefined();
    expect(certificateFault(by(1), group, committee)).toEqual({ code: 'BadSignature', master: 1 });
    const old = certificateOf({ ...block, generation: 0n }, group, stateOf, [[0, 0], [1, 1]]); // prettier-ignore
    expect(certificateFault(old, group, committee)).toMatchObject({ code: 'WrongGeneration' });
    expect(certificateFault(first, group, committeeOf(genesis))).toMatchObject({ code: 'WrongGeneration' });
  });

  test('X1: the log replays across it, with the file of today alone', () => {
    const { log } = replaced();
    log.keys[1] = 7;
    log.block();
    const replay = (of: Genesis) =>
      log.lines.reduce<string>((code, line) => {
        if (code !== 'ok') return code;
        const step = replayNext(at, line, { genesis: of, genesisDigest: group });
        if (step.ok) at = step.replayed;
        return step.ok ? 'ok' : step.fault.code;
      }, 'ok');
    let at = replayStart(log.genesis);
    expect(replay(log.genesis)).toBe('ok');
    expect(at.state.root()).toEqual(log.state.root());
    at = replayStart(genesis);
    expect(replay(genesis)).toBe('CertificateInvalid');
  });

  test('the new key approves from then on, the old one no more', () => {
    const { log } = replaced();
    log.keys[1] = 7;
    const next = (by: readonly (readonly [number, number])[]) => log.faultOf(log.replace({ master: 0, key: 8, by }));
    expect(next([[1, 7], [2, 2]])).toBeUndefined(); // prettier-ignore
    expect(next([[1, 1], [2, 2]])).toBe('SignatureInvalid'); // prettier-ignore
  });

  test.each<[string, string, (log: Log) => Command]>([
    ['one approves alone', 'SignatureInvalid', (log) => log.replace({ master: 1, key: 7, by: [[0, 0]] })],
    ['one approves twice', 'SignatureInvalid', (log) => log.replace({ master: 1, key: 7, by: [[0, 0], [0, 0]] })], // prettier-ignore
    ['an approval is by another key', 'SignatureInvalid', (log) => log.replace({ master: 1, key: 7, by: [[0, 0], [2, 1]] })], // prettier-ignore
    ['the seat is not signed by the new key', 'SignatureInvalid', (log) => log.replace({ master: 1, key: 7, seatBy: 1 })],
    ['it is for a generation past', 'Conflicts', (log) => log.replace({ master: 1, key: 7, terms: { generation: 0n } })],
    ['it is for a generation to come', 'Conflicts', (log) => log.replace({ master: 1, key: 7, terms: { generation: 2n } })],
    ['the key is another master’s', 'Conflicts', (log) => log.replace({ master: 1, key: 2 })],
    ['the key is the master’s own', 'Conflicts', (log) => log.replace({ master: 1, key: 1 })],
    ['the key is a recovery key', 'Conflicts', (log) => log.replace({ master: 1, key: 7, terms: { publicKey: recovery.publicKey } })],
  ])('refused: %s', (_why, code, command) => {
    const log = new Log();
    expect(log.faultOf(command(log))).toBe(code);
  });
  test('refused: two at once, the same twice, and a key of before', () => {
    const log = new Log();
    log.block(log.replace({ master: 1, key: 7 }));
    expect(log.faultOf(log.replace({ master: 2, key: 8 }))).toBe('Conflicts');
    expect(log.faultOf(log.replace({ master: 1, key: 7, by: [[1, 1], [2, 2]] }))).toBe('AlreadyDecided'); // prettier-ignore
    log.succeed(log.endEpoch());
    expect(log.faultOf(log.replace({ master: 0, key: 1 }))).toBe('Conflicts');
  });
  test('refused: an index beyond the three seats, before anything looks at it', () => {
    const command = new Log().replace({ master: 3, key: 7 });
    expect(Command.safeParse(command).success).toBe(false);
  });
  test('none is brought in the block that hands over', () => {
    const log = new Log();
    log.block(log.replace({ master: 1, key: 7 }));
    const again = log.replace({ master: 2, key: 8 });
    const tick = { ...log.next({ type: 'tick' }, again), time: genesis.time + epochMs };
    expect(applyBlock(log.state, tick, { genesis, genesisDigest: group })).toMatchObject({ ok: false, fault: { code: 'TooLate' } });
  });
});

describe('P5: the link', () => {
  test.each<[string, (link: ReplacementLink) => ReplacementLink]>([
    ['one vote', (l) => ({ ...l, certificate: { ...l.certificate, votes: l.certificate.votes.slice(0, 1) } })],
    ['another height', (l) => ({ ...l, handover: { ...l.handover, last: l.handover.last - 1n } })],
    ['a certificate of another block', (l) => ({ ...l, certificate: replaced().log.certificates[0] as ReplacementLink['certificate'] })],
    ['another seat', (l) => ({ ...l, handover: { ...l.handover, seat: replacementCommand(group, { master: 1, key: 9 }).statement } })],
    ['no path', (l) => ({ ...l, path: [] })],
    ['no path to the committee', (l) => ({ ...l, committeePath: l.committeePath.slice(1) })],
    ['the paths swapped', (l) => ({ ...l, path: l.committeePath, committeePath: l.path })],
  ])('is refused with %s', (_what, change) => {
    const { link } = replaced();
    expect(() => succeeded(genesis, [change(link)])).toThrow('SuccessionInvalid');
    expect(succeeded(genesis, [link]).masters[1]?.publicKey).toBe(masterKey(7).publicKey);
  });
  test('is refused twice, and of another group', () => {
    const { link } = replaced();
    expect(() => succeeded(genesis, [link, link])).toThrow('SuccessionInvalid');
    expect(() => succeeded({ ...genesis, name: 'another' }, [link])).toThrow('SuccessionInvalid');
  });
});

test('P5: whoever is replaced, one after the other, each height has one committee, and each certificate holds in it alone', () => {
  const seats = fc.array(fc.record({ master: fc.nat({ max: 2 }), idle: fc.nat({ max: 2 }) }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(seats, (replacements) => {
      const log = new Log();
      const committees = [committeeOf(log.genesis)];
      for (const [i, { master, idle }] of replacements.entries()) {
        for (let n = 0; n < idle; n += 1) log.block();
        log.block(log.replace({ master, key: 20 + i }));
        log.succeed(log.endEpoch());
        log.keys[master] = 20 + i;
        committees.push(committeeOf(log.genesis));
        log.block();
      }
      const today = committeeOf(log.genesis);
      for (const certificate of log.certificates) {
        expect(certificateFault(certificate, group, today)).toBeUndefined();
        const { generation, height } = certificate.head;
        for (const claimed of committees.map((c) => c.generation).filter((g) => g !== generation))
          expect(certificateFault({ ...certificate, head: { ...certificate.head, generation: claimed } }, group, today)).toMatchObject({
            code: 'WrongGeneration',
          });
        expect(height > (today.former?.[Number(generation)]?.last ?? height)).toBe(false);
      }
    }),
    { numRuns: 25, seed: 4 },
  );
});
