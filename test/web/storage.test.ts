import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Desks, openDesks, order, reads } from './desk.ts';

let desks: Desks;
beforeAll(async () => {
  desks = await openDesks({ quotes: { AAPL: { bid: '99.00', ask: '100.00' } } });
});
afterEach(() => desks.closeWindows());
afterAll(() => desks?.close());

/** As Chromium does where cookies and site data are blocked. */
const DENIED = (storage: string) =>
  `Object.defineProperty(window, '${storage}', { get() { throw new DOMException('Access is denied for this document.', 'SecurityError'); } })`;
/** As Chromium does where the room of the site is used up. */
const FULL = `Storage.prototype.setItem = () => { throw new DOMException('The quota has been exceeded.', 'QuotaExceededError'); }`;

test.each([[['localStorage']], [['sessionStorage']], [['localStorage', 'sessionStorage', 'indexedDB']]])(
  'a browser that denies %s: the page says what it needs and what to do',
  async (denied) => {
    const context = await desks.window();
    for (const storage of denied) await context.addInitScript(DENIED(storage));
    const page = await context.newPage();
    await page.goto(desks.address);
    await reads(
      page,
      '.starting',
      /^This browser keeps nothing for this page.* Allow cookies and site data for this site, then reload/,
    );
  },
);

test('a browser without room: prices and choices work, and an order that cannot be remembered is not sent, in words', async () => {
  const alice = await desks.broker.customer({ cash: usd('10000.00') });
  const context = await desks.window(alice);
  const page = await desks.tab(context);
  await page.evaluate(FULL);
  await order(page, 'Buy', 1);
  await reads(page, '.outcome', 'This browser does not let the page store the order, so it was not sent.');
  expect((await alice.calls().listTrades({})).trades).toEqual([]);
});

test('a session that cannot be read is none: the page asks to sign in', async () => {
  const context = await desks.window();
  await context.addInitScript(`if (origin !== 'null') sessionStorage.setItem('stockbroker.session', '{')`);
  const page = await context.newPage();
  await page.goto(desks.address);
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
});
