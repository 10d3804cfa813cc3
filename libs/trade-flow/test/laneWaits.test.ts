import { ExchangeInDoubtError } from '@stockbroker/trade-flow';
import { type NewTrade, type OrderReport, placedTrade, type Trade } from '@stockbroker/trading';
import { expect, test } from 'vitest';
import { Lane } from '../src/lane.ts';
import type { LanePorts } from '../src/turn.ts';

const NEW_TRADE: NewTrade = {
  id: '00000000-0000-7000-8000-000000000001',
  customerId: 'a11ce000-0000-4000-8000-000000000001',
  partition: 0,
  clientOrderId: 'a-1',
  stockTicker: 'AAPL',
  type: 'buy',
  quantity: 1,
  queueForOpen: false,
};
const TRADE: Trade = {
  ...placedTrade(NEW_TRADE, { seq: 1n, createdAt: new Date(0), placedRevision: 1 }),
  status: 'executed',
  limitPrice: 100_000n,
  hold: 100_000n,
  submittedAt: new Date(0),
};
const FILL: OrderReport = {
  tradeId: TRADE.id,
  stockTicker: 'AAPL',
  type: 'buy',
  quantity: 1,
  outcome: { kind: 'filled', price: 90_000n, executionId: 'x-1', executedAt: new Date(1) },
};

const OPTIONS = { maxOutageMs: 60_000, maxPlacedWaitMs: 60_000, maxResendAgeMs: 60_000, askAfterMs: 5_000, maxRetryMs: 2_000 };
const LEADERSHIP = { partition: 0, epoch: 1n, since: new Date(-60_000), isTrusted: () => true, fenced: () => {} };

type PartOf<Ports> = { [K in keyof Ports]?: unknown };

/** A lane of the customer's over these ports, and over others that do nothing. */
function openLane(ports: PartOf<LanePorts>): Lane {
  const others = {
    hours: { at: () => ({ isOpen: true, sinceMs: -Infinity, untilMs: Infinity }) },
    random: { number: () => 0.5 },
    wakeups: { tradeMarked: () => {}, tradeSettled: () => {} },
    observe: () => {},
  };
  return new Lane(TRADE.customerId, { ...others, ...ports } as unknown as LanePorts, OPTIONS, LEADERSHIP, () => {});
}

/** On it one sleeps for ever, unless one is woken. */
function endlessClock() {
  const sleeps = Promise.withResolvers<void>();
  const sleep = (_ms: number, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve());
      sleeps.resolve();
    });
  return { clock: { now: () => 0, sleep }, someoneSleeps: sleeps.promise };
}

/** An executed trade whose callback never comes. The exchange gives these answers, one after the other. @returns how long was waited */
async function waitsWith(answers: (OrderReport | 'open' | 'away')[]): Promise<number[]> {
  const waits: number[] = [];
  let open: Trade | null = TRADE;
  const settleTrade = async () => {
    open = null;
    return { trade: TRADE, overdrawn: false };
  };
  const findOrder = async () => {
    const answer = answers.shift();
    if (answer === undefined || answer === 'away') throw new ExchangeInDoubtError(new Error('away'));
    return answer;
  };
  await openLane({
    store: { readOldestOpenTrade: async () => open, settleTrade },
    exchange: { findOrder },
    clock: { now: () => 0, sleep: async (ms: number) => void waits.push(ms) },
  }).finished;
  return waits;
}

test('a long outage of the exchange does not make the lane ask more rarely for an order afterwards', async () => {
  const waits = await waitsWith([...Array(10).fill('away'), 'open', FILL]);
  expect(Math.max(...waits.slice(0, 10))).toBeLessThanOrEqual(2_025);
  expect(waits.slice(10)).toEqual([5_000]);
});

test('an order that stays open is asked for more rarely, but looked at as often; and an outage in between is waited for as briefly as the first', async () => {
  const look = 5_000;
  const waits = await waitsWith(['open', 'open', 'away', 'open', 'open', FILL]);
  expect(waits).toEqual([look, look, look, 50, look, look, look, look, look, look, look, look]);
});

test('news of a settlement that were lost cost one look, however long the order has been open', async () => {
  let open: Trade | null = TRADE;
  const asked: number[] = [];
  let looks = 0;
  const sleep = async () => {
    looks += 1;
    if (looks === 100) open = null; // Settled by a callback; nobody says so.
  };
  await openLane({
    store: { readOldestOpenTrade: async () => open },
    exchange: { findOrder: async () => asked.push(looks) && 'open' },
    clock: { now: () => 0, sleep },
  }).finished;
  expect(looks).toBe(100);
  expect(asked.slice(-3).map((at, i, all) => at - (all[i - 1] ?? at))).toEqual([0, 4, 4]);
});

test('a lane that waits for the exchange goes on at once when its trade is canceled', async () => {
  let open: Trade | null = placedTrade(NEW_TRADE, { seq: 1n, createdAt: new Date(0), placedRevision: 1 });
  const { clock, someoneSleeps } = endlessClock();
  const lane = openLane({ store: { readOldestOpenTrade: async () => open }, exchange: { isReachable: () => false }, clock });
  await someoneSleeps;
  open = null;
  lane.settled(TRADE.id);
  await lane.finished;
});
