import { createMetrics } from '@stockbroker/runtime';
import { eventually } from '@stockbroker/testkit';
import { StoreLockedError, StoreUnavailableError } from '@stockbroker/trade-flow';
import { afterAll, expect, test } from 'vitest';
import { createStore } from '../src/createStore.ts';
import { fill, mark, openBank, openTransaction, order, rejection } from './bank.ts';

const bank = await openBank();
const options = { url: bank.url, poolSize: 5, statementTimeoutMs: 10_000, lockTimeoutMs: 100, maxBatch: 256, maxQueue: 10_000 };
const store = createStore({ ...options, onConnectionError: () => {} }, createMetrics('test'));
afterAll(() => store.close());

const CUSTOMERS = 20;

/** So many customers who may trade, and one among them. */
async function customers() {
  const all = await Promise.all(Array.from({ length: CUSTOMERS }, () => bank.opens()));
  return { all, locked: all[7] ?? '' };
}

const lockBalance = (customerId: string) =>
  openTransaction(bank.url, (tx) => tx.query`SELECT FROM balances WHERE customer_id = ${customerId}::uuid FOR UPDATE`);

/** Operations on all customers at once, while something of one of them is locked. */
interface Case {
  what: string;
  lock: (of: { customerId: string; tradeId: string }) => Promise<{ commit(): Promise<void> }>;
  /** Prepares each customer. @returns what is done then */
  prepare: (customers: string[]) => Promise<{ tradeId: string; run: () => Promise<unknown> }[]>;
}

const inserts: Case['prepare'] = async (all) =>
  all.map((customerId) => ({ tradeId: '', run: () => store.insertTrade(order(customerId)) }));
const marks: Case['prepare'] = async (all) => {
  const trades = await bank.places(...all.map((id) => order(id)));
  const epochs = await bank.leads(...trades.map(({ partition }) => partition));
  return trades.map((trade) => ({
    tradeId: trade.id,
    run: () => store.markExecuted(mark(trade, epochs.get(trade.partition) ?? 0n)),
  }));
};
const cancels: Case['prepare'] = async (all) => {
  const trades = await bank.places(...all.map((id) => order(id)));
  return trades.map(({ id, customerId }) => ({ tradeId: id, run: () => store.cancelTrade({ customerId, tradeId: id }) }));
};
const settles: Case['prepare'] = async (all) => {
  const trades = await bank.executes(100_000n, ...(await bank.places(...all.map((id) => order(id)))));
  return trades.map((trade, i) => ({
    tradeId: trade.id,
    run: () => store.settleTrade(i % 2 === 0 ? fill(trade, 90_000n) : rejection(trade)),
  }));
};
const balance: Case['lock'] = ({ customerId }) => lockBalance(customerId);
const trade: Case['lock'] = ({ tradeId }) =>
  openTransaction(bank.url, (tx) => tx.query`SELECT FROM trades WHERE id = ${tradeId}::uuid FOR UPDATE`);
const openTrade: Case['lock'] = ({ tradeId }) =>
  openTransaction(bank.url, (tx) => tx.query`SELECT FROM open_trades WHERE trade_id = ${tradeId}::uuid FOR UPDATE`);

const CASES: Case[] = [
  { what: 'placing, a locked balance', prepare: inserts, lock: balance },
  { what: 'marking, a locked balance', prepare: marks, lock: balance },
  { what: 'marking, a locked trade', prepare: marks, lock: trade },
  { what: 'canceling, a locked balance', prepare: cancels, lock: balance },
  { what: 'canceling, a locked row of open_trades', prepare: cancels, lock: openTrade },
  { what: 'settling, a locked balance', prepare: settles, lock: balance },
  { what: 'settling, a locked trade', prepare: settles, lock: trade },
];

test.each(CASES)('a locked row holds up its customer alone: $what', async ({ prepare, lock }) => {
  const { all, locked } = await customers();
  const at = all.indexOf(locked);
  const operations = await prepare(all);
  const { commit } = await lock({ customerId: locked, tradeId: operations[at]?.tradeId ?? '' });
  const running = operations.map(({ run }) => run());
  const lockedOne = running[at];
  // All the others are done although the row is still locked.
  await Promise.all(running.filter((each) => each !== lockedOne));
  await expect(lockedOne).rejects.toBeInstanceOf(StoreLockedError);
  // Known to be locked, the customer never meets the others again.
  const again = operations[at]?.run();
  await commit();
  const result = await again;
  expect(result).toBeTruthy();
});

test('trades of one customer that wait for a lock keep their order, also with those placed after it is free', async () => {
  const { all, locked } = await customers();
  const { commit } = await lockBalance(locked);
  const first = Array.from({ length: 10 }, () => order(locked));
  const placing = first.map((each) => store.insertTrade(each));
  await Promise.all(all.filter((id) => id !== locked).map((id) => store.insertTrade(order(id))));
  const second = Array.from({ length: 10 }, () => order(locked));
  placing.push(...second.map((each) => store.insertTrade(each)));
  await commit();
  await Promise.all(placing);
  const stored = await bank.db.trade.findMany({ where: { customerId: locked }, orderBy: { seq: 'asc' } });
  expect(stored.map(({ id }) => id)).toEqual([...first, ...second].map(({ id }) => id));
});

test('marking goes on while a partition’s lease row is locked: its customers are to look again', async () => {
  const [one, other] = [order(await bank.opens(), { partition: 1 }), order(await bank.opens(), { partition: 2 })];
  const [ofOne, ofOther] = await bank.places(one, other);
  const epochs = await bank.leads(1, 2);
  const lock = await openTransaction(bank.url, (tx) => tx.query`SELECT FROM partition_leases WHERE partition = 1 FOR UPDATE`);
  if (ofOne === undefined || ofOther === undefined) throw new Error('not placed');
  const marked = await Promise.all([
    store.markExecuted(mark(ofOne, epochs.get(1) ?? 0n)),
    store.markExecuted(mark(ofOther, epochs.get(2) ?? 0n)),
  ]);
  expect(marked).toMatchObject([{ kind: 'stale' }, { kind: 'marked' }]);
  const raised = await Promise.allSettled([store.raiseEpoch(1, 'new'), store.raiseEpoch(3, 'new')]);
  expect(raised).toMatchObject([{ reason: expect.any(StoreLockedError) }, { status: 'fulfilled' }]);
  await lock.commit();
  expect(await store.markExecuted(mark(ofOne, epochs.get(1) ?? 0n))).toMatchObject({ kind: 'marked' });
});

test.each(['balances', 'trades', 'open_trades', 'partition_leases', 'callback_quarantine'])(
  'a locked table: all that needs it is refused in bounded time, the rest goes on, and everything does when it is free: %s',
  async (table) => {
    const operations: (() => Promise<unknown>)[] = [];
    for (const prepare of [inserts, marks, cancels, settles]) {
      const { all } = await customers();
      operations.push(...(await prepare(all)).map(({ run }) => run));
    }
    operations.push(() => store.quarantineCallback({ tradeId: null, why: table, raw: Buffer.of(1) }));
    const { commit } = await openTransaction(bank.url, async (tx) => {
      await tx.query([`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`] as unknown as TemplateStringsArray);
    });
    const results = await Promise.allSettled(operations.map((run) => run()));
    const refused = results.flatMap((result, i) =>
      result.status === 'rejected' ? [{ i, error: result.reason as unknown }] : [],
    );
    expect(refused.length).toBeGreaterThan(0);
    for (const { error } of refused) expect(error).toBeInstanceOf(StoreUnavailableError);
    await store.probe();
    await commit();
    // One order is inserted anew, as a client would retry it; the rest is what was asked for.
    await eventually(
      () => Promise.allSettled(refused.map(({ i }) => operations[i]?.())),
      (again) => again.every(({ status }) => status === 'fulfilled'),
      { what: 'everything after the lock' },
    );
  },
);

test('callbacks that are kept for operators leave connections to settling, however many there are and whatever they wait for', async () => {
  const patient = createStore({ ...options, lockTimeoutMs: 9_000, onConnectionError: () => {} }, createMetrics('test'));
  const [trade] = await bank.executes(100_000n, ...(await bank.places(order(await bank.opens()))));
  if (trade === undefined) throw new Error('not sent');
  const { commit } = await openTransaction(bank.url, async (tx) => {
    await tx.query(['LOCK TABLE callback_quarantine IN ACCESS EXCLUSIVE MODE'] as unknown as TemplateStringsArray);
  });
  const whys = Array.from({ length: 50 }, (_, i) => `one of many: ${i}`);
  const keeping = whys.map((why) => patient.quarantineCallback({ tradeId: trade.id, why, raw: Buffer.of(1) }));
  const kept = Promise.allSettled(keeping);
  expect(await patient.settleTrade(fill(trade, 90_000n))).toMatchObject({ trade: { status: 'filled' } });
  await commit();
  expect((await kept).map(({ status }) => status)).toEqual(whys.map(() => 'fulfilled'));
  expect(await bank.db.callbackQuarantine.count({ where: { tradeId: trade.id } })).toBe(whys.length);
  await patient.close();
});
