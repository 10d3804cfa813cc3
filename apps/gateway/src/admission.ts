import { type Admit, type Admitted, type CallContext, RpcError, type Served, Status } from '@stockbroker/rpc';
import { HealthDefinition } from '@stockbroker/rpc/health';
import { TradingServiceDefinition } from '@stockbroker/rpc/stockbroker';
import type { Metrics } from '@stockbroker/runtime';
import type { Authenticate, Identity } from './identity/authenticate.ts';
import type { Refusals } from './identity/refusals.ts';
import { IdentityRefusedError, missingScope, otherCustomer, tokenExpired } from './identity/refused.ts';
import { CallRate } from './limits/callRate.ts';
import { networkOf } from './limits/networkOf.ts';
import { OpenStreams } from './limits/openStreams.ts';

const LIMITS = ['customer calls', 'address calls', 'customer streams', 'address streams'] as const;
type Limit = (typeof LIMITS)[number];

/** Of each customer, or of each address. */
export interface Limits {
  callsPerSecond: number;
  burstCalls: number;
  streams: number;
}

export interface AdmissionOptions {
  authenticate: Authenticate;
  refusals: Refusals;
  customer: Limits;
  address: Limits;
  metrics: Metrics;
  /** Milliseconds that never jump. */
  nowMs: () => number;
}

type Scope = 'trade' | 'read';
type Method = keyof (typeof TradingServiceDefinition)['methods'];
/** What a token must allow for each method. */
const SCOPES: Record<Method, Scope> = {
  placeTrade: 'trade',
  cancelTrade: 'trade',
  getTrade: 'read',
  listTrades: 'read',
  getAccount: 'read',
  getQuote: 'read',
  listInstruments: 'read',
  listPrices: 'read',
  watchTrades: 'read',
  watchQuotes: 'read',
};
const SCOPE_OF = new Map<string, Scope>(
  Object.entries(SCOPES).map(([key, scope]) => [TradingServiceDefinition.methods[key as Method].name, scope]),
);

/** Buckets of that many customers, and of that many addresses, are remembered: some megabytes. */
const MAX_KEYS = 50_000;
/** Somebody who tries tokens gets through his address's calls so much faster. */
const CALLS_OF_A_REFUSAL = 10;
/** A stream that is one too many may come again when another one has ended. */
const STREAM_RETRY_MS = 5_000;

/** Who may call, how often, and for how long: the same for both ports. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #calls: { customer: CallRate; address: CallRate };
  readonly #streams: { customer: OpenStreams; address: OpenStreams };
  readonly #identities = new WeakMap<CallContext, Identity>();
  readonly #limited: (limit: Limit) => void;

  constructor(options: AdmissionOptions) {
    const { customer, address, metrics, nowMs } = options;
    const rate = ({ callsPerSecond, burstCalls }: Limits) =>
      new CallRate({ perSecond: callsPerSecond, burst: burstCalls, maxKeys: MAX_KEYS, nowMs });
    this.#options = options;
    this.#calls = { customer: rate(customer), address: rate(address) };
    this.#streams = { customer: new OpenStreams(customer.streams), address: new OpenStreams(address.streams) };
    const limited = metrics.counter('calls_limited_total', 'Calls refused because there were too many', { limit: LIMITS });
    this.#limited = (limit) => limited.inc({ limit });
  }

  readonly admit: Admit = async (context, served) => {
    // That is for anybody; so is reflection, which does not come by here.
    if (served.service === HealthDefinition.fullName) {
      const network = networkOf(context.address);
      this.#takeCall('address', network);
      return served.method.responseStream ? this.#openStream('address', network) : undefined;
    }
    const identity = await this.#identify(context, served);
    this.#identities.set(context, identity);
    this.#takeCall('customer', identity.customerId);
    if (!served.method.responseStream) return undefined;
    const admitted = this.#openStream('customer', identity.customerId);
    return { ...admitted, until: { atMs: identity.expiresAtMs, error: tokenExpired() } };
  };

  /** Whose call it is. */
  customerOf(context: CallContext): string {
    const identity = this.#identities.get(context);
    if (identity === undefined) throw new Error(`${context.method} was not admitted`);
    return identity.customerId;
  }

  /** To be thrown when a request names another customer than its token does. */
  otherCustomer(context: CallContext): RpcError {
    return this.#refused(otherCustomer(), context);
  }

  /**
   * Checking a token costs time, and anybody can make one: each address may try so many. One that has been found good needs no other
   * check, and is its customer's: behind one address there may be thousands of them, and some who try tokens.
   */
  async #identify(context: CallContext, { method }: Served): Promise<Identity> {
    const authorization = context.header('authorization');
    const known = this.#options.authenticate.known(authorization);
    const network = networkOf(context.address);
    if (known === undefined) this.#takeCall('address', network);
    try {
      const identity = known ?? (await this.#options.authenticate(authorization));
      if (known === undefined) this.#calls.address.giveBack(network);
      const scope = SCOPE_OF.get(method.name) ?? 'trade';
      if (!identity.scopes.has(scope)) throw missingScope(scope);
      return identity;
    } catch (error) {
      if (!(error instanceof IdentityRefusedError)) throw error;
      if (error.code === Status.UNAUTHENTICATED) this.#calls.address.charge(network, CALLS_OF_A_REFUSAL - 1);
      throw this.#refused(error, context);
    }
  }

  #refused(error: IdentityRefusedError, context: CallContext): IdentityRefusedError {
    this.#options.refusals.note(error, context);
    return error;
  }

  #takeCall(of: 'customer' | 'address', key: string): void {
    const waitMs = this.#calls[of].take(key);
    if (waitMs === 0) return;
    const { callsPerSecond, burstCalls } = this.#options[of];
    this.#limited(`${of} calls`);
    throw new RpcError(Status.RESOURCE_EXHAUSTED, `too many calls of this ${of}: try again in ${waitMs} ms`, {
      info: { reason: 'RATE_LIMITED', metadata: { of, calls_per_second: `${callsPerSecond}`, burst_calls: `${burstCalls}` } },
      retryAfterMs: waitMs,
    });
  }

  #openStream(of: 'customer' | 'address', key: string): Admitted {
    this.#takeStream(of, key);
    return { release: () => this.#streams[of].close(key) };
  }

  #takeStream(of: 'customer' | 'address', key: string): void {
    if (this.#streams[of].open(key)) return;
    const { streams } = this.#options[of];
    this.#limited(`${of} streams`);
    throw new RpcError(Status.RESOURCE_EXHAUSTED, `this ${of} has ${streams} streams open, its limit`, {
      info: { reason: 'TOO_MANY_STREAMS', metadata: { of, streams: `${streams}` } },
      retryAfterMs: STREAM_RETRY_MS,
    });
  }
}
