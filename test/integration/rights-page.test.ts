/** C4: the page for data subjects in Debian's Chromium: on a phone, by keyboard alone, by a person who relies on labels. */
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { actorKey } from '@scs/protocol/testing/keys.ts';
import type { RightsServer } from '@scs/vault/rights/server.ts';
import { consentsBy, heldBy } from '@scs/vault/store/subject-view.ts';
import type { VaultStore } from '@scs/vault/store/vault-store.ts';
import { OURS, ROASTERY } from '@scs/vault/testing/a-group.ts';
import { openRights, rightsManifest } from '@scs/vault/testing/a-rights.ts';
import { aFolder, bought, DOMAIN, fill, granted, openStore } from '@scs/vault/testing/a-store.ts';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { issue, newAuthority } from '../cluster/certificates.ts';
import { openBrowser } from './browser/chromium.ts';
import { openIssuer, type LoginServer } from './browser/issuer.ts';

// Chromium drops requests whenever an interface of the machine comes or goes, as those of pods on the embedded cluster do.
const again = { retry: 3 };
const CLIENT = 'vault-page';
const HOSTILE = '<img src=x onerror="document.title=1">';
const PHONE = { width: 360, height: 740 };
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const certificate = issue(newAuthority('a browser test'), { user: 'vault' }, ['localhost']);

let browser: Browser;
let issuer: LoginServer;
let store: VaultStore;
let server: RightsServer;
let context: BrowserContext;
let page: Page;
let remove: () => Promise<void>;
let complaints: string[];

beforeAll(async () => {
  browser = await openBrowser();
  issuer = await openIssuer(certificate, CLIENT, () => ({ sub: 'ann' }));
});
afterAll(async () => {
  await browser.close();
  await issuer.close();
});
beforeEach(async () => {
  const made = await aFolder();
  ({ remove } = made);
  store = await openStore(made.folder, { vault: OURS });
  await fill(store, [bought('ann'), { ...bought('ann'), commodity: HOSTILE }, bought('bob')], ['ann', 'bob'].map(granted));
  await store.reserve({ task: 'task-1', submitter: ROASTERY, nonce: 'n', domain: DOMAIN, usage: 'marketing', ask: 10n, limit: 100n });
  await store.addKey({ subject: 'ann', publicKey: actorKey('phone').publicKey, by: 'operator' });
  const login = { clientId: CLIENT, authorizationEndpoint: `${issuer.origin}/authorize`, tokenEndpoint: `${issuer.origin}/token` };
  const manifest = rightsManifest('', { oidc: { issuer: issuer.origin, audience: CLIENT, jwks: issuer.jwks, login } });
  const tls = join(made.folder, 'browser-tls');
  await mkdir(tls);
  await writeFile(join(tls, 'tls.crt'), certificate.certificate);
  await writeFile(join(tls, 'tls.key'), certificate.key);
  // The nonces' memory takes nothing signed before it began.
  const began = Date.now() - 60_000;
  let asked = 0;
  server = await openRights(made.folder, store, manifest, { certificate: tls, now: () => (asked++ === 0 ? began : Date.now()) });
  context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: PHONE, hasTouch: true, acceptDownloads: true });
  page = await context.newPage();
  complaints = [];
  page.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())));
  page.on('pageerror', (error) => void complaints.push(error.message));
  await page.goto(`https://localhost:${server.port}/`);
});
afterEach(async () => {
  await context.close();
  await server.close();
  await store.close();
  await remove();
});

const status = () => page.getByRole('status');
const focused = () => page.evaluate<string>("document.activeElement?.id ?? ''");
/** Goes to an element as somebody without a pointer does. */
const tabTo = async (name: string): Promise<void> => {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press('Tab');
    const reached = await page.evaluate<string[]>('[document.activeElement.id, document.activeElement.textContent]');
    if (reached.includes(name)) return;
  }
  throw new Error(`the keyboard does not reach ${name}`);
};
const signInByKey = async (): Promise<void> => {
  await page.getByLabel('Your key').waitFor();
  await tabTo('seed');
  await page.keyboard.type(actorKey('phone').seed);
  await page.keyboard.press('Enter');
  await expect.poll(() => status().textContent(), { timeout: 30_000 }).toBe('You are signed in.');
};
/** What axe finds wrong for people who use a screen reader, a keyboard, or need contrast. */
const barriers = async (): Promise<readonly string[]> => {
  await page.evaluate(axe);
  return page.evaluate<string[]>(
    "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))",
  );
};
const consentsOfAnn = async () => (await consentsBy(store, 'ann')).consents.filter(({ granted: is }) => is).map(({ usage }) => usage);

test('C4: by keyboard alone: signed in by a key, one usage revoked, another granted', again, async () => {
  expect(await barriers()).toEqual([]);
  await signInByKey();
  expect(await focused()).toBe('consents-title');
  expect(await barriers()).toEqual([]);
  await tabTo('consent-marketing');
  await page.keyboard.press('Space');
  await expect.poll(() => status().textContent()).toContain('Marketing: offers and campaigns – revoked.');
  await tabTo('consent-training');
  await page.keyboard.press('Space');
  await expect.poll(() => status().textContent()).toContain('granted');
  expect(await consentsOfAnn()).toEqual(['training']);
  expect(await page.getByRole('switch', { name: 'Marketing: offers and campaigns' }).isChecked()).toBe(false);
  expect(complaints).toEqual([]);
});

test(
  'C4: on a phone, signed in at the issuer: what is held, who used it; nothing needs sideways scrolling; no record becomes markup',
  again,
  async () => {
    await page.getByRole('button', { name: 'Sign in with your account' }).tap();
    await page.getByRole('heading', { name: 'What is held' }).waitFor();
    const held = page.getByRole('region', { name: 'retail.purchase: 2 records' });
    expect(await held.textContent()).toContain(HOSTILE);
    expect(await page.getByRole('region', { name: 'Tasks' }).textContent()).toContain('roastery');
    expect(await page.getByRole('region', { name: 'Budgets' }).textContent()).toContain('1 % used');
    expect(await page.evaluate<boolean>('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    expect(await page.title()).toBe('Your data');
    expect(page.url()).toBe(`https://localhost:${server.port}/`);
    expect(await barriers()).toEqual([]);
    expect(complaints).toEqual([]);
  },
);

test.each`
  button                              | name                     | holds
  ${'Download all (JSON)'}            | ${'export.json'}         | ${'"subject":"ann"'}
  ${'Download retail.purchase (CSV)'} | ${'retail.purchase.csv'} | ${'"25-34","coffee","2017-03-01"'}
`('C4: $button', again, async ({ button, name, holds }: Record<'button' | 'name' | 'holds', string>) => {
  await signInByKey();
  await tabTo(button);
  const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
  expect(download.suggestedFilename()).toBe(name);
  expect(await readFile(await download.path(), 'utf8')).toContain(holds);
  expect(complaints).toEqual([]);
});

test('C4: erasing asks twice, can be left, and signs out', again, async () => {
  await signInByKey();
  await tabTo('erase');
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Erase all of it?' });
  expect(await dialog.isVisible()).toBe(true);
  expect(await barriers()).toEqual([]);
  await page.keyboard.type('no');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
  expect(await dialog.isVisible()).toBe(false);
  expect((await heldBy(store, 'ann', 1))[0]!.total).toBe(2n);
  await page.keyboard.press('Enter');
  await page.keyboard.type('erase');
  await page.keyboard.press('Enter');
  await expect.poll(() => status().textContent()).toBe('Your data was erased.');
  expect((await heldBy(store, 'ann', 1))[0]!.total).toBe(0n);
  expect(await page.getByRole('heading', { name: 'Sign in' }).isVisible()).toBe(true);
  expect(await page.locator('#held').textContent()).toBe('');
  expect(complaints).toEqual([]);
});

test('C4: a key added and removed; a wrong one is told so', again, async () => {
  await signInByKey();
  await tabTo('new-key');
  await page.keyboard.type(actorKey('tablet').publicKey);
  await page.keyboard.press('Enter');
  await expect.poll(() => status().textContent()).toBe('The key was added.');
  const remove = page.getByRole('button', { name: `Remove key ${actorKey('tablet').publicKey.slice(0, 8)}` });
  await remove.tap();
  await expect.poll(() => status().textContent()).toBe('The key was removed.');
  await page.getByRole('button', { name: 'Sign out' }).tap();
  await page.getByLabel('Your key').fill(actorKey('stranger').seed);
  await page.keyboard.press('Enter');
  await expect.poll(() => status().textContent()).toContain('Sign in, or sign the request');
});
