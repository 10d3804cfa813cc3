import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { World } from './world.ts';

const EVERY_MS = 1_000;
const TIMEOUT_MS = 1_000;

/** What was seen from outside at one moment; undefined where nobody answered. Times are performance.now(). */
export interface Sighting {
  atMs: number;
  /** Partitions with a leader, as the workers say. */
  led: number | undefined;
  /** The most connections that one process has, as PostgreSQL counts them. */
  connections: number | undefined;
}

/** Looks once a second who leads, and how many connections each process has. */
export class Lookout {
  readonly sightings: Sighting[] = [];
  readonly #world: World;
  readonly #stopped = new AbortController();
  readonly #looking: Promise<void>;

  constructor(world: World) {
    this.#world = world;
    this.#looking = this.#look();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const atMs = performance.now();
      const [led, connections] = await Promise.all([this.#led(), this.#connections()]);
      this.sightings.push({ atMs, led, connections });
      await delay(EVERY_MS, undefined, { signal }).catch(() => {}); // Stopped: the loop ends.
    }
  }

  async #led(): Promise<number | undefined> {
    try {
      const counts = await Promise.all(this.#world.workers.map(({ endpoints }) => ledBy(endpoints.admin)));
      return counts.reduce((sum, count) => sum + count, 0);
    } catch {
      return undefined; // One of them is paused, or only starting: nobody knows what it leads.
    }
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

async function ledBy(admin: string | undefined): Promise<number> {
  const metrics = await (await fetch(`${admin}/metrics`, { signal: AbortSignal.timeout(TIMEOUT_MS) })).text();
  const [, count] = /^worker_partitions_led(?:\{.*\})? (\d+)$/m.exec(metrics) ?? [];
  if (count === undefined) throw new Error('the worker does not say what it leads');
  return Number(count);
}
