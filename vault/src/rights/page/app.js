/** The page of a data subject: sign in, see, grant, revoke, export, erase. */
import { beginLogin, endLogin } from './login.js';
import { Session } from './session.js';
import { button, element, orNothing, table, time, usageText, usedText } from './show.js';

const at = (id) => document.getElementById(id);
const say = (text) => at('status').replaceChildren(text);
/** Runs what a person asked for, and says how it went. */
const doing = (work, done) => {
  say('One moment …');
  Promise.resolve()
    .then(work)
    .then(
      () => say(done),
      (error) => say(error.message),
    );
};
/** Where the keyboard goes next. */
const moveTo = (id) => {
  const target = at(id);
  target.setAttribute('tabindex', '-1');
  target.focus();
};

const showConsents = (session, { consents }) => {
  const row = ({ usage, state }) => {
    const box = element('input', { type: 'checkbox', role: 'switch', id: `consent-${usage}`, checked: state === 'granted' });
    box.addEventListener('change', () => {
      const wanted = box.checked ? 'granted' : 'revoked';
      const change = async () => {
        try {
          await session.ask('PUT', `/v1/consents/${usage}`, { state: wanted });
        } catch (error) {
          box.checked = !box.checked;
          throw error;
        }
      };
      doing(change, `${usageText(usage)} – ${wanted}.`);
    });
    return element('li', { class: 'consent' }, box, element('label', { for: box.id }, usageText(usage)));
  };
  at('consents').replaceChildren(...consents.map(row));
};

const showHeld = ({ domains }) =>
  at('held').replaceChildren(
    ...domains.map(({ domain, total, columns, records }) =>
      orNothing(records, () =>
        table(
          `${domain}: ${total} records${records.length < Number(total) ? `, the first ${records.length}` : ''}`,
          columns,
          records.map((record) => columns.map((name) => record[name])),
        ),
      ),
    ),
  );

const showUses = ({ uses, budgets, accesses }) => {
  const use = ({ task, usage, domain, submitter, reservedAt, releasedAt, state, microRho }) => [
    submitter.name ?? submitter.address,
    usage,
    domain,
    time(reservedAt),
    state === 'committed' ? `used ${releasedAt === null ? '' : time(releasedAt)}` : 'under way',
    microRho,
    task,
  ];
  const heads = ['Who', 'For', 'Domain', 'Asked', 'Result', 'Charge (micro-rho)', 'Task'];
  at('uses').replaceChildren(orNothing(uses, () => table('Tasks', heads, uses.map(use))));
  const budget = (of) => [of.domain, of.usage, usedText(of), of.spent, of.reserved, of.limit];
  at('budgets').replaceChildren(table('Budgets (micro-rho)', ['Domain', 'For', 'Used', 'Spent', 'Reserved', 'Limit'], budgets.map(budget)));
  const access = ({ time: when, what, by }) => [time(when), what, by];
  at('accesses').replaceChildren(orNothing(accesses, () => table('Looks at your data', ['When', 'What', 'By'], accesses.map(access))));
};

const save = (blob, name) => {
  const link = element('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
};
const showExports = (session, { domains }) => {
  const download = (text, path, name) =>
    button(text, () => doing(async () => save(await session.file(path), name), `${name} was downloaded.`));
  at('exports').replaceChildren(
    download('Download all (JSON)', '/v1/export', 'export.json'),
    ...domains.flatMap((domain) => [
      ' ',
      download(`Download ${domain} (CSV)`, `/v1/export?format=csv&domain=${encodeURIComponent(domain)}`, `${domain}.csv`),
    ]),
  );
};

const showKeys = (session, { keys }) => {
  const row = ({ publicKey, since }) => {
    const remove = () =>
      doing(async () => {
        showKeys(session, await session.ask('DELETE', `/v1/keys/${publicKey}`));
        moveTo('keys-title');
      }, 'The key was removed.');
    return element(
      'li',
      {},
      element('code', {}, publicKey),
      ` since ${time(since)} `,
      button('Remove', remove, { 'aria-label': `Remove key ${publicKey.slice(0, 8)}` }),
    );
  };
  at('keys').replaceChildren(...keys.map(row));
};

const refresh = async (session, service) => {
  const [consents, held, uses, keys] = await Promise.all(
    ['consents', 'held', 'uses', 'keys'].map((name) => session.ask('GET', `/v1/${name}`)),
  );
  showConsents(session, consents);
  showHeld(held);
  showUses(uses);
  showKeys(session, keys);
  showExports(session, service);
};
const enter = async (session, service) => {
  await refresh(session, service);
  at('sign-in').hidden = true;
  at('data').hidden = false;
  moveTo('consents-title');
};
const leave = (session) => {
  session.signOut();
  at('data').hidden = true;
  at('sign-in').hidden = false;
  for (const id of ['consents', 'held', 'uses', 'budgets', 'accesses', 'keys', 'exports']) at(id).replaceChildren();
  moveTo('sign-in-title');
};

const onSubmit = (form, work, done) =>
  at(form).addEventListener('submit', (event) => {
    event.preventDefault();
    doing(work, done);
  });

const connect = (session, service) => {
  onSubmit(
    'key-form',
    async () => {
      const field = at('seed');
      await session.useSeed(field.value);
      field.value = '';
      await enter(session, service);
    },
    'You are signed in.',
  );
  onSubmit(
    'new-key-form',
    async () => {
      const field = at('new-key');
      showKeys(session, await session.ask('POST', '/v1/keys', { publicKey: field.value.toLowerCase() }));
      field.value = '';
    },
    'The key was added.',
  );
  onSubmit(
    'erase-form',
    async () => {
      at('erase-dialog').close();
      await session.ask('POST', '/v1/erase', { confirm: 'erase' });
      leave(session);
    },
    'Your data was erased.',
  );
  at('erase').addEventListener('click', () => {
    at('erase-word').value = '';
    at('erase-dialog').showModal();
  });
  at('erase-cancel').addEventListener('click', () => at('erase-dialog').close());
  at('sign-out').addEventListener('click', () => {
    leave(session);
    say('You are signed out.');
  });
  at('login-button').addEventListener('click', () => doing(() => beginLogin(service.login), ''));
};

const start = async () => {
  const response = await fetch('/v1/service', { credentials: 'omit' });
  if (!response.ok) throw new Error('The Vault does not answer. Come again later.');
  const service = await response.json();
  const session = new Session(service, Date.parse(response.headers.get('date')));
  at('vault').replaceChildren(`At Vault ${service.vault}`);
  at('login').hidden = !service.login;
  at('key-form').hidden = !service.subjectKeys;
  at('sign-in').hidden = false;
  connect(session, service);
  const token = service.login && (await endLogin(service.login));
  if (!token) return;
  session.useToken(token);
  await enter(session, service);
};
doing(start, '');
