import { join } from 'node:path';
import { RejectCode, SessionPolicy, TradeStatus } from '@stockbroker/rpc/stockbroker';
import type { Broker } from '@stockbroker/testkit';
import { parseUsd as usd } from '@stockbroker/trading';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { closeBroker, expectExactBooks, openBroker } from '../support/broker.ts';

const WRONG_CLOCK = join(import.meta.dirname, '..', '..', 'tools', 'chaos', 'wrongClock.mjs');
const QUEUE = { sessionPolicy: SessionPolicy.SESSION_POLICY_QUEUE_FOR_OPEN } as const;

let broker: Broker;
beforeAll(async () => {
  broker = await openBroker({ workers: 0, quotes: { AAPL: { bid: '9.90', ask: '10.00' } } });
  return () => closeBroker(broker);
});
afterEach((context) => expectExactBooks(broker, context));

test.each([
  ['an hour ahead', 3_600_000],
  ['an hour behind', -3_600_000],
])(
  'a worker whose clock is %s sends trades as the others do, rejects none for its age, and sends again what was not taken',
  async (_how, offMs) => {
    const env = { CLOCK_OFFSET_MS: String(offMs), NODE_OPTIONS: `--import=${WRONG_CLOCK}` };
    const worker = await broker.system.addWorker(env);
    const alice = await broker.customer({ cash: usd('1000.00') });
    for (const more of [{}, QUEUE]) {
      const trade = await alice.buys(1, 'AAPL', more);
      await broker.exchange.fills(trade, { price: usd('10.00') });
      expect(await alice.trade(trade)).toMatchObject({
        status: TradeStatus.TRADE_STATUS_FILLED,
        rejectCode: RejectCode.REJECT_CODE_UNSPECIFIED,
      });
    }
    const unsent = await broker.exchange.whileBehaving({ unavailable: true }, () => alice.buys(1, 'AAPL'));
    await broker.exchange.fills(unsent, { price: usd('10.00') });
    await worker.stop();
  },
);
