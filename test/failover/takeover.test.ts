import { type Broker, eventually } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';
import { placeUntold } from '../support/untold.ts';

/** Its workers sweep once a minute: what is found earlier is found by a takeover, or by a wake-up. */
let broker: Broker;
beforeAll(async () => {
  const env = { worker: { LEASE_TTL_MS: '1500', SWEEP_MS: '60000', ASK_AFTER_MS: '60000' }, gateway: {} };
  broker = await openBroker({ workers: 2, quotes: { AAPL: { bid: '9.90', ask: '10.00' } }, env });
});
afterEach((context) => expectExactBooks(broker, context));
afterAll(() => closeBroker(broker));

test('a takeover reads the open trades from the database at once: a trade without any wake-up is sent', async () => {
  const alice = await broker.customer({ cash: usd('1000.00') });
  const victim = await broker.leaderOf(alice);
  await victim.kill();
  const trade = await placeUntold(broker, alice);
  await broker.exchange.fills(trade, { price: usd('10.00') });
  expect(await broker.leaderOf(alice)).not.toBe(victim);
  await victim.start();
});

test('partitions are spread evenly, within one, after each worker that comes or goes', async () => {
  const becomes = (wanted: number[]) =>
    eventually(
      () => broker.spread(),
      (found) => `${found}` === `${wanted}`,
      { what: `${wanted}` },
    );
  await becomes([50, 50]);
  const third = await broker.system.addWorker();
  await becomes([33, 33, 34]);
  await broker.system.addWorker();
  await becomes([25, 25, 25, 25]);
  await third.kill();
  await becomes([33, 33, 34]);
});
