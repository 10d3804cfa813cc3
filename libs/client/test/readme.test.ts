import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RpcError, Status } from '@stockbroker/rpc';
import { TradeStatus, TradeType } from '@stockbroker/rpc/stockbroker';
import { expect, test } from 'vitest';
import { placeOrSay } from './examples/errors.ts';
import { firstAsk } from './examples/followQuotes.ts';
import { followToItsEnd } from './examples/followTrades.ts';
import { cash } from './examples/nativeGrpc.ts';
import { buyOnce } from './examples/placeTrade.ts';
import { queueAndCancel } from './examples/queueAndCancel.ts';
import { buy, change, openScripted, placed, silence, snapshot } from './scriptedBroker.ts';

test('the README has the examples as they are', () => {
  const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
  const shown = [...readme.matchAll(/```ts\n(.*?)```/gs)].map((match) => match[1]);
  const files = globSync(join(import.meta.dirname, 'examples/*.ts')).map((file) => readFileSync(file, 'utf8'));
  expect(shown.toSorted()).toEqual(files.toSorted());
});

const quote = { stockTicker: 'AAPL', bid: '9.9000', ask: '10.0000', halted: false, quotedAt: undefined };

test('the examples do what they say', async () => {
  const printed: unknown[] = [];
  let cancellations = 0;
  const tell = (...words: unknown[]) => void printed.push(...words);
  await using broker = await openScripted({
    placeTrade: async (request) => {
      const info = { reason: 'CLIENT_ORDER_ID_USED', metadata: { order_id: 'order-7' } };
      if (request.clientOrderId === 'used') throw new RpcError(Status.ALREADY_EXISTS, 'used', { info });
      if (request.quantity === 0)
        throw new RpcError(Status.INVALID_ARGUMENT, 'no', {
          violations: [{ field: 'quantity', description: 'must be 1 or more' }],
        });
      return placed(request);
    },
    cancelTrade: async ({ orderId }) => {
      if (cancellations++ === 0) return { ...placed({ ...buy, clientOrderId: 'x' }), orderId, reason: 'canceled' };
      throw new RpcError(Status.FAILED_PRECONDITION, 'sent', { info: { reason: 'ALREADY_EXECUTED', metadata: {} } });
    },
    getAccount: async () => {
      const { event } = snapshot(9n);
      if (event?.$case !== 'snapshot' || event.value.account === undefined) throw new Error('no account');
      return event.value.account;
    },
    async *watchTrades(_request, context) {
      yield snapshot(4n);
      const filled = change(5n, 'order-1');
      if (filled.event?.$case === 'change')
        filled.event.value.trades = [
          { ...placed({ ...buy, clientOrderId: 'x' }), status: TradeStatus.TRADE_STATUS_FILLED, price: '9.9900' },
        ];
      yield filled;
      await silence(context);
    },
    async *watchQuotes() {
      yield { quotes: [quote], stale: true };
      yield { quotes: [quote], stale: false };
    },
  });
  const folder = mkdtempSync(join(tmpdir(), 'stockbroker-journal-'));
  const trade = await buyOnce(broker.url, 'a-token', folder, tell);
  expect(trade).toMatchObject({ orderId: 'order-1', stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 10 });
  expect(await queueAndCancel(broker.client())).toBe('canceled');
  expect(await queueAndCancel(broker.client())).toBe('too late: the market is open, and it was sent');
  expect(await followToItsEnd(broker.client(), trade.orderId, tell)).toBe('filled at 9.9900');
  expect(await firstAsk(broker.client(), 'AAPL')).toBe('10.0000');
  expect(await placeOrSay(broker.client(), { ...buy, clientOrderId: 'used' })).toBe('that id is trade order-7');
  expect(await placeOrSay(broker.client(), { ...buy, quantity: 0 })).toBe('quantity must be 1 or more');
  expect(await cash(broker.grpcAddress, 'a-token')).toBe('9.0000');
  expect(printed).toContain('live');
  rmSync(folder, { recursive: true });
});
