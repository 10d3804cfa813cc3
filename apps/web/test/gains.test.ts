import { Trade, TradeStatus, TradeType } from '@stockbroker/client';
import { parseUsd as usd } from '@stockbroker/trading';
import { expect, test } from 'vitest';
import { costBasis } from '../src/gains.ts';

let seconds = 0;
const fill = (type: TradeType, quantity: number, price: string): Trade => {
  seconds += 1;
  const executedAt = new Date(seconds * 1_000);
  return Trade.create({ orderId: `t${seconds}`, type, quantity, price, status: TradeStatus.TRADE_STATUS_FILLED, executedAt });
};
const buy = (quantity: number, price: string) => fill(TradeType.TRADE_TYPE_BUY, quantity, price);
const sell = (quantity: number, price: string) => fill(TradeType.TRADE_TYPE_SELL, quantity, price);
const open = Trade.create({ type: TradeType.TRADE_TYPE_BUY, quantity: 5, status: TradeStatus.TRADE_STATUS_EXECUTED });

const bought = (boughtShares: bigint, cost: string, otherShares = 0n) => ({ boughtShares, cost: usd(cost), otherShares });

test.each([
  ['bought at two prices', 15n, [buy(10, '100.0000'), buy(5, '110.0001')], bought(15n, '1550.0005')],
  ['the first are sold first', 8n, [buy(10, '100.0000'), buy(5, '110.0000'), sell(7, '1.0000')], bought(8n, '850.0000')],
  ['trades that are open count for nothing', 10n, [buy(10, '100.0000'), open], bought(10n, '1000.0000')],
  ['some came with the account', 110n, [buy(10, '100.0000')], bought(10n, '1000.0000', 100n)],
  [
    'those that came with the account are sold first',
    35n,
    [buy(10, '100.0000'), sell(75, '1.0000')],
    bought(10n, '1000.0000', 25n),
  ],
  ['all came with the account', 7n, [], bought(0n, '0.0000', 7n)],
  ['sold out and bought again', 3n, [buy(5, '10.0000'), sell(5, '11.0000'), buy(3, '12.0000')], bought(3n, '36.0000')],
])('%s', (_what, quantity, fills, expected) => {
  expect(costBasis(quantity, fills)).toEqual(expected);
  // Whatever order they were read in.
  expect(costBasis(quantity, fills.toReversed())).toEqual(expected);
});

test('fills that cannot have led there are not guessed from', () => {
  expect(costBasis(5n, [buy(10, '100.0000')])).toBeUndefined();
});
