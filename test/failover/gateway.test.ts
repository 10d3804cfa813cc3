import { type Broker, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await openBroker({ quotes: { AAPL: { bid: '9.90', ask: '10.00' } }, env: { worker: { SWEEP_MS: '500' } } });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

const stored = (clientOrderId: string) => broker.db.trade.findMany({ where: { clientOrderId }, select: { id: true } });

test('a gateway killed between the commit and the answer: the client’s retry returns the same trade', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const order = { clientOrderId: 'unanswered' };
  const { placing } = await broker.db.$transaction(async (held) => {
    // The statement waits here, and commits when the gateway is paused: it can neither answer nor wake anybody.
    await held.$executeRaw`LOCK TABLE trades IN SHARE MODE`;
    const placing = alice.buys(1, 'AAPL', order).then(
      () => 'answered',
      () => 'failed',
    );
    const waiting = () => broker.db.$queryRaw<unknown[]>`
      SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`;
    await eventually(waiting, (found) => found.length > 0, { what: 'the statement' });
    broker.gateway(0).signal('SIGSTOP');
    return { placing };
  });
  const [committed] = await eventually(
    () => stored('unanswered'),
    (found) => found.length > 0,
    { what: 'the commit' },
  );
  await broker.restartGateway(0);
  expect(await placing).toBe('failed');
  const retried = await alice.buys(1, 'AAPL', order);
  expect(retried.orderId).toBe(committed?.id);
  await broker.exchange.fills(retried, { price: usd('10.00') });
  expect(await stored('unanswered')).toEqual([{ id: retried.orderId }]);
});
