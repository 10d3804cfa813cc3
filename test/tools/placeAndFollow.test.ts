import { BrokerClient, BrokerError, type Code, Trade, TradeStatus, TradeType, type TradingCalls } from '@stockbroker/client';
import { expect, test } from 'vitest';
import { UserError } from '../../tools/cli.ts';
import { placeAndFollow } from '../../tools/placeAndFollow.ts';

const order = { stockTicker: 'AAPL', type: TradeType.TRADE_TYPE_BUY, quantity: 3, clientOrderId: 'an-id' };
/** A broker that answers PlaceTrade so, and nothing else. */
const following = (placeTrade: TradingCalls['placeTrade']) => {
  const seen: TradeStatus[] = [];
  const calls = { placeTrade } as TradingCalls;
  const onChange = ({ status }: Trade) => void seen.push(status);
  return { seen, ended: placeAndFollow(new BrokerClient({ calls }), order, { timeoutMs: 3_600_000, onChange }) };
};

test('a trade that has ended long ago is not waited for', async () => {
  const filled = Trade.create({ orderId: 'a', status: TradeStatus.TRADE_STATUS_FILLED });
  const { seen, ended } = following(async () => filled);
  expect(await ended).toBe(filled);
  expect(seen).toEqual([TradeStatus.TRADE_STATUS_FILLED]);
});

test.each<[Code, typeof UserError | typeof BrokerError]>([
  ['UNAVAILABLE', UserError],
  ['INTERNAL', UserError],
  ['INVALID_ARGUMENT', BrokerError],
])('after %s it is told how to find out, when there is a doubt', async (code, kind) => {
  const failure = new BrokerError(code, 'no', { retryAfterMs: 3_600_000 });
  await expect(following(() => Promise.reject(failure)).ended).rejects.toBeInstanceOf(kind);
});
