/** Activation as the local door offers it: the webhook is made when it is used, so that a key may come later than the Vault. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VaultSpec } from '@scs/protocol';
import type { Logger } from '../logger.ts';
import type { VaultStore } from '../store/vault-store.ts';
import { activate, audiences, type Activated } from './activate.ts';
import { httpWebhook, webhookUrl, type Webhook } from './webhook.ts';

export interface ActivationDoor {
  /** One line an audience. Throws StoreError. */
  readonly list: () => Promise<readonly string[]>;
  /** Throws ActivationError, WebhookError and StoreError. */
  readonly activate: (task: string, message: string) => Promise<Activated>;
}
export class ActivationError extends Error {
  readonly code: 'ActivationNotConfigured' | 'ActivationKeyMissing';
  constructor(code: ActivationError['code'], message: string) {
    super(message);
    this.name = 'ActivationError';
    this.code = code;
  }
}
export interface DoorOptions {
  readonly store: VaultStore;
  readonly manifest: Pick<VaultSpec, 'activation'>;
  /** Folder with the file `key`, and `ca.crt` where the webhook's certificate is of an own authority. */
  readonly keyFolder: string | undefined;
  readonly log: Logger;
  /** Civil time in milliseconds. */
  readonly now: () => number;
}

const webhookOf = async ({ manifest, keyFolder, now }: DoorOptions): Promise<Webhook> => {
  if (!manifest.activation || keyFolder === undefined)
    throw new ActivationError('ActivationNotConfigured', 'the manifest has no spec.activation: say where activations go');
  const key = await readFile(join(keyFolder, 'key')).catch(() => {
    throw new ActivationError('ActivationKeyMissing', `the Secret ${manifest.activation!.keySecret} has no entry "key"`);
  });
  // Absent where a public authority issued the certificate.
  const ca = await readFile(join(keyFolder, 'ca.crt'), 'utf8').catch(() => undefined);
  return httpWebhook(webhookUrl(manifest.activation.url), { key, ...(ca !== undefined && { ca }) }, now);
};

export const activationDoor = (options: DoorOptions): ActivationDoor => ({
  list: async () =>
    (await audiences(options)).map(
      ({ task, submitter, expires }) => `${task}  of ${submitter}  until ${new Date(Number(expires)).toISOString()}`,
    ),
  activate: async (task, message) => activate(task, message, { ...options, webhook: await webhookOf(options) }),
});
