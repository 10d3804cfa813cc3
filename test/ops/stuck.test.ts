import type { Trade as TradeMessage } from '@stockbroker/rpc/stockbroker';
import { type Broker, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { withStore } from '../support/store.ts';
import { environmentOf, ops, opsTable } from './ops.ts';

let broker: Broker;
let env: Record<string, string>;
beforeAll(async () => {
  broker = await openBroker({
    quotes: { AAPL: { bid: '9.90', ask: '10.00' }, MSFT: 'none' },
    // Trades without a quote wait for it, and nobody asks for orders without news: both stay as the tests make them.
    env: {
      worker: {
        LEASE_TTL_MS: '1000',
        QUOTE_WAIT_MS: '30000',
        ASK_AFTER_MS: '3600000',
        MAX_EXCHANGE_OUTAGE_MS: '3600000',
        MAX_PLACED_WAIT_MS: '3600000',
        MAX_RESEND_AGE_MS: '3600000',
      },
    },
  });
  env = environmentOf(broker);
});
afterAll(() => closeBroker(broker));

const customer = () => broker.customer({ cash: usd('10000.00') });

/** Causes by order id, of all trades that are open. */
async function causes() {
  const { code, json } = await ops(env, 'stuck', '--older-than', '0s');
  const trades = (json?.trades ?? []) as { orderId: string; cause: string; why: string }[];
  return { code, of: ({ orderId }: { orderId: string }) => trades.find((trade) => trade.orderId === orderId) };
}

test('stuck: a young trade is not; an old one is, with what holds it up; what is not listed is counted', async () => {
  const [alice, bob] = [await customer(), await customer()];
  const sent = await alice.buys(1, 'AAPL');
  const behind = await alice.buys(2, 'AAPL');
  const unquoted = await bob.buys(3, 'MSFT');
  await broker.exchange.receives(sent);
  expect(await ops(env, 'stuck', '--older-than', '1h')).toMatchObject({
    code: 0,
    json: { attention: false, total: '0', trades: [] },
  });

  const found = await causes();
  expect(found.code).toBe(1);
  expect(found.of(sent)).toMatchObject({
    cause: 'open-at-exchange',
    status: 'executed',
    type: 'buy',
    quantity: 1,
    customerId: alice.id,
  });
  expect(found.of(behind)).toMatchObject({ cause: 'behind', behind: sent.orderId });
  expect(found.of(unquoted)).toMatchObject({ cause: 'no-quote', why: 'the exchange gives no quote for MSFT' });

  const { code, stdout } = await opsTable(env, 'stuck', '--older-than', '0s', '--limit', '1');
  expect(code).toBe(1);
  expect(stdout).toContain(`${sent.orderId}  ${alice.id}  executed  buy 1 AAPL  sent, and still open at the exchange`);
  expect(stdout).toContain('and 2 more: see them with --limit');
  expect(stdout).toContain('1 placed, behind another, the oldest for ');
  await broker.exchange.quotes('MSFT', { bid: '9.90', ask: '10.00' });
  await expectExactBooks(broker, {});
});

test('stuck: no leader, order lost on its way, callback lost, report set aside, exchange away: each is told', async () => {
  const [alice, bob, carol, dave] = [await customer(), await customer(), await customer(), await customer()];
  const [unreported, misreported] = [await bob.buys(1, 'AAPL'), await carol.buys(1, 'AAPL')];
  await Promise.all([unreported, misreported].map((trade) => broker.exchange.receives(trade)));
  await broker.worker(0).kill();
  await broker.exchange.fillsSilently(unreported, { price: usd('10.00') });
  const fill = await broker.exchange.fillsSilently(misreported, { price: usd('10.00') });
  await broker.exchange.reports(broker.system.callbackUrl, { ...fill, quantity: 2 });
  const lost = await markedOnly(await dave.buys(1, 'AAPL'));
  const placed = await alice.buys(1, 'AAPL');
  // Leases end one after the other, as they were renewed.
  const nobodyLeads = ({ of }: Awaited<ReturnType<typeof causes>>) => /nobody leads/.test(of(lost)?.why ?? '');
  const found = await eventually(causes, (now) => now.of(placed)?.cause === 'no-leader' && nobodyLeads(now), {
    what: 'the end of the leases',
  });
  expect(found.code).toBe(1);
  expect(found.of(unreported)).toMatchObject({ cause: 'not-settled', why: expect.stringContaining('filled at 10.0000') });
  expect(found.of(misreported)).toMatchObject({ cause: 'quarantined', why: expect.stringMatching(/quarantine show \d+$/) });
  expect(found.of(lost)).toMatchObject({ cause: 'not-at-exchange', why: expect.stringContaining('nobody leads') });

  await broker.exchange.process.kill();
  await broker.worker(0).start();
  const away = await eventually(causes, ({ of }) => of(placed)?.cause === 'exchange-unreachable', { what: 'a leader again' });
  expect(away.code).toBe(1);
  expect(away.of(unreported)).toMatchObject({ cause: 'exchange-unreachable' });
  await broker.exchange.restarts();
  await broker.exchange.quotes('AAPL', { bid: '9.90', ask: '10.00' });
  await expectExactBooks(broker, {});
});

/** As a leader that died between the mark and the order leaves it. */
async function markedOnly(message: TradeMessage): Promise<TradeMessage> {
  await withStore(broker, async (store) => {
    const trade = await store.readTrade(message.orderId);
    if (trade === null) throw new Error('not placed');
    const { epoch } = await store.raiseEpoch(trade.partition, 'nobody');
    await store.markExecuted({ trade, epoch, decision: { limitPrice: usd('10.50') } });
  });
  return message;
}
