import { formatUsd } from '@stockbroker/trading';
import { type Evidence, groupBy, type Violation } from './evidence.ts';

const CHECK = 'negative';

/**
 * Nothing is below zero, and no account is blocked, but for one reason: the exchange filled a buy of that customer above the limit that
 * it was given, as its own journal shows. Then the account must be blocked.
 */
export function checkNegative({ tables, journal }: Evidence): Violation[] {
  const customers = new Map(tables.trades.map(({ id, customerId }) => [id, customerId]));
  const beyondLimit = journal.filter(({ type, price, limitPrice }) => type === 'buy' && price !== null && price > limitPrice);
  const overfilled = groupBy(beyondLimit, ({ orderId }) => customers.get(orderId) ?? '');
  return [
    ...tables.balances.flatMap(({ customerId, amount, buysBlocked }) => {
      const wasOverfilled = overfilled.has(customerId);
      const problems: string[] = [];
      if (amount < 0n && !wasOverfilled) problems.push(`cash of ${customerId} is below zero: ${formatUsd(amount)}`);
      if (buysBlocked && !wasOverfilled) problems.push(`buys of ${customerId} are blocked, but no fill cost more than its hold`);
      if (!buysBlocked && wasOverfilled)
        problems.push(`a fill of ${customerId} cost more than its hold, but buys are not blocked`);
      return problems.map((message) => ({ check: CHECK, message, customerId }));
    }),
    ...tables.positions
      .filter(({ quantity }) => quantity < 0n)
      .map(({ customerId, stockTicker, quantity }) => ({
        check: CHECK,
        message: `shares of ${customerId} ${stockTicker} are below zero: ${quantity}`,
        customerId,
      })),
  ];
}
