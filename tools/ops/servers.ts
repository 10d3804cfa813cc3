import type { NatsConfig } from '@stockbroker/bus';
import type { ExchangeClient } from '@stockbroker/exchange-client';
import type { LeaseBucket } from '@stockbroker/lease';
import type { TlsFiles } from '@stockbroker/rpc';
import { reasonOf } from '@stockbroker/runtime';
import type { Store } from '@stockbroker/store';
import type { Database } from '@stockbroker/store/database';
import { ExchangeInDoubtError, StoreUnavailableError } from '@stockbroker/trade-flow';
import { UserError } from '../cli.ts';
import { readConnection } from '../devFolder.ts';
import { withoutPassword } from '../prepareServers.ts';
import { CannotTellError } from './command.ts';
import { Lazy } from './lazy.ts';

/** What the commands work on. */
export interface Targets {
  databaseUrl?: string | undefined;
  natsUrl?: string | undefined;
  /** More about NATS: prefix and credentials. */
  natsEnv?: NodeJS.ProcessEnv | undefined;
  exchange?: { address: string; apiKey: string; tls?: TlsFiles } | undefined;
}

const CONNECT_MS = 5_000;
const STATEMENT_MS = 60_000;
const EXCHANGE_MS = 10_000;
const NOTHING = 'Nothing runs here: npm start, or set DATABASE_URL (and NATS_URL, EXCHANGE_ADDRESS, EXCHANGE_API_KEY).';

/**
 * The environment's servers, else those of `npm start`. Never some of each, which could hold one broker's trades against another's
 * exchange; but an environment that only repeats what `npm start` was given means that system.
 *
 * @throws CannotTellError when there are neither
 */
export function findTargets(env: NodeJS.ProcessEnv, dataDir: string): Targets {
  const { DATABASE_URL, NATS_URL, EXCHANGE_ADDRESS, EXCHANGE_API_KEY } = env;
  const { EXCHANGE_TLS_CA: ca = '', EXCHANGE_TLS_CERT: cert = '', EXCHANGE_TLS_KEY: key = '' } = env;
  const tls = { ca, cert, key, serverName: env.EXCHANGE_TLS_SERVER_NAME ?? '' };
  const running = readConnection(dataDir);
  const named = [
    [DATABASE_URL, running?.databaseUrl],
    [NATS_URL, running?.natsUrl],
    [EXCHANGE_ADDRESS, running?.exchangeAddress],
    [EXCHANGE_API_KEY, running?.exchangeApiKey],
  ].filter(([value]) => value !== undefined && value !== '');
  if (running !== undefined && named.every(([value, known]) => value === known)) {
    const { databaseUrl, natsUrl, exchangeAddress: address, exchangeApiKey: apiKey } = running;
    return { databaseUrl, natsUrl, natsEnv: env, exchange: { address, apiKey } };
  }
  if (named.length === 0) throw new CannotTellError(NOTHING);
  if (Boolean(EXCHANGE_ADDRESS) !== Boolean(EXCHANGE_API_KEY)) {
    throw new UserError('EXCHANGE_ADDRESS and EXCHANGE_API_KEY belong together: set both, or neither.');
  }
  const exchange =
    EXCHANGE_ADDRESS && EXCHANGE_API_KEY ? { address: EXCHANGE_ADDRESS, apiKey: EXCHANGE_API_KEY, tls } : undefined;
  return { databaseUrl: DATABASE_URL || undefined, natsUrl: NATS_URL || undefined, natsEnv: env, exchange };
}

/** Connections to them, each made when it is first needed: a command loads only what it uses. */
export class Servers {
  readonly #targets: Targets;
  readonly #db = new Lazy(async () => {
    const { openDatabase } = await import('@stockbroker/store/database');
    const options = { url: this.#databaseUrl, poolSize: 2, statementTimeoutMs: STATEMENT_MS, onConnectionError: () => {} };
    return openDatabase(options);
  });
  readonly #store = new Lazy(async () => {
    const { createStore } = await import('@stockbroker/store');
    const { createMetrics } = await import('@stockbroker/runtime');
    const options = { url: this.#databaseUrl, poolSize: 2, statementTimeoutMs: STATEMENT_MS, onConnectionError: () => {} };
    return createStore({ ...options, maxBatch: 256, maxQueue: 10_000 }, createMetrics('ops'));
  });
  readonly #nats = new Lazy(async () => {
    const { connect } = await import('@nats-io/transport-node');
    const { natsOptions } = await import('@stockbroker/bus');
    const options = natsOptions(await this.natsConfig());
    try {
      return await connect({ ...options, name: 'ops', timeout: CONNECT_MS, reconnect: false });
    } catch (error) {
      throw new CannotTellError(`NATS does not answer: ${reasonOf(error)}`, { cause: error });
    }
  });
  readonly #exchange = new Lazy(async () => {
    const { createExchangeClient } = await import('@stockbroker/exchange-client');
    const { createLog, createMetrics } = await import('@stockbroker/runtime');
    const exchange = required(this.#targets.exchange, 'EXCHANGE_ADDRESS and EXCHANGE_API_KEY');
    const log = createLog('ops', 'silent');
    const { TlsSource } = await import('@stockbroker/rpc');
    const tls = exchange.tls?.ca ? await TlsSource.open(exchange.tls) : undefined;
    return createExchangeClient({ ...exchange, tls, timeoutMs: EXCHANGE_MS, quoteWaitMs: 0, log, metrics: createMetrics('ops') });
  });

  constructor(targets: Targets) {
    this.#targets = targets;
  }

  get hasNats(): boolean {
    return this.#targets.natsUrl !== undefined;
  }

  get hasExchange(): boolean {
    return this.#targets.exchange !== undefined;
  }

  db(): Promise<Database> {
    return this.#db.get();
  }

  /** The flow's port, for settlements. */
  store(): Promise<Store> {
    return this.#store.get();
  }

  nats() {
    return this.#nats.get();
  }

  /** The servers, how they are reached, and the prefix of all names there. */
  async natsConfig(): Promise<NatsConfig> {
    const { natsAt } = await import('@stockbroker/bus');
    return natsAt(required(this.#targets.natsUrl, 'NATS_URL'), this.#targets.natsEnv);
  }

  async leases(): Promise<LeaseBucket> {
    const { leaseBucketName, openLeaseBucket } = await import('@stockbroker/lease');
    const { NATS_PREFIX } = await this.natsConfig();
    return openLeaseBucket(await this.nats(), leaseBucketName(NATS_PREFIX));
  }

  exchange(): Promise<ExchangeClient> {
    return this.#exchange.get();
  }

  async close(): Promise<void> {
    await this.#exchange.end((exchange) => exchange.close());
    await this.#nats.end((connection) => connection.close());
    await this.#store.end((store) => store.close());
    await this.#db.end((db) => db.$disconnect());
  }

  /** A failure in words, when it means that a server could not be asked. */
  explain(error: unknown): string | undefined {
    if (error instanceof CannotTellError) return error.message;
    if (error instanceof StoreUnavailableError && error.cause === undefined) return error.message;
    if (error instanceof StoreUnavailableError)
      return `The database ${withoutPassword(this.#databaseUrl)} does not answer: ${reason(error.cause)}`;
    if (error instanceof ExchangeInDoubtError)
      return `The exchange ${this.#targets.exchange?.address} does not answer: ${reason(error.cause)}`;
    const message = error instanceof Error ? error.message : '';
    if (/relation .* does not exist|table .* does not exist/.test(message))
      return 'The database has not all tables yet: npm run db:migrate';
    return /^(NatsError|JetStream\w*|TimeoutError|ConnectionError|ClosedConnectionError|RequestError|NoRespondersError)$/.test(
      (error as Error)?.name,
    )
      ? `NATS does not answer: ${reasonOf(error)}`
      : undefined;
  }

  get #databaseUrl(): string {
    return required(this.#targets.databaseUrl, 'DATABASE_URL');
  }
}

function required<T>(value: T | undefined, names: string): T {
  if (value === undefined) throw new CannotTellError(`This needs ${names}: the environment names other servers, but not these.`);
  return value;
}

function reason(cause: unknown): string {
  return reasonOf(cause).split('\n').at(-1) ?? '';
}
