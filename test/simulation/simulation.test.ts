import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { type Action, makePlan } from './plan.ts';
import type { Servers } from './ports.ts';
import { shrink, simulate, without } from './simulate.ts';

const ROOT = join(import.meta.dirname, '..', '..');

test('npm run simulate: every promise holds under hundreds of seeds', async () => {
  const args = ['tools/simulate.ts', '--seeds', '250', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  const result = JSON.parse(stdout) as { seeds: number; trades: number; filled: number; failed: unknown };
  expect(result).toMatchObject({ seeds: 250, failed: null });
  expect(result.trades).toBeGreaterThan(1_500);
  expect(result.filled).toBeGreaterThan(1_000);
});

// Each of these has statements in flight that are slow: the batches of such a process must go by its clock, not by the machine's.
test.each([79, 84, 94, 207, 236])('seed %i does the same each time, whatever the machine does meanwhile', async (seed) => {
  const [first, again] = [await simulate(seed, { tells: true }), await simulate(seed, { tells: true })];
  expect(again).toEqual(first);
});

test('the same seed does the same, to the last step; another does something else', async () => {
  const [once, again, other] = [
    await simulate(11, { tells: true }),
    await simulate(11, { tells: true }),
    await simulate(12, { tells: true }),
  ];
  expect(again).toEqual(once);
  expect(once.history.length).toBeGreaterThan(20);
  expect(other.history).not.toEqual(once.history);
});

/** Servers that break a promise of theirs, or that let the broker break one of its own. */
const BREAKAGES: [string, (servers: Servers) => void, RegExp][] = [
  [
    'a fill that is booked twice',
    ({ database }) => {
      after(database, 'settleTrades', (settled) => {
        for (const each of settled) {
          const balance = database.balances.get(each?.trade.customerId ?? '');
          if (balance !== undefined && each?.trade.status === 'filled') balance.amount += 1n;
        }
        return settled;
      });
    },
    /^cash of .* opening and fills make/,
  ],
  [
    'a hold that is not released',
    ({ database }) => {
      after(database, 'settleTrades', (settled) => {
        for (const each of settled) {
          const balance = database.balances.get(each?.trade.customerId ?? '');
          if (balance !== undefined && each?.trade.type === 'buy') balance.held += each.trade.hold ?? 0n;
        }
        return settled;
      });
    },
    /is held, executed buys hold/,
  ],
  [
    'shares that come from nowhere',
    ({ database }) => {
      after(database, 'markTradesExecuted', (marked) => {
        for (const position of database.positions.values()) position.quantity += 1n;
        return marked;
      });
    },
    /should be \d+, \d+$/,
  ],
  [
    'a final trade that changes',
    ({ database }) => {
      after(database, 'readTrades', (trades) => {
        const ended = [...database.trades.values()].find(({ status }) => status === 'rejected');
        if (ended !== undefined) {
          ended.reason = 'changed';
          database.version += 1;
        }
        return trades;
      });
    },
    /^final trade .* changed/,
  ],
  [
    'an order that is sent though nothing was marked',
    ({ database }) => {
      database.markTradesExecuted = (marks) =>
        marks.map(({ trade, decision }) => {
          const limitPrice = 'limitPrice' in decision ? decision.limitPrice : 1n;
          return { kind: 'marked', trade: { ...trade, status: 'executed', limitPrice, submittedAt: trade.createdAt } };
        });
    },
    /was sent while it was placed/,
  ],
  [
    'an order that is sent while an earlier one of the customer is open',
    ({ database, exchange }) => {
      after(exchange, 'submit', (answer, [trade]) => {
        const [first] = database.tradesOf(trade.customerId);
        if (first !== undefined && first.id !== trade.id) first.status = 'executed';
        return answer;
      });
    },
    /was sent while .*, placed before it, was executed/,
  ],
  [
    'a settlement that is told of twice',
    ({ database }) => {
      const known = new Map<string, ReturnType<typeof database.settleTrades>[number]>();
      after(database, 'settleTrades', (settled, [reports]) =>
        settled.map((each, i) => {
          const id = reports[i]?.tradeId ?? '';
          if (each !== null) known.set(id, each);
          return known.get(id) ?? null;
        }),
      );
    },
    /was settled twice/,
  ],
  [
    'a retry that becomes another trade',
    ({ database }) => {
      const insert = database.insertTrades.bind(database);
      database.insertTrades = (trades) =>
        insert(trades.map((trade) => ({ ...trade, clientOrderId: `${trade.clientOrderId} as ${trade.id}` })));
    },
    /trades are stored, .* were ordered/,
  ],
  [
    'a cancellation that is answered, and undone',
    ({ database }) => {
      const cancel = database.cancelTrades.bind(database);
      database.cancelTrades = (asked) => {
        const before = asked.map(({ tradeId }) => database.readTrades([tradeId])[0] ?? null);
        const canceled = cancel(asked);
        for (const [i, trade] of canceled.entries())
          Object.assign(database.trades.get(trade?.id ?? '') ?? {}, trade && before[i]);
        return canceled;
      };
    },
    /was rejected to its customer, and is|was canceled, and is/,
  ],
  [
    'a lease that everybody gets',
    ({ leases }) => {
      leases.create = (key, holder) => leases.put(key, holder);
      leases.update = (key, holder) => leases.put(key, holder);
    },
    /has two trusted leaders/,
  ],
  [
    'an acknowledged trade that is not stored',
    ({ database }) => {
      after(database, 'insertTrades', (results) => {
        for (const result of results) if (result.kind === 'inserted') database.trades.delete(result.trade.id);
        return results;
      });
    },
    /was acknowledged, and is not found|is no trade/,
  ],
  [
    'a callback that changes nothing and is not kept',
    ({ database }) => {
      database.quarantineCallbacks = () => {};
    },
    /0 callbacks are in quarantine, the exchange has made up/,
  ],
  [
    'an exchange that answers with a fill that never was',
    ({ exchange }) => {
      after(exchange, 'find', (found) =>
        found === 'open' || found === 'unknown' || found.outcome.kind !== 'filled'
          ? found
          : { ...found, outcome: { ...found.outcome, price: found.outcome.price + 1n } },
      );
      after(exchange, 'submit', (answer) => {
        exchange.behaviour = { ...exchange.behaviour, dropRate: 0.5 };
        return answer;
      });
    },
    /the broker has it filled at/,
  ],
  [
    'an exchange that never tells the end',
    ({ exchange }) => {
      exchange.find = () => 'open';
      after(exchange, 'submit', (answer) => {
        exchange.behaviour = { ...exchange.behaviour, dropRate: 1 };
        return answer;
      });
    },
    /is still executed|is still placed|waits, though all has been well/,
  ],
];

test.each(BREAKAGES)('the simulation notices %s', async (_what, breakServers, message) => {
  let violation: string | undefined;
  for (let seed = 1; seed <= 200 && violation === undefined; seed += 1)
    ({ violation } = await simulate(seed, { prepare: ({ servers }) => breakServers(servers) }));
  expect(violation).toMatch(message);
});

test('a leader that is paused before its mark leaves is fenced off; without the fence the simulation notices it', async () => {
  const pauseAll = (['worker-1', 'worker-2', 'worker-3'] as const).map(
    (role): Action => ({
      kind: 'trap',
      atMs: 0,
      role,
      operation: 'markTradesExecuted',
      moment: 'before',
      what: 'pause',
      ms: 4_000,
    }),
  );
  const order = { customer: 0, ticker: 'AAPL', type: 'sell', quantity: 1, queueForOpen: false, cancelAfterMs: null } as const;
  const plan = { ...makePlan(1), actions: [...pauseAll, { kind: 'place', atMs: 1_000, ...order } as const], closed: [] };
  expect((await simulate(1, { plan })).violation).toBeUndefined();
  const withoutFence = ({ servers: { database } }: { servers: Servers }) => {
    const mark = database.markTradesExecuted.bind(database);
    database.markTradesExecuted = (marks) =>
      mark(marks.map((each) => ({ ...each, epoch: database.epochs[each.trade.partition]?.epoch ?? 0n })));
  };
  const { violation } = await simulate(1, { plan, prepare: withoutFence });
  expect(violation).toMatch(/was marked by .*, after .* had taken over/);
});

test('a failing seed shrinks to the few actions that it needs, and fails with these alone', async () => {
  const prepare = ({ servers }: { servers: Servers }) => {
    servers.database.quarantineCallbacks = () => {};
  };
  let seed = 1;
  while ((await simulate(seed, { prepare })).violation === undefined) seed += 1;
  const left = await shrink(seed, { prepare });
  const { plan, violation } = await simulate(seed, { plan: without(seed, left), prepare });
  expect(violation).toContain('quarantine');
  expect(plan.actions.length).toBeLessThanOrEqual(3);
});

/** Lets something happen to what a method answers. */
function after<T extends object, K extends keyof T>(
  target: T,
  name: K,
  change: T[K] extends (...args: infer A) => infer R ? (result: R, args: A) => R : never,
): void {
  const original = (target[name] as (...args: unknown[]) => unknown).bind(target);
  const changed = (...args: unknown[]) => (change as (result: unknown, args: unknown[]) => unknown)(original(...args), args);
  Object.assign(target, { [name]: changed });
}
