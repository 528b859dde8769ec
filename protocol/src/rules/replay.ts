/**
 * Replay (rule X1): the log applied again from genesis, block after block, by whoever has it. Each block must follow the one
 * before, be certified by two masters, and give exactly the certified state.
 */
import type { Genesis } from '../genesis.ts';
import { Block, blockDigest, headOf } from '../block.ts';
import { certificateFault, generationAfter, sameHead, type Certificate } from '../certificate.ts';
import { decodeCanonical, encodeCanonical } from '../encoding/canonical.ts';
import { hex } from '../encoding/bytes.ts';
import type { State } from '../state.ts';
import { committeeOf } from '../succession.ts';
import { applyBlock } from './apply.ts';
import { initialState } from './genesis-state.ts';

/** A decided block as the log is handed on: one line of canonical JSON. */
export interface LoggedBlock {
  readonly block: Block;
  readonly certificate: Certificate;
}
export const encodeLogged = (logged: LoggedBlock): Uint8Array => encodeCanonical(logged);

export interface Replayed {
  readonly state: State;
  /** Of the last block; undefined before the first. */
  readonly certificate?: Certificate;
  readonly blocks: bigint;
  readonly commands: bigint;
}
export interface ReplayFault {
  readonly code: 'LogMalformed' | 'CertificateInvalid' | 'BlockRefused' | 'StateRootMismatch';
  readonly message: string;
}
export type ReplayStep = { readonly ok: true; readonly replayed: Replayed } | { readonly ok: false; readonly fault: ReplayFault };

export const replayStart = (genesis: Genesis): Replayed => ({ state: initialState(genesis), blocks: 0n, commands: 0n });

const no = (code: ReplayFault['code'], message: string): ReplayStep => ({ ok: false, fault: { code, message } });

const decodeLogged = (line: Uint8Array): LoggedBlock | undefined => {
  try {
    const { block, certificate } = decodeCanonical(line) as LoggedBlock;
    const head = certificate.head;
    if (typeof head.height !== 'bigint' || typeof head.stateRoot !== 'string' || !Array.isArray(certificate.votes)) return undefined;
    return { block: Block.parse(block), certificate };
  } catch {
    return undefined; // whatever is wrong with it, it is no line of a log
  }
};

/** One line of the log on what came before it. Hostile lines give a fault, never an exception. */
export const replayNext = (
  at: Replayed,
  line: Uint8Array,
  group: { readonly genesis: Genesis; readonly genesisDigest: string },
): ReplayStep => {
  const logged = decodeLogged(line);
  if (!logged) return no('LogMalformed', 'the line is no decided block in canonical JSON');
  const { block, certificate } = logged;
  const committee = committeeOf(group.genesis);
  const fault = certificateFault(certificate, group.genesisDigest, committee);
  if (fault) return no('CertificateInvalid', `two masters did not certify it: ${fault.code}`);
  // Before anything is applied: only what two masters certified may reach the rules.
  if (blockDigest(block) !== certificate.head.block) return no('CertificateInvalid', 'the certificate is of another block');
  if (generationAfter(committee, { height: block.height - 1n, stateRoot: hex(at.state.root()) }) !== block.generation)
    return no('CertificateInvalid', 'it is of another generation than follows here');
  const applied = applyBlock(at.state, block, group);
  if (!applied.ok) return no('BlockRefused', `the rules refuse it: ${applied.fault.code}: ${applied.fault.message}`);
  if (!sameHead(headOf(block, group.genesisDigest, hex(applied.state.root())), certificate.head))
    return no('StateRootMismatch', 'it gives another state than the certified one');
  const replayed = { state: applied.state, certificate, blocks: at.blocks + 1n, commands: at.commands + BigInt(block.commands.length) };
  return { ok: true, replayed };
};
