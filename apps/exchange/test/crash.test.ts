import { OrderState, SubmitOutcome } from '@stockbroker/rpc/exchange';
import { PATIENCE } from '@stockbroker/testkit/patience';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { cleanUp, eventually, httpSink, order, startExchange } from './harness.ts';

afterAll(cleanUp);

const NEVER = { EXCHANGE_LATENCY_MIN_MS: '600000', EXCHANGE_LATENCY_MAX_MS: '600000' };

test('kill -9: open orders are completed and reported by the next process', async () => {
  const sink = await httpSink();
  const first = await startExchange(NEVER);
  const orders = Array.from({ length: 50 }, () => order(sink.url));
  await first.orders.submitOrders({ orders });
  await first.kill();

  const second = await startExchange({}, first.dataDir);
  await eventually('50 reports', () => sink.reports().length === 50);
  expect(sink.reports().every(({ state }) => state === OrderState.ORDER_STATE_FILLED)).toBe(true);
  expect(new Set(sink.reports().map((r) => r.clientOrderId))).toEqual(new Set(orders.map((o) => o.clientOrderId)));
  await second.stop();
  await sink.close();
});

test('kill -9: completed orders that were not reported are reported, unchanged, by the next process', async () => {
  const sink = await httpSink();
  sink.answer = () => 503;
  const first = await startExchange();
  const orders = Array.from({ length: 50 }, () => order(sink.url));
  const clientOrderIds = orders.map(({ clientOrderId }) => clientOrderId);
  await first.orders.submitOrders({ orders });
  const { reports } = await first.orders.getOrders({ clientOrderIds });
  await first.kill();

  sink.answer = () => 200;
  const second = await startExchange({ EXCHANGE_REJECT_RATE: '1' }, first.dataDir);
  await eventually('50 reports', () => sink.reports().length === 50);
  expect(sink.reports()).toEqual(reports);
  const again = await second.orders.submitOrders({ orders });
  expect(again.results.every(({ outcome }) => outcome === SubmitOutcome.SUBMIT_OUTCOME_ACCEPTED)).toBe(true);
  expect(await second.journal()).toHaveLength(50);
  await second.stop();
  await sink.close();
});

test(
  'kill -9 under load, again and again: what was answered is never lost, and all of it is reported',
  async () => {
    const sink = await httpSink();
    const answered = new Set<string>();
    let exchange = await startExchange({ EXCHANGE_LATENCY_MAX_MS: '5' });
    for (let round = 0; round < 3; round += 1) {
      const { orders: client, dataDir } = exchange;
      let isOver = false;
      onTestFinished(() => {
        isOver = true;
      });
      const submitters = Array.from({ length: 8 }, async () => {
        while (!isOver) {
          const orders = Array.from({ length: 10 }, () => order(sink.url));
          try {
            await client.submitOrders({ orders });
          } catch {
            return;
          }
          for (const { clientOrderId } of orders) answered.add(clientOrderId);
        }
      });
      const goal = answered.size + 1_000;
      await eventually('1,000 more orders', () => answered.size >= goal);
      await exchange.kill();
      await Promise.all(submitters);
      exchange = await startExchange({ EXCHANGE_LATENCY_MAX_MS: '5' }, dataDir);
    }
    const kept = new Set((await exchange.journal()).map((entry) => entry.order?.clientOrderId ?? ''));
    expect([...answered].filter((id) => !kept.has(id))).toEqual([]);
    await eventually('every order reported', async () => (await exchange.journal()).every((entry) => entry.delivered));
    const reported = new Set(sink.reports().map(({ clientOrderId }) => clientOrderId));
    expect([...kept].filter((id) => !reported.has(id))).toEqual([]);
    const told = new Map<string, string>();
    for (const { clientOrderId, executionId } of sink.reports()) {
      expect(told.get(clientOrderId) ?? executionId).toBe(executionId);
      told.set(clientOrderId, executionId);
    }
    await exchange.stop();
    await sink.close();
  },
  120_000 * PATIENCE,
);

test('a journal in use refuses a second process', async () => {
  const first = await startExchange();
  await expect(startExchange({ LOG_LEVEL: 'silent' }, first.dataDir)).rejects.toThrow('did not start');
  expect(await first.journal()).toEqual([]);
  await first.stop();
});
