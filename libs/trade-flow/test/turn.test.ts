import { type NewTrade, type OrderReport, placedTrade, type Trade } from '@stockbroker/trading';
import { expect, test } from 'vitest';
import { Lane } from '../src/lane.ts';
import {
  type Decision,
  ExchangeInDoubtError,
  type FlowEvent,
  type KnownOrder,
  type Mark,
  type MarketState,
  type MarkResult,
  StoreRefusedError,
} from '../src/ports.ts';
import type { LanePorts } from '../src/turn.ts';

const OPENS_MS = Date.parse('2026-11-30T14:30:00Z');
const CLOSES_MS = Date.parse('2026-11-30T21:00:00Z');
const OPTIONS = { maxOutageMs: 60_000, maxPlacedWaitMs: 60_000, maxResendAgeMs: 60_000, askAfterMs: 5_000, maxRetryMs: 2_000 };
const QUOTE = { stockTicker: 'AAPL', bid: 100_000n, ask: 100_000n, halted: false };
const ID = '00000000-0000-7000-8000-000000000001';

const ORDER: NewTrade = {
  id: ID,
  customerId: 'a11ce000-0000-4000-8000-000000000001',
  partition: 0,
  clientOrderId: 'a-1',
  stockTicker: 'AAPL',
  type: 'buy',
  quantity: 1,
  queueForOpen: false,
};

function placed(atMs = OPENS_MS): Trade {
  return placedTrade(ORDER, { seq: 1n, createdAt: new Date(atMs), placedRevision: 1 });
}

function executed(atMs = OPENS_MS): Trade {
  return { ...placed(atMs), status: 'executed', limitPrice: 105_000n, hold: 105_000n, submittedAt: new Date(atMs) };
}

function fill(): OrderReport {
  const outcome = { kind: 'filled', price: 100_000n, executionId: 'x-1', executedAt: new Date(OPENS_MS) } as const;
  return { tradeId: ID, stockTicker: 'AAPL', type: 'buy', quantity: 1, outcome };
}

interface World {
  trade: Trade;
  nowMs: number;
  /** When the leadership began. */
  sinceMs?: number;
  exchange: Partial<Record<'submitOrder' | 'findOrder' | 'recallOrder', () => unknown>> & { awayMs?: number };
  mark?: (mark: Mark) => Promise<MarkResult>;
  /** Called at each sleep; the lane is stopped after ten. */
  slept?: (world: World) => void;
}

/** What a lane does in a world in which it alone changes the trade. */
async function runLane(world: World) {
  const events: FlowEvent['kind'][] = [];
  const decisions: Decision[] = [];
  const settled: OrderReport[] = [];
  const calls: string[] = [];
  let sleeps = 0;
  const call = (name: 'submitOrder' | 'findOrder' | 'recallOrder') => async () => {
    calls.push(name);
    return world.exchange[name]?.();
  };
  const mark = async ({ trade, decision }: Mark): Promise<MarkResult> => {
    if ('refusal' in decision) world.trade = { ...trade, status: 'rejected', rejectCode: decision.refusal.code };
    else if ('adopt' in decision) world.trade = { ...executed(trade.createdAt.getTime()), ...decision.adopt };
    else world.trade = executed(world.nowMs);
    return { kind: 'marked', trade: world.trade };
  };
  const ports = {
    store: {
      readOldestOpenTrade: async () => (['placed', 'executed'].includes(world.trade.status) ? world.trade : null),
      readTurn: async () => null,
      markExecuted: (asked: Mark) => {
        decisions.push(asked.decision);
        return (world.mark ?? mark)(asked);
      },
      settleTrade: async (report: OrderReport) => {
        settled.push(report);
        world.trade = { ...world.trade, status: report.outcome.kind };
        return { trade: world.trade, overdrawn: false };
      },
    },
    exchange: {
      isReachable: () => world.exchange.awayMs === undefined,
      awayForMs: () => world.exchange.awayMs ?? 0,
      awayWithinMs: () => 0,
      freshQuote: async () => ({ kind: 'quote', quote: QUOTE }),
      submitOrder: call('submitOrder'),
      findOrder: call('findOrder'),
      recallOrder: call('recallOrder'),
    },
    hours: {
      at: (ms: number): MarketState =>
        ms >= OPENS_MS && ms < CLOSES_MS
          ? { isOpen: true, sinceMs: OPENS_MS, untilMs: CLOSES_MS }
          : { isOpen: false, untilMs: ms < OPENS_MS ? OPENS_MS : OPENS_MS + 86_400_000 },
    },
    clock: {
      now: () => world.nowMs,
      sleep: async () => {
        sleeps += 1;
        world.slept?.(world);
        if (sleeps >= 10) void lane.stop();
      },
    },
    random: { number: () => 0.5 },
    wakeups: { tradeMarked: () => {}, tradeSettled: () => {} },
    observe: ({ kind }: FlowEvent) => events.push(kind),
  } as unknown as LanePorts;
  const leadership = { partition: 0, epoch: 1n, since: new Date(world.sinceMs ?? 0), isTrusted: () => true, fenced: () => {} };
  const lane: Lane = new Lane(ORDER.customerId, ports, OPTIONS, leadership, () => {});
  await lane.finished;
  return { events, decisions, settled, calls };
}

const unknown = () => 'unknown';
const accepted = () => ({ kind: 'accepted' });
const away = () => {
  throw new ExchangeInDoubtError(new Error('away'));
};

test.each([
  ['with the market closed', CLOSES_MS + 1, CLOSES_MS - 1],
  ['in another session than that of its mark', OPENS_MS + 1, OPENS_MS - 64_800_000],
  ['when its mark is too old', OPENS_MS + 120_000, OPENS_MS + 59_999],
])('an executed trade that the exchange does not know is held and not sent %s', async (_when, nowMs, markedMs) => {
  const { events, calls } = await runLane({ trade: executed(markedMs), nowMs, exchange: { findOrder: unknown } });
  expect(events).toEqual(['held']);
  expect(calls).not.toContain('submitOrder');
});

test('a held trade settles as ever when the exchange reports it', async () => {
  let found: OrderReport | 'unknown' = 'unknown';
  const slept = () => {
    found = fill();
  };
  const { events } = await runLane({ trade: executed(), nowMs: CLOSES_MS, exchange: { findOrder: () => found }, slept });
  expect(events).toEqual(['held', 'settled']);
});

test.each([
  ['a first submission', placed],
  ['a resubmission', executed],
])('INVALID to %s is believed only when the exchange, asked again, does not know the order', async (_which, before) => {
  const submitOrder = () => ({ kind: 'invalid', message: 'odd' });
  const never = await runLane({ trade: before(), nowMs: OPENS_MS, exchange: { submitOrder, findOrder: unknown } });
  expect(never.settled).toMatchObject([{ outcome: { kind: 'rejected', refusal: { code: 'EXCHANGE_REJECTED' } } }]);
  expect(never.calls.slice(-2)).toEqual(['submitOrder', 'findOrder']);
});

test('INVALID to a resubmission says nothing when the earlier one has arrived since the exchange was asked', async () => {
  const submitOrder = () => ({ kind: 'invalid', message: 'seen before' });
  const taken = await runLane({ trade: executed(), nowMs: OPENS_MS, exchange: { submitOrder, findOrder: firstUnknown() } });
  expect(taken.settled).toEqual([fill()]);
});

test('INVALID to a first submission says nothing when another leader has sent the order during a pause', async () => {
  const submitOrder = () => ({ kind: 'invalid', message: 'seen before' });
  const sent = await runLane({ trade: placed(), nowMs: OPENS_MS, exchange: { submitOrder, findOrder: fill } });
  expect(sent.settled).toEqual([fill()]);
});

/** Unknown when asked first, and filled from then on: the earlier submission has arrived. */
function firstUnknown() {
  let asked = 0;
  return () => (asked++ === 0 ? 'unknown' : fill());
}

test('a trade that was marked in the last moment of the session is not sent after it', async () => {
  const world: World = { trade: placed(), nowMs: CLOSES_MS - 1, exchange: { submitOrder: accepted } };
  world.mark = async () => {
    world.nowMs = CLOSES_MS + 10;
    world.trade = executed(CLOSES_MS - 1);
    return { kind: 'marked', trade: world.trade };
  };
  const { calls, settled } = await runLane(world);
  expect(calls).toEqual([]);
  expect(settled).toMatchObject([{ outcome: { refusal: { code: 'MARKET_CLOSED' } } }]);
});

const FILLED: KnownOrder = { attempt: 0, limitPrice: 105_000n, found: fill() };

test.each([
  ['with the market closed', CLOSES_MS + 1],
  ['while the price is another', OPENS_MS + 1],
])('a placed trade that the exchange has filled is adopted by a new leadership, %s', async (_when, nowMs) => {
  const { events, decisions, calls } = await runLane({
    trade: placed(),
    nowMs,
    sinceMs: nowMs,
    exchange: { recallOrder: () => FILLED, findOrder: fill },
  });
  expect(decisions).toEqual([{ adopt: { attempt: 0, limitPrice: 105_000n } }]);
  expect(events).toEqual(['adopted', 'settled']);
  expect(calls).not.toContain('submitOrder');
});

test('a trade that was placed under the leadership is sent without asking', async () => {
  const nowMs = OPENS_MS + 10_000;
  const { calls } = await runLane({ trade: placed(nowMs), nowMs, sinceMs: OPENS_MS, exchange: { submitOrder: accepted } });
  expect(calls[0]).toBe('submitOrder');
});

test('until the exchange has been asked nothing is decided; what was due for its outage binds then', async () => {
  const nowMs = OPENS_MS + 1;
  const exchange: World['exchange'] = { awayMs: 61_000, recallOrder: away };
  const slept = (world: World) => {
    world.exchange = { recallOrder: () => null };
  };
  const { decisions, events, calls } = await runLane({ trade: placed(), nowMs: nowMs + 60_000, sinceMs: nowMs, exchange, slept });
  expect(calls).toEqual(['recallOrder', 'recallOrder']);
  expect(decisions).toMatchObject([{ refusal: { code: 'EXCHANGE_UNAVAILABLE' } }]);
  expect(events).toEqual(['refused']);
});

test('a row that the database refuses is held with an alert, once, and nothing is sent', async () => {
  const mark = () => Promise.reject(new StoreRefusedError(new Error('out of range')));
  const { events, calls, decisions } = await runLane({ trade: placed(), nowMs: OPENS_MS, exchange: {}, mark });
  expect(events).toEqual(['held']);
  expect(calls).toEqual([]);
  expect(decisions.length).toBe(10);
});
