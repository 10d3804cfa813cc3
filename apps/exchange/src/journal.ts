import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { ADD_ATTEMPT, HAS_ATTEMPT, insertValues, type OrderRow, outcomeValues, SCHEMA, toRecord } from './journalSchema.ts';
import type { CompletedOrder, Completion, NewOrder, OrderRecord, Outcome } from './order.ts';

/** A delivery is only a note that saves a repetition: so many may wait for the next transaction, and so long. */
const MAX_WAITING_DELIVERIES = 1_000;
const MAX_DELIVERY_WAIT_MS = 50;
/** WAL pages before they are copied into the file: a checkpoint syncs twice, so it is made ten times as rare as by default. */
const CHECKPOINT_PAGES = 10_000;

/** What became of a report: to be sent, answered with success, or dropped by a fault and never sent. */
const Delivery = { pending: 0, delivered: 1, dropped: 2 } as const;

const CACHE_KIB = 8 * 1024;
/** How long a stopping predecessor is waited for. */
const LOCK_WAIT_MS = 2_000;
const OPEN_ORDERS = `SELECT * FROM orders INDEXED BY orders_to_report WHERE delivery = 0 AND rank IS NULL ORDER BY sequence`;

/**
 * Every order the exchange ever accepted, in one SQLite file. What `transaction` has returned from survives a crash of the process and of
 * the machine (WAL with synchronous=FULL).
 *
 * It works in the event loop's thread: a commit takes some 0.3 ms on a virtual disk, and while it blocks, the next batch gathers in the
 * sockets. Alone it writes 30,000 orders a second in batches of 100; a thread of its own would copy every order there and back.
 */
export class Journal {
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #complete: StatementSync;
  readonly #find: StatementSync;
  readonly #setDelivery: StatementSync;
  readonly #undelivered: StatementSync;
  readonly #page: StatementSync;
  readonly #pageById: StatementSync;
  /** Begins every execution id, so that ids of two journals never meet. */
  readonly #name: string;
  #lastSequence: number;
  #lastRank: number;
  #deliveries: [sequence: number, delivery: number][] = [];
  #deliveryTimer: NodeJS.Timeout | undefined;

  /** @throws Error when another process has the journal open */
  constructor(dataDir: string) {
    this.#db = open(dataDir);
    this.#db.prepare("INSERT INTO meta VALUES ('name', ?) ON CONFLICT DO NOTHING").run(randomBytes(4).toString('hex'));
    this.#name = this.#one<{ value: string }>("SELECT value FROM meta WHERE key = 'name'").value;
    this.#lastSequence = this.#one<{ last: number }>('SELECT coalesce(max(sequence), 0) AS last FROM orders').last;
    this.#lastRank = this.#one<{ last: number }>('SELECT coalesce(max(rank), 0) AS last FROM orders WHERE delivery = 0').last;

    this.#insert = this.#db.prepare(
      `INSERT INTO orders VALUES (${Array(15).fill('?').join(', ')}) ON CONFLICT (client_order_id) DO NOTHING`,
    );
    this.#delete = this.#db.prepare('DELETE FROM orders WHERE client_order_id = ?');
    this.#complete = this.#db.prepare(
      `UPDATE orders SET rank = ?, executed_at_ms = ?, execution_id = ?, price_e4 = ?, reject_reason = ?, reject_message = ?
       WHERE sequence = ? AND rank IS NULL`,
    );
    this.#setDelivery = this.#db.prepare('UPDATE orders SET delivery = ? WHERE sequence = ?');
    this.#find = this.#db.prepare('SELECT * FROM orders WHERE client_order_id = ?');
    this.#undelivered = this.#db.prepare(
      'SELECT * FROM orders WHERE delivery = 0 AND callback_url = ? AND rank > ? ORDER BY rank LIMIT ?',
    );
    this.#page = this.#db.prepare('SELECT * FROM orders WHERE sequence > ? ORDER BY sequence LIMIT ?');
    this.#pageById = this.#db.prepare(
      'SELECT * FROM orders WHERE client_order_id >= ? AND client_order_id < ? ORDER BY client_order_id LIMIT ?',
    );
  }

  /** Runs `work` and makes what it wrote durable. When it throws, nothing was written. */
  transaction<T>(work: () => T): T {
    const [lastSequence, lastRank] = [this.#lastSequence, this.#lastRank];
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      for (const [sequence, delivery] of this.#deliveries) this.#setDelivery.run(delivery, sequence);
      this.#db.exec('COMMIT');
      this.#deliveries = [];
      return result;
    } catch (error) {
      this.#lastSequence = lastSequence;
      this.#lastRank = lastRank;
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /**
   * Adds an order, open or complete at once. Only within `transaction`.
   *
   * @returns undefined when its id exists
   */
  insert(order: NewOrder, outcome: Outcome | undefined, nowMs: number): OrderRecord | undefined {
    const sequence = this.#lastSequence + 1;
    const completion = outcome === undefined ? undefined : this.#completion(sequence, outcome, nowMs);
    const record = { ...order, sequence, completion, delivered: false };
    if (this.#insert.run(...insertValues(record)).changes === 0) return undefined;
    this.#lastSequence = sequence;
    if (completion !== undefined) this.#lastRank = completion.rank;
    return record;
  }

  /**
   * Replaces an attempt by the next one. The former's report need not be sent any more: the broker has received it, or it would not submit
   * again. Only within `transaction`.
   */
  replace(order: NewOrder, outcome: Outcome | undefined, nowMs: number): OrderRecord {
    this.#delete.run(order.clientOrderId);
    const record = this.insert(order, outcome, nowMs);
    if (record === undefined) throw new Error(`order ${order.clientOrderId} is still there`);
    return record;
  }

  /** Completes an open order. Only within `transaction`. */
  complete(order: OrderRecord, outcome: Outcome, nowMs: number): CompletedOrder {
    const completion = this.#completion(order.sequence, outcome, nowMs);
    const { rank, executedAtMs, executionId } = completion;
    const values = outcomeValues(outcome);
    const { changes } = this.#complete.run(rank, executedAtMs, executionId, ...values, order.sequence);
    if (changes !== 1) throw new Error(`order ${order.clientOrderId} was completed twice`);
    this.#lastRank = rank;
    return { ...order, completion };
  }

  /** Notes that a report was answered with success. A crash may lose the note, and the report is then sent again. */
  markDelivered(sequence: number): void {
    this.#noteDelivery(sequence, Delivery.delivered);
  }

  /** Notes that a report shall never be sent. */
  markDropped(sequence: number): void {
    this.#noteDelivery(sequence, Delivery.dropped);
  }

  find(clientOrderId: string): OrderRecord | undefined {
    const row = this.#find.get(clientOrderId) as OrderRow | undefined;
    return row === undefined ? undefined : toRecord(row);
  }

  openOrders(): OrderRecord[] {
    const rows = this.#db.prepare(OPEN_ORDERS).all();
    return rows.map((row) => toRecord(row as unknown as OrderRow));
  }

  /** The callback URLs that reports are owed to, open orders included. */
  owedReports(): { url: string; count: number }[] {
    const rows = this.#db
      .prepare('SELECT callback_url AS url, count(*) AS count FROM orders WHERE delivery = 0 GROUP BY 1')
      .all();
    return rows as { url: string; count: number }[];
  }

  /** Completed orders not reported to a URL yet, in order of completion. Notes that are not written yet do not show. */
  undelivered(callbackUrl: string, afterRank: number, limit: number): CompletedOrder[] {
    const rows = this.#undelivered.all(callbackUrl, afterRank, limit);
    return rows.map((row) => toRecord(row as unknown as OrderRow) as CompletedOrder);
  }

  /** Orders with ids from `from` to before `before`, in order of id: the first `limit` of them, through the index of ids. */
  pageById(from: string, before: string, limit: number): OrderRecord[] {
    return this.#pageById.all(from, before, limit).map((row) => toRecord(row as unknown as OrderRow));
  }

  /** All orders in order of acceptance, a page at a time. */
  page(afterSequence: number, limit: number): OrderRecord[] {
    this.#writeDeliveries();
    return this.#page.all(afterSequence, limit).map((row) => toRecord(row as unknown as OrderRow));
  }

  close(): void {
    this.#writeDeliveries();
    this.#db.close();
  }

  #one<Row>(sql: string): Row {
    return this.#db.prepare(sql).get() as Row;
  }

  #completion(sequence: number, outcome: Outcome, executedAtMs: number): Completion {
    const executionId = outcome.filled ? `${this.#name}-${sequence}` : '';
    return { rank: this.#lastRank + 1, executedAtMs, executionId, outcome };
  }

  #noteDelivery(sequence: number, delivery: number): void {
    this.#deliveries.push([sequence, delivery]);
    if (this.#deliveries.length >= MAX_WAITING_DELIVERIES) this.#writeDeliveries();
    else this.#deliveryTimer ??= setTimeout(() => this.#writeDeliveries(), MAX_DELIVERY_WAIT_MS);
  }

  #writeDeliveries(): void {
    clearTimeout(this.#deliveryTimer);
    this.#deliveryTimer = undefined;
    if (this.#deliveries.length > 0) this.transaction(() => undefined);
  }
}

function open(dataDir: string): DatabaseSync {
  mkdirSync(dataDir, { recursive: true });
  const db = new DatabaseSync(join(dataDir, 'orders.db'), { timeout: LOCK_WAIT_MS });
  try {
    // The lock is held until the process ends, however it ends.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA cache_size = -${CACHE_KIB}`);
    db.exec(SCHEMA);
    if (db.prepare(HAS_ATTEMPT).get() === undefined) db.exec(ADD_ATTEMPT);
  } catch (cause) {
    throw new Error(`the journal in ${dataDir} cannot be opened; is another process using it?`, { cause });
  }
  return db;
}
