import type { Term } from '@stockbroker/lease';
import { CLOCK_TOLERANCE_MS, type FlowEvent } from '@stockbroker/trade-flow';
import { isAboutOrder, isFinal, type Trade } from '@stockbroker/trading';
import { MAX_SKEW_MS, type Opening } from './plan.ts';
import type { Servers } from './ports.ts';
import type { SimulatedProcess } from './simulatedProcess.ts';

/** A promise of the broker was broken. */
export class Violation extends Error {}

/** Two clocks that a time server keeps may differ by this much. */
const CLOCKS_MS = 2 * MAX_SKEW_MS;
/** And what was decided may take a statement's timeout, and the ways there and back, until it is done. */
const STORED_LATE_MS = CLOCKS_MS + 3_000;

/** A trade that was sent back waits for ten seconds, and then for whoever looks for it. */
const SENT_BACK_MS = 25_000;

/** What must hold after every step, and at the end. It looks at the servers alone, not into the processes. */
export class Invariants {
  /**
   * Once the leases were wiped, two workers may trust the same one: those that are lost are trusted for a while, and the revisions,
   * which begin anew, may be taken for earlier ones. Then the epochs alone keep the promises.
   */
  leasesWereWiped = false;
  /** Whether the database has lost commits: orders of trades that it does not know any more can only be quarantined. */
  #lostCommits = false;
  readonly #servers: Servers;
  readonly #openings: Opening[];
  #violation: Violation | undefined;
  readonly #final = new Map<string, string>();
  readonly #settled = new Set<string>();
  /** Marked executed, whatever has become of the mark. */
  readonly #marked = new Set<string>();
  /** Of those, the ones whose marks the database may have lost: their orders may still be on their way to the exchange. */
  readonly #lostMarks = new Set<string>();
  /** Too late to be sent, and perhaps on their way: they are for operators, and hold their customers up. */
  readonly #held = new Set<string>();
  readonly #leaders = new Map<number, { process: SimulatedProcess; term: Term }[]>();
  #ordersSeen = 0;
  #checkedVersion = -1;

  constructor(servers: Servers, openings: Opening[]) {
    this.#servers = servers;
    this.#openings = openings;
  }

  /** @throws Violation, also one that was noticed while a process ran */
  afterStep(): void {
    this.#checkNewOrders();
    const { version } = this.#servers.database;
    if (version !== this.#checkedVersion) for (const opening of this.#openings) this.#checkCustomer(opening);
    this.#checkedVersion = version;
    this.#checkLeaders();
    if (this.#violation !== undefined) throw this.#violation;
  }

  /** What had ended may be open again, and end once more: in the same way, because the exchange says the same. */
  commitsWereLost(): void {
    this.#lostCommits = true;
    this.#final.clear();
    for (const id of this.#marked) this.#lostMarks.add(id);
  }

  violated(what: string): void {
    this.#violation ??= new Violation(what);
  }

  onEvent(event: FlowEvent): void {
    if (event.kind === 'held') this.#held.add(event.trade.id);
    // The order has arrived at last: the trade goes on, or has ended.
    if (event.kind === 'sent-back' || event.kind === 'settled') this.#held.delete(event.trade.id);
    if (event.kind !== 'settled') return;
    const { id, queueForOpen, rejectCode } = event.trade;
    if (queueForOpen && rejectCode === 'MARKET_CLOSED') this.violated(`trade ${id} was to wait for the open, and is rejected`);
    if (this.#lostCommits) return;
    if (this.#settled.has(id)) this.violated(`trade ${id} was settled twice`);
    this.#settled.add(id);
  }

  /** Whoever took over last is the only one who decides. */
  onMarked(process: SimulatedProcess, trade: Trade): void {
    const { id, partition, status, rejectCode, queueForOpen, createdAt, submittedAt } = trade;
    const { database, hours } = this.#servers;
    const leader = database.epochs[partition]?.leader;
    if (leader !== process.name) this.violated(`trade ${id} was marked by ${process.name}, after ${leader} had taken over`);
    if (queueForOpen && rejectCode === 'MARKET_CLOSED') this.violated(`trade ${id} was to wait for the open, and is rejected`);
    if (status !== 'executed' || submittedAt === null) return;
    this.#marked.add(id);
    this.#lostMarks.delete(id);
    // Adopted from the exchange after its mark was lost: submitted at some time since it was placed.
    if (this.#lostCommits && submittedAt.getTime() === createdAt.getTime()) return;
    // What was decided while the market was open may arrive when it has closed; but not what was placed after that.
    if (hours.isOpenAbout(createdAt.getTime(), CLOCK_TOLERANCE_MS + CLOCKS_MS)) return;
    if (!queueForOpen) this.violated(`trade ${id} was placed while the market was closed, and is sent`);
    if (!hours.isOpenAbout(submittedAt.getTime(), STORED_LATE_MS))
      this.violated(`trade ${id} waits for the open, and is sent before`);
  }

  /** An order belongs into the session of its mark. What was decided before the close may take a statement's time to be sent. */
  onSent({ id, submittedAt }: Trade): void {
    const { hours, now } = this.#servers;
    const markedAtMs = submittedAt?.getTime() ?? Number.NaN;
    if (!hours.isOpenAbout(now(), STORED_LATE_MS)) this.violated(`trade ${id} is sent while the market is closed`);
    if (hours.closedBetween(markedAtMs + CLOCKS_MS, now() - STORED_LATE_MS))
      this.violated(`trade ${id}, marked in an earlier session, is sent in a later one`);
  }

  /** Whether a worker trusts its lease. Where the database has another, by a raise that came late, the first mark finds out. */
  isLed(partition: number): boolean {
    return (this.#leaders.get(partition) ?? []).some(({ process, term }) => process.isAlive && term.isTrusted());
  }

  /**
   * Whether a customer has a trade that somebody should work on now. One held for operators, and those behind it, wait for them; one that
   * the venue has sent back waits a while.
   */
  mustGoOn(customerId: string, waitedMs: number): boolean {
    const { database, hours, now } = this.#servers;
    const isOpen = hours.at(now()).isOpen;
    const oldest = database
      .tradesOf(customerId)
      .find(({ status, queueForOpen }) => !isFinal(status) && (isOpen || !queueForOpen));
    if (oldest === undefined || this.isBehindHeld(oldest)) return false;
    return !database.queuedAt.has(oldest.id) || waitedMs > SENT_BACK_MS;
  }

  onElected(process: SimulatedProcess, term: Term): void {
    const terms = this.#leaders.get(term.partition) ?? [];
    this.#leaders.set(term.partition, [...terms.filter((t) => t.process.isAlive && t.term.isTrusted()), { process, term }]);
  }

  /** Mark, then send; in order; one at a time. */
  #checkNewOrders(): void {
    const { database, exchange } = this.#servers;
    for (; this.#ordersSeen < exchange.journal.length; this.#ordersSeen += 1) {
      const sent = exchange.journal[this.#ordersSeen]?.trade;
      if (sent !== undefined && this.#lostMarks.has(sent.id)) continue;
      const trade = sent && database.trades.get(sent.id);
      if (sent === undefined || trade === undefined) {
        this.violated(`the exchange has an order that is no trade: ${sent?.id}`);
        continue;
      }
      if (trade.status !== 'executed') this.violated(`trade ${trade.id} was sent while it was ${trade.status}`);
      if (trade.limitPrice !== sent.limitPrice || trade.quantity !== sent.quantity || trade.type !== sent.type)
        this.violated(`trade ${trade.id} was sent with other content`);
      const earlier = database.tradesOf(trade.customerId).filter(({ seq }) => seq < trade.seq);
      const open = earlier.find(({ status }) => !isFinal(status));
      if (open !== undefined) this.violated(`trade ${trade.id} was sent while ${open.id}, placed before it, was ${open.status}`);
    }
  }

  /** Money and shares are the opening and the fills, holds are those of executed trades, what is final stays. */
  #checkCustomer({ customerId, cash, shares }: Opening): void {
    const { database } = this.#servers;
    const trades = database.tradesOf(customerId);
    let amount = cash;
    let held = 0n;
    let executed = 0;
    const owned = new Map(Object.entries(shares).map(([ticker, quantity]) => [ticker, { quantity: BigInt(quantity), held: 0n }]));
    for (const trade of trades) {
      const position = owned.get(trade.stockTicker) ?? { quantity: 0n, held: 0n };
      owned.set(trade.stockTicker, position);
      const quantity = BigInt(trade.quantity);
      if (trade.status === 'executed') {
        executed += 1;
        if (trade.type === 'buy') held += trade.hold ?? 0n;
        else position.held += quantity;
      } else if (trade.status === 'filled') {
        amount += (trade.type === 'buy' ? -quantity : quantity) * (trade.price ?? 0n);
        position.quantity += trade.type === 'buy' ? quantity : -quantity;
      }
      this.#checkFinal(trade);
    }
    if (executed > 1) this.violated(`customer ${customerId} has ${executed} executed trades at once`);
    const balance = database.balances.get(customerId);
    if (balance?.amount !== amount)
      this.violated(`cash of ${customerId} is ${balance?.amount}, opening and fills make ${amount}`);
    if (balance?.held !== held) this.violated(`${balance?.held} of ${customerId} is held, executed buys hold ${held}`);
    if (amount < 0n && balance?.buysBlocked !== true)
      this.violated(`cash of ${customerId} is ${amount}, and its buys are not blocked`);
    for (const [ticker, { quantity, held: sharesHeld }] of owned) {
      const position = database.positions.get(`${customerId} ${ticker}`) ?? { quantity: 0n, held: 0n };
      if (position.quantity !== quantity || position.held !== sharesHeld || quantity < 0n)
        this.violated(
          `${ticker} of ${customerId}: ${position.quantity} and ${position.held} held; should be ${quantity}, ${sharesHeld}`,
        );
    }
  }

  #checkFinal(trade: Trade): void {
    if (!isFinal(trade.status)) return;
    const text = `${trade.status} ${trade.price} ${trade.executionId} ${trade.rejectCode} ${trade.reason}`;
    const before = this.#final.get(trade.id);
    if (before === undefined) this.#final.set(trade.id, text);
    else if (before !== text) this.violated(`final trade ${trade.id} changed from ${before} to ${text}`);
  }

  #checkLeaders(): void {
    if (this.leasesWereWiped) return;
    for (const [partition, terms] of this.#leaders) {
      if (terms.length === 1) continue;
      const trusted = terms.filter(({ process, term }) => process.isAlive && term.isTrusted());
      if (trusted.length > 1)
        this.violated(`partition ${partition} has two trusted leaders: ${trusted.map(({ process }) => process.name).join(', ')}`);
    }
  }

  /** Held for operators, or waiting for one that is: it may stay as it is. */
  isBehindHeld({ customerId, seq }: Trade): boolean {
    return this.#servers.database
      .tradesOf(customerId)
      .some((trade) => trade.seq <= seq && trade.status === 'executed' && this.#held.has(trade.id) && this.#isUnknown(trade));
  }

  /** Whether the exchange does not have it. An order that arrives late is found, and the trade goes on. */
  #isUnknown({ id, attempt }: Trade): boolean {
    const known = this.#servers.exchange.recall(id);
    return known === null || known.attempt < attempt;
  }

  /** Nothing is open, each order of a customer is one trade, and the exchange and the books say the same. */
  atEnd(ordered: number): void {
    const { database, exchange } = this.#servers;
    if (database.trades.size !== ordered && !this.#lostCommits)
      this.violated(`${database.trades.size} trades are stored, ${ordered} were ordered`);
    const orders = new Map(exchange.journal.map((order) => [order.trade.id, order]));
    for (const trade of database.trades.values()) {
      const order = orders.get(trade.id);
      const isHeld = this.#held.has(trade.id) && this.#isUnknown(trade);
      if (!isFinal(trade.status) && !this.isBehindHeld(trade)) this.violated(`trade ${trade.id} is still ${trade.status}`);
      if (isHeld) continue;
      // Canceled when the database did not know any more that it had been sent.
      if (this.#lostCommits && trade.rejectCode === 'CANCELED') continue;
      // Marked in the last moment of the session: nothing has left. One that waits for the open was placed again then.
      const isUnsent = order === undefined && (trade.rejectCode === 'MARKET_CLOSED' || trade.attempt > 0);
      if (!isUnsent && (order !== undefined) !== (trade.submittedAt !== null))
        this.violated(`trade ${trade.id} is ${trade.status}, and the exchange has ${order === undefined ? 'no' : 'an'} order`);
      const outcome = order?.report?.outcome;
      if (order?.report !== undefined && !isAboutOrder(order.report, trade))
        this.violated(`the order of ${trade.id} is another one`);
      if (outcome?.kind === 'filled' && (trade.price !== outcome.price || trade.executionId !== outcome.executionId))
        this.violated(`trade ${trade.id} was filled at ${outcome.price}, the broker has it ${trade.status} at ${trade.price}`);
      if (outcome?.kind === 'rejected' && trade.status !== 'rejected')
        this.violated(`trade ${trade.id} was rejected by the exchange`);
    }
    const { lies } = exchange;
    // One that came twice at the end of its trade may be kept for both reasons: of the open trade, and of the ended one.
    const aside = new Set(database.quarantine.map(({ tradeId, raw }) => `${tradeId} ${raw}`)).size;
    if (aside !== lies && !this.#lostCommits)
      this.violated(`${aside} callbacks are in quarantine, the exchange has made up ${lies}`);
    if (this.#violation !== undefined) throw this.#violation;
  }
}
