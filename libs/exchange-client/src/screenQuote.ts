import type { Quote as QuoteMessage } from '@stockbroker/rpc/exchange';
import type { Quote, UsdE4 } from '@stockbroker/trading';
import { fromQuote } from './convert.ts';

/** When a quote is believed. */
export interface QuoteRules {
  /** A quote that was made longer ago is no quote any more. The exchange restates each at least every five seconds. */
  maxAgeMs: number;
  /** How far a price may be from the last one that was believed, in percent of it; 0: as far as it likes. */
  maxMovePercent: number;
  /** A price beyond that is believed once the exchange has stood by it for so long. */
  confirmMs: number;
}

export const DEFAULT_QUOTE_RULES: QuoteRules = { maxAgeMs: 15_000, maxMovePercent: 50, confirmMs: 60_000 };

/**
 * Why the prices of a quote are not believed. 'no-price': not positive decimals. 'crossed': the bid is above the ask. 'untimed': no
 * quoted_at. 'future': quoted_at is ahead of our clock. 'moved': too far from the last.
 */
export const QUOTE_FAULTS = ['no-price', 'crossed', 'untimed', 'future', 'moved'] as const;
export type QuoteFault = (typeof QUOTE_FAULTS)[number];

export interface ScreenedQuote {
  /** Without prices when they are not believed. Halted is believed in any case: it only stops. */
  quote: Quote;
  fault: QuoteFault | undefined;
}

/** Clocks differ, and a quote is a little ahead of ours at times. */
const MAX_AHEAD_MS = 5_000;
/** The last price says nothing about the next after a night, in which a share may be split. */
const REFERENCE_MS = 3_600_000;
/** One message that is kept alive by its repetitions must be that many messages at least. */
const CONFIRMING_QUOTES = 3;

/** Where the market was, or is said to be. */
interface Market {
  bid: UsdE4 | null;
  ask: UsdE4 | null;
  middle: UsdE4;
}

/** What is remembered of one ticker, so that a price from nowhere is not taken for the market. */
export class QuoteScreen {
  readonly #rules: QuoteRules;
  #reference: (Market & { atMs: number }) | undefined;
  /** Where the exchange says the price has gone. */
  #claimed: (Market & { sinceMs: number; quotes: number }) | undefined;

  constructor(rules: QuoteRules) {
    this.#rules = rules;
  }

  screen(message: QuoteMessage, nowMs: number): ScreenedQuote {
    const quote = fromQuote(message);
    const fault = quote === null ? 'no-price' : (faultOf(quote, message.quotedAt, nowMs) ?? this.#moved(quote, nowMs));
    if (quote !== null && fault === undefined) return { quote, fault };
    return { quote: { stockTicker: message.ticker, bid: null, ask: null, halted: message.halted }, fault };
  }

  /** A move that the exchange stands by is the market's: nothing may stay without a price for ever. */
  #moved(quote: Quote, nowMs: number): QuoteFault | undefined {
    const market = marketOf(quote);
    if (market === null) return undefined;
    const reference = this.#reference;
    const isKnown = reference !== undefined && nowMs - reference.atMs < REFERENCE_MS;
    if (isKnown && this.#isFar(market, reference) && !this.#isConfirmed(market, nowMs)) return 'moved';
    this.#reference = { ...market, atMs: nowMs };
    this.#claimed = undefined;
    return undefined;
  }

  #isConfirmed(market: Market, nowMs: number): boolean {
    const claimed = this.#claimed;
    if (claimed === undefined || this.#isFar(market, claimed)) {
      this.#claimed = { ...market, sinceMs: nowMs, quotes: 1 };
      return false;
    }
    claimed.quotes += 1;
    return claimed.quotes >= CONFIRMING_QUOTES && nowMs - claimed.sinceMs >= this.#rules.confirmMs;
  }

  /** Near the middle, or where the side was: in a wide market both sides are far from the middle, and yet nothing moves. */
  #isFar({ bid, ask }: Market, from: Market): boolean {
    const isFar = (price: UsdE4 | null, side: UsdE4 | null) =>
      price !== null && this.#isBeyond(price, from.middle) && (side === null || this.#isBeyond(price, side));
    return isFar(bid, from.bid) || isFar(ask, from.ask);
  }

  #isBeyond(price: UsdE4, from: UsdE4): boolean {
    const { maxMovePercent } = this.#rules;
    return maxMovePercent !== 0 && (price > from ? price - from : from - price) * 100n > from * BigInt(maxMovePercent);
  }
}

function faultOf({ bid, ask }: Quote, quotedAt: Date | undefined, nowMs: number): QuoteFault | undefined {
  if (bid !== null && ask !== null && bid > ask) return 'crossed'; // Locked, bid = ask, happens.
  if (bid === null && ask === null) return undefined;
  if (quotedAt === undefined || Number.isNaN(quotedAt.getTime())) return 'untimed';
  return quotedAt.getTime() > nowMs + MAX_AHEAD_MS ? 'future' : undefined;
}

function marketOf({ bid, ask }: Quote): Market | null {
  const middle = bid !== null && ask !== null ? (bid + ask) / 2n : (bid ?? ask);
  return middle === null ? null : { bid, ask, middle };
}
