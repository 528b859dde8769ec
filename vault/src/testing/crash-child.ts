/**
 * A Vault process for crash tests: does what the parent asks, with the parent as its masters, and kills itself with SIGKILL at
 * the step whose number it was given (0: never). Arguments: data folder, step.
 */
import { VaultSpec, type CertifiedLeaf, type Command, type Genesis } from '@scs/protocol';
import { Follower } from '../follow.ts';
import { silent } from '../logger.ts';
import { openSlice, type SealedPart } from '../open-slice.ts';
import { release, type ReleaseAsked, type ReleaseContext } from '../release.ts';
import type { Refusal } from '../refusal.ts';
import { certifiedTask } from '../certified.ts';
import { openStore } from './a-store.ts';

export type Ask =
  | { readonly what: 'settle'; readonly task: string }
  | { readonly what: 'revoke'; readonly subject: string }
  | { readonly what: 'close' }
  | { readonly what: 'open'; readonly task: string; readonly sealKey: string }
  | { readonly what: 'release'; readonly asked: ReleaseAsked };
export type Told =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly steps: number; readonly refusal?: Refusal | undefined; readonly parts?: readonly SealedPart[] }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'submit'; readonly id: number; readonly command: Command }
  | { readonly kind: 'leaf'; readonly id: number; readonly key: string };
export interface Reply {
  readonly id: number;
  readonly value: unknown;
}
export interface Start {
  readonly genesis: Genesis;
  readonly genesisDigest: string;
  readonly manifest: VaultSpec;
  readonly vault: string;
}

const [folder, at] = process.argv.slice(2);
let steps = 0;
const step = (): void => {
  steps++;
  if (steps === Number(at)) process.kill(process.pid, 'SIGKILL');
};
const tell = (told: Told): void => void process.send!(told);

const waiting = new Map<number, (value: unknown) => void>();
let asked = 0;
const ask = (told: { kind: 'submit'; command: Command } | { kind: 'leaf'; key: string }): Promise<unknown> =>
  new Promise((resolve) => {
    const id = ++asked;
    waiting.set(id, resolve);
    tell({ ...told, id });
  });
const masters = {
  submit: async (command: Command) => {
    step();
    const reply = await ask({ kind: 'submit', command });
    step();
    return reply as { ok: true; height: bigint };
  },
  getLeaf: async (key: string) => (await ask({ kind: 'leaf', key })) as CertifiedLeaf | undefined,
  watchTasks: () => {
    throw new Error('not watched');
  },
};

const run = async (context: ReleaseContext, request: Ask): Promise<Told> => {
  const { store } = context;
  switch (request.what) {
    case 'settle': {
      const record = await certifiedTask(masters, request.task);
      if (record) await new Follower({ ...context, masters, log: silent }).settle(record);
      return { kind: 'done', steps };
    }
    case 'revoke':
      await store.consent({ subject: request.subject, usage: 'marketing', state: 'revoked', time: Date.now() });
      return { kind: 'done', steps };
    case 'open': {
      const opened = await openSlice(request.task, request.sealKey, context);
      if (!opened.ok) return { kind: 'done', steps, refusal: opened.refusal };
      const parts: SealedPart[] = [];
      for await (const part of opened.parts) parts.push(part);
      return { kind: 'done', steps, parts };
    }
    case 'release': {
      const released = await release(request.asked, context);
      return { kind: 'done', steps, refusal: released.ok ? undefined : released.refusal };
    }
    case 'close':
      await store.close();
      return { kind: 'done', steps };
  }
};

let context: ReleaseContext | undefined;
const begin = async ({ genesis, genesisDigest, manifest, vault }: Start): Promise<void> => {
  const store = await openStore(folder!, { vault, onStep: step });
  context = { store, masters, genesis, genesisDigest, manifest };
  tell({ kind: 'ready' });
};
const handle = async (message: Reply | Ask | Start): Promise<void> => {
  if ('id' in message) {
    waiting.get(message.id)?.(message.value);
    waiting.delete(message.id);
  } else if ('genesis' in message) await begin(message);
  else tell(await run(context!, message));
};
process.on('message', (message: Reply | Ask | Start) => {
  handle(message).catch((error: unknown) => tell({ kind: 'failed', message: String(error) }));
});
