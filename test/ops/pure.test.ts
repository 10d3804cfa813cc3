import { MalformedReportError } from '@stockbroker/exchange-client';
import type { StuckTrade } from '@stockbroker/store/operate';
import { type NewTrade, type OrderReport, placedTrade, type Trade } from '@stockbroker/trading';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareOrder } from '../../tools/ops/compareOrder.ts';
import { dayBounds, idsOf, today } from '../../tools/ops/day.ts';
import { joinStates, Looks, spread } from '../../tools/ops/leaseState.ts';
import { mergeById } from '../../tools/ops/mergeById.ts';
import { type Facts, type Found, whyStuck } from '../../tools/ops/whyStuck.ts';

const ID = '01933333-0000-7000-8000-000000000001';
const AT = new Date('2026-11-20T15:00:00.000Z');
const order: NewTrade = {
  id: ID,
  customerId: '00000000-0000-4000-8000-000000000001',
  clientOrderId: 'mine',
  stockTicker: 'AAPL',
  type: 'buy',
  quantity: 10,
  queueForOpen: false,
  partition: 7,
};
const trade = placedTrade(order, { seq: 1n, createdAt: AT, placedRevision: 1 });
const executed: Trade = { ...trade, status: 'executed', limitPrice: 110_000n, hold: 1_100_000n, submittedAt: AT };
const filled: Trade = { ...executed, status: 'filled', price: 100_000n, executionId: 'e1', executedAt: AT };
const refused: Trade = { ...trade, status: 'rejected', rejectCode: 'INSUFFICIENT_FUNDS', reason: 'too little' };
const malformed: Trade = { ...executed, status: 'rejected', rejectCode: 'EXCHANGE_REJECTED', reason: 'no order', executedAt: AT };
const fill: OrderReport = {
  tradeId: ID,
  stockTicker: 'AAPL',
  type: 'buy',
  quantity: 10,
  outcome: { kind: 'filled', price: 100_000n, executionId: 'e1', executedAt: AT },
};
const filledAs = (change: object): OrderReport => ({
  ...fill,
  outcome: { ...fill.outcome, ...change } as OrderReport['outcome'],
});
const halted: OrderReport = {
  ...fill,
  outcome: { kind: 'rejected', refusal: { code: 'HALTED', stockTicker: 'AAPL' }, executedAt: AT },
};
const closed: OrderReport = { ...fill, outcome: { kind: 'rejected', refusal: { code: 'MARKET_CLOSED' }, executedAt: AT } };
const LATER = AT.getTime() + 3_600_000;

test.each<{ here: Trade | null; there: Found; kind: string; why?: string; fixable?: true; since?: number }>([
  { here: trade, there: 'unknown', kind: 'same' },
  { here: trade, there: 'open', kind: 'different', why: 'never sent by us, open at the exchange' },
  { here: trade, there: fill, kind: 'different', why: 'never sent by us, filled at 10.0000 at the exchange', fixable: true },
  { here: { ...trade, queueForOpen: true, attempt: 1 }, there: closed, kind: 'same' },
  { here: { ...executed, queueForOpen: true, attempt: 1 }, there: closed, kind: 'missing' },
  { here: executed, there: 'open', kind: 'in-flight' },
  { here: executed, there: 'unknown', kind: 'in-flight', since: AT.getTime() - 1 },
  { here: executed, there: fill, kind: 'in-flight', since: AT.getTime() - 1 },
  { here: executed, there: 'unknown', kind: 'missing', why: 'marked executed here; its leader asks and sends it again' },
  {
    here: executed,
    there: fill,
    kind: 'different',
    why: 'executed here, filled at 10.0000 at the exchange: not settled',
    fixable: true,
  },
  { here: executed, there: halted, kind: 'different', fixable: true },
  { here: executed, there: { ...fill, quantity: 11 }, kind: 'different', why: 'buy 10 AAPL here, buy 11 AAPL at the exchange' },
  { here: executed, there: new MalformedReportError('side is not set'), kind: 'different' },
  { here: filled, there: fill, kind: 'same' },
  { here: filled, there: 'unknown', kind: 'missing', why: 'filled at 10.0000 here' },
  { here: filled, there: 'open', kind: 'different', why: 'filled at 10.0000 here, open at the exchange' },
  { here: filled, there: filledAs({ price: 100_001n }), kind: 'different' },
  {
    here: filled,
    there: filledAs({ executionId: 'e2' }),
    kind: 'different',
    why: 'filled at 10.0000 here, filled at 10.0000 at the exchange (execution e1, there e2)',
  },
  { here: filled, there: filledAs({ executedAt: new Date(LATER) }), kind: 'different' },
  { here: filled, there: halted, kind: 'different', why: 'filled at 10.0000 here, rejected at the exchange' },
  { here: filled, there: { ...fill, type: 'sell' }, kind: 'different' },
  { here: refused, there: 'unknown', kind: 'same' },
  { here: refused, there: fill, kind: 'different' },
  { here: malformed, there: 'unknown', kind: 'same' },
  { here: { ...malformed, rejectCode: 'HALTED' }, there: 'unknown', kind: 'missing' },
  { here: null, there: 'open', kind: 'extra', why: 'no trade here, open at the exchange' },
  { here: null, there: fill, kind: 'extra' },
  { here: null, there: 'unknown', kind: 'same' },
])('compare: $here.status here, $there at the exchange: $kind', ({ here, there, kind, why, fixable, since = LATER }) => {
  const found = compareOrder(here, there, since);
  expect(found).toMatchObject(why === undefined ? { kind } : { kind, why });
  expect('settleWith' in found && found.settleWith !== undefined).toBe(fixable === true);
});

test('merge: every id of either side once, in order, with what each side has', async () => {
  const ids = fc.uniqueArray(fc.integer({ min: 0, max: 50 }).map((n) => String(n).padStart(2, '0')));
  await fc.assert(
    fc.asyncProperty(ids, ids, async (a, b) => {
      const [left, right] = [a.toSorted(), b.toSorted()];
      const merged = await Array.fromAsync(mergeById(each(left), each(right), { left: (id) => id, right: (id) => id }));
      const all = [...new Set([...left, ...right])].sort();
      const has = (side: string[], id: string) => (side.includes(id) ? id : null);
      expect(merged).toEqual(all.map((id) => ({ id, left: has(left, id), right: has(right, id) })));
    }),
  );
});

test('merge: a side that is out of order is an error, not a wrong answer', async () => {
  const merge = (left: string[], right: string[]) =>
    Array.fromAsync(mergeById(each(left), each(right), { left: (id) => id, right: (id) => id }));
  await expect(merge(['b', 'a'], ['a'])).rejects.toThrow('a comes after b');
  await expect(merge(['a'], ['a', 'a'])).rejects.toThrow('a comes after a');
});

async function* each<T>(items: T[]): AsyncGenerator<T> {
  yield* items;
}

test.each([
  { day: '2026-11-22', from: '2026-11-22T05:00:00.000Z', before: '2026-11-23T05:00:00.000Z' },
  { day: '2026-07-01', from: '2026-07-01T04:00:00.000Z', before: '2026-07-02T04:00:00.000Z' },
  { day: '2026-03-08', from: '2026-03-08T05:00:00.000Z', before: '2026-03-09T04:00:00.000Z' },
  { day: '2026-11-01', from: '2026-11-01T04:00:00.000Z', before: '2026-11-02T05:00:00.000Z' },
])('a day is the exchange’s: $day is $from to $before', ({ day, from, before }) => {
  const bounds = dayBounds(day);
  expect([bounds.from.toISOString(), bounds.before.toISOString()]).toEqual([from, before]);
  expect(today(bounds.from)).toBe(day);
  expect(today(new Date(bounds.before.getTime() - 1))).toBe(day);
});

test('a day’s ids are those made between its midnights', () => {
  const { from, before } = idsOf({ from: new Date(0x0193_3333_0000), before: new Date(0x0193_3333_0001) });
  expect(ID >= from && ID < (before ?? '')).toBe(true);
  expect('01933333-0001-7000-8000-000000000001' < (before ?? '')).toBe(false);
});

const lease = { holder: 'worker-1-00000001', renewedAt: AT };
const led: Facts = {
  leases: new Map([[7, lease]]),
  exchangeProblem: undefined,
  quoteOf: () => 'quoted',
  orders: new Map<string, Found>([[ID, 'open']]),
};
const stuckPlaced: StuckTrade = { ...trade, ageMs: 60_000n, behind: null, quarantineId: null };
const stuckExecuted: StuckTrade = { ...executed, ageMs: 60_000n, behind: null, quarantineId: null };
const answering = (found: Found): Facts => ({ ...led, orders: new Map([[ID, found]]) });

test.each<{ trade: StuckTrade; facts: Facts; cause: string; says: string }>([
  { trade: { ...stuckPlaced, behind: 'x' }, facts: led, cause: 'behind', says: 'earlier trade x' },
  { trade: stuckPlaced, facts: { ...led, leases: new Map() }, cause: 'no-leader', says: 'nobody leads partition 7' },
  { trade: stuckPlaced, facts: { ...led, leases: { unknown: 'NATS is away' } }, cause: 'leader-unknown', says: 'NATS is away' },
  { trade: stuckPlaced, facts: { ...led, exchangeProblem: 'refused' }, cause: 'exchange-unreachable', says: 'refused' },
  { trade: stuckPlaced, facts: { ...led, quoteOf: () => 'none' }, cause: 'no-quote', says: 'no quote for AAPL' },
  { trade: stuckPlaced, facts: led, cause: 'leader-slow', says: 'worker-1-00000001 leads its partition' },
  { trade: stuckExecuted, facts: led, cause: 'open-at-exchange', says: 'still open at the exchange' },
  { trade: stuckExecuted, facts: answering('unknown'), cause: 'not-at-exchange', says: 'worker-1-00000001 will ask' },
  {
    trade: stuckExecuted,
    facts: { ...answering('unknown'), leases: new Map() },
    cause: 'not-at-exchange',
    says: 'but nobody leads',
  },
  {
    trade: stuckExecuted,
    facts: answering(fill),
    cause: 'not-settled',
    says: 'filled at 10.0000 at the exchange, not settled here',
  },
  { trade: { ...stuckExecuted, quarantineId: 3n }, facts: answering(fill), cause: 'quarantined', says: 'quarantine show 3' },
  { trade: stuckExecuted, facts: answering(new MalformedReportError('no side')), cause: 'malformed', says: 'no side' },
  { trade: stuckExecuted, facts: { ...led, orders: new Map() }, cause: 'exchange-unreachable', says: 'cannot be reached' },
])('stuck: $cause: $says', ({ trade: stuck, facts, cause, says }) => {
  const found = whyStuck(stuck, facts);
  expect(found.cause).toBe(cause);
  expect(found.why).toContain(says);
});

test('leases: only what is wrong in each look counts; a partition that changes hands does not', () => {
  const fence = (partition: number, leader: string) => ({ partition, epoch: 1n, leader, since: AT });
  const look = (...leaders: (string | null)[]) => {
    const held = leaders.flatMap((holder, p) => (holder === null ? [] : [[p, { holder, renewedAt: AT }] as const]));
    return joinStates([fence(0, 'a'), fence(1, 'a'), fence(2, 'a')], { workers: [], leases: new Map(held) });
  };
  const looks = new Looks();
  looks.add(look('a', null, 'b'));
  expect(looks.wrong.map(({ partition, problem }) => [partition, problem])).toEqual([
    [1, 'no-leader'],
    [2, 'disagree'],
  ]);
  looks.add(look(null, null, 'a'));
  expect(looks.wrong.map(({ partition }) => partition)).toEqual([1]);
  looks.add(look('a', 'a', 'a'));
  expect([looks.isQuiet, looks.wrong]).toEqual([true, []]);
});

test('leases: one look is never enough; a partition that changes hands again and again is wrong though each look finds it led', () => {
  const look = (epoch: bigint, leader: string) =>
    joinStates([{ partition: 0, epoch, leader, since: AT }], {
      workers: [],
      leases: new Map([[0, { holder: leader, renewedAt: AT }]]),
    });
  const moves = new Looks();
  moves.add(look(5n, 'a'));
  expect(moves.isQuiet).toBe(false);
  moves.add(look(6n, 'b'));
  expect([moves.isQuiet, moves.wrong]).toEqual([false, []]);
  moves.add(look(7n, 'a'));
  expect([moves.isQuiet, moves.wrong.map(({ partition, problem }) => [partition, problem])]).toEqual([false, [[0, 'moving']]]);
  moves.add(look(7n, 'a'));
  expect([moves.isQuiet, moves.wrong]).toEqual([true, []]);
});

test('leases: the spread is that of the workers that take part', () => {
  const worker = (id: string, count: number, draining = false) => ({
    id,
    draining,
    alive: true,
    partitions: Array.from({ length: count }, (_, p) => p),
    since: null,
  });
  expect(spread([worker('a', 50), worker('b', 49), worker('c', 0, true)])).toEqual({ least: 49, most: 50 });
  expect(spread([])).toBeNull();
});
