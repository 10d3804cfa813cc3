import type { OrderReport } from '@stockbroker/rpc/exchange';
import { backoffMs, type SeededRandom } from '@stockbroker/runtime';
import type { Faults } from './faults.ts';
import { type CompletedOrder, toReport } from './order.ts';
import { type Answer, newMessageId, type Sender } from './sendReports.ts';

/** Reports in one message. */
const MAX_BATCH = 256;
/** Messages on the way to one URL at once. */
const MAX_IN_FLIGHT = 4;
/** Reports read from the journal at once. */
const PAGE = 1_024;
/**
 * Reports kept in memory for one URL; the rest waits in the journal. It is also where patience ends: when so many fail again and again that
 * nothing else fits, the URL gets nothing new until one of them succeeds.
 */
const MAX_LOADED = 10_000;

/** What all destinations share. */
export interface DestinationParts {
  journal: {
    undelivered(callbackUrl: string, afterRank: number, limit: number): CompletedOrder[];
    markDelivered(sequence: number): void;
    markDropped(sequence: number): void;
  };
  faults: Faults;
  random: SeededRandom;
  backoff: { baseMs: number; maxMs: number };
  /** Reports in the memory of all destinations, and how many there may be. */
  memory: { loaded: number; max: number };
  onAttempt(url: string, size: number, answer: Answer, failures: number): void;
}

interface QueuedReport {
  report: OrderReport;
  /** Undefined for a report that only a fault sends: the journal does not wait for it. */
  sequence: number | undefined;
  /** What faults send once this one is delivered. */
  followUps: OrderReport[];
}

interface Batch {
  messageId: string;
  reports: QueuedReport[];
  failures: number;
  notBeforeMs: number;
}

/**
 * The reports owed to one callback URL. They are sent in the order of completion, in natural batches: while messages are on the way, the
 * next batch fills. A failed batch is sent again, whole, after a while of its own; others pass it by. After a failure the URL gets one
 * message at a time, after a pause, until one succeeds.
 *
 * Reports beyond the memory's limits are not kept here but read from the journal later (`#spilled`): everything up to `#loadedRank` is in
 * memory or done, everything above it is in the journal only. A restart begins with all of it there.
 */
export class Destination {
  readonly url: string;
  /** Accepted orders whose report is not delivered, open ones included. */
  owed = 0;
  readonly #sender: Sender;
  readonly #parts: DestinationParts;
  #fresh: QueuedReport[] = [];
  #failed: Batch[] = [];
  readonly #late = new Set<NodeJS.Timeout>();
  #loaded = 0;
  #spilled: boolean;
  #loadedRank = 0;
  #inFlight = 0;
  #failures = 0;
  #pausedUntilMs = 0;
  #pumpScheduled = false;
  #wakeUp: NodeJS.Timeout | undefined;
  #closed = false;
  /** Of the latest fill whose true report was answered with success: another order's, for a fault to repeat. */
  #deliveredExecutionId = '';
  #onQuiet: (() => void) | undefined;

  /** @param backlog true when the journal may hold reports for the URL from before */
  constructor(url: string, sender: Sender, parts: DestinationParts, backlog: boolean) {
    this.url = url;
    this.#sender = sender;
    this.#parts = parts;
    this.#spilled = backlog;
  }

  /** True when nothing is owed and nothing is on the way. */
  get idle(): boolean {
    return this.owed === 0 && this.#loaded === 0;
  }

  /** Owes a report that the journal holds. */
  add(order: CompletedOrder): void {
    const { memory } = this.#parts;
    if (this.#spilled || this.#loaded >= MAX_LOADED || memory.loaded >= memory.max) this.#spilled = true;
    else this.#load(order);
    this.wake();
  }

  /** Sends what there is to send, in a moment: what is added until then shares the batch. */
  wake(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    queueMicrotask(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  /** Sends nothing more, and waits for what is on the way up to `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#wakeUp);
    for (const timer of this.#late) clearTimeout(timer);
    if (this.#inFlight > 0) {
      const timer = setTimeout(() => this.#sender.close(), graceMs);
      await new Promise<void>((resolve) => {
        this.#onQuiet = resolve;
      });
      clearTimeout(timer);
    }
    this.#sender.close();
  }

  #load(order: CompletedOrder): void {
    const { faults, journal } = this.#parts;
    this.#loadedRank = order.completion.rank;
    if (faults.strikes('dropRate')) {
      journal.markDropped(order.sequence);
      this.owed -= 1;
      return;
    }
    const report = toReport(order);
    const followUps: OrderReport[] = [];
    if (faults.strikes('conflictRate')) followUps.push(faults.contradict(report));
    const twice = faults.strikes('duplicateRate');
    const twiceAtOnce = twice && this.#parts.random.chance(0.5);
    if (twice && !twiceAtOnce) followUps.push(report);
    const queued = { report, sequence: order.sequence, followUps };
    const wanted = twiceAtOnce ? [queued, { report, sequence: undefined, followUps: [] }] : [queued];
    if (report.executionId !== '' && this.#deliveredExecutionId !== '' && faults.strikes('repeatExecutionRate'))
      wanted.unshift({ report: { ...report, executionId: this.#deliveredExecutionId }, sequence: undefined, followUps: [] });
    if (faults.strikes('lateRate')) this.#holdBack(wanted, faults.behaviour.lateMs);
    else this.#enqueue(wanted);
  }

  #enqueue(reports: QueuedReport[]): void {
    this.#count(reports.length);
    this.#fresh.push(...reports);
  }

  #holdBack(reports: QueuedReport[], lateMs: number): void {
    this.#count(reports.length);
    const timer = setTimeout(() => {
      this.#late.delete(timer);
      this.#fresh.push(...reports);
      this.wake();
    }, lateMs);
    this.#late.add(timer);
  }

  #count(change: number): void {
    this.#loaded += change;
    this.#parts.memory.loaded += change;
  }

  #pump(): void {
    if (this.#closed) return;
    const now = performance.now();
    this.#readOn();
    while (this.#maySend(now)) {
      const batch = this.#nextBatch(now);
      if (batch === undefined) break;
      void this.#attempt(batch);
    }
    this.#wakeLater();
  }

  /** Reads the next page when there is room, or when the URL would otherwise stand still because others fill the memory. */
  #readOn(): void {
    const { journal, memory } = this.#parts;
    while (this.#spilled && this.#fresh.length < PAGE / 2) {
      const room = this.#loaded + PAGE <= MAX_LOADED && memory.loaded + PAGE <= memory.max;
      if (!room && this.#loaded > 0) return;
      const orders = journal.undelivered(this.url, this.#loadedRank, PAGE);
      this.#spilled = orders.length === PAGE;
      for (const order of orders) this.#load(order);
    }
  }

  #maySend(now: number): boolean {
    return this.#failures === 0 ? this.#inFlight < MAX_IN_FLIGHT : this.#inFlight === 0 && now >= this.#pausedUntilMs;
  }

  /** What has failed and is due again, else something new: so a message that always fails delays the others but never stops them. */
  #nextBatch(now: number): Batch | undefined {
    const due = this.#failed.findIndex((batch) => batch.notBeforeMs <= now);
    if (due >= 0) return this.#failed.splice(due, 1)[0];
    if (this.#fresh.length === 0) return undefined;
    const reports = this.#fresh.splice(0, MAX_BATCH);
    if (this.#parts.faults.strikes('reorderRate')) this.#parts.random.shuffle(reports);
    return { messageId: newMessageId(), reports, failures: 0, notBeforeMs: 0 };
  }

  async #attempt(batch: Batch): Promise<void> {
    this.#inFlight += 1;
    const reports = batch.reports.map(({ report }) => report);
    const answer = await this.#sender.send(batch.messageId, reports);
    this.#inFlight -= 1;
    if (answer.delivered) this.#settle(batch);
    else this.#postpone(batch);
    this.#parts.onAttempt(this.url, batch.reports.length, answer, this.#failures);
    if (this.#closed && this.#inFlight === 0) this.#onQuiet?.();
    this.#pump();
  }

  #settle(batch: Batch): void {
    this.#failures = 0;
    this.#count(-batch.reports.length);
    for (const { report, sequence, followUps } of batch.reports) {
      if (sequence !== undefined) {
        if (report.executionId !== '') this.#deliveredExecutionId = report.executionId;
        this.#parts.journal.markDelivered(sequence);
        this.owed -= 1;
      }
      if (followUps.length > 0) this.#enqueue(followUps.map((report) => ({ report, sequence: undefined, followUps: [] })));
    }
  }

  #postpone(batch: Batch): void {
    const { backoff, random } = this.#parts;
    batch.failures += 1;
    this.#failures = Math.max(this.#failures, batch.failures);
    const now = performance.now();
    batch.notBeforeMs = now + backoffMs(batch.failures - 1, random.number(), backoff);
    this.#pausedUntilMs = now + backoffMs(this.#failures - 1, random.number(), backoff);
    this.#failed.push(batch);
  }

  /** When no answer on the way will wake it, a timer must. */
  #wakeLater(): void {
    clearTimeout(this.#wakeUp);
    const isFull = this.#failures === 0 ? this.#inFlight >= MAX_IN_FLIGHT : this.#inFlight > 0;
    if (isFull) return;
    const dueMs = this.#fresh.length > 0 ? 0 : Math.min(...this.#failed.map((batch) => batch.notBeforeMs));
    const atMs = this.#failures === 0 ? dueMs : Math.max(dueMs, this.#pausedUntilMs);
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.#wakeUp = setTimeout(() => this.#pump(), Math.max(1, Math.ceil(atMs - performance.now())));
  }
}
