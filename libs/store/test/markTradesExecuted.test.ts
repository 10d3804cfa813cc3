import { eventually } from '@stockbroker/testkit';
import { checkMeans, describeRefusal, holdFor, type Means, type Refusal, type Trade } from '@stockbroker/trading';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { markTradesExecuted } from '../src/markTradesExecuted.ts';
import { raiseEpochs } from '../src/raiseEpochs.ts';
import { mark, openBank, openTransaction, order, waitingForLocks } from './bank.ts';

const bank = await openBank();
const { db } = bank;

/** A placed buy of one AAPL, of a customer with 100 dollars, and the epoch under which its partition is led. */
async function placedTrade(change: Parameters<typeof order>[1] = {}): Promise<{ trade: Trade; epoch: bigint }> {
  const [trade] = await bank.places(order(await bank.account({ amount: 1_000_000n }), change));
  if (trade === undefined) throw new Error('not placed');
  return { trade, epoch: (await bank.leads(trade.partition)).get(trade.partition) ?? 0n };
}

const stored = (trade: Trade) => db.trade.findUnique({ where: { id: trade.id } });

/** What a customer can have: more may be held than there is, after a fill above its hold; shares held are always owned. */
const anyMeans: fc.Arbitrary<Means> = fc
  .record({
    amount: fc.bigInt(-20_000_000n, 20_000_000n),
    held: fc.oneof(fc.constant(0n), fc.bigInt(0n, 20_000_000n)),
    buysBlocked: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
    shares: fc.bigInt(0n, 20n),
    sharesHeld: fc.bigInt(0n, 20n),
  })
  .map((means) => ({ ...means, sharesHeld: means.sharesHeld > means.shares ? means.shares : means.sharesHeld }));

const anyOrder = fc.record({
  means: anyMeans,
  type: fc.constantFrom('buy', 'sell'),
  quantity: fc.integer({ min: 1, max: 20 }),
  limitPrice: fc.bigInt(1n, 2_000_000n),
});

/** Every other time the cash is just enough, or a ten-thousandth of a dollar more or less. */
const anyCase = fc.tuple(anyOrder, fc.constantFrom(null, null, null, -1n, 0n, 1n)).map(([one, spare]) => {
  if (spare === null) return one;
  return { ...one, means: { ...one.means, amount: one.means.held + BigInt(one.quantity) * one.limitPrice + spare } };
});

test('the statement decides as the domain’s checkMeans does, and says so in the same words', async () => {
  const property = fc.asyncProperty(fc.array(anyCase, { minLength: 1, maxLength: 60 }), async (cases) => {
    const orders = await Promise.all(
      cases.map(async ({ means, type, quantity }) => order(await bank.account(means), { type, quantity })),
    );
    const trades = await bank.places(...orders);
    const epochs = await bank.leads(...trades.map(({ partition }) => partition));
    const marks = trades.map((trade, i) =>
      mark(trade, epochs.get(trade.partition) ?? 0n, { limitPrice: cases[i]?.limitPrice ?? 0n }),
    );
    const results = await markTradesExecuted(db, marks);
    for (const [i, { means, limitPrice }] of cases.entries()) {
      const [trade, result] = [trades[i], results[i]];
      if (trade === undefined || result?.kind !== 'marked') throw new Error(`trade ${i} is ${result?.kind}`);
      const refusal = checkMeans(trade, limitPrice, means);
      expect(result.trade).toMatchObject(refusal === null ? executed(trade, limitPrice) : rejected(refusal));
      await expectHeld(trade, means, refusal === null ? holdFor(trade, limitPrice) : null);
    }
  });
  await fc.assert(property, { numRuns: 12 });
});

function executed(trade: Trade, limitPrice: bigint): Partial<Trade> {
  return { status: 'executed', limitPrice, hold: holdFor(trade, limitPrice), rejectCode: null, reason: null };
}

function rejected(refusal: Refusal): Partial<Trade> {
  const figures = 'needed' in refusal ? { rejectNeeded: refusal.needed, rejectAvailable: refusal.available } : {};
  const nothing = { rejectNeeded: null, rejectAvailable: null, limitPrice: null, hold: null, submittedAt: null };
  return { ...nothing, ...figures, status: 'rejected', rejectCode: refusal.code, reason: describeRefusal(refusal) };
}

/** @param hold what the trade holds in cash; null when it was rejected */
async function expectHeld(trade: Trade, means: Means, hold: bigint | null): Promise<void> {
  const { amount, held } = await bank.balance(trade.customerId);
  expect({ amount, held }).toEqual({ amount: means.amount, held: means.held + (hold ?? 0n) });
  const shares = await bank.shares(trade.customerId);
  const sharesHeld = means.sharesHeld + (hold !== null && trade.type === 'sell' ? BigInt(trade.quantity) : 0n);
  expect(shares).toEqual(means.shares === 0n ? null : { quantity: means.shares, held: sharesHeld });
  const open = await db.openTrade.count({ where: { tradeId: trade.id } });
  expect(open).toBe(hold === null ? 0 : 1);
}

test.each<[Refusal]>([
  [{ code: 'UNKNOWN_TICKER', stockTicker: 'AAPL' }],
  [{ code: 'NO_QUOTE', stockTicker: 'AAPL' }],
  [{ code: 'HALTED', stockTicker: 'AAPL' }],
  [{ code: 'MARKET_CLOSED' }],
  [{ code: 'EXCHANGE_UNAVAILABLE', limitMs: 60_000 }],
  [{ code: 'WAITED_TOO_LONG', waitedMs: 61_234, limitMs: 60_000 }],
])('a refusal that was decided before ends the trade and holds nothing: $code', async (refusal) => {
  const { trade, epoch } = await placedTrade();
  const [result] = await markTradesExecuted(db, [mark(trade, epoch, { refusal })]);
  expect(result).toMatchObject({ kind: 'marked', trade: rejected(refusal) });
  expect(await bank.balance(trade.customerId)).toMatchObject({ held: 0n });
  expect(await db.openTrade.count({ where: { tradeId: trade.id } })).toBe(0);
});

test.each([
  ['an earlier', -1n],
  ['a later', 1n],
])(
  'a mark under %s epoch than the partition’s is fenced and changes nothing; its neighbours are marked',
  async (_what, difference) => {
    const [fenced, fine] = [await placedTrade({ partition: 1 }), await placedTrade({ partition: 2 })];
    const marks = [mark(fenced.trade, fenced.epoch + difference), mark(fine.trade, fine.epoch)];
    const results = await markTradesExecuted(db, marks);
    expect(results[0]).toEqual({ kind: 'fenced' });
    expect(results[1]).toMatchObject({ kind: 'marked' });
    expect(await stored(fenced.trade)).toEqual(fenced.trade);
    expect(await bank.balance(fenced.trade.customerId)).toMatchObject({ held: 0n });
  },
);

test('a takeover waits for marks in flight, and what is marked after it under the old epoch is fenced', async () => {
  const { trade, epoch } = await placedTrade();
  const [next] = await bank.places(order(trade.customerId));
  if (next === undefined) throw new Error('not placed');
  const marking = await openTransaction(bank.url, (tx) => markTradesExecuted(tx, [mark(trade, epoch)]));
  const takeover = raiseEpochs(db, [{ partition: trade.partition, leader: 'other' }]);
  await eventually(
    () => waitingForLocks(db),
    (waiting) => waiting > 0,
    { what: 'the takeover waiting for the mark' },
  );
  await marking.commit();
  expect(marking.result).toMatchObject([{ kind: 'marked' }]);
  expect(await takeover).toMatchObject([{ epoch: epoch + 1n }]);
  expect(await markTradesExecuted(db, [mark(next, epoch)])).toEqual([{ kind: 'fenced' }]);
});

test('a mark during a takeover does not wait for it: it is stale then, and fenced afterwards', async () => {
  const { trade, epoch } = await placedTrade();
  const takeover = await openTransaction(bank.url, (tx) => raiseEpochs(tx, [{ partition: trade.partition, leader: 'other' }]));
  expect(await markTradesExecuted(db, [mark(trade, epoch)])).toEqual([{ kind: 'stale' }]);
  await takeover.commit();
  expect(await markTradesExecuted(db, [mark(trade, epoch)])).toEqual([{ kind: 'fenced' }]);
  expect(await stored(trade)).toMatchObject({ status: 'placed' });
});

test('only a customer’s oldest open trade can be marked', async () => {
  const { trade, epoch } = await placedTrade();
  const [second] = await bank.places(order(trade.customerId));
  if (second === undefined) throw new Error('not placed');
  expect(await markTradesExecuted(db, [mark(second, epoch)])).toEqual([{ kind: 'stale' }]);
  expect(await stored(second)).toMatchObject({ status: 'placed' });
  await markTradesExecuted(db, [mark(trade, epoch)]);
  expect(await markTradesExecuted(db, [mark(second, epoch)])).toEqual([{ kind: 'stale' }]);
});

test('a trade is marked once, however often at once', async () => {
  const { trade, epoch } = await placedTrade();
  const results = (await Promise.all(Array.from({ length: 10 }, () => markTradesExecuted(db, [mark(trade, epoch)])))).flat();
  expect(results.map(({ kind }) => kind).toSorted()).toEqual(['marked', ...Array(9).fill('stale')]);
  expect(await bank.balance(trade.customerId)).toMatchObject({ held: 100_000n });
});

test('a trade that there is not is stale', async () => {
  const { trade, epoch } = await placedTrade();
  expect(await markTradesExecuted(db, [mark({ ...trade, id: crypto.randomUUID() }, epoch)])).toEqual([{ kind: 'stale' }]);
});
