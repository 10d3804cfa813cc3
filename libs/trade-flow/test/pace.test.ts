import { type NewTrade, placedTrade, type Trade } from '@stockbroker/trading';
import { expect, test } from 'vitest';
import { PartitionLeader, readOpenCustomers } from '../src/leader.ts';
import { Pace } from '../src/pace.ts';
import { ExchangeInDoubtError, type Mark, type MarketState } from '../src/ports.ts';
import type { LanePorts } from '../src/turn.ts';

const OPENS_MS = 1_000_000;
const never = new Promise<never>(() => {});
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Something with so many lanes to start, which begin when they are told to. */
function starterOf(name: string, count: number, started: string[]) {
  const begins: (() => void)[] = [];
  let next = 0;
  return {
    begins,
    startNext: () => {
      if (next >= count) return undefined;
      next += 1;
      started.push(`${name}${next}`);
      return new Promise<void>((resolve) => begins.push(resolve));
    },
  };
}

test('only so many start at once, partitions take turns, and each that has begun makes place for one', async () => {
  const started: string[] = [];
  const [a, b] = [starterOf('a', 5, started), starterOf('b', 2, started)];
  const pace = new Pace(3);
  pace.join(a);
  pace.join(b);
  expect(started).toEqual(['a1', 'a2', 'a3']);
  for (const begin of a.begins.splice(0, 2)) {
    begin();
    await turn();
  }
  expect(started.slice(3)).toEqual(['a4', 'b1']);
  for (const begin of [...a.begins.splice(0), ...b.begins.splice(0)]) begin();
  await turn();
  expect(started.slice(5)).toEqual(['a5', 'b2']);
  const late = starterOf('c', 1, started);
  pace.join(late);
  expect(started.at(-1)).toBe('c1');
});

/** Partitions whose customers all wait for the open, with a store that holds each mark until it is let go. */
function bell(partitions: number, customersEach: number, maxStarting: number) {
  let nowMs = OPENS_MS - 1;
  const marked: string[] = [];
  const held: (() => void)[] = [];
  let mostHeld = 0;
  const open = new Map<string, Trade>();
  for (let i = 0; i < partitions * customersEach; i += 1) {
    const customerId = `customer-${i}`;
    const order = { customerId, clientOrderId: 'o', stockTicker: 'AAPL', type: 'buy', quantity: 1, queueForOpen: true } as const;
    const trade: NewTrade = { ...order, id: `trade-${i}`, partition: i % partitions };
    open.set(customerId, placedTrade(trade, { seq: BigInt(i), createdAt: new Date(0), placedRevision: 1 }));
  }
  const ports = {
    store: {
      readOpenCustomers: async (asked: { partition: number; limit: number; waiting: string }) =>
        asked.waiting === 'passed'
          ? []
          : [...open.values()]
              .filter(({ partition }) => partition === asked.partition)
              .map(({ customerId }) => customerId)
              .slice(0, asked.limit),
      readOldestOpenTrade: async ({ customerId }: { customerId: string }) => open.get(customerId) ?? null,
      markExecuted: async ({ trade }: Mark) => {
        await new Promise<void>((resolve) => {
          held.push(resolve);
          mostHeld = Math.max(mostHeld, held.length);
        });
        open.delete(trade.customerId);
        marked.push(trade.customerId);
        return { kind: 'marked', trade: { ...trade, status: 'rejected' } };
      },
    },
    exchange: { isReachable: () => true, freshQuote: async () => ({ kind: 'no-quote' }) },
    clock: { now: () => nowMs, sleep: async () => {} },
    hours: {
      at: (ms: number): MarketState =>
        ms < OPENS_MS ? { isOpen: false, untilMs: OPENS_MS } : { isOpen: true, sinceMs: OPENS_MS, untilMs: Infinity },
    },
    random: { number: () => 0 },
    wakeups: { tradeMarked: () => {} },
    observe: () => {},
  } as unknown as LanePorts;
  const options = {
    maxLanes: 1_000,
    maxStarting,
    maxOutageMs: 60_000,
    maxPlacedWaitMs: 60_000,
    maxResendAgeMs: 60_000,
    askAfterMs: 5_000,
    maxRetryMs: 2_000,
  };
  const pace = new Pace(maxStarting);
  const leaders = Array.from({ length: partitions }, (_, partition) => {
    const leadership = { partition, epoch: 1n, since: new Date(-60_000), isTrusted: () => true, fenced: () => {} };
    return new PartitionLeader(ports, options, leadership, pace);
  });
  return {
    marked,
    held,
    mostHeld: () => mostHeld,
    lanes: () => leaders.reduce((sum, { lanes }) => sum + lanes, 0),
    rings: () => {
      nowMs = OPENS_MS;
    },
    sweep: () => Promise.all(leaders.map((leader) => leader.sweep())),
    customers: () => readOpenCustomers(ports, 0, 10),
  };
}

test('before the open nothing works on trades that wait; then all are marked, so many at once, in the order placed', async () => {
  const { marked, held, mostHeld, lanes, rings, sweep, customers } = bell(4, 100, 16);
  await sweep();
  expect([lanes(), held.length, await customers()]).toEqual([0, 0, []]);
  rings();
  await sweep();
  while (marked.length < 400) {
    await turn();
    held.shift()?.();
  }
  expect(mostHeld()).toBe(16);
  // The first partition had its turn before the others were there; nobody is overtaken by more than that, times the partitions.
  const places = marked.map((customerId, place) => Math.abs(Number(customerId.split('-')[1]) - place));
  expect(Math.max(...places)).toBeLessThan(4 * 16);
  await turn();
  expect(lanes()).toBe(0);
});

test('one whose first step takes long keeps nobody else from starting', async () => {
  const { marked, held, rings, sweep } = bell(2, 20, 3);
  rings();
  await sweep();
  await turn();
  const [stuck] = held.splice(0, 1);
  for (let i = 0; i < 500 && marked.length < 39; i += 1) {
    await turn();
    held.shift()?.();
  }
  expect(marked).toHaveLength(39);
  stuck?.();
  await turn();
  expect(marked).toHaveLength(40);
});

/** Two partitions with a customer each and one place: the second may start when the first has begun. */
function placeOf(more: { [port in 'store' | 'exchange' | 'clock']?: object }, leadership: { isTrusted?: () => boolean } = {}) {
  const asked: string[] = [];
  const order = { clientOrderId: 'o', stockTicker: 'AAPL', type: 'buy', quantity: 1, queueForOpen: true } as const;
  const ports = {
    store: {
      readOldestOpenTrade: async ({ customerId, partition }: { customerId: string; partition: number }) => {
        asked.push(customerId);
        const trade: NewTrade = { ...order, id: `trade of ${customerId}`, customerId, partition };
        return placedTrade(trade, { seq: 1n, createdAt: new Date(0), placedRevision: 1 });
      },
      markExecuted: async ({ trade }: Mark) => ({ kind: 'marked', trade: { ...trade, status: 'executed' } }),
      ...more.store,
    },
    exchange: {
      isReachable: () => true,
      freshQuote: async () => ({ kind: 'quote', quote: { stockTicker: 'AAPL', bid: 1n, ask: 1n, halted: false } }),
      submitOrder: async () => ({ kind: 'accepted' }),
      ...more.exchange,
    },
    clock: { now: () => OPENS_MS, sleep: () => never, ...more.clock },
    hours: { at: (): MarketState => ({ isOpen: true, sinceMs: OPENS_MS, untilMs: Infinity }) },
    random: { number: () => 0 },
    wakeups: { tradeMarked: () => {} },
    observe: () => {},
  } as unknown as LanePorts;
  const options = {
    maxLanes: 10,
    maxStarting: 1,
    maxOutageMs: 60_000,
    maxPlacedWaitMs: 60_000,
    maxResendAgeMs: 60_000,
    askAfterMs: 5_000,
    maxRetryMs: 2_000,
  };
  const pace = new Pace(1);
  const leaders = [0, 1].map((partition) => {
    const whole = { partition, epoch: 1n, since: new Date(-60_000), isTrusted: () => true, fenced: () => {}, ...leadership };
    const leader = new PartitionLeader(ports, options, whole, pace);
    leader.begin([`customer ${partition}`]);
    return leader;
  });
  return { asked, leaders };
}

const failing = async () => {
  throw new ExchangeInDoubtError(new Error('away'));
};

test.each<[string, ...Parameters<typeof placeOf>]>([
  ['whose order is at the exchange', {}],
  ['that waits for the exchange', { exchange: { isReachable: () => false } }],
  ['whose submission is in doubt', { exchange: { submitOrder: failing } }],
  ['that the database fails', { store: { markExecuted: failing } }],
  ['of a lease that may be over', {}, { isTrusted: () => false }],
  ['of a partition that another leads', { store: { markExecuted: async () => ({ kind: 'fenced' }) } }],
  ['whose trade is another by now', { store: { markExecuted: async () => ({ kind: 'stale' }) } }],
])('a lane %s holds no place', async (_what, ports, leadership) => {
  const { asked } = placeOf(ports, leadership);
  await turn();
  expect([...new Set(asked)]).toEqual(['customer 0', 'customer 1']);
});

test('a partition that is given up holds no place and starts no lane', async () => {
  const answers: (() => void)[] = [];
  const asked: string[] = [];
  const readOldestOpenTrade = async ({ customerId }: { customerId: string }) => {
    asked.push(customerId);
    await new Promise<void>((resolve) => answers.push(resolve));
    return null;
  };
  const { leaders } = placeOf({ store: { readOldestOpenTrade } });
  leaders[0]?.begin(['customer 0', 'customer 2']);
  const stopped = leaders[0]?.stop();
  answers.shift()?.();
  await stopped;
  await turn();
  expect([...new Set(asked)]).toEqual(['customer 0', 'customer 1']);
});

test('a customer who is woken starts at once, also while every place is taken', async () => {
  const { asked, leaders } = placeOf({ store: { markExecuted: () => never } });
  leaders[1]?.wake('customer 7');
  await turn();
  expect(asked).toEqual(['customer 0', 'customer 7']);
});
