import { type ConsumerInfo, type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import type { Log, Metrics } from '@stockbroker/runtime';
import { backoffMs, sleep } from '@stockbroker/runtime';
import type { Trade } from '@stockbroker/trading';
import { publishChanged, publishSettled } from './publishSettled.ts';
import { ensureWakeupConsumer, ensureWakeupStream, settledSubject, updatesSubject, wakeupSubject } from './streams.ts';

export interface BusOptions {
  connection: Promise<NatsConnection>;
  /** Copies of the wake-up stream: 1, or 3 with a cluster of NATS servers. */
  replicas: number;
  log: Log;
  metrics: Metrics;
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
  #connection: NatsConnection | undefined;
  #client: JetStreamClient | undefined;
  #connected = false;
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
    options.connection.then(
      (connection) => this.#onConnected(connection),
      (error: unknown) => options.log.error({ err: error }, 'NATS connection given up'),
    );
  }

  /** False while there is no connection to NATS. */
  get isConnected(): boolean {
    return this.#connected;
  }

  /** Wakes the trade's partition at the end of the event loop's turn. Returns at once; a wake-up that fails is only counted. */
  tradePlaced(trade: TradeRef): void {
    if (!this.#connected) this.#drop('disconnected');
    else if (this.#inFlight >= MAX_WAKEUPS_IN_FLIGHT) this.#drop('overload');
    else this.#gather(trade);
    this.#customerChanged(trade);
  }

  /** Tells whoever watches the customer. */
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
        [wakeupSubject(partition), ofPartition.map(({ customerId }) => customerId).join(' ')] as const,
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
    if (this.#connected && this.#connection !== undefined) publishSettled(this.#connection, trade);
  }

  #customerChanged(trade: TradeRef): void {
    if (this.#connected && this.#connection !== undefined) publishChanged(this.#connection, trade);
  }

  /** Calls back with the customer's revision for each change, by whatever process. */
  onCustomerChanged(customerId: string, handle: (revision: number) => void): Subscribed {
    let subscription: Subscription | undefined;
    let isStopped = false;
    const subscribe = (connection: NatsConnection) => {
      if (isStopped) return;
      subscription = connection.subscribe(updatesSubject(customerId), {
        callback: (error, message) => {
          if (error === null) handle(Number(message.string()));
        },
      });
    };
    if (this.#connection !== undefined) subscribe(this.#connection);
    else void this.#options.connection.then(subscribe, () => {}); // Given up is told by the bus itself.
    return {
      stop: async () => {
        isStopped = true;
        subscription?.unsubscribe();
      },
    };
  }

  /** Calls back for each trade of the partition that is settled, by whatever process. */
  onSettled(partition: number, handle: (customerId: string, tradeId: string) => void): Subscribed {
    const subscription: Subscription | undefined = this.#connection?.subscribe(settledSubject(partition), {
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
    if (!this.#connected || this.#connection === undefined) return;
    const flushed = this.#connection.flush().catch(() => {}); // Disconnected meanwhile: then it knows too.
    await Promise.race([flushed, sleep(FLUSH_TIMEOUT_MS)]);
  }

  /** Flushes what was published and closes the connection; one that was never made is not waited for. */
  async close(): Promise<void> {
    const deadline = Date.now() + 1_000;
    while (this.#inFlight > 0 && this.#connected && Date.now() < deadline) await sleep(10);
    if (this.#connected) await this.#connection?.flush();
    await this.#connection?.close();
  }

  async #consume(partition: number) {
    const { manager, client } = await this.#jetStream();
    const info = await this.#ensureConsumer(manager, partition);
    const consumer = client.consumers.getConsumerFromInfo(info);
    return consumer.consume({ max_messages: PREFETCH, abort_on_missing_resource: true });
  }

  async #ensureConsumer(manager: JetStreamManager, partition: number): Promise<ConsumerInfo> {
    try {
      return await ensureWakeupConsumer(manager, partition);
    } catch {
      await ensureWakeupStream(manager, this.#options.replicas);
      return ensureWakeupConsumer(manager, partition);
    }
  }

  async #jetStream(): Promise<{ manager: JetStreamManager; client: JetStreamClient }> {
    const connection = await this.#options.connection;
    const manager = await jetstreamManager(connection, { checkAPI: false });
    return { manager, client: jetstream(connection) };
  }

  #drop(cause: 'disconnected' | 'overload' | 'failed', wakeups = 1): void {
    this.#dropped.inc({ cause }, wakeups);
  }

  async #onConnected(connection: NatsConnection): Promise<void> {
    this.#connection = connection;
    this.#client = jetstream(connection);
    this.#connected = true;
    void this.#followStatus(connection);
    await this.#ensureStream();
  }

  async #followStatus(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') {
        this.#connected = false;
        this.#options.log.warn('NATS disconnected');
      } else if (status.type === 'reconnect') {
        this.#connected = true;
        this.#options.log.info('NATS reconnected');
        void this.#ensureStream();
      }
    }
    this.#connected = false;
  }

  /** The server may have come back without its store. */
  async #ensureStream(): Promise<void> {
    try {
      const { manager } = await this.#jetStream();
      await ensureWakeupStream(manager, this.#options.replicas);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'wake-up stream not ensured; consumers will try again');
    }
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
