import { checkEvidence, type Evidence, historyOf } from '@stockbroker/testkit';
import { describe, expect, test } from 'vitest';
import { ALICE, at, CANCELED, call, cancels, consistentHistory, order, row, shown } from './history.ts';

const [FIRST, SECOND, THIRD] = [1, 2, 3].map((seq) => `00000000-0000-7000-8000-00000000000${seq}`) as [string, string, string];

test('a history in which everything is as it should be has no violation', () => {
  expect(checkEvidence(consistentHistory())).toEqual([]);
});

/** What is changed in that history, the check that must see it, and a part of what it says. */
const MUTATIONS: [string, string, RegExp, (evidence: Evidence) => void][] = [
  ['an acknowledged trade is not stored', 'acknowledged', /is not stored/, ({ tables }) => tables.trades.splice(1, 1)],
  [
    'a trade is stored with another quantity',
    'acknowledged',
    /otherwise than it was ordered/,
    (e) => Object.assign(row(e, 1), { quantity: 7 }),
  ],
  ['a trade is stored that nobody ordered', 'acknowledged', /nobody ordered it/, (e) => e.clientLog.splice(3, 3)],
  [
    'a trade is stored although its order was refused',
    'acknowledged',
    /its order was refused/,
    (e) => {
      e.clientLog.splice(4, 2);
      call(e, 3).answer = { kind: 'error', code: 'INVALID_ARGUMENT', reason: '', message: 'no', isDefinite: true };
    },
  ],
  [
    'a repeated request was answered with another trade',
    'one trade per request',
    /request a-1 is several trades/,
    (e) => {
      call(e, 0).answer = { kind: 'trade', trade: { ...shown(call(e, 1)), orderId: SECOND } };
    },
  ],
  [
    'a request was stored twice',
    'one trade per request',
    /several trades/,
    (e) => e.tables.trades.push({ ...row(e, 1), id: 'another' }),
  ],
  ['a trade is left placed', 'ended', /never ended: it is placed/, (e) => Object.assign(row(e, 1), { status: 'placed' })],
  ['a final trade is left in open_trades', 'ended', /disagree/, (e) => e.tables.openTradeIds.push(FIRST)],
  ['a fill is booked that the exchange never made', 'fills', /never had the order/, (e) => e.journal.splice(0, 1)],
  [
    'a fill is not booked',
    'fills',
    /rejected, but filled/,
    (e) => Object.assign(row(e, 0), { status: 'rejected', rejectCode: 'EXCHANGE_REJECTED' }),
  ],
  ['a fill is booked at another price', 'fills', /booked otherwise/, (e) => Object.assign(row(e, 0), { price: 99_999n })],
  ['a fill is booked as another execution', 'fills', /booked otherwise/, (e) => Object.assign(row(e, 0), { executionId: 'x-9' })],
  [
    'an order of other content is at the exchange',
    'fills',
    /is another one/,
    (e) => Object.assign(order(e, 0), { quantity: 11 }),
  ],
  [
    'an order is at the exchange that is no trade',
    'fills',
    /that is no trade/,
    (e) => e.journal.push({ ...order(e, 0), orderId: 'x', executionId: 'y' }),
  ],
  [
    'a trade that was never marked is at the exchange',
    'fills',
    /never marked/,
    (e) => e.journal.push({ ...order(e, 0), orderId: SECOND, executionId: 'y' }),
  ],
  ['the exchange has executed an order twice', 'fills', /stands 2 times/, (e) => e.journal.push(order(e, 0))],
  [
    'two orders of a customer reached the exchange the wrong way round',
    'order',
    /reached the exchange before/,
    (e) => {
      order(e, 0).sequence = 2n;
      order(e, 1).sequence = 1n;
    },
  ],
  [
    'a request is stored before one that was acknowledged earlier',
    'order',
    /but stands before it/,
    (e) => {
      row(e, 0).seq = 2n;
      row(e, 1).seq = 1n;
    },
  ],
  [
    'the next trade was sent before the one before had ended',
    'one at a time',
    /was sent at/,
    (e) => Object.assign(row(e, 2), { submittedAt: row(e, 0).submittedAt }),
  ],
  ['cash is off by a ten-thousandth', 'cash', /opening and fills make/, (e) => (at(e.tables.balances, 0).amount += 1n)],
  ['a balance is gone', 'cash', /no balance any more/, (e) => e.tables.balances.pop()],
  ['a share is missing', 'shares', /opening and fills make 11/, (e) => (at(e.tables.positions, 0).quantity -= 1n)],
  ['shares of a stock are gone', 'shares', /are 0, but/, (e) => e.tables.positions.pop()],
  ['money is still held', 'holds', /is held, but/, (e) => (at(e.tables.balances, 0).held = 1n)],
  ['shares are still held', 'holds', /are held, but/, (e) => (at(e.tables.positions, 0).held = 1n)],
  ['two changes have one revision', 'revisions', /4 is there twice/, (e) => (row(e, 1).placedRevision = 4)],
  ['a change is not counted', 'revisions', /11 is beyond the customer's 10/, (e) => (at(e.tables.balances, 0).revision = 10)],
  ['an end has no revision', 'revisions', /is filled, and has the revisions 3, 4, null/, (e) => (row(e, 0).finalRevision = null)],
  [
    'a trade ended before it was sent',
    'revisions',
    /9, 11, 10 should rise/,
    (e) => Object.assign(row(e, 2), { executedRevision: 11, finalRevision: 10 }),
  ],
  ['a debt that no lie explains', 'negative', /is below zero/, (e) => (order(e, 2).limitPrice = 150_000n)],
  [
    'an account in debt is not blocked',
    'negative',
    /not blocked/,
    (e) => Object.assign(at(e.tables.balances, 1), { buysBlocked: false }),
  ],
  [
    'an account is blocked without a cause',
    'negative',
    /are blocked, but/,
    (e) => Object.assign(at(e.tables.balances, 0), { buysBlocked: true }),
  ],
  ['a position is below zero', 'negative', /shares of .* below zero/, (e) => (at(e.tables.positions, 0).quantity = -1n)],
  ['a final trade was shown with another price', 'answers', /was shown as/, (e) => (shown(call(e, 2)).price = 100_001n)],
  [
    'a hold that was shown has changed',
    'answers',
    /was shown as/,
    (e) => Object.assign(shown(call(e, 2)), { status: 'executed', hold: 1n }),
  ],
  [
    'a status went back',
    'answers',
    /shown as filled and later as placed/,
    (e) => e.clientLog.push({ ...call(e, 1), method: 'GetTrade', startedMs: 500, endedMs: 505 }),
  ],
  [
    'an account was shown that never was',
    'account reads',
    /it never was so/,
    (e) => {
      const { answer } = call(e, -1);
      if (answer.kind === 'account') answer.account.cash = 1n;
    },
  ],
  [
    'an account was shown as it was before a trade that the client had seen end',
    'account reads',
    /only before/,
    (e) => {
      const { answer } = call(e, -1);
      if (answer.kind === 'account')
        Object.assign(answer.account, { cash: 10_000_000n, positions: [{ stockTicker: 'AAPL', quantity: 5n, held: 0n }] });
    },
  ],
  [
    'a cancellation was answered, but the trade is another',
    'canceled',
    /answer was .* filled/,
    (e) => cancels(e, 0, shown(call(e, 2))),
  ],
  ['a canceled trade is at the exchange', 'canceled', /the exchange has the order/, (e) => cancels(e, 0, CANCELED)],
  ['a canceled trade is filled', 'canceled', /is not/, (e) => cancels(e, 0, CANCELED)],
  [
    'it was too late to cancel a trade that is canceled',
    'canceled',
    /was too late/,
    (e) => {
      Object.assign(row(e, 1), CANCELED);
      cancels(e, 1, null);
    },
  ],
  ['a trade is canceled that nobody canceled', 'canceled', /nobody wanted/, (e) => Object.assign(row(e, 1), CANCELED)],
  ['a contradiction that was taken is not kept', 'quarantine', /is not in the quarantine/, (e) => e.tables.quarantine.shift()],
  ['a fill beyond its limit is not kept', 'quarantine', /beyond the limit/, (e) => e.tables.quarantine.pop()],
  [
    'a true report is in the quarantine',
    'quarantine',
    /a true report/,
    (e) =>
      e.tables.quarantine.push({
        tradeId: THIRD,
        why: 'x',
        raw: JSON.stringify({ quantity: 4, state: 2, price: '11.0000', executionId: 'x-3' }),
        booked: false,
      }),
  ],
  [
    'a client got an error that nobody expected',
    'errors',
    /something unexpected/,
    (e) => Object.assign(call(e, 0).answer, { code: 'INTERNAL', message: 'something unexpected went wrong' }),
  ],
  [
    'a client’s trade was not found',
    'errors',
    /NOT_FOUND/,
    (e) => Object.assign(call(e, 2), { answer: { ...call(e, 0).answer, code: 'NOT_FOUND' } }),
  ],
];

describe('each check sees what it is there for', () => {
  test.each(MUTATIONS)('%s', (_what, check, message, change) => {
    const evidence = structuredClone(consistentHistory());
    change(evidence);
    expect(checkEvidence(evidence)).toContainEqual(expect.objectContaining({ check, message: expect.stringMatching(message) }));
  });
});

test('the history of a violation has what clients were told, what the exchange noted and what is stored', () => {
  const history = historyOf(consistentHistory(), { check: 'x', message: 'x', tradeId: FIRST, customerId: ALICE }).join('\n');
  for (const part of [
    /client: .*PlaceTrade a-1.*UNAVAILABLE/,
    /client: .*GetTrade.*filled/,
    /exchange: .*x-1/,
    /quarantine: .*lie-1/,
    /stored: .*a-1/,
    /cash: /,
  ])
    expect(history).toMatch(part);
});
