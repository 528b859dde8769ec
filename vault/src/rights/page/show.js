/** Elements of the page. Text is set as text, never as markup. */
export const element = (tag, properties = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') made.addEventListener(name, value);
    else if (value !== false) made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children);
  return made;
};
export const button = (text, click, properties = {}) => element('button', { type: 'button', click, ...properties }, text);

/** A table that scrolls by itself on narrow screens, by keyboard too. */
export const table = (caption, heads, rows) =>
  element(
    'div',
    { class: 'scroll', role: 'region', tabindex: '0', 'aria-label': caption },
    element(
      'table',
      {},
      element('caption', {}, caption),
      element('thead', {}, element('tr', {}, ...heads.map((head) => element('th', { scope: 'col' }, head)))),
      element('tbody', {}, ...rows.map((cells) => element('tr', {}, ...cells.map((cell) => element('td', {}, cell ?? ''))))),
    ),
  );
export const orNothing = (rows, made) => (rows.length === 0 ? element('p', {}, 'Nothing so far.') : made());
export const time = (text) => (text === null ? 'unknown' : new Date(text).toLocaleString());

const sentences = {
  personal: 'Personal: services for you',
  marketing: 'Marketing: offers and campaigns',
  analytics: 'Analytics: statistics over many people',
  training: 'Training: improving models',
};
export const usageText = (usage) => sentences[usage] ?? usage;

/** How much of a budget is gone, rounded up: never better than it is. */
export const usedText = ({ limit, reserved, spent }) => {
  const [all, used] = [BigInt(limit), BigInt(reserved) + BigInt(spent)];
  return all === 0n ? 'nothing is allowed' : `${(used * 100n + all - 1n) / all} % used`;
};
