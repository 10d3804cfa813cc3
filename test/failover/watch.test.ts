import { Status } from '@stockbroker/rpc';
import { TradeStatus } from '@stockbroker/rpc/stockbroker';
import { type Broker, type Customer, eventually, type Watcher } from '@stockbroker/testkit';
import { PATIENCE } from '@stockbroker/testkit/patience';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

/* Whatever dies, a watcher who asks again with the last revision seen is told each change once, and none is missing. */
let broker: Broker;
beforeAll(async () => {
  broker = await openBroker({
    gateways: 2,
    quotes: { AAPL: { bid: '9.90', ask: '10.00' } },
    env: { gateway: { GATEWAY_PATIENCE_MS: '15000' }, worker: { SWEEP_MS: '500' } },
  });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

const standing = ({ snapshots }: Watcher) => snapshots.length === 1;

function watches(customer: Customer, from: { after?: number; gateway?: number } = {}): Watcher {
  const watcher = customer.watches(from);
  onTestFinished(() => watcher.stop());
  return watcher;
}

test.each([
  ['killed', (gateway: number) => broker.gateway(gateway).kill()],
  ['stopped', async (gateway: number) => broker.gateway(gateway).signal('SIGTERM')],
])('the gateway is %s during a fill: the next one goes on where it was', async (how, end) => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const watcher = await watches(alice, { gateway: 1 }).until('a snapshot', standing);
  const trade = await alice.buys(10, 'AAPL');
  await watcher.until('the marking', ({ revision }) => revision === 2);
  await end(1);
  await watcher.until('its end', ({ ended }) => ended !== undefined);
  const reason = how === 'stopped' ? { info: { reason: 'STOPPING' }, retryAfterMs: 100 } : {};
  expect(watcher.ended?.error).toMatchObject({ code: Status.UNAVAILABLE, details: reason });
  await broker.exchange.fills(trade, { price: usd('10.00') });
  const next = await watches(alice, { after: watcher.revision }).until('the fill', ({ revision }) => revision === 3);
  expect(next.snapshots).toEqual([]);
  expect(next.changes).toMatchObject([{ firstRevision: 3n, trades: [{ status: TradeStatus.TRADE_STATUS_FILLED }] }]);
  await broker.restartGateway(1);
});

test('without NATS a placed trade is told all the same, from the database', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const watcher = await watches(alice).until('a snapshot', standing);
  await broker.nats.kill();
  await alice.buys(1, 'AAPL', {}, 1);
  await watcher.until('the placing', ({ revision }) => revision >= 1);
  await broker.restartNats();
  await watcher.until('the marking', ({ revision }) => revision === 2);
  expect(watcher.changes.map(({ firstRevision, revision }) => [firstRevision, revision])).toEqual([
    [1n, 1n],
    [2n, 2n],
  ]);
  expect(watcher.snapshots).toHaveLength(1);
});

test('while the database does not answer, the stream waits, and goes on without a gap', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const watcher = await watches(alice).until('a snapshot', standing);
  await broker.db.$transaction(
    async (held) => {
      await held.$executeRaw`LOCK TABLE positions IN ACCESS EXCLUSIVE MODE`; // What is read for a change, and not for placing.
      await alice.buys(1, 'AAPL', {}, 1);
      const waiting = () => broker.db.$queryRaw<unknown[]>`
        SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%readChanges%'`;
      await eventually(waiting, (found) => found.length > 0, { what: 'the reading' });
      expect(watcher.changes).toEqual([]);
    },
    { timeout: 60_000 * PATIENCE },
  );
  await watcher.until('the marking', ({ revision }) => revision === 2);
  expect(watcher.changes).toHaveLength(2);
  expect(watcher.ended).toBeUndefined();
});
