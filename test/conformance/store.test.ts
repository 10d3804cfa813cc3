import { randomUUID } from 'node:crypto';
import type { Statements } from '@stockbroker/store/batching';
import { type Database, openDatabase } from '@stockbroker/store/database';
import type { CustomerState, Decision } from '@stockbroker/trade-flow';
import { type OrderReport, partitionOf, type Trade, uuidV7 } from '@stockbroker/trading';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { openStatements } from '../../libs/store/src/createStore.ts';
import { directly } from '../simulation/directly.ts';
import { MemoryDatabase } from '../simulation/memoryDatabase.ts';
import { cloneDatabase } from '../support/database.ts';
import { type Command, CUSTOMERS, command } from './storeCommands.ts';

/*
 * The port of the database, as the simulation has it in memory and as it is: the same commands, drawn at random, must give the same
 * answers and leave the same balances, positions and trades.
 */
const PARTITIONS = 100;
const RUNS = 80;
const NO_TRADE = '00000000-0000-7000-8000-000000000000';

const db: Database = openDatabase({
  url: await cloneDatabase(),
  poolSize: 4,
  statementTimeoutMs: 30_000,
  onConnectionError: () => {},
});
afterAll(() => db.$disconnect());

/** One side of the comparison: runs commands on a database and says what it answered. */
class Side {
  readonly #statements: Statements;
  readonly #customers: string[];
  readonly #epochs = new Map<number, bigint>();
  /** In the order placed. */
  readonly trades: Trade[] = [];

  constructor(statements: Statements, customers: string[]) {
    this.#statements = statements;
    this.#customers = customers;
  }

  async run(command: Command, ids: string[]): Promise<unknown> {
    switch (command.kind) {
      case 'insert':
        return this.#insert(command.orders, ids);
      case 'mark':
        return this.#mark(command.marks);
      case 'cancel':
        return this.#cancel(command.cancels);
      case 'settle':
        return this.#settle(command.reports);
      case 'read': {
        const customerId = this.#customer(command.customer);
        const partition = partitionOf(customerId, PARTITIONS);
        const oldest = [
          await this.#statements.readOldestOpenTrades([{ customerId, partition, waiting: LONG_AGO }]),
          await this.#statements.readOldestOpenTrades([{ customerId, partition, waiting: 'counted' }]),
          await this.#statements.readOldestOpenTrades([{ customerId, partition, waiting: 'passed' }]),
        ];
        return [
          oldest.flat().map(comparable),
          (await this.#statements.readTrades([...this.#ids(), randomUUID()])).map(comparable),
        ];
      }
      case 'sweep': {
        const asked = { partition: this.#partition(command.customer), limit: 10_000 };
        const found = await this.#statements.readOpenCustomers([{ ...asked, waiting: 'counted' }]);
        found.push(...(await this.#statements.readOpenCustomers([{ ...asked, waiting: 'passed' }])));
        return found.map((ids) => ids.map((id) => this.#customers.indexOf(id)).filter((i) => i >= 0));
      }
      case 'take over':
        return this.#takeOver(this.#partition(command.customer));
      case 'watch': {
        const customerId = this.#customer(command.customer);
        const known = [{ customerId, revision: command.revision }];
        const [changes, snapshots, newer] = [
          await this.#statements.readChanges(known),
          await this.#statements.readSnapshots([{ customerId, partition: partitionOf(customerId, PARTITIONS) }]),
          await this.#statements.readNewRevisions(known),
        ];
        return [...changes, ...snapshots].map(comparableState).concat(newer);
      }
      case 'quarantine': {
        const tradeId = this.trades[command.trade]?.id ?? null;
        return this.#statements.quarantineCallbacks([{ tradeId, why: command.why, raw: Buffer.from(command.why) }]);
      }
    }
  }

  async #insert(orders: Extract<Command, { kind: 'insert' }>['orders'], ids: string[]): Promise<unknown> {
    const results = await this.#statements.insertTrades(
      orders.map(({ customer: number, clientOrderId, ticker, buys, quantity, waits }, i) => {
        const customerId = this.#customer(number);
        const partition = partitionOf(customerId, PARTITIONS);
        const type = buys ? 'buy' : 'sell';
        const order = { customerId, partition, clientOrderId, stockTicker: ticker, type, quantity, queueForOpen: waits } as const;
        return { ...order, id: ids[i] ?? '' };
      }),
    );
    for (const result of results) if (result.kind === 'inserted') this.trades.push(result.trade);
    return results.map((result) => ('trade' in result ? { ...result, trade: comparable(result.trade) } : result));
  }

  async #mark(marks: Extract<Command, { kind: 'mark' }>['marks']): Promise<unknown> {
    const asked = [];
    for (const { customer: number, trade: which, staleEpoch, limitPrice } of marks) {
      const customerId = this.#customer(number);
      const partition = partitionOf(customerId, PARTITIONS);
      const own = this.trades.filter((t) => t.customerId === customerId);
      // Once the market has closed, the oldest is the one that does not wait.
      const waiting = limitPrice === 'closed' ? 'passed' : 'counted';
      const [oldest] = await this.#statements.readOldestOpenTrades([{ customerId, partition, waiting }]);
      const found = which === 'oldest' ? oldest : own[which];
      if (found === undefined || found === null) continue;
      const epoch = this.#epochs.get(partition) ?? (await this.#takeOver(partition));
      const decision = decisionOf(limitPrice, found.attempt);
      asked.push({ trade: found, epoch: staleEpoch && which !== 'oldest' ? epoch - 1n : epoch, decision });
    }
    const results = await this.#statements.markTradesExecuted(asked);
    return results.map((result) => ('trade' in result ? { ...result, trade: comparable(result.trade) } : result));
  }

  async #cancel(cancels: Extract<Command, { kind: 'cancel' }>['cancels']): Promise<unknown> {
    const asked = cancels.map(({ customer: number, trade: which }) => {
      const customerId = this.#customer(number);
      // Now and then a trade of somebody else, or none.
      const own = this.trades.filter((t) => t.customerId === customerId);
      return { customerId, tradeId: (own[which] ?? this.trades[which])?.id ?? NO_TRADE };
    });
    return (await this.#statements.cancelTrades(asked)).map(comparable);
  }

  async #settle(reports: Extract<Command, { kind: 'settle' }>['reports']): Promise<unknown> {
    const current = await this.#statements.readTrades(this.#ids());
    const asked = reports.flatMap(({ trade: which, price, execution, otherQuantity, closed }): OrderReport[] => {
      const found = this.trades[which];
      if (found === undefined) return [];
      const { id: tradeId, stockTicker, type, quantity } = found;
      const executedAt = new Date(1_700_000_000_000);
      const refusal = closed
        ? ({ code: 'MARKET_CLOSED' } as const)
        : ({ code: 'EXCHANGE_REJECTED', message: execution } as const);
      // Now and then of the attempt before.
      const attempt = Math.max(0, (current[which]?.attempt ?? 0) - (execution === 'e2' ? 1 : 0));
      const outcome =
        price === null
          ? ({ kind: 'rejected', refusal, executedAt } as const)
          : ({
              kind: 'filled',
              price,
              executionId: execution === 'one for all' ? `${this.#customers[0]}` : `${execution}-${tradeId}`,
              executedAt,
            } as const);
      return [{ tradeId, stockTicker, type, quantity: otherQuantity ? quantity + 1 : quantity, attempt, outcome }];
    });
    const results = await this.#statements.settleTrades(asked);
    return results.map((result) => result && { ...result, trade: comparable(result.trade) });
  }

  async #takeOver(partition: number): Promise<bigint> {
    const before = this.#epochs.get(partition);
    const [raised] = await this.#statements.raiseEpochs([{ partition, leader: 'conformance' }]);
    const epoch = raised?.epoch ?? 0n;
    if (before !== undefined) expect(epoch).toBe(before + 1n);
    this.#epochs.set(partition, epoch);
    return epoch;
  }

  #ids(): string[] {
    return this.trades.map(({ id }) => id);
  }

  #customer(number: number): string {
    return this.#customers[number] ?? '';
  }

  #partition(number: number): number {
    return partitionOf(this.#customer(number), PARTITIONS);
  }
}

/** What was sent back is passed. */
const LONG_AGO = { queuedBefore: new Date(0) };

function decisionOf(limitPrice: bigint | 'halted' | 'closed' | 'adopt', attempt: number): Decision {
  if (limitPrice === 'adopt') return { adopt: { limitPrice: 55_0000n, attempt } };
  if (limitPrice === 'closed') return { refusal: { code: 'MARKET_CLOSED' } };
  return limitPrice === 'halted' ? { refusal: { code: 'HALTED', stockTicker: 'AAPL' } } : { limitPrice };
}

/** What two databases must agree on: times only in whether they are there, the order of placement by the order of answers. */
function comparable(trade: Trade | null) {
  if (trade === null) return null;
  const { seq: _seq, createdAt: _createdAt, submittedAt, endedAt, ...rest } = trade;
  return { ...rest, isSubmitted: submittedAt !== null, hasEnded: endedAt !== null };
}

function comparableState(state: CustomerState | 'too many' | null): unknown {
  if (state === null || state === 'too many') return state;
  const { lastModified: _lastModified, ...account } = state.account;
  return { ...state, account, trades: state.trades.map(comparable) };
}

test('store: the database and its image in memory give the same answers to the same commands', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { minLength: 10, maxLength: 45 }),
      fc.array(fc.record({ cash: fc.bigInt({ min: 0n, max: 300_0000n }), shares: fc.nat({ max: 15 }) }), {
        minLength: CUSTOMERS,
        maxLength: CUSTOMERS,
      }),
      async (commands, means) => {
        const customers = [...means.map(() => randomUUID()), randomUUID()];
        const memory = new MemoryDatabase(PARTITIONS, () => Date.now());
        for (const [i, { cash, shares }] of means.entries()) {
          const customerId = customers[i] ?? '';
          memory.openAccount(customerId, cash, shares > 0 ? { AAPL: shares } : {});
          await db.balance.create({ data: { customerId, amount: cash } });
          if (shares > 0) await db.position.create({ data: { customerId, stockTicker: 'AAPL', quantity: BigInt(shares) } });
        }
        const [real, image] = [new Side(openStatements(db), customers), new Side(directly(memory), customers)];
        for (const command of commands) {
          const ids = Array.from({ length: 5 }, () => uuidV7(Date.now(), crypto.getRandomValues(new Uint8Array(10))));
          const [answer, expected] = [await real.run(command, ids), await image.run(command, ids)];
          if (command.kind !== 'take over') expect(answer).toEqual(expected);
        }
        await expectSameTables(memory, customers.slice(0, CUSTOMERS));
      },
    ),
    { numRuns: RUNS },
  );
});

async function expectSameTables(memory: MemoryDatabase, customers: string[]): Promise<void> {
  const where = { customerId: { in: customers } };
  const balances = await db.balance.findMany({
    where,
    select: { customerId: true, amount: true, held: true, buysBlocked: true, revision: true },
  });
  expect(new Map(balances.map(({ customerId, ...balance }) => [customerId, balance]))).toEqual(memory.balances);
  const positions = await db.position.findMany({ where });
  const owned = positions.map(
    ({ customerId, stockTicker, quantity, held }) => [`${customerId} ${stockTicker}`, { quantity, held }] as const,
  );
  expect(new Map(owned)).toEqual(memory.positions);
  const [quarantined, trades] = [
    await db.callbackQuarantine.findMany({ where: { tradeId: { in: [...memory.trades.keys()] } } }),
    memory.quarantine,
  ];
  expect(quarantined.length).toBe(trades.filter(({ tradeId }) => tradeId !== null).length);
}
