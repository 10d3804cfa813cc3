import type { ListedOrder } from '@stockbroker/exchange-client';
import type { LeaseSnapshot } from '@stockbroker/lease';
import type { StuckTrade } from '@stockbroker/store/operate';
import { formatUsd, type OrderReport } from '@stockbroker/trading';
import { age } from './command.ts';

/** What the exchange says of a trade's order. */
export type Found = ListedOrder['found'] | 'unknown';

/** What was found out about the world around the stuck trades. Each part may not be known, and then says why. */
export interface Facts {
  leases: LeaseSnapshot['leases'] | { unknown: string };
  /** Undefined while the exchange answers. */
  exchangeProblem: string | undefined;
  /** Undefined: could not be asked. */
  quoteOf(stockTicker: string): 'quoted' | 'none' | 'unlisted' | undefined;
  /** By trade id; only of executed trades that no other holds up. */
  orders: Map<string, Found>;
}

export const CAUSES = [
  'behind',
  'no-leader',
  'leader-unknown',
  'exchange-unreachable',
  'no-quote',
  'leader-slow',
  'not-at-exchange',
  'open-at-exchange',
  'quarantined',
  'not-settled',
  'malformed',
] as const;

export interface Why {
  cause: (typeof CAUSES)[number];
  /** In plain words. */
  why: string;
}

/** Why a trade is still open: the first cause in the order of its path. */
export function whyStuck(trade: StuckTrade, facts: Facts): Why {
  if (trade.behind !== null) return { cause: 'behind', why: `waits for the customer's earlier trade ${trade.behind}` };
  return trade.status === 'placed' ? whyPlaced(trade, facts) : whyExecuted(trade, facts);
}

function whyPlaced(trade: StuckTrade, facts: Facts): Why {
  const leader = leaderOf(trade, facts);
  if ('cause' in leader) return leader;
  if (facts.exchangeProblem !== undefined) return unreachable(facts.exchangeProblem);
  const quote = facts.quoteOf(trade.stockTicker);
  if (quote === 'none') return { cause: 'no-quote', why: `the exchange gives no quote for ${trade.stockTicker}` };
  return { cause: 'leader-slow', why: `${leader.holder} leads its partition and should be at it: look at its log and load` };
}

function whyExecuted(trade: StuckTrade, facts: Facts): Why {
  const found = facts.orders.get(trade.id);
  if (found === undefined) return unreachable(facts.exchangeProblem ?? 'it was not asked');
  if (found instanceof Error) return { cause: 'malformed', why: `the exchange's answer breaks its contract: ${found.message}` };
  if (found === 'open') return { cause: 'open-at-exchange', why: 'sent, and still open at the exchange' };
  if (found === 'unknown') {
    const leader = leaderOf(trade, facts);
    const next =
      'cause' in leader ? `but ${leader.why}` : `${leader.holder} will ask and send it again, or hold it when that is too late`;
    return { cause: 'not-at-exchange', why: `marked executed, but the exchange does not know it; ${next}` };
  }
  const ended = `${outcome(found)} at the exchange, not settled here`;
  if (trade.quarantineId !== null) {
    return { cause: 'quarantined', why: `${ended}: a report was set aside, see quarantine show ${trade.quarantineId}` };
  }
  return {
    cause: 'not-settled',
    why: `${ended}: the callback has not come; reconcile --fix settles it, or its leader when it asks`,
  };
}

function leaderOf({ partition }: StuckTrade, { leases }: Facts): Why | { holder: string } {
  if (!(leases instanceof Map))
    return { cause: 'leader-unknown', why: `who leads partition ${partition} is not known: ${leases.unknown}` };
  const lease = leases.get(partition);
  return lease ?? { cause: 'no-leader', why: `nobody leads partition ${partition}` };
}

function unreachable(problem: string): Why {
  return { cause: 'exchange-unreachable', why: `the exchange cannot be reached: ${problem}` };
}

/** "filled at 10.0000", "rejected" */
export function outcome({ outcome: ended }: OrderReport): string {
  return ended.kind === 'filled' ? `filled at ${formatUsd(ended.price)}` : 'rejected';
}

/** One line of the table. */
export function stuckRow(trade: StuckTrade, { why }: Why): string[] {
  const { id, customerId, status, type, quantity, stockTicker, ageMs } = trade;
  return [age(ageMs), id, customerId, status, `${type} ${quantity} ${stockTicker}`, why];
}
