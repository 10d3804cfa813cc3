import type { ClientCall, Evidence, JournalOrder, SeenTrade } from '@stockbroker/testkit';
import { placedTrade, type Trade } from '@stockbroker/trading';

/** A small history in which everything is as it should be, for the checks to be tried on. */
export const ALICE = 'a11ce000-0000-4000-8000-000000000001';
const BOB = 'b0b00000-0000-4000-8000-000000000002';
const T0 = Date.UTC(2026, 10, 23, 15);

/** Alice buys 10 at $10.00, is refused a buy, and sells 4 at $11.00; Bob's buy is filled above its limit and leaves him in debt. */
export function consistentHistory(): Evidence {
  const bought = trade({ seq: 1n, clientOrderId: 'a-1', type: 'buy', quantity: 10 });
  const refused = trade({ seq: 2n, clientOrderId: 'a-2', type: 'buy', quantity: 100_000 });
  const sold = trade({ seq: 3n, clientOrderId: 'a-3', type: 'sell', quantity: 4 });
  const overfilled = trade({ seq: 4n, clientOrderId: 'b-1', type: 'buy', quantity: 10, customerId: BOB });
  const trades = [
    filled(bought, { price: 100_000n, limitPrice: 105_000n, atMs: 100 }),
    {
      ...refused,
      status: 'rejected' as const,
      rejectCode: 'INSUFFICIENT_FUNDS' as const,
      reason: 'The buy needs more',
      finalRevision: 7,
    },
    filled(sold, { price: 110_000n, limitPrice: 95_000n, atMs: 300 }),
    filled(overfilled, { price: 150_000n, limitPrice: 105_000n, atMs: 400 }),
  ];
  const journal = trades.filter(({ status }) => status === 'filled').map((each, i) => orderOf(each, BigInt(i + 1)));
  return {
    openings: [
      { customerId: ALICE, cash: 10_000_000n, shares: { AAPL: 5 } },
      { customerId: BOB, cash: 1_200_000n, shares: {} },
    ],
    clientLog: clientLogOf(trades),
    journal,
    tables: {
      trades,
      balances: [
        { customerId: ALICE, amount: 9_440_000n, held: 0n, buysBlocked: false, revision: 11 },
        { customerId: BOB, amount: -300_000n, held: 0n, buysBlocked: true, revision: 14 },
      ],
      positions: [
        { customerId: ALICE, stockTicker: 'AAPL', quantity: 11n, held: 0n },
        { customerId: BOB, stockTicker: 'AAPL', quantity: 10n, held: 0n },
      ],
      openTradeIds: [],
      quarantine: [
        {
          tradeId: bought.id,
          why: 'the trade is filled already, with another outcome',
          raw: contradiction(bought.id),
          booked: false,
        },
        { tradeId: overfilled.id, why: 'booked, but filled above its limit', raw: '{}', booked: true },
      ],
    },
    lies: [{ tradeId: bought.id, what: 'a second fill', delivered: true }],
  };
}

function contradiction(clientOrderId: string): string {
  return JSON.stringify({ clientOrderId, ticker: 'AAPL', quantity: 10, state: 2, price: '12.0000', executionId: 'lie-1' });
}

type Ordered = Pick<Trade, 'seq' | 'clientOrderId' | 'type' | 'quantity'> & { customerId?: string };

function trade({ seq, customerId = ALICE, ...order }: Ordered): Trade {
  const id = `00000000-0000-7000-8000-00000000000${seq}`;
  return placedTrade(
    { id, customerId, partition: 1, stockTicker: 'AAPL', queueForOpen: false, ...order },
    { seq, createdAt: new Date(T0), placedRevision: 3 * Number(seq) },
  );
}

function filled(placed: Trade, { price, limitPrice, atMs }: { price: bigint; limitPrice: bigint; atMs: number }): Trade {
  return {
    ...placed,
    status: 'filled',
    limitPrice,
    hold: placed.type === 'buy' ? limitPrice * BigInt(placed.quantity) : 0n,
    price,
    executionId: `x-${placed.seq}`,
    submittedAt: new Date(T0 + atMs - 50),
    executedAt: new Date(T0 + atMs),
    executedRevision: placed.placedRevision + 1,
    finalRevision: placed.placedRevision + 2,
  };
}

function orderOf(
  { id, stockTicker, type, quantity, limitPrice, price, executionId, executedAt }: Trade,
  sequence: bigint,
): JournalOrder {
  const executedAtMs = executedAt?.getTime() ?? null;
  const outcome = { state: 'filled' as const, price, executionId, executedAtMs };
  return { sequence, orderId: id, stockTicker, type, quantity, limitPrice: limitPrice ?? 0n, attempt: 0, ...outcome };
}

/** Each trade is placed, acknowledged, repeated, and later seen in the end; then the account is read. */
function clientLogOf(trades: Trade[]): ClientCall[] {
  const calls = trades.flatMap((row, i): ClientCall[] => {
    const { customerId, clientOrderId, stockTicker, type, quantity } = row;
    const call = { customerId, gateway: 'gateway-1' };
    const placing = { ...call, method: 'PlaceTrade' as const, request: { clientOrderId, stockTicker, type, quantity } };
    const lost = { kind: 'error' as const, code: 'UNAVAILABLE', reason: '', message: 'connection lost', isDefinite: false };
    return [
      { ...placing, startedMs: 100 * i, endedMs: 100 * i + 5, answer: lost },
      { ...placing, startedMs: 100 * i + 10, endedMs: 100 * i + 15, answer: { kind: 'trade', trade: seen(row, 'placed') } },
      {
        ...call,
        method: 'GetTrade',
        startedMs: 100 * i + 80,
        endedMs: 100 * i + 85,
        answer: { kind: 'trade', trade: seen(row) },
      },
    ];
  });
  const account = {
    cash: 9_440_000n,
    held: 0n,
    buysBlocked: false,
    positions: [{ stockTicker: 'AAPL', quantity: 11n, held: 0n }],
  };
  const read = { customerId: ALICE, method: 'GetAccount' as const, gateway: 'gateway-2', startedMs: 900, endedMs: 905 };
  return [...calls, { ...read, answer: { kind: 'account', account } }];
}

function seen(row: Trade, status = row.status): SeenTrade {
  const { id, customerId, clientOrderId, stockTicker, type, quantity } = row;
  const order = { orderId: id, customerId, clientOrderId, stockTicker, type, quantity, status };
  const nothing = {
    rejectCode: null,
    limitPrice: null,
    hold: null,
    price: null,
    executionId: null,
    submittedAtMs: null,
    executedAtMs: null,
  };
  if (status === 'placed') return { ...order, ...nothing };
  const { rejectCode, limitPrice, hold, price, executionId } = row;
  const times = { submittedAtMs: row.submittedAt?.getTime() ?? null, executedAtMs: row.executedAt?.getTime() ?? null };
  return { ...order, rejectCode, limitPrice, hold, price, executionId, ...times };
}

/** The row, call or order of a number; changing it changes the evidence. */
export const row = ({ tables }: Evidence, i: number) => at(tables.trades, i);
export const call = ({ clientLog }: Evidence, i: number) => at(clientLog, i);
export const order = ({ journal }: Evidence, i: number) => at(journal, i);

export function at<T>(items: T[], i: number): T {
  const item = items.at(i);
  if (item === undefined) throw new Error(`there are only ${items.length}`);
  return item;
}

export function shown({ answer }: Evidence['clientLog'][number]) {
  if (answer.kind !== 'trade') throw new Error('the call was not answered with a trade');
  return answer.trade;
}

export const CANCELED = { status: 'rejected', rejectCode: 'CANCELED' } as const;

/** Alice cancels the trade of a number; it is answered so, or that it is too late. */
export function cancels(e: Evidence, i: number, answer: Partial<SeenTrade> | null): void {
  const trade = { ...shown(call(e, 3 * i + 2)), ...answer };
  const late = { kind: 'error', code: 'FAILED_PRECONDITION', reason: '', message: 'too late', isDefinite: true } as const;
  e.clientLog.push({
    customerId: ALICE,
    method: 'CancelTrade',
    orderId: row(e, i).id,
    gateway: 'gateway-1',
    startedMs: 1_000,
    endedMs: 1_005,
    answer: answer === null ? late : { kind: 'trade', trade },
  });
}
