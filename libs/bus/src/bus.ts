import { type ConsumerInfo, type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import type { Log, Metrics } from '@stockbroker/runtime';
import { backoffMs, checkReplicas, SharedSettingsError, sleep } from '@stockbroker/runtime';
import type { Trade } from '@stockbroker/trading';
import { type BusNames, busNames } from './names.ts';
import { NatsLink } from './natsLink.ts';
import { publishChanged, publishSettled } from './publishSettled.ts';
import { ensureWakeupConsumer, ensureWakeupStream } from './streams.ts';
import type { NatsConfig } from './variables.ts';

export interface BusOptions {
  config: NatsConfig;
  /** Of the connection, among those that NATS lists. */
  name: string;
  /** The identity of the broker's database: NATS must not be another broker's. */
  database: string;
  log: Log;
  metrics: Metrics;
  /** For a fault that only a restart mends. */
  fail: (error: Error) => void;
}

/** A trade as wake-ups tell of it. */
export type TradeRef = Pick<Trade, 'id' | 'customerId' | 'partition' | 'placedRevision' | 'executedRevision' | 'finalRevision'>;

export interface Subscribed {
  stop(): Promise<void>;
}

/** Wake-ups not answered yet; one more is dropped, which a sweep makes good. */
const MAX_WAKEUPS_IN_FLIGHT = 5_000;
const PUBLISH_TIMEOUT_MS = 5_000;
const PREFETCH = 256;
const FLUSH_TIMEOUT_MS = 500;

/**
 * Wake-ups over NATS: `trades.<partition>` in JetStream tells the partition's leader of a placed trade, `settled.<partition>` that
 * a trade has ended. Everything here may be lost, doubled or late: the truth is in Postgres.
 */
export class Bus {
  readonly #options: BusOptions;
  readonly #names: BusNames;
  readonly #link: NatsLink;
  readonly #streamEnsured: Promise<void>;
  #connection: NatsConnection | undefined;
  #client: JetStreamClient | undefined;
  /** To be told of at the end of this turn of the event loop. */
  readonly #gathered: TradeRef[] = [];
  /** With those gathered. */
  #inFlight = 0;
  readonly #published;
  readonly #dropped;

  constructor(options: BusOptions) {
    this.#options = options;
    this.#published = options.metrics.counter('bus_wakeups_published_total', 'Wake-ups published');
    this.#dropped = options.metrics.counter('bus_wakeups_dropped_total', 'Wake-ups not published, by cause', {
      cause: ['disconnected', 'overload', 'failed'],
    });
    this.#names = busNames(options.config.NATS_PREFIX);
    this.#link = new NatsLink(options, () => this.#ensureStreamAgain());
    this.#streamEnsured = this.#link.connection.then((connection) => this.#onConnected(connection));
    this.#streamEnsured.catch((error: unknown) => this.#onStreamProblem(error));
  }

  /** Pending until there is one. */
  get connection(): Promise<NatsConnection> {
    return this.#link.connection;
  }

  /** False while there is no connection to NATS. */
  get isConnected(): boolean {
    return this.#link.isConnected;
  }

  /** Why NATS cannot be used, e.g. because it refuses the credentials; undefined when it can. */
  problem(): string | undefined {
    return this.#link.problem();
  }

  /** Resolves when the stream of wake-ups is there with our settings. @throws SharedSettingsError when it cannot be */
  ensured(): Promise<void> {
    return this.#streamEnsured;
  }

  /** Wakes the trade's partition at the end of the event loop's turn. Returns at once; a wake-up that fails is only counted. */
  tradePlaced(trade: TradeRef): void {
    if (!this.isConnected) this.#drop('disconnected');
    else if (this.#inFlight >= MAX_WAKEUPS_IN_FLIGHT) this.#drop('overload');
    else this.#gather(trade);
    this.#customerChanged(trade);
  }

  /** Announces the change to those who watch the customer. */
  tradeMarked(trade: TradeRef): void {
    this.#customerChanged(trade);
  }

  #gather(trade: TradeRef): void {
    this.#inFlight += 1;
    if (this.#gathered.push(trade) === 1) setImmediate(() => void this.#publishGathered());
  }

  /**
   * One message for each partition, because a message costs more than what it says (docs/performance.md). The server takes a
   * connection's messages in order, so it has had the others when it answers for the last.
   */
  async #publishGathered(): Promise<void> {
    const trades = this.#gathered.splice(0);
    const wakeups = Array.from(
      Map.groupBy(trades, ({ partition }) => partition),
      ([partition, ofPartition]) =>
        [this.#names.wakeupSubject(partition), ofPartition.map(({ customerId }) => customerId).join(' ')] as const,
    );
    const last = wakeups.pop();
    if (last === undefined) return;
    try {
      for (const wakeup of wakeups) this.#connection?.publish(...wakeup);
      await this.#client?.publish(...last, { timeout: PUBLISH_TIMEOUT_MS });
      this.#published.inc(trades.length);
    } catch (error) {
      this.#drop('failed', trades.length);
      this.#options.log.debug({ err: error, wakeups: trades.length }, 'wake-ups not published');
    } finally {
      this.#inFlight -= trades.length;
    }
  }

  /** Tells the partition's leader that the trade has ended. */
  tradeSettled(trade: TradeRef): void {
    if (this.isConnected && this.#connection !== undefined) publishSettled(this.#connection, this.#names, trade);
  }

  #customerChanged(trade: TradeRef): void {
    if (this.isConnected && this.#connection !== undefined) publishChanged(this.#connection, this.#names, trade);
  }

  /** Calls back with the customer's revision for each change, by whatever process. */
  onCustomerChanged(customerId: string, handle: (revision: number) => void): Subscribed {
    let subscription: Subscription | undefined;
    let isStopped = false;
    const subscribe = (connection: NatsConnection) => {
      if (isStopped) return;
      subscription = connection.subscribe(this.#names.updatesSubject(customerId), {
        callback: (error, message) => {
          if (error === null) handle(Number(message.string()));
        },
      });
    };
    if (this.#connection !== undefined) subscribe(this.#connection);
    else void this.#link.connection.then(subscribe);
    return {
      stop: async () => {
        isStopped = true;
        subscription?.unsubscribe();
      },
    };
  }

  /** Calls back for each trade of the partition that is settled, by whatever process. */
  onSettled(partition: number, handle: (customerId: string, tradeId: string) => void): Subscribed {
    const subscription: Subscription | undefined = this.#connection?.subscribe(this.#names.settledSubject(partition), {
      callback: (error, message) => {
        const [customerId, tradeId] = error === null ? message.string().split(' ') : [];
        if (customerId !== undefined && tradeId !== undefined) handle(customerId, tradeId);
      },
    });
    return { stop: async () => subscription?.unsubscribe() };
  }

  /**
   * Calls back for each wake-up of the partition, in order. The handler acknowledges when the wake-up is done with; those that came
   * in one message are acknowledged together. Stream and consumer are made again whenever they are gone.
   */
  onWakeup(partition: number, handle: (customerId: string, ack: () => void) => void): Subscribed {
    const abort = new AbortController();
    let endCurrent: (() => void) | undefined;
    const run = async () => {
      for (let failures = 0; !abort.signal.aborted; failures += 1) {
        try {
          const messages = await this.#consume(partition);
          endCurrent = () => messages.stop();
          if (abort.signal.aborted) return endCurrent();
          for await (const message of messages) {
            failures = 0;
            const customers = message.string().split(' ', MAX_WAKEUPS_IN_FLIGHT);
            const ack = afterCalls(customers.length, () => message.ack());
            for (const customerId of customers) handle(customerId, ack);
          }
        } catch (error) {
          this.#options.log.debug({ err: error, partition }, 'wake-ups interrupted');
        }
        await sleep(backoffMs(failures, Math.random(), { maxMs: 2_000 }), abort.signal);
      }
    };
    const finished = run();
    return {
      stop: async () => {
        abort.abort();
        endCurrent?.();
        await finished;
        await this.#untilServerKnows();
      },
    };
  }

  /** Until the server has heard of it that a consumer was stopped, it may send a wake-up there that nobody takes. */
  async #untilServerKnows(): Promise<void> {
    if (!this.isConnected || this.#connection === undefined) return;
    const flushed = this.#connection.flush().catch(() => {}); // Disconnected meanwhile: then it knows too.
    await Promise.race([flushed, sleep(FLUSH_TIMEOUT_MS)]);
  }

  /** Flushes what was published and closes the connection; one that was never made is not waited for. */
  async close(): Promise<void> {
    const deadline = Date.now() + 1_000;
    while (this.#inFlight > 0 && this.isConnected && Date.now() < deadline) await sleep(10);
    await this.#untilServerKnows();
    await this.#link.close();
  }

  async #consume(partition: number) {
    const { manager, client } = await this.#jetStream();
    const info = await this.#ensureConsumer(manager, partition);
    const consumer = client.consumers.getConsumerFromInfo(info);
    return consumer.consume({ max_messages: PREFETCH, abort_on_missing_resource: true });
  }

  async #ensureConsumer(manager: JetStreamManager, partition: number): Promise<ConsumerInfo> {
    try {
      return await ensureWakeupConsumer(manager, this.#names, partition);
    } catch {
      await this.#ensureStream(manager);
      return ensureWakeupConsumer(manager, this.#names, partition);
    }
  }

  async #ensureStream(manager: JetStreamManager): Promise<void> {
    const { config, database } = this.#options;
    checkReplicas(config.NATS_REPLICAS, this.#connection?.info?.cluster);
    await ensureWakeupStream(manager, { names: this.#names, replicas: config.NATS_REPLICAS, database });
  }

  async #jetStream(): Promise<{ manager: JetStreamManager; client: JetStreamClient }> {
    const connection = await this.#link.connection;
    const manager = await jetstreamManager(connection, { checkAPI: false });
    return { manager, client: jetstream(connection) };
  }

  #drop(cause: 'disconnected' | 'overload' | 'failed', wakeups = 1): void {
    this.#dropped.inc({ cause }, wakeups);
  }

  async #onConnected(connection: NatsConnection): Promise<void> {
    this.#connection = connection;
    this.#client = jetstream(connection);
    const { manager } = await this.#jetStream();
    await this.#ensureStream(manager);
  }

  /** The server may have come back without its store. */
  async #ensureStreamAgain(): Promise<void> {
    try {
      const { manager } = await this.#jetStream();
      await this.#ensureStream(manager);
    } catch (error) {
      this.#onStreamProblem(error);
    }
  }

  #onStreamProblem(error: unknown): void {
    const { log } = this.#options;
    if (error instanceof SharedSettingsError) log.error({ err: error }, 'the stream of wake-ups is not as it must be');
    else log.warn({ err: error }, 'wake-up stream not ensured; consumers will try again');
  }
}

/** @returns a function that acts when it is called for the last of so many times */
function afterCalls(count: number, act: () => void): () => void {
  let open = count;
  return () => {
    open -= 1;
    if (open === 0) act();
  };
}
