import { eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { expectExactBooks } from '../support/broker.ts';
import { type Desks, openDesks, order, reads } from './desk.ts';

let desks: Desks;
beforeAll(async () => {
  desks = await openDesks({ gateways: 2, quotes: { AAPL: { bid: '99.00', ask: '100.00' } } });
});
afterEach(async (context) => {
  await desks.closeWindows();
  await expectExactBooks(desks.broker, context);
});
afterAll(() => desks?.close());

test('a gateway that is killed while an order is at the exchange: the page says so, resumes, and shows the fill', async () => {
  const { broker } = desks;
  const alice = await broker.customer({ cash: usd('10000.00') });
  const page = await desks.open(alice);
  await order(page, 'Buy', 10);
  const trade = await alice.placedElsewhere();
  await page.locator('.life .current', { hasText: 'Sent to the exchange' }).waitFor();
  await broker.gateway(0).kill();
  await reads(page, '.connection', 'Reconnecting…');
  await reads(page, '.banner', /^The connection was lost; trying again\./);
  await broker.exchange.fills(trade, { price: usd('98.0000') });
  await broker.restartGateway(0);
  await reads(page, '.connection', 'Live');
  await reads(page, '.life', /Cost \$980\.00, \$98\.00 a share\./);
  await reads(page, '.summary', /Spendable cash\s+\$9,020\.00/);
  expect(await page.locator('.banner').count()).toBe(0);
});

test('an order that is placed while the gateway is away is “sending” until it answers, and then one trade', async () => {
  const { broker } = desks;
  const alice = await broker.customer({ cash: usd('10000.00') });
  const page = await desks.open(alice);
  await order(page, 'Buy', 1, { place: false });
  await broker.gateway(0).kill();
  await page.getByRole('button', { name: 'Place buy order' }).click();
  await reads(page, '.outcome', 'Sending…');
  await reads(page, '.orders', /Buy 1 AAPL\s+Sending…/);
  expect((await alice.calls(1).listTrades({})).trades).toEqual([]);
  await broker.restartGateway(0);
  await broker.exchange.fills(await alice.placedElsewhere(), { price: usd('100.00') });
  await reads(page, '.life', /Filled/);
  expect((await alice.calls().listTrades({})).trades).toHaveLength(1);
});

test('a page that is reloaded between sending and the answer finds its trade, and places no other', async () => {
  const { broker } = desks;
  const alice = await broker.customer({ cash: usd('10000.00') });
  const context = await desks.window(alice);
  const page = await desks.tab(context);
  await order(page, 'Buy', 4, { place: false });
  // The order arrives, its answer does not.
  const reloaded = Promise.withResolvers<void>();
  let calls = 0;
  await context.route('**/PlaceTrade', async (route) => {
    calls += 1;
    if (calls > 1) return route.continue();
    await route.fetch();
    await reloaded.promise;
  });
  await page.getByRole('button', { name: 'Place buy order' }).click();
  const trade = await alice.placedElsewhere();
  const stored = "Object.keys(localStorage).filter((key) => key.startsWith('stockbroker.order.')).length";
  expect(await page.evaluate(stored)).toBe(1);
  await page.reload();
  reloaded.resolve();
  await reads(page, '.orders', /Buy 4 AAPL\s+At the exchange/);
  await eventually(
    () => page.evaluate(stored),
    (left) => left === 0,
  );
  expect(calls).toBe(2);
  await broker.exchange.fills(trade, { price: usd('100.00') });
  await reads(page, '.orders', /Buy 4 AAPL\s+Filled/);
  expect((await alice.calls().listTrades({})).trades).toHaveLength(1);
});

test('offline and back: it says so at once, and tells what was missed', async () => {
  const { broker } = desks;
  const alice = await broker.customer({ cash: usd('10000.00') });
  const context = await desks.window(alice);
  const page = await desks.tab(context);
  await context.setOffline(true);
  await reads(page, '.connection', 'Offline');
  await reads(page, '.banner', /^You are offline\./);
  const trade = await alice.buys(5, 'AAPL');
  await broker.exchange.fills(trade, { price: usd('100.0000') });
  await context.setOffline(false);
  await reads(page, '.connection', 'Live');
  await reads(page, '.orders', /Buy 5 AAPL\s+Filled/);
  await reads(page, '.positions', /AAPL\s*5 shares/);
});

test('a session that has ended says so, and offers to sign in again', async () => {
  const alice = await desks.broker.customer();
  const context = await desks.window(Object.assign(Object.create(alice), { token: 'made-up' }));
  const page = await context.newPage();
  await page.goto(desks.address);
  await reads(page, '.failure', /Your session has ended\. Sign in again\./);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Stockbroker' }).waitFor();
  expect(await page.evaluate("sessionStorage.getItem('stockbroker.session')")).toBeNull();
});
