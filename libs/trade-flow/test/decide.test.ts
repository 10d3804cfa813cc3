import { type NewTrade, placedTrade, type Trade } from '@stockbroker/trading';
import { expect, test } from 'vitest';
import { CLOCK_TOLERANCE_MS, decide, maySend, waitingTrades } from '../src/decide.ts';
import type { MarketHours, MarketState, QuoteAnswer } from '../src/ports.ts';
import { mayHaveBeenSent } from '../src/recall.ts';

const OPENS_MS = Date.parse('2026-11-30T14:30:00Z');
const CLOSES_MS = Date.parse('2026-11-30T21:00:00Z');
const LIMITS = { maxOutageMs: 60_000, maxPlacedWaitMs: 30_000 };
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

interface Situation {
  answer?: QuoteAnswer;
  /** For how long the exchange has been away; undefined: it is there. */
  awayMs?: number;
  /** How much of any time that is over it was away. */
  wasAwayMs?: number;
  /** When the customer's earlier trade ended. */
  turn?: number;
}

function at(ms: number): MarketState {
  return ms >= OPENS_MS && ms < CLOSES_MS
    ? { isOpen: true, sinceMs: OPENS_MS, untilMs: CLOSES_MS }
    : { isOpen: false, untilMs: ms < OPENS_MS ? OPENS_MS : OPENS_MS + 24 * 3_600_000 };
}

function decideAt(nowMs: number, trade: Trade, { answer, awayMs, wasAwayMs = 0, turn }: Situation = {}) {
  const exchange = {
    isReachable: () => awayMs === undefined,
    awayForMs: () => awayMs ?? 0,
    awayWithinMs: (periodMs: number) => Math.min(periodMs, wasAwayMs),
    freshQuote: async () => answer ?? ({ kind: 'quote', quote: QUOTE } as const),
  };
  const store = { readTurn: async () => (turn === undefined ? null : new Date(turn)) };
  const ports = { hours: { at }, clock: { now: () => nowMs, sleep: async () => {} }, exchange, store };
  return decide(ports, trade, LIMITS);
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
  expect(await decideAt(OPENS_MS, tradePlacedAt(OPENS_MS), { answer: halted })).toEqual({
    refusal: { code: 'HALTED', stockTicker: 'AAPL' },
  });
  expect(await decideAt(CLOSES_MS, tradePlacedAt(OPENS_MS), { answer: halted })).toMatchObject({
    refusal: { code: 'MARKET_CLOSED' },
  });
});

test('a halted stock is refused as halted without prices too', async () => {
  const halted: QuoteAnswer = { kind: 'quote', quote: { ...QUOTE, bid: null, ask: null, halted: true } };
  expect(await decideAt(OPENS_MS, tradePlacedAt(OPENS_MS), { answer: halted })).toMatchObject({ refusal: { code: 'HALTED' } });
});

test('a buy needs the ask only, a sell the bid only', async () => {
  const oneSided = (sides: object): QuoteAnswer => ({ kind: 'quote', quote: { ...QUOTE, bid: null, ask: null, ...sides } });
  const [buy, sell] = [tradePlacedAt(OPENS_MS), { ...tradePlacedAt(OPENS_MS), type: 'sell' as const }];
  const noQuote = { refusal: { code: 'NO_QUOTE', stockTicker: 'AAPL' } };
  expect(await decideAt(OPENS_MS, buy, { answer: oneSided({ ask: 100_000n }) })).toEqual({ limitPrice: 105_000n });
  expect(await decideAt(OPENS_MS, sell, { answer: oneSided({ ask: 100_000n }) })).toEqual(noQuote);
  expect(await decideAt(OPENS_MS, sell, { answer: oneSided({ bid: 100_000n }) })).toEqual({ limitPrice: 95_000n });
  expect(await decideAt(OPENS_MS, buy, { answer: oneSided({ bid: 100_000n }) })).toEqual(noQuote);
});

const waiting = (placedMs: number) => ({ ...tradePlacedAt(placedMs), queueForOpen: true });

test('a trade that waits for the open waits until it, and is sent then', async () => {
  expect(await decideAt(OPENS_MS - 1, waiting(OPENS_MS - 1_000))).toBe('wait');
  expect(await decideAt(OPENS_MS, waiting(OPENS_MS - 1_000))).toEqual({ limitPrice: 105_000n });
  expect(await decideAt(CLOSES_MS, waiting(OPENS_MS))).toBe('wait');
});

const UNAVAILABLE = { refusal: { code: 'EXCHANGE_UNAVAILABLE', limitMs: 60_000 } };

test('however old a trade is, it waits until the exchange has been away for the limit without a break', async () => {
  const nowMs = OPENS_MS + 3_600_000;
  for (const placedMs of [OPENS_MS, nowMs - 61_000, nowMs]) {
    expect(await decideAt(nowMs, tradePlacedAt(placedMs), { awayMs: 490 })).toBe('wait');
    expect(await decideAt(nowMs, tradePlacedAt(placedMs), { awayMs: 59_999 })).toBe('wait');
    expect(await decideAt(nowMs, tradePlacedAt(placedMs), { awayMs: 60_000 })).toEqual(UNAVAILABLE);
  }
});

test('an outage that began before the open counts from the open', async () => {
  const trade = waiting(OPENS_MS - 12 * 3_600_000);
  expect(await decideAt(OPENS_MS + 59_999, trade, { awayMs: 3_600_000 })).toBe('wait');
  expect(await decideAt(OPENS_MS + 60_000, trade, { awayMs: 3_600_000 })).toEqual(UNAVAILABLE);
});

const LATER_MS = OPENS_MS + 3_600_000;
const SENT = { limitPrice: 105_000n };
const tooLong = (waitedMs: number) => ({ refusal: { code: 'WAITED_TOO_LONG', waitedMs, limitMs: 30_000 } });

test.each<[string, Trade, Situation, unknown]>([
  ['for the limit', tradePlacedAt(LATER_MS - 30_000), {}, SENT],
  ['for longer than the limit', tradePlacedAt(LATER_MS - 30_001), {}, tooLong(30_001)],
  ['behind an earlier trade of the customer', tradePlacedAt(OPENS_MS), { turn: LATER_MS - 1_000 }, SENT],
  [
    'for longer than the limit since the earlier one ended',
    tradePlacedAt(OPENS_MS),
    { turn: LATER_MS - 31_000 },
    tooLong(31_000),
  ],
  ['for the exchange, which was away', tradePlacedAt(LATER_MS - 50_000), { wasAwayMs: 20_000 }, SENT],
  ['for the exchange, and then for us', tradePlacedAt(LATER_MS - 51_000), { wasAwayMs: 20_000 }, tooLong(31_000)],
])('a trade that has waited %s', async (_what, trade, situation, decision) => {
  expect(await decideAt(LATER_MS, trade, situation)).toEqual(decision);
});

test('a trade that waits for the open has waited for us since the open', async () => {
  const trade = waiting(OPENS_MS - 12 * 3_600_000);
  expect(await decideAt(OPENS_MS + 30_000, trade)).toEqual(SENT);
  expect(await decideAt(OPENS_MS + 30_001, trade)).toEqual(tooLong(30_001));
});

test('a limit that the database cannot count is no price', async () => {
  const ask = 10n ** 17n;
  const trade = { ...tradePlacedAt(OPENS_MS), quantity: 1_000_000 };
  const decision = await decideAt(OPENS_MS, trade, { answer: { kind: 'quote', quote: { ...QUOTE, ask } } });
  expect(decision).toEqual({ refusal: { code: 'NO_QUOTE', stockTicker: 'AAPL' } });
});

test('a database clock that is a second or two behind rejects nothing at the open', async () => {
  expect(await decideAt(OPENS_MS, tradePlacedAt(OPENS_MS - CLOCK_TOLERANCE_MS))).toEqual(SENT);
  expect(await decideAt(OPENS_MS, tradePlacedAt(OPENS_MS - CLOCK_TOLERANCE_MS - 1))).toEqual({
    refusal: { code: 'MARKET_CLOSED' },
  });
});

test('what was sent back in the session is passed until the next one; in the first minute it is counted soon', () => {
  const asOf = (nowMs: number) => waitingTrades({ hours: { at }, clock: { now: () => nowMs, sleep: async () => {} } });
  expect(asOf(OPENS_MS - 1)).toBe('passed');
  expect(asOf(OPENS_MS + 15_000)).toEqual({ queuedBefore: new Date(OPENS_MS + 5_000) });
  expect(asOf(LATER_MS)).toEqual({ queuedBefore: new Date(OPENS_MS + 60_000) });
  const always = { at: () => ({ isOpen: true, sinceMs: -Infinity, untilMs: Infinity }) as const };
  const soon = waitingTrades({ hours: always, clock: { now: () => LATER_MS, sleep: async () => {} } });
  expect(soon).toEqual({ queuedBefore: new Date(LATER_MS - 10_000) });
});

test.each([
  ['while it is young, in the session of its mark', LATER_MS, LATER_MS - 60_000, true],
  ['not past its age', LATER_MS, LATER_MS - 60_001, false],
  ['not when the market is closed', CLOSES_MS, CLOSES_MS - 1, false],
  ['not in another session', OPENS_MS, OPENS_MS - 3_000, false],
  ['also when the clock of its mark is ahead', LATER_MS, LATER_MS + 500, true],
])('an order that the exchange does not have is sent again %s', (_when, nowMs, markedMs, may) => {
  const trade: Trade = { ...tradePlacedAt(OPENS_MS), status: 'executed', submittedAt: new Date(markedMs) };
  expect(maySend({ hours: { at }, clock: { now: () => nowMs, sleep: async () => {} } }, trade, 60_000)).toBe(may);
});

test('an order is not sent again after a closing, however brief', () => {
  const closing = { fromMs: LATER_MS, toMs: LATER_MS + 100 };
  const hours: MarketHours = {
    at: (nowMs) => {
      if (nowMs < closing.fromMs) return { isOpen: true, sinceMs: OPENS_MS, untilMs: closing.fromMs };
      if (nowMs < closing.toMs) return { isOpen: false, untilMs: closing.toMs };
      return { isOpen: true, sinceMs: closing.toMs, untilMs: CLOSES_MS };
    },
  };
  const clock = { now: () => closing.toMs + 10, sleep: async () => {} };
  const trade: Trade = { ...tradePlacedAt(OPENS_MS), status: 'executed', submittedAt: new Date(closing.fromMs - 10) };
  expect(maySend({ hours, clock }, trade, 60_000)).toBe(false);
});

test.each([
  ['one that was placed before', LATER_MS - 60_000, LATER_MS, true],
  ['one that was placed after', LATER_MS + 1, LATER_MS, false],
  ['one for which there was no session in between', OPENS_MS - 7_200_000, OPENS_MS - 3_600_000, false],
  ['one for which there was', OPENS_MS - 7_200_000, OPENS_MS + 3_600_000, true],
])('a new leadership asks the exchange for %s', (_what, placedMs, sinceMs, asks) => {
  expect(mayHaveBeenSent({ at }, tradePlacedAt(placedMs), new Date(sinceMs))).toBe(asks);
});

test('a trade that was placed outside the session is not sent in the next one, unless it waits for that', async () => {
  expect(await decideAt(OPENS_MS, tradePlacedAt(OPENS_MS - 60_000))).toEqual({ refusal: { code: 'MARKET_CLOSED' } });
  expect(await decideAt(OPENS_MS, tradePlacedAt(OPENS_MS))).toEqual({ limitPrice: 105_000n });
});
