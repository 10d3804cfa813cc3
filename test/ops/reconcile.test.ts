import { RpcChannel } from '@stockbroker/rpc';
import { ExchangeServiceDefinition, Side } from '@stockbroker/rpc/exchange';
import { TradeStatus } from '@stockbroker/rpc/stockbroker';
import type { Broker } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeBroker, openBroker } from '../support/broker.ts';
import { putBack } from '../support/putBack.ts';
import { madeUpFill, unusedTradeId } from '../support/reports.ts';
import { environmentOf, ops, opsTable } from './ops.ts';

let broker: Broker;
let env: Record<string, string>;
beforeAll(async () => {
  broker = await openBroker({
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    // Nobody asks for an order whose report was lost: only reconcile finds it.
    env: { worker: { ASK_AFTER_MS: '3600000' } },
  });
  env = environmentOf(broker);
});
afterAll(() => closeBroker(broker));

const reconcile = async (...args: string[]) => {
  const { code, json } = await ops(env, 'reconcile', ...args);
  return { code, ...json } as { code: number; differences: { orderId: string; kind: string; why: string }[] } & Record<
    string,
    unknown
  >;
};

test('reconcile: finds missing, extra and different orders; settles by the exchange’s own answer what it can, and no more', async () => {
  const alice = await broker.customer({ cash: usd('10000.00') });
  const filled = await alice.buys(1, 'AAPL');
  await broker.exchange.fills(filled, { price: usd('10.00') });
  await alice.ended(await alice.buys(1_000_000, 'AAPL'));
  const open = await (await broker.customer({ cash: usd('100.00') })).buys(1, 'AAPL');
  await broker.exchange.receives(open);
  // The second is refused here and never was an order there; the third is open on both sides.
  expect(await reconcile()).toMatchObject({
    code: 0,
    trades: 3,
    orders: 2,
    inFlight: 1,
    missing: 0,
    extra: 0,
    different: 0,
    timeZone: 'America/New_York',
  });
  expect(await reconcile('--day', '2020-02-29')).toMatchObject({
    code: 0,
    trades: 0,
    orders: 0,
    from: '2020-02-29T05:00:00.000Z',
  });

  const bob = await broker.customer({ cash: usd('1000.00') });
  const unreported = await bob.buys(2, 'AAPL');
  await broker.exchange.fillsSilently(unreported, { price: usd('9.95') });
  const next = await bob.buys(1, 'AAPL');
  const carol = await broker.customer({ cash: usd('1000.00') });
  const liedAbout = await carol.buys(10, 'AAPL');
  await broker.exchange.receives(liedAbout);
  await broker.exchange.reports(broker.system.callbackUrl, { ...madeUpFill(liedAbout.orderId), price: '9.0000' });
  await broker.exchange.fillsSilently(liedAbout, { price: usd('10.00') });
  const foreign = await placedByAnother();
  const missing = await fillNobodyKnows(carol.id);

  expect((await reconcile()).differences.map(({ orderId }) => orderId)).not.toContain(unreported.orderId);
  const found = await reconcile('--in-flight', '0s');
  expect(found).toMatchObject({ code: 1, missing: 1, extra: 1, different: 2, fixed: 0 });
  expect(new Map(found.differences.map(({ orderId, kind, why }) => [orderId, [kind, why]]))).toEqual(
    new Map([
      [unreported.orderId, ['different', 'executed here, filled at 9.9500 at the exchange: not settled']],
      [
        liedAbout.orderId,
        ['different', expect.stringContaining('filled at 9.0000 here, filled at 10.0000 at the exchange (execution ')],
      ],
      [foreign, ['extra', 'no trade here, open at the exchange']],
      [missing, ['missing', 'filled at 10.0000 here']],
    ]),
  );
  const { stdout } = await opsTable(env, 'reconcile', '--all', '--in-flight', '0s', '--limit', '1');
  expect(stdout.match(/^(missing|extra|different) /gm)).toHaveLength(1);
  expect(stdout).toContain('1 missing, 1 extra, 2 different.');

  expect(await reconcile('--in-flight', '0s', '--fix')).toMatchObject({ code: 1, missing: 1, extra: 1, different: 1, fixed: 1 });
  expect(await bob.trade(unreported)).toMatchObject({ status: TradeStatus.TRADE_STATUS_FILLED, price: '9.9500' });
  // The customer's lane was told, and goes on.
  await broker.exchange.fills(next, { price: usd('10.00') });
  expect(await reconcile('--in-flight', '0s', '--fix')).toMatchObject({ code: 1, missing: 1, extra: 1, different: 1, fixed: 0 });
  expect((await ops(env, 'actions')).json?.actions).toMatchObject([
    { operator: 'olivia', action: 'settle', subject: `trade ${unreported.orderId}`, note: 'reconcile --fix' },
  ]);
});

test('reconcile --fix: what the exchange has filled of a trade whose row was put back to before it was sent is booked', async () => {
  const dora = await broker.customer({ cash: usd('100.00') });
  const trade = await dora.buys(1, 'AAPL');
  await broker.exchange.fillsSilently(trade, { price: usd('9.95') });
  const worker = broker.worker(0);
  await worker.kill();
  await putBack(broker, trade);
  const { differences } = await reconcile('--in-flight', '0s');
  expect(differences).toContainEqual(
    expect.objectContaining({ orderId: trade.orderId, why: 'never sent by us, filled at 9.9500 at the exchange' }),
  );
  expect(await reconcile('--in-flight', '0s', '--fix')).toMatchObject({ fixed: 1 });
  expect(await dora.trade(trade)).toMatchObject({ status: TradeStatus.TRADE_STATUS_FILLED, price: '9.9500' });
  expect(await dora.cash()).toBe(usd('90.05'));
  await worker.start();
});

test('reconcile: an exchange that does not answer is exit code 3, never a list of missing orders', async () => {
  await broker.exchange.behaves({ unavailable: true });
  const { code, json, stderr } = await ops(env, 'reconcile');
  expect({ code, json }).toEqual({ code: 3, json: null });
  expect(stderr).toContain(`The exchange ${broker.system.exchangeAddress} does not answer`);
  await broker.exchange.behaves({ unavailable: false });
});

/** An order in our name that the broker never placed. */
async function placedByAnother(): Promise<string> {
  const { exchangeAddress, exchangeApiKey, callbackUrl } = broker.system;
  const channel = new RpcChannel(exchangeAddress, { authorization: `Bearer ${exchangeApiKey}` });
  const clientOrderId = unusedTradeId();
  const order = {
    clientOrderId,
    ticker: 'AAPL',
    side: Side.SIDE_BUY,
    quantity: 1,
    limitPrice: '10.0000',
    callbackUrl,
    attempt: 0,
  };
  await channel.client(ExchangeServiceDefinition).submitOrders({ orders: [order] });
  channel.close();
  return clientOrderId;
}

/** A row of a filled trade that the exchange has never heard of. */
async function fillNobodyKnows(customerId: string): Promise<string> {
  const id = unusedTradeId();
  await broker.db.trade.create({
    data: {
      id,
      customerId,
      partition: 0,
      clientOrderId: 'unheard-of',
      stockTicker: 'AAPL',
      type: 'buy',
      quantity: 1,
      status: 'filled',
      limitPrice: usd('10.50'),
      hold: usd('10.50'),
      price: usd('10.00'),
      executionId: 'unheard-of',
      submittedAt: new Date(),
      executedAt: new Date(),
    },
  });
  return id;
}
