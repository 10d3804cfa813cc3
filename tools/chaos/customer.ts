import { setTimeout as delay } from 'node:timers/promises';
import { SessionPolicy, TradeType } from '@stockbroker/rpc/stockbroker';
import type { SeededRandom } from '@stockbroker/runtime';
import type { OpeningAccount } from '@stockbroker/store';
import type { ClientAnswer, ClientRequest, SeenTrade } from '@stockbroker/testkit';
import { makeOrder } from '../demoPlan.ts';
import type { TradingClient } from '../tradeClient.ts';
import { type ClientLog, seenAccount, seenTrade } from './clientLog.ts';

/** Requests under way and trades open, of one customer; it places no more before one ends. */
const MOST_OPEN = 5;
const CALL_TIMEOUT_MS = 3_000;
const RETRY_BASE_MS = 50;
const RETRY_MAX_MS = 1_500;
const POLL_MS = 600;
/** Shares of the requests that are not plain ones. */
const SHARE = { malformed: 0.01, hedged: 0.02, repeated: 0.03, changed: 0.01, abandoned: 0.02, queued: 0.3, canceled: 0.2 };
/** Most are canceled while they are under way; what waits for the open also later. */
const CANCEL_AFTER_MS = 1_500;
/** Shares of the looks that are not at the oldest open trade. */
const LOOKS = { list: 0.08, account: 0.2 };

interface GatewayClient {
  name: string;
  client: TradingClient;
}

export interface CustomerOptions {
  account: OpeningAccount;
  token: string;
  gateways: readonly GatewayClient[];
  log: ClientLog;
  random: SeededRandom;
  /** Aborts when nobody waits for answers any more. */
  over: AbortSignal;
}

export interface OpenTrade {
  trade: SeenTrade;
  placedAtMs: number;
}

/** One customer as a client program would be: makes its ids before it sends, repeats what is in doubt, changes gateways, looks often. */
export class ChaosCustomer {
  readonly customerId: string;
  /** Trades acknowledged and not seen to have ended, oldest first, as they were last seen. */
  readonly open = new Map<string, OpenTrade>();
  readonly ended = new Map<string, SeenTrade>();
  readonly #options: CustomerOptions;
  readonly #headers: { authorization: string };
  #gateway: number;
  #requests = 0;
  #pending = 0;

  constructor(options: CustomerOptions) {
    this.#options = options;
    this.customerId = options.account.customerId;
    this.#headers = { authorization: `Bearer ${options.token}` };
    this.#gateway = options.random.between(0, options.gateways.length - 1);
  }

  get mayPlace(): boolean {
    return this.#pending + this.open.size < MOST_OPEN;
  }

  /** Requests whose answer is not known, and trades that have not ended. */
  get unfinished(): number {
    return this.#pending + this.open.size;
  }

  /** Places one trade; resolves when it is acknowledged, refused for good, abandoned, or nobody waits any more. */
  async place(): Promise<void> {
    const { random } = this.#options;
    const request = this.#draw();
    const placedAtMs = performance.now();
    this.#pending += 1;
    try {
      const hedge = random.chance(SHARE.hedged) ? this.#attempt(request, this.#gateway + 1) : undefined;
      const answer = await this.#insist(() => this.#attempt(request, this.#gateway), random.chance(SHARE.abandoned));
      const other = await hedge;
      for (const each of [answer, other]) if (each?.kind === 'trade') this.#see(each.trade, placedAtMs);
      if (answer.kind !== 'trade') return;
      if (random.chance(SHARE.canceled)) await this.#cancel(answer.trade.orderId);
      if (random.chance(SHARE.repeated)) await this.#attempt(request, this.#gateway + 1);
      if (random.chance(SHARE.changed)) await this.#attempt({ ...request, quantity: request.quantity + 1 }, this.#gateway);
    } finally {
      this.#pending -= 1;
    }
  }

  /** Looks at its trades and its account now and then, until nobody waits any more. */
  async watch(): Promise<void> {
    const { random, over } = this.#options;
    while (!over.aborted) {
      await delay(POLL_MS * (0.5 + random.number()), undefined, { signal: over }).catch(() => {}); // Over: the loop ends.
      if (over.aborted) return;
      if (random.chance(LOOKS.account)) await this.readAccount();
      if (random.chance(LOOKS.list)) await this.listTrades();
      // Trades end in the order placed: while the oldest one is open, so are all but those that pass by one that waits for the open.
      for (const orderId of [...this.open.keys()]) {
        if (await this.#hasEnded(orderId)) continue;
        if (this.open.size > 1) await this.listTrades();
        break;
      }
    }
  }

  async lookAtOldest(): Promise<void> {
    const [oldest] = this.open.keys();
    if (oldest !== undefined) await this.#hasEnded(oldest);
  }

  async readAccount(): Promise<void> {
    const call = this.#callOf('GetAccount');
    await this.#options.log.note(
      call.about,
      () => call.client.getAccount({}, call.options),
      (account) => ({ kind: 'account', account: seenAccount(account) }),
    );
  }

  async listTrades(): Promise<void> {
    const call = this.#callOf('ListTrades');
    const answer = await this.#options.log.note(
      call.about,
      () => call.client.listTrades({ pageSize: 20 }, call.options),
      ({ trades }) => ({ kind: 'trades', trades: trades.map(seenTrade) }),
    );
    if (answer.kind === 'trades') for (const trade of answer.trades) if (this.open.has(trade.orderId)) this.#see(trade);
  }

  #draw(): ClientRequest {
    const { account, random } = this.#options;
    this.#requests += 1;
    const { clientOrderId, stockTicker, isBuy, quantity } = makeOrder(account, `chaos-${this.#requests}`, random);
    const queueForOpen = random.chance(SHARE.queued);
    const request = { clientOrderId, stockTicker, type: isBuy ? ('buy' as const) : ('sell' as const), quantity, queueForOpen };
    if (!random.chance(SHARE.malformed)) return request;
    return random.chance(0.5) ? { ...request, quantity: 2_000_000 } : { ...request, stockTicker: 'NONE' };
  }

  /** Whatever it is by then: most often it is too late. */
  async #cancel(orderId: string): Promise<void> {
    const { random, over, log } = this.#options;
    await delay(CANCEL_AFTER_MS * random.number() ** 3, undefined, { signal: over }).catch(() => {}); // Over: it is canceled now.
    const answer = await this.#insist(() => {
      const call = this.#callOf('CancelTrade');
      return log.note(
        { ...call.about, orderId },
        () => call.client.cancelTrade({ orderId }, call.options),
        (trade) => ({ kind: 'trade', trade: seenTrade(trade) }),
      );
    }, false);
    if (answer.kind === 'trade') this.#see(answer.trade);
  }

  /** Repeats what is in doubt until it is not, with growing pauses, each time at another gateway. */
  async #insist(call: () => Promise<ClientAnswer>, abandon: boolean): Promise<ClientAnswer> {
    const { random, over, log } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      const answer = await call();
      if (answer.kind !== 'error' || answer.isDefinite || over.aborted || abandon) return answer;
      this.#gateway += 1;
      log.repeated += 1;
      const waitMs = Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** attempt) * (0.5 + random.number());
      await delay(waitMs, undefined, { signal: over }).catch(() => {}); // Over: one more attempt, then it ends.
    }
  }

  #attempt(request: ClientRequest, gateway: number): Promise<ClientAnswer> {
    const { clientOrderId, stockTicker, quantity, queueForOpen = false } = request;
    const type = request.type === 'buy' ? TradeType.TRADE_TYPE_BUY : TradeType.TRADE_TYPE_SELL;
    const { SESSION_POLICY_QUEUE_FOR_OPEN: QUEUE, SESSION_POLICY_REJECT_WHEN_CLOSED: REJECT } = SessionPolicy;
    const sessionPolicy = queueForOpen ? QUEUE : REJECT;
    const call = this.#callOf('PlaceTrade', gateway);
    return this.#options.log.note(
      { ...call.about, request },
      () => call.client.placeTrade({ clientOrderId, stockTicker, type, quantity, sessionPolicy }, call.options),
      (trade) => ({ kind: 'trade', trade: seenTrade(trade) }),
    );
  }

  async #hasEnded(orderId: string): Promise<boolean> {
    const call = this.#callOf('GetTrade');
    const answer = await this.#options.log.note(
      call.about,
      () => call.client.getTrade({ orderId }, call.options),
      (trade) => ({ kind: 'trade', trade: seenTrade(trade) }),
    );
    if (answer.kind === 'trade') this.#see(answer.trade);
    else this.#gateway += 1;
    return this.ended.has(orderId);
  }

  #see(trade: SeenTrade, placedAtMs = performance.now()): void {
    const isFinal = trade.status === 'filled' || trade.status === 'rejected';
    if (this.ended.has(trade.orderId)) return;
    if (isFinal) {
      this.open.delete(trade.orderId);
      this.ended.set(trade.orderId, trade);
    } else {
      this.open.set(trade.orderId, { trade, placedAtMs: this.open.get(trade.orderId)?.placedAtMs ?? placedAtMs });
    }
  }

  #callOf<M extends 'PlaceTrade' | 'CancelTrade' | 'GetTrade' | 'ListTrades' | 'GetAccount'>(method: M, gateway = this.#gateway) {
    const { gateways } = this.#options;
    const chosen = gateways[gateway % gateways.length];
    if (chosen === undefined) throw new RangeError('there are no gateways');
    return {
      client: chosen.client,
      about: { customerId: this.customerId, method, gateway: chosen.name },
      options: { headers: this.#headers, timeoutMs: CALL_TIMEOUT_MS },
    };
  }
}
