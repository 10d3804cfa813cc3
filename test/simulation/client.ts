import { NoAccountError, NoTradeError, NotCancelableError } from '@stockbroker/trade-flow';
import { isFinal, TRADE_STATUSES, type Trade, type TradeOrder } from '@stockbroker/trading';
import type { Gateway } from './processes.ts';
import type { Simulation } from './simulation.ts';

const TIMEOUT_MS = 1_500;

/** A customer's program: it calls gateways, repeats what fails under the same client order id, and remembers every answer. */
export class Client {
  readonly customerId: string;
  /** The latest answer about each trade that a gateway has acknowledged. */
  readonly seen = new Map<string, Trade>();
  /** Orders and cancellations that no gateway has answered yet. */
  unanswered = 0;
  /** Orders given so far; each must become one trade. */
  ordered = 0;
  #forgets = false;
  readonly #simulation: Simulation;

  constructor(customerId: string, simulation: Simulation) {
    this.customerId = customerId;
    this.#simulation = simulation;
  }

  /** @param cancelAfterMs how long after the answer the customer wants it no more; null: never */
  place(order: Omit<TradeOrder, 'customerId' | 'clientOrderId'>, cancelAfterMs: number | null): void {
    this.ordered += 1;
    this.unanswered += 1;
    this.#place({ ...order, customerId: this.customerId, clientOrderId: `order-${this.ordered}` }, cancelAfterMs);
  }

  /** The broker has lost what it acknowledged: from here on nothing can be held against it. */
  forget(): void {
    this.#forgets = true;
    this.seen.clear();
  }

  #place(order: TradeOrder, cancelAfterMs: number | null): void {
    const { world, random } = this.#simulation;
    this.#call(
      (gateway) => gateway.place(order),
      (trade) => {
        this.unanswered -= 1;
        this.#note(trade);
        world.after(random.between(10, 4_000), () => this.#read(trade.id));
        if (cancelAfterMs === null) return;
        this.unanswered += 1;
        world.after(cancelAfterMs, () => this.#cancel(trade.id));
      },
      (error) => {
        if (error instanceof NoAccountError) throw error;
        world.after(random.between(50, 800), () => this.#place(order, cancelAfterMs));
      },
    );
  }

  #cancel(tradeId: string): void {
    const { world, random, invariants } = this.#simulation;
    this.#call(
      (gateway) => gateway.cancel({ customerId: this.customerId, tradeId }),
      (trade) => {
        this.unanswered -= 1;
        this.#note(trade);
        if (trade.rejectCode !== 'CANCELED') invariants.violated(`trade ${tradeId} was canceled, and is ${trade.status}`);
      },
      (error) => {
        if (error instanceof NoTradeError && this.seen.has(tradeId)) throw error;
        if (error instanceof NoTradeError) this.unanswered -= 1;
        else if (error instanceof NotCancelableError) {
          this.unanswered -= 1;
          this.#note(error.trade);
        } else {
          world.after(random.between(50, 800), () => this.#cancel(tradeId));
        }
      },
    );
  }

  #read(tradeId: string): void {
    this.#call(
      (gateway) => gateway.read(tradeId),
      (trade) => {
        if (trade !== null) this.#note(trade);
        else if (this.seen.has(tradeId))
          this.#simulation.invariants.violated(`trade ${tradeId} was acknowledged, and is not found`);
      },
      () => {},
    );
  }

  /** One call of one gateway. Exactly one of the two is called. */
  #call<T>(call: (gateway: Gateway) => Promise<T>, onAnswer: (answer: T) => void, onError: (error: unknown) => void): void {
    const { world, random, servers, gateways } = this.#simulation;
    const { network } = servers;
    const gateway = random.pick(gateways);
    let isOver = false;
    const end = (run: () => void) => {
      if (isOver) return;
      isOver = true;
      run();
    };
    world.after(TIMEOUT_MS, () => end(() => onError(new Error('deadline exceeded'))));
    if (network.isLost()) return;
    world.after(network.delayMs(), () =>
      gateway.process.deliver(() => {
        const answered = (run: () => void) => {
          if (!network.isLost()) world.after(network.delayMs(), () => gateway.process.isAlive && end(run));
        };
        call(gateway).then(
          (answer) => answered(() => onAnswer(answer)),
          (error: unknown) => answered(() => onError(error)),
        );
      }),
    );
  }

  /** Answers may overtake each other; but an end is an end, and says the same for ever. */
  #note(trade: Trade): void {
    if (this.#forgets) return;
    const before = this.seen.get(trade.id);
    if (before !== undefined && isFinal(before.status) && isFinal(trade.status) && !isSameEnd(before, trade)) {
      this.#simulation.invariants.violated(`trade ${trade.id} was ${before.status} to its customer, and is ${trade.status} now`);
    }
    if (before === undefined || rank(trade) >= rank(before)) this.seen.set(trade.id, trade);
  }
}

function rank({ status }: Trade): number {
  return TRADE_STATUSES.indexOf(status);
}

function isSameEnd(a: Trade, b: Trade): boolean {
  return a.status === b.status && a.price === b.price && a.rejectCode === b.rejectCode && a.executionId === b.executionId;
}
