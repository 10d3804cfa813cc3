import { formatUsd, type UsdE4 } from './money.ts';

/** Why a trade can be rejected: the closed set. The same names in SQL, proto and code. */
export const REJECT_CODES = [
  'INSUFFICIENT_FUNDS',
  'INSUFFICIENT_SHARES',
  'UNKNOWN_TICKER',
  'NO_QUOTE',
  'MARKET_CLOSED',
  'HALTED',
  'EXCHANGE_REJECTED',
  'EXCHANGE_UNAVAILABLE',
  'ACCOUNT_BLOCKED',
  'CANCELED',
  'WAITED_TOO_LONG',
] as const;
export type RejectCode = (typeof REJECT_CODES)[number];

/** A business refusal is data, never an exception. `needed` and `available`: USD in ten-thousandths, or shares. */
export type Refusal =
  | { code: 'INSUFFICIENT_FUNDS'; needed: UsdE4; available: UsdE4 }
  | { code: 'INSUFFICIENT_SHARES'; needed: bigint; available: bigint; stockTicker: string }
  | { code: 'ACCOUNT_BLOCKED' | 'CANCELED' }
  | { code: 'UNKNOWN_TICKER' | 'NO_QUOTE' | 'HALTED'; stockTicker: string }
  /** Without `opensAtMs`, or with Infinity: it is not known when it will open. */
  | { code: 'MARKET_CLOSED'; opensAtMs?: number }
  /** The exchange had been away for `limitMs` without a break. */
  | { code: 'EXCHANGE_UNAVAILABLE'; limitMs: number }
  /** The broker did not get to it: `waitedMs`, which is more than `limitMs`, since no earlier trade of the customer was before it. */
  | { code: 'WAITED_TOO_LONG'; waitedMs: number; limitMs: number }
  | { code: 'EXCHANGE_REJECTED'; message: string };

/** Why an order is not even placed: no trade is stored, and the caller gets the code and its figures at once. */
export interface PlacingRefusal {
  code: 'TOO_MANY_OPEN_TRADES';
  /** Trades placed and not ended; counted as far as the limit. */
  open: number;
  limit: number;
}

/** In words for the customer. */
export function describePlacingRefusal({ open, limit }: PlacingRefusal): string {
  return `${open} trades are open, and ${limit} are allowed: wait until some have ended, or cancel some`;
}

/** The refusal in words for the customer. */
export function describeRefusal(refusal: Refusal): string {
  switch (refusal.code) {
    case 'INSUFFICIENT_FUNDS':
      return `The buy needs $${formatUsd(refusal.needed)}, but $${formatUsd(refusal.available)} is available`;
    case 'INSUFFICIENT_SHARES':
      return `The sell needs ${refusal.needed} shares of ${refusal.stockTicker}, but ${refusal.available} are available`;
    case 'ACCOUNT_BLOCKED':
      return 'Buys are blocked on this account until an operator has looked at an earlier fill';
    case 'CANCELED':
      return 'Canceled by the customer before it was sent';
    case 'UNKNOWN_TICKER':
      return `The exchange does not list ${refusal.stockTicker}`;
    case 'NO_QUOTE':
      return `The exchange gives no fresh quote for ${refusal.stockTicker}`;
    case 'HALTED':
      return `Trading in ${refusal.stockTicker} is halted`;
    case 'MARKET_CLOSED':
      return `The market is closed${describeOpening(refusal.opensAtMs)}`;
    case 'EXCHANGE_UNAVAILABLE':
      return `The exchange could not be reached for ${refusal.limitMs / 1000} s; the order was not sent`;
    case 'WAITED_TOO_LONG':
      return `The order waited for ${seconds(refusal.waitedMs)} s at the broker, longer than the ${seconds(refusal.limitMs)} s allowed; it was not sent`;
    case 'EXCHANGE_REJECTED':
      return `The exchange rejected the order: ${refusal.message}`;
  }
}

function seconds(ms: number): string {
  return String(Math.round(ms / 100) / 10);
}

/** The market's own time, whoever reads it. */
const OPENING = new Intl.DateTimeFormat('en-US', {
  timeZone: 'America/New_York',
  weekday: 'long',
  month: 'long',
  day: 'numeric',
  hour: 'numeric',
  minute: '2-digit',
  timeZoneName: 'short',
});

function describeOpening(opensAtMs = Number.POSITIVE_INFINITY): string {
  if (!Number.isFinite(opensAtMs)) return '';
  // Newer versions of the data that Intl uses have a narrow space before AM.
  return `; it opens on ${OPENING.format(opensAtMs).replaceAll('\u202f', ' ')}`;
}
