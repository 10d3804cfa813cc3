import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { connectNats, natsAt } from '@stockbroker/bus';
import { leaseBucketName, openLeaseBucket } from '@stockbroker/lease';
import pg from 'pg';
import { PARTITIONS } from './servers.ts';
import type { World } from './world.ts';

const EVERY_MS = 1_000;
/** Of a lease, whatever workers are told: the bucket keeps those of the dead for longer. */
const LONGEST_LIFETIME_MS = 6_000;
const TIMEOUT_MS = 1_000;

/** What was seen from outside at one moment; undefined where nobody answered. Times are performance.now(). */
export interface Sighting {
  atMs: number;
  /** Partitions whose lease nobody has renewed within its lifetime. */
  unled: readonly number[] | undefined;
  /** The most connections that one process has, as PostgreSQL counts them. */
  connections: number | undefined;
}

/** Looks once a second who leads, and how many connections each process has. */
export class Lookout {
  readonly sightings: Sighting[] = [];
  readonly #world: World;
  readonly #stopped = new AbortController();
  readonly #nats: Promise<NatsConnection>;
  readonly #looking: Promise<void>;

  constructor(world: World) {
    this.#world = world;
    this.#nats = connectNats(natsAt(world.servers.natsUrl), 'lookout');
    this.#looking = this.#look();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#looking;
    await (await this.#nats).close();
  }

  async #look(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const atMs = performance.now();
      const [unled, connections] = await Promise.all([this.#unled(), this.#connections()]);
      this.sightings.push({ atMs, unled, connections });
      await delay(EVERY_MS, undefined, { signal }).catch(() => {}); // Stopped: the loop ends.
    }
  }

  async #unled(): Promise<number[] | undefined> {
    try {
      const led = await Promise.race([this.#readLed(), delay(TIMEOUT_MS, undefined)]);
      if (led === undefined) return undefined;
      return Array.from({ length: PARTITIONS }, (_, partition) => partition).filter((partition) => !led.has(partition));
    } catch {
      return undefined; // NATS is away: nobody knows.
    }
  }

  async #readLed(): Promise<Set<number>> {
    const { leases } = await openLeaseBucket(await this.#nats, leaseBucketName('')).read();
    const isAlive = ({ renewedAt }: { renewedAt: Date }) => Date.now() - renewedAt.getTime() < LONGEST_LIFETIME_MS;
    return new Set([...leases].flatMap(([partition, lease]) => (isAlive(lease) ? [partition] : [])));
  }

  async #connections(): Promise<number | undefined> {
    // Anew each time: it must not be one that a fault has silenced.
    const client = new pg.Client({
      connectionString: this.#world.servers.postgres.primaryUrl,
      connectionTimeoutMillis: TIMEOUT_MS,
      query_timeout: TIMEOUT_MS,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      const { rows } = await client.query<{ most: number }>(
        `SELECT coalesce(max(count), 0)::int AS most FROM (
          SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'stockbroker-%' GROUP BY application_name) AS counted`,
      );
      return rows[0]?.most;
    } catch {
      return undefined;
    } finally {
      void client.end().catch(() => {});
    }
  }
}
