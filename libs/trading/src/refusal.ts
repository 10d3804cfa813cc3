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
] as const;
export type RejectCode = (typeof REJECT_CODES)[number];

/** A business refusal is data, never an exception. `needed` and `available`: USD in ten-thousandths, or shares. */
export type Refusal =
  | { code: 'INSUFFICIENT_FUNDS'; needed: UsdE4; available: UsdE4 }
  | { code: 'INSUFFICIENT_SHARES'; needed: bigint; available: bigint; stockTicker: string }
  | { code: 'ACCOUNT_BLOCKED' }
  | { code: 'UNKNOWN_TICKER' | 'NO_QUOTE' | 'HALTED'; stockTicker: string }
  | { code: 'MARKET_CLOSED' }
  | { code: 'EXCHANGE_UNAVAILABLE'; maxAgeMs: number }
  | { code: 'EXCHANGE_REJECTED'; message: string };

/** The refusal in words for the customer. */
export function describeRefusal(refusal: Refusal): string {
  switch (refusal.code) {
    case 'INSUFFICIENT_FUNDS':
      return `The buy needs $${formatUsd(refusal.needed)}, but $${formatUsd(refusal.available)} is available`;
    case 'INSUFFICIENT_SHARES':
      return `The sell needs ${refusal.needed} shares of ${refusal.stockTicker}, but ${refusal.available} are available`;
    case 'ACCOUNT_BLOCKED':
      return 'Buys are blocked on this account until an operator has looked at an earlier fill';
    case 'UNKNOWN_TICKER':
      return `The exchange does not list ${refusal.stockTicker}`;
    case 'NO_QUOTE':
      return `The exchange gives no fresh quote for ${refusal.stockTicker}`;
    case 'HALTED':
      return `Trading in ${refusal.stockTicker} is halted`;
    case 'MARKET_CLOSED':
      return 'The market is closed';
    case 'EXCHANGE_UNAVAILABLE':
      return `The exchange could not be reached within ${refusal.maxAgeMs / 1000} s; the order was not sent`;
    case 'EXCHANGE_REJECTED':
      return `The exchange rejected the order: ${refusal.message}`;
  }
}
