import { randomUUID } from 'node:crypto';
import { createExchangeClient } from '@stockbroker/exchange-client';
import { createLog, createMetrics, sleep } from '@stockbroker/runtime';
import { eventually } from '@stockbroker/testkit';
import { type Exchange, ExchangeInDoubtError } from '@stockbroker/trade-flow';
import type { Trade } from '@stockbroker/trading';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { API_KEY, cleanUp, httpSink, startExchange } from '../../apps/exchange/test/harness.ts';
import { exchangeOf } from '../simulation/ports.ts';
import { openMemory } from './memory.ts';

afterAll(cleanUp);

interface Opened {
  exchange: Exchange;
  /** From here on nothing answers. */
  cutOff(): Promise<void>;
  wait(ms: number): Promise<void>;
}

type Open = () => Promise<Opened>;

const real: Open = async () => {
  const [process, sink] = [await startExchange(), await httpSink()];
  onTestFinished(() => sink.close());
  const exchange = createExchangeClient({
    address: process.address.replace('grpc://', ''),
    apiKey: API_KEY,
    callbackUrl: sink.url,
    timeoutMs: 2_000,
    quoteWaitMs: 0,
    log: createLog('test', 'silent'),
    metrics: createMetrics('test'),
  });
  onTestFinished(() => exchange.close());
  await eventually(() => exchange.isReachable(), Boolean, { what: 'quotes' });
  return { exchange, cutOff: () => process.kill(), wait: sleep };
};

const memory: Open = async () => {
  const { servers, process, close } = openMemory({ quotes: { AAPL: { bid: 99_0000n, ask: 100_0000n } } });
  onTestFinished(close);
  const { network, exchangeService } = servers;
  const worker = process('worker');
  return {
    exchange: exchangeOf(worker, servers, () => {}),
    cutOff: async () => network.stop(exchangeService),
    wait: worker.sleep,
  };
};

/** A trade as it is when it is sent. */
function marked(change: Partial<Trade> = {}): Trade {
  const order = { stockTicker: 'AAPL', type: 'buy', quantity: 3, limitPrice: 5_000_0000n, attempt: 0 } as const;
  return { id: randomUUID(), status: 'executed', ...order, ...change } as Trade;
}

describe.each([
  ['over gRPC', real],
  ['in memory', memory],
])('the exchange %s', (_name, open) => {
  test('an order is unknown until it is submitted, and ends filled or rejected as it was ordered', async () => {
    const { exchange } = await open();
    const trade = marked();
    expect(await exchange.findOrder(trade.id)).toBe('unknown');
    expect(await exchange.recallOrder(trade.id)).toBe(null);
    expect(await exchange.submitOrder(trade)).toEqual({ kind: 'accepted' });
    const report = await eventually(
      () => exchange.findOrder(trade.id),
      (found) => found !== 'open',
    );
    const { stockTicker, type, quantity } = trade;
    expect(report).toMatchObject({ tradeId: trade.id, stockTicker, type, quantity });
  });

  test('submitting the same order again is the same order; other content under its id is a conflict', async () => {
    const { exchange } = await open();
    const trade = marked();
    await exchange.submitOrder(trade);
    expect(await exchange.submitOrder(trade)).toEqual({ kind: 'accepted' });
    const first = await eventually(
      () => exchange.findOrder(trade.id),
      (found) => found !== 'open',
    );
    expect(await exchange.submitOrder(trade)).toEqual({ kind: 'accepted' });
    expect(await exchange.submitOrder({ ...trade, quantity: 4 })).toMatchObject({ kind: 'conflict' });
    expect(await exchange.findOrder(trade.id)).toEqual(first);
    expect(await exchange.recallOrder(trade.id)).toEqual({ attempt: 0, limitPrice: trade.limitPrice, found: first });
  });

  test('quotes: bid below ask; a ticker that is not listed is unknown', async () => {
    const { exchange } = await open();
    const answer = await exchange.freshQuote('AAPL', 'buy');
    if (answer.kind !== 'quote') throw new Error(`no quote but ${answer.kind}`);
    expect(answer.quote).toMatchObject({ stockTicker: 'AAPL', halted: false });
    expect(answer.quote.bid).toBeLessThan(answer.quote.ask ?? 0n);
    expect(await exchange.freshQuote('NONE', 'buy')).toEqual({ kind: 'unknown-ticker' });
  });

  test('when it cannot be asked, everything is in doubt, and it is not reachable', async () => {
    const { exchange, cutOff, wait } = await open();
    const trade = marked();
    await cutOff();
    await expect(exchange.findOrder(trade.id)).rejects.toBeInstanceOf(ExchangeInDoubtError);
    await expect(exchange.submitOrder(trade)).rejects.toBeInstanceOf(ExchangeInDoubtError);
    expect(exchange.isReachable()).toBe(false);
    const away = async () => {
      await wait(50);
      return exchange.awayForMs();
    };
    await eventually(away, (ms) => ms > 0, { what: 'an outage' });
    const later = async () => {
      await wait(200);
      return exchange.freshQuote('AAPL', 'buy');
    };
    await eventually(later, ({ kind }) => kind === 'unreachable', { what: 'silence' });
  });
});
