import type { OpeningAccount } from '@stockbroker/store';
import { formatUsd, type Trade, type TradeStatus } from '@stockbroker/trading';
import {
  type ClientCall,
  type Evidence,
  endsOutOfTurn,
  groupBy,
  type SeenAccount,
  tradesIn,
  type Violation,
} from './evidence.ts';
import { cashMoved, sharesMoved } from './moneyAndShares.ts';
import { inOrderPlaced } from './placementOrder.ts';

const CHECK = 'account reads';

/**
 * Since a customer's trades are worked on one at a time, the account goes through a known series of states: before a trade, while it
 * holds its money or shares, after it. Every account that a client was ever shown is one of them, not an earlier one than was
 * shown before, and not earlier than the trades that the client had seen by then.
 */
export function checkAccountReads({ openings, clientLog, tables }: Evidence): Violation[] {
  const trades = groupBy(inOrderPlaced(tables.trades), ({ customerId }) => customerId);
  const calls = groupBy(clientLog, ({ customerId }) => customerId);
  return openings.flatMap((opening) => {
    const own = calls.get(opening.customerId) ?? [];
    // What was held for an order that the exchange has sent back is not known any more.
    if ((trades.get(opening.customerId) ?? []).some(({ attempt }) => attempt > 0)) return [];
    if (!own.some(({ answer }) => answer.kind === 'account')) return [];
    return checkCustomer(opening.customerId, own, statesOf(opening, trades.get(opening.customerId) ?? []));
  });
}

interface States {
  /** The account in each state, as text that compares. */
  accounts: string[];
  /** Which state a trade's status begins. */
  begins: Map<string, Partial<Record<TradeStatus, number>>>;
}

function checkCustomer(customerId: string, calls: ClientCall[], { accounts, begins }: States): Violation[] {
  const byEnd = calls.toSorted((a, b) => a.endedMs - b.endedMs);
  const found = new Map<ClientCall, number>();
  const violations: Violation[] = [];
  let [next, least] = [0, 0];
  for (const call of calls.toSorted((a, b) => a.startedMs - b.startedMs)) {
    for (; (byEnd[next]?.endedMs ?? Number.POSITIVE_INFINITY) < call.startedMs; next += 1) {
      const ended = byEnd[next];
      if (ended === undefined) break;
      const seen = tradesIn(ended).map(({ orderId, status }) => begins.get(orderId)?.[status] ?? 0);
      least = Math.max(least, found.get(ended) ?? 0, ...seen);
    }
    if (call.answer.kind !== 'account') continue;
    const account = describe(call.answer.account);
    const at = accounts.indexOf(account, least);
    found.set(call, Math.max(at, 0));
    if (at >= 0) continue;
    const when = accounts.includes(account) ? 'it was so only before what the client had seen' : 'it never was so';
    violations.push({ check: CHECK, message: `the account of ${customerId} was shown as ${account}, but ${when}`, customerId });
  }
  return violations;
}

function statesOf({ cash, shares }: OpeningAccount, trades: Trade[]): States {
  const positions = new Map(
    Object.entries(shares).map(([ticker, quantity]) => [ticker, { quantity: BigInt(quantity), held: 0n }]),
  );
  const account = { cash, held: 0n };
  const accounts: string[] = [];
  const begins: States['begins'] = new Map();
  const note = () => accounts.push(describe({ ...account, positions: toList(positions) })) - 1;
  note();
  // Those that change nothing and end whenever they want have no place in the series.
  for (const trade of trades.filter((each) => !endsOutOfTurn(each))) {
    const states: Partial<Record<TradeStatus, number>> = {};
    begins.set(trade.id, states);
    const position = positions.get(trade.stockTicker) ?? { quantity: 0n, held: 0n };
    if (trade.submittedAt !== null) {
      account.held = trade.type === 'buy' ? (trade.hold ?? 0n) : 0n;
      position.held = trade.type === 'sell' ? BigInt(trade.quantity) : 0n;
      positions.set(trade.stockTicker, position);
      states.executed = note();
    }
    if (trade.status === 'executed' || trade.status === 'placed') continue;
    account.cash += cashMoved(trade);
    account.held = 0n;
    position.quantity += sharesMoved(trade);
    position.held = 0n;
    positions.set(trade.stockTicker, position);
    states[trade.status] = note();
  }
  return { accounts, begins };
}

function toList(positions: Map<string, { quantity: bigint; held: bigint }>): SeenAccount['positions'] {
  return [...positions].map(([stockTicker, position]) => ({ stockTicker, ...position }));
}

function describe({ cash, held, positions }: Pick<SeenAccount, 'cash' | 'held' | 'positions'>): string {
  const owned = positions
    .filter(({ quantity }) => quantity !== 0n)
    .toSorted((a, b) => (a.stockTicker < b.stockTicker ? -1 : 1))
    .map(({ stockTicker, quantity, held: held_ }) => `${quantity} ${stockTicker}${held_ === 0n ? '' : ` (${held_} held)`}`);
  return `${formatUsd(cash)} (${formatUsd(held)} held), ${owned.join(', ') || 'no shares'}`;
}
