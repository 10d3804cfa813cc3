import { parseWebhookSecret, signWebhook } from '@stockbroker/rpc';
import { RejectCode, TradeStatus } from '@stockbroker/rpc/stockbroker';
import type { Broker } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeBroker, openBroker } from '../support/broker.ts';
import { madeUpFill, unusedTradeId } from '../support/reports.ts';
import { environmentOf, ops, opsTable } from './ops.ts';

let broker: Broker;
let env: Record<string, string>;
beforeAll(async () => {
  broker = await openBroker({ quotes: { AAPL: { bid: '9.90', ask: '10.00' } } });
  env = environmentOf(broker);
});
afterAll(() => closeBroker(broker));

interface Row {
  id: string;
  tradeId: string | null;
  why: string;
}

async function list(...args: string[]) {
  const { code, json } = await ops(env, 'quarantine', 'list', ...args);
  return { code, unresolved: json?.unresolved, rows: json?.rows as Row[] };
}

test('quarantine: what was set aside is listed, shown as it came beside both sides, and resolved with a note', async () => {
  expect(await list()).toEqual({ code: 0, unresolved: 0, rows: [] });
  const alice = await broker.customer({ cash: usd('1000.00') });
  const trade = await alice.buys(10, 'AAPL');
  await broker.exchange.fills(trade, { price: usd('10.00') });
  const unknown = unusedTradeId();
  const { callbackUrl } = broker.system;
  await broker.exchange.reports(callbackUrl, madeUpFill(unknown));
  await broker.exchange.reports(callbackUrl, { ...madeUpFill(trade.orderId), price: '9.0000' });
  await sendRaw('{"reports": [');

  const { code, unresolved, rows } = await list();
  expect({ code, unresolved }).toEqual({ code: 1, unresolved: 3 });
  expect(rows).toMatchObject([
    { tradeId: unknown, why: 'no trade has this id' },
    { tradeId: trade.orderId, why: 'the trade is filled already, with another outcome' },
    { tradeId: null, why: expect.stringContaining('malformed') },
  ]);
  const [first, second, third] = rows.map(({ id }) => id);
  expect((await list('--limit', '2')).rows).toHaveLength(2);
  expect((await list('--limit', '2', '--after', second ?? '')).rows).toMatchObject([{ id: third }]);

  const shown = await ops(env, 'quarantine', 'show', second ?? '');
  expect(shown).toMatchObject({
    code: 1,
    json: {
      raw: { format: 'json' },
      trade: { id: trade.orderId, status: 'filled', price: '100000' },
      exchange: { kind: 'filled', price: '100000' },
    },
  });
  expect(await ops(env, 'quarantine', 'show', first ?? '')).toMatchObject({
    code: 1,
    json: { trade: null, exchange: 'unknown' },
  });
  const { stdout } = await opsTable(env, 'quarantine', 'show', third ?? '');
  expect(stdout).toContain(
    Buffer.from('{"reports": [')
      .toString('hex')
      .replaceAll(/(..)(?!$)/g, '$1 '),
  );

  const before = await alice.account();
  expect((await ops(env, 'quarantine', 'resolve', second ?? '')).code).toBe(2);
  const resolve = (id = '') => ops(env, 'quarantine', 'resolve', id, '--note', 'the exchange has taken it back');
  expect(await resolve(second)).toMatchObject({ code: 0, json: { changed: true, resolution: 'the exchange has taken it back' } });
  expect(await resolve(second)).toMatchObject({ code: 0, json: { changed: false } });
  expect((await ops(env, 'quarantine', 'show', second ?? '')).code).toBe(0);
  expect(await resolve('999999')).toMatchObject({ code: 2, stderr: 'There is no quarantined callback 999999.\n' });
  expect((await list()).rows.map(({ id }) => id)).toEqual([first, third]);
  for (const id of [first, third]) await resolve(id);
  expect(await list()).toEqual({ code: 0, unresolved: 0, rows: [] });
  expect((await list('--all')).rows).toHaveLength(3);
  expect(await alice.account()).toEqual(before);
  const done = (await ops(env, 'actions')).json?.actions as object[];
  expect(done).toHaveLength(3);
  expect(done.at(-1)).toMatchObject({
    operator: 'olivia',
    action: 'resolve',
    subject: `quarantine ${second}`,
    note: 'the exchange has taken it back',
  });
});

test('blocked: an overdrawn account can buy again when an operator says so, and its cash allows it', async () => {
  expect((await ops(env, 'blocked')).code).toBe(0);
  const [bob, carol] = [await broker.customer({ cash: usd('1000.00') }), await broker.customer({ cash: usd('105.00') })];
  const overdrawn = await bob.buys(10, 'AAPL');
  await broker.exchange.fills(overdrawn, { price: usd('11.00') });
  await broker.exchange.fills(await carol.buys(10, 'AAPL'), { price: usd('20.00') });
  const { code, json } = await ops(env, 'blocked');
  expect(code).toBe(1);
  const accounts = json?.accounts as { customerId: string }[];
  expect(accounts).toHaveLength(2);
  expect(accounts.find(({ customerId }) => customerId === bob.id)).toMatchObject({
    amount: '890.0000',
    held: '0.0000',
    overdrawnBy: overdrawn.orderId,
  });
  const [first] = accounts.map(({ customerId }) => customerId);
  expect((await ops(env, 'blocked', '--limit', '1', '--after', first ?? '')).json?.accounts).toHaveLength(1);

  const unblock = (id: string, ...more: string[]) => ops(env, 'unblock', id, '--note', 'claimed', ...more);
  expect(await unblock(bob.id)).toMatchObject({ code: 0, json: { changed: true, buysBlocked: false } });
  expect(await unblock(bob.id)).toMatchObject({ code: 0, json: { changed: false, buysBlocked: false } });
  const again = await bob.buys(1, 'AAPL');
  await broker.exchange.fills(again, { price: usd('10.00') });
  expect((await bob.trade(again)).status).toBe(TradeStatus.TRADE_STATUS_FILLED);

  expect(await unblock(carol.id)).toMatchObject({ code: 1, json: { changed: false, buysBlocked: true, amount: '-95.0000' } });
  const refused = await carol.ended(await carol.buys(1, 'AAPL'));
  expect(refused.rejectCode).toBe(RejectCode.REJECT_CODE_ACCOUNT_BLOCKED);
  // The books know that such an account is blocked; they do not accept that it is not.
  expect((await ops(env, 'books')).code).toBe(0);
  expect((await unblock(carol.id, '--force')).code).toBe(0);
  expect(await ops(env, 'books')).toMatchObject({ code: 1, json: { listed: [{ customerId: carol.id, what: 'negative' }] } });
});

/** A callback that is signed, and not JSON. */
async function sendRaw(text: string): Promise<void> {
  const body = Buffer.from(text);
  const headers = signWebhook(parseWebhookSecret(broker.system.callbackSecret), body, Date.now());
  const response = await fetch(broker.system.callbackUrl, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body,
  });
  expect(response.status).toBe(200);
}
