import type { TradeStatus } from './trade.ts';

/** What can happen to a trade. */
export const TRADE_EVENTS = ['execute', 'refuse', 'cancel', 'fill', 'reject', 'requeue'] as const;
export type TradeEvent = (typeof TRADE_EVENTS)[number];

/** A transition that the table does not have: always a bug in the caller, never a business refusal. */
export class IllegalTransitionError extends Error {
  constructor(status: TradeStatus, event: TradeEvent) {
    super(`a trade that is ${status} cannot ${event}`);
    this.name = 'IllegalTransitionError';
  }
}

/**
 * The life of a trade, whole. The database enforces the same table (triggers in the migration).
 * `execute`: checked, held and about to be sent. `refuse`, `cancel`: ended by the broker, or by its customer, before it was sent.
 * `fill`, `reject`: by the exchange. `requeue`: the exchange was closed, and the customer wants the trade to wait for the open: that
 * attempt is over, and nothing of it is left.
 */
const TRANSITIONS: Record<TradeStatus, Record<TradeEvent, TradeStatus | null>> = {
  placed: { execute: 'executed', refuse: 'rejected', cancel: 'rejected', fill: null, reject: null, requeue: null },
  executed: { execute: null, refuse: null, cancel: null, fill: 'filled', reject: 'rejected', requeue: 'placed' },
  filled: { execute: null, refuse: null, cancel: null, fill: null, reject: null, requeue: null },
  rejected: { execute: null, refuse: null, cancel: null, fill: null, reject: null, requeue: null },
};

/** @throws IllegalTransitionError */
export function nextStatus(status: TradeStatus, event: TradeEvent): TradeStatus {
  const next = TRANSITIONS[status][event];
  if (next === null) throw new IllegalTransitionError(status, event);
  return next;
}

export function isFinal(status: TradeStatus): boolean {
  return TRADE_EVENTS.every((event) => TRANSITIONS[status][event] === null);
}
