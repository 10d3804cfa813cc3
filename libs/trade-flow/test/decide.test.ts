import { type NewTrade, placedTrade, type Trade } from '@stockbroker/trading';
import { expect, test } from 'vitest';
import { decide } from '../src/decide.ts';
import type { MarketState, QuoteAnswer } from '../src/ports.ts';

const OPENS_MS = Date.parse('2026-11-30T14:30:00Z');
const CLOSES_MS = Date.parse('2026-11-30T21:00:00Z');
const MAX_PLACED_AGE_MS = 60_000;
const QUOTE = { stockTicker: 'AAPL', bid: 100_000n, ask: 100_000n, halted: false };

function tradePlacedAt(ms: number): Trade {
  const trade: NewTrade = {
    id: '00000000-0000-7000-8000-000000000001',
    customerId: 'a11ce000-0000-4000-8000-000000000001',
    partition: 0,
    clientOrderId: 'a-1',
    stockTicker: 'AAPL',
    type: 'buy',
    quantity: 1,
    queueForOpen: false,
  };
  return placedTrade(trade, { seq: 1n, createdAt: new Date(ms), placedRevision: 1 });
}

function decideAt(nowMs: number, trade: Trade, answer: QuoteAnswer = { kind: 'quote', quote: QUOTE }) {
  const at = (ms: number): MarketState =>
    ms >= OPENS_MS && ms < CLOSES_MS
      ? { isOpen: true, sinceMs: OPENS_MS, untilMs: CLOSES_MS }
      : { isOpen: false, untilMs: ms < OPENS_MS ? OPENS_MS : OPENS_MS + 24 * 3_600_000 };
  const exchange = { isReachable: () => true, freshQuote: async () => answer };
  const ports = { hours: { at }, clock: { now: () => nowMs, sleep: async () => {} }, exchange } as unknown as Parameters<
    typeof decide
  >[0];
  return decide(ports, trade, MAX_PLACED_AGE_MS);
}

test.each([
  ['in the moment of the opening', OPENS_MS],
  ['in the last millisecond of the session', CLOSES_MS - 1],
])('a trade is sent %s', async (_when, nowMs) => {
  expect(await decideAt(nowMs, tradePlacedAt(nowMs))).toEqual({ limitPrice: 105_000n });
});

test.each([
  ['a millisecond before the opening', OPENS_MS - 1, OPENS_MS],
  ['in the moment of the close', CLOSES_MS, OPENS_MS + 24 * 3_600_000],
])('a trade is rejected MARKET_CLOSED %s, with the next opening', async (_when, nowMs, opensAtMs) => {
  expect(await decideAt(nowMs, tradePlacedAt(nowMs))).toEqual({ refusal: { code: 'MARKET_CLOSED', opensAtMs } });
});

test('a halted stock is refused within the session, and outside it the market is closed', async () => {
  const halted: QuoteAnswer = { kind: 'quote', quote: { ...QUOTE, halted: true } };
  expect(await decideAt(OPENS_MS, tradePlacedAt(OPENS_MS), halted)).toEqual({ refusal: { code: 'HALTED', stockTicker: 'AAPL' } });
  expect(await decideAt(CLOSES_MS, tradePlacedAt(OPENS_MS), halted)).toMatchObject({ refusal: { code: 'MARKET_CLOSED' } });
});

test('a halted stock is refused as halted without prices too', async () => {
  const halted: QuoteAnswer = { kind: 'quote', quote: { ...QUOTE, bid: null, ask: null, halted: true } };
  expect(await decideAt(OPENS_MS, tradePlacedAt(OPENS_MS), halted)).toMatchObject({ refusal: { code: 'HALTED' } });
});

test('a buy needs the ask only, a sell the bid only', async () => {
  const oneSided = (sides: object): QuoteAnswer => ({ kind: 'quote', quote: { ...QUOTE, bid: null, ask: null, ...sides } });
  const [buy, sell] = [tradePlacedAt(OPENS_MS), { ...tradePlacedAt(OPENS_MS), type: 'sell' as const }];
  const noQuote = { refusal: { code: 'NO_QUOTE', stockTicker: 'AAPL' } };
  expect(await decideAt(OPENS_MS, buy, oneSided({ ask: 100_000n }))).toEqual({ limitPrice: 105_000n });
  expect(await decideAt(OPENS_MS, sell, oneSided({ ask: 100_000n }))).toEqual(noQuote);
  expect(await decideAt(OPENS_MS, sell, oneSided({ bid: 100_000n }))).toEqual({ limitPrice: 95_000n });
  expect(await decideAt(OPENS_MS, buy, oneSided({ bid: 100_000n }))).toEqual(noQuote);
});

const waiting = (placedMs: number) => ({ ...tradePlacedAt(placedMs), queueForOpen: true });

test('a trade that waits for the open waits until it, and is sent then', async () => {
  expect(await decideAt(OPENS_MS - 1, waiting(OPENS_MS - 1_000))).toBe('wait');
  expect(await decideAt(OPENS_MS, waiting(OPENS_MS - 1_000))).toEqual({ limitPrice: 105_000n });
  expect(await decideAt(CLOSES_MS, waiting(OPENS_MS))).toBe('wait');
});

test('while the exchange is away, a trade that has waited for the open is as old as the session', async () => {
  const away: QuoteAnswer = { kind: 'unreachable' };
  const placedMs = OPENS_MS - 12 * 3_600_000;
  expect(await decideAt(OPENS_MS + MAX_PLACED_AGE_MS - 1, waiting(placedMs), away)).toBe('wait');
  expect(await decideAt(OPENS_MS + MAX_PLACED_AGE_MS, waiting(placedMs), away)).toMatchObject({
    refusal: { code: 'EXCHANGE_UNAVAILABLE' },
  });
  const laterMs = OPENS_MS + 3_600_000;
  expect(await decideAt(laterMs + MAX_PLACED_AGE_MS - 1, waiting(laterMs), away)).toBe('wait');
});

test('a trade that was placed outside the session is not sent in the next one, unless it waits for that', async () => {
  expect(await decideAt(OPENS_MS, tradePlacedAt(OPENS_MS - 1))).toEqual({ refusal: { code: 'MARKET_CLOSED' } });
  expect(await decideAt(OPENS_MS, tradePlacedAt(OPENS_MS))).toEqual({ limitPrice: 105_000n });
});
